"""Both sides approve what a purpose means: an approval ends with the meaning, and never with a comment."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from approving import Officers
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from policy_samples import load, texts

from broker.canonical import canonical_json
from broker.errors import Code, SluisError
from broker.policy.approvals import (
    approve,
    demand_approvals,
    parse_approval,
    purpose_digest,
    read_approval,
    standing,
    why_not,
)
from broker.policy.bundle import build_bundle, load_bundle, sign_bundle

ON = date(2026, 11, 1)
OFFICERS = Officers()
TEXTS = OFFICERS.add_to(texts())
POLICIES = load(TEXTS)
SNF = "purposes/snf-locatie.yaml"


def by(party, purpose="snf-locatie", policies=POLICIES):
    return approve(policies, purpose, f"{party}-officer", OFFICERS.keys[party], ON)


def with_text(old, new, file=SNF):
    assert old in TEXTS[file]
    return load(TEXTS | {file: TEXTS[file].replace(old, new, 1)})


def refused(code, call, *arguments):
    with pytest.raises(SluisError) as raised:
        call(*arguments)
    assert raised.value.code is code
    return raised.value.message


def test_one_officer_of_each_side_is_complete():
    sides = standing(POLICIES, [by("utrecht"), by("snf")])["snf-locatie"]
    assert (sides.asking, sides.answering) == ({"utrecht-officer"}, {"snf-officer"})
    assert sides.complete
    assert sides.lacking == ""
    assert standing(POLICIES, [by("utrecht")])["snf-locatie"].lacking == "its answering side"
    assert standing(POLICIES, [by("snf")])["snf-locatie"].lacking == "its asking side"
    assert standing(POLICIES, [])["snf-locatie"].lacking == "both its sides"


def test_a_principal_s_officer_signs_for_the_asking_side():
    sides = standing(POLICIES, [by("certificeerder-noord", "cert-boete"), by("nla", "cert-boete")])
    assert sides["cert-boete"].complete


def test_one_person_cannot_be_both_sides():
    both = TEXTS["officers.yaml"].replace("signs_for: [snf]", "signs_for: [snf, municipalities]")
    policies = load(TEXTS | {"officers.yaml": both})
    alone = by("snf", policies=policies)
    sides = standing(policies, [alone])["snf-locatie"]
    assert not sides.complete
    assert sides.lacking == "a second officer: one person cannot approve for both sides"
    assert standing(policies, [alone, by("utrecht", policies=policies)])["snf-locatie"].complete


def test_an_officer_signs_for_the_groups_it_represents():
    text = TEXTS["officers.yaml"].replace("signs_for: [utrecht]", "signs_for: [municipalities]")
    policies = load(TEXTS | {"officers.yaml": text})
    assert standing(policies, [by("utrecht", policies=policies)])["snf-locatie"].asking == {"utrecht-officer"}


MEANT = [
    ("beds: Needed", "beds: It is needed"),
    ("requests_per_day: 50", "requests_per_day: 51"),
    ("answer_keep_days: 92", "answer_keep_days: 91"),
]


@pytest.mark.parametrize(("old", "new"), MEANT)
def test_a_change_of_meaning_ends_an_approval(old, new):
    changed = with_text(old, new)
    assert "has changed since" in why_not(changed, by("snf"))
    assert standing(changed, [by("utrecht"), by("snf")])["snf-locatie"].lacking == "both its sides"


def test_a_comment_another_purpose_and_an_unrelated_word_do_not():
    approval = by("snf")
    for changed in (
        with_text("state: active", "# a remark\nstate: active"),
        with_text("requests_per_day: 5", "requests_per_day: 4", "purposes/bezetting.yaml"),
        with_text("BD-[0-9]{4}-[0-9]{1,7}", "BD-[0-9]{4}-[0-9]{1,6}", "catalogue.yaml"),
    ):
        assert why_not(changed, approval) == ""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("longest_retention_days: 92", "longest_retention_days: 93"),
        ("SOM-[0-9]{4}-[0-9]{1,6}", "SOM-[0-9]{4}-[0-9]{1,5}"),
        ("smallest_min_group: 5", "smallest_min_group: 4"),
    ],
)
def test_a_changed_word_that_the_purpose_draws_on_ends_it(old, new):
    text = TEXTS["catalogue.yaml"].replace(old, new)
    assert text != TEXTS["catalogue.yaml"]
    assert "has changed" in why_not(load(TEXTS | {"catalogue.yaml": text}), by("snf"))


def test_a_party_that_leaves_a_group_ends_it():
    text = TEXTS["catalogue.yaml"]
    at = text.index("municipalities: [")
    left = text[:at] + text[at:].replace("someren, ", "", 1)
    assert left != text
    assert "has changed" in why_not(load(TEXTS | {"catalogue.yaml": left}), by("snf"))


def test_whoever_wrote_it_cannot_approve_it():
    policies = with_text("state: active", "state: active\nwritten_by: snf-officer")
    message = refused(Code.POLICY_UNSIGNED, approve, policies, "snf-locatie", "snf-officer", OFFICERS.keys["snf"], ON)
    assert "nobody approves their own text" in message
    # nor by an approval that was made elsewhere
    forged = replace(by("snf"), digest=purpose_digest(policies, "snf-locatie"))
    signed = replace(forged, signature=OFFICERS.keys["snf"].sign(forged.signed_bytes).hex())
    assert why_not(policies, signed) == "snf-officer wrote snf-locatie"


@pytest.mark.parametrize(
    ("purpose", "officer", "key", "code", "said"),
    [
        ("snf-locati", "snf-officer", "snf", Code.POLICY_INVALID, "did you mean 'snf-locatie'"),
        ("snf-locatie", "snf-offcer", "snf", Code.POLICY_INVALID, "did you mean 'snf-officer'"),
        ("snf-locatie", "snf-officer", "nla", Code.POLICY_UNSIGNED, "not the key that officers.yaml has"),
        ("snf-locatie", "nla-officer", "nla", Code.POLICY_UNSIGNED, "signs for no party"),
    ],
)
def test_an_approval_that_would_not_count_is_not_made(purpose, officer, key, code, said):
    assert said in refused(code, approve, POLICIES, purpose, officer, OFFICERS.keys[key], ON)


@pytest.mark.parametrize("member", ["purpose", "officer", "digest", "approved_on", "signature"])
def test_every_member_is_signed(member):
    other = {
        "purpose": "bezetting",
        "officer": "utrecht-officer",
        "digest": "0" * 64,
        "approved_on": "2026-11-02",
        "signature": "0" * 128,
    }
    assert why_not(POLICIES, replace(by("snf"), **{member: other[member]})) != ""


def test_an_approval_reads_back_and_nothing_else_does():
    approval = by("snf")
    data = canonical_json(approval.to_object())
    assert parse_approval(data) == parse_approval(data + b"\n") == approval
    for bad in (b"", b"[]", b"{}", data[:-1], data.replace(b"2026-11-01", b"2026-11-1"), b" " + data):
        refused(Code.POLICY_INVALID, parse_approval, bad)
    for value in (None, [], {**approval.to_object(), "more": 1}, {**approval.to_object(), "digest": 5}):
        refused(Code.POLICY_INVALID, read_approval, value)


def test_only_active_purposes_need_approval():
    approvals = OFFICERS.approve(TEXTS)
    demand_approvals(POLICIES, approvals)
    named = {approval.purpose for approval in approvals}
    assert named == {name for name, purpose in POLICIES.purposes.items() if purpose.state == "active"}
    without = [approval for approval in approvals if approval.officer != "snf-officer"]
    assert "lacks the approval of" in refused(Code.POLICY_UNSIGNED, demand_approvals, POLICIES, without)
    spoilt = [*approvals, replace(approvals[0], signature="0" * 128)]
    assert "does not count" in refused(Code.POLICY_UNSIGNED, demand_approvals, POLICIES, spoilt)


def test_a_bundle_stripped_of_one_approval_does_not_load():
    approvals = OFFICERS.approve(TEXTS)
    keys = [Ed25519PrivateKey.generate() for _ in range(2)]
    signers = [key.public_key().public_bytes_raw().hex() for key in keys]
    now, expires = datetime(2026, 11, 23, tzinfo=UTC), datetime(2027, 3, 1, tzinfo=UTC)
    for kept, loads in ((approvals, True), (approvals[1:], False), ([], False)):
        data = build_bundle(TEXTS, revision=1, expires=expires, approvals=kept)
        for key in keys:
            data = sign_bundle(data, key, "chair")
        if loads:
            load_bundle(data, signers=signers, quorum=2, now=now)
        else:
            with pytest.raises(SluisError) as raised:
                load_bundle(data, signers=signers, quorum=2, now=now)
            assert raised.value.code is Code.POLICY_UNSIGNED
        load_bundle(data, signers=signers, quorum=2, now=now, unsafe_skip_approvals=True)
