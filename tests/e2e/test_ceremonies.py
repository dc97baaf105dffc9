"""The ceremonies of docs/keys.md, real client against real broker: the turn of an epoch, and keys that end."""

from __future__ import annotations

import shutil
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import yaml
from both_verifiers import verified_by_both
from cryptography import x509
from sluis_client import ask, publish
from sluis_client.custody import create_epoch, fetch_epoch, init_encryption_key
from sluis_client.destruction import destroy_due, ended, keep_until, overdue
from sluis_client.epoch_choice import open_names
from sluis_client.errors import ClientError, Exit
from sluis_client.key_states import key_states
from sluis_client.rotation import rotate, rotate_now
from sluis_client.subject import _without_key
from sluis_client.tables import read_table
from test_agency import BAGS, PURPOSE, agency, locations, question, write_profile
from world import World, make_world, policy_texts

pytestmark = pytest.mark.slow

TURN = datetime(2026, 12, 31, 23, 0, tzinfo=UTC)
"""Midnight in Amsterdam: 2027Q1 begins."""
PARTIES = ("snf", "utrecht", "someren")
FILE = "purposes/snf-locatie.yaml"


def texts(pseudonyms: str = "steward: snf, successors: [utrecht], overlap_days: 7", **others: str) -> dict[str, str]:
    made = policy_texts()
    made[FILE] = made[FILE].replace("steward: snf", pseudonyms)
    for old, new in others.items():
        assert old in made[FILE]
        made[FILE] = made[FILE].replace(old, new)
    return made


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = make_world(tmp_path, texts(), start=TURN - timedelta(days=10))
    made.start()
    for party in PARTIES:
        write_profile(made, party)
        init_encryption_key(agency(made, party))
    yield made
    made.stop()


def put_in_force(world: World, rows: int = 20) -> tuple[str, ...]:
    me = agency(world, "snf")
    plan = publish.Plan(PURPOSE, "bag", world.clock.now() - timedelta(days=2), "all", columns={"bag": "BAG-id"})
    prepared = publish.prepare(me.purpose(PURPOSE), plan, read_table(locations(rows)))
    return tuple(done.register.name for done in publish.publish_open(me, plan, prepared))


def asks(world: World, party: str = "utrecht", bags: list[str] | None = None) -> ask.Asked:
    return ask.ask(agency(world, party), *question(bags or BAGS[:5]))


def outcome(asked: ask.Asked) -> tuple[str, str]:
    (answer,) = asked.answers
    return asked.posed.context.epoch, answer.status


def move(world: World, at: datetime) -> None:
    """To another time, at which the operator has a fresh revocation list."""
    world.clock.at = at
    (world.pki / "ca.crl").write_bytes(world.authority.revocation_list(this_update=at - timedelta(hours=1)))
    assert world.broker is not None
    world.broker.reload_directory()
    if at > TURN + timedelta(days=300):  # and the policy set was signed anew
        world.write_bundle(texts(), revision=int(at.timestamp()))
        world.broker._look_at_policy(again=True)


def code_of(call: object, *arguments: object) -> str:
    with pytest.raises(ClientError) as caught:
        call(*arguments)
    return caught.value.code


def test_the_turn_of_an_epoch_leaves_no_gap_and_loses_no_question(world: World) -> None:
    create_epoch(agency(world, "snf"), PURPOSE)
    assert put_in_force(world) == ("snf/snf-locatie/2026Q4/bag",)
    ahead = rotate(agency(world, "snf"), PURPOSE)
    assert (ahead.key.epoch, ahead.recipients) == ("2027Q1", ("snf", "someren", "utrecht"))
    assert not rotate(agency(world, "snf"), PURPOSE).changed
    assert put_in_force(world) == ("snf/snf-locatie/2026Q4/bag", "snf/snf-locatie/2027Q1/bag")
    assert outcome(asks(world)) == ("2026Q4", "ANSWERED")

    # under load: four askers go on while the clock passes the turn
    move(world, TURN - timedelta(milliseconds=1))
    seen: list[tuple[str, str]] = []
    failed: list[BaseException] = []

    def load(number: int) -> None:
        try:
            for at in range(6):
                asked = asks(world, "utrecht", BAGS[number * 100 + at : number * 100 + at + 3])
                seen.append(outcome(asked))
        except BaseException as error:  # told by the test's own thread
            failed.append(error)

    threads = [threading.Thread(target=load, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    while len(seen) < 4 and not failed:
        time.sleep(0.01)
    while world.clock.at < TURN:  # a reading under way may put the clock back
        world.clock.at = TURN + timedelta(seconds=1)
        time.sleep(0.01)
    for thread in threads:
        thread.join()
    assert not failed, failed
    assert len(seen) == 12
    assert {status for _, status in seen} == {"ANSWERED"}
    assert {epoch for epoch, _ in seen} == {"2026Q4", "2027Q1"}

    move(world, TURN + timedelta(days=7))
    assert outcome(asks(world)) == ("2027Q1", "ANSWERED")
    plan, table = question(BAGS[:5])
    (late,) = ask.ask(agency(world, "utrecht"), replace(plan, epoch="2026Q4"), table).answers
    assert late.status == "DENIED"
    assert [check.id for check in late.decision.checks if not check.met] == ["epoch"]
    verified_by_both(world)


def test_an_asker_is_told_when_an_answerer_is_late_and_the_old_epoch_answers(world: World) -> None:
    create_epoch(agency(world, "snf"), PURPOSE)
    put_in_force(world)
    rotate(agency(world, "snf"), PURPOSE)
    move(world, TURN + timedelta(days=2))
    lying = agency(world, "snf")
    told = lying.transport.epoch
    for name in ("2026Q3", "2026Q4.2", "2027Q2.7", "../../x"):  # a broker cannot have anybody publish elsewhere
        lying.transport.epoch = lambda purpose, epoch, name=name: replace(told(purpose, epoch), newest=name, next=name)
        assert set(open_names(lying, lying.purpose(PURPOSE))) <= {"2026Q4", "2026Q4.2", "2027Q1"}
    asked = asks(world)
    assert outcome(asked) == ("2026Q4", "ANSWERED")
    assert asked.note == ("asked under 2026Q4, which still overlaps with 2027Q1: not yet published for 2027Q1: snf")
    assert set(put_in_force(world)) == {"snf/snf-locatie/2027Q1/bag", "snf/snf-locatie/2026Q4/bag"}
    asked = asks(world)
    assert (outcome(asked), asked.note) == (("2027Q1", "ANSWERED"), "")


def test_a_question_cut_off_around_the_turn_is_repeated_under_its_own_epoch(world: World) -> None:
    create_epoch(agency(world, "snf"), PURPOSE)
    put_in_force(world)
    rotate(agency(world, "snf"), PURPOSE)
    move(world, TURN - timedelta(seconds=5))
    first = ask.ask(agency(world, "utrecht"), *question(BAGS[:5]), keep_open=True)
    move(world, TURN + timedelta(minutes=1))
    put_in_force(world)
    fetch_epoch(agency(world, "utrecht"), PURPOSE)
    again = asks(world)
    assert (again.repeated, again.request_id, outcome(again)) == (True, first.request_id, ("2026Q4", "ANSWERED"))
    assert outcome(asks(world)) == ("2027Q1", "ANSWERED")


def test_a_leaked_key_is_retired_at_once_and_another_takes_its_place(world: World) -> None:
    create_epoch(agency(world, "snf"), PURPOSE)
    put_in_force(world)
    assert outcome(asks(world)) == ("2026Q4", "ANSWERED")
    assert code_of(rotate_now, agency(world, "someren"), PURPOSE, "leak") == "NOT_STEWARD"
    assert code_of(rotate_now, agency(world, "snf"), PURPOSE, "boredom") == "USAGE"
    old = agency(world, "snf").keystore.epoch_key(PURPOSE, "2026Q4")
    made = rotate_now(agency(world, "snf"), PURPOSE, "leak")
    assert (made.key.epoch, made.recipients) == ("2026Q4.2", ("snf", "someren", "utrecht"))
    assert old is not None
    assert made.key.key_id != old.key_id
    # an asker that still has the old key: refused, and by itself on to the new one, under which nobody published yet
    plan, table = question(BAGS[:5])
    assert code_of(ask.ask, agency(world, "utrecht"), replace(plan, epoch="2026Q4"), table) == "EPOCH_RETIRED"
    assert outcome(asks(world)) == ("2026Q4.2", "NO_REGISTER")
    assert put_in_force(world) == ("snf/snf-locatie/2026Q4.2/bag",)
    assert outcome(asks(world)) == ("2026Q4.2", "ANSWERED")
    me = agency(world, "snf")
    late = publish.Plan(PURPOSE, "bag", world.clock.now(), "all", epoch="2026Q4", columns={"bag": "BAG-id"})
    prepared = publish.prepare(me.purpose(PURPOSE), late, read_table(locations(3)))
    assert code_of(publish.publish, me, late, prepared) == "EPOCH_RETIRED"
    # the old key is still had from its envelope: for subject access, as long as its questions are kept
    assert fetch_epoch(agency(world, "utrecht"), PURPOSE, "2026Q4").key_id == old.key_id
    # and a third, made by a successor after the steward's two
    assert rotate_now(agency(world, "utrecht"), PURPOSE, "precaution").key.epoch == "2026Q4.3"
    assert code_of(create_epoch, agency(world, "snf"), PURPOSE, "2026Q4.5") == "STATEMENT_INVALID"
    missing = [one["epoch"] for one in _without_key(agency(world, "someren"), PURPOSE, set(), 30)]
    assert missing == ["2026Q4", "2026Q4.2", "2026Q4.3"]
    put_in_force(world)
    agency(world, "snf").transport.withdraw(str(uuid.uuid4()), "snf/snf-locatie/2026Q4.3/bag")
    assert outcome(asks(world)) == ("2026Q4.3", "NO_REGISTER")
    # the thief may have the one made ahead too
    rotate(agency(world, "snf"), PURPOSE)
    assert rotate_now(agency(world, "snf"), PURPOSE, "leak", "2027Q1").key.epoch == "2027Q1.2"
    assert put_in_force(world)[1] == "snf/snf-locatie/2027Q1.2/bag"
    verified_by_both(world)


def test_a_rotation_that_is_cut_off_between_its_two_steps_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_epoch(agency(world, "snf"), PURPOSE)
    snf = agency(world, "snf")

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(snf.transport, "publish_epoch", cut)
    with pytest.raises(KeyboardInterrupt):
        rotate_now(snf, PURPOSE, "leak")
    assert code_of(asks, world) == "EPOCH_UNKNOWN"
    assert rotate_now(agency(world, "snf"), PURPOSE, "leak").key.epoch == "2026Q4.2"
    verified_by_both(world)


def test_a_party_joins_midway_and_another_leaves(world: World) -> None:
    create_epoch(agency(world, "snf"), PURPOSE)
    put_in_force(world)
    write_profile(world, "tilburg")
    assert code_of(fetch_epoch, agency(world, "tilburg"), PURPOSE) == "ENCRYPTION_KEY_MISSING"
    init_encryption_key(agency(world, "tilburg"))
    assert code_of(fetch_epoch, agency(world, "tilburg"), PURPOSE) == "EPOCH_REFUSED"
    again = create_epoch(agency(world, "snf"), PURPOSE)
    assert (again.changed, "tilburg" in again.recipients) == (True, True)
    assert outcome(asks(world, "tilburg")) == ("2026Q4", "ANSWERED")
    # utrecht leaves: its right to ask ends with the policy, its key with the next epoch
    left = texts(**{"asks: [municipalities]": "asks: [someren, tilburg]", ", successors: [utrecht]": ""})
    world.write_bundle(left, revision=2)
    assert world.broker is not None
    world.broker._look_at_policy(again=True)
    assert code_of(asks, world, "utrecht") in ("NOT_PARTICIPANT", "PURPOSE_UNKNOWN")
    made = rotate(agency(world, "snf"), PURPOSE)
    assert made.recipients == ("snf", "someren", "tilburg")
    assert code_of(fetch_epoch, agency(world, "utrecht"), PURPOSE, "2027Q1") == "PURPOSE_UNKNOWN"
    assert put_in_force(world)[-1] == "snf/snf-locatie/2027Q1/bag"
    verified_by_both(world)


def test_a_lost_steward_is_recovered_from_by_its_successor(world: World) -> None:
    write_profile(world, "tilburg")
    create_epoch(agency(world, "snf"), PURPOSE)
    held = fetch_epoch(agency(world, "utrecht"), PURPOSE)
    put_in_force(world)
    init_encryption_key(agency(world, "tilburg"))
    # the steward is gone; its successor hands on the same key, in its own name
    assert code_of(create_epoch, agency(world, "someren"), PURPOSE) == "NOT_STEWARD"
    sealed = create_epoch(agency(world, "utrecht"), PURPOSE)
    assert (sealed.key.key_id, "tilburg" in sealed.recipients) == (held.key_id, True)
    got = fetch_epoch(agency(world, "tilburg"), PURPOSE)
    assert (got.key_id, got.steward) == (held.key_id, "utrecht")
    assert outcome(asks(world, "tilburg")) == ("2026Q4", "ANSWERED")
    # and makes the next one
    assert rotate(agency(world, "utrecht"), PURPOSE).key.steward == "utrecht"
    assert fetch_epoch(agency(world, "snf"), PURPOSE, "2027Q1").steward == "utrecht"
    verified_by_both(world)


def test_a_key_is_destroyed_at_the_end_of_its_escrow_logged_and_again_after_a_restore(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_epoch(agency(world, "snf"), PURPOSE)
    key = fetch_epoch(agency(world, "utrecht"), PURPOSE)
    put_in_force(world)
    assert outcome(asks(world)) == ("2026Q4", "ANSWERED")
    home = world.directory / "utrecht"
    shutil.copytree(home / "state", home / "backup")
    me = agency(world, "utrecht")
    cache = me.keystore.named_key(f"evaluations.{PURPOSE}.2026Q4")
    assert cache is not None
    ends = TURN + timedelta(days=7 + 730)
    assert key.escrow_until == ends
    move(world, ends - timedelta(seconds=30))
    assert fetch_epoch(agency(world, "someren"), PURPOSE, "2026Q4", past=True).key_id == key.key_id
    assert code_of(fetch_epoch, agency(world, "someren"), PURPOSE, "2026Q4") == "EPOCH_REFUSED"
    assert destroy_due(agency(world, "utrecht")) == ()
    assert [one.state for one in key_states(agency(world, "utrecht"))] == ["escrow"]
    move(world, ends)
    me = agency(world, "utrecht")
    assert overdue(me.keystore, me.now())

    def cut(*_: object) -> None:
        raise ClientError("UNAVAILABLE", "the line went dead", Exit.BROKER_UNREACHABLE)

    monkeypatch.setattr(me.transport, "end_key", cut)
    assert code_of(destroy_due, me) == "UNAVAILABLE"
    file = home / "state" / "epochs" / f"{PURPOSE}.2026Q4"
    assert (file.exists(), me.keystore.named_keys()) == (False, ())
    (done,) = destroy_due(agency(world, "utrecht"))
    assert (done.purpose, done.epoch, done.key_id, done.caches) == (PURPOSE, "2026Q4", key.key_id, 1)
    assert done.index is not None
    assert not overdue(me.keystore, world.clock.now())
    assert code_of(partial(fetch_epoch, past=True), agency(world, "utrecht"), PURPOSE, "2026Q4") == "EPOCH_REFUSED"
    assert agency(world, "utrecht").transport.epoch(PURPOSE, "2026Q4").envelope
    assert world.broker is not None
    world.broker._drop_envelopes()
    assert not agency(world, "utrecht").transport.epoch(PURPOSE, "2026Q4").envelope
    # a backup brings the key back, and forgets that it was destroyed
    shutil.rmtree(home / "state")
    shutil.copytree(home / "backup", home / "state")
    assert file.exists()
    me = agency(world, "utrecht")
    assert overdue(me.keystore, me.now())
    (again,) = destroy_due(me)
    assert (again.index, file.exists()) == (done.index, False)
    assert [one.index for one in ended(me.keystore)] == [done.index]
    verified_by_both(world)


def test_a_key_under_a_hold_is_kept_longer_and_a_raised_term_is_heeded(world: World) -> None:
    create_epoch(agency(world, "snf"), PURPOSE)
    fetch_epoch(agency(world, "utrecht"), PURPOSE)
    ends = TURN + timedelta(days=7 + 730)
    held = keep_until(agency(world, "utrecht"), PURPOSE, "2026Q4", ends + timedelta(days=100))
    assert keep_until(agency(world, "utrecht"), PURPOSE, "2026Q4", ends).escrow_until == held.escrow_until
    move(world, ends + timedelta(days=1))
    assert destroy_due(agency(world, "utrecht")) == ()
    (gone,) = destroy_due(agency(world, "snf"))
    assert gone.epoch == "2026Q4"


def test_a_replaced_encryption_key_goes_once_nothing_is_sealed_to_it(world: World) -> None:
    create_epoch(agency(world, "snf"), PURPOSE)
    old = agency(world, "utrecht").keystore.encryption_key()
    assert old is not None
    assert init_encryption_key(agency(world, "utrecht"), renew=True).digest != old.digest
    # K was not fetched yet: its envelope is sealed to the old key, which therefore stays
    assert destroy_due(agency(world, "utrecht")) == ()
    fetch_epoch(agency(world, "utrecht"), PURPOSE)
    (gone,) = destroy_due(agency(world, "utrecht"))
    assert (gone.what, gone.key_id) == ("encryption-key-destroyed", old.digest)
    assert agency(world, "utrecht").keystore.replaced_encryption_keys() == ()
    assert create_epoch(agency(world, "snf"), PURPOSE).changed
    verified_by_both(world)


def pinned(world: World, **changes: object) -> None:
    """The operator edits broker.yaml while the broker runs."""
    file = world.directory / "broker.yaml"
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    for name, paths in changes.items():
        document[name] = {**document.get(name, {}), **paths}
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    assert world.broker is not None
    world.broker.reload_directory()


def sign_with(world: World, party: str, name: str, tls: str = "") -> None:
    """The party's profile: another certificate for statements, and perhaps for the connection."""
    file = world.directory / party / "sluis-client.yaml"
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    document |= {"signing_certificate": f"../pki/{name}.pem", "signing_key": f"../pki/{name}.key"}
    if tls:
        document |= {"certificate": f"../pki/{tls}.pem", "private_key": f"../pki/{tls}.key"}
    file.write_text(yaml.safe_dump(document), encoding="utf-8")


def test_certificates_are_renewed_with_both_pinned_for_a_while_and_signing_apart(world: World) -> None:
    create_epoch(agency(world, "snf"), PURPOSE)
    put_in_force(world)
    oin = world.parties["snf"]
    for name in ("snf-new", "snf-sign", "snf-sign-new"):
        world.issue(name, oin)
    # a renewed certificate is pinned beside the old one, without a restart; for a while both connect and sign
    write_profile(world, "snf")
    sign_with(world, "snf", "snf-new", tls="snf-new")
    assert code_of(put_in_force, world) == "CERTIFICATE_UNKNOWN"
    pinned(world, parties={"snf": ["pki/snf.pem", "pki/snf-new.pem"]})
    put_in_force(world)
    sign_with(world, "snf", "snf", tls="snf")
    put_in_force(world)
    pinned(world, parties={"snf": ["pki/snf-new.pem"]})
    assert code_of(put_in_force, world) == "CERTIFICATE_UNKNOWN"
    # signing apart: the key of the connection signs no more, and that for signing does not connect
    pinned(world, signing={"snf": ["pki/snf-sign.pem"]})
    sign_with(world, "snf", "snf-new", tls="snf-new")
    assert code_of(put_in_force, world) == "SIGNATURE_WRONG"
    sign_with(world, "snf", "snf-sign", tls="snf-sign")
    assert code_of(put_in_force, world) == "CERTIFICATE_UNKNOWN"
    sign_with(world, "snf", "snf-sign", tls="snf-new")
    put_in_force(world)
    assert outcome(asks(world)) == ("2026Q4", "ANSWERED")
    # and that is renewed in the same way, until it is revoked
    pinned(world, signing={"snf": ["pki/snf-sign.pem", "pki/snf-sign-new.pem"]})
    put_in_force(world)
    sign_with(world, "snf", "snf-sign-new", tls="snf-new")
    put_in_force(world)
    assert outcome(asks(world)) == ("2026Q4", "ANSWERED")
    serial = x509.load_pem_x509_certificate((world.pki / "snf-sign-new.pem").read_bytes()).serial_number
    crl = world.authority.revocation_list(this_update=world.clock.at, revoked=[serial])
    (world.pki / "ca.crl").write_bytes(crl)
    pinned(world)
    assert code_of(put_in_force, world) == "SIGNATURE_WRONG"
    sign_with(world, "snf", "snf-sign", tls="snf-new")
    put_in_force(world)
    # the encryption key is signed anew under the new certificate; what was sealed to it still opens
    world.clock.at += timedelta(minutes=1)
    init_encryption_key(agency(world, "snf"))
    assert create_epoch(agency(world, "snf"), PURPOSE).changed
    assert agency(world, "snf").keystore.destroy_epoch_key(PURPOSE, "2026Q4")
    assert fetch_epoch(agency(world, "snf"), PURPOSE).steward == "snf"
    assert destroy_due(agency(world, "snf")) == ()
    # a file half edited takes nobody's certificates away
    (world.directory / "broker.yaml").write_text("origin: [", encoding="utf-8")
    assert world.broker is not None
    world.broker.reload_directory()
    put_in_force(world)
    verified_by_both(world)


def test_a_register_under_way_when_its_key_is_retired_does_not_come_in_force(world: World) -> None:
    create_epoch(agency(world, "snf"), PURPOSE)
    me = agency(world, "snf")
    plan = publish.Plan(PURPOSE, "bag", world.clock.now(), "all", epoch="2026Q4", columns={"bag": "BAG-id"})
    prepared = publish.prepare(me.purpose(PURPOSE), plan, read_table(locations(3)))
    seal = me.transport.seal

    def late(*arguments: object) -> object:
        rotate_now(agency(world, "snf"), PURPOSE, "leak")
        return seal(*arguments)  # type: ignore[arg-type]

    me.transport.seal = late  # type: ignore[method-assign,assignment]
    assert code_of(publish.publish, me, plan, prepared) == "EPOCH_RETIRED"
    verified_by_both(world)
