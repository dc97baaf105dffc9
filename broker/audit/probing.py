"""Guards against probing, recounted from the log: what it can say of the earlier questions that an ask names.

The rows themselves are not in the log, so who was asked about is the broker's word, within what the statements allow:
the hour is recounted to the row; different subjects grow by at most a question's rows, and never shrink; and no more
earlier questions can be alike than there were.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from broker.policy.document import PolicySet
from broker.policy.guards import is_guarded

_HOUR = timedelta(hours=1)
_MEMBERS = {"same", "nested", "again", "hour", "epoch", "hits"}
_Scope = tuple[str, str, str]
"""Asker, purpose, epoch."""


@dataclass(slots=True)
class _Asked:
    """The permitted questions of a scope."""

    questions: int = 0
    subjects: int = 0
    recent: list[tuple[datetime, int]] = field(default_factory=list)


class Probed:
    """Knows what every ask under a guarded purpose may say of the asker's earlier questions."""

    def __init__(self) -> None:
        self._asked: dict[_Scope, _Asked] = {}

    def carry(self, scope: _Scope, subjects: int) -> None:
        """How many different subjects were asked about in the log before."""
        self._asked.setdefault(scope, _Asked()).subjects += subjects

    def subjects(self) -> Iterator[tuple[_Scope, int]]:
        """How many different subjects were asked about so far."""
        return ((scope, asked.subjects) for scope, asked in self._asked.items())

    def wrong(
        self, facts: Mapping[str, Any], statement: Mapping[str, Any], at: datetime, policies: PolicySet | None
    ) -> str:
        """What is wrong with an ask's facts; "" when the log cannot say that anything is."""
        found = facts.get("probing")
        if policies is not None and (found is not None) is not is_guarded(policies, statement["purpose"]):
            return "it says what was asked before, and nothing is guarded" if found else "what is guarded is not said"
        if found is None:
            return ""
        if not isinstance(found, dict) or found.keys() != _MEMBERS:
            return "it has other members"
        counts = [found[name] for name in ("same", "nested", "again", "hour", "epoch")]
        if not all(isinstance(count, int) and not isinstance(count, bool) and count >= 0 for count in counts):
            return "what was counted is no number"
        if found["hits"] is not None and (type(found["hits"]) is not int or not 0 <= found["hits"] <= 100):
            return "the hits are no share of a hundred"
        return self._beyond(found, statement, at)

    def permitted(self, facts: Mapping[str, Any], statement: Mapping[str, Any], at: datetime) -> None:
        """A question of which something was permitted."""
        found = facts.get("probing")
        if not isinstance(found, dict):
            return
        asked = self._asked.setdefault(_scope(statement), _Asked())
        asked.questions += 1
        asked.subjects = found["epoch"] if isinstance(found.get("epoch"), int) else asked.subjects
        asked.recent = [one for one in asked.recent if one[0] >= at - _HOUR]
        asked.recent.append((at, statement["subjects"]))

    def _beyond(self, found: Mapping[str, int], statement: Mapping[str, Any], at: datetime) -> str:
        asked = self._asked.get(_scope(statement), _Asked())
        hour = sum(rows for when, rows in asked.recent if when >= at - _HOUR)
        if found["hour"] != hour + statement["subjects"]:
            return "it counts other subjects within the hour"
        if not asked.subjects <= found["epoch"] <= asked.subjects + statement["subjects"]:
            return "it counts other subjects of the epoch"
        if found["same"] + found["nested"] > asked.questions or found["again"] > asked.questions:
            return "it names more earlier questions than there were"
        return ""


def _scope(statement: Mapping[str, Any]) -> _Scope:
    return statement["asker"], statement["purpose"], statement["epoch"]
