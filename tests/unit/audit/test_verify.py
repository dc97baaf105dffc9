"""The verifier against an honest log and against brokers that lie: every code has a lie that it catches.

The liars here sign whatever they wrote with the real log key, so only what the entries say can give them away.
"""

import base64
import copy
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from audit_kit import (
    ASK,
    ASK_2,
    COUNT_2,
    DENIED,
    EPOCH_KEY,
    OFFICERS,
    PARTIES,
    REGISTER,
    RELEASE,
    RELEASE_2,
    SIGNERS,
    START,
    TWO,
    Authority,
    World,
    authority,
    b64,
    played,
    policy_bundle,
    policy_files,
    policy_set,
    public,
    sealed,
    signed_bundle,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from log_kit import Keys, time_text

from broker.audit.findings import Code, Fault
from broker.audit.verify import verify
from broker.canonical import canonical_json, parse_canonical
from broker.cli.audit.verifying import _print_report
from broker.exchange import Want

HIT = Want(True, False, ("beds",))
Lie = Callable[[World], None]
LIES: list[tuple[str, Lie]] = []


def lie(code: str) -> Callable[[Lie], Lie]:
    """Registers a lie and the code that must catch it."""

    def keep(tell: Lie) -> Lie:
        LIES.append((code, tell))
        return tell

    return keep


def setting(code: str, index: int, *path: str, to: Any) -> None:
    """Registers the lie of one changed member."""

    def tell(world: World) -> None:
        place = world.body(index)
        for name in path[:-1]:
            place = place[name]
        assert place[path[-1]] != to
        place[path[-1]] = to

    tell.__name__ = f"{'.'.join(path)} of entry {index}"
    LIES.append((code, tell))


# the log itself
setting("ORIGIN", 0, "origin", to="other.example/log")
setting("ENVIRONMENT", 0, "environment", to="production")
setting("LOG_KEY", 0, "verifier_key", to=Keys("other").signer.verifier_key)


@lie("GENESIS")
def second_genesis(world: World) -> None:
    world.batch(world.entry(0))


@lie("GENESIS")
def no_genesis(world: World) -> None:
    world.batches[0] = [("recovery", {"what": "x", "detail": "y"})]


@lie("TIME_ORDER")
def clock_backwards(world: World) -> None:
    world.times[9] = world.times[3]


@lie("CHECKPOINT_SIGNATURE")
def another_key_signs(world: World) -> None:
    world.keys = Keys("thief")


# policies
setting("POLICY_MISSING", 1, "revision", to=2)
setting("POLICY_MISSING", 1, "text_digest", to="00" * 32)
setting("POLICY_MISSING", 1, "digest", to="00" * 32)
setting("POLICY_UNKNOWN", 1, "digest", to="00" * 32)
setting("POLICY_UNKNOWN", ASK, "policy_set", to="00" * 32)
setting("ENGINE_UNTRUSTED", 1, "engine", to="sluis-engine/0")
setting("ENGINE_UNTRUSTED", ASK, "engine", to="sluis-engine/0")
setting("POLICY_SIGNATURES", 1, "signers", to=["ab" * 32])


@lie("POLICY_APPROVALS")
def a_set_that_neither_side_approved(world: World) -> None:
    stripped = policy_bundle(revision=2, note="stripped", approved=False)
    world.archive.append(stripped)
    world.batch(("policy", world.policy_entry(stripped)))


@lie("NOTICE")
def a_notice_of_a_stranger(world: World) -> None:
    world.suspend("snf-locatie", Ed25519PrivateKey.generate())


@lie("NOTICE")
def a_notice_by_an_officer_of_another_purpose(world: World) -> None:
    world.suspend("snf-locatie", OFFICERS.keys["uwv"])


@lie("NOTICE")
def a_notice_for_another_log(world: World) -> None:
    world.suspend("snf-locatie", origin="sluis.example/other")


@lie("NOTICE")
def a_notice_whose_words_were_changed(world: World) -> None:
    index = world.suspend("snf-locatie")
    world.body(index)["statement"]["purpose"] = "bezetting"
    world.body(index)["purpose"] = "bezetting"


@lie("SUSPENSION")
def an_ask_that_passes_over_a_notice(world: World) -> None:
    world.suspend("snf-locatie")
    world.notices.clear()
    world.ask("utrecht", ["snf"], "snf-locatie", HIT)


@lie("SUSPENSION")
def an_ask_denied_by_a_notice_that_never_was(world: World) -> None:
    world.notices["snf-locatie"] = START
    world.ask("utrecht", ["snf"], "snf-locatie", HIT)


@lie("RELEASE_CLOSED")
def a_release_after_a_notice(world: World) -> None:
    index = world.ask("utrecht", ["snf"], "snf-locatie", HIT)
    world.suspend("snf-locatie", OFFICERS.keys["utrecht"])
    world.release(index)


@lie("RELEASE_CLOSED")
def a_release_after_a_set_that_closed_the_purpose(world: World) -> None:
    index = world.ask("utrecht", ["snf"], "snf-locatie", HIT)
    tightened(world)
    world.release(index)


def shadowed(world: World) -> int:
    """A set with a shadow comes into force; returns the index of the next ask."""
    newer = policy_bundle(revision=2, shadow=True)
    world.archive.append(newer)
    world.batch(("policy", world.policy_entry(newer)))
    return world.ask("utrecht", ["snf"], "snf-locatie", HIT)


def test_suspension_and_shadow_told_as_they_were_verify() -> None:
    world = played()
    open_ask = shadowed(world)
    world.suspend("snf-locatie", OFFICERS.keys["snf"])
    world.release(open_ask, "WITHHELD")
    denied = world.ask("utrecht", ["snf"], "snf-locatie", HIT)
    assert world.verify().verified, world.verify().findings
    assert world.body(denied)["decision"]["effect"] == "deny"
    assert [c["id"] for c in world.body(denied)["decision"]["checks"] if not c["met"]] == ["suspension"]
    would = world.body(open_ask + 1)
    assert (would["purpose"], would["shadow_of"]) == ("snf-streng", "snf-locatie")
    assert [c["id"] for c in would["decision"]["checks"] if not c["met"]] == ["purpose-active", "subjects-per-request"]


@lie("SHADOW")
def a_shadow_left_out(world: World) -> None:
    index = shadowed(world)
    assert world.batches[-1].pop(1)[0] == "evaluation"
    assert world.entry(index)[0] == "ask"


@lie("SHADOW")
def a_shadow_of_no_ask(world: World) -> None:
    index = shadowed(world)
    world.batch(("evaluation", dict(world.body(index + 1))))


@lie("REPLAY_DIFFERS")
def a_shadow_that_would_not_have_decided_so(world: World) -> None:
    index = shadowed(world)
    world.body(index + 1)["decision"]["checks"][0]["reason"] = "because"


@lie("POLICY_UNKNOWN")
def an_older_set_put_in_force_again(world: World) -> None:
    newer = policy_bundle(revision=5, note="newer")
    world.archive.append(newer)
    world.batch(("policy", world.policy_entry(newer)))
    world.batch(("policy", world.policy_entry(world.archive[0])))


def tightened(world: World) -> None:
    """Another set, with another meaning, comes into force; the world goes on asking under the one before."""
    texts = policy_files()
    name = "purposes/snf-locatie.yaml"
    texts[name] = texts[name].replace("state: active", "state: suspended")
    newer = signed_bundle(texts, 2)
    world.archive.insert(0, newer)
    world.batch(("policy", world.policy_entry(newer)))


@lie("POLICY_UNKNOWN")
def an_ask_decided_under_the_set_before(world: World) -> None:
    tightened(world)
    world.ask("utrecht", ["snf"], "snf-locatie", HIT, after=timedelta(seconds=61))


def test_an_ask_in_flight_while_the_set_changes_is_honest() -> None:
    world = played()
    tightened(world)
    world.ask("utrecht", ["snf"], "snf-locatie", HIT, after=timedelta(seconds=59))
    assert world.verify().verified


@lie("DECIDED_AT")
def a_statement_long_past_its_time(world: World) -> None:
    world.body(ASK)["statement"]["not_after"] = "2026-01-01T00:00:00Z"
    world.resign(ASK)


@lie("DECIDED_AT")
def a_statement_good_for_a_century(world: World) -> None:
    world.body(ASK)["statement"]["not_after"] = "2126-01-01T00:00:00Z"
    world.resign(ASK)


@lie("CERTIFICATE_OIN")
def another_party_s_certificate(world: World) -> None:
    index = next(i for i in range(world.size) if world.entry(i)[0] == "party" and world.body(i)["party"] == "utrecht")
    other = next(i for i in range(world.size) if world.entry(i)[0] == "party" and world.body(i)["party"] == "nla")
    world.body(index)["certificates"] += world.body(other)["certificates"]


@lie("CERTIFICATE_OIN")
def another_party_s_oin(world: World) -> None:
    index = next(i for i in range(world.size) if world.entry(i)[0] == "party" and world.body(i)["party"] == "utrecht")
    world.body(index)["oin"] = "00000099000000101000"


@lie("FACTS")
def a_case_number_that_was_never_given(world: World) -> None:
    facts = world.body(ASK)["facts"]
    facts["case_number"] = "accepted" if facts["case_number"] == "absent" else "absent"


@lie("POLICY_SIGNATURES")
def one_signer_is_no_quorum(world: World) -> None:
    world.archive = [policy_bundle(signers=1)]
    world.body(1)["signers"] = [public(SIGNERS[0])]


@lie("POLICY_SIGNATURES")
def a_copied_signature(world: World) -> None:
    value = parse_canonical(world.archive[0])
    value["signatures"][1]["signature"] = value["signatures"][0]["signature"]
    world.archive = [canonical_json(value)]


@lie("POLICY_ARCHIVE")
def archived_text_changed(world: World) -> None:
    value = parse_canonical(world.archive[0])
    value["texts"]["catalogue.yaml"] += "#"
    world.archive = [canonical_json(value)]


@lie("POLICY_ARCHIVE")
def archived_meaning_changed(world: World) -> None:
    value = parse_canonical(world.archive[0])
    value["meaning"]["purposes"]["snf-locatie"]["limits"]["requests_per_day"] = 10_000
    world.archive = [canonical_json(value)]


# callers
@lie("CERTIFICATE_UNKNOWN")
def a_certificate_never_logged(world: World) -> None:
    world.resign(ASK, authority().issue("utrecht"))


@lie("CERTIFICATE_UNKNOWN")
def the_certificate_of_another(world: World) -> None:
    world.resign(ASK, authority().members["nla"])


@lie("CERTIFICATE_UNKNOWN")
def logged_only_afterwards(world: World) -> None:
    member = authority().issue("utrecht")
    world.ask("utrecht", ["snf"], "snf-locatie", HIT, member=member)
    world.batch(("party", world.party_entry("utrecht", [member])))


@lie("CERTIFICATE_UNKNOWN")
def withdrawn_long_before(world: World) -> None:
    world.batch(("party", world.party_entry("utrecht", [authority().issue("utrecht")])))
    world.ask("utrecht", ["snf"], "snf-locatie", HIT, after=timedelta(seconds=61))


@lie("CERTIFICATE_CHAIN")
def a_broker_that_makes_its_own_ca(world: World) -> None:
    other = Authority()
    member = other.members["utrecht"]
    entry = world.party_entry("utrecht", [member])
    entry["issuers"] = [b64(other.der)]
    world.batch(("party", entry))
    world.ask("utrecht", ["snf"], "snf-locatie", HIT, member=member)


@lie("CERTIFICATE_CHAIN")
def a_party_that_plays_ca(world: World) -> None:
    """A leaf certificate named as issuer: it is no CA, so it can certify nobody."""
    other = Authority()
    entry = world.party_entry("utrecht", [other.members["utrecht"]])
    entry["issuers"] = [b64(authority().members["nla"].der), b64(other.der)]
    world.batch(("party", entry))


@lie("CERTIFICATE_TIME")
def an_expired_certificate(world: World) -> None:
    member = authority().issue(
        "utrecht", not_before=START - timedelta(hours=20), not_after=START + timedelta(seconds=5)
    )
    world.batch(("party", world.party_entry("utrecht", [member])))
    world.ask("utrecht", ["snf"], "snf-locatie", HIT, member=member)


@lie("CERTIFICATE_REVOKED")
def a_revoked_certificate(world: World) -> None:
    member = authority().members["utrecht"]
    world.batch(("party", world.party_entry("utrecht", revoked=[member.serial])))
    world.ask("utrecht", ["snf"], "snf-locatie", HIT, after=timedelta(seconds=61))


@lie("CERTIFICATE_OIN")
def an_oin_of_the_wrong_length(world: World) -> None:
    world.body(2)["oin"] = PARTIES["utrecht"][:-1]


setting("STATEMENT_SIGNATURE", ASK, "signature", to="QUJD")
setting("STATEMENT_SIGNATURE", ASK, "signature", to="not base64!")
setting("STATEMENT_SIGNATURE", ASK, "statement", "subjects", to=11)
setting("STATEMENT_SIGNATURE", REGISTER, "statement", "rows", to=1)
setting("STATEMENT_SIGNATURE", 7, "statement", "public_key", to="00")
setting("STATEMENT_SIGNATURE", EPOCH_KEY, "statement", "key_id", to="00")
setting("STATEMENT_DIFFERS", ASK, "purpose", to="verhuurvergunning")
setting("STATEMENT_DIFFERS", ASK, "principal", to="nla")
setting("STATEMENT_DIFFERS", ASK, "answerer", to="sna")
setting("STATEMENT_DIFFERS", ASK, "exchange", to="5c4b2b6e-6c1f-4c43-9c43-0a4c0c9d5e11")
setting("STATEMENT_DIFFERS", REGISTER, "version", to=9)
setting("STATEMENT_DIFFERS", REGISTER, "register", to="snf/snf-locatie/2026Q3/bag")
setting("STATEMENT_SIGNATURE", EPOCH_KEY, "statement", "recipients", "snf", "envelope", to="00" * 16)


def resigned(code: str, index: int, member: str, to: Any) -> None:
    """Registers the lie of a statement that its party really signed, but not for this log or not in this form."""

    def tell(world: World) -> None:
        world.body(index)["statement"][member] = to
        world.resign(index)

    tell.__name__ = f"signed {member} of entry {index}"
    LIES.append((code, tell))


resigned("STATEMENT_DIFFERS", ASK, "origin", "sluis.example/other")
resigned("STATEMENT_DIFFERS", ASK, "environment", "production")
resigned("STATEMENT_DIFFERS", REGISTER, "origin", "sluis.example/other")
resigned("STATEMENT_DIFFERS", 7, "party", "nla")
resigned("STATEMENT_DIFFERS", EPOCH_KEY, "steward", "nla")
resigned("STATEMENT_FORM", ASK, "type", "sluis/v1/register")
resigned("STATEMENT_FORM", ASK, "extra", 1)
resigned("STATEMENT_FORM", ASK, "want", {"hit": True})
resigned("STATEMENT_FORM", ASK, "subjects", "10")
resigned("STATEMENT_FORM", REGISTER, "rules", [])
resigned("STATEMENT_FORM", EPOCH_KEY, "recipients", [])
resigned("STATEMENT_FORM", EPOCH_KEY, "recipients", {})
resigned("STATEMENT_FORM", EPOCH_KEY, "recipients", {"snf": "34" * 16})
resigned("STATEMENT_FORM", EPOCH_KEY, "recipients", {"snf": {"envelope": "34" * 16}})
resigned("STATEMENT_FORM", EPOCH_KEY, "recipients", {"snf": {"envelope": "34" * 32, "key": "12" * 16}})
resigned("ANSWERER_MISSING", ASK, "answerers", ["sna", "snf"])

# exchanges
setting("DECIDED_AT", ASK, "decided_at", to=time_text(START + timedelta(days=1)))
setting("DECIDED_AT", ASK, "decided_at", to=time_text(START - timedelta(days=1)))
setting("DECIDED_AT", 31, "decided_at", to=time_text(START - timedelta(days=1)))
setting("REGISTER_DIFFERS", ASK, "register", "version", to=2)
setting("REGISTER_DIFFERS", ASK, "register", to=None)
setting("REGISTER_DIFFERS", ASK, "register", "manifest", to="00" * 32)
setting("COUNTER_REQUESTS", ASK, "facts", "requests_today", to=1)
setting("COUNTER_REQUESTS", ASK_2, "facts", "requests_today", to=0)
setting("COUNTER_COUNTS", COUNT_2, "facts", "counts_this_epoch", to=0)
setting("FACTS", ASK, "facts", "cooperation_ref", to=True)
setting("FACTS", ASK, "facts", "register", to={"rules": {"look_back_years": 2}})
setting("FACTS", ASK, "facts", "now", to=time_text(START))
setting("RELEASE_UNASKED", RELEASE, "ask_index", to=99)
setting("RELEASE_UNASKED", RELEASE, "ask_index", to=0)
setting("RELEASE_UNASKED", RELEASE, "answerer", to="sna")
setting("RELEASE_UNASKED", RELEASE, "exchange", to="other")
setting("RELEASE_DENIED", RELEASE_2, "ask_index", to=DENIED)
setting("RELEASE_TWICE", RELEASE_2, "ask_index", to=ASK)
setting("RELEASE_OUTCOME", RELEASE, "outcome", to="withheld")
setting("RELEASE_OUTCOME", RELEASE, "status", to="HIT")
setting("RELEASE_OUTCOME", RELEASE, "attributes", to=["beds"])
setting("RELEASE_OUTCOME", RELEASE, "result", to=None)
setting("RELEASE_OUTCOME", RELEASE, "register", to=None)
setting("REGISTER_ORDER", 35, "version", to=1)


@lie("RELEASE_UNASKED")
def released_before_it_was_asked(world: World) -> None:
    for index, batch in enumerate(world.batches):
        if batch[0][0] == "ask":
            world.batches[index : index + 2] = [world.batches[index + 1], batch]
            return


@lie("REGISTER_ORDER")
def an_old_register_again(world: World) -> None:
    world.publish("snf", "snf-locatie", "bag", version=2)


@lie("REGISTER_ORDER")
def withdrawn_by_another(world: World) -> None:
    body = {"action": "withdrawn", "party": "nla", "register": "sna/sna-overzicht/2026Q4/kvk", "version": 1}
    world.batch(("register", body))


@lie("REQUEST_ID_REUSED")
def a_request_id_again(world: World) -> None:
    world.ask("utrecht", ["snf"], "snf-locatie", HIT, request_id=world.body(ASK)["exchange"])


@lie("REQUEST_ID_REUSED")
def two_statements_under_one_id(world: World) -> None:
    world.body(TWO + 1)["statement"] = {**world.body(TWO + 1)["statement"], "subjects": 11}
    world.resign(TWO + 1)


@lie("ANSWERER_MISSING")
def an_answerer_left_out(world: World) -> None:
    for batch in world.batches:
        if len(batch) == 2:
            del batch[0]


@lie("COUNTER_REQUESTS")
def a_request_hidden_from_the_log(world: World) -> None:
    """An exchange struck from the log as if it had never been, and everything signed again: the counters tell."""
    at = next(i for i, batch in enumerate(world.batches) if batch[0][0] == "ask")
    del world.batches[at : at + 2], world.times[at : at + 2]
    for batch in world.batches:
        for _, body in batch:
            if "ask_index" in body:
                body["ask_index"] -= 2


# replay
setting("REPLAY_DIFFERS", DENIED, "decision", "effect", to="permit")
setting("REPLAY_DIFFERS", ASK, "decision", "obligations", to=[])
setting("REPLAY_DIFFERS", ASK, "facts", "requests_today", to=50)
setting("REPLAY_DIFFERS", ASK, "facts", "modes_available", to=[])
setting("NOT_REPLAYABLE", ASK, "engine", to="sluis-engine/0")
setting("NOT_REPLAYABLE", ASK, "facts", to={})
setting("NOT_REPLAYABLE", ASK, "policy_set", to="00" * 32)


@lie("REPLAY_DIFFERS")
def a_reason_rewritten(world: World) -> None:
    world.body(DENIED)["decision"]["checks"][3]["reason"] = "because"


@lie("REPLAY_DIFFERS")
def a_denial_turned_round(world: World) -> None:
    decision = world.body(DENIED)["decision"]
    decision["effect"] = "permit"
    for check in decision["checks"]:
        check["met"] = True


# entries that are no entries
setting("LEAF_FORM", 30, "what", to=5)
setting("LEAF_FORM", RELEASE, "result", to="short")
setting("LEAF_FORM", 2, "certificates", to=["QUJD"])
setting("LEAF_FORM", ASK, "facts", to=[])
setting("LEAF_FORM", ASK, "decision", to=None)


@lie("LEAF_FORM")
def an_unknown_kind(world: World) -> None:
    world.batch(("gossip", {}))


@pytest.mark.parametrize(("code", "tell"), LIES, ids=[f"{code}:{tell.__name__}" for code, tell in LIES])
def test_every_lie_is_caught(code: str, tell: Lie) -> None:
    world = played()
    trust = world.trust()
    tell(world)
    report = world.verify(trust)
    assert code in report.counts, report.findings
    assert not report.verified
    assert report.exit_code == min(Code[name].fault for name in report.counts)
    assert report.summary.startswith("NOT verified: ")


def test_an_honest_log_verifies() -> None:
    world = played()
    report = world.verify()
    assert report.findings == ()
    assert report.verified
    assert (report.exit_code, report.size, report.open_asks) == (0, world.size, 1)
    assert (report.replayed_same, report.replayed_differ, report.not_replayable) == (12, 0, 0)
    assert report.completeness.endswith("later unknown (give --expect a checkpoint or receipt you hold)")
    assert report.summary.startswith("verified: ")


def test_a_call_in_flight_may_use_the_certificate_that_was_just_replaced() -> None:
    world = played()
    member = authority().members["utrecht"]
    world.batch(("party", world.party_entry("utrecht", [authority().issue("utrecht")], revoked=[member.serial])))
    world.ask("utrecht", ["snf"], "snf-locatie", HIT, member=member, after=timedelta(seconds=59))
    assert world.codes() == set()


def test_policy_sets_of_equal_meaning_are_told_apart_by_revision() -> None:
    world = played()
    world.archive.append(policy_bundle(revision=2, note="a comment"))
    assert policy_set(world.archive[0]).digest == policy_set(world.archive[1]).digest
    world.batch(("policy", world.policy_entry(world.archive[1])))
    world.ask("utrecht", ["snf"], "snf-locatie", HIT)
    assert world.codes() == set()
    del world.archive[0]
    assert "POLICY_MISSING" in world.codes()


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({"engines": ["sluis-engine/9"]}, {"ENGINE_UNTRUSTED"}),
        ({"policy_signers": [public(key) for key in SIGNERS[1:]]}, {"POLICY_SIGNATURES"}),
        ({"policy_quorum": 3}, {"POLICY_SIGNATURES"}),
        ({"issuers": [Authority().ca.certificate.decode()]}, {"CERTIFICATE_CHAIN"}),
        ({"environment": "production"}, {"ENVIRONMENT", "CERTIFICATE_OIN", "STATEMENT_DIFFERS"}),
        ({"log_keys": [Keys("other").signer.verifier_key]}, {"LOG_KEY", "CHECKPOINT_SIGNATURE", "TAIL_UNSIGNED"}),
    ],
)
def test_a_true_log_against_another_trust(changes: dict[str, Any], codes: set[str]) -> None:
    world = played()
    assert set(world.verify(world.trust(**changes)).counts) == codes


def test_a_log_of_another_origin(capsys: pytest.CaptureFixture[str]) -> None:
    world = played()
    keys = Keys("a", "sluis.example/other")
    report = world.verify(world.trust(origin="sluis.example/other", log_keys=[keys.signer.verifier_key]))
    assert {"ORIGIN", "CHECKPOINT_SIGNATURE"} <= set(report.counts)
    assert report.exit_code == Fault.TREE
    _print_report(report)
    told = capsys.readouterr().out.splitlines()
    # the wrong trust file is likelier than a forgery, and is never said to be the log
    assert told[0].startswith("log          not sluis.example/other, which the trust file is for; ")
    assert "whether bundle and trust file belong together" in told[1]


# what only the lines can show
def without_checkpoint(lines: list[bytes]) -> list[bytes]:
    return lines[:-1]


def leaf_changed(lines: list[bytes]) -> list[bytes]:
    """The entry altered after it was signed, its line in perfect form."""
    at = next(i for i, line in enumerate(lines) if line.startswith(b'{"leaf"'))
    leaf = base64.b64decode(parse_canonical(lines[at][:-1])["leaf"]).replace(b"sluis-engine/2", b"sluis-engine/9")
    return [*lines[:at], canonical_json({"leaf": b64(leaf)}) + b"\n", *lines[at + 1 :]]


def index_changed(lines: list[bytes]) -> list[bytes]:
    at = next(i for i, line in enumerate(lines) if line.startswith(b'{"leaf"'))
    leaf = base64.b64decode(parse_canonical(lines[at][:-1])["leaf"]).replace(b'"index":0', b'"index":5')
    return [*lines[:at], canonical_json({"leaf": b64(leaf)}) + b"\n", *lines[at + 1 :]]


def head_changed(lines: list[bytes]) -> list[bytes]:
    return [re.sub(rb'"size":(\d+)', rb'"size":1\1', lines[0]), *lines[1:]]


def checkpoint_of_another_size(lines: list[bytes]) -> list[bytes]:
    notes = [i for i, line in enumerate(lines) if line.startswith(b'{"checkpoint"')]
    changed = list(lines)
    changed[notes[3]] = lines[notes[4]]
    return changed


def checkpoint_twice(lines: list[bytes]) -> list[bytes]:
    return [*lines, lines[-1]]


def checkpoint_of_no_form(lines: list[bytes]) -> list[bytes]:
    return [*lines[:-1], canonical_json({"checkpoint": "a\nb\nc\n"}) + b"\n"]


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("TAIL_UNSIGNED", without_checkpoint),
        ("CHECKPOINT_ROOT", leaf_changed),
        ("INDEX", index_changed),
        ("SIZE", head_changed),
        ("CHECKPOINT_SIZE", checkpoint_of_another_size),
        ("CHECKPOINT_SIZE", checkpoint_twice),
        ("CHECKPOINT_FORM", checkpoint_of_no_form),
        ("BUNDLE_LINE", lambda lines: [lines[0], lines[0], *lines[1:]]),
        ("BUNDLE_LINE", lambda lines: lines[1:]),
        ("BUNDLE_LINE", lambda lines: [*lines[:2], b"{}\n", *lines[2:]]),
        ("BUNDLE_LINE", lambda lines: [*lines[:2], b'{"leaf":"QUI"}\n', *lines[2:]]),
        ("BUNDLE_LINE", lambda lines: [*lines, lines[1]]),
        ("BUNDLE_LINE", lambda lines: [lines[0].replace(b"/v1/", b"/v2/"), *lines[1:]]),
        ("BUNDLE_LINE", lambda lines: [*lines[:2], b"[" * 200_000 + b"\n", *lines[2:]]),
        ("ORIGIN", lambda lines: [lines[0].replace(b"sluis.example", b"other.example"), *lines[1:]]),
    ],
)
def test_lines_rewritten_and_summed_up_again(code: str, change: Callable[[list[bytes]], list[bytes]]) -> None:
    world = played()
    report = verify(sealed(change(world.lines())), world.trust())
    assert code in report.counts, report.findings


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("BUNDLE_TRUNCATED", lambda lines: lines[:-1]),
        ("BUNDLE_TRUNCATED", lambda lines: []),
        ("BUNDLE_TRUNCATED", lambda lines: [*lines[:-1], lines[-1][:-1]]),
        ("BUNDLE_TRAILING", lambda lines: [*lines, b"\n"]),
        ("BUNDLE_TRAILING", lambda lines: [*lines, lines[-1]]),
        ("BUNDLE_DIGEST", lambda lines: [*lines[:-1], lines[-1].replace(b'"lines":', b'"lines":1')]),
    ],
)
def test_the_last_line(code: str, change: Callable[[list[bytes]], list[bytes]]) -> None:
    world = played()
    report = verify(change(world.bundle()), world.trust())
    assert code in report.counts
    assert not report.verified


def test_many_findings_are_counted_and_not_all_kept() -> None:
    world = World().begin()
    for _ in range(2):
        world.batch(*(("refusal", {"party": 5, "rpc": "r", "code": "c", "request_id": None}) for _ in range(600)))
    report = world.verify()
    assert report.counts == {"LEAF_FORM": 1_200}
    assert len(report.findings) == 1_000


def test_progress_is_told() -> None:
    world = played()
    told: list[tuple[int, int]] = []
    verify(world.bundle(), world.trust(), progress=lambda *numbers: told.append(numbers))
    assert told == [(0, world.size)]


def test_the_copy_that_a_test_changes_is_its_own() -> None:
    world = played()
    world.body(ASK)["purpose"] = "x"
    assert copy.deepcopy(played().body(ASK)["purpose"]) == "snf-locatie"
