"""The offline verifier: an export bundle (docs/formats.md section 7) against a trust file, in one pass.

Takes bytes, never a handle on a broker. Memory grows only with what must be remembered to the end: request ids, the
asks' indices, counters, certificates and policy sets. Whatever the bundle holds, the outcome is a report, never an
exception.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from broker.audit import strict_json
from broker.audit.bundle_lines import leaf_of
from broker.audit.entries import EntryError, LogEntry, read_entry
from broker.audit.entry_rules import EntryRules
from broker.audit.expected import Expectations
from broker.audit.findings import BundleError, Code, Finding, Findings, Report, VaultChecked
from broker.audit.preceding import Preceding
from broker.audit.replay import Replayed
from broker.audit.stamps import Stamps
from broker.audit.tree import GrowingTree, NoteError, read_checkpoint
from broker.audit.trust import Trust
from broker.audit.vault_check import check_vault
from broker.audit.vault_export import VaultFile
from broker.audit.witnessing import Witnessing

PROGRESS_EVERY = 1_000


def verify(
    lines: Iterable[bytes],
    trust: Trust,
    *,
    expect: bytes | None = None,
    preceding: Preceding | None = None,
    vault: VaultFile | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Checks everything that can be checked offline and reports all that is wrong.

    `lines`: the bundle's lines with their newlines, as `bundle_lines.read_lines` gives them. `expect`: the bytes of a
    checkpoint or receipt that came another way. `preceding`: the log before, from `verify_preceding`. `vault`: a vault
    export made with the bundle; without one commitments are not checked. `progress`: called with (entries read,
    entries stated) now and then.
    """
    return _run(_Verification(trust, preceding, progress, vault), lines, expect)


def verify_preceding(
    lines: Iterable[bytes],
    trust: Trust,
    *,
    preceding: Preceding | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Report, Preceding]:
    """As `verify`, for the log before another; also what the next one's beginning must agree with."""
    run = _Verification(trust, preceding, progress)
    report = _run(run, lines, None)
    return report, run.preceding()


def _run(run: _Verification, lines: Iterable[bytes], expect: bytes | None) -> Report:
    try:
        if expect is not None:
            run.expect(expect)
    except BundleError as error:
        run.findings.note(error.finding)
    try:
        for line in lines:
            run.line(line)
    except BundleError as error:
        run.findings.note(error.finding)
        run.stopped = True
    return run.report()


class _Verification:
    """One pass over a bundle."""

    def __init__(
        self,
        trust: Trust,
        preceding: Preceding | None,
        progress: Callable[[int, int], None] | None,
        vault: VaultFile | None = None,
    ) -> None:
        self.findings = Findings()
        self.stopped = False
        self._trust = trust
        self._progress = progress
        self._expectations = Expectations(trust)
        self._rules = EntryRules(trust, self.findings, preceding)
        self._stamps = Stamps(trust, self.findings)
        self._witnessing = Witnessing(trust, self.findings)
        self._at_checkpoint = False
        """Whether the line before was a checkpoint."""
        self._note_text: bytes | None = None
        """What the signatures of the checkpoint just read are over; None once a leaf follows."""
        self._preceded = preceding is not None
        self._vault = vault
        self._vault_checked: VaultChecked | None = None
        self._tree = GrowingTree()
        self._archived: set[bytes] = set()
        """Digests of the lines of policy sets."""
        self._hash = hashlib.sha256()
        self._line = 0
        self._stated = 0
        self._signed = 0
        self._checkpoints = 0
        self._kinds: Counter[str] = Counter()
        self._first: str | None = None
        self._last: LogEntry | None = None
        self._batch_time: str | None = None
        self._ended = False

    def expect(self, data: bytes) -> None:
        """What the log must contain: the bytes of a checkpoint or receipts. Raises BundleError."""
        self._expectations.read(data)

    def line(self, line: bytes) -> None:
        """One line of the bundle. Raises BundleError when reading on makes no sense."""
        self._line += 1
        if self._ended:
            raise self._broken(Code.BUNDLE_TRAILING)
        if not line.endswith(b"\n"):
            raise self._broken(Code.BUNDLE_TRUNCATED)
        leaf = leaf_of(line) if self._line > 1 else None
        if leaf is not None:
            self._leaf(leaf)
            self._hash.update(line)
            return
        try:
            value = strict_json.read(line[:-1])
        except strict_json.NotCanonicalError as error:
            raise self._broken(Code.BUNDLE_LINE, str(error)) from None
        members = tuple(sorted(value))
        if (members == ("bundle", "origin", "size")) != (self._line == 1):
            raise self._broken(Code.BUNDLE_LINE, "the first line, and no other, says what this is")
        if self._line == 1:
            self._head(value)
        elif members == ("leaf",):
            raise self._broken(Code.BUNDLE_LINE, "not base64")
        elif members == ("checkpoint",):
            self._checkpoint(value["checkpoint"])
        elif members == ("cosigned",):
            self._cosigned(value["cosigned"])
        elif members == ("timestamp",):
            self._timestamp(value["timestamp"])
        elif members == ("policy_set",) and not self._tree.size:
            self._policy_set(value["policy_set"], line)
        elif members == ("lines", "sha256"):
            self._end(value)
        else:
            raise self._broken(Code.BUNDLE_LINE)
        self._at_checkpoint = members == ("checkpoint",)
        self._hash.update(line)

    def report(self) -> Report:
        """The outcome of what was read."""
        if not self.stopped:
            self._net(self._rules.settle)
            if self._vault is not None:
                erased = self._rules.erased
                origin, size = self._trust.origin, self._tree.size
                self._vault_checked = check_vault(self._vault, erased, origin=origin, size=size, findings=self.findings)
            if not self._ended:
                self.findings.add(Code.BUNDLE_TRUNCATED, line=self._line + 1)
            if self._tree.size != self._stated:
                self.findings.add(Code.SIZE)
            if self._signed != self._tree.size or not self._tree.size:
                self.findings.add(Code.TAIL_UNSIGNED)
            self._witnessing.settle()
            self._expectations.compare(self._tree.size, self.findings, self._rules.continuity.expected_as_due)
        return Report(
            origin=self._trust.origin,
            trust=self._trust.fingerprint,
            findings=tuple(self.findings.listed),
            counts={code.name: count for code, count in self.findings.counts.items()},
            size=self._tree.size,
            checkpoints=self._checkpoints,
            first=self._first,
            last=self._last.time if self._last is not None else None,
            kinds=dict(sorted(self._kinds.items())),
            open_asks=self._rules.releases.open_asks,
            replayed_same=self._rules.replayed[Replayed.SAME],
            replayed_differ=self._rules.replayed[Replayed.DIFFERS],
            not_replayable=self._rules.replayed[Replayed.NOT_REPLAYABLE],
            expected=self._expectations.given,
            bundle=self._hash.hexdigest(),
            vault=self._vault_checked,
            follows=self._rules.continuity.follows_text,
            preceded=self._preceded,
            sealed=self._rules.continuity.next_origin,
            stamps=self._stamps.good,
            stamps_unchecked=self._stamps.unchecked,
            stamped=self._stamps.newest,
            cosigned=self._witnessing.quorate,
            cosigned_unchecked=self._witnessing.unchecked,
            witnessed=self._witnessing.newest,
        )

    def preceding(self) -> Preceding:
        """What the log that follows this one must agree with."""
        policies = self._rules.policies.current
        return self._rules.continuity.as_preceding(self._tree, None if policies is None else policies.revision)

    def _head(self, value: dict[str, Any]) -> None:
        size = value["size"]
        if value["bundle"] != "sluis/v1/log" or not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise self._broken(Code.BUNDLE_LINE, "not a log bundle of version 1")
        if value["origin"] != self._trust.origin:
            self.findings.add(Code.ORIGIN, line=1)
        self._stated = size

    def _policy_set(self, bundle: object, line: bytes) -> None:
        """An archived set stands once; under another signature it is another line."""
        mark = hashlib.sha256(line).digest()
        if mark in self._archived:
            raise self._broken(Code.BUNDLE_LINE, "the same policy set a second time")
        self._archived.add(mark)
        self._rules.policies.archive(bundle, self._line)

    def _leaf(self, leaf: bytes) -> None:
        index = self._tree.size
        self._note_text = None
        self._tree.add(leaf)
        self._expectations.leaf(index, leaf, self._tree)
        if self._progress is not None and index % PROGRESS_EVERY == 0:
            self._progress(index, self._stated)
        try:
            entry = read_entry(leaf)
        except EntryError as error:
            self.findings.add(Code.LEAF_FORM, str(error), index=index)
            return
        if entry.index != index:
            self.findings.add(Code.INDEX, index=index)
            entry = replace(entry, index=index)  # where it stands: what it says of that may be any number
        self._kinds[entry.kind] += 1
        self._check_time(entry, index)
        self._witnessing.entry(entry)
        self._stamps.entry(entry)
        if (entry.kind == "genesis") != (index == 0):
            self.findings.add(Code.GENESIS, index=index)
        self._net(lambda: self._rules.entry(entry, leaf), index)

    def _net(self, rules: Callable[[], None], index: int | None = None) -> None:
        """Whatever a hostile entry makes a library raise is a finding, at once or where its batch or the log ends."""
        try:
            rules()
        except Exception as error:  # noqa: BLE001
            self.findings.add(Code.LEAF_FORM, type(error).__name__, index=index)

    def _check_time(self, entry: LogEntry, index: int) -> None:
        if self._first is None:
            self._first = entry.time
        earlier = self._last is not None and entry.at < self._last.at
        if earlier or (self._batch_time is not None and entry.time != self._batch_time):
            self.findings.add(Code.TIME_ORDER, index=index)
        self._batch_time = entry.time
        self._last = entry

    def _checkpoint(self, note: object) -> None:
        self._net(self._rules.end_batch)
        self._batch_time = None
        self._checkpoints += 1
        if not isinstance(note, str):
            raise self._broken(Code.CHECKPOINT_FORM)
        self._note_text = note.partition("\n\n")[0].encode() + b"\n"
        try:
            tree = read_checkpoint(note, self._trust.log_keys)
        except NoteError as error:
            code = Code.CHECKPOINT_SIGNATURE if error.signature else Code.CHECKPOINT_FORM
            self.findings.add(code, str(error), line=self._line)
            return
        if tree.origin != self._trust.origin:
            self.findings.add(Code.ORIGIN, line=self._line)
        if tree.size != self._tree.size or tree.size == self._signed:
            self.findings.add(Code.CHECKPOINT_SIZE, line=self._line)
        elif tree.root != self._tree.root():
            self.findings.add(Code.CHECKPOINT_ROOT, line=self._line)
        else:
            self._signed = tree.size
        covers = self._last.at if self._last is not None else None
        if covers is not None and not all(self._trust.periods.holds_log_key(key, covers) for key in tree.signers):
            self.findings.add(Code.LOG_KEY_PERIOD, line=self._line)
        self._rules.continuity.checkpoint(tree, self._line)

    def _cosigned(self, note: object) -> None:
        """A cosigned checkpoint stands directly behind the checkpoint of its size."""
        if not self._at_checkpoint or self._note_text is None:
            raise self._broken(Code.BUNDLE_LINE, "a cosigned checkpoint, and no checkpoint right before it")
        covers = self._last.at if self._last is not None else None
        self._witnessing.cosigned(note, self._note_text, self._tree.size, covers, self._line)

    def _timestamp(self, value: object) -> None:
        """A time stamp stands behind the checkpoint of its size, and before the next leaf."""
        covers = self._last.at if self._last is not None else None
        text = self._note_text
        if text is None or not self._stamps.check(value, self._tree.size, text, covers, self._line):
            raise self._broken(Code.BUNDLE_LINE, "a time stamp, and no checkpoint of its size before it")

    def _end(self, value: dict[str, Any]) -> None:
        if value["lines"] != self._line - 1 or value["sha256"] != self._hash.hexdigest():
            self.findings.add(Code.BUNDLE_DIGEST, line=self._line)
        self._ended = True

    def _broken(self, code: Code, detail: str = "") -> BundleError:
        return BundleError(Finding(code, detail, line=self._line))
