"""Fetches what the log says of this agency, each entry proven, and reconciles it; remembers how far it came."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluis_client.canonical import parse_canonical
from sluis_client.errors import ClientError, Exit
from sluis_client.journal import held
from sluis_client.merkle import leaf_hash, verify_inclusion
from sluis_client.participant import Participant
from sluis_client.receipts import Checkpoint
from sluis_client.reconcile import Finding, Reconciler, Standing
from sluis_client.statements import utc
from sluis_client.transport import LogEntry, Progress, Receipt, silent

_HELD_AT_ONCE = 1000


@dataclass(frozen=True)
class Reconciled:
    """What came of it. `open`: everything grave that was found so far and that nobody accepted."""

    size: int
    from_index: int
    entries: int
    counts: Mapping[str, int]
    asked_by: Mapping[str, int]
    before_journal: int
    found: tuple[Finding, ...]
    open: tuple[Finding, ...]
    accepted: int


def reconcile(
    me: Participant,
    *,
    whole: bool = False,
    journals: Sequence[Path] = (),
    receipts: Iterable[Receipt] = (),
    progress: Progress = silent,
) -> Reconciled:
    """Holds the log's entries about this agency against its journal, from where the last time ended.

    `whole`: from the beginning. `journals`: of the agency's other machines. `receipts`: verified ones that are held
    elsewhere; the log must still hold them.

    Raises:
        ClientError: LOG_FORKED, LOG_SHRUNK, STATE_UNREADABLE; as the transport.
    """
    me.journal.append((), now=me.now(), log_size=me.log_size_kept())
    record = me.journal.read(journals)
    record.exchanges |= set(me.keystore.record_names("exchanges"))
    kept = _kept(me)
    standing = Standing() if whole or kept is None else Standing.of(kept)
    start = standing.next_index
    head, _ = me.newest_checkpoint()
    reconciler = Reconciler(me.profile.party, me.key.certificate, record, standing)
    log = ProvenLog(me, head)
    lines: list[dict[str, Any]] = []
    listed: dict[int, bytes] = {}
    for entry in log.entries(start, progress):
        value = log.prove(entry)
        if value is None:
            continue
        listed[entry.index] = leaf_hash(entry.leaf)
        reconciler.take(entry.index, value["kind"], value["body"])
        if entry.index not in record.entries:
            lines.append(held(entry.index, value["kind"], listed[entry.index], value["body"]))
    log.expect_listed(
        {one.index: bytes.fromhex(one.leaf) for one in record.entries.values() if start <= one.index < head.size},
        listed,
    )
    log.expect({receipt.index: leaf_hash(receipt.leaf) for receipt in receipts})
    found = tuple(sorted([*reconciler.findings(), *log.found], key=lambda one: one.index))
    for at in range(0, len(lines), _HELD_AT_ONCE):
        me.journal.append(lines[at : at + _HELD_AT_ONCE], now=me.now(), log_size=0)
    standing.next_index = head.size
    return _remember(me, standing, reconciler, start, found, kept or {})


def accept(me: Participant, index: int, because: str) -> tuple[Finding, ...]:
    """Marks what was found about an entry as explained; it is not open any more. Raises NOT_FOUND, USAGE."""
    kept = _kept(me)
    still = [one for one in (kept or {}).get("open", ()) if one["index"] == index]
    if kept is None or not still:
        raise ClientError("NOT_FOUND", f"nothing about entry {index} is open; run `sluis-client reconcile` first")
    line = {"index": index, "codes": [one["code"] for one in still], "because": because, "at": utc(me.now())}
    kept["open"] = [one for one in kept["open"] if one["index"] != index]
    kept["accepted"] = [*kept.get("accepted", ()), line]
    me.keystore.keep_reconciled(kept)
    return tuple(_finding(one) for one in still)


class ProvenLog:
    """The log under one checkpoint: what it lists, and what it proves."""

    def __init__(self, me: Participant, head: Checkpoint) -> None:
        self._me = me
        self._head = head
        self.found: list[Finding] = []

    def entries(self, start: int, progress: Progress) -> Iterator[LogEntry]:
        """Entries that concern this agency, from `start` to the checkpoint."""
        at = start
        while at < self._head.size:
            page, following = self._me.transport.entries(at)
            before = at
            for entry in page:
                if at <= entry.index < self._head.size:
                    at = entry.index + 1
                    yield entry
            at = max(at, following)
            progress("reconciling", min(at, self._head.size), self._head.size)
            if not page or at == before:
                return

    def prove(self, entry: LogEntry) -> dict[str, Any] | None:
        """The entry, once it is proven to stand in the log; None when it is not, which is a finding."""
        try:
            value = parse_canonical(entry.leaf)
        except ClientError:
            value = {}
        whole = value.get("index") == entry.index and isinstance(value.get("body"), dict)
        if whole and self._holds(entry.index, leaf_hash(entry.leaf)):
            return value
        text = "the broker lists this entry, and cannot prove that it stands in its log"
        self.found.append(Finding("ENTRY_UNPROVEN", entry.index, text))
        return None

    def expect_listed(self, leaves: Mapping[int, bytes], listed: Mapping[int, bytes]) -> None:
        """Entries that were proven to this agency before must be listed."""
        missing = {index: leaf for index, leaf in leaves.items() if listed.get(index) != leaf}
        self.expect(missing)
        gone = {one.index for one in self.found if one.code == "ENTRY_MISSING"}
        for index in sorted(set(missing) - gone):
            text = "this entry about you stands in the log, and the broker leaves it out when it lists yours"
            self.found.append(Finding("ENTRY_HIDDEN", index, text))

    def expect(self, leaves: Mapping[int, bytes]) -> None:
        """Entries for which a receipt is held must still stand in the log."""
        for index, leaf in sorted(leaves.items()):
            if not self._holds(index, leaf):
                text = "a receipt proves this entry, and the log shows it no more: keep the receipt"
                self.found.append(Finding("ENTRY_MISSING", index, text))

    def _holds(self, index: int, leaf: bytes) -> bool:
        if index >= self._head.size:
            return False
        try:
            proof = self._me.transport.inclusion(index, self._head.size)
        except ClientError as error:
            if error.exit_code is not Exit.BROKER_REFUSED:
                raise
            return False
        return verify_inclusion(leaf, index, self._head.size, proof, self._head.root)


def _kept(me: Participant) -> dict[str, Any] | None:
    kept = me.keystore.reconciled()
    if kept is None:
        return None
    try:
        Standing.of(kept)
        [_finding(one) for one in kept["open"]]
    except (KeyError, TypeError, ValueError):
        path = me.keystore.directory / "reconciled.json"
        text = f"{path} is damaged; remove it, and `sluis-client reconcile` begins anew"
        raise ClientError("STATE_UNREADABLE", text, Exit.KEY_TROUBLE) from None
    return kept


def _remember(
    me: Participant,
    standing: Standing,
    reconciler: Reconciler,
    start: int,
    found: tuple[Finding, ...],
    kept: Mapping[str, Any],
) -> Reconciled:
    accepted = kept.get("accepted", [])
    settled = {(code, one["index"]) for one in accepted for code in one["codes"]}
    still = {(one["code"], one["index"]): _finding(one) for one in kept.get("open", ())}
    still |= {(one.code, one.index): one for one in found if one.grave and (one.code, one.index) not in settled}
    opened = tuple(sorted(still.values(), key=lambda one: one.index))
    me.keystore.keep_reconciled(
        {**standing.as_json(), "open": [vars(one) for one in opened], "accepted": accepted, "at": utc(me.now())}
    )
    return Reconciled(
        standing.next_index,
        start,
        sum(reconciler.counts.values()),
        dict(sorted(reconciler.counts.items())),
        dict(sorted(reconciler.asked_by.items())),
        reconciler.before_journal,
        found,
        opened,
        len(accepted),
    )


def _finding(value: Mapping[str, Any]) -> Finding:
    return Finding(str(value["code"]), int(value["index"]), str(value["text"]), bool(value["grave"]))
