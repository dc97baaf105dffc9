import hashlib
import hmac
import json
import pickle
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sluis_client.envelopes import (
    ENVELOPE_BYTES,
    EncryptionPrivateKey,
    add_recipients,
    check_epoch,
    generate_encryption_key,
    make_epoch,
    open_envelope,
    seal_envelope,
)
from sluis_client.epochs import epoch_window
from sluis_client.errors import ClientError, Exit
from sluis_client.policy import PurposeView
from sluis_client.pseudonymise import Context, key_id
from sluis_client.secret import Secret
from sluis_client.statement_shapes import EPOCH, check_members

CONTEXT = Context("sluis.example/t", "test", "snf-locatie", "2026Q4")
NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
WINDOW = epoch_window("2026Q4", "quarter")
DIGEST = "ab" * 16


def view(**changes):
    base = {
        "name": "snf-locatie",
        "state": "active",
        "about": "address",
        "stewards": ("snf",),
        "mode": "keyed",
        "epoch_kind": "quarter",
        "overlap_days": 0,
        "vault_keep_days": 730,
        "asks": ("tilburg", "utrecht"),
        "answers": ("snf",),
        "on_behalf_of": (),
        "schemes": ("bag",),
        "weakest_match_key": None,
        "hit": True,
        "count": False,
        "attributes": {},
        "rules": {},
        "limits": {},
        "case_number_required": True,
        "cooperation_ref_required": False,
        "answer_keep_days": 30,
        "rows_per_scheme": {"bag": 1},
        "keys_per_scheme": {"bag": 1},
    }
    return PurposeView(**(base | changes))


@pytest.fixture(scope="module")
def keys():
    return {party: generate_encryption_key() for party in ("snf", "utrecht", "tilburg")}


def recipients(keys, *parties):
    return {party: (keys[party].public_bytes(), DIGEST) for party in parties}


@pytest.fixture(scope="module")
def epoch(keys):
    return make_epoch(CONTEXT, *WINDOW, "snf", recipients(keys, "snf", "utrecht"), created_at=NOW)


def test_every_recipient_opens_its_own_envelope_and_no_other(keys, epoch):
    key, manifest, envelopes = epoch
    check_members(manifest, EPOCH)
    assert manifest["key_id"] == key_id(key, CONTEXT)
    for party in ("snf", "utrecht"):
        assert len(envelopes[party]) == ENVELOPE_BYTES
        assert open_envelope(keys[party], CONTEXT, party, envelopes[party], manifest["key_id"]) == key
    for private, party, envelope in (
        ("tilburg", "utrecht", "utrecht"),
        ("utrecht", "snf", "utrecht"),
        ("snf", "snf", "utrecht"),
    ):
        with pytest.raises(ClientError) as refused:
            open_envelope(keys[private], CONTEXT, party, envelopes[envelope], manifest["key_id"])
        assert (refused.value.code, refused.value.exit_code) == ("ENVELOPE_BROKEN", Exit.KEY_TROUBLE)


def test_an_envelope_that_holds_another_key_than_it_says_is_refused(keys):
    # sealed with the right info, so HPKE opens it: only the key id inside shows the swap
    from sluis_client import envelopes as module

    wrong = Secret(b"\x05" * 32)
    identity = key_id(Secret(b"\x06" * 32), CONTEXT)
    public = keys["utrecht"].public_bytes()
    sealed = module._SUITE.encrypt(
        wrong.reveal(),
        module.hpke.MLKEM768X25519PublicKey(
            module.MLKEM768PublicKey.from_public_bytes(public[:1184]), X25519PublicKey.from_public_bytes(public[1184:])
        ),
        info=module._info(CONTEXT, "utrecht", identity),
    )
    with pytest.raises(ClientError) as refused:
        open_envelope(keys["utrecht"], CONTEXT, "utrecht", sealed, identity)
    assert refused.value.code == "KEY_ID_WRONG"


def test_recipients_are_added_under_the_same_key(keys, epoch):
    key, manifest, first = epoch
    longer, envelopes = add_recipients(key, CONTEXT, manifest, recipients(keys, "snf", "utrecht", "tilburg"))
    assert set(longer["recipients"]) == set(envelopes) == {"snf", "utrecht", "tilburg"}
    same = {name: value for name, value in longer.items() if name != "recipients"}
    assert same == {name: value for name, value in manifest.items() if name != "recipients"}
    assert open_envelope(keys["tilburg"], CONTEXT, "tilburg", envelopes["tilburg"], manifest["key_id"]) == key
    assert envelopes["utrecht"] != first["utrecht"]


def test_a_recipient_is_not_forgotten_by_mistake(keys, epoch):
    key, manifest, _ = epoch
    with pytest.raises(ClientError) as refused:
        add_recipients(key, CONTEXT, manifest, recipients(keys, "snf", "tilburg"))
    assert refused.value.code == "EPOCH_INVALID"
    assert "utrecht" in refused.value.message
    shorter, _ = add_recipients(key, CONTEXT, manifest, recipients(keys, "snf"), leaving=["utrecht"])
    assert set(shorter["recipients"]) == {"snf"}


def test_adding_under_another_key_is_refused(keys, epoch):
    with pytest.raises(ClientError) as refused:
        add_recipients(Secret(bytes(32)), CONTEXT, epoch[1], recipients(keys, "snf", "utrecht"))
    assert refused.value.code == "KEY_ID_WRONG"


def test_epochs_that_are_not_made(keys):
    for start, end, listed in ((WINDOW[1], WINDOW[0], recipients(keys, "snf")), (*WINDOW, {})):
        with pytest.raises(ClientError) as refused:
            make_epoch(CONTEXT, start, end, "snf", listed)
        assert refused.value.code == "EPOCH_INVALID"
    for public in (b"", bytes(1215), bytes(1217), b"\xff" * 1216):
        with pytest.raises(ClientError) as refused:
            make_epoch(CONTEXT, *WINDOW, "snf", {"utrecht": (public, DIGEST)})
        assert refused.value.code == "KEY_UNREADABLE"


def test_two_epochs_have_two_keys(keys, epoch):
    again = make_epoch(CONTEXT, *WINDOW, "snf", recipients(keys, "snf"))
    assert again[0] != epoch[0]
    assert again[1]["key_id"] != epoch[1]["key_id"]


def judged(epoch, manifest=None, party="utrecht", **changes):
    arguments = {
        "view": view(),
        "context": CONTEXT,
        "party": party,
        "envelope": epoch[2][party],
        "now": NOW,
        "encryption_key_digest": DIGEST,
        "known_key_id": epoch[1]["key_id"],
    }
    check_epoch(manifest or epoch[1], **(arguments | changes))


def test_a_good_manifest_is_accepted(epoch):
    judged(epoch)
    judged(epoch, party="snf", encryption_key_digest=None, known_key_id=None)
    judged(epoch, now=datetime(2026, 9, 1, tzinfo=UTC))  # published ahead of its quarter


def with_member(made, /, **changes):
    return made[1] | changes


def test_manifests_that_are_refused(epoch, keys):
    stranger = epoch[1]["recipients"] | {"certifier": {"key": DIGEST, "envelope": DIGEST}}
    cases = {
        "another log": {"manifest": with_member(epoch, origin="sluis.example/other")},
        "another environment": {"manifest": with_member(epoch, environment="production")},
        "another purpose": {"manifest": with_member(epoch, purpose="verhuurvergunning")},
        "another epoch": {"manifest": with_member(epoch, epoch="2027Q1")},
        "another mode": {"manifest": with_member(epoch, mode="oblivious")},
        "another steward": {"manifest": with_member(epoch, steward="utrecht")},
        "a recipient outside the purpose": {"manifest": with_member(epoch, recipients=stranger)},
        "a longer period": {"manifest": with_member(epoch, valid_until="2027-06-30T22:00:00Z")},
        "an earlier start": {"manifest": with_member(epoch, valid_from="2026-06-30T22:00:00Z")},
        "ended": {"now": datetime(2027, 1, 1, tzinfo=UTC)},
        "no envelope for me": {
            "party": "snf",
            "manifest": with_member(epoch, recipients={"utrecht": epoch[1]["recipients"]["utrecht"]}),
        },
        "another envelope": {"envelope": epoch[2]["snf"]},
        "sealed to another key of mine": {"encryption_key_digest": "cd" * 16},
        "the policy has another purpose": {"view": view(name="other")},
        "the policy has another mode": {"view": view(mode="oblivious")},
        "the policy has another steward": {"view": view(stewards=("utrecht",))},
        "the policy dropped a participant": {"view": view(asks=("tilburg",))},
    }
    for name, changes in cases.items():
        with pytest.raises(ClientError) as refused:
            judged(epoch, **changes)
        assert refused.value.code == "EPOCH_REFUSED", name
        assert refused.value.exit_code == Exit.VERIFICATION_FAILED


def test_a_second_key_for_one_epoch_is_refused(epoch):
    with pytest.raises(ClientError) as refused:
        judged(epoch, known_key_id="00" * 16)
    assert refused.value.code == "KEY_ID_WRONG"


def test_the_private_key_is_kept_as_96_bytes_and_never_shown(keys):
    private = keys["utrecht"]
    again = EncryptionPrivateKey(private.reveal())
    assert again.public_bytes() == private.public_bytes()
    assert len(private.reveal()) == 96
    assert private.reveal().hex() not in repr(private) + str(private)
    with pytest.raises(TypeError):
        pickle.dumps(private)
    for size in (0, 95, 97):
        with pytest.raises(ClientError):
            EncryptionPrivateKey(bytes(size))


# --- an independent reading of HPKE, so that another language can be held to the bytes ---


def extract(suite, salt, label, data):
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + data, "sha256")


def expand(suite, prk, label, info, size):
    full = size.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    return hmac.digest(prk, full + b"\x01", "sha256")[:size]


def open_base(kem, aead, key_size, shared, info, ciphertext, aad):
    """RFC 9180 section 5.1, mode base, HKDF-SHA-256, sequence number 0."""
    suite = b"HPKE" + kem + b"\x00\x01" + aead
    context = b"\x00" + extract(suite, b"", b"psk_id_hash", b"") + extract(suite, b"", b"info_hash", info)
    secret = extract(suite, shared, b"secret", b"")
    key = expand(suite, secret, b"key", context, key_size)
    nonce = expand(suite, secret, b"base_nonce", context, 12)
    return key, nonce, AESGCM(key).decrypt(nonce, ciphertext, aad)


def test_the_reading_of_hpke_reproduces_rfc_9180_appendix_a_1():
    private = X25519PrivateKey.from_private_bytes(
        bytes.fromhex("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8")
    )
    enc = bytes.fromhex("37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431")
    kem = b"KEM\x00\x20"
    agreed = private.exchange(X25519PublicKey.from_public_bytes(enc))
    prk = extract(kem, b"", b"eae_prk", agreed)
    shared = expand(kem, prk, b"shared_secret", enc + private.public_key().public_bytes_raw(), 32)
    assert shared.hex() == "fe0e18c9f024ce43799ae393c7e8fe8fce9d218875e8227b0187c04e7d2ea1fc"
    key, nonce, plain = open_base(
        b"\x00\x20",
        b"\x00\x01",
        16,
        shared,
        bytes.fromhex("4f6465206f6e2061204772656369616e2055726e"),
        bytes.fromhex("f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a"),
        b"Count-0",
    )
    assert key.hex() == "4531685d41d65f03dc48f6b8302c05b0"
    assert nonce.hex() == "56d890e5accaaf011cff4b7d"
    assert plain == b"Beauty is truth, truth beauty"


def independent_open(private, info, ciphertext):
    """X-Wing (draft-connolly-cfrg-xwing-kem, HPKE KEM 0x647a) under the reading of RFC 9180 above."""
    seed = private.reveal()
    mlkem, x25519 = MLKEM768PrivateKey.from_seed_bytes(seed[:64]), X25519PrivateKey.from_private_bytes(seed[64:])
    ct, share, sealed = ciphertext[:1088], ciphertext[1088:1120], ciphertext[1120:]
    agreed = x25519.exchange(X25519PublicKey.from_public_bytes(share))
    public = x25519.public_key().public_bytes_raw()
    shared = hashlib.sha3_256(mlkem.decapsulate(ct) + agreed + share + public + rb"\.//^" + b"\\").digest()
    return open_base(b"\x64\x7a", b"\x00\x02", 32, shared, info, sealed, b"")[2]


def test_an_envelope_is_what_the_spec_says_it_is(keys):
    key = Secret(bytes(range(32)))
    identity = key_id(key, CONTEXT)
    parts = [*CONTEXT.parts(), "utrecht", identity]
    info = b"".join(len(p).to_bytes(4, "big") + p for p in (part.encode() for part in ["sluis/v1/envelope", *parts]))
    sealed = seal_envelope(key, CONTEXT, "utrecht", keys["utrecht"].public_bytes())
    assert independent_open(keys["utrecht"], info, sealed) == key.reveal()


def test_the_kept_envelope_of_the_vectors_too():
    vector = json.loads((Path(__file__).parents[2] / "vectors/pseudonym/envelopes.json").read_text("utf-8"))
    private = EncryptionPrivateKey(bytes.fromhex(vector["private_key"]))
    opened = independent_open(private, bytes.fromhex(vector["info"]), bytes.fromhex(vector["ciphertext"]))
    assert opened.hex() == vector["key"]
