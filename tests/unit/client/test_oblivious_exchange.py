"""Mode oblivious through the client: publish, ask, ask again without an evaluation, subject access, and the end."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from fake_broker import ORIGIN, World
from sluis_client.ask import Plan, ask
from sluis_client.custody import create_epoch, epoch_key, init_encryption_key
from sluis_client.destruction import destroy_due, ended
from sluis_client.errors import ClientError
from sluis_client.evaluations import kept_caches
from sluis_client.making import context_of_kept, maker_of, maker_of_kept
from sluis_client.publish import Plan as PublishPlan
from sluis_client.publish import prepare, publish, publish_open
from sluis_client.schemes import SCHEMES
from sluis_client.secret import Secret
from sluis_client.subject import pseudonyms_of
from sluis_client.tables import normalise_table, read_table
from sluis_client.transport import Check, Want

BAGS = [f"034401{number:010d}" for number in range(30)]
QUESTION = Plan("persons", "bag", ("snf",), Want(hit=True, attributes=("beds",)))


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    for name in ("snf", "utrecht", "someren"):
        init_encryption_key(made.participant(name))
    create_epoch(made.participant("snf"), "persons")
    return made


def register(me, numbers=range(20)):
    source = read_table("\n".join(["bag;beds", *(f"{BAGS[n]};{n}" for n in numbers)]).encode())
    plan = PublishPlan("persons", "bag", datetime(2026, 11, 19, 23, tzinfo=UTC), "all")
    return publish(me, plan, prepare(me.purpose("persons"), plan, source), sleep=lambda _: None)


def rows(numbers):
    text = "\n".join(["bag", *(BAGS[n] for n in numbers)])
    return normalise_table(read_table(text.encode()), SCHEMES["bag"])


def spent(world):
    return {name: service.spent for name, service in world.key_services.items()}


def calls(world):
    return [service.calls for service in world.key_services.values()]


def test_hits_and_sealed_attributes_and_a_later_exchange_without_any_evaluation(world):
    register(world.participant("snf"))
    assert spent(world) == {"oost": 20, "sluis": 20}
    (answer,) = ask(world.participant("utrecht"), QUESTION, rows(range(15, 25))).answers
    assert {row.position: row.values["beds"] for row in answer.rows} == {n: str(15 + n) for n in range(5)}
    assert spent(world) == {"oost": 30, "sluis": 30}
    before = calls(world)
    # another process, the same subjects and fewer, another question; and the register once more
    (again,) = ask(world.participant("utrecht"), QUESTION, rows(range(18, 25)), anew=True).answers
    assert again.hits == 2
    register(world.participant("snf"), range(19))
    assert calls(world) == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"limits": {"subjects_per_request": 2}}, "3 subjects, and the purpose allows 2 in a question"),
        ({"attributes": {}}, "not among its attributes: beds"),
        ({"hit": False}, "hits may not be learned"),
        ({"case_number_required": True}, "it requires --case-number"),
        ({"cooperation_ref_required": True}, "it requires --cooperation-ref"),
        ({"state": "suspended"}, "only an active purpose permits"),
    ],
)
def test_a_question_that_the_verified_policy_denies_costs_no_evaluation(world, monkeypatch, change, said):
    me = world.participant("utrecht")
    view = replace(me.purpose("persons"), **change)
    monkeypatch.setattr(me, "purpose", lambda _: view)
    with pytest.raises(ClientError, match=said) as caught:
        ask(me, QUESTION, rows(range(3)))
    assert (caught.value.code, caught.value.exit_code) == ("WOULD_BE_DENIED", 5)
    assert spent(world) == {"oost": 0, "sluis": 0}


def test_a_question_that_the_gate_would_deny_costs_no_evaluation(world):
    world.broker.deny["snf"] = Check("requests-per-day", False, "the budget of the day is spent", "a.yaml:1")
    me = world.participant("utrecht")
    with pytest.raises(ClientError, match=r"persons would deny this question: requests-per-day\. Nothing") as caught:
        ask(me, QUESTION, rows(range(3)))
    assert (caught.value.code, caught.value.exit_code) == ("WOULD_BE_DENIED", 5)
    assert spent(world) == {"oost": 0, "sluis": 0}
    del world.broker.deny["snf"]
    ask(me, QUESTION, rows(range(3)))
    world.broker.deny["snf"] = Check("requests-per-day", False, "the budget of the day is spent", "a.yaml:1")
    (denied,) = ask(me, QUESTION, rows(range(2))).answers  # nothing is to be evaluated: the gate says it, and logs it
    assert denied.status == "DENIED"


def test_nothing_is_spent_under_a_key_that_was_replaced(world, monkeypatch):
    me = world.participant("snf")
    first = me.transport.epoch
    monkeypatch.setattr(me.transport, "epoch", lambda *named: replace(first(*named), newest="2026-11.2"))
    with pytest.raises(ClientError) as caught:
        ask(me, replace(QUESTION, epoch="2026-11"), rows(range(3)))
    assert caught.value.code == "EPOCH_RETIRED"
    with pytest.raises(ClientError) as caught:
        register(me)
    assert caught.value.code in ("EPOCH_RETIRED", "EPOCH_UNKNOWN")
    assert spent(world) == {"oost": 0, "sluis": 0}


def test_a_register_is_not_made_ahead_of_its_epoch(world):
    snf = world.participant("snf")
    create_epoch(snf, "persons", "2026-12")
    source = read_table(f"bag;beds\n{BAGS[0]};1".encode())
    plan = PublishPlan("persons", "bag", datetime(2026, 11, 19, 23, tzinfo=UTC), "all")
    done = publish_open(snf, plan, prepare(snf.purpose("persons"), plan, source), sleep=lambda _: None)
    assert [one.register.name for one in done] == ["snf/persons/2026-11/bag"]


def test_two_agencies_get_one_pseudonym_which_neither_k_nor_one_service_gives(world):
    made = []
    for name in ("snf", "utrecht"):
        me = world.participant(name)
        context, key = epoch_key(me, me.purpose("persons"))
        made.append(maker_of(me, me.purpose("persons"), context, key.key, "bag/1").columns([((BAGS[0],),)], 1)[0])
    assert made[0] == made[1]
    other = world.key_services["oost"]
    other.key = type(other)("another seed", "2026-11").key
    someren = world.participant("someren")
    context, key = epoch_key(someren, someren.purpose("persons"))
    with pytest.raises(ClientError) as caught:
        maker_of(someren, someren.purpose("persons"), context, key.key, "bag/1").columns([((BAGS[0],),)], 1)
    assert caught.value.code == "SERVICE_KEY_WRONG"


def test_the_mode_of_a_kept_key_shows_in_its_key_id(world):
    me = world.participant("snf")
    _, kept = epoch_key(me, me.purpose("persons"))
    assert context_of_kept(kept, ORIGIN, "test").mode == "oblivious"
    with pytest.raises(ClientError) as caught:
        context_of_kept(kept, ORIGIN, "production")
    assert caught.value.code == "KEY_ID_WRONG"


def test_past_epochs_know_what_was_evaluated_and_ask_nobody(world):
    me = world.participant("utrecht")
    view = me.purpose("persons")
    context, kept = epoch_key(me, view)
    known = maker_of(me, view, context, kept.key, "bag/1").columns([((BAGS[0],),)], 1)
    before = calls(world)
    over = replace(kept, valid_until=me.now() - timedelta(seconds=1))
    assert maker_of_kept(me, over, "bag/1").columns([((BAGS[0],),)], 1) == known
    with pytest.raises(ClientError) as caught:
        maker_of_kept(me, over, "bag/1").columns([((BAGS[1],),)], 1)
    assert caught.value.code == "NOT_EVALUATED"
    assert pseudonyms_of(me, over, SCHEMES["bag"], ((BAGS[0],),)) == known
    assert pseudonyms_of(me, over, SCHEMES["bag"], ((BAGS[1],),)) is None
    assert calls(world) == before


def test_a_replaced_key_knows_what_was_evaluated_and_asks_nobody(world):
    me = world.participant("utrecht")
    view = me.purpose("persons")
    context, kept = epoch_key(me, view)
    known = maker_of(me, view, context, kept.key, "bag/1").columns([((BAGS[0],),)], 1)
    me.keystore.keep_epoch_key(replace(kept, epoch=f"{kept.epoch}.2", key=Secret(bytes(32)), key_id="ab" * 16))
    before = calls(world)
    assert pseudonyms_of(me, kept, SCHEMES["bag"], ((BAGS[0],),)) == known
    assert pseudonyms_of(me, kept, SCHEMES["bag"], ((BAGS[1],),)) is None
    assert calls(world) == before


def test_evaluations_end_with_k(world, monkeypatch):
    me = world.participant("utrecht")
    view = me.purpose("persons")
    context, kept = epoch_key(me, view)
    maker_of(me, view, context, kept.key, "bag/1").columns([((BAGS[0],),)], 1)
    assert kept_caches(me.keystore) == (("persons", "2026-11"),)
    due = kept.valid_until + timedelta(days=view.vault_keep_days)
    monkeypatch.setattr(me, "now", lambda: due - timedelta(days=2))
    assert destroy_due(me) == ()
    assert kept_caches(me.keystore) != ()
    monkeypatch.setattr(me, "now", lambda: due + timedelta(days=2))
    # what is then said in the log is another test's
    monkeypatch.setattr("sluis_client.destruction._say", lambda me, name: me.keystore.record("ended", name))
    (end,) = destroy_due(me)
    assert (end["purpose"], end["epoch"], end["destroyed"], end["caches"] > 1) == ("persons", "2026-11", True, True)
    assert kept_caches(me.keystore) == ()


def test_a_destruction_that_was_cut_off_never_says_of_a_key_that_is_there_that_it_is_gone(world, monkeypatch):
    me = world.participant("utrecht")
    _, kept = epoch_key(me, me.purpose("persons"))
    due = kept.valid_until + timedelta(days=me.purpose("persons").vault_keep_days + 2)
    said = []
    monkeypatch.setattr("sluis_client.destruction._say", lambda me, name: said.append(name))

    def cut(*_):
        raise KeyboardInterrupt

    # the clock runs ahead, and the run is killed between the note and the key
    with monkeypatch.context() as patched:
        patched.setattr(me, "now", lambda: due)
        patched.setattr(me.keystore, "destroy_epoch_key", cut)
        with pytest.raises(KeyboardInterrupt):
            destroy_due(me)
    assert me.keystore.epoch_key("persons", "2026-11") is not None
    destroy_due(me)
    assert (said, ended(me.keystore)) == ([], ())
    # killed right behind the key: the next run ends it, and says so
    monkeypatch.setattr(me, "now", lambda: due)
    with monkeypatch.context() as patched:
        patched.setattr(me.keystore, "drop_record", cut)
        with pytest.raises(KeyboardInterrupt):
            destroy_due(me)
    assert me.keystore.epoch_key("persons", "2026-11") is None
    destroy_due(me)
    assert said == ["persons.2026-11"]
    assert [(one.purpose, one.epoch) for one in ended(me.keystore)] == [("persons", "2026-11")]
    assert me.keystore.record_names("due") == ()


def test_no_way_to_a_service_is_told(world):
    me = world.participant("utrecht")
    me._connect = None
    view = me.purpose("persons")
    context, kept = epoch_key(me, view)
    with pytest.raises(ClientError) as caught:
        maker_of(me, view, context, kept.key, "bag/1").columns([((BAGS[0],),)], 1)
    assert caught.value.code == "KEY_SERVICE_UNKNOWN"
