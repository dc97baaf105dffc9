"""Bad bundles whose questions, answers and decisions do not fit together (see `bad_bundles`)."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

from audit_kit import (
    ASK,
    ASK_2,
    COUNT_2,
    DENIED,
    EPOCH,
    REGISTER,
    RELEASE,
    RELEASE_2,
    START,
    TWO,
    World,
    policy_files,
    signed_bundle,
)
from bad_bundles import bad
from log_kit import time_text

from broker.exchange import Want
from broker.policy.evaluate import ProbingFacts

HIT = Want(True, False, ("beds",))
COUNT = Want(False, True)
PURPOSE = "snf-locatie"
LEASE = timedelta(minutes=15)


def fresh(world: World, **stated: Any) -> World:
    """A short log: a key, a register, and nothing asked yet."""
    log = World(keys=world.keys).begin()
    log.epoch("snf", PURPOSE)
    log.publish("snf", PURPOSE, "bag", stated=stated)
    return log


def quiet(world: World, after: timedelta) -> None:
    """Nothing of interest, later."""
    world.batch(("refusal", {"party": "nla", "rpc": "Ask", "code": "FIELD_INVALID", "request_id": None}), after=after)


# decisions
@bad("a decision that the policy does not give", "REPLAY_DIFFERS")
def a_decision_the_policy_does_not_give(world: World) -> None:
    decision = world.body(DENIED)["decision"]
    decision["effect"] = "permit"
    for check in decision["checks"]:
        check["met"] = True
    # a liar keeps the books straight: one more request of that day
    for batch in world.batches[_batch_of(world, DENIED) + 1 :]:
        for kind, body in batch:
            if kind == "ask" and body["asker"] == "utrecht" and body["decided_at"] < time_text(START + timedelta(1)):
                _spent(body, body["facts"]["requests_today"] + 1)


def _spent(body: dict[str, Any], requests: int) -> None:
    """An ask that says so many requests were made before it, in its facts and in its reasons."""
    was, body["facts"]["requests_today"] = body["facts"]["requests_today"], requests
    for check in body["decision"]["checks"]:
        if check["id"] == "requests-per-day":
            check["reason"] = check["reason"].replace(f"today: {was};", f"today: {requests};")


def _batch_of(world: World, index: int) -> int:
    seen = 0
    for at, batch in enumerate(world.batches):
        seen += len(batch)
        if index < seen:
            return at
    raise IndexError(index)


@bad("a reason rewritten", "REPLAY_DIFFERS")
def a_reason_rewritten(world: World) -> None:
    world.body(DENIED)["decision"]["checks"][3]["reason"] = "because"


@bad("a duty left out", "REPLAY_DIFFERS")
def a_duty_left_out(world: World) -> None:
    world.body(ASK)["decision"]["obligations"].pop()


@bad("a decision of an engine nobody has", "NOT_REPLAYABLE", "ENGINE_UNTRUSTED")
def a_decision_of_an_engine_nobody_has(world: World) -> None:
    world.body(ASK)["engine"] = "sluis-engine/0"


@bad("a decision a day old when it was logged", "DECIDED_AT", "REPLAY_DIFFERS", "FACTS")
def a_decision_a_day_old(world: World) -> None:
    log = fresh(world)
    index = log.ask("utrecht", ["snf"], PURPOSE, HIT)
    log.body(index)["decided_at"] = time_text(START - timedelta(days=1))
    del log.body(index)["decision"]["checks"][-1]
    world.batches, world.times = log.batches, log.times


@bad("a question long past its time", "DECIDED_AT")
def a_question_long_past_its_time(world: World) -> None:
    world.body(ASK)["statement"]["not_after"] = "2026-01-01T00:00:00Z"
    world.resign(ASK)


@bad("a set that is not in force decides", "POLICY_UNKNOWN", "NOT_REPLAYABLE")
def a_set_not_in_force_decides(world: World) -> None:
    world.body(DENIED)["policy_set"] = "00" * 32


# facts
@bad("a made-up mode of pseudonyms", "FACTS_MODES")
def a_made_up_mode(world: World) -> None:
    world.body(ASK)["facts"]["modes_available"] = ["keyed", "telepathic"]


@bad("a repeated count said to be the first", "COUNT_DISTANCE")
def a_repeated_count_said_to_be_the_first(world: World) -> World:
    log = fresh_counts(world)
    index = log.ask("nla", ["sna"], "sna-overzicht", COUNT, scheme="kvk", found={"count_distance": None})
    log.release(index)
    return log


@bad("a count that lies further off than both questions reach", "COUNT_DISTANCE")
def a_count_too_far_off(world: World) -> World:
    log = fresh_counts(world)
    log.release(log.ask("nla", ["sna"], "sna-overzicht", COUNT, scheme="kvk", found={"count_distance": 1000}))
    return log


@bad("a distance to a count that never was", "COUNT_DISTANCE")
def a_distance_to_a_count_that_never_was(world: World) -> World:
    log = fresh_counts(world, counts=0)
    log.ask("nla", ["sna"], "sna-overzicht", COUNT, scheme="kvk", found={"count_distance": 1})
    return log


@bad("the same count twice, said to differ", "COUNT_DISTANCE")
def the_same_count_twice(world: World) -> World:
    log = fresh_counts(world)
    log.release(
        log.ask("nla", ["sna"], "sna-overzicht", COUNT, scheme="kvk", stated={"tokens": log.tokens_of(log.size - 2)})
    )
    return log


def fresh_counts(world: World, counts: int = 1) -> World:
    """A short log in which the inspectorate may count, and has."""
    log = World(keys=world.keys).begin()
    log.epoch("sna", "sna-overzicht")
    log.publish("sna", "sna-overzicht", "kvk")
    for _ in range(counts):
        log.release(log.ask("nla", ["sna"], "sna-overzicht", COUNT, scheme="kvk"))
    return log


# guards against probing
@bad("a question within the hour left out", "COUNTER_PROBING")
def a_question_within_the_hour_left_out(world: World) -> World:
    return guarded(world, hour=10)


@bad("subjects of the epoch that went away", "COUNTER_PROBING")
def subjects_that_went_away(world: World) -> World:
    return guarded(world, epoch=9)


@bad("more subjects of the epoch than both questions had", "COUNTER_PROBING")
def more_subjects_than_were_asked(world: World) -> World:
    return guarded(world, epoch=21)


@bad("more questions alike than there were", "COUNTER_PROBING")
def more_questions_alike(world: World) -> World:
    return guarded(world, same=1, nested=1)


@bad("a subject asked about more often than was asked", "COUNTER_PROBING")
def a_subject_asked_about_too_often(world: World) -> World:
    return guarded(world, again=2)


@bad("a share of hits over a hundred", "COUNTER_PROBING")
def a_share_over_a_hundred(world: World) -> World:
    return guarded(world, hits=101)


@bad("a count of earlier questions that is no number", "COUNTER_PROBING")
def a_count_that_is_no_number(world: World) -> World:
    return guarded(world, again=True)


@bad("what is guarded is not said", "COUNTER_PROBING")
def what_is_guarded_is_not_said(world: World) -> World:
    return guarded(world, none=True)


@bad("what nobody guards is said", "COUNTER_PROBING")
def what_nobody_guards_is_said(world: World) -> World:
    log = fresh(world)
    log.release(log.ask("utrecht", ["snf"], PURPOSE, HIT, found={"probing": ProbingFacts(0, 0, 0, 10, 10, None)}))
    return log


@bad("facts of earlier questions with a member too many", "NOT_REPLAYABLE", "COUNTER_PROBING")
def facts_with_a_member_too_many(world: World) -> World:
    log = guarded(world)
    log.body(log.size - 2)["facts"]["probing"]["more"] = 1
    return log


def guarded_policies() -> bytes:
    """A signed set with guards that report."""
    texts = policy_files()
    name = f"purposes/{PURPOSE}.yaml"
    guard = (
        "probing:\n  same_question: {at_most: 0, then: report}\n  subjects_per_hour: {at_most: 2000, then: refuse}\n"
    )
    texts[name] = texts[name].replace("\nvalid: ", f"\n{guard}valid: ")
    return signed_bundle(texts, 1)


def guarded(world: World, *, none: bool = False, **bent: Any) -> World:
    """A short log under guards that report, with two questions; `bent` in the facts of the second."""
    log = World(keys=world.keys, archive=[guarded_policies()]).begin()
    log.epoch("snf", PURPOSE)
    log.publish("snf", PURPOSE, "bag")
    first = ProbingFacts(0, 0, 0, 10, 10, None)
    log.release(log.ask("utrecht", ["snf"], PURPOSE, HIT, found={"probing": first}))
    usual = {"same": 1, "nested": 0, "again": 1, "hour": 20, "epoch": 10, "hits": 7}
    found = {"probing": None if none else ProbingFacts(**usual | bent)}
    again = log.ask("utrecht", ["snf"], PURPOSE, HIT, found=found)
    if not none:  # without the facts that are guarded it is denied
        log.release(again)
    return log


@bad("a request of that day left out of the count", "COUNTER_REQUESTS", "REPLAY_DIFFERS")
def a_request_uncounted(world: World) -> None:
    world.body(ASK_2)["facts"]["requests_today"] = 0


@bad("a count of that epoch left out", "COUNTER_COUNTS", "REPLAY_DIFFERS")
def a_count_uncounted(world: World) -> None:
    world.body(COUNT_2)["facts"]["counts_this_epoch"] = 0


@bad("an exchange struck from the log", "COUNTER_REQUESTS", "SUBJECT_SEARCH")
def an_exchange_struck_from_the_log(world: World) -> None:
    at = _batch_of(world, ASK)
    del world.batches[at : at + 2], world.times[at : at + 2]
    for batch in world.batches:
        for _, body in batch:
            if "ask_index" in body:
                body["ask_index"] -= 2
            if "correction" in body:
                body["correction"] -= 2
            if "asks" in body:
                body["asks"] = [index - 2 for index in body["asks"]]


@bad("a case number that was never given", "FACTS")
def a_case_number_never_given(world: World) -> World:
    log = fresh(world)
    log.ask("utrecht", ["snf"], PURPOSE, HIT, case_number="UTR-2026-000001")
    index = log.size - 1
    log.body(index)["statement"]["case_number"] = None
    log.resign(index)
    return log


@bad("a register that was not in force decides", "REGISTER_DIFFERS", "RELEASE_OUTCOME")
def a_register_not_in_force(world: World) -> None:
    world.body(ASK)["register"]["version"] = 7


# exchanges
@bad("a request id used twice", "REQUEST_ID_REUSED")
def a_request_id_used_twice(world: World) -> None:
    world.ask("utrecht", ["snf"], PURPOSE, HIT, request_id=world.body(ASK)["exchange"])


@bad("an answerer left out", "ANSWERER_MISSING")
def an_answerer_left_out(world: World) -> World:
    log = World(keys=world.keys).begin()
    log.epoch("nla", "verhuurvergunning")
    log.ask("nla", ["someren", "utrecht"], "verhuurvergunning", Want(True, False), case_number="NLA-2026-12345")
    del log.batches[-1][0]
    return log


@bad("asks of one exchange decided at two times", "EXCHANGE_DIFFERS")
def asks_decided_at_two_times(world: World) -> None:
    body = world.body(TWO + 1)
    earlier = body["decided_at"].replace(".997000Z", ".996000Z")
    assert earlier != body["decided_at"]
    body["decided_at"] = body["facts"]["now"] = earlier


@bad("a question under another key than the epoch's", "ASK_KEY")
def a_question_under_another_key(world: World) -> World:
    log = fresh(world)
    index = log.ask("utrecht", ["snf"], PURPOSE, HIT)
    log.body(index)["statement"]["key_id"] = "ef" * 16
    log.resign(index)
    log.release(index, "FAILED")
    return log


@bad("an answer under another key than the register's", "ASK_KEY", "RELEASE_KEY")
def an_answer_under_another_key(world: World) -> World:
    log = fresh(world)
    index = log.ask("utrecht", ["snf"], PURPOSE, HIT)
    log.body(index)["statement"]["key_id"] = "ef" * 16
    log.resign(index)
    log.release(index)
    return log


# releases
@bad("an answer before its question", "RELEASE_UNASKED")
def an_answer_before_its_question(world: World) -> None:
    at = _batch_of(world, ASK)
    world.batches[at], world.batches[at + 1] = world.batches[at + 1], world.batches[at]
    world.batches[at][0][1]["ask_index"] = ASK + 1


@bad("an answer in the batch of its question", "RELEASE_TOO_SOON")
def an_answer_in_the_batch_of_its_question(world: World) -> None:
    at = _batch_of(world, ASK)
    world.batches[at : at + 2] = [world.batches[at] + world.batches[at + 1]]
    del world.times[at + 1]


@bad("an answer to a question that was denied", "RELEASE_DENIED")
def an_answer_to_a_denied_question(world: World) -> None:
    world.body(RELEASE_2)["ask_index"] = DENIED


@bad("one question answered twice", "RELEASE_TWICE")
def one_question_answered_twice(world: World) -> None:
    world.batch(copy.deepcopy(world.entry(RELEASE)))


@bad("a question whose lease ran out without an outcome", "RELEASE_MISSING")
def a_question_without_an_outcome(world: World) -> None:
    for minutes in (16, 6):
        quiet(world, timedelta(minutes=minutes))


@bad("an answer long after its lease", "RELEASE_LATE")
def an_answer_long_after_its_lease(world: World) -> World:
    log = fresh(world)
    index = log.ask("utrecht", ["snf"], PURPOSE, HIT)
    log.at += LEASE + timedelta(minutes=2)
    log.release(index)
    return log


@bad("attributes released that were not asked", "RELEASE_ATTRIBUTES")
def attributes_not_asked(world: World) -> None:
    world.body(RELEASE)["attributes"] = ["beds", "certificate-status", "enterprise-name"]


@bad("an outcome and a status that do not go together", "RELEASE_OUTCOME")
def an_outcome_and_a_status(world: World) -> None:
    world.body(RELEASE)["outcome"] = "withheld"


@bad("an answer from no register", "RELEASE_NO_REGISTER")
def an_answer_from_no_register(world: World) -> World:
    log = World(keys=world.keys).begin()
    log.epoch("snf", PURPOSE)
    log.release(log.ask("utrecht", ["snf"], PURPOSE, HIT))
    return log


@bad("an answer from an expired register", "RELEASE_EXPIRED")
def an_answer_from_an_expired_register(world: World) -> World:
    log = fresh(world, expires_at=(START + timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ"))
    log.release(log.ask("utrecht", ["snf"], PURPOSE, HIT, after=timedelta(minutes=2)))
    return log


@bad("an answer with attributes the register does not hold", "RELEASE_NOT_COVERED")
def an_answer_with_attributes_not_held(world: World) -> World:
    log = fresh(world, attributes=["certificate-status"])
    log.release(log.ask("utrecht", ["snf"], PURPOSE, HIT))
    return log


@bad("an answer from a register its answerer had withdrawn", "RELEASE_WITHDRAWN")
def an_answer_from_a_withdrawn_register(world: World) -> World:
    log = fresh(world)
    index = log.ask("utrecht", ["snf"], PURPOSE, HIT)
    log.withdraw(f"snf/{PURPOSE}/{EPOCH}/bag")
    log.at += timedelta(minutes=2)
    log.release(index)
    return log


@bad("no register said to be there, and one was", "RELEASE_STATUS")
def no_register_though_there_was_one(world: World) -> World:
    return _said(world, "NO_REGISTER")


@bad("a register said to have expired, and it had not", "RELEASE_STATUS")
def expired_though_it_was_not(world: World) -> World:
    return _said(world, "EXPIRED")


@bad("a register said not to cover it, and it did", "RELEASE_STATUS")
def not_covered_though_it_was(world: World) -> World:
    return _said(world, "NOT_COVERED")


@bad("an answer withheld for no reason", "RELEASE_STATUS")
def withheld_for_no_reason(world: World) -> World:
    return _said(world, "WITHHELD")


def _said(world: World, status: str) -> World:
    log = fresh(world)
    log.release(log.ask("utrecht", ["snf"], PURPOSE, HIT), status)
    return log


@bad("a register withdrawn by another party", "REGISTER_ORDER")
def withdrawn_by_another(world: World) -> None:
    body = {"action": "withdrawn", "party": "nla", "register": f"sna/sna-overzicht/{EPOCH}/kvk", "version": 1}
    assert world.body(REGISTER + 1)["register"] == body["register"]
    world.batch(("register", body))


# reading
@bad("an answer repeated of an exchange that never was", "ACCESS_UNKNOWN")
def an_answer_repeated_of_nothing(world: World) -> None:
    exchange = "5c4b2b6e-6c1f-4c43-9c43-0a4c0c9d5e11"
    world.batch(("access", {"party": "utrecht", "what": "answer-repeated", "exchange": exchange}))


@bad("an answer repeated to another than its asker", "ACCESS_UNKNOWN")
def an_answer_repeated_to_another(world: World) -> None:
    world.batch(("access", {"party": "nla", "what": "answer-repeated", "exchange": world.body(ASK)["exchange"]}))


@bad("entries read by a party that is no auditor", "ACCESS_PARTY")
def entries_read_by_no_auditor(world: World) -> None:
    world.batch(("access", {"party": "utrecht", "what": "entries", "exchange": None}))
