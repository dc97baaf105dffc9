"""`sluis audit table`: one row for each exchange and answerer, in CSV that is no program and in JSON lines."""

import csv
import io
import json
from pathlib import Path

import pytest
from audit_kit import World, played
from typer.testing import CliRunner, Result
from vaulted import write_vault

from broker.audit.table import COLUMNS, as_csv, as_json_lines, rows
from broker.cli.audit.root import app
from broker.errors import SluisError

PLAYED = played()
ROWS = list(rows(PLAYED.bundle()))
KINDS = [PLAYED.entry(at)[0] for at in range(PLAYED.size)]
ASK = KINDS.index("ask")
RELEASE = KINDS.index("release")
DENIED = next(at for at, kind in enumerate(KINDS) if kind == "ask" and PLAYED.body(at)["decision"]["effect"] == "deny")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_every_ask_has_one_row() -> None:
    asks = {i for i in range(PLAYED.size) if PLAYED.entry(i)[0] == "ask"}
    releases = {i for i in range(PLAYED.size) if PLAYED.entry(i)[0] == "release"}
    assert sorted(row["ask_index"] for row in ROWS) == sorted(asks)
    assert {row["release_index"] for row in ROWS} - {None} == releases
    assert all(tuple(row) == COLUMNS for row in ROWS)


def test_what_a_row_says() -> None:
    row = next(row for row in ROWS if row["ask_index"] == ASK)
    ask, release = PLAYED.body(ASK), PLAYED.body(RELEASE)
    assert row == {
        "exchange": ask["exchange"],
        "asker": "utrecht",
        "principal": None,
        "answerer": "snf",
        "purpose": "snf-locatie",
        "legal_basis": PLAYED.policies.purposes["snf-locatie"].legal_basis,
        "citation": PLAYED.policies.catalogue.legal_bases[row["legal_basis"]].citation,
        "processing_activity": PLAYED.policies.purposes["snf-locatie"].processing_activity,
        "asked_at": row["asked_at"],
        "decided_at": ask["decided_at"],
        "verdict": "permit",
        "failing_checks": [],
        "scheme": "bag",
        "epoch": "2026Q4",
        "subjects": 10,
        "hit": True,
        "count": False,
        "attributes": ["beds", "certificate-status"],
        "case_number": ask["facts"]["case_number"],
        "register": "snf/snf-locatie/2026Q4/bag",
        "register_version": 1,
        "released_at": row["released_at"],
        "outcome": release["outcome"],
        "status": "ANSWERED",
        "attributes_released": release["attributes"],
        "policy_set": PLAYED.policies.digest,
        "policy_revision": 1,
        "engine": ask["engine"],
        "ask_index": ASK,
        "release_index": RELEASE,
        "case_number_text": None,
        "hits": None,
        "count_released": None,
    }
    assert str(row["released_at"]) > str(row["asked_at"])


def test_denied_and_open_asks_have_no_release() -> None:
    denied = next(row for row in ROWS if row["ask_index"] == DENIED)
    assert (denied["verdict"], denied["release_index"], denied["outcome"]) == ("deny", None, None)
    assert "attributes" in denied["failing_checks"]
    assert ROWS[-1]["verdict"] == "permit"
    assert ROWS[-1]["release_index"] is None, "what is open comes last"


def test_csv_reads_back_to_the_same_rows() -> None:
    data = b"".join(as_csv(ROWS))
    assert data.count(b"\r\n") == data.count(b"\n") == len(ROWS) + 1
    read = list(csv.DictReader(io.StringIO(data.decode(), newline="")))
    assert [row["ask_index"] for row in read] == [str(row["ask_index"]) for row in ROWS]
    assert read[0]["attributes"] == "beds certificate-status"
    assert (read[0]["hit"], read[0]["principal"]) == ("true", "")


def test_no_rows_is_a_header_alone() -> None:
    assert b"".join(as_csv([])).decode() == ",".join(COLUMNS) + "\r\n"
    assert b"".join(as_json_lines([])) == b""


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1"])  # noqa: RUF001  # full-width on purpose
def test_a_text_is_never_a_formula(text: str) -> None:
    row = {**ROWS[0], "answerer": text, "attributes": [text, "x"]}
    (read,) = csv.DictReader(io.StringIO(b"".join(as_csv([row])).decode(), newline=""))
    assert read["answerer"] == "'" + text
    assert read["attributes"] == f"'{text} x"


def test_quotes_commas_and_line_breaks_stay_in_their_cell() -> None:
    row = {**ROWS[0], "purpose": 'a "b", c\r\nd', "citation": "é\ud800"}
    (read,) = csv.DictReader(io.StringIO(b"".join(as_csv([row])).decode(), newline=""))
    assert read["purpose"] == 'a "b", c\r\nd'
    assert read["citation"] == "é?"
    assert json.loads(b"".join(as_json_lines([row])))["purpose"] == 'a "b", c\r\nd'


def test_a_release_of_nothing_is_refused() -> None:
    world = played()
    world.body(RELEASE)["ask_index"] = DENIED
    with pytest.raises(SluisError, match=f"entry {RELEASE} releases what was not asked"):
        list(rows(world.bundle()))


def test_an_ask_that_is_not_whole_is_refused() -> None:
    for member in ("want", "scheme", "subjects"):
        world = played()
        del world.body(ASK)["statement"][member]
        with pytest.raises(SluisError, match=f"entry {ASK} is no whole ask"):
            list(rows(world.bundle()))


def test_memory_does_not_grow_with_the_log() -> None:
    """However many exchanges went by, a row leaves as soon as its release is read."""
    pulled = 0

    def counted() -> object:
        nonlocal pulled
        for line in PLAYED.bundle():
            pulled += 1
            yield line

    first = next(rows(counted()))
    assert first["ask_index"] == ASK
    at = [i for i, line in enumerate(PLAYED.lines()) if line.startswith(b'{"leaf"')][RELEASE]
    assert pulled == at + 1


def test_the_command(tmp_path: Path) -> None:
    bundle = tmp_path / "log.bundle"
    bundle.write_bytes(b"".join(PLAYED.bundle()))
    out = tmp_path / "exchanges.csv"
    said = run("table", bundle, "--out", out)
    assert said.exit_code == 0, said.output
    assert said.stdout == f"wrote {out}: {len(ROWS)} rows\n"
    assert out.read_bytes() == b"".join(as_csv(ROWS)) == run("table", bundle).stdout_bytes
    assert run("table", bundle, "--format", "json").stdout_bytes == b"".join(as_json_lines(ROWS))
    assert f": {len(ROWS)} rows" in run("table", bundle, "--format", "json", "--out", tmp_path / "x").stdout
    assert run("table", bundle, "--format", "xls").exit_code == 2
    assert run("table", bundle, "--out", bundle).exit_code == 2
    out.unlink()
    bundle.write_bytes(b"".join(PLAYED.bundle()[:-3]))
    assert run("table", bundle, "--out", out).exit_code != 0
    assert not out.exists(), "whole or not at all"
    (tmp_path / "empty").write_bytes(b"".join(World().begin().bundle()))
    assert run("table", tmp_path / "empty", "--out", out).stdout == f"wrote {out}: 0 rows\n"


def test_openings_of_a_vault_fill_the_last_columns(tmp_path: Path) -> None:
    vault, key = write_vault(PLAYED, tmp_path)
    bundle = tmp_path / "log.bundle"
    bundle.write_bytes(b"".join(PLAYED.bundle()))
    shown = run("table", bundle, "--format", "json", "--openings", vault, "--key", key)
    assert shown.exit_code == 0, shown.output
    found = [json.loads(line) for line in shown.stdout.splitlines()]
    opened = {row["ask_index"]: row for row in found}
    assert opened[ASK]["hits"] == 2
    assert {row["case_number_text"] for row in found} > {None}
    assert {row["count_released"] for row in found} == {None, 2}
    assert all(row["hits"] is None for row in found if row["count"] or row["status"] is None)
    assert [{name: row[name] for name in COLUMNS[:-3]} for row in found] == [
        {name: row[name] for name in COLUMNS[:-3]} for row in ROWS
    ]
    stranger = tmp_path / "other.key"
    stranger.write_text("00" * 96)
    refused = run("table", bundle, "--openings", vault, "--key", stranger)
    assert "encrypted to another key" in str(refused.exception)
