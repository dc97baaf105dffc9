"""Keys under which anybody could sign are refused, in the broker and in the client alike."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sluis_client.ed25519_keys
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

import broker.ed25519_keys
from broker.errors import SluisError
from broker.policy.bundle import BundleSignature, build_bundle, load_bundle, read_bundle
from broker.policy.suspension import is_signed

BOTH = [broker.ed25519_keys.public_key_of, sluis_client.ed25519_keys.public_key_of]
P = 2**255 - 19
ORDER_8 = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"
OF_ORDER_8 = int.from_bytes(bytes.fromhex(ORDER_8), "little")
WEAK = sorted({y + sign for y in (0, 1, P - 1, OF_ORDER_8, P - OF_ORDER_8, P, P + 1, P + 18) for sign in (0, 2**255)})


@pytest.mark.parametrize("public_key_of", BOTH)
@pytest.mark.parametrize("number", WEAK, ids=lambda number: number.to_bytes(32, "little").hex()[:8])
def test_small_orders_and_second_encodings_are_refused(public_key_of, number):
    with pytest.raises(ValueError, match="anybody could sign"):
        public_key_of(number.to_bytes(32, "little"))


@pytest.mark.parametrize("public_key_of", BOTH)
def test_keys_that_somebody_made_are_taken(public_key_of):
    for _ in range(100):
        raw = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
        assert public_key_of(raw).public_bytes_raw() == raw
    for wrong in (b"", b"\x02" * 31, b"\x02" * 33):
        with pytest.raises(ValueError):
            public_key_of(wrong)


def test_the_library_would_have_taken_them():
    """Otherwise this module would be needless."""
    identity = bytes([1, *[0] * 31])
    Ed25519PublicKey.from_public_bytes(identity).verify(identity + bytes(32), b"anything at all")


def test_a_signer_with_such_a_key_counts_for_nobody():
    now, folder = datetime(2026, 11, 23, 10, tzinfo=UTC), Path(__file__).parents[2] / "policies"
    texts = {"catalogue.yaml": (folder / "catalogue.yaml").read_text(encoding="utf-8")}
    weak = bytes([1, *[0] * 31])
    bundle = read_bundle(build_bundle(texts, revision=1, expires=now.replace(year=2027)))
    forged = replace(bundle, signatures=(BundleSignature(weak.hex(), "chair", (weak + bytes(32)).hex()),)).encode()
    with pytest.raises(SluisError, match="is wrong"):
        load_bundle(forged, signers=[weak.hex()], quorum=1, now=now, unsafe_skip_approvals=True)
    assert not is_signed({"a": 1}, weak.hex(), (weak + bytes(32)).hex())
