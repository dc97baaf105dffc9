"""What binds a log to its keys, to the log before it and to the one after: rotation, seal, genesis, what was carried.

A log key counts from the entry that names it: the checkpoint over that entry is signed by the old key and the new,
later ones by the new alone. So a retired key that leaks can sign nothing that this verifier takes for later history.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from broker.audit.closing import Closing
from broker.audit.counting import Counting
from broker.audit.entries import EntryError, LogEntry, has_shape, is_number, read_time
from broker.audit.findings import Code, Findings
from broker.audit.preceding import Preceding
from broker.audit.releases import Releases
from broker.audit.tree import GrowingTree, NoteError, SignedTree, parse_log_key, read_unsigned
from broker.audit.trust import Trust

_PREVIOUS = {"origin": "text", "size": "number", "root": "hex", "checkpoint": "text", "reason": "text"}
_AT_THE_BEGINNING = ("genesis", "config", "recovery")
_BEGINS = ("carried", "entries-lost")
KeyId = tuple[str, bytes]


class Continuity:
    """Follows the entries that change what the log is. `entry` goes before the check of each entry's kind."""

    def __init__(
        self,
        trust: Trust,
        findings: Findings,
        releases: Releases,
        counting: Counting,
        closing: Closing,
        preceding: Preceding | None,
    ) -> None:
        self._trust = trust
        self._findings = findings
        self._releases = releases
        self._counting = counting
        self._closing = closing
        self._preceding = preceding
        self._periods: list[tuple[int, KeyId]] = []
        """(index of the entry that names a key, key), oldest first."""
        self._covered = 0
        """Entries under the newest checkpoint so far."""
        self._key = ""
        self._previous: Mapping[str, Any] | None = None
        self._began = datetime.min.replace(tzinfo=UTC)
        self._beginning = True
        self._gap_told = False
        self._carried: list[Mapping[str, Any]] = []
        self.sealed: Mapping[str, Any] | None = None
        self.follows_text: str | None = None
        """The log before, as the genesis states it."""

    def entry(self, entry: LogEntry) -> None:
        """Every entry, before its own check: none comes after the seal."""
        if self.sealed is not None:
            self._find(Code.AFTER_SEAL, entry)
        begins = entry.kind == "genesis" or entry.body.get("what") in _BEGINS
        if self._beginning and not (entry.kind in _AT_THE_BEGINNING and begins):
            self._end_beginning()

    def genesis(self, entry: LogEntry) -> None:
        """The first key, and the log before: its checkpoint says what the genesis states."""
        self._began = entry.at
        self._key = entry.body["verifier_key"]
        self._name_key(entry, self._key)
        previous = entry.body["previous"]
        if previous is None:
            if self._preceding is not None:
                self._find(Code.PREVIOUS_DIFFERS, entry, "it says that no log went before it")
            return
        self._previous = previous
        if previous.keys() != _PREVIOUS.keys() or not all(has_shape(previous[n], s) for n, s in _PREVIOUS.items()):
            self._find(Code.PREVIOUS, entry, "not its members")
            return
        self.follows_text = f"{previous['origin']} ({previous['reason']}), {previous['size']} entries"
        try:
            tree = read_unsigned(previous["checkpoint"])
        except NoteError as error:
            self._find(Code.PREVIOUS, entry, str(error))
            return
        stated = (previous["origin"], previous["size"], previous["root"])
        fits = stated == (tree.origin, tree.size, tree.root.hex()) and tree.origin != self._trust.origin
        if not fits or previous["reason"] not in ("sealed", "recovered"):
            self._find(Code.PREVIOUS, entry)
        if self._preceding is not None:
            for why in self._preceding.contradictions(previous, self._trust.origin, self._key):
                self._find(Code.PREVIOUS_DIFFERS, entry, why)

    def config(self, entry: LogEntry) -> None:
        """A change of the key, or what was carried over."""
        if entry.body["what"] == "log-key":
            self._change_key(entry)
        else:
            self._carry(entry)

    def recovery(self, entry: LogEntry) -> None:
        """A loss is named once, at the beginning, as the genesis states it."""
        body = entry.body
        if body["what"] != "entries-lost":
            return
        previous = self._previous or {}
        fits = (
            self._beginning
            and not self._gap_told
            and previous.get("reason") == "recovered"
            and (previous.get("origin"), previous.get("size"), previous.get("root"))
            == (body["origin"], body["known_size"], body["known_root"])
            and (body["from"] is None or body["from"] <= body["until"])
        )
        if not fits:
            self._find(Code.RECOVERY_GAP, entry)
        self._gap_told = True

    def seal(self, entry: LogEntry) -> None:
        """The last entry: nothing is open any more, and the log to follow is another one."""
        self.sealed = entry.body
        if self._releases.open_asks:
            self._find(Code.SEAL_OPEN, entry)
        try:
            (name, _), _ = parse_log_key(entry.body["next_key"])
        except NoteError:
            name = ""
        if entry.body["next_origin"] in (self._trust.origin, "") or name != entry.body["next_origin"]:
            self._find(Code.SEAL_NEXT, entry)

    def checkpoint(self, tree: SignedTree, line: int) -> None:
        """A checkpoint is signed by the key in force at its size; over a change, by both."""
        due = [key for index, key in self._periods if index < tree.size]
        changed = sum(index >= self._covered for index, _ in self._periods[: len(due)][1:])
        if not set(due[-1 - changed :]) <= tree.signers:
            self._findings.add(Code.KEY_NOT_IN_FORCE, f"at {tree.size} entries", line=line)
        self._covered = max(self._covered, tree.size)

    def expected_as_due(self, tree: SignedTree) -> bool:
        """Whether a checkpoint that came another way is signed by the key that the log has in force at its size."""
        due = [key for index, key in self._periods if index < tree.size]
        return not due or due[-1] in tree.signers

    @property
    def next_origin(self) -> str | None:
        """The log that follows, where this one is sealed."""
        return None if self.sealed is None else str(self.sealed["next_origin"])

    def as_preceding(self, tree: GrowingTree, revision: int | None) -> Preceding:
        """This log as the one before another; `revision` is that of the policy set in force at its end."""
        return Preceding(
            origin=self._trust.origin,
            size=tree.size,
            root=tree.root(),
            seal=self.sealed,
            counters=self._counting.counters(),
            suspended=self._closing.notices,
            revision=revision,
        )

    def settle(self) -> None:
        """At the end of the bundle."""
        if self._beginning:
            self._end_beginning()

    def _change_key(self, entry: LogEntry) -> None:
        body = entry.body
        known = [key for _, key in self._periods]
        if body["previous_key"] != self._key or _key_id(body["verifier_key"]) in known:
            self._find(Code.KEY_CHANGE, entry)
        if body["verifier_key"] not in self._trust.log_key_texts:
            self._find(Code.LOG_KEY, entry)
        self._key = body["verifier_key"]
        self._name_key(entry, self._key)

    def _name_key(self, entry: LogEntry, text: str) -> None:
        key = _key_id(text)
        if key is None or text not in self._trust.log_key_texts:
            return  # that is the finding, and nothing can be due
        if key not in (known for _, known in self._periods):  # one named again is a finding, and stays retired
            self._periods.append((entry.index, key))

    def _carry(self, entry: LogEntry) -> None:
        body = entry.body
        if not self._beginning or self._previous is None or not _carried_form(body):
            self._find(Code.CARRIED, entry)
            return
        self._carried.append(body)
        self._counting.carry(body["counters"])
        for purpose, notices in body["suspended"].items():
            self._closing.carry(purpose, {one["notice"]: read_time(one["since"]) for one in notices})

    def _end_beginning(self) -> None:
        self._beginning = False
        if (self._previous or {}).get("reason") == "recovered" and not self._gap_told:
            self._findings.add(Code.RECOVERY_GAP, "it is not named", index=0)
        if self._preceding is not None and self._previous is not None:
            for why in self._preceding.not_carried(self._carried, self._began):
                self._findings.add(Code.CARRIED, why, index=0)

    def _find(self, code: Code, entry: LogEntry, detail: str = "") -> None:
        self._findings.add(code, detail, index=entry.index)


def _key_id(text: str) -> KeyId | None:
    try:
        return parse_log_key(text)[0]
    except NoteError:
        return None


def _carried_form(body: Mapping[str, Any]) -> bool:
    try:
        for notices in body["suspended"].values():
            for one in notices:
                if one.keys() != {"notice", "since"} or not isinstance(one["notice"], str):
                    return False
                read_time(one["since"])
    except (EntryError, AttributeError, TypeError):
        return False
    policy = body["policy"]
    return all(map(is_number, body["counters"].values())) and (
        policy is None or (policy.keys() == {"digest", "revision"} and is_number(policy["revision"]))
    )
