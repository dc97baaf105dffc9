"""What honest brokers log at the edges of the rules verifies: a verifier that cries wolf is not believed."""

from __future__ import annotations

from datetime import timedelta

from audit_kit import EPOCH, OFFICERS, START, World, authority, policy_bundle
from bad_bundles_live import honest, live, said
from bad_bundles_standing import honest as standing

from broker.audit.advice import advice_on
from broker.audit.bundle_lines import leaf_of
from broker.audit.counting import Counting
from broker.audit.entries import LogEntry
from broker.audit.findings import Code, Fault, Findings
from broker.exchange import Want

HIT = Want(True, False, ("beds",))
COUNT = Want(False, True)
PURPOSE = "snf-locatie"


def world(**stated: object) -> World:
    made = World().begin()
    made.epoch("snf", PURPOSE)
    made.publish("snf", PURPOSE, "bag", stated=stated)
    return made


def ask(made: World, **how: timedelta) -> int:
    return made.ask("utrecht", ["snf"], PURPOSE, HIT, **how)


def quiet(made: World, after: timedelta) -> None:
    made.batch(("recovery", {"what": "log-writable", "detail": "again"}), after=after)


def found(made: World) -> list[str]:
    return [str(finding) for finding in made.verify().findings]


def test_an_answer_in_flight_while_its_register_is_withdrawn() -> None:
    made = world()
    index = ask(made)
    made.withdraw(f"snf/{PURPOSE}/{EPOCH}/bag")
    made.release(index)
    assert found(made) == []


def test_an_answer_withheld_because_its_register_was_withdrawn() -> None:
    made = world()
    index = ask(made)
    made.withdraw(f"snf/{PURPOSE}/{EPOCH}/bag")
    made.release(index, "WITHHELD")
    assert found(made) == []


def test_a_register_replaced_while_it_answers() -> None:
    made = world()
    index = ask(made)
    made.publish("snf", PURPOSE, "bag", version=2)
    made.release(index)
    assert found(made) == []


def test_a_register_that_expires_while_it_answers() -> None:
    made = world(expires_at=(START + timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ"))
    index = ask(made)
    made.at += timedelta(minutes=10)
    made.release(index)
    assert found(made) == []


def test_what_cannot_be_answered_is_withheld_when_its_purpose_closes_meanwhile() -> None:
    made = World().begin()
    made.epoch("snf", PURPOSE)
    index = ask(made)
    made.suspend(PURPOSE, OFFICERS.keys["snf"])
    made.release(index, "WITHHELD")
    assert found(made) == []


def test_a_broker_that_was_down_closes_its_asks_when_it_is_back() -> None:
    """A night later the log goes on, and only then is the ask closed; others may be answered in between."""
    made = world()
    lost = ask(made)
    made.at += timedelta(hours=9)
    made.release(ask(made))
    made.release(lost, "UNKNOWN")
    quiet(made, timedelta(hours=1))
    assert found(made) == []


def test_an_ask_open_at_the_end_of_the_log_is_no_fault_yet() -> None:
    made = world()
    ask(made)
    quiet(made, timedelta(minutes=20))
    assert found(made) == []
    assert made.verify().open_asks == 1


def test_a_certificate_that_expires_between_the_call_and_its_entry() -> None:
    made = world()
    member = authority().issue("utrecht", not_before=START - timedelta(hours=1), not_after=START + timedelta(minutes=1))
    made.batch(("party", made.party_entry("utrecht", [member])))
    made.at = START + timedelta(seconds=60)
    made.ask("utrecht", ["snf"], PURPOSE, HIT, member=member, after=timedelta(seconds=30))
    assert found(made) == []


def test_a_revoked_certificate_leaves_the_list_once_it_has_expired() -> None:
    made = world()
    member = authority().issue("utrecht", not_before=START - timedelta(hours=1), not_after=START + timedelta(minutes=1))
    other = authority().members["utrecht"]
    made.batch(("party", made.party_entry("utrecht", [member, other], revoked=[member.serial])))
    made.batch(("party", made.party_entry("utrecht", [member, other])), after=timedelta(hours=1))
    assert found(made) == []


def test_a_count_is_the_first_again_once_the_rows_of_the_others_are_gone() -> None:
    """While they are kept, a second count that says it is the first is a lie; then the counter is told otherwise."""
    made = World(archive=[policy_bundle()]).begin()
    made.epoch("sna", "sna-overzicht")
    made.publish("sna", "sna-overzicht", "kvk")
    made.release(made.ask("nla", ["sna"], "sna-overzicht", COUNT, scheme="kvk"))
    again = {"count_distance": None}
    made.release(made.ask("nla", ["sna"], "sna-overzicht", COUNT, scheme="kvk", found=again))
    assert {finding.code for finding in made.verify().findings} == {Code.COUNT_DISTANCE}
    findings = Findings()
    counting = Counting(findings)
    entries = [made.entry(index) for index in range(made.size)]
    first = next(body for kind, body in entries if kind == "ask")
    counting.permitted("sna", first["statement"], START, made.policies)
    body = {"what": "retention", "purpose": "sna-overzicht", "commitments": [first["statement"]["tokens"]]}
    counting.erased(LogEntry(99, "erasure", START, "", body))
    assert counting._counted[("nla", "sna", "sna-overzicht", EPOCH)] == []


def test_the_same_party_publishes_for_more_recipients_under_one_key() -> None:
    made = world()
    key = made.encryption_key("utrecht")
    index = next(i for i in range(made.size) if made.entry(i)[1].get("action") == "epoch")
    statement = made.body(index)["statement"]
    more = {**statement["recipients"], "utrecht": {"envelope": "34" * 16, "key": key}}
    signed = made.signed("snf", {**statement, "recipients": more})
    made.batch(("key", {"action": "epoch", "party": "snf", **signed}))
    assert found(made) == []


def test_standing_questions_in_every_way_they_may_be_put() -> None:
    assert found(standing(World())) == []


def test_live_questions_in_every_way_they_may_end() -> None:
    assert found(honest(World().begin())) == []


def test_a_live_answer_on_its_way_while_the_row_rules_change() -> None:
    """What the purpose demanded when it was asked, and what it demands now, are both well declared."""
    made = live(World())
    index = ask(made)
    said(made, index)
    made.release(index)
    assert found(made) == []


def test_every_class_of_fault_has_advice() -> None:
    for code in Code:
        advice = advice_on(code)
        assert len(advice.means) > 20, code
        assert len(advice.next) > 20, code
    assert {advice_on(code) for code in Code if code.fault is Fault.FORMAT} == {advice_on(Code.BUNDLE_LINE)}


def test_a_leaf_line_has_one_form() -> None:
    assert leaf_of(b'{"leaf":"QUI="}\n') == b"AB"
    for line in (b'{"leaf":"QUJ="}\n', b'{"leaf":"QUI"}\n', b'{"leaf":"QUI=" }\n', b'{"leaf":"QU\\u0049="}\n', b"{}\n"):
        assert leaf_of(line) is None, line
