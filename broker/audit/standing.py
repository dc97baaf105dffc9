"""Standing questions, recounted from the log: whether one is an earlier question put again, and not too soon.

Whether the subjects are the same is the broker's word, within what the statements allow: they must be as many, asked
about in the same way and for the same. All else is in the log: the first question, when it was put, and which register
version answered last.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from broker.audit import strict_json
from broker.policy.document import PolicySet

_SAME = ("principal", "purpose", "epoch", "key_id", "scheme", "match_keys", "subjects", "want")
"""Members of an ask's statement that a question put again has in common with its first."""
_UNKNOWN = {"first": "unknown", "newer": False, "days": 0}


@dataclass(slots=True)
class _First:
    """A first question at one answerer. `version`: of the register that answered it last; 0 before any did."""

    terms: bytes
    asked_at: datetime
    version: int = 0


class Standing:
    """Knows the first questions that may be put again."""

    def __init__(self) -> None:
        self._firsts: dict[bytes, _First] = {}

    def wrong(
        self, facts: Mapping[str, Any], statement: Mapping[str, Any], answerer: str, at: datetime, version: int
    ) -> str:
        """What is wrong with an ask's facts; "" when the log cannot say that anything is. `version`: of the register in
        force, 0 when there is none."""
        found = facts.get("standing")
        if "standing" not in statement:
            return "" if found is None else "it is said to stand, and its asker did not say so"
        if not isinstance(found, dict) or found.keys() != _UNKNOWN.keys():
            return "how it stands to its first question is not said"
        first = self._firsts.get(_place(statement, answerer))
        if first is None:
            return "" if found == _UNKNOWN else "the log has no first question of it that may stand"
        days = (at - first.asked_at) // timedelta(days=1)
        if type(found["days"]) is not int or found["days"] != days:
            return "it counts other days since its first question"
        if found["newer"] is not (version > first.version):
            return "what it says of the register is not so"
        if first.terms != _terms(statement):
            return "" if found["first"] == "other" else "its first question asked something else"
        return "" if found["first"] in ("same", "other", "gone") else "its first question is in the log"

    def permitted(self, statement: Mapping[str, Any], answerer: str, at: datetime, policies: PolicySet | None) -> None:
        """A permitted ask: a first question, where the purpose lets questions stand."""
        purpose = policies.purposes.get(statement["purpose"]) if policies is not None else None
        may = purpose is not None and purpose.standing_questions is not None
        if may and "standing" not in statement and not statement["want"]["count"]:
            self._firsts[_place(statement, answerer)] = _First(_terms(statement), at)

    def answered(self, statement: Mapping[str, Any], answerer: str, version: int) -> None:
        """An answer from this version of the answerer's register."""
        first = self._firsts.get(_place(statement, answerer))
        if first is not None:
            first.version = version


def _terms(statement: Mapping[str, Any]) -> bytes:
    return hashlib.sha256(strict_json.write({name: statement[name] for name in _SAME})).digest()[:16]


def _place(statement: Mapping[str, Any], answerer: str) -> bytes:
    first = statement.get("standing", statement["request_id"])
    return hashlib.sha256(f"{statement['asker']}\n{first}\n{answerer}".encode()).digest()[:16]
