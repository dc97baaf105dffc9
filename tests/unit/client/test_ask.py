import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from fake_broker import NOW, World, refused, transport_of, unreachable
from sluis_client.ask import Plan, ask, dry_run, finish, kept_questions
from sluis_client.canonical import parse_canonical, tokens_value
from sluis_client.custody import create_epoch, init_encryption_key
from sluis_client.errors import ClientError, Exit
from sluis_client.making import maker_of_kept
from sluis_client.notices import places_of
from sluis_client.publish import Plan as PublishPlan
from sluis_client.publish import prepare, publish
from sluis_client.register_table import pseudonym_columns
from sluis_client.schemes import SCHEMES
from sluis_client.tables import normalise_table, read_table
from sluis_client.transport import Opening, Want

BAGS = [f"034401{number:010d}" for number in range(20)]
WANT = Want(hit=True, attributes=("beds",))
PLAN = Plan("snf-locatie", "bag", ("snf",), WANT, case_number="UTR-2026-1", cooperation_ref="ref")


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    for name in ("snf", "utrecht"):
        init_encryption_key(made.participant(name))
    snf = made.participant("snf")
    create_epoch(snf, "snf-locatie")
    register(made)
    return made


def register(world, rows=BAGS[:10]):
    snf = world.participant("snf")
    source = read_table(("bag;beds\n" + "".join(f"{bag};{n}\n" for n, bag in enumerate(rows))).encode())
    plan = PublishPlan("snf-locatie", "bag", datetime(2026, 11, 19, 23, tzinfo=UTC), "all")
    publish(snf, plan, prepare(snf.purpose("snf-locatie"), plan, source))


def table(bags=BAGS):
    return normalise_table(read_table(("bag\n" + "\n".join(bags)).encode()), SCHEMES["bag"])


def test_a_question_gets_its_answer(world):
    utrecht = world.participant("utrecht")
    asked = ask(utrecht, PLAN, table(), progress=lambda *_: None)
    (answer,) = asked.answers
    assert not asked.repeated
    assert (answer.status, answer.hits) == ("ANSWERED", 10)
    assert {row.position: row.values["beds"] for row in answer.rows} == {n: str(n) for n in range(10)}
    assert answer.register.coverage == "all"
    assert utrecht.keystore.checkpoint() == world.broker.log.checkpoint()


def test_a_question_leaves_with_the_match_keys_that_the_purpose_allows(world, monkeypatch):
    source = read_table(b"achternaam;voornamen;geboortedatum\nMulder;Jan;1990-01-02\nNowak;;1990-01-03\n")
    snf = world.participant("snf")
    publish_plan = PublishPlan(
        "snf-locatie", "name-birthdate-2", datetime(2026, 11, 19, 23, tzinfo=UTC), "all", hits_only=True
    )
    publish(snf, publish_plan, prepare(snf.purpose("snf-locatie"), publish_plan, source))
    utrecht = world.participant("utrecht")
    strict = replace(utrecht.purpose("snf-locatie"), weakest_match_key=4)
    monkeypatch.setattr(type(utrecht), "purpose", lambda *_: strict)
    plan = replace(PLAN, scheme="name-birthdate-2", want=Want(hit=True))
    asked = ask(utrecht, plan, normalise_table(source, SCHEMES["name-birthdate-2"]))
    assert parse_canonical(asked.posed.signed.statement)["match_keys"] == len(asked.posed.columns) == 4
    assert [(row.position, row.status, row.match_key) for row in asked.answers[0].rows][:1] == [(0, "hit", 1)]


def test_what_is_signed_is_what_was_asked(world):
    utrecht = world.participant("utrecht")
    plan = replace(PLAN, on_behalf_of="someren", answerers=("snf", "snf"))
    posed = ask(utrecht, plan, table()).posed
    statement = parse_canonical(posed.signed.statement)
    assert statement["want"] == {"attributes": ["beds"], "count": False, "hit": True}
    assert (statement["principal"], statement["answerers"]) == ("someren", ["snf"])
    assert (statement["subjects"], statement["match_keys"], statement["epoch"]) == (20, 1, "2026Q4")
    assert statement["not_after"] == "2026-11-23T10:09:00Z"
    # the case number leaves as a commitment only
    assert b"UTR-2026" not in posed.signed.statement


def test_the_question_is_on_disk_before_it_is_put_and_is_put_again_the_same(world):
    first = world.participant("utrecht")
    transport_of(first).lose["match"] = [unreachable()]
    with pytest.raises(ClientError) as caught:
        ask(first, PLAN, table())
    assert caught.value.exit_code is Exit.BROKER_UNREACHABLE
    (kept,) = kept_questions(first)
    assert kept["request_id"] in caught.value.message
    second = world.participant("utrecht")
    asked = ask(second, PLAN, table())
    assert (asked.repeated, asked.request_id) == (True, kept["request_id"])
    assert world.broker.debits == 1
    assert [row.values["beds"] for row in asked.answers[0].rows] == [str(n) for n in range(10)]
    # it is finished now: the same question again is a new one
    assert not ask(world.participant("utrecht"), PLAN, table()).repeated
    assert world.broker.debits == 2


def test_an_answer_that_was_not_stored_is_fetched_again(world):
    asked = ask(world.participant("utrecht"), PLAN, table(), keep_open=True)
    again = ask(world.participant("utrecht"), PLAN, table(), keep_open=True)
    assert (again.request_id, again.repeated) == (asked.request_id, True)
    finish(world.participant("utrecht"), again)
    assert not ask(world.participant("utrecht"), PLAN, table()).repeated


@pytest.mark.parametrize(
    "changed",
    [
        {"case_number": "UTR-2026-2"},
        {"cooperation_ref": ""},
        {"want": Want(hit=True)},
        {"want": Want(count=True)},
        {"on_behalf_of": "someren"},
    ],
)
def test_an_unfinished_question_is_only_taken_up_for_the_same_plan(world, changed):
    first = world.participant("utrecht")
    transport_of(first).lose["match"] = [unreachable()]
    with pytest.raises(ClientError):
        ask(first, PLAN, table())
    asked = ask(world.participant("utrecht"), replace(PLAN, **changed), table())
    assert not asked.repeated
    assert world.broker.debits == 2


def test_other_rows_or_an_explicit_wish_make_a_new_question(world):
    first = world.participant("utrecht")
    transport_of(first).lose["match"] = [unreachable()]
    with pytest.raises(ClientError):
        ask(first, PLAN, table())
    assert not ask(world.participant("utrecht"), PLAN, table(BAGS[1:])).repeated
    assert not ask(world.participant("utrecht"), PLAN, table(), anew=True).repeated


def test_a_question_is_repeated_by_its_id(world):
    request_id = "7c8c1f53-1f1a-4a6e-9d0e-0a8ad1f0f001"
    first = ask(world.participant("utrecht"), PLAN, table(), request_id=request_id)
    again = ask(world.participant("utrecht"), PLAN, table(), request_id=request_id)
    assert first.request_id == again.request_id == request_id
    assert (first.repeated, again.repeated) == (False, True)
    assert world.broker.debits == 1
    with pytest.raises(ClientError) as caught:
        ask(world.participant("utrecht"), PLAN, table(BAGS[:3]), request_id=request_id)
    assert caught.value.code == "REQUEST_ID_REUSED"


def test_a_question_the_broker_never_saw_is_signed_anew_once_it_is_stale(world):
    first = world.participant("utrecht")
    transport_of(first).fail["match"] = [unreachable()]
    with pytest.raises(ClientError):
        ask(first, PLAN, table())
    world.broker.now = NOW + timedelta(minutes=30)
    asked = ask(world.participant("utrecht"), PLAN, table())
    assert not asked.repeated
    assert world.broker.debits == 1
    assert len(kept_questions(world.participant("utrecht"))) == 1


def test_a_stale_question_that_was_logged_is_not_asked_twice(world):
    first = world.participant("utrecht")
    transport_of(first).lose["match"] = [unreachable()]
    with pytest.raises(ClientError):
        ask(first, PLAN, table())
    second = world.participant("utrecht")
    transport_of(second).fail["match"] = [refused("STATEMENT_EXPIRED")]
    with pytest.raises(ClientError) as caught:
        ask(second, PLAN, table())
    assert caught.value.code == "ANSWER_GONE"
    assert "--new" in caught.value.message
    assert world.broker.debits == 1


def test_a_clock_that_is_wrong_is_not_hidden(world):
    utrecht = world.participant("utrecht")
    transport_of(utrecht).fail["match"] = [refused("STATEMENT_EXPIRED")]
    with pytest.raises(ClientError):
        ask(utrecht, PLAN, table())
    assert transport_of(utrecht).calls.count("match") == 1


def test_old_questions_are_forgotten_after_a_day(world):
    ask(world.participant("utrecht"), PLAN, table())
    world.broker.now = NOW + timedelta(hours=25)
    utrecht = world.participant("utrecht")
    ask(utrecht, PLAN, table())
    assert len(kept_questions(utrecht)) == 1


def test_kept_questions_hold_no_identifier_and_no_pseudonym(world):
    utrecht = world.participant("utrecht")
    asked = ask(utrecht, PLAN, table())
    record = json.dumps(utrecht.keystore.record("exchanges", asked.request_id))
    for bag in BAGS:
        assert bag not in record
    for at in range(0, 320, 16):
        assert asked.posed.columns[0].pseudonyms[at : at + 16].hex() not in record
    # nor does anything a test or log may print
    shown = repr(asked) + repr(asked.posed) + repr(asked.answers) + repr(PLAN)
    assert BAGS[0] not in shown
    assert "UTR-2026-1" not in shown


def test_a_party_outside_the_purpose_is_told_so_before_any_key(world):
    world.broker.meaning["purposes"]["snf-locatie"]["asks"] = ["someren"]
    with pytest.raises(ClientError) as caught:
        ask(world.participant("utrecht"), PLAN, table())
    assert (caught.value.code, caught.value.exit_code) == ("NOT_PARTICIPANT", Exit.POLICY_DENIED)


@pytest.mark.parametrize(
    ("plan", "code"),
    [
        ({"purpose": "nothing"}, "PURPOSE_UNKNOWN"),
        ({"answerers": ("snf", "sfn")}, "PARTY_UNKNOWN"),
        ({"scheme": "bagg"}, "SCHEME_UNKNOWN"),
        ({"purpose": "persons"}, "EPOCH_UNKNOWN"),
        ({"epoch": "2027Q1"}, "EPOCH_UNKNOWN"),
    ],
)
def test_questions_that_cannot_be_put(world, plan, code):
    with pytest.raises(ClientError) as caught:
        ask(world.participant("utrecht"), replace(PLAN, **plan), table())
    assert caught.value.code == code


def test_no_usable_row_is_no_question(world):
    with pytest.raises(ClientError) as caught:
        ask(world.participant("utrecht"), PLAN, table(["x", "y"]))
    assert caught.value.code == "NOTHING_TO_ASK"
    assert "see the problems listed" in caught.value.message
    with pytest.raises(ClientError) as caught:
        ask(world.participant("utrecht"), PLAN, table([]))
    assert (caught.value.code, caught.value.message) == ("NOTHING_TO_ASK", "the file holds no rows")


def test_an_older_policy_than_one_seen_is_refused(world):
    ask(world.participant("utrecht"), PLAN, table())
    world.broker.revision = 2
    with pytest.raises(ClientError) as caught:
        ask(world.participant("utrecht"), PLAN, table())
    assert (caught.value.code, caught.value.exit_code) == ("POLICY_REVISION_LOWER", Exit.VERIFICATION_FAILED)


def test_a_policy_of_other_signers_is_refused(world):
    world.broker.signers.pop()
    with pytest.raises(ClientError) as caught:
        ask(world.participant("utrecht"), PLAN, table())
    assert caught.value.code == "POLICY_UNSIGNED"


def test_a_dry_run_describes_the_question(world):
    utrecht = world.participant("utrecht")
    seen = []
    original = utrecht.transport.dry_run
    utrecht.transport.dry_run = lambda described: (seen.append(described), original(described))[1]
    ((who, decision),) = dry_run(utrecht, replace(PLAN, on_behalf_of="someren"), 12)
    assert (who, decision.permitted) == ("snf", True)
    (described,) = seen
    assert (described.subjects, described.match_keys, described.principal) == (12, 1, "someren")
    assert (described.case_number, described.cooperation_ref) == ("UTR-2026-1", "ref")


@pytest.mark.parametrize("code", ["NOT_YOURS", "KEY_ID_WRONG", "TOO_MANY_ASKS"])
def test_a_question_refused_unheard_is_not_kept_for_a_repeat(world, code):
    """The same bytes would meet the same refusal for ever; nothing of it stands in the log."""
    first = world.participant("utrecht")
    transport_of(first).fail["match"] = [refused(code)]
    with pytest.raises(ClientError) as caught:
        ask(first, PLAN, table())
    assert caught.value.code == code
    assert not kept_questions(first)
    assert not ask(world.participant("utrecht"), PLAN, table()).repeated


def test_a_refusal_is_told_even_when_the_broker_cannot_be_asked_what_it_logged(world):
    first = world.participant("utrecht")
    transport_of(first).fail["match"] = [refused("NOT_YOURS")]
    transport_of(first).fail["exchange"] = [unreachable()]
    with pytest.raises(ClientError) as caught:
        ask(first, PLAN, table())
    assert caught.value.code == "NOT_YOURS"


def test_a_disputed_record_of_fewer_match_keys_is_found_in_the_file(world):
    """What an asker disputes is a row of its question, which holds the match keys that its purpose allowed."""
    snf = world.participant("snf")
    (key,) = [one for one in snf.keystore.epoch_keys() if one.purpose == "snf-locatie"]
    scheme = SCHEMES["name-birthdate-2"]
    rows = b"achternaam;voornamen;geboortedatum\nNowak;Ewa;1990-01-02\nMulder;Jan;1990-01-02\n"
    held = normalise_table(read_table(rows), scheme)
    asked = pseudonym_columns(maker_of_kept(snf, key, scheme.scheme_id), scheme, [held.keys[1]], None, 4)
    record = Opening(bytes(32), tokens_value(asked))
    notice = SimpleNamespace(notice="x", purpose=key.purpose, epoch=key.epoch, scheme=scheme.name, record=record)
    assert places_of(snf, notice, held) == (1,)
