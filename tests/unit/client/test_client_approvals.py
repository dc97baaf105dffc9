"""Approvals as the client verifies them, held against the broker's own reading of the same bundles.

The two share no code: a bundle that one of them takes and the other refuses is a fault of one of them.
"""

import itertools
import json
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from approving import APPROVED_ON, Officers
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sluis_client import approvals as client
from sluis_client.canonical import canonical_json
from sluis_client.errors import ClientError, Exit
from sluis_client.policy import SignedPolicy

from broker.errors import SluisError
from broker.policy.approvals import Approval, approve, demand_approvals, purpose_digest
from broker.policy.bundle import build_bundle, load_bundle, policy_set_from_texts, sign_bundle

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
EXPIRES = datetime(2027, 1, 1, tzinfo=UTC)
POLICIES = Path(__file__).parents[3] / "policies"
SIGNERS = [Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2)]
PUBLIC = [key.public_key().public_bytes_raw().hex() for key in SIGNERS]
PURPOSE = "snf-locatie"
PURPOSE_FILE = f"purposes/{PURPOSE}.yaml"
OFFICERS = Officers()


@cache
def sample():
    """All sample policies, with an officer for each party."""
    files = [POLICIES / "catalogue.yaml", *sorted(POLICIES.glob("purposes/*.yaml"))]
    return OFFICERS.add_to({path.relative_to(POLICIES).as_posix(): path.read_text("utf-8") for path in files})


@cache
def small():
    """One sample purpose, by which all municipalities ask snf."""
    return {name: sample()[name] for name in ("catalogue.yaml", "officers.yaml", PURPOSE_FILE)}


def changed(texts, file, old, new):
    assert texts[file].count(old) == 1, (file, old)
    return {**texts, file: texts[file].replace(old, new)}


def signed(texts, approvals, change=None):
    """A bundle signed by both signers. `change`: what is done to it afterwards; no signer signs the approvals."""
    data = build_bundle(texts, revision=1, expires=EXPIRES, approvals=approvals)
    for key in SIGNERS:
        data = sign_bundle(data, key, "x")
    if change:
        whole = json.loads(data)
        change(whole)
        data = canonical_json(whole)
    return data


def verdict_of_broker(data):
    try:
        load_bundle(data, signers=PUBLIC, quorum=2, now=NOW)
    except SluisError as error:
        return error.code.name
    return "taken"


def verdict_of_client(data):
    try:
        SignedPolicy.from_bundle(data, PUBLIC, 2, NOW)
    except ClientError as error:
        return error.code if error.exit_code is Exit.VERIFICATION_FAILED else f"{error.code} by {error.exit_code}"
    return "taken"


def refusal(data):
    """What the client says of a bundle that the broker refuses for the same reason."""
    with pytest.raises(ClientError) as caught:
        SignedPolicy.from_bundle(data, PUBLIC, 2, NOW)
    assert caught.value.exit_code is Exit.VERIFICATION_FAILED
    assert verdict_of_broker(data) == caught.value.code
    return caught.value


def by(texts, officer, purpose=PURPOSE, key=None):
    """One officer's approval. `key`: that of a party, in place of the officer's own."""
    return approve(
        policy_set_from_texts(texts), purpose, officer, key or OFFICERS.keys[officer[: -len("-officer")]], APPROVED_ON
    )


def forged(texts, officer, purpose=PURPOSE, key=None):
    """An approval that no honest tool makes: well signed, by whoever holds `key`."""
    signing = key or OFFICERS.keys[officer[: -len("-officer")]]
    unsigned = Approval(purpose, officer, purpose_digest(policy_set_from_texts(texts), purpose), str(APPROVED_ON), "")
    return replace(unsigned, signature=signing.sign(unsigned.signed_bytes).hex())


def test_both_compute_the_same_digest_of_every_sample_purpose():
    policies = policy_set_from_texts(sample())
    assert len(policies.purposes) > 10
    for name in policies.purposes:
        assert client.purpose_digest(policies.meaning, name) == purpose_digest(policies, name), name


def test_both_take_the_sample_with_both_sides_approval_of_what_is_active():
    data = signed(sample(), OFFICERS.approve(sample()))
    assert verdict_of_broker(data) == "taken"
    assert SignedPolicy.from_bundle(data, PUBLIC, 2, NOW).approved


def two(*officers):
    """A bundle of the small set, approved by these."""
    return lambda: signed(small(), [by(small(), officer) for officer in officers])


def approved_before(file, old, new):
    """Approved as it stood, then changed: both approvals are of an older text."""

    def make():
        after = changed(small(), file, old, new)
        return signed(after, [by(small(), officer) for officer in ("utrecht-officer", "snf-officer")])

    return make


def bent(change):
    return lambda: signed(small(), [by(small(), officer) for officer in ("utrecht-officer", "snf-officer")], change)


def author_approves():
    texts = changed(small(), PURPOSE_FILE, "state: active\n", "state: active\nwritten_by: snf-officer\n")
    return signed(texts, [by(texts, "utrecht-officer"), forged(texts, "snf-officer")])


def one_for_both():
    texts = changed(small(), "officers.yaml", "signs_for: [utrecht]", "signs_for: [utrecht, snf]")
    return signed(texts, [by(texts, "utrecht-officer")])


def foreign_key():
    return signed(small(), [by(small(), "utrecht-officer"), forged(small(), "snf-officer", key=OFFICERS.keys["nla"])])


def not_an_officer():
    return signed(small(), [by(small(), "utrecht-officer"), forged(small(), "mayor", key=OFFICERS.keys["snf"])])


def of_no_party():
    three = [by(small(), "utrecht-officer"), by(small(), "snf-officer"), forged(small(), "svb-officer")]
    return signed(small(), three)


def of_no_purpose():
    nothing = replace(by(small(), "snf-officer"), purpose="snf-locaties")
    return signed(small(), [by(small(), "utrecht-officer"), by(small(), "snf-officer"), nothing])


def moved_to_another_day(whole):
    whole["approvals"][0]["approved_on"] = "2026-11-02"


def moved_to_another_officer(whole):
    whole["approvals"][1]["officer"] = "zwolle-officer"


UNSIGNED = {
    "stripped": (
        bent(lambda whole: whole.pop("approvals")),
        "snf-locatie is active and lacks the approval of both its sides",
    ),
    "one of two stripped": (bent(lambda whole: whole["approvals"].pop(1)), "lacks the approval of its asking side"),
    "the other stripped": (bent(lambda whole: whole["approvals"].pop(0)), "lacks the approval of its answering side"),
    "two of the asking side": (two("utrecht-officer", "someren-officer"), "lacks the approval of its answering side"),
    "one officer for both sides": (one_for_both, "a second officer: one person cannot approve for both sides"),
    "the author approves": (author_approves, "by snf-officer does not count: nobody approves a purpose of their own"),
    "the key of another officer": (foreign_key, "by snf-officer does not count: the signature is not that of this"),
    "somebody who is no officer": (not_an_officer, "by mayor does not count: the set has no such officer"),
    "an officer of no party of it": (of_no_party, "by svb-officer does not count: this officer signs for no party"),
    "a purpose that is not there": (
        of_no_purpose,
        "approval of snf-locaties by snf-officer does not count: the set has no",
    ),
    "another day than signed": (bent(moved_to_another_day), "the signature is not that of this officer"),
    "an older text": (
        approved_before(PURPOSE_FILE, "answer_keep_days: 92", "answer_keep_days: 30"),
        "has changed since",
    ),
    "a changed attribute": (
        approved_before("catalogue.yaml", "The number of sleeping places for", "The number of rooms for"),
        "has changed since",
    ),
}


@pytest.mark.parametrize(("make", "words"), UNSIGNED.values(), ids=UNSIGNED)
def test_both_refuse_a_set_that_is_not_approved(make, words):
    error = refusal(make())
    assert error.code == "POLICY_UNSIGNED"
    assert words in error.message
    assert PURPOSE in error.message


MUNICIPALITIES = "municipalities: [utrecht, someren, waadhoeke, rotterdam, westland, tilburg]"
CHANGES = {
    "a party joins the group that asks": ("catalogue.yaml", MUNICIPALITIES, MUNICIPALITIES[:-1] + ", svb]", True),
    "a holder of an attribute that does not answer": (
        "catalogue.yaml",
        "    unit: beds\n    width: 6\n    holders: [snf]",
        "    unit: beds\n    width: 6\n    holders: [snf, sna]",
        True,
    ),
    "the name of who answers": ("catalogue.yaml", "nl: Stichting Normering Flexwonen", "nl: Stichting Flexwonen", True),
    "a guardrail": ("catalogue.yaml", "longest_vault_keep_days: 3650", "longest_vault_keep_days: 3000", True),
    "a party that takes no part": ("catalogue.yaml", "nl: Sociale Verzekeringsbank", "nl: Verzekeringsbank", False),
    "a comment": (PURPOSE_FILE, "state: active", "state: active # since March", False),
    "an officer's title": ("officers.yaml", "nl: functionaris van svb", "nl: jurist van svb", False),
}


@pytest.mark.parametrize(("file", "old", "new", "ends"), CHANGES.values(), ids=CHANGES)
def test_both_see_the_same_changes_end_an_approval(file, old, new, ends):
    after = changed(small(), file, old, new)
    policies = policy_set_from_texts(after)
    digest = client.purpose_digest(policies.meaning, PURPOSE)
    assert digest == purpose_digest(policies, PURPOSE)
    assert (digest != purpose_digest(policy_set_from_texts(small()), PURPOSE)) == ends
    data = signed(after, [by(small(), "utrecht-officer"), by(small(), "snf-officer")])
    assert verdict_of_client(data) == verdict_of_broker(data) == ("POLICY_UNSIGNED" if ends else "taken")


def test_an_officer_of_a_group_signs_for_each_of_its_parties():
    texts = changed(small(), "officers.yaml", "signs_for: [svb]", "signs_for: [municipalities]")
    data = signed(texts, [by(texts, "svb-officer"), by(texts, "snf-officer")])
    assert verdict_of_client(data) == verdict_of_broker(data) == "taken"


def test_an_officer_of_a_principal_signs_for_the_asking_side():
    texts = {name: sample()[name] for name in ("catalogue.yaml", "officers.yaml", "purposes/cert-boete.yaml")}
    purpose = policy_set_from_texts(texts).purposes["cert-boete"]
    principal = next(pair.principal for pair in purpose.on_behalf_of if pair.principal not in purpose.asks)
    officers = (f"{principal}-officer", f"{purpose.answers[0]}-officer")
    data = signed(texts, [by(texts, officer, "cert-boete") for officer in officers])
    assert verdict_of_client(data) == verdict_of_broker(data) == "taken"


def member(place, name, value):
    def change(whole):
        whole["approvals"][place][name] = value

    return change


SHAPES = {
    "none, listed": lambda whole: whole.update(approvals=[]),
    "no list": lambda whole: whole.update(approvals={}),
    "null": lambda whole: whole.update(approvals=None),
    "out of order": lambda whole: whole["approvals"].reverse(),
    "one twice": lambda whole: whole["approvals"].insert(0, whole["approvals"][0]),
    "a text": lambda whole: whole["approvals"].append("x"),
    "a member more": member(0, "more", "x"),
    "a member less": lambda whole: whole["approvals"][0].pop("approved_on"),
    "a signature in capitals": lambda whole: whole["approvals"][0].update(
        signature=whole["approvals"][0]["signature"].upper()
    ),
    "a short digest": member(0, "digest", "ab"),
    "a digest that is a number": member(0, "digest", 1),
    "a day as people write it": member(0, "approved_on", "1-11-2026"),
    "an officer with a line break": member(1, "officer", "utrecht-officer\n"),
    "a purpose that is a list": member(0, "purpose", []),
}


@pytest.mark.parametrize("change", SHAPES.values(), ids=SHAPES)
def test_both_refuse_approvals_of_another_shape(change):
    assert refusal(bent(change)()).code == "POLICY_INVALID"


def test_approvals_are_many_but_not_without_bound(monkeypatch):
    monkeypatch.setattr(client, "MAX_APPROVALS", 1)
    with pytest.raises(ClientError) as caught:
        client.read_approvals([by(small(), officer).to_object() for officer in ("snf-officer", "utrecht-officer")])
    assert caught.value.code == "POLICY_INVALID"


def of_before(state):
    """A set as they were before approvals: no officers and no approvals."""
    texts = {name: text for name, text in small().items() if name != "officers.yaml"}
    return signed(changed(texts, PURPOSE_FILE, "state: active\n", f"state: {state}\n"), [])


@pytest.mark.parametrize("state", ["draft", "shadow", "suspended", "withdrawn"])
def test_a_set_of_before_in_which_nothing_is_active_needs_no_approval(state):
    assert verdict_of_client(of_before(state)) == verdict_of_broker(of_before(state)) == "taken"


def test_a_set_of_before_with_an_active_purpose_is_for_trials_only():
    error = refusal(of_before("active"))
    assert error.code == "POLICY_UNSIGNED"
    assert "snf-locatie is active and lacks the approval of both its sides" in error.message
    assert "unsafe_skip_approvals: true" in error.message
    taken = SignedPolicy.from_bundle(of_before("active"), PUBLIC, 2, NOW, unsafe_skip_approvals=True)
    assert not taken.approved
    assert taken.purpose(PURPOSE).steward == "snf"
    # no such advice where a set has officers: there, something is wrong
    assert "unsafe" not in refusal(bent(lambda whole: whole.pop("approvals"))()).message


def test_what_is_skipped_is_the_approvals_and_nothing_else():
    skip = {"unsafe_skip_approvals": True}
    data = bent(member(0, "approved_on", "2026-11-02"))()
    assert SignedPolicy.from_bundle(data, PUBLIC, 2, NOW, **skip).revision == 1
    one_signer = sign_bundle(build_bundle(small(), revision=1, expires=EXPIRES), SIGNERS[0], "x")
    for bad, code in ((one_signer, "POLICY_UNSIGNED"), (bent(SHAPES["out of order"])(), "POLICY_INVALID")):
        with pytest.raises(ClientError) as caught:
            SignedPolicy.from_bundle(bad, PUBLIC, 2, NOW, **skip)
        assert caught.value.code == code


def meaning_of(texts):
    return json.loads(canonical_json(policy_set_from_texts(texts).meaning))


@pytest.mark.parametrize(
    "change",
    [
        lambda meaning: meaning["officers"]["svb-officer"].update(key=meaning["officers"]["snf-officer"]["key"]),
        lambda meaning: meaning["officers"]["svb-officer"].update(key="x"),
        lambda meaning: meaning["officers"]["svb-officer"].pop("key"),
        lambda meaning: meaning["officers"]["snf-officer"].pop("signs_for"),
        lambda meaning: meaning.update(officers=["snf-officer"]),
        lambda meaning: meaning["catalogue"].pop("groups"),
        lambda meaning: meaning["catalogue"].pop("legal_bases"),
        lambda meaning: meaning["purposes"][PURPOSE].pop("dpia"),
        lambda meaning: meaning["purposes"][PURPOSE].update(on_behalf_of=["x"]),
    ],
    ids=["one key for two", "no key", "key missing", "no parties", "a list", "groups", "bases", "dpia", "pairs"],
)
def test_a_meaning_that_no_broker_would_load_is_refused_and_not_guessed(change):
    meaning = meaning_of(small())
    made = client.read_approvals([by(small(), name).to_object() for name in ("snf-officer", "utrecht-officer")])
    client.demand_approvals(meaning, made)
    change(meaning)
    with pytest.raises(ClientError) as caught:
        client.demand_approvals(meaning, made)
    assert caught.value.code == "POLICY_INVALID"


SNF = "    oin: 00000099000000103000\n    kind: private\n"
SNA = "    oin: 00000099000000102000\n    kind: private\n"
BEDS = "    unit: beds\n    width: 6\n"
NEW_CATALOGUE = (
    (SNF, f"{SNF}    answers_at_most: {{subjects_per_request: 5000, requests_per_day: 900}}\n"),
    (SNA, f"{SNA}    left_on: 2026-12-31\n"),
    (BEDS, f"{BEDS}    special_category: health\n    identifies: bag\n"),
)
NEW_PURPOSE = """
written_by: svb-officer
lifts: [00112233445566aa]
"""


def newest_texts():
    """The small set with every key that came later, and a shadow."""
    texts = dict(small())
    for old, new in NEW_CATALOGUE:
        texts = changed(texts, "catalogue.yaml", old, new)
    basis = "    longest_retention_days: "
    before, found, after = texts["catalogue.yaml"].partition(basis)
    assert found
    law = "    special_categories: {health: {citation: UAVG article 30}}\n"
    texts["catalogue.yaml"] = before + law + found + after
    shadow = texts[PURPOSE_FILE].replace("purpose: snf-locatie", "purpose: snf-locatie-nieuw")
    texts["purposes/snf-locatie-nieuw.yaml"] = shadow.replace("state: active", "state: shadow\nshadow_of: snf-locatie")
    texts[PURPOSE_FILE] += NEW_PURPOSE
    return texts


def test_keys_that_came_later_do_not_trip_the_client():
    texts = newest_texts()
    policies = policy_set_from_texts(texts)
    said = canonical_json(policies.meaning).decode()
    for key in ("written_by", "answered", "shadow_of", "lifts", "dpias", "left_on", "answers_at_most"):
        assert f'"{key}":' in said
    for key in ("special_category", "identifies", "special_categories"):
        assert f'"{key}":' in said
    for name in policies.purposes:
        assert client.purpose_digest(policies.meaning, name) == purpose_digest(policies, name)
    data = signed(texts, [by(texts, "utrecht-officer"), by(texts, "snf-officer")])
    assert verdict_of_broker(data) == "taken"
    policy = SignedPolicy.from_bundle(data, PUBLIC, 2, NOW)
    assert policy.purpose("snf-locatie-nieuw").state == "shadow"
    assert policy.purpose(PURPOSE).attributes["beds"].width == 6
    assert policy.oin_of("sna") == "00000099000000102000"


def test_a_dpia_that_is_reviewed_anew_ends_an_approval():
    title = "    title: {nl: Gecertificeerde huisvesting op een adres, en: Certified housing at an address}\n"
    days = f"{title}    decided_on: 2025-11-03\n    review_by: "
    after = changed(newest_texts(), "catalogue.yaml", f"{days}2028-11-03", f"{days}2029-11-03")
    data = signed(after, [by(newest_texts(), "utrecht-officer"), by(newest_texts(), "snf-officer")])
    assert "has changed since" in refusal(data).message


@cache
def varied():
    """Three purposes of several states, with an officer of a group, one of two sides and an author."""
    files = ("catalogue.yaml", "officers.yaml", PURPOSE_FILE, "purposes/bezetting.yaml", "purposes/cert-boete.yaml")
    texts = {name: sample()[name] for name in files}
    texts = changed(texts, "officers.yaml", "signs_for: [svb]", "signs_for: [municipalities]")
    texts = changed(texts, "officers.yaml", "signs_for: [someren]", "signs_for: [someren, snf]")
    texts = changed(texts, PURPOSE_FILE, "state: active\n", "state: active\nwritten_by: utrecht-officer\n")
    states = policy_set_from_texts(texts).purposes
    assert {states[name].state for name in (PURPOSE, "bezetting")} == {"active"}
    return policy_set_from_texts(changed(texts, "purposes/bezetting.yaml", "state: active\n", "state: draft\n"))


def made(name, party, signer="", digest=""):
    """An approval of the varied set by a party's officer. `signer`: whose key; `digest`: of another text."""
    signing = OFFICERS.keys[signer or party]
    unsigned = Approval(name, f"{party}-officer", digest or purpose_digest(varied(), name), "2026-11-01", "")
    return replace(unsigned, signature=signing.sign(unsigned.signed_bytes).hex())


def same_verdict(mix):
    """What both say of these approvals of the varied set."""
    try:
        demand_approvals(varied(), mix)
        broker = "taken"
    except SluisError as error:
        broker = error.code.name
    try:
        client.demand_approvals(varied().meaning, [client.Approval(**one.to_object()) for one in mix])
        mine = "taken"
    except ClientError as error:
        mine = error.code
    assert mine == broker
    return mine


def test_both_judge_every_mix_of_approvals_alike():
    sides = {PURPOSE: ("rotterdam", "svb", "someren", "snf"), "cert-boete": ("sna", "certificeerder-noord", "nla")}
    good = [made(name, party) for name, parties in sides.items() for party in parties]
    mixes = [mix for size in range(len(good) + 1) for mix in itertools.combinations(good, size)]
    verdicts = [same_verdict(mix) for mix in mixes]
    # of the first purpose 10 of 16 mixes will do (someren's officer stands on both sides), of the second 3 of 8
    assert (len(verdicts), verdicts.count("taken")) == (128, 30)
    everybody = [(name, party) for name in varied().purposes for party in OFFICERS.keys]
    one_more = [same_verdict([*good, made(name, party)]) for name, party in everybody]
    assert {"taken", "POLICY_UNSIGNED"} == set(one_more)
    for name, party in everybody:
        assert same_verdict([*good, made(name, party, digest="00" * 32)]) == "POLICY_UNSIGNED"
        assert same_verdict([*good, made(name, party, signer="snf" if party != "snf" else "nla")]) == "POLICY_UNSIGNED"
