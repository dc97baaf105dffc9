"""Which text of a purpose was in force when, who signed it, and the proof that its activation stands in the log.

Reads an export bundle (docs/formats.md section 7). Signatures of policy sets and approvals are checked here; that the
log itself is whole and signed is for `broker.audit.verify`, run first over the same bundle.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from broker.audit.entries import EntryError, LogEntry, read_entry
from broker.audit.policies import Archived, read_archived
from broker.audit.tree import hash_leaf, path_to
from broker.errors import Code, SluisError
from broker.policy.approvals import Approval, Sides, standing
from broker.policy.document import PURPOSE_FOLDER
from broker.policy.purpose import Purpose
from broker.policy.suspension import is_signed

_KINDS = (b'"kind":"policy"', b'"kind":"notice"')


@dataclass(frozen=True)
class Suspended:
    """A notice that suspended the purpose during a period, and from when."""

    notice: str
    since: datetime
    reason: str
    key: str


@dataclass(frozen=True)
class InForce:
    """One text of a purpose during one period. `until`: None while it holds."""

    purpose: Purpose
    text: str
    since: datetime
    until: datetime | None
    index: int
    """Of the `policy` entry that put the set in force."""
    archived: Archived
    approvals: tuple[Approval, ...]
    """Those of this purpose that count."""
    sides: Sides
    suspended: tuple[Suspended, ...]


class PolicyHistory:
    """The sets that a log put in force, and the notices in it. Reads all lines at once; keeps a hash an entry."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        """Raises CONFIG_INVALID when the lines are no bundle."""
        self._archive: dict[tuple[str, str, int], Archived] = {}
        self._entries: list[tuple[LogEntry, bytes]] = []
        self._hashes: list[bytes] = []
        self.checkpoint = ""
        self._covered = 0
        self._last = b""
        try:
            for line in lines:
                self._take(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError, EntryError, RecursionError) as error:
            raise SluisError(
                Code.CONFIG_INVALID, "this is no log bundle; make one with `sluis audit export`"
            ) from error

    @property
    def size(self) -> int:
        """Entries under the last checkpoint."""
        return self._covered

    @property
    def known_until(self) -> datetime | None:
        """The time of the last entry; None for a log without entries."""
        return read_entry(self._last).at if self._last else None

    def in_force(self, purpose: str, start: datetime, end: datetime) -> Iterator[InForce]:
        """Every text of `purpose` that was in force at some moment from `start` up to but not including `end`."""
        activations = [(entry, leaf) for entry, leaf in self._entries if entry.kind == "policy"]
        for position, (entry, _) in enumerate(activations):
            until = activations[position + 1][0].at if position + 1 < len(activations) else None
            if entry.at >= end or (until is not None and until <= start):
                continue
            found = self._text(purpose, entry, until, end)
            if found is not None:
                yield found

    def receipt(self, index: int) -> dict[str, Any]:
        """The entry with its inclusion proof under the last checkpoint, as `sluis audit verify --expect` reads it."""
        (leaf,) = (leaf for entry, leaf in self._entries if entry.index == index)
        path = path_to(self._hashes[: self._covered], index)
        return {
            "leaf": base64.b64encode(leaf).decode(),
            "index": index,
            "inclusion": [base64.b64encode(item).decode() for item in path],
            "checkpoint": self.checkpoint,
        }

    def purposes(self) -> tuple[str, ...]:
        """Every purpose that any set in force ever held, sorted."""
        sets = (self._archived(entry) for entry, _ in self._entries if entry.kind == "policy")
        return tuple(sorted({name for one in sets if one and one.policy_set for name in one.policy_set.purposes}))

    def archived(self) -> tuple[Archived, ...]:
        """Every archived set whose digests are right, by revision."""
        return tuple(sorted(self._archive.values(), key=lambda one: (one.revision, one.text_digest)))

    def _take(self, value: Mapping[str, Any]) -> None:
        if "policy_set" in value:
            archived = read_archived(value["policy_set"])
            if archived is not None:
                self._archive[(archived.digest, archived.text_digest, archived.revision)] = archived
        elif "leaf" in value:
            leaf = base64.b64decode(value["leaf"], validate=True)
            self._hashes.append(hash_leaf(leaf))
            self._last = leaf
            if any(kind in leaf for kind in _KINDS):
                entry = read_entry(leaf)
                if entry.kind == "policy" or (entry.kind, entry.body.get("what")) == ("notice", "policy-suspension"):
                    self._entries.append((entry, leaf))
        elif "checkpoint" in value:
            self.checkpoint, self._covered = value["checkpoint"], len(self._hashes)
        elif "bundle" not in value and "sha256" not in value:
            raise ValueError

    def _archived(self, entry: LogEntry) -> Archived | None:
        body = entry.body
        return self._archive.get((body["digest"], body["text_digest"], body["revision"]))

    def _text(self, name: str, entry: LogEntry, until: datetime | None, end: datetime) -> InForce | None:
        archived = self._archived(entry)
        policies = archived.policy_set if archived else None
        if archived is None or policies is None:
            raise SluisError(
                Code.POLICY_INVALID,
                f"entry {entry.index} put a policy set in force that the bundle does not hold, or not unchanged",
            )
        purpose = policies.purposes.get(name)
        if purpose is None:
            return None
        mine = tuple(approval for approval in archived.approvals if approval.purpose == name)
        return InForce(
            purpose=purpose,
            text=archived.texts[f"{PURPOSE_FOLDER}{name}.yaml"],
            since=entry.at,
            until=until,
            index=entry.index,
            archived=archived,
            approvals=mine,
            sides=standing(policies, mine)[name],
            suspended=tuple(self._suspensions(purpose, end if until is None else min(until, end))),
        )

    def _suspensions(self, purpose: Purpose, before: datetime) -> Iterator[Suspended]:
        for entry, _ in self._entries:
            body = entry.body
            if entry.kind != "notice" or body["purpose"] != purpose.name or body["notice"] in purpose.lifts:
                continue
            if entry.at < before and is_signed(body["statement"], body["key"], body["signature"]):
                yield Suspended(body["notice"], entry.at, str(body["statement"].get("reason", "")), body["key"])
