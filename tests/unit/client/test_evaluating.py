"""Evaluations: what is known costs nothing, what was begun is ended with the same bytes, and quota comes first."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest
from key_services import FakeKeyService
from sluis_client.canonical import unpack_presence
from sluis_client.errors import ClientError, Exit
from sluis_client.evaluating import Evaluating
from sluis_client.evaluations import FOLDER, EvaluationCache, destroy_cache, kept_caches
from sluis_client.key_services import Pins, pins_of
from sluis_client.keystore import Keystore
from sluis_client.oblivious import Derivation, ObliviousPseudonymiser
from sluis_client.policy import ServiceView
from sluis_client.pseudonymise import Context
from sluis_client.secret import Secret, hkdf

PURPOSE, EPOCH = "nla-verzoek-persoon", "2026-11"
CONTEXT = Context("sluis.example/test", "test", PURPOSE, EPOCH, "oblivious")
NAMES = ("oost", "sluis")


def row(number: int) -> bytes:
    return number.to_bytes(4, "big") * 8


class World:
    """An agency with two key services."""

    def __init__(self, folder, **options):
        self.keystore = Keystore(folder / "state")
        self.services = {name: FakeKeyService(name, EPOCH, **options) for name in NAMES}
        self.derivation = Derivation(Secret(b"k" * 32), CONTEXT, NAMES)
        self.told = []

    def cache(self, bound=("x",)):
        return EvaluationCache(self.keystore, PURPOSE, EPOCH, bound)

    def evaluating(self, cache=None):
        pins = Pins(EPOCH, {name: service.public_key for name, service in self.services.items()})

        def told(needed, budgets):
            self.told.append((needed, [one.left for one in budgets]))

        return Evaluating(self.derivation, pins, cache or self.cache(), self.services.__getitem__, told=told, threads=2)

    def spent(self):
        return [service.spent for service in self.services.values()]


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def expected(world, x):
    outputs = [world.services[name].key.evaluate_known_input(x) for name in NAMES]
    return hkdf(b"".join(outputs), world.derivation._y)


def test_values_are_those_of_rfc_9497_by_another_library_and_cost_once(world):
    inputs = [row(number) for number in range(40)]
    found = world.evaluating()(inputs)
    assert found == {x: expected(world, x) for x in inputs}
    assert world.spent() == [40, 40]
    calls = [service.calls for service in world.services.values()]
    assert world.evaluating()(inputs[5:30]) == {x: found[x] for x in inputs[5:30]}
    assert [service.calls for service in world.services.values()] == calls
    assert [service.asked for service in world.services.values()] == [1, 1]
    assert world.evaluating()([*inputs, row(99)]) == {**found, row(99): expected(world, row(99))}
    assert world.spent() == [41, 41]
    assert world.told == [(40, [100_000, 100_000]), (1, [99_960, 99_960])]


def test_batches_are_no_larger_than_a_service_takes(tmp_path):
    world = World(tmp_path, per_request=7)
    world.evaluating()([row(number) for number in range(20)])
    assert [service.calls for service in world.services.values()] == [3, 3]


@pytest.mark.parametrize("per_request", [0, -1])
def test_a_service_that_takes_no_elements_at_all_is_asked_one_by_one(tmp_path, per_request):
    world = World(tmp_path, per_request=per_request)
    world.evaluating()([row(1), row(2)])
    assert [service.calls for service in world.services.values()] == [2, 2]


def test_a_run_that_does_not_fit_spends_nothing_and_says_what_to_do(tmp_path):
    world = World(tmp_path)
    world.services["sluis"].limit = 9
    with pytest.raises(ClientError) as caught:
        world.evaluating()([row(number) for number in range(10)])
    assert caught.value.code == "QUOTA_SPENT"
    assert "10 evaluations are needed, and sluis has 9 of 9 left until 2026-12-01" in caught.value.message
    assert world.spent() == [0, 0]
    assert world.told == []
    assert world.evaluating()([row(number) for number in range(9)])


class Killed(BaseException):
    """The process is gone."""


def raiser(error):
    def fail():
        raise error

    return fail


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("error", [ClientError("BROKER_UNREACHABLE", "gone", Exit.BROKER_UNREACHABLE), Killed()])
def test_a_run_that_is_cut_off_goes_on_with_the_same_bytes_and_debits_nothing_twice(tmp_path, moment, name, error):
    world = World(tmp_path, per_request=5)
    inputs = [row(number) for number in range(23)]
    setattr(world.services[name], moment, raiser(error))
    with pytest.raises(type(error)):
        world.evaluating()(inputs)
    assert len(world.cache().pending()) > 0
    setattr(world.services[name], moment, lambda: None)
    found = world.evaluating()(inputs)
    assert found == {x: expected(world, x) for x in inputs}
    assert world.spent() == [23, 23]
    assert world.cache().pending() == ()


def test_a_crash_between_storing_and_forgetting_costs_nothing(world, monkeypatch):
    monkeypatch.setattr(EvaluationCache, "end", lambda self, batch: raiser(Killed())())
    with pytest.raises(Killed):
        world.evaluating()([row(1)])
    monkeypatch.undo()
    assert world.evaluating()([row(1), row(2)])[row(1)] == expected(world, row(1))
    assert world.spent() == [2, 2]
    assert world.cache().pending() == ()


@pytest.mark.parametrize(
    ("bend", "code"),
    [
        (lambda elements, proof: (elements, bytes(64)), "PROOF_WRONG"),
        (lambda elements, proof: (elements[:-32], proof), "COUNT_WRONG"),
        (lambda elements, proof: (bytes(32) + elements[32:], proof), "ELEMENT_INVALID"),
    ],
)
def test_nothing_of_a_service_that_lies_is_kept(world, bend, code):
    world.services["sluis"].bend = bend
    with pytest.raises(ClientError) as caught:
        world.evaluating()([row(1), row(2)])
    assert caught.value.code == code
    assert len(world.cache()) == 0
    world.services["sluis"].bend = lambda elements, proof: (elements, proof)
    assert world.evaluating()([row(1)])[row(1)] == expected(world, row(1))


@pytest.mark.parametrize("change", ["key", "name", "epoch"])
def test_a_service_with_another_key_than_the_pinned_one_is_sent_nothing(world, change):
    service = world.services["oost"]
    pins = Pins(EPOCH, {name: one.public_key for name, one in world.services.items()})
    if change == "key":
        service.shown = world.services["sluis"].public_key
    elif change == "name":
        service.name = "sluis"
    else:
        service.epoch = "2026-12"
    made = Evaluating(world.derivation, pins, world.cache(), world.services.__getitem__)
    with pytest.raises(ClientError) as caught:
        made([row(1)])
    assert caught.value.code == ("SERVICE_KEYS_MISSING" if change == "epoch" else "SERVICE_KEY_WRONG")
    assert world.spent() == [0, 0]


def test_what_lies_on_disk_tells_nothing_and_opens_under_its_own_key_and_name_only(world):
    x, y = row(1), expected(world, row(1))
    world.evaluating()([x])
    cache = world.cache()
    folder = cache.directory
    data = b"".join(path.read_bytes() for path in folder.iterdir())
    assert x not in data
    assert y not in data
    assert cache._place(x) not in data
    assert all(path.stat().st_mode & 0o077 == 0 for path in (folder, folder.parent, *folder.iterdir()))
    assert world.cache(("another K or service key",)).values([x]) == {}
    kept = folder / "00000001"
    whole = kept.read_bytes()
    for changed in (whole[:-1] + bytes([whole[-1] ^ 1]), whole[:20], b""):
        kept.write_bytes(changed)
        with pytest.raises(ClientError) as caught:
            world.cache().values([x])
        assert caught.value.code == "STATE_UNREADABLE"
        assert "or delete it: what it held is then evaluated again" in caught.value.message
    kept.write_bytes(whole)
    kept.rename(folder / "00000002")
    with pytest.raises(ClientError):
        world.cache().values([x])


def test_a_cache_that_is_destroyed_is_gone_with_its_key_whatever_lies_in_a_backup(world):
    world.evaluating()([row(1)])
    copy = world.cache().directory / "00000001"
    saved = copy.read_bytes()
    assert kept_caches(world.keystore) == ((PURPOSE, EPOCH),)
    assert destroy_cache(world.keystore, PURPOSE, EPOCH) == 2
    assert kept_caches(world.keystore) == ()
    assert world.keystore.named_key(f"{FOLDER}.{PURPOSE}.{EPOCH}", make=False) is None
    assert destroy_cache(world.keystore, PURPOSE, EPOCH) == 0
    again = world.cache()
    (again.directory / "00000001").write_bytes(saved)
    (again.directory / "00000001").chmod(0o600)
    with pytest.raises(ClientError):
        again.values([row(1)])


def test_many_values_are_found_again_and_only_those(world):
    cache = world.cache()
    values = {os.urandom(32): os.urandom(32) for _ in range(3000)}
    items = list(values.items())
    for at in range(0, 3000, 700):
        cache.keep(dict(items[at : at + 700]))
    fresh = world.cache()
    assert fresh.values([*values, row(1)]) == values
    assert len(fresh) == 3000


def view(**changes):
    said = {
        "name": PURPOSE,
        "key_services": (ServiceView("oost", "rvig", {}), ServiceView("sluis", "broker", {})),
        "public_keys": {
            "2026-11": {"oost": b"a" * 32, "sluis": b"b" * 32},
            "2026-12.2": {"oost": b"c" * 32, "sluis": b"d" * 32},
        },
    }
    return SimpleNamespace(**{**said, **changes})


def test_pins_are_those_of_the_epoch_or_of_the_calendar_epoch_that_it_is_a_key_of():
    assert pins_of(view(), "2026-11") == Pins("2026-11", {"oost": b"a" * 32, "sluis": b"b" * 32})
    assert pins_of(view(), "2026-11.2").epoch == "2026-11"
    assert pins_of(view(), "2026-12.2").public_keys["oost"] == b"c" * 32


@pytest.mark.parametrize(
    ("changes", "epoch", "code"),
    [
        ({}, "2026-12", "SERVICE_KEYS_MISSING"),
        ({"public_keys": {"2026-11": {"oost": b"a" * 32}}}, "2026-11", "SERVICE_KEYS_MISSING"),
        ({"key_services": (ServiceView("oost", "rvig", {}),)}, "2026-11", "KEY_SERVICES_UNFIT"),
        ({"key_services": ()}, "2026-11", "KEY_SERVICES_UNFIT"),
        (
            {"key_services": (ServiceView("oost", "broker", {}), ServiceView("sluis", "broker", {}))},
            "2026-11",
            "KEY_SERVICES_UNFIT",
        ),
    ],
)
def test_a_policy_that_protects_nothing_is_refused(changes, epoch, code):
    with pytest.raises(ClientError) as caught:
        pins_of(view(**changes), epoch)
    assert caught.value.code == code


def test_rows_absent_keys_and_row_secrets(world):
    maker = ObliviousPseudonymiser(world.derivation, "t/1", world.evaluating())
    rows = [(("a",), ("b", "c")), (None, ("b", "c")), (("a",), None)]
    first, second = maker.columns(rows, 2)
    assert [unpack_presence(column.presence, 3) for column in (first, second)] == [[1, 0, 1], [1, 1, 0]]
    assert first.pseudonyms[:16] == first.pseudonyms[32:]
    assert first.pseudonyms[16:32] == bytes(16)
    assert second.pseudonyms[:16] == second.pseudonyms[16:32]
    assert world.spent() == [2, 2]
    y = maker.row_secret(1, ("a",)).reveal()
    assert world.derivation.pseudonyms([y]) == [first.pseudonyms[:16]]
    assert world.spent() == [2, 2]
    assert maker.column_of_block(b"aabb", 2).rows == 2
    assert world.spent() == [4, 4]


@pytest.mark.parametrize("names", [("oost",), (), ("oost", "oost")])
def test_fewer_than_two_services_derive_nothing(names):
    with pytest.raises(ClientError) as caught:
        Derivation(Secret(b"k" * 32), CONTEXT, names)
    assert caught.value.code == "KEY_SERVICES_UNFIT"


def test_a_batch_that_no_quota_is_left_for_holds_up_nobody_else(tmp_path):
    world = World(tmp_path, limit=30)
    sluis = world.services["sluis"]
    # another machine of this agency spends what was left when this one had asked
    world.services["oost"].after = lambda: setattr(sluis, "spent", 25)
    with pytest.raises(ClientError) as caught:
        world.evaluating()([row(number) for number in range(20)])
    assert caught.value.code == "QUOTA_SPENT"
    world.services["oost"].after = lambda: None
    assert world.evaluating()([row(77)]) == {row(77): expected(world, row(77))}
    assert world.spent() == [21, 26]
    with pytest.raises(ClientError) as caught:
        world.evaluating()([row(3)])
    assert caught.value.code == "QUOTA_SPENT"
    # and it is ended, for no second price, once there is quota again
    sluis.spent = 0
    assert world.evaluating()([row(3)]) == {row(3): expected(world, row(3))}
    assert world.spent() == [21, 20]
