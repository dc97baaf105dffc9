"""Answers as a CSV file that opens in a spreadsheet: one line for each row of the source and each answerer.

Every line says what became of that row, so that nothing but "no hit" ever looks like "no hit". Cells that a spreadsheet
would run as a formula get a leading apostrophe. Of the source only line numbers are copied, unless columns are named.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sluis_client.answer_rows import Row
from sluis_client.answers import CheckedAnswer
from sluis_client.cells import Reason
from sluis_client.epochs import AMSTERDAM
from sluis_client.errors import ClientError
from sluis_client.headers import named_column
from sluis_client.schemes import Scheme
from sluis_client.statements import utc
from sluis_client.tables import NormalisedTable, Table

STATUS_WORDS = {
    "DENIED": "denied",
    "NO_REGISTER": "no register",
    "EXPIRED": "expired",
    "NOT_COVERED": "not covered",
    "WITHHELD": "withheld",
    "NOT_THERE": "not there",
    "FAILED": "failed",
    "UNKNOWN": "unknown",
}
"""What a row of a question gets when its answerer's register was not matched."""
STATUS_NOTES = {
    "DENIED": "the policy does not allow this question",
    "NO_REGISTER": "the answerer has no register for this purpose and epoch",
    "EXPIRED": "the answerer's register has expired",
    "NOT_COVERED": "the answerer's register lacks this identifier or an attribute asked",
    "WITHHELD": "the purpose was suspended, or closed to you, while the answer was made; nothing was released",
    "NOT_THERE": "the answerer answers from its own premises and did not answer in time; ask again",
    "FAILED": "the match failed and nothing was released; ask again",
    "UNKNOWN": "the broker stopped before it answered and nothing was released; ask again",
}
"""The same in a sentence, on a question for rows."""
_WITHHELD_COUNT = (
    "too few of the subjects are in the register, or nearly all of them, or the purpose was suspended or closed to you "
    "meanwhile; nothing was released"
)
_ROW_NOTES = {
    "ambiguous": "the match keys lead to several records, or to one that another row leads to as well",
    "invalid input": Reason.KEYS_TOO_LOOSE.value,
}
DELIMITERS = (",", ";", "\t", "|")
_RISKY = ("=", "+", "-", "@", "\t", "\r", "\n")


def status_note(status: str, *, count: bool) -> str:
    """Why there is no result, in a sentence; "" where there is one. `count`: whether a count was asked."""
    # the log does not say which of its reasons made the release gate withhold a count
    return _WITHHELD_COUNT if count and status == "WITHHELD" else STATUS_NOTES.get(status, "")


def guarded(cell: str) -> str:
    """The cell as text: one that a spreadsheet would run gets a leading apostrophe."""
    return f"'{cell}" if cell.startswith(_RISKY) else cell


def must_check(answer: CheckedAnswer, row: Row, scheme: Scheme) -> bool:
    """Whether a person must look at this hit before anything is done with it: a loose match key, or a duty."""
    duty = any(obligation.startswith("human_check") for obligation in answer.decision.obligations)
    return row.status == "hit" and (duty or scheme.needs_check(row.match_key))


def answer_lines(
    table: Table,
    normal: NormalisedTable,
    answers: Sequence[CheckedAnswer],
    keep: Sequence[str] = (),
    *,
    scheme: Scheme,
) -> Iterator[list[str]]:
    """The header, then the lines. `keep`: columns of the source to copy; `scheme`: that of the question.

    Raises:
        ClientError: COLUMN_MISSING.
    """
    places = [named_column(table.header, name, name) for name in keep]
    attributes = sorted({name for answer in answers for name in answer.attributes})
    head = [
        "row",
        *(table.header[place] for place in places),
        "answerer",
        "status",
        "match key",
        "human check",
        *attributes,
    ]
    yield [*head, "as of", "coverage", "disputed since", "position", "note"]
    reasons = {problem.row: str(problem).partition(": ")[2] for problem in normal.problems}
    for answer in answers:
        by_position: dict[int, list[Row]] = {}
        for row in answer.rows:
            by_position.setdefault(row.position, []).append(row)
        as_of = _day(answer.register.as_of) if answer.register else ""
        coverage = answer.register.coverage if answer.register else ""
        for index, line in enumerate(table.line_numbers):
            kept = [table.rows[index][place] for place in places]
            found = _of_row(answer, normal.positions[index], by_position, reasons, line, scheme)
            for status, match_key, check, values, note in found:
                cells = [values.get(name) or "" for name in attributes]
                position = normal.positions[index]
                since = _day(answer.disputed[position]) if position in answer.disputed else ""
                place = "" if position < 0 else str(position)
                about = [as_of, coverage, since, place, note]
                yield [str(line), *kept, answer.answerer, status, match_key, check, *cells, *about]


def _of_row(
    answer: CheckedAnswer,
    position: int,
    by_position: Mapping[int, Sequence[Row]],
    reasons: Mapping[int, str],
    line: int,
    scheme: Scheme,
) -> Iterator[tuple[str, str, str, Mapping[str, str | None], str]]:
    if position < 0:
        yield "invalid input", "", "", {}, reasons.get(line, "")
    elif answer.status != "ANSWERED":
        yield STATUS_WORDS[answer.status], "", "", {}, status_note(answer.status, count=False)
    elif position not in by_position:
        yield "no hit", "", "", {}, ""
    else:
        for row in by_position[position]:
            check = "required" if must_check(answer, row, scheme) else ""
            yield row.status, str(row.match_key or ""), check, row.values, _ROW_NOTES.get(row.status, "")


def count_lines(answers: Sequence[CheckedAnswer], subjects: int) -> Iterator[list[str]]:
    """The header, then one line for each answerer's count."""
    yield ["answerer", "status", "subjects", "count", "as of", "coverage", "note"]
    for answer in answers:
        register = answer.register
        status = STATUS_WORDS.get(answer.status, "answered")
        count = answer.band if answer.count is None else str(answer.count)
        said = (_day(register.as_of), register.coverage) if register else ("", "")
        yield [answer.answerer, status, str(subjects), count, *said, status_note(answer.status, count=True)]


def csv_bytes(lines: Iterator[list[str]], delimiter: str) -> bytes:
    """The lines as CSV with a UTF-8 byte order mark, guarded against formulas. Raises DELIMITER_INVALID."""
    if delimiter not in DELIMITERS:
        raise ClientError("DELIMITER_INVALID", "the delimiter of the answers is , ; | or a tab")
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\r\n")
    for line in lines:
        writer.writerow([guarded(cell) for cell in line])
    return b"\xef\xbb\xbf" + text.getvalue().encode("utf-8")


def answer_summary(answer: CheckedAnswer, scheme: Scheme) -> dict[str, Any]:
    """An answer in short, for `--json`: no row and no identifier."""
    register = answer.register
    statuses: dict[str, int] = {}
    by_key: dict[str, int] = {}
    for row in answer.rows:
        statuses[row.status] = statuses.get(row.status, 0) + 1
        if row.status == "hit":
            by_key[str(row.match_key)] = by_key.get(str(row.match_key), 0) + 1
    return {
        "answerer": answer.answerer,
        "status": answer.status,
        "hits": answer.hits,
        "count": answer.count,
        "band": answer.band or None,
        "rows": statuses,
        "match_keys": by_key,
        "human_check": sum(must_check(answer, row, scheme) for row in answer.rows),
        "disputed": len(answer.disputed),
        "attributes": list(answer.attributes),
        "register": None
        if register is None
        else {
            "name": register.name,
            "version": register.version,
            "as_of": utc(register.as_of),
            "expires_at": utc(register.expires_at),
            "coverage": register.coverage,
        },
        "decision": {
            "permitted": answer.decision.permitted,
            "policy_set": answer.decision.policy_set,
            "obligations": list(answer.decision.obligations),
            "checks": [vars(check) for check in answer.decision.checks],
        },
        "ask_index": answer.ask_index,
        "release_index": answer.release_index,
    }


def _day(moment: datetime) -> str:
    return moment.astimezone(AMSTERDAM).strftime("%Y-%m-%d")
