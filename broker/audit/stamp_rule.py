"""How long entries may stand without a time stamp: members of the trust file (docs/formats.md section 8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from broker.audit.witness_rule import number_of

MEMBERS = frozenset({"stamp_max_gap_hours", "stamp_from"})
MOST_HOURS = 8_760


@dataclass(frozen=True)
class StampRule:
    """A good stamp covers each entry no later than `gap` after it, from entry `since` on."""

    gap: timedelta
    since: int

    @property
    def meaning(self) -> dict[str, object]:
        """What goes into the trust file's fingerprint."""
        return {"stamp_max_gap_hours": self.gap // timedelta(hours=1), "stamp_from": self.since}


def read_stamp_rule(value: Mapping[str, Any]) -> StampRule | None:
    """The rule in a trust file's members; None when there is none. Raises ValueError telling what to change."""
    if not value.keys() & MEMBERS:
        return None
    if "stamp_max_gap_hours" not in value or "time_stampers" not in value:
        raise ValueError("stamp_max_gap_hours needs time_stampers, and stamp_from needs stamp_max_gap_hours")
    hours = number_of(value, "stamp_max_gap_hours", 0)
    if not 1 <= hours <= MOST_HOURS:
        raise ValueError(f"stamp_max_gap_hours is 1 to {MOST_HOURS}")
    return StampRule(timedelta(hours=hours), number_of(value, "stamp_from", 0))
