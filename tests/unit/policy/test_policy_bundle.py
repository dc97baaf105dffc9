from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from approving import Officers
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from policy_samples import NOW, bent, load, texts

from broker.canonical import canonical_json
from broker.errors import Code, SluisError
from broker.policy.bundle import build_bundle, load_bundle, policy_set_from_texts, read_bundle, sign_bundle

KEYS = [Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in range(1, 5)]
HEX = [key.public_key().public_bytes_raw().hex() for key in KEYS]
EXPIRES = datetime(2027, 3, 31, 22, tzinfo=UTC)
OFFICERS = Officers()
TEXTS = OFFICERS.add_to(texts())
UNSIGNED = build_bundle(TEXTS, revision=7, expires=EXPIRES, approvals=OFFICERS.approve(TEXTS))
SIGNED = sign_bundle(sign_bundle(UNSIGNED, KEYS[0], "asking side"), KEYS[1], "answering side")


def refused(data, code, **options):
    values = {"signers": HEX[:3], "quorum": 2, "now": NOW}
    with pytest.raises(SluisError) as raised:
        load_bundle(data, **(values | options))
    assert raised.value.code is code, raised.value
    return raised.value.message


def changed(data, change):
    """The bundle with a change made to its object, canonical again."""
    value = json.loads(data)
    change(value)
    return canonical_json(value)


def test_two_of_three_open_it():
    policies = load_bundle(SIGNED, signers=HEX[:3], quorum=2, now=NOW)
    assert (policies.revision, policies.expires) == (7, EXPIRES)
    assert policies.signers == tuple(sorted(HEX[:2]))
    assert policies.digest == load(TEXTS).digest
    assert dict(policies.texts) == TEXTS


def test_the_same_texts_make_the_same_bytes():
    reversed_texts, approvals = dict(reversed(list(TEXTS.items()))), reversed(OFFICERS.approve(TEXTS))
    assert build_bundle(reversed_texts, revision=7, expires=EXPIRES, approvals=approvals) == UNSIGNED
    assert read_bundle(SIGNED).encode() == SIGNED


def test_fewer_than_the_quorum_is_unsigned():
    refused(UNSIGNED, Code.POLICY_UNSIGNED)
    refused(sign_bundle(UNSIGNED, KEYS[0], "a"), Code.POLICY_UNSIGNED)


def test_one_key_twice_counts_once():
    twice = sign_bundle(sign_bundle(UNSIGNED, KEYS[0], "asking side"), KEYS[0], "answering side")
    assert len(read_bundle(twice).signatures) == 1
    copied = changed(twice, lambda v: v["signatures"].append(v["signatures"][0]))
    refused(copied, Code.POLICY_UNSIGNED)
    refused(SIGNED, Code.POLICY_UNSIGNED, signers=[HEX[0], HEX[0].upper()], quorum=2)


def test_strangers_do_not_count():
    stranger = sign_bundle(sign_bundle(UNSIGNED, KEYS[0], "a"), KEYS[3], "b")
    refused(stranger, Code.POLICY_UNSIGNED)
    third = sign_bundle(stranger, KEYS[2], "c")
    assert load_bundle(third, signers=HEX[:3], quorum=2, now=NOW).signers == tuple(sorted((HEX[0], HEX[2])))


@pytest.mark.parametrize("options", [{"quorum": 0}, {"quorum": -1}, {"signers": []}, {"quorum": 4}])
def test_verification_cannot_be_turned_off(options):
    refused(SIGNED, Code.POLICY_UNSIGNED, **options)


def test_every_signature_must_be_right_even_a_strangers():
    def spoil(value):
        value["signatures"][1]["signature"] = "00" * 64

    refused(changed(SIGNED, spoil), Code.POLICY_UNSIGNED)
    third = sign_bundle(SIGNED, KEYS[3], "stranger")
    refused(changed(third, lambda v: v["signatures"][2].update(signature="00" * 64)), Code.POLICY_UNSIGNED)


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v["manifest"].update(revision=8),
        lambda v: v["manifest"].update(expires="2099-01-01T00:00:00Z"),
        lambda v: v["manifest"].update(digest="0" * 64),
        lambda v: v["manifest"].update(text_digest="0" * 64),
    ],
)
def test_a_changed_manifest_has_no_signature(change):
    refused(changed(SIGNED, change), Code.POLICY_UNSIGNED)


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v["meaning"]["purposes"]["snf-locatie"].update(state="suspended"),
        lambda v: v["meaning"]["purposes"].pop("snf-locatie"),
        lambda v: v["texts"].update({"catalogue.yaml": v["texts"]["catalogue.yaml"] + "# more\n"}),
        lambda v: v["texts"].pop("purposes/snf-locatie.yaml"),
        lambda v: v["texts"].update({"purposes/more.yaml": "a: 1\n"}),
        lambda v: v["texts"].update({"purposes/bezetting.yaml": "a: &x 1\n"}),
    ],
)
def test_meaning_and_texts_must_belong_together(change):
    refused(changed(SIGNED, change), Code.POLICY_INVALID)
    with pytest.raises(SluisError):
        sign_bundle(changed(SIGNED, change), KEYS[2], "nobody signs what it does not mean")


def test_other_texts_under_a_fitting_manifest_still_need_signatures():
    other = build_bundle(bent("purposes/snf-locatie.yaml", "subjects_per_request: 1000", "subjects_per_request: 9999"),
                         revision=7, expires=EXPIRES)  # fmt: skip
    grafted = changed(other, lambda v: v.update(signatures=json.loads(SIGNED)["signatures"]))
    refused(grafted, Code.POLICY_UNSIGNED)


def test_expiry_is_to_the_moment():
    load_bundle(SIGNED, signers=HEX[:3], quorum=2, now=EXPIRES - timedelta(seconds=1))
    assert "2027-03-31" in refused(SIGNED, Code.POLICY_EXPIRED, now=EXPIRES)


def test_a_lower_revision_is_refused():
    load_bundle(SIGNED, signers=HEX[:3], quorum=2, now=NOW, lowest_revision=7)
    refused(SIGNED, Code.POLICY_REVISION_LOWER, lowest_revision=8)


def test_an_empty_or_damaged_file_is_refused():
    for data in (
        b"",
        b"{}",
        b"[]",
        b"null",
        SIGNED[:-1],
        SIGNED + b" ",
        SIGNED.replace(b'{"approvals"', b'{ "approvals"'),
    ):
        refused(data, Code.POLICY_INVALID)
    refused(b"x" * (64 * 1024 * 1024 + 1), Code.POLICY_INVALID)


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v.update(more=1),
        lambda v: v.pop("signatures"),
        lambda v: v.update(signatures={}),
        lambda v: v["signatures"].append("x"),
        lambda v: v["signatures"].append({"key": HEX[0], "role": 1, "signature": "00" * 64}),
        lambda v: v["signatures"].append({"key": "zz", "role": "r", "signature": "00" * 64}),
        lambda v: v["signatures"].append({"key": HEX[0], "role": "r", "signature": "00"}),
        lambda v: v["signatures"].extend([v["signatures"][0]] * 40),
        lambda v: v["manifest"].update(type="sluis/v1/ask"),
        lambda v: v["manifest"].update(revision=0),
        lambda v: v["manifest"].update(revision=True),
        lambda v: v["manifest"].update(revision="7"),
        lambda v: v["manifest"].update(expires="2027-03-31"),
        lambda v: v["manifest"].update(digest=5),
        lambda v: v["manifest"].pop("expires"),
        lambda v: v.update(manifest=[]),
        lambda v: v.update(texts=[]),
        lambda v: v["texts"].update({"catalogue.yaml": 5}),
        lambda v: v.update(meaning=None),
    ],
)
def test_a_wrong_shape_is_refused(change):
    refused(changed(SIGNED, change), Code.POLICY_INVALID)


def test_a_day_that_does_not_exist_is_no_expiry():
    refused(changed(SIGNED, lambda v: v["manifest"].update(expires="2027-02-30T00:00:00Z")), Code.POLICY_INVALID)


def test_one_flipped_byte_anywhere_is_refused():
    for position in range(0, len(SIGNED), 997):
        data = bytearray(SIGNED)
        data[position] ^= 1
        with pytest.raises(SluisError) as raised:
            load_bundle(bytes(data), signers=HEX[:3], quorum=2, now=NOW)
        assert raised.value.code in (Code.POLICY_INVALID, Code.POLICY_UNSIGNED), position


@pytest.mark.parametrize("role", ["", "  ", "a\nb", "x" * 101])
def test_a_signature_says_its_role(role):
    with pytest.raises(SluisError):
        sign_bundle(UNSIGNED, KEYS[0], role)


def test_building_needs_a_revision_and_good_texts():
    for revision in (0, -1):
        with pytest.raises(SluisError):
            build_bundle(texts(), revision=revision, expires=EXPIRES)
    with pytest.raises(SluisError):
        build_bundle(texts(), revision=1, expires=EXPIRES.replace(tzinfo=None))
    with pytest.raises(SluisError):
        build_bundle(bent("catalogue.yaml", "kind: public", "kind: publiek"), revision=1, expires=EXPIRES)


def test_unsigned_sets_are_only_made_from_texts():
    policies = policy_set_from_texts(texts())
    assert (policies.revision, policies.expires, policies.signers) == (0, None, ())
    assert "snf" not in repr(policies)
