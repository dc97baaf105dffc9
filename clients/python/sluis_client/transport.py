"""The port to the broker: what the client asks of it, in plain values. `sluis_client.client` speaks gRPC behind it.

Every method may raise ClientError with the broker's own reason as code (exit code 4, 5 or 8), or with exit code 7 when
there is no telling whether the broker did it; all are safe to call again with the same arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sluis_client.live_transport import LiveTransport
from sluis_client.notice_transport import RectificationTransport
from sluis_client.pseudonymise import Column
from sluis_client.statements import SignedStatement
from sluis_client.subject_transport import SubjectTransport
from sluis_client.upload import NewUpload, Register, RegisterRun, Upload

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is (0: not known)."""

STATUS_NAMES = {
    1: "ANSWERED",
    2: "DENIED",
    3: "NO_REGISTER",
    4: "EXPIRED",
    5: "NOT_COVERED",
    6: "WITHHELD",
    7: "FAILED",
    8: "UNKNOWN",
    9: "NOT_THERE",
}
"""Answer statuses by their numbers on the wire, named as release entries name them."""


def silent(stage: str, done: int, total: int) -> None:
    """A progress callback that shows nothing."""


@dataclass(frozen=True)
class Receipt:
    """Entry, position, audit path and signed checkpoint, as `receipts.verify_receipt` takes them."""

    leaf: bytes
    index: int
    inclusion: tuple[bytes, ...]
    checkpoint: str


@dataclass(frozen=True)
class LogEntry:
    """An entry as the broker lists it; nothing of it is trusted before an inclusion proof."""

    index: int
    leaf: bytes = field(repr=False)


@dataclass(frozen=True, repr=False)
class Opening:
    """Salt and value behind a commitment."""

    salt: bytes
    value: bytes


@dataclass(frozen=True)
class Want:
    """What is asked to be learned."""

    hit: bool = False
    count: bool = False
    attributes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Check:
    """One check of a decision; `source` is file and line of the policy, or empty."""

    id: str
    met: bool
    reason: str
    source: str


@dataclass(frozen=True)
class Decision:
    """A decision for one answerer."""

    permitted: bool
    checks: tuple[Check, ...]
    policy_set: str
    obligations: tuple[str, ...] = ()

    @property
    def unmet(self) -> tuple[Check, ...]:
        """The checks that stand in the way."""
        return tuple(check for check in self.checks if not check.met)


@dataclass(frozen=True)
class RegisterFacts:
    """What the broker says of the register that answered; nothing of it is trusted before the manifest verifies."""

    name: str
    version: int
    as_of: datetime
    coverage: str
    expires_at: datetime
    manifest: SignedStatement
    certificate: bytes = b""
    """Whose key signed the manifest (DER); empty where the broker did not keep it."""


@dataclass(frozen=True)
class AnswerRun:
    """A run of hits, columnar, exactly as received."""

    positions: bytes
    statuses: bytes
    match_keys: bytes
    wraps: bytes = b""
    commitments: bytes = b""
    fields: tuple[bytes, ...] = ()

    def __repr__(self) -> str:
        return f"AnswerRun(rows={len(self.statuses)})"


@dataclass(frozen=True, repr=False)
class Answer:
    """One answerer's answer as received: nothing of it is trusted before `answers.check_answer`."""

    answerer: str
    status: int
    exchange: str
    decision: Decision
    register: RegisterFacts | None
    hits: int
    count: int | None
    band: str
    attributes: tuple[str, ...]
    runs: tuple[AnswerRun, ...] = ()
    ask: Receipt | None = None
    release: Receipt | None = None
    result: Opening | None = None
    disputed: tuple[bytes, bytes] = (b"", b"")
    """Positions of disputed hits, 4 bytes little-endian each, and since when, 8 bytes each; as received."""
    live: tuple[SignedStatement, bytes] | None = None
    """What a live answerer signed, and the certificate (DER) that it is said to verify with."""


@dataclass(frozen=True, repr=False)
class Question:
    """A signed question with what opens its commitments. The same value again is the same exchange."""

    signed: SignedStatement
    tokens_salt: bytes
    columns: tuple[Column, ...]
    case_number: Opening | None = None
    cooperation_ref: Opening | None = None


@dataclass(frozen=True)
class DryRun:
    """A question described, for `check`."""

    purpose: str
    answerers: tuple[str, ...]
    scheme: str
    match_keys: int
    want: Want
    subjects: int
    epoch: str = ""
    principal: str = ""
    case_number: str = ""
    cooperation_ref: str = ""


@dataclass(frozen=True)
class Purpose:
    """A purpose as the broker describes it to an integrator; the signed policy set is the authority."""

    name: str
    title_nl: str
    title_en: str
    state: str
    asks: tuple[str, ...]
    answers: tuple[str, ...]
    about: str
    schemes: tuple[str, ...]
    hit: bool
    count: bool
    attributes: tuple[tuple[str, int, str, str, str], ...]
    """Name, width, type, meaning in Dutch, meaning in English."""
    mode: str
    epoch: str
    steward: str
    subjects_per_request: int
    requests_per_day: int
    case_number_required: bool
    cooperation_ref_required: bool
    answer_keep_days: int


@dataclass(frozen=True)
class AnswererState:
    """Where an exchange stands at one answerer; status "OPEN" until released."""

    answerer: str
    status: str
    ask_index: int
    release_index: int | None


@dataclass(frozen=True)
class Exchange:
    """One of the agency's own exchanges."""

    exchange: str
    purpose: str
    asked_at: datetime
    answerers: tuple[AnswererState, ...]


@dataclass(frozen=True)
class Budget:
    """What is left of a day's budget."""

    requests_per_day: int
    requests_left: int
    resets_at: datetime


@dataclass(frozen=True)
class PublishedKey:
    """A party's encryption key as relayed; nothing of it is trusted before its certificate and signature verify."""

    party: str
    signed: SignedStatement
    certificate: bytes


@dataclass(frozen=True)
class PublishedEpoch:
    """An epoch as relayed: the steward's manifest and certificate, and one's own envelope (empty: none).

    `newest`: name of the key to be used in this calendar epoch. `registers`: those in force under this one, by name,
    with their versions.
    """

    manifest: SignedStatement
    certificate: bytes
    envelope: bytes
    newest: str = ""
    registers: Mapping[str, int] = field(default_factory=dict)
    next: str = ""
    """The key to be used in the epoch after this one; "" as long as none was made ahead."""


class Transport(RectificationTransport, SubjectTransport, LiveTransport, Protocol):
    """The broker, seen from one agency."""

    def match(self, question: Question, progress: Progress = silent) -> tuple[Answer, ...]:
        """Puts a question; the answers in the order received. Nothing partial is ever returned."""
        ...

    def dry_run(self, question: DryRun) -> tuple[tuple[str, Decision], ...]:
        """The decision for each answerer, without asking."""
        ...

    def purposes(self) -> tuple[Purpose, ...]:
        """The purposes in which this agency takes part."""
        ...

    def purpose(self, name: str) -> Purpose:
        """One purpose. Raises PURPOSE_UNKNOWN."""
        ...

    def policy_bundle(self) -> bytes:
        """The signed policy set in force."""
        ...

    def budget(self, purpose: str) -> Budget:
        """What is left today."""
        ...

    def exchange(self, exchange: str) -> Exchange:
        """One of the agency's own exchanges. Raises NOT_FOUND."""
        ...

    def exchanges(self, purpose: str = "", limit: int = 100) -> tuple[Exchange, ...]:
        """The agency's own exchanges, newest first, at most `limit`."""
        ...

    def begin(self, upload: NewUpload) -> Upload:
        """Opens an upload, or finds it again by its request id."""
        ...

    def upload_rows(self, upload: str, runs: Iterable[RegisterRun]) -> int:
        """Sends runs in one stream, once; returns the committed rows. After exit code 7 ask `upload` how far it got."""
        ...

    def upload(self, upload: str) -> Upload:
        """How far an upload is."""
        ...

    def seal(self, upload: str, manifest: SignedStatement) -> tuple[Register, Receipt]:
        """Publishes what was uploaded."""
        ...

    def withdraw(self, request_id: str, register: str) -> Receipt:
        """Takes a register out of service."""
        ...

    def registers(self) -> tuple[Register, ...]:
        """The agency's own registers, by name."""
        ...

    def publish_encryption_key(self, key: SignedStatement) -> Receipt:
        """Publishes the agency's encryption key."""
        ...

    def encryption_keys(self, parties: Sequence[str]) -> tuple[PublishedKey, ...]:
        """The newest key of each of the parties that has one."""
        ...

    def publish_epoch(self, manifest: SignedStatement, envelopes: Sequence[tuple[str, bytes]]) -> Receipt:
        """Publishes an epoch with one envelope for each recipient."""
        ...

    def end_key(self, end: SignedStatement) -> Receipt:
        """Says that a key was retired or destroyed. Raises EPOCH_RETIRED, NOT_STEWARD."""
        ...

    def epoch(self, purpose: str, epoch: str) -> PublishedEpoch:
        """An epoch and one's own envelope. Raises EPOCH_UNKNOWN."""
        ...

    def checkpoint(self) -> str:
        """The newest signed checkpoint."""
        ...

    def cosigned(self) -> str:
        """The newest checkpoint that enough witnesses cosigned, as the broker says; "" when there is none."""
        ...

    def consistency(self, old_size: int, new_size: int) -> tuple[bytes, ...]:
        """The proof that the tree of `old_size` is a prefix of that of `new_size`."""
        ...

    def receipts(self, from_index: int, exchange: str = "") -> tuple[tuple[Receipt, ...], int]:
        """A page of receipts of the agency's exchanges, and where to go on; an empty page is the end."""
        ...

    def explain_unusual_use(self, signed: SignedStatement) -> Receipt:
        """Explains an item of unusual use; a repeat gives the first one's receipt."""
        ...

    def inclusion(self, index: int, size: int) -> tuple[bytes, ...]:
        """The audit path of entry `index` in the tree of `size` entries, leaf side first."""
        ...

    def entries(self, from_index: int) -> tuple[tuple[LogEntry, ...], int]:
        """A page of the entries that concern this agency, and where to go on; an empty page is the end."""
        ...
