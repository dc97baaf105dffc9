"""The exchanges of a bundle as rows: one for each exchange and answerer, for spreadsheets and programs.

One pass. A row leaves when its release is read, a denied ask at once, asks that are still open at the end: so memory
grows with what is open and with the policy archive, not with the log. Nothing is verified here.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from broker.audit.entries import EntryError, LogEntry, read_entry
from broker.audit.following import read_asked
from broker.audit.openings import Openings
from broker.audit.reading import not_a_bundle, parts
from broker.errors import Code, SluisError

Cell = str | int | bool | None | list[str]
Row = dict[str, Cell]

COLUMNS = (
    "exchange",
    "asker",
    "principal",
    "answerer",
    "purpose",
    "legal_basis",
    "citation",
    "processing_activity",
    "asked_at",
    "decided_at",
    "verdict",
    "failing_checks",
    "scheme",
    "epoch",
    "subjects",
    "hit",
    "count",
    "attributes",
    "case_number",
    "register",
    "register_version",
    "released_at",
    "outcome",
    "status",
    "attributes_released",
    "policy_set",
    "policy_revision",
    "engine",
    "ask_index",
    "release_index",
    "case_number_text",
    "hits",
    "count_released",
)
"""Names of the members of a row, in the order of a CSV file; docs/formats.md section 7 says what each holds."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - as spreadsheets take them


def rows(
    lines: Iterable[bytes],
    progress: Callable[[int, int], None] | None = None,
    openings: Openings | None = None,
) -> Iterator[Row]:
    """The rows of a bundle, each with all of COLUMNS; the last three are empty but where `openings` tell them.

    Raises:
        SluisError: STATEMENT_INVALID when the lines are no bundle.
    """
    policies, opened = _Policies(), openings or Openings()
    open_rows: dict[int, Row] = {}
    for number, name, value in parts(lines, progress):
        if name == "policy_set":
            policies.archive(value)
        if name != "leaf":
            continue
        try:
            entry = read_entry(value)
        except EntryError:
            raise not_a_bundle(number) from None
        if entry.kind == "policy":
            policies.revision[entry.body["digest"]] = entry.body["revision"]
        elif entry.kind == "ask":
            row = _asked(entry, policies, opened)
            if row["verdict"] == "permit":
                open_rows[entry.index] = row
            else:
                yield row
        elif entry.kind == "release":
            released = open_rows.pop(entry.body["ask_index"], None)
            if released is None:
                raise SluisError(
                    Code.STATEMENT_INVALID,
                    f"entry {entry.index} releases what was not asked; run `sluis audit verify` on the bundle",
                )
            yield {**released, **_released(entry, opened, counted=bool(released["count"]))}
    yield from open_rows.values()


def as_csv(found: Iterable[Row]) -> Iterator[bytes]:
    """RFC 4180 in UTF-8 with a header line: lists are joined by a space, null is empty, flags are true and false.

    A text that a spreadsheet could take for a formula gets an apostrophe in front.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in found:
        writer.writerow([_cell(row[name]) for name in COLUMNS])
        yield buffer.getvalue().encode("utf-8", "replace")
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue().encode()


def as_json_lines(found: Iterable[Row]) -> Iterator[bytes]:
    """One JSON object a line, its members in the order of COLUMNS."""
    for row in found:
        yield json.dumps({name: row[name] for name in COLUMNS}).encode() + b"\n"


def _cell(value: Cell) -> str | int:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return value
    text = " ".join(value) if isinstance(value, list) else value
    return f"'{text}" if text.startswith(_FORMULA) else text


class _Policies:
    """What the rows need of the archived sets: by digest, each purpose's legal basis and processing activity."""

    def __init__(self) -> None:
        self.revision: dict[str, int] = {}
        """Digest -> the revision under which it came into force last."""
        self._purposes: dict[str, dict[str, Row]] = {}

    def archive(self, bundle: Any) -> None:
        """Takes in an archived set; one of another form gives empty cells, for only `verify` judges."""
        try:
            meaning = bundle["meaning"]
            bases = meaning["catalogue"]["legal_bases"]
            self._purposes[bundle["manifest"]["digest"]] = {
                name: _basis(purpose, bases) for name, purpose in meaning["purposes"].items()
            }
        except (KeyError, TypeError, AttributeError):
            return

    def of(self, digest: str, purpose: str) -> Row:
        """Legal basis, its citation and the processing activity; None where the set does not know them."""
        none: Row = {"legal_basis": None, "citation": None, "processing_activity": None}
        return self._purposes.get(digest, {}).get(purpose, none)


def _basis(purpose: Mapping[str, Any], bases: Mapping[str, Any]) -> Row:
    name = _text(purpose.get("legal_basis"))
    return {
        "legal_basis": name,
        "citation": _text(bases[name].get("citation")) if name is not None and name in bases else None,
        "processing_activity": _text(purpose.get("processing_activity")),
    }


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _asked(entry: LogEntry, policies: _Policies, openings: Openings) -> Row:
    body, asked = entry.body, read_asked(entry)
    case = openings.case(asked.case)
    statement, register = body["statement"], body["register"] or {}
    try:
        want = statement["want"]
        wanted: Row = {
            "scheme": str(statement["scheme"]),
            "epoch": str(statement["epoch"]),
            "hit": bool(want["hit"]),
            "count": bool(want["count"]),
            "attributes": [str(name) for name in want["attributes"]],
            "case_number": _text(body["facts"].get("case_number")),
            "register_version": int(register["version"]) if register else None,
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        raise SluisError(
            Code.STATEMENT_INVALID, f"entry {entry.index} is no whole ask; run `sluis audit verify` on the bundle"
        ) from None
    return {
        **dict.fromkeys(COLUMNS),
        **{name: body[name] for name in ("exchange", "asker", "principal", "answerer", "purpose")},
        **policies.of(body["policy_set"], body["purpose"]),
        **wanted,
        "asked_at": entry.time,
        "decided_at": body["decided_at"],
        "verdict": "permit" if asked.permitted else "deny",
        "failing_checks": list(asked.unmet),
        "subjects": asked.subjects,
        "register": _text(register.get("name")),
        "policy_set": body["policy_set"],
        "policy_revision": policies.revision.get(body["policy_set"]),
        "engine": body["engine"],
        "ask_index": entry.index,
        "case_number_text": None if case is None else case.decode("utf-8", "replace"),
    }


def _released(entry: LogEntry, openings: Openings, *, counted: bool) -> Row:
    body, result = entry.body, openings.result(entry.body["result"])
    return {
        "released_at": entry.time,
        "outcome": body["outcome"],
        "status": body["status"],
        "attributes_released": list(body["attributes"]),
        "release_index": entry.index,
        "hits": None if result is None or counted else result.hits,
        "count_released": None if result is None else result.released,
    }
