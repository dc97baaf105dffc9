"""Keys with periods: when a log key, a witness or a CA of the trust file counts (docs/formats.md section 8).

A key that was stolen, or whose holder left, is not taken out of a trust file: what it signed in its time stays good.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

MEMBER = "key_periods"
_TIME = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_OPEN = "-"
KeyId = tuple[str, bytes]


@dataclass(frozen=True)
class Period:
    """First and last moment at which a key counts; None: open."""

    first: datetime | None = None
    last: datetime | None = None

    def holds(self, at: datetime) -> bool:
        """Whether it counts at `at`."""
        return (self.first is None or self.first <= at) and (self.last is None or at <= self.last)


ALWAYS = Period()


@dataclass(frozen=True)
class KeyPeriods:
    """The periods of a trust file; a key without one always counts. `issuers`: by SHA-256 of the certificate."""

    texts: tuple[str, ...] = ()
    log_keys: Mapping[KeyId, Period] = field(default_factory=dict)
    witnesses: Mapping[KeyId, Period] = field(default_factory=dict)
    issuers: Mapping[str, Period] = field(default_factory=dict)

    def holds_log_key(self, key: KeyId, at: datetime) -> bool:
        """Whether a checkpoint whose last entry is of `at` may be signed with this key."""
        return self.log_keys.get(key, ALWAYS).holds(at)


def read_periods(
    items: Sequence[str], log_keys: Mapping[str, KeyId], witnesses: Mapping[str, KeyId], issuers: Iterable[str]
) -> KeyPeriods:
    """The periods in lines `<key> <first> <last>`; the keys are those of the same trust file, by their texts.

    Raises ValueError telling what to change.
    """
    found: dict[str, Period] = {}
    for item in items:
        words = item.split(" ")
        if len(words) != 3:
            raise ValueError(f"{MEMBER} are lines `<key> <first> <last>`, times such as 2026-01-01T00:00:00Z or `-`")
        name, first, last = words
        if name in found:
            raise ValueError(f"{MEMBER} names a key twice")
        period = Period(_moment(first), _moment(last))
        if period == ALWAYS or (period.first and period.last and period.first > period.last):
            raise ValueError(f"{MEMBER} has a period that is empty, or no period at all")
        found[name] = period
    known = {*log_keys, *witnesses, *issuers}
    if not found.keys() <= known:
        raise ValueError(
            f"{MEMBER} names what is not among log_keys or witnesses, nor the SHA-256 (hex) of a certificate in issuers"
        )
    return KeyPeriods(
        texts=tuple(sorted(items)),
        log_keys={log_keys[name]: period for name, period in found.items() if name in log_keys},
        witnesses={witnesses[name]: period for name, period in found.items() if name in witnesses},
        issuers={name: period for name, period in found.items() if name in set(issuers)},
    )


def _moment(text: str) -> datetime | None:
    if text == _OPEN:
        return None
    try:
        if not _TIME.fullmatch(text):
            raise ValueError
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise ValueError(f"{MEMBER} has times such as 2026-01-01T00:00:00Z, or `-` where a period is open") from None
