import pytest
from hypothesis import given
from hypothesis import strategies as st
from sluis_client.errors import ClientError
from sluis_client.pseudonymise import Context
from sluis_client.seal import COMMITMENT_BYTES, SEAL_OVERHEAD, WRAP_BYTES, Field, RowOpener, RowSealer
from sluis_client.secret import Secret

CONTEXT = Context("sluis.example/t", "test", "snf-locatie", "2026Q4")
PLACE = (CONTEXT, "snf/snf-locatie/2026Q4/bag", 7)
Y1, Y2 = Secret(b"\x01" * 32), Secret(b"\x02" * 32)
FIELDS = [Field("a", 8), Field("b", 20)]


def data(sealed, fields=FIELDS):
    return dict(zip((field.name for field in fields), sealed.fields, strict=True))


values = st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]), max_size=5))


@given(st.lists(values, min_size=2, max_size=2), st.sampled_from([[Y1], [Y1, Y2], [None, Y2], [Y1, None]]))
def test_every_match_key_opens_what_was_sealed(row, secrets):
    fields = [Field("a", 20), Field("b", 20)]
    sealed = RowSealer(*PLACE, fields).seal(secrets, row)
    opener = RowOpener(*PLACE, fields)
    for number, secret in enumerate(secrets, start=1):
        wrap = sealed.wraps[number - 1]
        if secret is None:
            assert wrap == bytes(WRAP_BYTES)
        else:
            opened = opener.open(secret, number, wrap, sealed.commitment, data(sealed, fields))
            assert list(opened.values()) == row


@given(values, values)
def test_sizes_tell_nothing_of_the_value(one, other):
    fields = [Field("a", 20)]
    sealer = RowSealer(*PLACE, fields)
    first, second = sealer.seal([Y1], [one]), sealer.seal([Y1], [other])
    assert [len(field) for field in first.fields] == [len(field) for field in second.fields] == [20 + SEAL_OVERHEAD]
    assert [len(wrap) for wrap in first.wraps] == [WRAP_BYTES]
    assert len(first.commitment) == COMMITMENT_BYTES


def test_the_same_record_sealed_twice_shares_no_bytes():
    sealer = RowSealer(*PLACE, FIELDS)
    first, second = sealer.seal([Y1], ["x", None]), sealer.seal([Y1], ["x", None])
    assert first.commitment != second.commitment
    assert first.wraps != second.wraps
    assert first.wraps[0][:12] != second.wraps[0][:12]
    assert not set(first.fields) & set(second.fields)


def test_a_part_of_the_fields_can_be_opened():
    sealed = RowSealer(*PLACE, FIELDS).seal([Y1], ["x", "y"])
    opener = RowOpener(*PLACE, FIELDS)
    assert opener.open(Y1, 1, sealed.wraps[0], sealed.commitment, {"b": sealed.fields[1]}) == {"b": "y"}
    # no field at all still proves that wrap and commitment belong together
    assert opener.open(Y1, 1, sealed.wraps[0], sealed.commitment, {}) == {}


@given(st.data())
def test_one_flipped_bit_anywhere_is_found(draw):
    sealed = RowSealer(*PLACE, FIELDS).seal([Y1], ["x", None])
    parts = {"wrap": sealed.wraps[0], "commitment": sealed.commitment, **data(sealed)}
    name = draw.draw(st.sampled_from(sorted(parts)))
    bit = draw.draw(st.integers(0, len(parts[name]) * 8 - 1))
    raw = bytearray(parts[name])
    raw[bit // 8] ^= 1 << bit % 8
    parts[name] = bytes(raw)
    with pytest.raises(ClientError) as refused:
        RowOpener(*PLACE, FIELDS).open(
            Y1, 1, parts["wrap"], parts["commitment"], {name: parts[name] for name in ("a", "b")}
        )
    assert refused.value.code == "SEAL_BROKEN"
    assert refused.value.message.startswith(name + " ")


def test_a_wrap_of_one_record_key_under_another_commitment_is_refused():
    # a dishonest answerer that gives two match keys two different record keys: the commitment fits only one
    sealer = RowSealer(*PLACE, FIELDS)
    first, second = sealer.seal([Y1, Y2], ["x", "y"]), sealer.seal([Y1, Y2], ["other", "y"])
    opener = RowOpener(*PLACE, FIELDS)
    with pytest.raises(ClientError) as refused:
        opener.open(Y2, 2, second.wraps[1], first.commitment, data(second))
    assert refused.value.message.startswith("commitment ")


def test_only_fields_that_were_asked_for_are_opened():
    sealed = RowSealer(*PLACE, FIELDS).seal([Y1], ["x", "y"])
    with pytest.raises(ClientError) as refused:
        RowOpener(*PLACE, FIELDS[:1]).open(Y1, 1, sealed.wraps[0], sealed.commitment, data(sealed))
    assert refused.value.code == "FIELD_UNKNOWN"


@pytest.mark.parametrize(
    ("secrets", "row", "code"),
    [
        ([Y1], ["x"], "LENGTH_WRONG"),
        ([Y1], ["x", "y", "z"], "LENGTH_WRONG"),
        ([], ["x", "y"], "LENGTH_WRONG"),
        ([None, None], ["x", "y"], "LENGTH_WRONG"),
        ([Y1], ["123456789", "y"], "FIELD_TOO_LONG"),
        ([Y1], ["éèéèé", "y"], "FIELD_TOO_LONG"),
        ([Y1], ["\ud800", "y"], "FIELD_INVALID"),
    ],
)
def test_records_that_are_refused(secrets, row, code):
    drawn = []
    sealer = RowSealer(*PLACE, FIELDS, entropy=lambda size: drawn.append(size) or bytes(size))
    with pytest.raises(ClientError) as refused:
        sealer.seal(secrets, row)
    assert refused.value.code == code
    assert drawn == []


def test_shapes_that_are_refused():
    for width in (0, -1, 65_535):
        with pytest.raises(ClientError):
            Field("a", width)
    with pytest.raises(ClientError) as refused:
        RowSealer(*PLACE, [Field("a", 1), Field("a", 2)])
    assert refused.value.code == "FIELD_REPEATED"
    with pytest.raises(ClientError):
        RowSealer(CONTEXT, "r", 0, FIELDS)


def test_the_widest_field_holds_its_width():
    fields = [Field("a", 0xFFFE)]
    value = "x" * 0xFFFE
    sealed = RowSealer(*PLACE, fields).seal([Y1], [value])
    assert RowOpener(*PLACE, fields).open(Y1, 1, sealed.wraps[0], sealed.commitment, {"a": sealed.fields[0]}) == {
        "a": value
    }


def test_a_sealed_row_prints_no_content():
    sealed = RowSealer(*PLACE, FIELDS).seal([Y1], ["x", "y"])
    assert repr(sealed) == "SealedRow(wraps=1, fields=2)"
