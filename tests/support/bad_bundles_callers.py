"""Bad bundles whose callers, keys or policy sets are not what the log says (see `bad_bundles`)."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

from audit_kit import (
    ASK,
    EPOCH_KEY,
    OFFICERS,
    PARTIES,
    REGISTER,
    SIGNERS,
    START,
    Authority,
    World,
    authority,
    policy_bundle,
    policy_files,
    public,
    sealed,
    signed_bundle,
)
from bad_bundles import Given, bad
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from log_kit import time_text

from broker.canonical import canonical_json, parse_canonical
from broker.exchange import Want
from broker.statements import SIGNED_PREFIX

HIT = Want(True, False, ("beds",))
PURPOSE = "snf-locatie"
LATER = timedelta(seconds=61)


# signatures and certificates
@bad("a question that its asker did not sign", "STATEMENT_SIGNATURE")
def a_forged_caller(world: World) -> None:
    world.body(ASK)["signature"] = "QUJD" * 24


@bad("a question altered after its asker signed it", "STATEMENT_SIGNATURE")
def an_altered_question(world: World) -> None:
    world.body(ASK)["statement"]["subjects"] = 11
    decision = world.body(ASK)["decision"]
    (check,) = (check for check in decision["checks"] if check["id"] == "subjects-per-request")
    check["reason"] = check["reason"].replace(": 10;", ": 11;")


@bad("a question signed with a certificate the log never had", "CERTIFICATE_UNKNOWN")
def a_certificate_never_logged(world: World) -> None:
    world.resign(ASK, authority().issue("utrecht"))


@bad("a question signed with another party's certificate", "CERTIFICATE_UNKNOWN")
def the_certificate_of_another(world: World) -> None:
    world.resign(ASK, authority().members["nla"])


@bad("a question signed with an expired certificate", "CERTIFICATE_TIME")
def an_expired_caller(world: World) -> None:
    member = authority().issue(
        "utrecht", not_before=START - timedelta(hours=20), not_after=START + timedelta(seconds=5)
    )
    world.batch(("party", world.party_entry("utrecht", [member])))
    world.ask("utrecht", ["snf"], PURPOSE, HIT, member=member)


@bad("a question signed with a certificate not yet valid", "CERTIFICATE_TIME")
def a_caller_before_its_time(world: World) -> None:
    member = authority().issue("utrecht", not_before=START + timedelta(days=30), not_after=START + timedelta(days=60))
    world.batch(("party", world.party_entry("utrecht", [member])))
    world.ask("utrecht", ["snf"], PURPOSE, HIT, member=member)


@bad("a question signed with a certificate for other uses", "CERTIFICATE_USAGE")
def a_caller_that_may_not_sign(world: World) -> None:
    member = authority().issue("utrecht", signs=False)
    world.batch(("party", world.party_entry("utrecht", [member])))
    world.ask("utrecht", ["snf"], PURPOSE, HIT, member=member)


@bad("a question signed with a revoked certificate", "CERTIFICATE_REVOKED")
def a_revoked_caller(world: World) -> None:
    member = authority().members["utrecht"]
    world.batch(("party", world.party_entry("utrecht", revoked=[member.serial])))
    world.ask("utrecht", ["snf"], PURPOSE, HIT, after=LATER)


@bad("a revocation taken back", "REVOCATION_UNDONE")
def a_revocation_taken_back(world: World) -> None:
    member = authority().members["utrecht"]
    world.batch(("party", world.party_entry("utrecht", revoked=[member.serial])))
    world.batch(("party", world.party_entry("utrecht")), after=LATER)
    world.ask("utrecht", ["snf"], PURPOSE, HIT)


@bad("a revocation list older than the one before", "REVOCATION_UNDONE")
def an_older_revocation_list(world: World) -> None:
    world.batch(("party", {**world.party_entry("utrecht"), "crl_this_update": time_text(START - timedelta(days=3))}))


@bad("a question accepted under a stale revocation list", "REVOCATION_STALE")
def a_stale_revocation_list(world: World) -> Given:
    """The last questions are a day later than the list that the log holds."""
    return Given(trust=world.trust_text(revocation_max_age_hours=12))


@bad("a party with another's OIN", "CERTIFICATE_OIN")
def another_party_s_oin(world: World) -> None:
    (index,) = _party(world, "utrecht")
    world.body(index)["oin"] = PARTIES["nla"]


@bad("a party with another's certificate", "CERTIFICATE_OIN")
def another_party_s_certificate(world: World) -> None:
    (mine,), (other,) = _party(world, "utrecht"), _party(world, "nla")
    world.body(mine)["certificates"] += world.body(other)["certificates"]


@bad("an asker whose OIN the policy set dropped", "CERTIFICATE_DROPPED")
def an_oin_dropped(world: World) -> None:
    def drop(texts: dict[str, str]) -> None:
        text = texts["catalogue.yaml"]
        assert PARTIES["utrecht"] in text
        texts["catalogue.yaml"] = text.replace(PARTIES["utrecht"], "00000099000000299000")

    put_in_force(world, drop)
    world.ask("utrecht", ["snf"], PURPOSE, HIT, after=LATER)


def _party(world: World, name: str) -> list[int]:
    entries = [world.entry(i) for i in range(world.size)]
    return [i for i, (kind, body) in enumerate(entries) if kind == "party" and body["party"] == name]


def put_in_force(world: World, change: Any, revision: int = 2) -> None:
    """Another policy set, approved and signed as it should be, comes into force and is asked under."""
    texts = policy_files()
    change(texts)
    newer = signed_bundle(texts, revision)
    world.archive.append(newer)
    world.batch(("policy", world.policy_entry(newer)))


# statements
@bad("a question signed for another log", "STATEMENT_DIFFERS")
def a_question_for_another_log(world: World) -> None:
    world.body(ASK)["statement"]["origin"] = "sluis.example/other"
    world.resign(ASK)


@bad("an entry that names another asker's exchange", "STATEMENT_DIFFERS", "RELEASE_UNASKED")
def an_entry_that_names_another_exchange(world: World) -> None:
    world.body(ASK)["exchange"] = "5c4b2b6e-6c1f-4c43-9c43-0a4c0c9d5e11"


@bad("a question with a member too many", "STATEMENT_FORM", "RELEASE_UNASKED", "COUNTER_REQUESTS")
def a_question_with_a_member_too_many(world: World) -> None:
    world.body(ASK)["statement"]["remark"] = "x"
    world.resign(ASK)


# keys
@bad("a key made by another than the steward", "KEY_STEWARD")
def a_key_by_another_than_the_steward(world: World) -> None:
    world.epoch("utrecht", "nau-status")


@bad("a key sent to a stranger", "KEY_RECIPIENTS")
def a_key_sent_to_a_stranger(world: World) -> None:
    statement = world.body(EPOCH_KEY)["statement"]
    key = world.encryption_key("nla")
    body = {**statement, "recipients": {**statement["recipients"], "nla": {"envelope": "34" * 16, "key": key}}}
    world.batch(("key", {"action": "epoch", "party": "snf", **world.signed("snf", body)}))


@bad("a key sealed to a key that is not its recipient's", "KEY_ENCRYPTION")
def a_key_sealed_to_a_key_of_the_broker(world: World) -> None:
    statement = world.body(EPOCH_KEY)["statement"]
    recipients = {**statement["recipients"], "utrecht": {"envelope": "34" * 16, "key": "56" * 16}}
    body = {**statement, "recipients": recipients}
    world.batch(("key", {"action": "epoch", "party": "snf", **world.signed("snf", body)}))


@bad("a second key for one epoch", "KEY_SECOND")
def a_second_key_for_one_epoch(world: World) -> None:
    world.epoch("snf", PURPOSE, key_id="ef" * 16)


@bad("a key for a period that is no epoch", "KEY_TERMS")
def a_key_for_a_period_that_is_no_epoch(world: World) -> None:
    world.epoch("snf", PURPOSE, valid_until="2030-12-31T23:00:00Z")


@bad("an old encryption key put back", "KEY_REPEATED")
def an_old_encryption_key_put_back(world: World) -> None:
    old = world.entry(EPOCH_KEY - 1)
    world.encryption_key("snf", created_at="2026-11-23T09:30:00Z")
    world.batch(old)


@bad("an encryption key of another kind", "STATEMENT_FORM")
def an_encryption_key_of_another_kind(world: World) -> None:
    world.encryption_key("utrecht", kem="X25519")


# registers
@bad("a register of a party that does not answer", "REGISTER_PARTY")
def a_register_of_a_party_that_does_not_answer(world: World) -> None:
    world.publish("sna", PURPOSE, "bag")


@bad("a register with attributes the purpose does not name", "REGISTER_TERMS")
def a_register_with_too_much(world: World) -> None:
    world.publish("snf", PURPOSE, "postcode-number", stated={"attributes": ["beds", "enterprise-name"]})


@bad("a register of the day after tomorrow", "REGISTER_TERMS")
def a_register_of_the_day_after_tomorrow(world: World) -> None:
    as_of = (world.at + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    world.publish("snf", PURPOSE, "postcode-number", stated={"as_of": as_of})


@bad("a register under another key than the epoch's", "REGISTER_KEY")
def a_register_under_another_key(world: World) -> None:
    world.publish("snf", PURPOSE, "postcode-number", stated={"key_id": "ef" * 16})


@bad("a register whose answerer did not sign it", "STATEMENT_SIGNATURE")
def a_register_nobody_signed(world: World) -> None:
    world.body(REGISTER)["signature"] = "QUJD" * 24


@bad("an old register put back in force", "REGISTER_ORDER")
def an_old_register_put_back(world: World) -> None:
    world.batch(world.entry(REGISTER))


# policy sets
@bad("an archived policy set with altered texts", "POLICY_ARCHIVE", "POLICY_MISSING")
def an_altered_archive(world: World) -> list[bytes]:
    lines = World(keys=world.keys).begin().lines()
    value = parse_canonical(lines[1][:-1])
    value["policy_set"]["texts"]["catalogue.yaml"] += "#"
    return sealed([lines[0], canonical_json(value) + b"\n", *lines[2:]])


@bad("a policy set signed by one of two", "POLICY_SIGNATURES")
def one_signer_is_no_quorum(world: World) -> None:
    world.archive = [policy_bundle(signers=1)]
    world.body(1)["signers"] = [public(SIGNERS[0])]


@bad("a policy set that neither side approved", "POLICY_APPROVALS")
def a_set_that_neither_side_approved(world: World) -> None:
    stripped = policy_bundle(revision=2, note="stripped", approved=False)
    world.archive.append(stripped)
    world.batch(("policy", world.policy_entry(stripped)))


@bad("an older policy set put back in force", "POLICY_UNKNOWN")
def an_older_set_put_in_force_again(world: World) -> None:
    newer = policy_bundle(revision=5, note="newer")
    world.archive.append(newer)
    world.batch(("policy", world.policy_entry(newer)))
    world.batch(("policy", world.policy_entry(world.archive[0])))


@bad("another policy set under the revision in force", "POLICY_UNKNOWN")
def another_set_under_the_same_revision(world: World) -> None:
    other = policy_bundle(revision=1, note="another")
    world.archive.append(other)
    world.batch(("policy", world.policy_entry(other)))


@bad("a policy set put in force after it had expired", "POLICY_EXPIRED")
def an_expired_set(world: World) -> None:
    expired = signed_bundle(policy_files(), 2, expires=START + timedelta(hours=1))
    world.archive.append(expired)
    world.batch(("policy", world.policy_entry(expired)))


@bad("a policy set whose texts mean something else than was signed", "POLICY_TEXT")
def texts_that_mean_something_else(world: World) -> None:
    """The signers signed a digest of meaning; the texts beside it say otherwise, and their own digest fits them."""
    value = parse_canonical(policy_bundle(revision=2))
    value["meaning"]["catalogue"]["auditors"] = ["nla"]  # approvals of purposes do not cover it
    forged = resealed(value)
    world.archive.append(forged)
    manifest = parse_canonical(forged)["manifest"]
    stated = {name: manifest[name] for name in ("digest", "text_digest", "revision")}
    body = {**world.body(1), **stated}
    world.batch(("policy", body))


def resealed(value: dict[str, Any]) -> bytes:
    """A policy bundle whose digests fit what it holds, signed again: its signers did not look at the texts."""
    value["manifest"]["digest"] = hashlib.sha256(canonical_json(value["meaning"])).hexdigest()
    message = SIGNED_PREFIX + canonical_json(value["manifest"])
    value["signatures"] = [
        {"key": public(key), "role": "asking side", "signature": key.sign(message).hex()} for key in SIGNERS[:2]
    ]
    return canonical_json(value)


@bad("what a purpose in shadow would have decided left out", "SHADOW")
def a_shadow_left_out(world: World) -> None:
    newer = policy_bundle(revision=2, shadow=True)
    world.archive.append(newer)
    world.batch(("policy", world.policy_entry(newer)))
    world.ask("utrecht", ["snf"], PURPOSE, HIT)
    assert world.batches[-1].pop(1)[0] == "evaluation"


@bad("a suspension by a stranger", "NOTICE")
def a_suspension_by_a_stranger(world: World) -> None:
    world.suspend(PURPOSE, Ed25519PrivateKey.generate())


@bad("a suspension that the next question passes over", "SUSPENSION")
def a_suspension_passed_over(world: World) -> None:
    world.suspend(PURPOSE)
    world.notices.clear()
    world.ask("utrecht", ["snf"], PURPOSE, HIT)


@bad("an answer released after its purpose was suspended", "RELEASE_CLOSED")
def a_release_after_a_suspension(world: World) -> None:
    world.publish("snf", PURPOSE, "bag", version=3)
    index = world.ask("utrecht", ["snf"], PURPOSE, HIT)
    world.suspend(PURPOSE, OFFICERS.keys["utrecht"])
    world.release(index)


@bad("engines that the trust file does not list", "ENGINE_UNTRUSTED")
def an_untrusted_engine(world: World) -> Given:
    return Given(trust=world.trust_text(engines=["sluis-engine/9"]))


@bad("a CA that the trust file does not list", "CERTIFICATE_CHAIN")
def an_untrusted_ca(world: World) -> Given:
    return Given(trust=world.trust_text(issuers=[Authority().ca.certificate.decode()]))
