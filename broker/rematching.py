"""Matching again: a released answer computed anew from what is still kept, and held against the log's commitment.

Needs the rows that were asked (in the vault) and the register version that answered, both for as long as they are kept.
Reads only. What it says of an answer is whether it is the same, never what it was.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

from broker.canonical import canonical_json, commitment
from broker.errors import Code, SluisError
from broker.exchange import AnswerStatus, Question
from broker.matching.join import match
from broker.matching.release import answer_runs, question_of, release_count, rows_digest
from broker.policy.bundle import policy_set_from_texts, read_bundle
from broker.policy.document import PolicySet
from broker.ports import LogReader
from broker.register_ports import RegisterStore, Snapshot

PROGRESS_EVERY = 100
MAX_LISTED = 1_000
_RELEASE = b'"kind":"release","sequenced_at"'
_RESULT = {"band", "count", "hits", "rows"}


class Rematched(Enum):
    """Only SAME counts as matched again."""

    SAME = "same"
    DIFFERS = "differs"
    NO_LONGER_POSSIBLE = "no longer possible"


class Compared(NamedTuple):
    """One release: its index, the exchange's answerer, and why where it is not SAME."""

    entry: int
    answerer: str
    outcome: Rematched
    why: str


@dataclass
class Outcome:
    """What was found; all are counted, the first thousand that are not the same are kept."""

    counts: Counter[Rematched] = field(default_factory=Counter)
    why: Counter[str] = field(default_factory=Counter)
    listed: list[Compared] = field(default_factory=list)

    @property
    def all_same(self) -> bool:
        """Whether every answer matched again the same; true of none at all."""
        return self.counts[Rematched.SAME] == self.counts.total()


class _GoneError(Exception):
    """Something that matching again needs is kept no more."""


class Rematching:
    """Computes released answers anew."""

    def __init__(self, reader: LogReader, registers: RegisterStore) -> None:
        self._reader = reader
        self._registers = registers
        self._sets: dict[str, PolicySet | None] = {}

    def all(self, progress: Callable[[int, int], None] | None = None) -> Outcome:
        """Every release of the log whose answer came from a join: rows, a count, or a count that was withheld.

        Raises:
            SluisError: what reading the log or the registers raises, STORE_CORRUPT among it.
        """
        outcome = Outcome()
        for compared in self._each(progress):
            outcome.counts[compared.outcome] += 1
            if compared.outcome is Rematched.SAME:
                continue
            outcome.why[compared.why] += 1
            if len(outcome.listed) < MAX_LISTED:
                outcome.listed.append(compared)
        return outcome

    def _each(self, progress: Callable[[int, int], None] | None) -> Iterator[Compared]:
        size = self._reader.size()
        for entry in self._reader.entries(0, size):
            if progress is not None and entry.index % PROGRESS_EVERY == 0:
                progress(entry.index, size)
            if _RELEASE not in entry.leaf:
                continue
            body = json.loads(entry.leaf)["body"]
            if body.get("status") in {"ANSWERED", "WITHHELD"} and body.get("register") is not None:
                yield self._compare(entry.index, body)

    def _compare(self, index: int, release: dict[str, Any]) -> Compared:
        try:
            differs = self._differs(release)
        except _GoneError as gone:
            return Compared(index, release["answerer"], Rematched.NO_LONGER_POSSIBLE, str(gone))
        outcome = Rematched.DIFFERS if differs else Rematched.SAME
        return Compared(index, release["answerer"], outcome, differs)

    def _differs(self, release: dict[str, Any]) -> str:
        """What is not as the release commits to; "" when nothing. Raises _GoneError."""
        ask = self._body(release["ask_index"])
        opened = self._reader.opening(release["result"])
        if opened is None:
            raise _GoneError("its result is no longer kept")
        salt, value = opened
        tokens = self._reader.opening(ask["statement"]["tokens"])
        if tokens is None:
            raise _GoneError("the rows that were asked are no longer kept")
        policies = self._policies(ask["policy_set"])
        if policies is None:
            raise _GoneError("its policy set is not archived, or cannot be read")
        logged = json.loads(value)
        question = question_of(tokens[1], ask["statement"]["match_keys"])
        again = self._again(policies, ask, release, question)
        if again is None:
            raise _GoneError("a withheld answer that the register does not explain: its purpose was closed then")
        # marks of disputed hits are those of the day: they are taken over, not made anew
        again |= {name: logged[name] for name in logged.keys() - _RESULT}
        if commitment("result", salt, canonical_json(again)) == release["result"]:
            return ""
        return ", ".join(sorted(name for name in _RESULT if again[name] != logged.get(name))) or "its form"

    def _again(
        self, policies: PolicySet, ask: dict[str, Any], release: dict[str, Any], question: Question
    ) -> dict[str, Any] | None:
        """The result value computed anew; None for rows that were withheld, which no join decides."""
        statement, named = ask["statement"], release["register"]
        want = statement["want"]
        withheld = release["status"] == "WITHHELD"
        if withheld and not want["count"]:
            return None
        try:
            snapshot = self._registers.pin(named["name"], named["version"])
        except SluisError as error:
            if error.code is Code.NOT_FOUND:
                raise _GoneError("the register version that answered is no longer kept") from None
            raise
        try:
            return _result(policies, statement, question, snapshot, withheld=withheld)
        finally:
            snapshot.close()

    def _policies(self, digest: str) -> PolicySet | None:
        if digest not in self._sets:
            stored = self._reader.document("policy-set", digest)
            try:
                read = None if stored is None else policy_set_from_texts(read_bundle(stored).texts)
            except SluisError:
                read = None
            self._sets[digest] = read if read is not None and read.digest == digest else None
        return self._sets[digest]

    def _body(self, index: int) -> dict[str, Any]:
        (entry,) = self._reader.entries(index, index + 1)
        body: dict[str, Any] = json.loads(entry.leaf)["body"]
        return body


def _result(
    policies: PolicySet, statement: dict[str, Any], question: Question, snapshot: Snapshot, *, withheld: bool
) -> dict[str, Any] | None:
    identifier = policies.catalogue.identifiers.get(statement["scheme"])
    purpose = policies.purposes.get(statement["purpose"])
    matches = match(question, snapshot, identifier.rows_per_pseudonym if identifier else 1)
    if not statement["want"]["count"]:
        rows = rows_digest(answer_runs(matches, snapshot, statement["want"]["attributes"]))
        return {"band": None, "count": None, "hits": matches.hits, "rows": rows}
    rule = purpose.may_learn.count if purpose else None
    count = release_count(matches, question, min_group=rule.min_group if rule else 1, bands=rule.bands if rule else ())
    if withheld and count.status is not AnswerStatus.WITHHELD:
        return None
    return {"band": count.band or None, "count": count.count, "hits": 0, "rows": None}
