"""Key epochs: their names, and the period each one stands for in Europe/Amsterdam."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from zoneinfo import ZoneInfo

from sluis_client.errors import ClientError

_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_GENERATION = re.compile(r"[^.]+(?:\.(?:[2-9]|[1-9][0-9]))?")
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
    """First moment of the epoch and first moment after it, UTC: midnights in Europe/Amsterdam. The same for every key
    of a calendar epoch: `2026Q4.2` has the window of `2026Q4`.

    Raises:
        ClientError: EPOCH_INVALID when `name` is not one of an epoch of this kind.
    """
    match = _NAME.fullmatch(calendar_of(name)) if _GENERATION.fullmatch(name) else None
    shown = match and next((part for part in ("quarter", "month") if match[part]), "year")
    if match is None or shown != kind:
        text = f"an epoch of a {kind} is named as 2026Q4, 2026-11 or 2026; its second key as 2026Q4.2"
        raise ClientError("EPOCH_INVALID", text)
    length = _MONTHS[kind]
    first = 0 if kind == "year" else (int(match[kind]) - 1) * length
    year = int(match["year"])
    end = first + length
    return _midnight(date(year, first + 1, 1)), _midnight(date(year + end // 12, end % 12 + 1, 1))


def calendar_of(name: str) -> str:
    """The calendar epoch of a key epoch: 2026Q4 of 2026Q4 and of 2026Q4.2, its second key."""
    return name.partition(".")[0]


def generation_of(name: str) -> int:
    """Which key of its calendar epoch it is: 1 for 2026Q4, 2 for 2026Q4.2."""
    return int(name.partition(".")[2] or 1)


def is_later_key(name: str, other: str) -> bool:
    """Whether `name`, which the broker told, is a later key of the same calendar epoch as `other`."""
    known = _GENERATION.fullmatch(name) is not None and calendar_of(name) == calendar_of(other)
    return known and generation_of(name) > generation_of(other)


def generation_after(name: str) -> str:
    """The next key of the same calendar epoch."""
    return f"{calendar_of(name)}.{generation_of(name) + 1}"


def epoch_after(name: str, kind: str) -> str:
    """The calendar epoch after the one that `name` belongs to. Raises EPOCH_INVALID."""
    return epoch_name(kind, epoch_window(name, kind)[1])


def open_epochs(kind: str, overlap_days: int, now: datetime) -> tuple[str, ...]:
    """The calendar epochs that may be asked under at `now`: the one in force, then the one before while it overlaps."""
    current = epoch_name(kind, now)
    begins, _ = epoch_window(current, kind)
    before = epoch_name(kind, begins - timedelta(seconds=1))
    return (current, before) if now < overlap_end(begins, overlap_days) else (current,)


def overlap_end(turn: datetime, overlap_days: int) -> datetime:
    """When nothing can be asked any more under an epoch that ends at `turn`: a midnight in Europe/Amsterdam, UTC."""
    return _midnight(turn.astimezone(AMSTERDAM).date() + timedelta(days=overlap_days))


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=AMSTERDAM).astimezone(UTC)
