"""Replaying a whole bundle: every decision in it taken again, one line at a time, and what came of it summed up.

Reads without verifying: a bundle that replays may still be forged. Memory grows with the archived policy sets and with
the differences listed, of which there are at most a thousand; not with the entries.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from broker.audit.entries import EntryError, read_time
from broker.audit.policies import Archived, read_archived
from broker.audit.reading import not_a_bundle, parts
from broker.audit.replay import Difference, Replayed, asked, decide_again, differences, not_replayable
from broker.policy.decision import Facts, Request
from broker.policy.history import cut_decision

MAX_LISTED = 1_000
_ASK = b'"kind":"ask","sequenced_at"'
_ELEMENTS = b'"key_service":'
"""A member of evaluations by a key service, and of no dry run."""
_EVALUATION = b'"kind":"evaluation","sequenced_at"'
_POLICY = b'"kind":"policy","sequenced_at"'
_SHADOW = b'"shadow_of":'
_INCOMPLETE = "its facts or its statement are not complete"
_NEVER_IN_FORCE = "no entry before it puts its policy set in force, or the bundle does not hold that set"
_NO_ASK = "its ask does not stand right before it"
UNKNOWN_PURPOSE = "(not in the set)"
"""Stands for every purpose that a policy set does not know: the word is the asker's own."""


class Row(NamedTuple):
    """What decisions are summed up by. `what`: `ask` or `shadow`."""

    what: str
    purpose: str
    engine: str
    revision: int
    """Of the policy set; 0 where the bundle does not hold it."""


@dataclass(frozen=True)
class Listed:
    """One decision that is not the same. `differences`: all of them; empty where it is not replayable."""

    index: int
    row: Row
    outcome: Replayed
    why: str
    differences: tuple[Difference, ...] = ()


@dataclass
class Outcome:
    """What a replay found. `rows` counts by row and result; `dry_runs` hold no facts and are not decisions."""

    origin: str = ""
    size: int = 0
    rows: dict[Row, Counter[Replayed]] = field(default_factory=dict)
    why: Counter[str] = field(default_factory=Counter)
    """Why decisions were not replayable."""
    listed: list[Listed] = field(default_factory=list)
    dry_runs: int = 0

    def count(self, result: Replayed) -> int:
        """Decisions with this result."""
        return sum(row[result] for row in self.rows.values())

    @property
    def decisions(self) -> int:
        """All decisions."""
        return sum(row.total() for row in self.rows.values())

    @property
    def all_same(self) -> bool:
        """Whether every decision replayed the same; true of none at all."""
        return self.count(Replayed.SAME) == self.decisions


def replay_all(lines: Iterable[bytes], progress: Callable[[int, int], None] | None = None) -> Outcome:
    """Takes every decision of a bundle again: asks, and what purposes in shadow would have decided.

    Each under the archived policy set it names, as the log last put it in force before, and by the engine it names.

    Raises:
        SluisError: STATEMENT_INVALID when the lines are no bundle.
    """
    run = _Run()
    for number, name, value in parts(lines, progress):
        if name == "leaf":
            try:
                run.leaf(value)
            except (ValueError, KeyError, TypeError, AttributeError, EntryError, RecursionError):
                raise not_a_bundle(number) from None
        elif name == "policy_set":
            run.archive(value)
        elif name == "bundle":
            run.outcome.origin = str(value.get("origin"))
    return run.outcome


class _Run:
    """One pass over a bundle."""

    def __init__(self) -> None:
        self.outcome = Outcome()
        self._archive: dict[str, list[Archived]] = {}
        self._in_force: dict[str, Archived] = {}
        self._ask: tuple[int, tuple[Request, Facts] | None] = (-1, None)

    def archive(self, bundle: object) -> None:
        """One archived set; one whose digests are not right is as if it were not there."""
        archived = read_archived(bundle)
        if archived is not None:
            self._archive.setdefault(archived.digest, []).append(archived)

    def leaf(self, leaf: bytes) -> None:
        """One entry. Raises ValueError, KeyError or TypeError for what is none."""
        self.outcome.size += 1
        if _ASK in leaf or _EVALUATION in leaf:
            if _SHADOW not in leaf and _ASK not in leaf:
                self.outcome.dry_runs += _ELEMENTS not in leaf
                return
            value, decision = _cut(leaf)
            if value["kind"] == "ask":
                self._take_ask(value, decision)
            elif value["kind"] == "evaluation":
                self._take_shadow(value, decision)
        elif _POLICY in leaf:
            value = json.loads(leaf)
            if value["kind"] == "policy":
                self._put_in_force(value["body"])

    def _put_in_force(self, body: Mapping[str, Any]) -> None:
        expires = None if body["expires"] is None else read_time(body["expires"])
        self._in_force.pop(body["digest"], None)
        for archived in self._archive.get(body["digest"], ()):
            stated = (archived.text_digest, archived.revision, archived.expires)
            if stated == (body["text_digest"], body["revision"], expires):
                self._in_force[body["digest"]] = archived

    def _take_ask(self, value: Mapping[str, Any], decision: bytes) -> None:
        body = value["body"]
        read = asked(body)
        self._ask = (value["index"], read)
        self._take("ask", value, read, decision)

    def _take_shadow(self, value: Mapping[str, Any], decision: bytes) -> None:
        body, (index, read) = value["body"], self._ask
        if index != body["ask_index"]:
            self._note("shadow", value, None, Replayed.NOT_REPLAYABLE, _NO_ASK)
            return
        if read is not None:
            read = (replace(read[0], purpose=body["purpose"]), read[1])
        self._take("shadow", value, read, decision)

    def _take(self, what: str, value: Mapping[str, Any], read: tuple[Request, Facts] | None, decision: bytes) -> None:
        body = value["body"]
        archived = self._in_force.get(body["policy_set"])
        why = _NEVER_IN_FORCE if archived is None else not_replayable(archived, body["engine"])
        if archived is None or why:
            self._note(what, value, archived, Replayed.NOT_REPLAYABLE, why)
        elif read is None:
            self._note(what, value, archived, Replayed.NOT_REPLAYABLE, _INCOMPLETE)
        else:
            again = decide_again(archived, read[0], read[1], body["engine"])
            same = again == decision
            found = () if same else differences(again, decision)
            why = ", ".join(one.what for one in found)
            self._note(what, value, archived, Replayed.SAME if same else Replayed.DIFFERS, why, found)

    def _note(
        self,
        what: str,
        value: Mapping[str, Any],
        archived: Archived | None,
        outcome: Replayed,
        why: str,
        found: tuple[Difference, ...] = (),
    ) -> None:
        body = value["body"]
        policies = archived.policy_set if archived else None
        purpose = body["purpose"] if policies is None or body["purpose"] in policies.purposes else UNKNOWN_PURPOSE
        row = Row(what, purpose, body["engine"], archived.revision if archived else 0)
        self.outcome.rows.setdefault(row, Counter())[outcome] += 1
        if outcome is Replayed.SAME:
            return
        if outcome is Replayed.NOT_REPLAYABLE:
            self.outcome.why[why] += 1
        if len(self.outcome.listed) < MAX_LISTED:
            self.outcome.listed.append(Listed(value["index"], row, outcome, why, found))


def _cut(leaf: bytes) -> tuple[dict[str, Any], bytes]:
    """An entry and the bytes of its decision, also where the entry has not the form that the log writes."""
    try:
        value, decision = cut_decision(leaf)
        if value["body"]["decision"] is None:
            return value, decision
    except ValueError:
        pass
    value = json.loads(leaf)
    return value, json.dumps(value["body"]["decision"]).encode()
