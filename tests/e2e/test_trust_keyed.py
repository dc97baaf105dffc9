"""The trust table in mode keyed: each coalition plays with exactly what it has, and shows what it gets and what not.

A world is played once: an answerer with a register, two askers of one purpose. The dictionary has a million
identifiers, and all that were used are in it. What an attacker computes is computed with the product's own code.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from attackers import Haystack, OpenRegister, everything_in, found, values_of
from participant import Answered, Ask, Participant
from sluis.v1 import audit_pb2, exchange_pb2
from sluis_client.canonical import commitment, tokens_value
from sluis_client.envelopes import EncryptionPrivateKey, generate_encryption_key, open_envelope
from sluis_client.errors import ClientError
from sluis_client.pseudonymise import Context, Pseudonymiser
from sluis_client.seal import Field, RowOpener
from sluis_client.secret import Secret
from storage_roots import Roots
from world import ORIGIN, World, running

from broker.audit.export import bundle_lines
from broker.errors import SluisError
from broker.key_store import keys_of
from broker.matching.release import question_of
from broker.own_log import open_log, open_vault

pytestmark = pytest.mark.slow

PURPOSE, SCHEME = "snf-locatie", "bag/1"
DICTIONARY = [f"034401{number:010d}" for number in range(1_000_000)]
BLOCK = "".join(DICTIONARY).encode()
KNOWN = DICTIONARY[123_456:123_476]
"""In the register."""
ASKED = [*KNOWN[5:15], *DICTIONARY[777_000:777_010]]
"""By Utrecht: ten are in the register."""
VALUES = {bag: str(100 + at) for at, bag in enumerate(KNOWN)}


@dataclass
class Played:
    """What lies where after the exchange."""

    world: World
    key: Secret
    epoch: str
    question: Ask
    answered: Answered
    register: str
    wire: bytes
    """Every answer that Utrecht received."""
    envelope: bytes
    encryption: EncryptionPrivateKey
    entries: bytes
    """Every entry that the answerer may read."""

    @property
    def data(self) -> Path:
        """The broker's database and files."""
        return self.world.directory / "data"

    def dictionary(self, key: Secret, **other: str) -> bytes:
        """The pseudonyms of the whole dictionary under a key."""
        place = {"purpose": PURPOSE, "epoch": self.epoch} | other
        context = Context(ORIGIN, "test", place["purpose"], place["epoch"])
        return Pseudonymiser(key, context, SCHEME).column_of_block(BLOCK, 16).pseudonyms

    def questions(self) -> bytes:
        """The pseudonyms of all questions, as the holder of the storage key reads them in the vault."""
        vault = open_vault(self.world.config)
        tokens = [str(self.question.statement["tokens"])]
        opened = [vault.opening(one) for one in tokens]
        return b"".join(values_of(question_of(one[1], None).columns) for one in opened if one is not None)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    with running(tmp_path_factory.mktemp("keyed")) as world:
        snf, utrecht, rotterdam = (Participant(world, name) for name in ("snf", "utrecht", "rotterdam"))
        key = snf.make_epoch(PURPOSE, [snf, utrecht, rotterdam])
        sealed = snf.publish(PURPOSE, "bag", {bag: [value] for bag, value in VALUES.items()}, ["beds"])
        question = utrecht.question(PURPOSE, "bag", ASKED, ["snf"], want=["beds"])
        answered = utrecht.send(question)["snf"]
        assert answered.head.status == exchange_pb2.ANSWER_STATUS_ANSWERED
        received = [answered.head, *answered.rows, answered.receipts]
        listed = snf.audit.ListEntries(audit_pb2.ListEntriesRequest(page_size=1000), timeout=20).entries
        reply = rotterdam.keys.GetEpoch(_epoch_request(), timeout=20)
        assert rotterdam.encryption is not None
        made = Played(
            world,
            key,
            snf.context(PURPOSE).epoch,
            question,
            answered,
            sealed.register.name,
            b"".join(one.SerializeToString() for one in received if one is not None),
            reply.envelope,
            rotterdam.encryption,
            b"\n".join(entry.leaf for entry in listed),
        )
        world.stop()
        yield made


def _epoch_request() -> Any:
    from sluis.v1 import keys_pb2

    return keys_pb2.GetEpochRequest(purpose=PURPOSE)


@pytest.fixture(scope="module")
def pseudonyms(played: Played) -> bytes:
    """The dictionary under the true K: what a participant can compute in about a second."""
    return played.dictionary(played.key)


def register_of(played: Played) -> OpenRegister:
    return OpenRegister(played.data, keys_of(played.world.config).at_rest, played.register, 1)


def test_the_broker_alone_sees_hits_and_repeats_and_not_whom(played: Played) -> None:
    register, asked = register_of(played), played.questions()
    assert register.holds(asked).tolist() == [True] * 10 + [False] * 10, "what it gets: which pseudonyms hit"
    files = sorted(path for path in (played.world.directory / "keys").rglob("*") if path.is_file())
    keys = [data[at : at + 32] for data in (path.read_bytes() for path in files) for at in range(len(data) - 31)]
    assert keys
    some = DICTIONARY[123_400:123_500]
    context = Context(ORIGIN, "test", PURPOSE, played.epoch)
    for raw in {*keys, bytes(32)}:
        maker = Pseudonymiser(Secret(raw), context, SCHEME)
        guessed = maker.column_of_block("".join(some).encode(), 16).pseudonyms
        assert not register.holds(guessed).any(), "no key of the broker's is K"


def test_broker_and_one_agency_get_every_identifier_and_attribute(played: Played, pseudonyms: bytes) -> None:
    register = register_of(played)
    assert found(DICTIONARY, register.holds(pseudonyms)) == set(KNOWN)
    asked = Haystack(played.questions())
    assert found(DICTIONARY, asked.holds(pseudonyms)) == set(ASKED)
    assert read_attributes(played, played.key, KNOWN) == VALUES


def read_attributes(played: Played, key: Secret, bags: list[str], row_of: list[str] | None = None) -> dict[str, str]:
    """What opens of the register's rows for who can compute y of `bags`; `row_of`: whose rows are tried."""
    context = Context(ORIGIN, "test", PURPOSE, played.epoch)
    maker, register = Pseudonymiser(key, context, SCHEME), register_of(played)
    width = 6  # of the catalogue
    opener = RowOpener(context, played.register, 1, [Field("beds", width)])
    opened = {}
    for bag, place in zip(bags, row_of or bags, strict=True):
        theirs = Pseudonymiser(played.key, context, SCHEME)
        rows = register.rows(theirs.column_of_block(place.encode(), 16).pseudonyms)
        wraps, commitments, fields = fetched(register, rows)
        secret = maker.row_secret(1, (bag,))
        values = opener.open(secret, 1, wraps, commitments, {"beds": fields[0]})
        opened[bag] = str(values["beds"])
    return opened


def fetched(register: OpenRegister, rows: list[int]) -> tuple[bytes, bytes, tuple[bytes, ...]]:
    import numpy as np

    keys = np.ones(len(rows), np.uint8)
    return register.snapshot.fetch(np.array(rows, np.int64), keys, ["beds"])


def test_a_thief_of_the_database_with_a_leaked_key_finds_nothing_without_the_storage_key(
    played: Played, pseudonyms: bytes
) -> None:
    everything = everything_in(played.data)
    assert str(played.question.statement["request_id"]).encode() in everything, "what it gets: who asked whom, when"
    stolen = Haystack(everything)
    assert not stolen.holds(pseudonyms).any()
    assert not stolen.holds_hex(pseudonyms).any()
    with pytest.raises(SluisError, match="storage key"):
        OpenRegister(played.data, Roots("another"), played.register, 1)


def test_the_thief_with_the_storage_key_and_a_leaked_key_gets_what_broker_and_agency_get(
    played: Played, pseudonyms: bytes
) -> None:
    assert found(DICTIONARY, register_of(played).holds(pseudonyms)) == set(KNOWN)


def test_the_thief_with_the_storage_key_alone_is_as_the_broker(played: Played) -> None:
    register = register_of(played)
    wrong = played.dictionary(Secret(bytes(range(32))))
    assert not register.holds(wrong).any()
    other = played.dictionary(played.key, purpose="bezetting")
    assert not register.holds(other).any(), "nor does the same K of another purpose's context help"


def test_one_agency_alone_gets_its_hits_and_no_other_record(played: Played, pseudonyms: bytes) -> None:
    assert len(played.answered.positions) == 10
    received = Haystack(played.wire)
    assert not received.holds(pseudonyms).any(), "an answer holds positions and sealed fields, and no pseudonym"
    hits = {ASKED[position] for position in played.answered.positions}
    assert hits == set(KNOWN[5:15])


def test_another_participant_opens_no_leaked_row_whose_identifier_it_does_not_know(played: Played) -> None:
    with pytest.raises(ClientError, match="wrap"):
        read_attributes(played, played.key, [DICTIONARY[0]], row_of=[KNOWN[0]])
    assert read_attributes(played, played.key, [KNOWN[0]]) == {KNOWN[0]: VALUES[KNOWN[0]]}, "with it, the row opens"


def test_a_malicious_asker_learns_of_what_it_invents_and_no_more_than_its_quota(played: Played) -> None:
    played.world.start()
    try:
        utrecht = Participant(played.world, "utrecht")
        utrecht.secret = {PURPOSE: played.key}
        invented = DICTIONARY[123_000:124_000]
        answered = utrecht.send(utrecht.question(PURPOSE, "bag", invented, ["snf"]))["snf"]
        assert {invented[position] for position in answered.positions} == set(KNOWN)
        more = utrecht.send(utrecht.question(PURPOSE, "bag", DICTIONARY[123_000:124_001], ["snf"]))["snf"]
        assert more.head.status == exchange_pb2.ANSWER_STATUS_DENIED
        assert not more.positions
    finally:
        played.world.stop()


def test_a_malicious_answerer_learns_who_asked_and_not_about_whom(played: Played, pseudonyms: bytes) -> None:
    assert b'"asker":"utrecht"' in played.entries
    seen = Haystack(played.entries)
    assert not seen.holds(pseudonyms).any()
    assert not seen.holds_hex(pseudonyms).any()
    assert opens_without_salt(played, played.entries) == []


def opens_without_salt(played: Played, seen: bytes) -> list[str]:
    """Identifiers of which a question, under the true K and salts one could guess, has its commitment in `seen`."""
    context = Context(ORIGIN, "test", PURPOSE, played.epoch)
    maker = Pseudonymiser(played.key, context, SCHEME)
    guesses = (bytes(32), b"\xff" * 32)
    opened = []
    for bags in (*([bag] for bag in ASKED), ASKED):
        columns = maker.columns([((bag,),) for bag in bags], 1)
        value = tokens_value(columns)
        opened += [bags[0] for salt in guesses if commitment("tokens", salt, value).encode() in seen]
    return opened


def test_an_auditor_even_with_a_leaked_key_sees_commitments_only(played: Played, pseudonyms: bytes) -> None:
    bundle = b"".join(bundle_lines(open_log(played.world.config)))
    leaves = b"\n".join(_leaves(bundle))
    assert b'"asker":"utrecht"' in leaves
    seen = Haystack(leaves)
    assert not seen.holds(pseudonyms).any()
    assert not seen.holds_hex(pseudonyms).any()
    assert opens_without_salt(played, leaves) == []
    assert not any(value.encode() in leaves for value in (f'"{one}"' for one in VALUES.values()))


def _leaves(bundle: bytes) -> Iterator[bytes]:
    import base64

    for line in bundle.splitlines():
        value = json.loads(line)
        if "leaf" in value:
            yield base64.b64decode(value["leaf"])


def test_who_breaks_one_half_of_the_key_agreement_opens_no_envelope(played: Played) -> None:
    """As far as a quantum computer can be played: the X25519 half given, the ML-KEM half not, and the other way."""
    context = Context(ORIGIN, "test", PURPOSE, played.epoch)
    key_id = Pseudonymiser(played.key, context, SCHEME).key_id
    true, other = played.encryption.reveal(), generate_encryption_key().reveal()
    opened = open_envelope(played.encryption, context, "rotterdam", played.envelope, key_id)
    assert opened == played.key
    for halves in (other[:64] + true[64:], true[:64] + other[64:]):
        broken = EncryptionPrivateKey(halves)
        with pytest.raises(ClientError):
            open_envelope(broken, context, "rotterdam", played.envelope, key_id)
