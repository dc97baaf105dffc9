"""Subject access offline (GDPR article 15): every exchange of a log whose question held a person's pseudonyms.

Works on a bundle, the vault export made with it, and the pseudonyms that an agency computed for the person. "Touched"
means what it means for the broker: the pseudonym was among the subjects asked about; whether the answer held a hit, the
log does not say. The bundle is read for what was asked, the vault for whom, and the bundle again for what became of it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from broker.audit.commitments import mark_of
from broker.audit.entries import LogEntry
from broker.audit.following import Asked, read_asked
from broker.audit.openings import commitment_to
from broker.audit.person_file import Person, PersonFileError, Sought
from broker.audit.reading import entries
from broker.audit.tokens import TokensError, read_tokens
from broker.audit.vault_export import OpenedSlot

ERASED, NEVER_HELD, NO_PSEUDONYMS, OTHER_KEY, MISSING = (
    "erased",
    "never-held",
    "no-pseudonyms",
    "other-key",
    "missing",
)
"""Why a question cannot be searched: an entry erased its rows; it was denied and its rows were not kept; no pseudonyms
of the person are given for its purpose and epoch, or they were made with another key than the log's; or the vault lacks
the rows and no entry says why, which is a fault that `verify --vault` finds too."""
_KINDS = ("genesis", "party", "key", "ask", "release", "erasure")


@dataclass
class Unsearched:
    """Questions that cannot be searched. `first`, `last`: times of their entries."""

    questions: int = 0
    first: str = ""
    last: str = ""
    erasures: set[int] = field(default_factory=set)
    """The entries that erased their rows."""

    def add(self, entry: LogEntry, erasure: int | None = None) -> None:
        """One more, in the order of the log."""
        self.questions += 1
        self.first = self.first or entry.time
        self.last = entry.time
        if erasure is not None:
            self.erasures.add(erasure)


@dataclass
class Period:
    """One purpose in one key epoch. `valid`: from and until, as the epoch's manifest says; None without one."""

    purpose: str
    epoch: str
    valid: tuple[str, str] | None = None
    searched: int = 0
    of_other_schemes: int = 0
    """Of those searched, the questions that identify by another scheme: the person cannot be found in them by this."""
    exchanges: list[dict[str, Any]] = field(default_factory=list)
    unsearched: dict[str, Unsearched] = field(default_factory=dict)


@dataclass(frozen=True)
class SubjectFound:
    """What a search came to, by purpose, its oldest period first."""

    origin: str
    periods: tuple[Period, ...]


@dataclass
class Search:
    """One search. `party`: only exchanges in which it is asker, principal or answerer; "": all."""

    person: Person
    party: str = ""
    _wanted: dict[bytes, int] = field(default_factory=dict)
    """Mark of a question -> the places in `person.sought` of its purpose and epoch, as bits."""
    _erased: dict[bytes, int] = field(default_factory=dict)
    _opened: set[bytes] = field(default_factory=set)
    _touched: set[tuple[bytes, int]] = field(default_factory=set)
    _epochs: dict[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    _periods: dict[tuple[str, str], Period] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._places = {(one.purpose, one.epoch): at for at, one in enumerate(self.person.sought)}

    def run(
        self,
        bundle: Callable[[], Iterable[bytes]],
        slots: Callable[[], Iterable[OpenedSlot]],
    ) -> SubjectFound:
        """Searches, once. `bundle` gives the bundle's lines anew at each call, `slots` those of the vault export.

        Raises:
            PersonFileError: the person's file is of another log, or its certificate is not one the log had.
            SluisError: STATEMENT_INVALID when the lines are no bundle.
            VaultFileError: where the export was altered or cut.
        """
        self._survey(bundle())
        for slot in slots():
            if slot.label == "tokens":
                self._look(slot)
        origin = ""
        open_asks: dict[int, dict[str, Any]] = {}
        for entry in entries(bundle(), kinds=_KINDS):
            if entry.kind == "genesis":
                origin = entry.body["origin"]
            elif entry.kind == "ask":
                self._asked(entry, open_asks)
            elif entry.kind == "release":
                _release(entry, open_asks)
        return SubjectFound(origin, tuple(self._in_order()))

    def _survey(self, lines: Iterable[bytes]) -> None:
        """What is asked under which purpose and epoch, what was erased, and whose certificates the log had."""
        known = False
        for entry in entries(lines, kinds=_KINDS):
            body = entry.body
            if entry.kind == "genesis" and (body["origin"], body["environment"]) != (
                self.person.origin,
                self.person.environment,
            ):
                raise PersonFileError(f"it is of another log, {self.person.origin[:100]} ({self.person.environment})")
            if entry.kind == "party":
                known = known or (body["party"] == self.person.party and self._is_pinned(body["certificates"]))
            elif entry.kind == "key" and body["action"] == "epoch":
                statement = body["statement"]
                self._epochs.setdefault((str(statement.get("purpose")), str(statement.get("epoch"))), statement)
            elif entry.kind == "ask":
                place = self._place(body)
                if place is not None:
                    mark = mark_of(read_asked(entry).tokens)
                    self._wanted[mark] = self._wanted.get(mark, 0) | 1 << place
            elif entry.kind == "erasure":
                self._erased.update((mark_of(name), entry.index) for name in body["commitments"])
        if not known:
            raise PersonFileError(f"it is signed with a certificate that the log never had for {self.person.party}")

    def _is_pinned(self, certificates: Iterable[str]) -> bool:
        return any(hashlib.sha256(base64.b64decode(c)).hexdigest() == self.person.certificate for c in certificates)

    def _place(self, body: Mapping[str, Any]) -> int | None:
        """Where the person is to be sought for this ask; None when there are no pseudonyms for it."""
        epoch = (body["purpose"], str(body["statement"].get("epoch")))
        place = self._places.get(epoch)
        return place if place is not None and self._has_key(self.person.sought[place]) else None

    def _has_key(self, sought: Sought) -> bool:
        manifest = self._epochs.get((sought.purpose, sought.epoch))
        return manifest is not None and manifest.get("key_id") == sought.key_id

    def _look(self, slot: OpenedSlot) -> None:
        """Whether the person stands in an opened question; what does not open is as if it were not there."""
        made = commitment_to("tokens", slot.salt, slot.value)
        mark = mark_of(made.hex())
        places = self._wanted.get(mark)
        if places is None or made.hex() != slot.commitment:
            return
        try:
            tokens = read_tokens(slot.value)
        except TokensError:
            return
        self._opened.add(mark)
        for place, sought in enumerate(self.person.sought):
            if places >> place & 1 and tokens.holds(sought.tokens):
                self._touched.add((mark, place))

    def _asked(self, entry: LogEntry, open_asks: dict[int, dict[str, Any]]) -> None:
        body, asked = entry.body, read_asked(entry)
        if (not asked.known and self._place(body) is None) or (
            self.party and self.party not in (asked.asker, asked.principal, asked.answerer)
        ):
            return
        statement, mark = body["statement"], mark_of(asked.tokens)
        place = self._place(body)
        other_scheme = statement.get("scheme") != self.person.scheme
        if place is None and other_scheme:
            return
        period = self._period(asked.purpose, str(statement.get("epoch")))
        if mark in self._opened and place is not None:
            period.searched += 1
            period.of_other_schemes += other_scheme
            if (mark, place) in self._touched:
                told = open_asks[entry.index] = exchange_told(entry, asked)
                period.exchanges.append(told)
            return
        why = self._why(asked, mark, period, place)
        period.unsearched.setdefault(why, Unsearched()).add(entry, self._erased.get(mark) if why == ERASED else None)

    def _why(self, asked: Asked, mark: bytes, period: Period, place: int | None) -> str:
        if mark in self._erased:
            return ERASED
        if not asked.permitted:
            return NEVER_HELD
        if place is None:
            return OTHER_KEY if (period.purpose, period.epoch) in self._places else NO_PSEUDONYMS
        return MISSING

    def _period(self, purpose: str, epoch: str) -> Period:
        known = self._periods.get((purpose, epoch))
        if known is None:
            manifest = self._epochs.get((purpose, epoch))
            valid = None if manifest is None else (str(manifest.get("valid_from")), str(manifest.get("valid_until")))
            known = self._periods[purpose, epoch] = Period(purpose, epoch, valid)
        return known

    def clears(self, tokens: str, purpose: str, epoch: str) -> bool:
        """Whether a question was opened, and the person is not in it. To be asked after `run`."""
        mark, place = mark_of(tokens), self._places.get((purpose, epoch))
        return mark in self._opened and place is not None and (mark, place) not in self._touched

    def _in_order(self) -> Iterator[Period]:
        """By purpose, and within it by time. A period that was searched and has no question at all is told too."""
        for sought in self.person.sought:
            if self._has_key(sought):
                self._period(sought.purpose, sought.epoch)
        yield from sorted(self._periods.values(), key=lambda one: (one.purpose, one.valid or ("", ""), one.epoch))


def exchange_told(entry: LogEntry, asked: Asked) -> dict[str, Any]:
    """What is told of an exchange and one answerer; the members that an agency's own answer has, and their places."""
    return {
        "exchange": asked.exchange,
        "asked_at": entry.time,
        "asker": asked.asker,
        "principal": asked.principal,
        "answerer": asked.answerer,
        "subjects": asked.subjects,
        "want": dict(entry.body["statement"]["want"]),
        "status": "OPEN" if asked.permitted else "DENIED",
        "released_at": None,
        "attributes": [],
        "ask_index": entry.index,
        "release_index": None,
    }


def _release(entry: LogEntry, open_asks: dict[int, dict[str, Any]]) -> None:
    told = open_asks.pop(entry.body["ask_index"], None)
    if told is not None:
        told.update(
            status=entry.body["status"],
            released_at=entry.time,
            attributes=list(entry.body["attributes"]),
            release_index=entry.index,
        )
