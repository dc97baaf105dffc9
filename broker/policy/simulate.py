"""What a draft would have decided in the past: every logged ask taken again, and what history cannot tell said so.

Counters are counted anew under the draft, for a permit that history did not give uses up the day's budget. Where the
draft needs a fact that history lacks the outcome is UNKNOWN, which never counts as the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import Enum
from typing import TypeAlias

from broker.policy.document import PolicySet
from broker.policy.evaluate import GUARD_IDS, STANDING, evaluate
from broker.policy.history import History, Past, past_asks
from broker.policy.legal_days import calendar_epoch, epoch_name, local_day
from broker.policy.purpose import Purpose

EXAMPLES = 5
_Key: TypeAlias = tuple[str, ...]


class Change(Enum):
    """What becomes of a past ask under the draft."""

    NOW_PERMITTED = "deny to permit"
    NOW_DENIED = "permit to deny"
    UNKNOWN = "unknown"
    OTHER_REASONS = "denied for other reasons"
    SAME = "the same"


@dataclass
class Group:
    """Asks that change alike. `checks`: those that decide it; for UNKNOWN, those that lack a fact."""

    change: Change
    purpose: str
    asker: str
    answerer: str
    checks: tuple[str, ...]
    count: int = 0
    first: date = date.max
    last: date = date.min
    examples: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Simulation:
    """The outcome. `never_asked`: active purposes of the draft that no ask of the period names."""

    asks: int
    counts: Counter[Change]
    groups: tuple[Group, ...]
    never_asked: tuple[str, ...]
    first: datetime | None
    last: datetime | None


@dataclass
class _Counts:
    """Counts permitted so far in an epoch. `extra`, `missing`: under the draft and not in history, and the reverse."""

    certain: int = 0
    possible: int = 0
    extra: int = 0
    missing: int = 0


def simulate(
    draft: PolicySet, lines: Iterable[bytes], *, start: datetime | None = None, end: datetime | None = None
) -> Simulation:
    """Decides every ask of a log bundle from `start` up to but not including `end` under `draft`.

    Raises:
        SluisError: CONFIG_INVALID when the lines are no log bundle.
    """
    run = _Run(draft)
    for past in past_asks(lines, run.history):
        if end is not None and past.facts.now >= end:
            break
        run.take(past, shown=start is None or past.facts.now >= start)
    return run.outcome()


class _Run:
    """One pass over history."""

    def __init__(self, draft: PolicySet) -> None:
        self.history = History()
        self._draft = draft
        self._days: dict[_Key, tuple[int, int]] = {}
        """(asker, purpose, day) -> exchanges permitted so far: certainly, and possibly."""
        self._counts: dict[_Key, _Counts] = {}
        self._exchange: _Key = ()
        self._certain = self._possible = False
        self._counter: _Key = ()
        self._asks = 0
        self._changes: Counter[Change] = Counter()
        self._groups: dict[tuple[Change, _Key, tuple[str, ...]], Group] = {}
        self._asked: set[str] = set()
        self._first: datetime | None = None
        self._last: datetime | None = None

    def take(self, past: Past, *, shown: bool) -> None:
        """One ask; what is not shown counts all the same."""
        request, now = past.request, past.facts.now
        day = local_day(now)
        if (request.asker, past.exchange) != self._exchange:
            self._close_exchange()
            self._exchange = (request.asker, past.exchange)
            self._counter = (request.asker, request.purpose, day.isoformat())
        text = self._draft.purposes.get(request.purpose)
        permitted, failing, lacking = self._decide(past, text, day)
        self._certain |= permitted and not lacking
        self._possible |= permitted or bool(lacking)
        if request.want.count:
            self._settle_count(past, permitted=permitted and not lacking, possible=permitted or bool(lacking))
        if shown:
            self._asks += 1
            self._asked.add(request.purpose)
            self._first = self._first or now
            self._last = now
            self._note(past, day, permitted, failing, lacking)

    def outcome(self) -> Simulation:
        """What was found."""
        order = {change: at for at, change in enumerate(Change)}
        groups = sorted(
            self._groups.values(), key=lambda one: (order[one.change], -one.count, one.purpose, one.asker, one.answerer)
        )
        active = {name for name, purpose in self._draft.purposes.items() if purpose.state == "active"}
        never = tuple(sorted(active - self._asked))
        return Simulation(self._asks, self._changes, tuple(groups), never, self._first, self._last)

    def _decide(self, past: Past, text: Purpose | None, day: date) -> tuple[bool, tuple[str, ...], tuple[str, ...]]:
        """Whether the draft permits for certain, the checks that fail for certain, and those that lack a fact."""
        request, facts = past.request, past.facts
        certain, possible = self._days.get(self._counter, (0, 0))
        old = self.history.policies(past.policy_set)
        old_text = old.purposes.get(request.purpose) if old else None
        counts = self._counts.get(_count_key(past), _Counts())
        facts = replace(
            facts,
            requests_today=certain,
            counts_this_epoch=counts.certain,
            suspended_since=self.history.suspended_since(request.purpose, text.lifts if text else ()),
        )
        if text and old_text and calendar_epoch(request.epoch) == epoch_name(old_text.pseudonyms.epoch, day):
            # it named the epoch rightly then, so it would have named the draft's
            request = replace(request, epoch=epoch_name(text.pseudonyms.epoch, day))
        decision = evaluate(self._draft, request, facts)
        failing = () if decision.permitted else tuple(check.id for check in decision.checks if not check.met)
        if text is None:
            return False, failing, ()
        lacking = set(self._lacking(past, text, old, old_text, failing))
        if certain < text.limits.requests_per_day <= possible:
            lacking.add("requests-per-day")
        rule = text.may_learn.count
        if request.want.count and rule is not None:
            if counts.certain < rule.per_epoch <= counts.possible:
                lacking.add("counts-per-epoch")
            if _distance_lacks(past, old_text, counts, rule.min_group):
                lacking.add("count-distance")
        sure = tuple(check for check in failing if check not in lacking)
        return not sure and not lacking, sure, () if sure else tuple(sorted(lacking))

    def _lacking(
        self, past: Past, text: Purpose, old: PolicySet | None, old_text: Purpose | None, failing: tuple[str, ...]
    ) -> Iterable[str]:
        """Checks of the draft that read a fact which was found under other terms."""
        if past.facts.case_number in ("accepted", "malformed"):
            # the log has the verdict on the number, not the number
            then = old.catalogue.parties.get(past.request.asker) if old else None
            now = self._draft.catalogue.parties.get(past.request.asker)
            if then is None or now is None or then.case_number != now.case_number:
                yield "case-number"
        if "register-rules" in failing and (old_text is None or old_text.register_rules() != text.register_rules()):
            yield "register-rules"  # published under the rules of then; the draft's would have been applied
        if past.facts.probing is None:
            yield from (check for check in failing if check in GUARD_IDS)  # nobody counted earlier questions then
        if STANDING in failing and (old_text is None or old_text.standing_questions is None):
            yield STANDING  # first questions are noted only where some may stand
        if "mode" in failing and (old_text is None or old_text.pseudonyms.mode != text.pseudonyms.mode):
            yield "mode"

    def _settle_count(self, past: Past, *, permitted: bool, possible: bool) -> None:
        counts = self._counts.setdefault(_count_key(past), _Counts())
        counts.certain += permitted
        counts.possible += possible
        counts.extra += possible and not past.permitted
        counts.missing += past.permitted and not permitted

    def _close_exchange(self) -> None:
        """Several answerers of one exchange use up one request."""
        if self._possible:
            certain, possible = self._days.get(self._counter, (0, 0))
            self._days[self._counter] = (certain + self._certain, possible + 1)
        self._certain = self._possible = False

    def _note(self, past: Past, day: date, permitted: bool, failing: tuple[str, ...], lacking: tuple[str, ...]) -> None:
        checks: tuple[str, ...] = ()
        if lacking:
            change, checks = Change.UNKNOWN, lacking
        elif permitted != past.permitted:
            change = Change.NOW_PERMITTED if permitted else Change.NOW_DENIED
            checks = past.failing if permitted else failing
        elif not permitted and failing != past.failing:
            change = Change.OTHER_REASONS
        else:
            change = Change.SAME
        self._changes[change] += 1
        if change in (Change.SAME, Change.OTHER_REASONS):
            return
        request = past.request
        key = (change, (request.purpose, request.asker, request.answerer), checks)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = Group(change, request.purpose, request.asker, request.answerer, checks)
        group.count += 1
        group.first, group.last = min(group.first, day), max(group.last, day)
        if len(group.examples) < EXAMPLES:
            group.examples.append(past.entry)


def _count_key(past: Past) -> _Key:
    request = past.request
    return request.asker, request.answerer, request.purpose, calendar_epoch(request.epoch)


def _distance_lacks(past: Past, old: Purpose | None, counts: _Counts, min_group: int) -> bool:
    """Whether the distance to the nearest earlier count is not known for the counts that the draft would have given.

    History has it only where a count could be permitted then (`broker.asking`), and against the counts of then.
    """
    request, distance = past.request, past.facts.count_distance
    computed = (
        old is not None
        and old.may_learn.count is not None
        and request.asker in old.asks
        and request.answerer in old.answers
        and request.subjects <= old.limits.subjects_per_request
    )
    if not computed:
        return counts.possible > 0
    if distance is None or distance >= min_group:
        return counts.extra > 0
    return counts.missing > 0
