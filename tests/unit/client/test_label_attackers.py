"""Sealed attributes under attack: what the broker, another participant and an asker can open.

Each test plays one of them with exactly what it has, and tries every key it can derive from that.
"""

from __future__ import annotations

import itertools
import os

import numpy as np
import pyarrow as pa
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from register_kit import Entropy, register_digest
from sluis_client.canonical import encode
from sluis_client.errors import ClientError
from sluis_client.pseudonymise import Context, Pseudonymiser
from sluis_client.seal import Field, RowOpener, RowSealer
from sluis_client.secret import Secret, hkdf
from storage_roots import Roots

from broker.exchange import PseudonymColumn, RegisterChunk, UploadSpec
from broker.storage.registers import FileRegisterStore

CONTEXT = Context("sluis.example/t", "test", "snf-locatie", "2026Q4")
REGISTER = "snf/snf-locatie/2026Q4/bag"
FIELDS = [Field("beds", 6), Field("status", 16)]
K = Secret(os.urandom(32))
MAKER = Pseudonymiser(K, CONTEXT, "bag/1")
BAG, OTHER_BAG = ("0344010000000001",), ("0344010000000002",)


AADS = (
    None,
    encode("sluis/v1/wrap", REGISTER, "7") + b"\0\0\0\1\1",
    *(encode("sluis/v1/field", REGISTER, "7", field.name) for field in FIELDS),
)


def sealed(fields=FIELDS, values=("48", "geldig"), bag=BAG, register=REGISTER, version=7, maker=MAKER):
    return RowSealer(CONTEXT, register, version, fields).seal([maker.row_secret(1, bag)], list(values))


def opened(row, y, fields=("beds", "status"), register=REGISTER, version=7, context=CONTEXT, match_key=1):
    opener = RowOpener(context, register, version, FIELDS)
    data = {field.name: part for field, part in zip(FIELDS, row.fields, strict=True) if field.name in fields}
    return opener.open(y, match_key, row.wraps[0], row.commitment, data)


def refused(call):
    with pytest.raises(ClientError) as caught:
        call()
    assert caught.value.code == "SEAL_BROKEN"
    return caught.value.message.split()[0]


def keys_from(known: dict[str, bytes]) -> list[bytes]:
    """Every key that the derivations of the specification give from what an attacker knows, two deep."""
    scope = CONTEXT.scope()
    placed = (*scope, REGISTER, "7")
    labels = [
        encode(f"sluis/v1/{use}", *parts)
        for use in ("wrap", "field", "match", "row", "commit", "envelope", "key-id")
        for parts in (scope, CONTEXT.parts(), placed, *((*placed, field.name) for field in FIELDS))
    ]
    found = [value.ljust(32, b"\0")[:32] for value in known.values()]
    found += [hkdf(value, label) for value in known.values() for label in labels]
    return found


def tried(row, keys: list[bytes]) -> bool:
    """Whether any of the keys opens the wrap or a field."""
    for key, data in itertools.product(keys, (row.wraps[0], *row.fields)):
        for nonce, body in ((bytes(12), data), (data[:12], data[12:])):
            for aad in AADS:
                try:
                    AESGCM(key).decrypt(nonce, body, aad)
                except InvalidTag:
                    continue
                return True
    return False


def test_the_search_for_keys_can_find_one():
    """With y, the asker's own: the attack below is not blind."""
    row = sealed()
    y = MAKER.row_secret(1, BAG)
    assert tried(row, [hkdf(y.reveal(), encode("sluis/v1/wrap", *CONTEXT.scope(), REGISTER, "7"))])


def test_the_broker_opens_nothing_with_all_it_holds():
    row = sealed()
    pseudonym = MAKER.columns([(BAG,)], 1)[0].pseudonyms
    known = {
        "pseudonym": pseudonym,
        "commitment": row.commitment,
        "wrap": row.wraps[0],
        "field": row.fields[0],
        "key id": bytes.fromhex(MAKER.key_id),
        "storage key": os.urandom(32),
    }
    assert not tried(row, keys_from(known))


def test_another_participant_without_the_identifier_opens_nothing():
    """It has K, and y of every identifier it can think of but this one; and K of its other purposes."""
    row = sealed()
    for bag in [OTHER_BAG, ("",), (BAG[0] + "0",), (BAG[0][:-1],)]:
        assert refused(lambda b=bag: opened(row, MAKER.row_secret(1, b))) == "wrap"
    assert refused(lambda: opened(row, MAKER.row_secret(2, BAG))) == "wrap"
    elsewhere = Pseudonymiser(K, Context("sluis.example/t", "test", "other-purpose", "2026Q4"), "bag/1")
    assert refused(lambda: opened(row, elsewhere.row_secret(1, BAG))) == "wrap"
    assert not tried(row, keys_from({"K": K.reveal()}))


def test_a_row_of_another_subject_stays_closed_to_an_asker():
    """An asker that is handed a row it did not ask for, whole: its own y opens nothing of it."""
    mine, other = MAKER.row_secret(1, BAG), sealed(bag=OTHER_BAG)
    assert refused(lambda: opened(other, mine)) == "wrap"


def test_an_ungranted_field_of_a_row_that_was_hit_is_held_back_by_the_broker_alone():
    """The limit of version 1 (docs/threat-model.md section 5): R opens every field of its row."""
    row = sealed()
    assert opened(row, MAKER.row_secret(1, BAG), fields=("status",)) == {"status": "geldig"}
    assert opened(row, MAKER.row_secret(1, BAG), fields=("beds",)) == {"beds": "48"}


def test_an_ungranted_field_as_the_broker_keeps_it_does_not_open_with_the_row_s_own_key(tmp_path):
    """An asker with R of a hit that is handed the register's files: each column needs the broker's key too."""
    rows = [sealed(bag=(f"03440100000000{number:02d}",)) for number in range(20)]
    store = FileRegisterStore(tmp_path, Roots("broker"), Entropy())
    bags = [((f"03440100000000{number:02d}",),) for number in range(20)]
    column = MAKER.columns(bags, 1)[0]
    present = np.ones(20, np.bool_)
    chunk = RegisterChunk(
        (PseudonymColumn(np.frombuffer(column.pseudonyms, "V16"), present),),
        (b"".join(row.wraps[0] for row in rows),),
        b"".join(row.commitment for row in rows),
        tuple(b"".join(row.fields[at] for row in rows) for at in range(2)),
    )
    widths = tuple(field.width + 18 for field in FIELDS)
    store.begin(UploadSpec("u1", REGISTER, 7, 1, ("beds", "status"), widths))
    store.append("u1", 0, chunk)
    digest = register_digest(
        UploadSpec("u1", REGISTER, 7, 1, ("beds", "status"), widths),
        [
            {"present": [True], "pseudonyms": [column.pseudonyms[at * 16 : at * 16 + 16]], "wraps": list(row.wraps),
             "commitment": row.commitment, "fields": list(row.fields)}
            for at, row in enumerate(rows)
        ],
    )  # fmt: skip
    store.build("u1", rows=20, digest=digest, rows_per_pseudonym=1)
    files = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    y = MAKER.row_secret(1, ("0344010000000003",))
    stored = next(path for path in tmp_path.rglob("rows.arrow"))
    beds = pa.ipc.open_file(stored).get_batch(0).column("field-beds")[3].as_py()
    opener = RowOpener(CONTEXT, REGISTER, 7, FIELDS)
    assert refused(lambda: opener.open(y, 1, rows[3].wraps[0], rows[3].commitment, {"beds": beds})) == "beds"
    assert not any(row.fields[0] in files for row in rows)
    snapshot = store.pin(REGISTER, 7)
    wraps, commitments, granted = snapshot.fetch(np.array([3]), np.array([1], np.uint8), ("status",))
    assert opener.open(y, 1, wraps, commitments, {"status": granted[0]}) == {"status": "geldig"}
    assert len(granted) == 1, "only what is granted is decrypted"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"register": "snf/snf-locatie/2026Q4/kvk"}, "wrap"),
        ({"version": 8}, "wrap"),
        ({"context": Context("sluis.example/t", "production", "snf-locatie", "2026Q4")}, "wrap"),
        ({"context": Context("sluis.example/u", "test", "snf-locatie", "2026Q4")}, "wrap"),
        ({"match_key": 2}, "wrap"),
    ],
)
def test_a_row_moved_to_another_place_does_not_open(change, named):
    assert refused(lambda: opened(sealed(), MAKER.row_secret(1, BAG), **change)) == named


def test_swapped_fields_rows_and_parts_are_found():
    y = MAKER.row_secret(1, BAG)
    same_width = [Field("a", 6), Field("b", 6)]
    row = RowSealer(CONTEXT, REGISTER, 7, same_width).seal([y], ["1", "2"])
    opener = RowOpener(CONTEXT, REGISTER, 7, same_width)
    swapped = {"a": row.fields[1], "b": row.fields[0]}
    assert refused(lambda: opener.open(y, 1, row.wraps[0], row.commitment, swapped)) == "a"
    again = RowSealer(CONTEXT, REGISTER, 7, same_width).seal([y], ["1", "2"])
    mixed = {"a": again.fields[0], "b": row.fields[1]}
    assert refused(lambda: opener.open(y, 1, row.wraps[0], row.commitment, mixed)) == "a", "a field of another record"
    assert refused(lambda: opener.open(y, 1, again.wraps[0], row.commitment, {})) == "commitment"
    assert refused(lambda: opener.open(y, 1, row.wraps[0], again.commitment, {})) == "commitment"


def test_one_sealed_record_cannot_be_two_things_to_two_askers():
    """A dishonest answerer wraps another R for one of two match keys; the commitment is of one R."""
    one, two = MAKER.row_secret(1, BAG), MAKER.row_secret(2, BAG)
    first = RowSealer(CONTEXT, REGISTER, 7, FIELDS).seal([one, two], ["1", "a"])
    second = RowSealer(CONTEXT, REGISTER, 7, FIELDS).seal([one, two], ["2", "b"])
    opener = RowOpener(CONTEXT, REGISTER, 7, FIELDS)
    data = dict(zip(("beds", "status"), second.fields, strict=True))
    assert refused(lambda: opener.open(two, 2, second.wraps[1], first.commitment, data)) == "commitment"


def test_lengths_tell_nothing():
    rows = [("", ""), (None, None), ("123456", "x" * 16), ("1", None)]
    lengths = {tuple(map(len, sealed(values=values).fields)) for values in rows}
    assert lengths == {(6 + 18, 16 + 18)}
