"""Key epochs: their names, and the period each one stands for in Europe/Amsterdam."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from importlib.resources import files
from zoneinfo import ZoneInfo

from sluis_client.errors import ClientError

_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_NAME = re.compile(r"(?P<year>20[0-9]{2})(?:Q(?P<quarter>[1-4])|-(?P<month>0[1-9]|1[0-2]))?")


def _amsterdam() -> ZoneInfo:
    # the pinned package, not the machine's: both sides must agree on a midnight
    with files("tzdata.zoneinfo.Europe").joinpath("Amsterdam").open("rb") as data:
        return ZoneInfo.from_file(data, key="Europe/Amsterdam")


AMSTERDAM = _amsterdam()


def epoch_name(kind: str, now: datetime) -> str:
    """The epoch in force at `now` (aware): 2026Q4, 2026-11 or 2026 for kind quarter, month or year."""
    day = now.astimezone(AMSTERDAM)
    names = {"quarter": f"{day.year}Q{(day.month + 2) // 3}", "month": f"{day.year}-{day.month:02d}"}
    return names.get(kind, str(day.year))


def epoch_window(name: str, kind: str) -> tuple[datetime, datetime]:
    """First moment of the epoch and first moment after it, UTC: midnights in Europe/Amsterdam.

    Raises:
        ClientError: EPOCH_INVALID when `name` is not one of an epoch of this kind.
    """
    match = _NAME.fullmatch(name)
    shown = match and next((part for part in ("quarter", "month") if match[part]), "year")
    if match is None or shown != kind:
        raise ClientError("EPOCH_INVALID", f"an epoch of a {kind} is named as 2026Q4, 2026-11 or 2026")
    length = _MONTHS[kind]
    first = 0 if kind == "year" else (int(match[kind]) - 1) * length
    year = int(match["year"])
    end = first + length
    return _midnight(date(year, first + 1, 1)), _midnight(date(year + end // 12, end % 12 + 1, 1))


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=AMSTERDAM).astimezone(UTC)
