import csv
import io
import json
from dataclasses import replace

import pytest
from fake_broker import Log
from sluis_client.answer_file import (
    STATUS_NOTES,
    STATUS_WORDS,
    answer_lines,
    answer_summary,
    count_lines,
    csv_bytes,
    guarded,
    status_note,
)
from sluis_client.answer_rows import Row
from sluis_client.answers import CheckedAnswer, RegisterSaid
from sluis_client.errors import ClientError, Exit
from sluis_client.receipt_file import Expected, answerer_file, verify_file
from sluis_client.schemes import SCHEMES
from sluis_client.statements import parse_utc
from sluis_client.tables import normalise_table, read_table
from sluis_client.transport import Answer, Decision

SOURCE = "bag;naam;opm\n0344010000000001;=cmd;a\nx;Jan;b\n0344010000000002;Piet;c\n0344010000000001;Kees;d\n"
SAID = RegisterSaid("n", 3, parse_utc("2026-11-19T23:00:00Z"), parse_utc("2027-01-01T00:00:00Z"), "all", {})


def tables():
    table = read_table(SOURCE.encode())
    return table, normalise_table(table, SCHEMES["bag"])


def lines_of(table, normal, answers, keep=(), scheme="bag"):
    return answer_lines(table, normal, answers, keep, scheme=SCHEMES[scheme])


def answer(status="ANSWERED", answerer="snf", rows=(), attributes=(), count=None, band="", register=SAID):
    decision = Decision(status != "DENIED", (), "")
    received = Answer(answerer, 1, "x", decision, None, 0, None, "", ())
    return CheckedAnswer(answerer, status, decision, register, 0, count, band, rows, attributes, 1, 2, None, received)


def read(data, delimiter=","):
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter=delimiter))


def test_every_source_row_gets_its_own_line_and_status():
    table, normal = tables()
    rows = (Row(0, "hit", 1, {"beds": "4", "note": None}), Row(1, "ambiguous", 0))
    lines = read(csv_bytes(lines_of(table, normal, [answer(rows=rows, attributes=("beds", "note"))]), ","))
    assert [(line["row"], line["status"], line["beds"]) for line in lines] == [
        ("2", "hit", "4"),
        ("3", "invalid input", ""),
        ("4", "ambiguous", ""),
        # a repeated identifier gets the answer of the first
        ("5", "hit", "4"),
    ]
    assert lines[1]["note"].startswith("bag: ")
    assert {line["as of"] for line in lines} == {"2026-11-20"}
    assert {line["coverage"] for line in lines} == {"all"}
    # nothing of the source is copied unless asked for
    assert "0344010000000001" not in str(lines)
    assert "Piet" not in str(lines)


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("DENIED", "denied"),
        ("NO_REGISTER", "no register"),
        ("EXPIRED", "expired"),
        ("NOT_COVERED", "not covered"),
        ("WITHHELD", "withheld"),
        ("FAILED", "failed"),
        ("UNKNOWN", "unknown"),
        ("ANSWERED", "no hit"),
    ],
)
def test_only_a_no_hit_looks_like_one(status, word):
    table, normal = tables()
    lines = read(csv_bytes(lines_of(table, normal, [answer(status)]), ","))
    assert [line["status"] for line in lines] == [word, "invalid input", word, word]
    # what is no answer says why on its own line; a row that could not be asked keeps its own reason
    note = status_note(status, count=False)
    assert [line["note"] for line in lines] == [note, lines[1]["note"], note, note]
    assert (note == "") == (status == "ANSWERED")
    assert lines[1]["note"].startswith("bag: ")


def test_every_status_without_a_result_is_explained():
    assert STATUS_NOTES.keys() == STATUS_WORDS.keys()
    assert "suspended" in status_note("WITHHELD", count=False)
    # of a count the log does not say why, so neither does the client
    assert all(why in status_note("WITHHELD", count=True) for why in ("too few", "nearly all", "suspended"))
    assert status_note("EXPIRED", count=True) == status_note("EXPIRED", count=False)


def test_hits_by_a_loose_match_key_and_hits_under_a_duty_must_be_checked():
    source = read_table(b"achternaam;voornamen;geboortedatum\nA;B;1990-01-02\nC;D;1990-01-02\nE;F;1990-01-02\n")
    scheme = SCHEMES["name-birthdate-2"]
    normal = normalise_table(source, scheme)
    rows = (Row(0, "hit", scheme.sure_keys), Row(1, "hit", scheme.sure_keys + 1), Row(2, "ambiguous", 0))
    said = answer(rows=rows)
    lines = read(csv_bytes(answer_lines(source, normal, [said], scheme=scheme), ","))
    assert [(line["match key"], line["human check"]) for line in lines] == [("4", ""), ("5", "required"), ("", "")]
    assert "several records" in lines[2]["note"]
    summary = answer_summary(said, scheme)
    assert (summary["match_keys"], summary["human_check"]) == ({"4": 1, "5": 1}, 1)
    duty = replace(said, decision=Decision(True, (), "", ("human_check: a person checks",)))
    lines = read(csv_bytes(answer_lines(source, normal, [duty], scheme=scheme), ","))
    assert [line["human check"] for line in lines] == ["required", "required", ""]


def test_several_records_and_several_answerers():
    table, normal = tables()
    rows = (Row(0, "hit", 1, {"beds": "1"}), Row(0, "hit", 1, {"beds": "2"}))
    answers = [answer(answerer="a", rows=rows, attributes=("beds",)), answer("NO_REGISTER", "b", register=None)]
    lines = read(csv_bytes(lines_of(table, normal, answers), ","))
    assert [line["beds"] for line in lines if line["answerer"] == "a" and line["row"] == "2"] == ["1", "2"]
    assert [(line["status"], line["as of"]) for line in lines if line["answerer"] == "b" and line["row"] == "2"] == [
        ("no register", "")
    ]


def test_columns_are_copied_by_name_only():
    table, normal = tables()
    lines = read(csv_bytes(lines_of(table, normal, [answer()], ["naam"]), ";"), ";")
    assert [line["naam"] for line in lines] == ["'=cmd", "Jan", "Piet", "Kees"]
    with pytest.raises(ClientError) as caught:
        next(lines_of(table, normal, [], ["nam"]))
    assert caught.value.code == "COLUMN_MISSING"


def test_counts_are_one_line_each():
    answers = [answer(count=12), answer(band="10-49", answerer="b"), answer("WITHHELD", "c"), answer("DENIED", "d")]
    lines = read(csv_bytes(count_lines(answers, 40), ","))
    assert [(line["answerer"], line["status"], line["count"], line["subjects"]) for line in lines] == [
        ("snf", "answered", "12", "40"),
        ("b", "answered", "10-49", "40"),
        ("c", "withheld", "", "40"),
        ("d", "denied", "", "40"),
    ]
    assert [line["note"] for line in lines] == [
        "",
        "",
        status_note("WITHHELD", count=True),
        "the policy does not allow this question",
    ]


@pytest.mark.parametrize("cell", ["=1+1", "+31 6", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_no_cell_runs_as_a_formula(cell):
    assert guarded(cell) == "'" + cell
    data = csv_bytes(iter([["naam"], [cell]]), ",")
    assert read(data)[0]["naam"].startswith("'")


@pytest.mark.parametrize("cell", ["", "a=1", "1-2", "'x"])
def test_other_cells_stay_as_they_are(cell):
    assert guarded(cell) == cell


def test_the_file_opens_in_a_spreadsheet():
    data = csv_bytes(iter([["a", "b"], ["é;", 'x"y']]), ";")
    assert data == b'\xef\xbb\xbfa;b\r\n"\xc3\xa9;";"x""y"\r\n'
    for delimiter in ("", "x", ",,", "\n"):
        with pytest.raises(ClientError) as caught:
            csv_bytes(iter([["a"]]), delimiter)
        assert (caught.value.code, caught.value.exit_code) == ("DELIMITER_INVALID", Exit.USAGE)


def log_of_an_exchange():
    log = Log()
    body = {"exchange": "x", "asker": "utrecht", "answerer": "snf"}
    log.append("ask", {**body, "decision": {"effect": "permit"}})
    log.append("release", {**body, "ask_index": 0, "status": "ANSWERED", "outcome": "authorised"})
    return log


def answerers_file(log, *indices):
    return json.dumps(answerer_file([log.receipt(index) for index in indices])).encode()


def test_an_answerers_receipts_are_verified_offline():
    log = log_of_an_exchange()
    proven = verify_file(answerers_file(log, 1, 0), Expected([log.vkey]))
    assert [(one.index, one.kind, one.says) for one in proven] == [(0, "ask", "permit"), (1, "release", "ANSWERED")]
    assert [one.kind for one in verify_file(answerers_file(log, 1), Expected([log.vkey]))] == ["release"]


def test_a_receipt_under_another_log_key_is_refused():
    log = log_of_an_exchange()
    with pytest.raises(ClientError) as caught:
        verify_file(answerers_file(log, 0), Expected([Log().vkey]))
    assert (caught.value.code, caught.value.exit_code) == ("RECEIPT_BROKEN", Exit.VERIFICATION_FAILED)


@pytest.mark.parametrize("change", [{"status": "FAILED"}, {"ask_index": 1}, {"answerer": "nla"}, {"outcome": "failed"}])
def test_a_release_that_is_not_of_its_ask_is_refused(change):
    log = log_of_an_exchange()
    body = {"exchange": "x", "asker": "utrecht", "answerer": "snf", "ask_index": 0, "status": "ANSWERED"}
    log.append("release", {**body, "outcome": "authorised", **change})
    with pytest.raises(ClientError) as caught:
        verify_file(answerers_file(log, 0, 1, 2), Expected([log.vkey]))
    assert caught.value.code == "RECEIPT_BROKEN"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"format":"sluis-client/receipts/1"}',
        b'{"format":"sluis-client/receipts/2","receipts":[]}',
        b'{"format":"sluis-client/receipts/1","receipts":[{}]}',
        b'{"format":"sluis-client/receipts/1","receipts":[5]}',
        b'{"format":"sluis-client/receipts/1","receipts":5}',
        b'{"format":"sluis-client/receipts/1","receipts":[{"leaf":"?","index":0,"inclusion":[],"checkpoint":""}]}',
        b'{"format":"sluis-client/receipts/1","receipts":[{"leaf":"","index":"0","inclusion":[],"checkpoint":""}]}',
        b'{"format":"sluis-client/receipts/1","question":{},"answers":[]}',
    ],
)
def test_other_files_are_told_apart_from_bad_receipts(data):
    with pytest.raises(ClientError) as caught:
        verify_file(data, Expected([Log().vkey]))
    assert (caught.value.code, caught.value.exit_code) == ("FILE_UNREADABLE", Exit.USAGE)
