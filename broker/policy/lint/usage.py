"""What the exchange log says about use: which purposes and attributes were asked for in the past year."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from broker.policy.history import past_asks
from broker.policy.legal_days import local_day

LOOKED_BACK_DAYS = 365
_LEAF = b'{"leaf":"'


@dataclass(frozen=True)
class Usage:
    """Counts over the year before the day on which they were made.

    `first`, `last`: the days of the first and the last entry of the log. `permitted`: purpose to permitted questions.
    `wanted`: purpose and attribute to questions for it, permitted or not.
    """

    first: date
    last: date
    permitted: Mapping[str, int]
    wanted: Mapping[tuple[str, str], int]


def usage_of(lines: Iterable[bytes], now: datetime) -> Usage:
    """The usage that the lines of a log bundle show. Nothing is verified.

    Raises:
        SluisError: CONFIG_INVALID when the lines are no log bundle.
    """
    since = local_day(now) - timedelta(days=LOOKED_BACK_DAYS)
    ends: list[bytes] = []
    permitted: Counter[str] = Counter()
    wanted: Counter[tuple[str, str]] = Counter()
    for past in past_asks(_watched(lines, ends)):
        if local_day(past.facts.now) < since:
            continue
        name = past.request.purpose
        wanted.update((name, attribute) for attribute in past.request.want.attributes)
        permitted[name] += past.permitted
    days = [_day_of(line) for line in ends] or [local_day(now)]
    return Usage(days[0], days[-1], permitted, wanted)


def _watched(lines: Iterable[bytes], ends: list[bytes]) -> Iterator[bytes]:
    """The same lines; `ends` holds the first and the last leaf that went by."""
    for line in lines:
        if line.startswith(_LEAF):
            ends[1:] = [line]
        yield line


def _day_of(line: bytes) -> date:
    entry = json.loads(base64.b64decode(json.loads(line)["leaf"]))
    return local_day(datetime.fromisoformat(entry["sequenced_at"]))
