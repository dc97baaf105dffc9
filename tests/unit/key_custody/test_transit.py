"""Transit keys, against a real OpenBao server where there is one, and against a server that misbehaves."""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key
from key_places import Bao, bao_server
from sluis_custody.choosing import signer_of, wrapper_of
from sluis_custody.errors import CustodyError, Trouble
from sluis_custody.store_key import StoreKey
from sluis_custody.transit import TransitKey

pytestmark = pytest.mark.slow

BOUND = b"a use"


def secret() -> bytes:
    return Bao.token


def refused(call) -> Trouble:
    with pytest.raises(CustodyError) as caught:
        call()
    assert Bao.token.decode() not in str(caught.value)
    return caught.value.trouble


@pytest.fixture(scope="module")
def bao():
    with bao_server() as server:
        yield server


def test_a_store_key_lies_under_a_key_of_the_server(bao):
    address = bao.make("wrap", "aes256-gcm96")
    key = StoreKey.make("client")
    document = key.wrapped_by(wrapper_of(f"transit:{address}", secret), complete=True)
    assert document.opened_by(wrapper_of(f"transit:{address}", secret), "client") == key
    wrapper = wrapper_of(f"transit:{address}", secret)
    assert refused(lambda: wrapper.unwrap(document.wrapped, BOUND)) is Trouble.DAMAGED, "the use is bound"
    bao.call("POST", "transit/keys/wrap/rotate")
    assert document.opened_by(wrapper, "client") == key, "older versions of the key still open"
    other = wrapper_of(f"transit:{bao.make('other', 'aes256-gcm96')}", secret)
    assert refused(lambda: document.opened_by(other, "client")) is Trouble.DAMAGED


def test_what_the_server_refuses_is_told_apart(bao):
    bao.make("mine", "aes256-gcm96")
    wrong = wrapper_of(f"transit:{bao.key('mine')}", lambda: b"another-token")
    assert refused(lambda: wrong.wrap(b"k" * 32, BOUND)) is Trouble.LOCKED
    bao.call("PUT", "sys/policies/acl/wrap-only", {"policy": 'path "transit/encrypt/mine" {capabilities=["update"]}'})
    limited = bao.call("POST", "auth/token/create", {"policies": ["wrap-only"]})["auth"]["client_token"].encode()
    wrapper = wrapper_of(f"transit:{bao.key('mine')}", lambda: limited)
    wrapped = wrapper.wrap(b"k" * 32, BOUND)
    assert refused(lambda: wrapper.unwrap(wrapped, BOUND)) is Trouble.LOCKED
    changed = {"ciphertext": str(wrapped["ciphertext"])[:-4] + "AAAA"}
    assert refused(lambda: wrapper_of(f"transit:{bao.key('mine')}", secret).unwrap(changed, BOUND)) is Trouble.DAMAGED
    # an absent key must not be made in passing by an encryption, which the engine would do
    no_mount = f"transit:{bao.address}/v1/absent/keys/mine"
    assert refused(lambda: wrapper_of(no_mount, secret).wrap(b"k" * 32, BOUND)) is Trouble.SETTING


@pytest.mark.parametrize(
    ("kind", "digest"), [("ecdsa-p256", hashes.SHA256()), ("ecdsa-p384", hashes.SHA384()), ("ed25519", None)]
)
def test_signatures_verify_with_the_public_key_also_after_a_rotation(bao, kind, digest):
    address = bao.make(f"sign-{kind}", kind)
    spki = signer_of(f"transit:{address}", secret).public_key()
    bao.call("POST", f"transit/keys/sign-{kind}/rotate")
    signer = signer_of(f"transit:{address}", secret, public_key=spki)
    assert signer.public_key() == spki
    public = load_der_public_key(spki)
    arguments = (ec.ECDSA(digest),) if isinstance(public, ec.EllipticCurvePublicKey) else ()
    public.verify(signer.sign(b"message"), b"message", *arguments)
    assert signer_of(f"transit:{address}", secret).public_key() != spki, "without one, the newest signs"
    strange = signer_of(f"transit:{address}", secret, public_key=b"another")
    assert refused(strange.public_key) is Trouble.SETTING


def test_keys_of_another_type_do_not_sign(bao):
    address = bao.make("aes", "aes256-gcm96")
    assert refused(signer_of(f"transit:{address}", secret).public_key) is Trouble.SETTING


@pytest.fixture
def stub():
    """A server that answers what a test tells it to, and keeps what it was asked."""

    class Handler(BaseHTTPRequestHandler):
        answer = (200, b"{}")
        asked: ClassVar[list[tuple[str, str, dict]]] = []

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.asked.append((self.path, self.headers["X-Vault-Token"], body))
            self.send_response(self.answer[0])
            self.end_headers()
            self.wfile.write(self.answer[1])

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01))
        thread.start()
        yield f"transit:http://127.0.0.1:{server.server_port}/v1/a/b/keys/k", Handler
        server.shutdown()
        thread.join()


def test_what_is_sent(stub):
    address, handler = stub
    handler.answer = (200, b'{"data":{"ciphertext":"vault:v1:x"}}')
    assert wrapper_of(address, secret).wrap(b"key", BOUND) == {"ciphertext": "vault:v1:x"}
    path, token, body = handler.asked[-1]
    assert (path, token) == ("/v1/a/b/encrypt/k", Bao.token.decode())
    assert body == {
        "plaintext": base64.b64encode(b"key").decode(),
        "associated_data": base64.b64encode(BOUND).decode(),
    }


@pytest.mark.parametrize(
    ("status", "body", "trouble"),
    [
        (200, b"", Trouble.UNREACHABLE),
        (200, b"[]", Trouble.UNREACHABLE),
        (200, b'{"data":[]}', Trouble.UNREACHABLE),
        (200, b'{"data":{"ciphertext":7}}', Trouble.UNREACHABLE),
        (200, b'{"data":{"ciphertext":"' + b"x" * 300_000 + b'"}}', Trouble.UNREACHABLE),
        (503, b'{"errors":["Vault is sealed"]}', Trouble.UNREACHABLE),
        (302, b"", Trouble.UNREACHABLE),
        (403, b"", Trouble.LOCKED),
        (404, b"", Trouble.SETTING),
        (400, b"", Trouble.DAMAGED),
    ],
)
def test_answers_that_are_none(stub, status, body, trouble):
    address, handler = stub
    handler.answer = (status, body)
    assert refused(lambda: wrapper_of(address, secret).wrap(b"key", BOUND)) is trouble


def test_no_server_is_unreachable():
    key = "transit:http://127.0.0.1:1/v1/transit/keys/k"
    assert refused(lambda: wrapper_of(key, secret).wrap(b"key", BOUND)) is Trouble.UNREACHABLE


@pytest.mark.parametrize(
    "address",
    [
        "http://bao.example:8200/v1/transit/keys/k",
        "https://bao.example/v1/transit/keys/k",
        "https://bao.example:8200/transit/keys/k",
        "https://bao.example:8200/v1/transit/keys/../k",
        "https://bao.example:8200/v1/transit/encrypt/k",
        "https://user@bao.example:8200/v1/transit/keys/k",
    ],
)
def test_addresses_that_are_none(address):
    assert refused(lambda: TransitKey(address, secret)) is Trouble.SETTING
