"""Figures of a month: what was asked, answered and denied, by purpose or by party. One pass, numbers only.

An exchange counts in the month of its ask (Europe/Amsterdam); what became of it counts there too, whenever it came.
Hits stand in the log as commitments only: without openings they are not known. Small numbers of hits are not shown, for
they may say something of a person.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from broker.audit.following import Asked, Follower
from broker.audit.openings import Openings
from broker.audit.reading import entries
from broker.policy.legal_days import local_day

SUPPRESS_BELOW = 5
UNKNOWN_PURPOSE = "(not in the policy set)"
"""Stands for every purpose that no policy set knows: the word is the asker's own."""
WITHHELD = ("NO_REGISTER", "EXPIRED", "NOT_COVERED", "WITHHELD", "NOT_THERE")
FAILED = ("FAILED", "UNKNOWN")


class Group(NamedTuple):
    """What figures belong to. `role`: `purpose`, `asks` or `answers`."""

    role: str
    name: str


@dataclass
class Figures:
    """Of one purpose or party. `exchanges`: questions as they were put, to any number of answerers.

    `questions`: an exchange's questions, one an answerer; each was answered, withheld, failed, denied or is open.
    """

    exchanges: int = 0
    subjects: int = 0
    """Of exchanges that at least one answerer was permitted to answer; who is asked about twice counts twice."""
    questions: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    denied: int = 0
    denials: Counter[str] = field(default_factory=Counter)
    """Check that was not met -> denied questions; a denial may have several."""
    open: int = 0
    hit_questions: int = 0
    """Answered questions for hits: those that have a hit rate."""
    opened: int = 0
    """Of those, how many an opening told the hits of."""
    opened_subjects: int = 0
    hits: int = 0

    @property
    def answered(self) -> int:
        """Questions answered."""
        return self.statuses["ANSWERED"]

    @property
    def withheld(self) -> int:
        """Permitted questions without an answer: no register, expired, not covered, or withheld at release."""
        return sum(self.statuses[status] for status in WITHHELD)

    @property
    def failed(self) -> int:
        """Questions that failed or whose outcome is unknown; nothing was released."""
        return sum(self.statuses[status] for status in FAILED)

    def hits_shown(self, least: int) -> int | None:
        """The hits, when known and neither fewer than `least` nor all subjects but fewer than `least`."""
        if not self.opened or not least <= self.hits <= self.opened_subjects - least:
            return self.hits if self.opened and least == 0 else None
        return self.hits


@dataclass(frozen=True)
class Month:
    """A month's figures. `total` is over all exchanges, each counted once."""

    origin: str
    first: date
    last: date
    """First and last day of the month."""
    log_ends: date | None
    """Day of the last entry in the log; before `last` when the month is not whole in it."""
    groups: dict[Group, Figures]
    total: Figures
    suppress_below: int

    def hits_of(self, group: Group | None) -> int | None:
        """Hits of a group, or of all for None; None when not known or not to be shown.

        The sum over all is not shown while any group's part is hidden: it would give that part away.
        """
        if group is not None:
            return self.groups[group].hits_shown(self.suppress_below)
        if any(self.is_hidden(figures) for figures in self.groups.values()):
            return None
        return self.total.hits_shown(self.suppress_below)

    def is_hidden(self, figures: Figures) -> bool:
        """Whether hits are known and not shown."""
        return bool(figures.opened) and figures.hits_shown(self.suppress_below) is None


def statistics(
    lines: Iterable[bytes],
    month: tuple[date, date],
    *,
    by: str,
    openings: Openings,
    suppress_below: int = SUPPRESS_BELOW,
    progress: Callable[[int, int], None] | None = None,
) -> Month:
    """The figures of a month (its first and last day) `by` "purpose" or "party".

    By party an exchange counts for its asker, under role `asks`, and for each answerer, under role `answers`.

    Raises:
        SluisError: STATEMENT_INVALID when the lines are no bundle.
    """
    run = _Run(month, by, openings)
    origin = ""
    at = None
    for entry in entries(lines, progress=progress):
        at = entry.at
        if entry.kind == "genesis":
            origin = entry.body["origin"]
        asked = run.follower.take(entry)
        if asked is None or not month[0] <= asked.day <= month[1]:
            continue
        if entry.kind == "ask":
            run.ask(asked)
        else:
            run.release(asked, entry.body["status"], entry.body["result"])
    run.end()
    ends = None if at is None else local_day(at)
    return Month(
        origin,
        *month,
        ends,
        dict(sorted(run.groups.items(), key=lambda item: (item[0].role == "answers", item[0]))),
        run.total,
        suppress_below,
    )


class _Run:
    """One pass over a log."""

    def __init__(self, month: tuple[date, date], by: str, openings: Openings) -> None:
        self.follower = Follower()
        self.groups: dict[Group, Figures] = {}
        self.total = Figures()
        self._month = month
        self._by_party = by == "party"
        self._openings = openings
        self._exchange: tuple[str, str] | None = None
        self._permitted = False

    def ask(self, asked: Asked) -> None:
        """A question. Those of one exchange stand side by side in the log."""
        key = (asked.asker, asked.exchange)
        if key != self._exchange:
            self._exchange, self._permitted = key, False
            for figures in self._askers(asked):
                figures.exchanges += 1
        if asked.permitted and not self._permitted:
            self._permitted = True
            for figures in self._askers(asked):
                figures.subjects += asked.subjects
        for figures in self._answerers(asked):
            figures.exchanges += 1
            figures.subjects += asked.subjects if asked.permitted else 0
        for figures in self._all(asked):
            figures.questions += 1
            if not asked.permitted:
                figures.denied += 1
                figures.denials.update(asked.unmet)

    def release(self, asked: Asked, status: str, result: object) -> None:
        """What became of a question."""
        opened = self._openings.result(result)
        for figures in self._all(asked):
            figures.statuses[status] += 1
            if status != "ANSWERED" or asked.counted:
                continue
            figures.hit_questions += 1
            if opened is not None:
                figures.opened += 1
                figures.opened_subjects += asked.subjects
                figures.hits += opened.hits

    def end(self) -> None:
        """Counts what is open."""
        for asked in self.follower.unanswered:
            if self._month[0] <= asked.day <= self._month[1]:
                for figures in self._all(asked):
                    figures.open += 1

    def _askers(self, asked: Asked) -> tuple[Figures, ...]:
        """Where an exchange counts once, however many answerers it names."""
        purpose = asked.purpose if asked.known else UNKNOWN_PURPOSE
        group = Group("asks", asked.asker) if self._by_party else Group("purpose", purpose)
        return self._figures(group), self.total

    def _answerers(self, asked: Asked) -> tuple[Figures, ...]:
        """Where it counts for each answerer."""
        return (self._figures(Group("answers", asked.answerer)),) if self._by_party and asked.known else ()

    def _all(self, asked: Asked) -> tuple[Figures, ...]:
        return (*self._askers(asked), *self._answerers(asked))

    def _figures(self, group: Group) -> Figures:
        return self.groups.setdefault(group, Figures())
