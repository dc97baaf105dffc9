import copy
import hashlib
import hmac
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sluis_client import pseudonymise
from sluis_client.errors import ClientError
from sluis_client.pseudonymise import Column, Context, Pseudonymiser, PseudonymisingPool, key_id
from sluis_client.secret import Secret, hkdf, hkdf_expand, hkdf_extract

KEY = Secret(bytes(range(32)))
CONTEXT = Context("sluis.example/t", "test", "snf-locatie", "2026Q4")


# RFC 4231 sections 4.2, 4.3, 4.4 and 4.7
@pytest.mark.parametrize(
    ("key", "data", "tag"),
    [
        (b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (b"Jefe", b"what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        (b"\xaa" * 20, b"\xdd" * 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
        (
            b"\xaa" * 131,
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
    ],
)
def test_hmac_is_that_of_rfc_4231(key, data, tag):
    assert pseudonymise._mac(key, data).hex() == tag


def test_a_copied_hmac_state_gives_rfc_4231_values_too():
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.hmac import HMAC

    keyed = HMAC(b"Jefe", hashes.SHA256())
    keyed.update(b"what do ya want ")
    made = pseudonymise._run(keyed, b"for nothing?" * 2, 12)
    assert made.hex() == "5bdcc146bf60754e6a042426089575c7" * 2


def test_hkdf_is_that_of_rfc_5869():
    # appendix A.3: no salt, no info
    extracted = hkdf_extract(b"\x0b" * 22)
    assert extracted.hex() == "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04"
    assert hkdf(b"\x0b" * 22, b"").hex() == "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
    # appendix A.1: expand with info; the first 32 of its 42 bytes
    prk = bytes.fromhex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5")
    made = hkdf_expand(prk, bytes.fromhex("f0f1f2f3f4f5f6f7f8f9"))
    assert made.hex() == "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
fields = st.one_of(st.none(), st.lists(text, min_size=1, max_size=3).map(tuple))


def slow_pseudonym(match_key, entry):
    encoded = pseudonymise.encode("sluis/v1/input", *CONTEXT.parts(), "t/1", bytes([match_key]), *entry)
    secret = hkdf(KEY.reveal(), pseudonymise.encode("sluis/v1/match", *CONTEXT.parts()))
    return hmac.new(secret, encoded, hashlib.sha256).digest()[:16]


@given(st.lists(st.tuples(fields, fields), max_size=20))
def test_columns_equal_the_definition(rows):
    made = Pseudonymiser(KEY, CONTEXT, "t/1").columns(rows, 2)
    for number, column in enumerate(made):
        entries = [row[number] for row in rows]
        expected = b"".join(bytes(16) if e is None else slow_pseudonym(number + 1, e) for e in entries)
        assert column.pseudonyms == expected
        assert column.rows == len(rows)
        bits = "".join(f"{byte:08b}"[::-1] for byte in column.presence)
        assert bits == "".join("0" if e is None else "1" for e in entries).ljust(len(bits), "0")


@given(st.integers(1, 40), st.integers(0, 1100))
def test_block_equals_columns(width, rows):
    block = (hashlib.sha512(bytes([width])).hexdigest() * 400)[: width * rows].encode()
    made = Pseudonymiser(KEY, CONTEXT, "t/1")
    cells = [(block[start : start + width].decode(),) for start in range(0, len(block), width)]
    assert made.column_of_block(block, width) == made.columns([(cell,) for cell in cells], 1)[0]


def test_block_of_broken_rows_is_refused():
    made = Pseudonymiser(KEY, CONTEXT, "t/1")
    for block, width in ((b"12345", 2), (b"12", 0), (b"12", -1)):
        with pytest.raises(ClientError) as refused:
            made.column_of_block(block, width)
        assert refused.value.code == "LENGTH_WRONG"


def test_rows_of_another_shape_are_refused():
    with pytest.raises(ClientError) as refused:
        Pseudonymiser(KEY, CONTEXT, "t/1").columns([(("a",), None), (("a",),)], 2)
    assert refused.value.code == "LENGTH_WRONG"


@pytest.mark.parametrize("number", [0, 256, -1])
def test_match_keys_are_numbered_from_one_byte(number):
    with pytest.raises(ClientError):
        Pseudonymiser(KEY, CONTEXT, "t/1").row_secret(number, ("a",))


@pytest.mark.parametrize("name", ["", "bag", "bag/", "/1", "bag/1/2"])
def test_a_scheme_without_version_is_refused(name):
    with pytest.raises(ClientError) as refused:
        Pseudonymiser(KEY, CONTEXT, name)
    assert refused.value.code == "CONTEXT_INVALID"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"mode": "open"}, "MODE_NOT_AVAILABLE"),
        ({"mode": ""}, "MODE_NOT_AVAILABLE"),
        ({"environment": "acceptance"}, "CONTEXT_INVALID"),
        ({"origin": ""}, "CONTEXT_INVALID"),
        ({"purpose": ""}, "CONTEXT_INVALID"),
        ({"epoch": ""}, "CONTEXT_INVALID"),
    ],
)
def test_contexts_that_are_refused(change, code):
    base = {"origin": "o", "environment": "test", "purpose": "p", "epoch": "2026Q4"}
    with pytest.raises(ClientError) as refused:
        Context(**(base | change))
    assert refused.value.code == code


def test_text_that_is_not_unicode_is_refused_without_quoting_it():
    with pytest.raises(ClientError) as refused:
        Pseudonymiser(KEY, CONTEXT, "t/1").columns([(("Lech\ud800",),)], 1)
    assert refused.value.code == "FIELD_INVALID"
    assert "Lech" not in str(refused.value)
    assert refused.value.__suppress_context__


def test_pseudonym_and_row_secret_share_no_bytes():
    made = Pseudonymiser(KEY, CONTEXT, "t/1")
    pseudonym = made.columns([(("a",),)], 1)[0].pseudonyms
    assert pseudonym not in made.row_secret(1, ("a",)).reveal()


def test_the_pool_gives_the_same_and_in_order():
    made = Pseudonymiser(KEY, CONTEXT, "t/1")
    block = b"".join(b"%08d" % number for number in range(70_000))
    rows = [((str(number),), None if number % 3 else ("x",)) for number in range(33_000)]
    with PseudonymisingPool(KEY, CONTEXT, "t/1", 2) as pool:
        assert pool.column_of_block(block, 8) == made.column_of_block(block, 8)
        assert pool.columns(rows, 2) == made.columns(rows, 2)
        assert pool.columns([], 2) == (Column(b"", b""), Column(b"", b""))
        with pytest.raises(ClientError):
            pool.column_of_block(b"123", 2)


def test_nothing_prints_a_key_or_a_pseudonym():
    made = Pseudonymiser(KEY, CONTEXT, "t/1")
    column = made.columns([(("a",),)], 1)[0]
    for thing in (KEY, made, column, [KEY], {"k": column}):
        for text in (repr(thing), str(thing), f"{thing}"):
            assert KEY.reveal().hex() not in text
            assert repr(KEY.reveal())[2:-1] not in text
            assert column.pseudonyms.hex() not in text
            assert repr(column.pseudonyms)[2:-1] not in text


def test_a_secret_does_not_leave_by_pickle_copy_or_hash():
    for leave in (pickle.dumps, copy.copy, copy.deepcopy, hash):
        with pytest.raises(TypeError):
            leave(KEY)
    with pytest.raises(TypeError):
        bytes(KEY)
    assert Secret(bytes(range(32))) == KEY
    assert Secret(bytes(32)) != KEY
    assert not bytes(range(32)) == KEY  # noqa: SIM201  # this asks __eq__, not __ne__
    for size in (0, 31, 33):
        with pytest.raises(ClientError):
            Secret(bytes(size))


def test_a_traceback_holds_no_key():
    import traceback

    try:
        Pseudonymiser(KEY, CONTEXT, "t/1").row_secret(0, ("a",))
    except ClientError as error:
        shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
        assert repr(KEY.reveal())[2:-1] not in shown
    assert key_id(KEY, CONTEXT) != key_id(Secret(bytes(32)), CONTEXT)
