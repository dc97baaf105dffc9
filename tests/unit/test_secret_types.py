"""Every type that holds key material, on both sides: it does not print, pickle, copy, hash or compare in variable time.

The packages are walked: a class with `reveal`, or a record with a field of such a type, that is not listed here fails.
"""

from __future__ import annotations

import base64
import copy
import dataclasses
import hmac
import importlib
import inspect
import pickle
import pkgutil
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import sluis_client
import sluis_custody
from fake_broker import World
from sluis_client.envelopes import EncryptionPrivateKey
from sluis_client.evaluations import Pending
from sluis_client.keystore import EncryptionKey, EpochKey
from sluis_client.pseudonymise import Context, Pseudonymiser
from sluis_client.secret import Secret as ClientSecret
from sluis_client.statements import PartyKey, SignedStatement
from sluis_custody.store_key import StoreKey

import broker
from broker.custody.keys import FileKeys
from broker.custody.secret import Secret as BrokerSecret
from broker.custody.storage_keys import StorageKeys
from broker.custody.voprf import KeyPair

pytestmark = pytest.mark.slow

RAW = bytes(range(7, 103))
NOW = datetime(2026, 11, 23, tzinfo=UTC)

MADE = {
    BrokerSecret: lambda raw: BrokerSecret(raw[:32]),
    ClientSecret: lambda raw: ClientSecret(raw[:32]),
    EncryptionPrivateKey: EncryptionPrivateKey,
    StoreKey: lambda raw: StoreKey(raw[:32], "client"),
}
"""Types whose value is key material, and how to make one of 96 bytes."""
COMPARED = (BrokerSecret, ClientSecret, StoreKey)
"""Those that can be equal to another: all but those compared by identity."""
HOLDERS = {
    EpochKey: lambda raw: EpochKey("p", "2026Q4", ClientSecret(raw[:32]), "ab" * 16, "snf", NOW, NOW, published=True),
    EncryptionKey: lambda raw: EncryptionKey(EncryptionPrivateKey(raw), SignedStatement(b"{}", b"s")),
    Pending: lambda raw: Pending("n", (), ClientSecret(raw[:32]), (raw[:32],)),
    KeyPair: lambda raw: KeyPair(BrokerSecret(raw[:32]), bytes(32)),
    StorageKeys: lambda raw: StorageKeys(lambda: (BrokerSecret(raw[:32]),), None),
    Pseudonymiser: lambda raw: Pseudonymiser(ClientSecret(raw[:32]), Context("o", "test", "p", "2026Q4"), "bag/1"),
}
"""What holds such a value: it must not show it either."""


def classes() -> Iterator[type]:
    for package in (broker, sluis_client, sluis_custody):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if found.name.endswith("__main__"):
                continue
            module = importlib.import_module(found.name)
            for _, one in inspect.getmembers(module, inspect.isclass):
                if one.__module__ == found.name:
                    yield one


def shown(raw: bytes) -> list[str]:
    """How bytes may look in a text."""
    part = raw[:16]
    return [part.hex(), repr(part)[2:-1], base64.b64encode(part)[:20].decode(), str(list(part))[1:-1]]


def texts_of(value: object) -> list[str]:
    def fails() -> None:
        held = value
        raise ValueError(held)

    try:
        fails()
    except ValueError as error:
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
    return [repr(value), str(value), f"{value}", f"{[value]}", "".join(told.format())]


def test_every_type_with_a_secret_is_listed_here() -> None:
    every = list(classes())
    assert len(every) > 500
    assert {one for one in every if hasattr(one, "reveal")} | {StoreKey} == set(MADE)
    names = {one.__name__ for one in MADE}
    records = {
        one
        for one in every
        if dataclasses.is_dataclass(one)
        and any(
            name in str(field.type).replace("|", " ").split() for field in dataclasses.fields(one) for name in names
        )
    }
    assert records <= set(HOLDERS), f"list them: {records - set(HOLDERS)}"


@pytest.mark.parametrize("kind", [*MADE, *HOLDERS], ids=lambda kind: f"{kind.__module__}.{kind.__qualname__}")
def test_nothing_shows_it(kind: type) -> None:
    value = (MADE | HOLDERS)[kind](RAW)
    for text in texts_of(value):
        assert not any(form in text for form in shown(RAW)), kind


@pytest.mark.parametrize("kind", [*MADE, *HOLDERS], ids=lambda kind: f"{kind.__module__}.{kind.__qualname__}")
def test_it_is_not_pickled_and_the_value_not_copied(kind: type) -> None:
    value = (MADE | HOLDERS)[kind](RAW)
    leaving = [pickle.dumps, copy.deepcopy] + ([copy.copy] if kind in MADE else [])
    if kind is StorageKeys:
        leaving = [pickle.dumps]  # a function is copied as itself, and what it gives is a Secret
    for leave in leaving:
        with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
            leave(value)


@pytest.mark.parametrize("kind", COMPARED, ids=lambda kind: f"{kind.__module__}.{kind.__qualname__}")
def test_it_compares_in_constant_time_and_does_not_hash(kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    compare = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda a, b: calls.append((len(a), len(b))) or compare(a, b))
    one, same, other = MADE[kind](RAW), MADE[kind](RAW), MADE[kind](RAW[::-1])
    assert (one == same, one == other, one == RAW[:32]) == (True, False, False)
    assert calls == [(32, 32), (32, 32)]
    with pytest.raises(TypeError):
        hash(one)


@pytest.mark.parametrize("kind", set(MADE) - set(COMPARED))
def test_what_is_compared_by_identity_never_looks_at_the_value(kind: type) -> None:
    assert kind.__eq__ is object.__eq__
    assert MADE[kind](RAW) != MADE[kind](RAW)


def test_a_party_key_and_the_key_files_do_not_show_theirs(tmp_path) -> None:
    world = World(tmp_path)
    from sluis_client.profile import load_profile

    profile = load_profile(world.directory / "snf" / "sluis-client.yaml")
    key = profile.party_key()
    assert isinstance(key, PartyKey)
    pem = profile.tls_identity()[0].decode().splitlines()[1]
    keys = FileKeys.create(tmp_path / "keys", "sluis.example/t")
    root = (tmp_path / "keys" / "storage-root.key").read_text().split()[-1]
    for value, secret in ((key, pem), (keys, root)):
        assert not any(secret in text for text in texts_of(value))
        with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
            pickle.dumps(value)
