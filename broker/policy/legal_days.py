"""Days, quarters and midnights of the law: Europe/Amsterdam, from the `tzdata` package, never from the machine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from zoneinfo import ZoneInfo

from broker.policy.purpose import Purpose


def _amsterdam() -> ZoneInfo:
    with files("tzdata.zoneinfo.Europe").joinpath("Amsterdam").open("rb") as data:
        return ZoneInfo.from_file(data, key="Europe/Amsterdam")


AMSTERDAM = _amsterdam()


MOST_OVERLAP = 28
"""Days that a purpose may let two epochs overlap (`overlap_days`)."""


@dataclass(frozen=True)
class Epoch:
    """The period for which a purpose's keys hold: from `valid_from` up to but not including `valid_until`, UTC."""

    name: str
    valid_from: datetime
    valid_until: datetime


def local_day(now: datetime) -> date:
    """The calendar day in Europe/Amsterdam. `now` must be aware; a naive time raises ValueError."""
    if now.tzinfo is None:
        raise ValueError("a time without a zone decides nothing")
    return now.astimezone(AMSTERDAM).date()


def day_of(now: datetime) -> str:
    """The day's name in counters, such as `2026-11-23`."""
    return local_day(now).isoformat()


def midnight(day: date) -> datetime:
    """The moment in UTC at which `day` begins in Europe/Amsterdam."""
    return datetime(day.year, day.month, day.day, tzinfo=AMSTERDAM).astimezone(UTC)


def next_midnight(now: datetime) -> datetime:
    """When the next day begins, UTC: 23, 24 or 25 hours after the last one did."""
    return midnight(local_day(now) + timedelta(days=1))


def epoch_of(purpose: Purpose, now: datetime) -> Epoch:
    """The epoch in force at `now`: `2026Q4`, `2026-11` or `2026`."""
    return _epoch(purpose.pseudonyms.epoch, local_day(now))


def calendar_epoch(epoch: str) -> str:
    """The calendar epoch that a key epoch belongs to: `2026Q4` of `2026Q4` and of `2026Q4.2`, its second key."""
    return epoch.partition(".")[0]


def generation_of(epoch: str) -> int:
    """Which key of its calendar epoch it is: 1 for `2026Q4`, 2 for `2026Q4.2`."""
    return int(epoch.partition(".")[2] or 1)


def next_generation(epoch: str) -> str:
    """The name of the key after this one, within the same calendar epoch."""
    return f"{calendar_epoch(epoch)}.{generation_of(epoch) + 1}"


def open_epochs(period: str, overlap_days: int, day: date) -> tuple[str, ...]:
    """The calendar epochs under which may be asked on `day`: the one in force, then the one before while it overlaps.

    They overlap on the first `overlap_days` days of the newer one.
    """
    current = _epoch(period, day)
    before = local_day(current.valid_from) - timedelta(days=1)
    if (day - before).days <= overlap_days:
        return current.name, epoch_name(period, before)
    return (current.name,)


def may_be_open(name: str, day: date) -> bool:
    """Whether a calendar or key epoch of this name may be asked under on `day`, however long its purpose overlaps."""
    calendar = calendar_epoch(name)
    return any(calendar in open_epochs(period, MOST_OVERLAP, day) for period in ("quarter", "month", "year"))


def overlap_end(valid_until: datetime, overlap_days: int) -> datetime:
    """When nothing can be asked any more under an epoch that ends at `valid_until`."""
    return midnight(local_day(valid_until) + timedelta(days=overlap_days))


def epoch_named(period: str, name: str) -> Epoch | None:
    """The calendar epoch of that name; None when `period` has none of that name."""
    try:
        number = int(name[5:] or 1)
        month = {"quarter": 3 * number - 2, "month": number, "year": 1}[period]
        found = _epoch(period, date(int(name[:4]), month, 1))
    except ValueError:
        return None
    return found if found.name == name else None


def needed_until(purpose: Purpose, epoch: str) -> datetime | None:
    """Until when keys of a key epoch are needed: the last question under it has then left every vault.

    None where the purpose has no epoch of that name. A legal hold may keep questions longer.
    """
    found = epoch_named(purpose.pseudonyms.epoch, calendar_epoch(epoch))
    days = (purpose.pseudonyms.overlap_days or 0) + purpose.vault_keep_days
    return None if found is None else overlap_end(found.valid_until, days)


def epoch_name(period: str, day: date) -> str:
    """The name of the epoch that `day` lies in; `period` is quarter, month or year."""
    if period == "quarter":
        return f"{day.year}Q{(day.month + 2) // 3}"
    return f"{day.year}-{day.month:02d}" if period == "month" else str(day.year)


def _epoch(period: str, day: date) -> Epoch:
    months = {"quarter": 3, "month": 1, "year": 12}[period]
    first = (day.month - 1) // months * months
    end = first + months
    start_day = date(day.year, first + 1, 1)
    end_day = date(day.year + end // 12, end % 12 + 1, 1)
    return Epoch(epoch_name(period, day), midnight(start_day), midnight(end_day))
