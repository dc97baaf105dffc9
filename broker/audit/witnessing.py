"""Cosigned checkpoints in a bundle: how far witnesses vouch for the log, and whether it went on too long without them.

The verifier's own reading of C2SP tlog-cosignature, written apart from the broker's. A cosignature also dates: the log
of its size was there at its time, and no larger one had been shown to that witness.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from cryptography.exceptions import InvalidSignature

from broker.audit.entries import GRACE, LogEntry
from broker.audit.findings import Code, Findings, Witnessed
from broker.audit.key_periods import ALWAYS, KeyId, Period
from broker.audit.tree import NoteError, decode, read_checkpoint
from broker.audit.trust import Trust
from broker.audit.witness_rule import WitnessKeys
from broker.ed25519_keys import public_key_of

SKEW = timedelta(minutes=10)
"""How far the clocks of a witness and of the log may be apart."""
_LATEST = 253_402_300_799


class Witnessing:
    """Checks the cosigned checkpoints of one bundle in its order."""

    def __init__(self, trust: Trust, findings: Findings) -> None:
        self._trust = trust
        self._rule = trust.witness_rule
        self._findings = findings
        self._times: dict[str, datetime] = {}
        """Witness -> time of its newest cosignature so far."""
        self._open: datetime | None = None
        """Time of the first entry that no quorum covers yet."""
        self._late: int | None = None
        """The first ask after the grace of those entries."""
        self._behind: datetime | None = None
        self.quorate = 0
        self.unchecked = 0
        self.newest: Witnessed | None = None

    def entry(self, entry: LogEntry) -> None:
        """Every entry, in order: the grace runs from the first that no quorum covers."""
        rule = self._rule
        if rule is None or entry.index < rule.since:
            return
        if self._open is None:
            self._open = entry.at
        if entry.kind == "ask" and self._late is None and entry.at - self._open > rule.grace + GRACE:
            self._late = entry.index
        newest = self._behind
        if newest is not None and entry.at < newest - SKEW:
            self._findings.add(Code.COSIGNATURE_TIME, "older than a cosigned log without it", index=entry.index)
            self._behind = None

    def cosigned(self, note: object, note_text: bytes, size: int, covers: datetime | None, line: int) -> None:
        """A cosigned checkpoint behind that of `note_text` and `size`, whose last entry is of the time `covers`."""
        try:
            if not isinstance(note, str):
                raise NoteError("not a text")
            read_checkpoint(note, self._trust.log_keys)
        except NoteError as error:
            self._findings.add(Code.COSIGNED_FORM, str(error), line=line)
            return
        if note.partition("\n\n")[0].encode() + b"\n" != note_text:
            self._findings.add(Code.COSIGNED_DIFFERS, line=line)
            return
        try:
            times = read_cosignatures(
                note, {} if self._rule is None else self._rule.keys, self._trust.periods.witnesses
            )
        except NoteError as error:
            self._findings.add(Code.COSIGNATURE_WRONG, str(error), line=line)
            return
        if self._rule is None:
            self.unchecked += 1
            return
        for name, at in times.items():
            if (covers is not None and at < covers - SKEW) or at < self._times.get(name, at):
                self._findings.add(Code.COSIGNATURE_TIME, f"of {name}", line=line)
            self._times[name] = at
        if len(times) >= self._rule.quorum:
            self._reached(size, times)

    def settle(self) -> None:
        """At the end of the bundle."""
        if self._rule is not None:
            self._close()
            if not self.quorate:
                self._findings.add(Code.WITNESS_QUORUM)

    def _reached(self, size: int, times: Mapping[str, datetime]) -> None:
        assert self._rule is not None
        self._close()
        self.quorate += 1
        at = sorted(times.values())[self._rule.quorum - 1]
        self._behind = at
        named = len({name for name, _ in self._rule.keys})
        seen = at.strftime("%Y-%m-%dT%H:%M:%SZ")
        self.newest = Witnessed(size, seen, tuple(sorted(times)), named, self._rule.quorum)
        self._open = None

    def _close(self) -> None:
        if self._late is not None:
            self._findings.add(Code.WITNESS_GAP, index=self._late)
        self._late = None


def read_cosignatures(
    note: str, keys: WitnessKeys, periods: Mapping[KeyId, Period] = MappingProxyType({})
) -> dict[str, datetime]:
    """Which of the witnesses `keys` cosigned a note that `read_checkpoint` read, and when; the newest of each.

    One that is dated outside the period of its key does not count.

    Raises:
        NoteError: with `signature` set, when a line under one of the keys does not verify.
    """
    head, _, tail = note.partition("\n\n")
    found: dict[str, datetime] = {}
    for line in tail[:-1].split("\n"):
        _, name, blob_text = line.split(" ")
        blob = decode(blob_text)
        key = keys.get((name, blob[:4]))
        if key is None:
            continue
        seconds = int.from_bytes(blob[4:12], "big")
        message = f"cosignature/v1\ntime {seconds}\n{head}\n".encode()
        try:
            if len(blob) != 76 or not 0 < seconds <= _LATEST:
                raise ValueError
            public_key_of(key).verify(blob[12:], message)
        except (InvalidSignature, ValueError):
            raise NoteError(f"of {name}", signature=True) from None
        at = datetime.fromtimestamp(seconds, UTC)
        if not periods.get((name, blob[:4]), ALWAYS).holds(at):
            continue
        found[name] = max(at, found.get(name, at))
    return found
