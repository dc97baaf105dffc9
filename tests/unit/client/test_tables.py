"""Messy exports: encodings, delimiters, quotes, ragged rows, headers, duplicates, and reports without values."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sluis_client.cells import Reason
from sluis_client.errors import ClientError, Exit
from sluis_client.schemes import SCHEMES
from sluis_client.tables import NormalisedTable, Table, normalise_table, read_table

KVK = SCHEMES["kvk"]
NUMBERS = ["68750110", "69599084", "69599076"]


def code(source: bytes | Path, **options: str) -> str:
    with pytest.raises(ClientError) as caught:
        read_table(source, **options)
    assert caught.value.exit_code == Exit.USAGE
    return caught.value.code


@pytest.mark.parametrize(
    ("encoding", "found"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("utf-16", "utf-16"),
        ("utf-32", "utf-32"),
        ("cp1252", "cp1252"),
    ],
)
@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_delimiters_and_line_ends(encoding: str, found: str, delimiter: str, end: str) -> None:
    lines = [("KvK-nummer", "Naam", "€"), ("68750110", "Café Zoë", "1"), ("69599084", "Ruïne", "2")]
    data = end.join(delimiter.join(line) for line in lines).encode(encoding)
    table = read_table(data)
    assert (table.encoding, table.delimiter) == (found, delimiter)
    assert table.header == ["KvK-nummer", "Naam", "€"]
    assert table.rows == [list(line) for line in lines[1:]]
    assert table.line_numbers == [2, 3]


def test_utf16_big_endian_and_given_encodings() -> None:
    assert read_table("\ufeffkvk\n68750110".encode("utf-16-be")).rows == [["68750110"]]
    assert read_table("kvk\n68750110".encode("utf-16-le"), encoding="utf-16-le").rows == [["68750110"]]
    assert read_table("kvk;naam\n1;ł".encode("iso-8859-2"), encoding="iso-8859-2").rows == [["1", "ł"]]
    assert code("kvk\n1".encode("utf-16-le")) == "ENCODING_UNKNOWN"
    assert code(b"kvk\n\x81\xff") == "ENCODING_UNKNOWN"
    assert code(b"kvk\n\xff", encoding="utf-8") == "ENCODING_WRONG"
    assert code(b"kvk\n1", encoding="klingon") == "ENCODING_UNKNOWN"


@pytest.mark.parametrize("data", [b"PK\x03\x04rest", b"\xd0\xcf\x11\xe0rest", b"%PDF-1.7", b"\x1f\x8b\x08"])
def test_what_is_no_text_is_named_with_the_way_out(data: bytes) -> None:
    with pytest.raises(ClientError, match="CSV UTF-8") as caught:
        read_table(data)
    assert caught.value.code == "FILE_NOT_TEXT"


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_bytes(b"kvk\r\n68750110\r\n")
    assert read_table(path).rows == [["68750110"]]
    assert code(tmp_path / "absent.csv") == "FILE_UNREADABLE"
    assert code(tmp_path) == "FILE_UNREADABLE"
    for empty in (b"", b"\xef\xbb\xbf", b"\n\n", b";;\n;;\n", b"sep=;\n"):
        assert code(empty) == "FILE_EMPTY"
    assert read_table(b"kvk;naam\n").rows == []
    assert code(b"a;b", delimiter=";;") == "DELIMITER_INVALID"
    assert code(b"a;b", delimiter='"') == "DELIMITER_INVALID"


def test_sep_line_is_obeyed_and_counted() -> None:
    table = read_table(b"sep=|\r\nkvk|naam, voornaam\r\n68750110|a;b,c\r\n")
    assert table.header == ["kvk", "naam, voornaam"]
    assert table.rows == [["68750110", "a;b,c"]]
    assert table.line_numbers == [3]


def test_line_numbers_are_those_of_the_editor() -> None:
    data = 'kvk;naam\n\n68750110;"two\nlines"\n;\n   \n69599084;x\r\n69599076;"a ""b"" c;d"\n'
    table = read_table(data.encode())
    assert table.line_numbers == [3, 7, 8]
    assert [row[1] for row in table.rows] == ["two\nlines", "x", 'a "b" c;d']


def test_delimiter_is_judged_by_header_and_rows() -> None:
    assert read_table(b"kvk\n12,345,678\n").rows == [["12,345,678"]]
    assert read_table(b"Naam, voornaam;kvk\nA, b;1\nC;2\n").delimiter == ";"
    assert read_table(b"kvk (nummer, 8 cijfers)\n68750110\n69599084\n69599076\n").header == ["kvk (nummer, 8 cijfers)"]
    assert read_table(b"a,b\n1,x;y;z\n2,p;q;r\n").delimiter == ","
    assert read_table(b"a;b\n1,5;2\n").delimiter == ";"
    assert read_table(b"kvk;naam\n1;a", delimiter=",").header == ["kvk;naam"]


@pytest.mark.parametrize("data", [b'a;b\n1;"open\n2;x\n', b'a;b\n1;"De "Leeuw""\n', b'a;b\n1;"' + b"x" * 200_000])
def test_broken_quotes_are_refused_with_the_line(data: bytes) -> None:
    with pytest.raises(ClientError, match="line 2: ") as caught:
        read_table(data)
    assert caught.value.code == "QUOTES_WRONG"
    assert "Leeuw" not in str(caught.value)


def test_ragged_rows() -> None:
    table = read_table(b"kvk;naam;plaats;;\n68750110\n69599084;a;b;;;\n69599076;a;b;c\n")
    assert table.header == ["kvk", "naam", "plaats"]
    assert table.rows[:2] == [["68750110", "", ""], ["69599084", "a", "b"]]
    result = normalise_table(table, KVK)
    assert [key[0] for key in result.keys] == [("68750110",), ("69599084",)]
    assert [(problem.row, problem.column) for problem in result.problems] == [(4, "")]
    assert "more cells" in result.problems[0].reason
    assert result.positions == [0, 1, -1]


@pytest.mark.parametrize(
    ("scheme", "header", "cells"),
    [
        ("kvk", "KvK-nummer", "68750110"),
        ("kvk", " kvk  NUMMER", "68750110"),
        ("kvk", "kvk_nummer", "68750110"),
        ("bag", "BAG-id", "0797020000056894"),
        ("vestiging", "Vestigingsnummer", "000037178598"),
        ("rsin", "RSIN", "857587973"),
        ("loonheffing", "Loonheffingennummer", "857587973L01"),
        ("postcode-number", "Postcode;Huisnummer;Huisletter;Toevoeging", "1234AB;12;A;hs"),
        ("postcode-number", "toevoeging;HUISNUMMER;postcode", "hs;12A;1234 ab"),
        ("wid-document", "Land van afgifte;Documentnummer", "NL;SPECI2014"),
        ("name-birthdate", "Achternaam;Voornamen;Geboortedatum;Tussenvoegsel", "Berg;Jan;31-12-1990;van den"),
        ("name-birthdate", "family_name;given_names;birth_date", "Berg;Jan;31-12-1990"),
    ],
)
def test_headers_in_dutch_and_english(scheme: str, header: str, cells: str) -> None:
    result = normalise_table(read_table(f"{header}\n{cells}\n".encode()), SCHEMES[scheme])
    assert (len(result.keys), result.problems) == (1, [])


def test_an_address_is_found_by_its_dutch_headers() -> None:
    """Optional columns: one that is not recognised would take match keys away without a word."""
    header = "Geslachtsnaam;Voornaam;Geboortedatum;Postcode;Huisnummer;Straatnaam"
    result = normalise_table(
        read_table(f"{header}\nBerg;Jan;31-12-1990;1234AB;12;Kerkstraat\n".encode()), SCHEMES["name-birthdate-address"]
    )
    assert all(result.keys[0])


def test_columns_can_be_chosen() -> None:
    table = read_table(b"id;Adresseerbaar  object;naam\n1;0797020000056894;x\n")
    for name in ("Adresseerbaar object", "adresseerbaar_object"):
        assert len(normalise_table(table, SCHEMES["bag"], columns={"bag": name}).keys) == 1
    with pytest.raises(ClientError) as caught:
        normalise_table(table, SCHEMES["bag"], columns={"bag": "elders"})
    assert caught.value.code == "COLUMN_MISSING"
    with pytest.raises(ClientError) as caught:
        normalise_table(table, SCHEMES["bag"], columns={"kvk": "naam"})
    assert caught.value.code == "COLUMN_UNKNOWN"


def test_ambiguous_and_missing_columns_name_no_header_text() -> None:
    with pytest.raises(ClientError, match="columns 1 and 2 could both") as caught:
        normalise_table(read_table(b"KvK-nummer;dossiernummer\n1;2\n"), KVK)
    assert caught.value.code == "COLUMN_AMBIGUOUS"
    plain = read_table(b"dossiernummer;kvk\n1;68750110\n")
    assert normalise_table(plain, KVK).keys[0] == (("68750110",),)
    with pytest.raises(ClientError, match="is there a header line") as caught:
        normalise_table(read_table(b"68750110\n69599084\n"), KVK)
    assert caught.value.code == "COLUMN_MISSING"
    assert "68750110" not in str(caught.value)
    with pytest.raises(ClientError, match="columns 1 and 3 have the same name") as caught:
        read_table(b"KvK nummer;naam;kvk-NUMMER\n")
    assert caught.value.code == "HEADER_DUPLICATE"


def test_problems_go_on_and_strict_refuses() -> None:
    data = b"KvK-nummer;naam\n68750110;a\n;b\n1234567;c\nKvK: 69599084;d\n"
    result = normalise_table(read_table(data), KVK)
    assert list(result.keys) == [(("68750110",),), (("69599084",),)]
    assert result.fast_block == b"6875011069599084"
    assert result.row_numbers == [2, 5]
    assert [str(problem) for problem in result.problems] == [
        "row 3: KvK-nummer: empty",
        f"row 4: KvK-nummer: {Reason.ZEROS_LOST.value}",
    ]
    assert [row["naam"] for row in result.rows] == ["a", "d"]
    assert result.positions == [0, -1, -1, 1]
    restored = normalise_table(read_table(data), KVK, restore_zeros=True)
    assert restored.fast_block == b"687501100123456769599084"
    with pytest.raises(ClientError) as caught:
        normalise_table(read_table(data), KVK, strict=True)
    assert (caught.value.code, caught.value.exit_code) == ("ROWS_REFUSED", Exit.REFUSED_ROWS)
    assert caught.value.message.startswith("2 rows cannot be used")
    assert "row 3: KvK-nummer: empty" in caught.value.message
    assert "1234567" not in caught.value.message


def test_strict_lists_twenty_and_counts_the_rest() -> None:
    data = "kvk\n" + "\n".join(f"x{number}" for number in range(25))
    with pytest.raises(ClientError) as caught:
        normalise_table(read_table(data.encode()), KVK, strict=True)
    assert caught.value.message.count("row ") == 20
    assert caught.value.message.endswith("and 5 more")
    assert normalise_table(read_table(b"kvk\n68750110\n"), KVK, strict=True).problems == []


def test_duplicates_keep_a_way_to_their_answer() -> None:
    table = read_table(b"kvk;beds\n68750110;1\n69599084;2\n687.501.10;1\nx;1\n68750110;9\n")
    result = normalise_table(table, KVK)
    assert (len(result.keys), result.duplicates, result.positions) == (2, 2, [0, 1, 0, -1, 0])
    result = normalise_table(table, KVK, carry=["beds"])
    assert (len(result.keys), result.duplicates, result.positions) == (2, 1, [0, 1, 0, -1, -1])
    assert [(problem.row, problem.reason) for problem in result.problems][1] == (6, "conflicts with row 2")
    result = normalise_table(table, KVK, carry=["beds"], rows_per_pseudonym=2)
    assert (len(result.keys), result.duplicates, result.positions) == (3, 1, [0, 1, 0, -1, 2])
    assert [row["beds"] for row in result.rows] == ["1", "2", "9"]
    result = normalise_table(table, KVK, keep_duplicates=True)
    assert (len(result.keys), result.duplicates, result.positions) == (4, 0, [0, 1, 2, -1, 3])
    with pytest.raises(ClientError) as caught:
        normalise_table(table, KVK, carry=["naam"])
    assert caught.value.code == "COLUMN_MISSING"


def test_canonical_columns_with_repeats_are_deduplicated_too() -> None:
    table = read_table(b"kvk\n68750110\n69599084\n68750110\n")
    result = normalise_table(table, KVK)
    assert (result.fast_block, result.duplicates, result.positions) == (b"6875011069599084", 1, [0, 1, 0])
    kept = normalise_table(table, KVK, keep_duplicates=True)
    assert (kept.fast_block, kept.duplicates, list(kept.positions)) == (b"687501106959908468750110", 0, [0, 1, 2])


def test_empty_cells_of_a_one_column_file() -> None:
    result = normalise_table(read_table(b'kvk\n68750110\n""\n\n69599084\n'), KVK)
    assert [(problem.row, problem.reason) for problem in result.problems] == [(3, "empty")]
    assert list(result.positions) == [0, -1, 1]
    nothing = normalise_table(read_table(b"kvk\n"), KVK)
    assert (list(nothing.keys), nothing.fast_block, list(nothing.positions)) == ([], b"", [])


def test_nothing_shows_a_cell_by_accident() -> None:
    table = read_table(b"kvk\n68750110\n69599084\n")
    result = normalise_table(table, KVK)
    for value in (table, result, result.keys, result.rows):
        assert "68750110" not in repr(value)
        assert "68750110" not in str(value)


@st.composite
def numbers(draw: st.DrawFn) -> list[str]:
    return draw(st.lists(st.sampled_from([*NUMBERS, "KvK: 68750110", "687 501 10", "", "12", "x;y", 'a"b', "é\nè"])))


def written(rows: list[list[str]], delimiter: str, encoding: str) -> bytes:
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=delimiter).writerows(rows)
    return stream.getvalue().encode(encoding)


@given(numbers(), st.sampled_from(";,\t|"), st.sampled_from(["utf-8-sig", "utf-16", "cp1252"]))
def test_round_trip_and_both_paths_agree(column: list[str], delimiter: str, encoding: str) -> None:
    rows = [["kvk", "naam"], *([cell, f"n{place}"] for place, cell in enumerate(column))]
    table = read_table(written(rows, delimiter, encoding))
    assert [row[0] for row in table.rows] == column
    result = normalise_table(table, KVK)
    check(table, result)
    slow = normalise_table(Table(table.header, [*table.rows, ["x", ""]], [*table.line_numbers, 10**6]), KVK)
    assert list(slow.keys) == list(result.keys)
    assert slow.fast_block == result.fast_block
    assert list(slow.positions) == [*result.positions, -1]


def check(table: Table, result: NormalisedTable) -> None:
    """Every source row is answered once, and everything runs together."""
    assert len(result.keys) == len(result.rows) == len(result.row_numbers)
    assert len(result.positions) == len(table.rows)
    assert len(result.keys) + result.duplicates + len(result.problems) == len(table.rows)
    assert {line for line, place in zip(table.line_numbers, result.positions, strict=True) if place == -1} == {
        problem.row for problem in result.problems
    }
    assert result.fast_block == b"".join(key[0][0].encode() for key in result.keys if key[0] is not None)
    for row, place in zip(table.rows, result.positions, strict=True):
        if place >= 0:
            assert KVK.normalise({"kvk": row[0]}) == result.keys[place]


MARK = "SECRETq7"


@given(st.text(max_size=12), st.sampled_from(sorted(SCHEMES)))
def test_a_problem_never_holds_the_cell(junk: str, name: str) -> None:
    """The mark stands in every cell, so any cell that leaked would show it."""
    scheme = SCHEMES[name]
    columns = [*scheme.columns, *scheme.optional]
    table = Table(columns, [[f"{junk}{MARK}{junk}" for _ in columns] for _ in range(2)], [2, 3])
    result = normalise_table(table, scheme)
    assert MARK not in "".join(map(str, result.problems))
    if result.problems:
        with pytest.raises(ClientError) as caught:
            normalise_table(table, scheme, strict=True)
        assert MARK not in str(caught.value)


@given(st.binary(max_size=200), st.sampled_from([None, ";", ","]))
def test_any_bytes_give_a_table_or_a_client_error(data: bytes, delimiter: str | None) -> None:
    try:
        table = read_table(data, delimiter=delimiter)
    except ClientError:
        return
    assert len(table.rows) == len(table.line_numbers)
    assert all(len(row) >= len(table.header) for row in table.rows)


def test_a_million_canonical_rows_take_the_array_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a stop-watch: the row-by-row rule must not be called at all for a canonical column."""
    table = Table(["kvk"], [[f"{number:08d}"] for number in range(1, 20_001)], list(range(2, 20_002)))
    monkeypatch.setattr(type(KVK), "normalise", None)
    result = normalise_table(table, KVK)
    assert result.fast_block == "".join(row[0] for row in table.rows).encode()
    assert result.keys[19_999] == (("00020000",),)
    assert result.keys[:2] == [(("00000001",),), (("00000002",),)]
    assert result.rows[1:3] == [{"kvk": "00000002"}, {"kvk": "00000003"}]
