"""`sluis audit show --open-notices`: corrections nobody acknowledged, disputes nobody answered."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from broker.audit.bundle_lines import read_lines
from broker.audit.entries import LogEntry
from broker.audit.open_notices import OpenNotice, open_notices
from broker.audit.reading import entries
from broker.cli.audit.columns import one_line, table

_HEADS = ("entry", "days", "party", "purpose", "what", "state", "notice")


def print_open_notices(bundle: Path, party: str, purpose: str, *, as_json: bool) -> None:
    """Prints the notices that are open at the end of the log, oldest first, with their age there in days."""
    last: datetime | None = None

    def noted(entry: LogEntry) -> LogEntry:
        nonlocal last
        last = entry.at
        return entry

    with bundle.open("rb") as stream:
        found = open_notices(map(noted, entries(read_lines(stream))))
    chosen = [one for one in found if party in {"", one.party} and purpose in {"", one.purpose}]
    ages = [one.age(last) if last is not None else 0 for one in chosen]
    if as_json:
        for one, age in zip(chosen, ages, strict=True):
            print(json.dumps({**asdict(one), "at": one.at.isoformat(), "days": age}))
        return
    rows = [
        (str(one.index), age, one_line(one.party), one_line(one.purpose), one.what, _state(one), one.notice)
        for one, age in zip(chosen, ages, strict=True)
    ]
    for line in table(_HEADS, rows) if rows else ["no notice is open at the end of this log"]:
        print(line)


def _state(notice: OpenNotice) -> str:
    if notice.what == "correction-notice":
        return "not acknowledged"
    return "acknowledged, not answered" if notice.acknowledged else "not answered"
