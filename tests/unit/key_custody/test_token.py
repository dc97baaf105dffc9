"""PKCS#11, against SoftHSM: what is wrapped or signed with keys that do not leave the token."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key
from key_places import PIN, soft_token
from sluis_custody.choosing import signer_of, wrapper_of
from sluis_custody.errors import CustodyError, Trouble
from sluis_custody.store_key import StoreKey
from sluis_custody.token import TokenAddress

pytestmark = pytest.mark.slow

BOUND = b"a use"


@pytest.fixture(scope="module")
def token(tmp_path_factory):
    token = soft_token(tmp_path_factory.mktemp("softhsm"))
    token.make_wrapping_key("wrap")
    return token


def pin() -> bytes:
    return PIN


def refused(call) -> Trouble:
    with pytest.raises(CustodyError) as caught:
        call()
    assert PIN.decode() not in str(caught.value)
    return caught.value.trouble


def test_a_store_key_lies_under_a_key_of_the_token(token):
    key = StoreKey.make("client")
    document = key.wrapped_by(wrapper_of(token.uri("wrap"), pin), complete=True)
    assert document.opened_by(wrapper_of(token.uri("wrap"), pin), "client") == key
    token.make_wrapping_key("other")
    assert refused(lambda: document.opened_by(wrapper_of(token.uri("other"), pin), "client")) is Trouble.DAMAGED
    assert refused(lambda: document.opened_by(wrapper_of(token.uri("wrap"), pin), "broker")) is Trouble.DAMAGED


def test_a_changed_wrap_and_a_wrong_pin_are_told_apart(token):
    wrapper = wrapper_of(token.uri("wrap"), pin)
    wrapped = wrapper.wrap(b"k" * 32, BOUND)
    assert wrapper.unwrap(wrapped, BOUND) == b"k" * 32
    sealed = bytes.fromhex(str(wrapped["sealed"]))
    for changed in (bytes([sealed[0] ^ 1]) + sealed[1:], sealed[:-1], b""):
        assert refused(lambda c=changed: wrapper.unwrap({**wrapped, "sealed": c.hex()}, BOUND)) is Trouble.DAMAGED
    assert refused(lambda: wrapper.unwrap({}, BOUND)) is Trouble.DAMAGED


def test_keys_that_the_token_would_give_away_are_refused(token):
    token.make_wrapping_key("loose", extractable=True, sensitive=False)
    assert refused(lambda: wrapper_of(token.uri("loose"), pin).wrap(b"k" * 32, BOUND)) is Trouble.SETTING


def test_what_is_not_there_is_named(token):
    assert refused(lambda: wrapper_of(token.uri("absent"), pin).wrap(b"k" * 32, BOUND)) is Trouble.SETTING
    absent = token.uri("wrap").replace(token.label, "another-token")
    assert refused(lambda: wrapper_of(absent, pin).wrap(b"k" * 32, BOUND)) is Trouble.UNREACHABLE
    no_library = f"pkcs11:token=a;object=b?module-path={__file__}"
    assert refused(lambda: wrapper_of(no_library, pin).wrap(b"k" * 32, BOUND)) is Trouble.SETTING


@pytest.mark.parametrize(("curve", "digest"), [("secp256r1", hashes.SHA256()), ("secp384r1", hashes.SHA384())])
def test_signatures_of_the_token_verify(token, curve, digest):
    token.make_signing_key(f"sign-{curve}", curve)
    signer = signer_of(token.uri(f"sign-{curve}"), pin)
    public = load_der_public_key(signer.public_key())
    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(signer.sign(b"message"), b"message", ec.ECDSA(digest))


def test_other_curves_do_not_sign(token):
    token.make_signing_key("sign-521", "secp521r1")
    assert refused(signer_of(token.uri("sign-521"), pin).public_key) is Trouble.SETTING


def test_a_wrong_pin_is_told(token):
    """In a process of its own: a library counts as logged in for all of its process."""
    import subprocess
    import sys

    program = (
        "import sys; from sluis_custody.choosing import wrapper_of\n"
        "from sluis_custody.errors import CustodyError\n"
        "try: wrapper_of(sys.argv[1], lambda: b'not-the-pin').wrap(b'k' * 32, b'')\n"
        "except CustodyError as error: print(error.trouble.name, error)\n"
    )
    ran = subprocess.run([sys.executable, "-c", program, token.uri("wrap")], capture_output=True, text=True, timeout=60)
    assert ran.stdout.startswith("LOCKED token sluis-test: wrong PIN"), ran


@pytest.mark.parametrize(
    "uri",
    [
        "pkcs11:token=a;object=b",
        "pkcs11:token=a;object=b?module-path=/x&pin-value=1",
        "pkcs11:token=;object=b?module-path=/x",
        "pkcs11:token=a;token=c;object=b?module-path=/x",
        "pkcs11:token=a;object=b;id=%01?module-path=/x",
        "token=a;object=b?module-path=/x",
    ],
)
def test_addresses_that_are_none(uri):
    assert refused(lambda: TokenAddress.parse(uri)) is Trouble.SETTING


def test_an_address_may_hold_escapes():
    parsed = TokenAddress.parse("pkcs11:object=b%3Bc;token=my%20token?module-path=/x")
    assert (parsed.token, parsed.label) == ("my token", "b;c")
