"""Standing questions at the asker: when they are put again, what is told, and what ends them."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from fake_broker import World, refused
from sluis_client.ask import Plan, finish
from sluis_client.custody import create_epoch, init_encryption_key
from sluis_client.errors import ClientError, Exit
from sluis_client.publish import Plan as PublishPlan
from sluis_client.publish import prepare, publish
from sluis_client.schemes import SCHEMES
from sluis_client.tables import normalise_table, read_table
from sluis_client.transport import Check, Want
from sluis_client.watch import KIND, Source, keep, load, words_of
from sluis_client.watching import begin, look, told

BAGS = [f"034401{number:010d}" for number in range(20)]
PLAN = Plan("snf-locatie", "bag", ("snf",), Want(hit=True, attributes=("beds",)))
SOURCE = Source("addresses.csv", {}, "Dossier")


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    made.broker.meaning["purposes"]["snf-locatie"]["standing_questions"] = {"days": 60}
    for name in ("snf", "utrecht"):
        init_encryption_key(made.participant(name))
    create_epoch(made.participant("snf"), "snf-locatie")
    register(made, {BAGS[0]: 1, BAGS[1]: 2})
    return made


def register(world, beds):
    snf = world.participant("snf")
    source = read_table(("bag;beds\n" + "".join(f"{bag};{n}\n" for bag, n in beds.items())).encode())
    plan = PublishPlan("snf-locatie", "bag", world.broker.now - timedelta(days=1), "all")
    return publish(snf, plan, prepare(snf.purpose("snf-locatie"), plan, source))


def read(bags=BAGS[:3]):
    table = read_table(("bag;Dossier\n" + "".join(f"{bag};D-{n}\n" for n, bag in enumerate(bags))).encode())
    return table, normalise_table(table, SCHEMES["bag"])


def watched(world, **changed):
    utrecht = world.participant("utrecht")
    watch, asked = begin(utrecht, replace(PLAN, **changed), SOURCE, read(), name="beds", out="answers.csv")
    keep(utrecht.keystore, watch)
    finish(utrecht, asked)
    return watch


def looked(world, rows=None):
    utrecht = world.participant("utrecht")
    found = look(utrecht, load(utrecht.keystore, "beds"), lambda _: rows or read())
    notices = [dict(one) for one in found.watch.untold]
    told(utrecht, found)
    return found, [
        [(c["reference"], c["before"], [words_of(now) for now in c["now"]]) for c in n["changes"]] for n in notices
    ]


def statement_of(found):
    return json.loads(found.asked.posed.signed.statement)


def test_only_what_is_newer_is_asked_and_only_what_changed_is_told(world):
    watch = watched(world)
    found, notices = looked(world)
    assert (found.asked, notices, world.broker.debits) == (None, [], 1)
    register(world, {BAGS[1]: 3, BAGS[2]: 4})
    found, notices = looked(world)
    assert statement_of(found)["standing"] == watch.first
    assert notices == [[("D-0", "hit", []), ("D-1", "hit", ["hit (beds 3)"]), ("D-2", "no hit", ["hit (beds 4)"])]]
    assert looked(world)[0].asked is None
    assert world.broker.debits == 2


def test_what_was_kept_and_not_told_waits(world):
    watched(world)
    register(world, {BAGS[0]: 9})
    utrecht = world.participant("utrecht")
    look(utrecht, load(utrecht.keystore, "beds"), lambda _: read())
    assert len(load(world.participant("utrecht").keystore, "beds").untold) == 1
    _, notices = looked(world)
    assert len(notices) == 1


def test_a_register_that_is_gone_is_told_once(world):
    watched(world)
    world.broker.registers.clear()
    assert looked(world)[0].said == (
        "snf: its register was withdrawn, or has expired; what it answered before may hold no more",
    )
    assert looked(world)[0].said == ()
    assert world.broker.debits == 1


def test_an_answer_that_is_none_is_said_and_tried_again(world):
    watched(world)
    register(world, {BAGS[0]: 9})
    world.broker.status["snf"] = 7
    assert looked(world)[0].said == ('snf: failed (this is not a "no hit")',)
    world.broker.status.clear()
    assert looked(world)[1] == [[("D-0", "hit", ["hit (beds 9)"]), ("D-1", "hit", [])]]


def test_a_register_that_does_not_cover_the_question_is_not_asked_twice(world):
    watched(world)
    register(world, {BAGS[0]: 9})
    world.broker.status["snf"] = 5
    assert looked(world)[0].said == ('snf: not covered (this is not a "no hit")',)
    assert looked(world)[0].asked is None
    assert world.broker.debits == 2


def test_a_denial_is_said_and_the_watch_lives_on(world):
    watched(world)
    register(world, {BAGS[0]: 9})
    world.broker.deny["snf"] = Check("requests-per-day", False, "requests permitted earlier today: 50", "")
    assert looked(world)[0].said == ("snf: denied: requests permitted earlier today: 50",)
    world.broker.deny.clear()
    assert len(looked(world)[1]) == 1


def test_what_the_broker_does_not_take_as_the_same_is_begun_anew(world):
    first = watched(world).first
    register(world, {BAGS[0]: 9})
    check = Check("standing-question", False, "its first question is not known", "")
    world.broker.deny["snf"] = check
    utrecht = world.participant("utrecht")
    with pytest.raises(ClientError, match="a new first question is denied") as caught:
        look(utrecht, load(utrecht.keystore, "beds"), lambda _: read())
    assert (caught.value.code, caught.value.exit_code) == ("WATCH_DENIED", Exit.POLICY_DENIED)
    assert load(utrecht.keystore, "beds").first == first
    world.broker.deny.clear()
    world.broker.deny_standing = check
    found, notices = looked(world)
    assert "begun anew" in found.said[0]
    assert "standing" not in statement_of(found)
    assert found.watch.first == statement_of(found)["request_id"] != first
    assert notices == [[("D-0", "hit", ["hit (beds 9)"]), ("D-1", "hit", [])]]


def test_a_new_key_epoch_begins_anew(world):
    watched(world)
    world.broker.now = datetime(2027, 1, 3, 10, tzinfo=UTC)
    create_epoch(world.participant("snf"), "snf-locatie")
    register(world, {BAGS[0]: 1, BAGS[1]: 5})
    found, notices = looked(world)
    assert found.said[0].startswith("key epoch 2026Q4 has ended: begun anew as exchange")
    assert statement_of(found)["epoch"] == found.watch.epoch == "2027Q1"
    assert notices == [[("D-1", "hit", ["hit (beds 5)"])]]
    register(world, {BAGS[0]: 1, BAGS[1]: 6})
    assert statement_of(looked(world)[0])["standing"] == found.watch.first


def test_what_is_not_accepted_is_repeated_and_nothing_of_it_is_kept(world):
    """Such as an answer that no witness has seen yet, where the profile demands it."""
    watched(world)
    register(world, {BAGS[0]: 9})

    def refuse(_):
        raise ClientError("NOT_WITNESSED", "later", Exit.VERIFICATION_FAILED)

    for _ in range(2):
        utrecht = world.participant("utrecht")
        with pytest.raises(ClientError, match="later"):
            look(utrecht, load(utrecht.keystore, "beds"), lambda _: read(), accept=refuse)
        assert load(utrecht.keystore, "beds").untold == []
    assert len(looked(world)[1]) == 1
    assert world.broker.debits == 2


def test_its_days_end_it_begun_anew_or_not(world):
    watched(world)
    world.broker.now = datetime(2027, 1, 3, 10, tzinfo=UTC)
    create_epoch(world.participant("snf"), "snf-locatie")
    register(world, {BAGS[0]: 1})
    assert looked(world)[0].watch.asked_at.startswith("2027-01-03")
    world.broker.now = datetime(2026, 11, 23, 10, tzinfo=UTC)
    world.broker.now += timedelta(days=61)
    with pytest.raises(ClientError, match="it has stood for the 60 days") as caught:
        looked(world)
    assert caught.value.code == "WATCH_ENDED"


def test_another_file_is_refused(world):
    watched(world)
    register(world, {BAGS[0]: 9})
    for other in (BAGS[:4], [BAGS[1], BAGS[0], BAGS[2]]):
        with pytest.raises(ClientError, match="is about other subjects") as caught:
            looked(world, read(other))
        assert caught.value.code == "WATCH_FILE_CHANGED"
    assert world.broker.debits == 1


def test_where_no_question_may_stand(world):
    purpose = world.broker.meaning["purposes"]["snf-locatie"]
    del purpose["standing_questions"]
    with pytest.raises(ClientError, match="lets no question stand") as caught:
        watched(world)
    assert (caught.value.code, caught.value.exit_code) == ("WATCH_NOT_ALLOWED", Exit.POLICY_DENIED)
    purpose["standing_questions"] = {"days": 60}
    purpose["answers_live"] = ["snf"]
    with pytest.raises(ClientError, match="answers live and publishes no register"):
        watched(world)
    assert world.broker.debits == 0


def test_a_denied_first_question_is_not_watched(world):
    world.broker.deny["snf"] = Check("requests-per-day", False, "requests permitted earlier today: 50", "")
    utrecht = world.participant("utrecht")
    watch, _ = begin(utrecht, PLAN, SOURCE, read(), name="", out="")
    assert watch is None
    assert utrecht.keystore.record_names(KIND) == ()


def test_names(world):
    watched(world)
    utrecht = world.participant("utrecht")
    for name, code in (("beds", "WATCH_EXISTS"), ("../beds", "USAGE"), ("Beds", "USAGE"), ("x" * 41, "USAGE")):
        with pytest.raises(ClientError) as caught:
            begin(utrecht, PLAN, SOURCE, read(), name=name, out="")
        assert caught.value.code == code
    for name in ("nothing", "../epochs/x", ""):
        with pytest.raises(ClientError) as caught:
            load(utrecht.keystore, name)
        assert caught.value.code == "WATCH_UNKNOWN"


def test_a_broker_out_of_reach_leaves_it_as_it_is(world):
    watched(world)
    register(world, {BAGS[0]: 9})
    utrecht = world.participant("utrecht")
    utrecht.transport.fail["match"] = [refused("LOG_UNAVAILABLE", "later", Exit.BROKER_UNREACHABLE)]
    with pytest.raises(ClientError):
        look(utrecht, load(utrecht.keystore, "beds"), lambda _: read())
    assert len(looked(world)[1]) == 1
