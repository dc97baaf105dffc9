"""What a verification can find: stable codes, one line of explanation each, and the verdict over them.

Codes are never reused. The exit code tells the class of the gravest fault, in the order of `Fault`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum, IntEnum

MAX_LISTED = 1_000
"""Findings kept in full; all are counted."""


class Fault(IntEnum):
    """Classes of fault, gravest first. The value is the exit code of `sluis audit verify`."""

    FORMAT = 10
    TREE = 11
    ORIGIN = 12
    EXPECTED = 13
    POLICY = 14
    SIGNATURE = 15
    EXCHANGE = 16
    REPLAY = 17
    WITNESS = 18
    VAULT = 19
    STAMP = 20


class Code(Enum):
    """Every finding: its class and what it means."""

    BUNDLE_TRUNCATED = (Fault.FORMAT, "the bundle ends before its last line")
    BUNDLE_TRAILING = (Fault.FORMAT, "the bundle goes on after its last line")
    BUNDLE_DIGEST = (Fault.FORMAT, "the bundle's bytes are not those that its last line sums up")
    BUNDLE_LINE = (Fault.FORMAT, "a line of the bundle is not what docs/formats.md section 7 allows there")
    LEAF_FORM = (Fault.FORMAT, "an entry is not a canonical log entry of a known kind")
    INDEX = (Fault.TREE, "an entry's index is not its place in the log")
    GENESIS = (Fault.TREE, "the first entry is not the genesis, or there is a second one")
    CHECKPOINT_FORM = (Fault.TREE, "a checkpoint is not a signed note of origin, size and root")
    CHECKPOINT_SIZE = (Fault.TREE, "a checkpoint's size is not the number of entries before it")
    CHECKPOINT_ROOT = (Fault.TREE, "a checkpoint's root is not the root of the entries: something was altered")
    CHECKPOINT_SIGNATURE = (Fault.TREE, "a checkpoint is not signed by a log key that you trust")
    TAIL_UNSIGNED = (Fault.TREE, "entries at the end are under no checkpoint")
    SIZE = (Fault.TREE, "the bundle holds another number of entries than its first line says")
    TIME_ORDER = (Fault.TREE, "an entry is older than one before it, or times differ within a batch")
    AFTER_SEAL = (Fault.TREE, "the log goes on after its seal")
    KEY_CHANGE = (
        Fault.TREE,
        "a change of the log key does not start from the key in force, or goes back to an old one",
    )
    LOG_KEY_PERIOD = (Fault.TREE, "a checkpoint is signed with a log key outside the period for which you trust it")
    KEY_NOT_IN_FORCE = (Fault.TREE, "a checkpoint is not signed by the log key in force, or over a change not by both")
    PREVIOUS = (Fault.TREE, "the genesis does not say of the log before it what that log's checkpoint says")
    RECOVERY_GAP = (Fault.TREE, "a log begun after a loss does not name that loss, once, as its genesis states it")
    SEAL_NEXT = (Fault.TREE, "a seal names no other log, or a key that is not that log's")
    ORIGIN = (Fault.ORIGIN, "this is another log than the one you trust")
    ENVIRONMENT = (Fault.ORIGIN, "the log is of another environment than you trust")
    LOG_KEY = (Fault.ORIGIN, "the genesis names a log key that you do not trust")
    EXPECTED_FORM = (Fault.EXPECTED, "what you expect is not a checkpoint or receipt of this log")
    EXPECTED_MISSING = (Fault.EXPECTED, "the bundle ends before the checkpoint or receipt you hold: its tail was cut")
    EXPECTED_DIFFERS = (Fault.EXPECTED, "the log is not the one your checkpoint or receipt was taken from: a fork")
    PREVIOUS_DIFFERS = (Fault.EXPECTED, "the log that you gave as the one before is not the one this log follows")
    POLICY_ARCHIVE = (Fault.POLICY, "an archived policy set has not the digests it states")
    POLICY_MISSING = (Fault.POLICY, "the archive lacks a policy set that the log put in force")
    POLICY_SIGNATURES = (Fault.POLICY, "a policy set is not signed by enough of the signers you trust")
    POLICY_UNKNOWN = (
        Fault.POLICY,
        "an ask names a set not in force, or a set came into force under no higher revision",
    )
    POLICY_APPROVALS = (Fault.POLICY, "an active purpose came into force without the approval of both its sides")
    POLICY_EXPIRED = (Fault.POLICY, "a policy set was put in force after it had expired")
    POLICY_TEXT = (Fault.POLICY, "the texts of a policy set cannot be read, or mean something else than was signed")
    ENGINE_UNTRUSTED = (Fault.POLICY, "an engine decided that your trust file does not list")
    CERTIFICATE_UNKNOWN = (Fault.SIGNATURE, "a statement's certificate is not one the log had for that party")
    CERTIFICATE_CHAIN = (Fault.SIGNATURE, "a certificate was not issued by a CA you trust")
    CERTIFICATE_TIME = (Fault.SIGNATURE, "a certificate was not valid when its statement was logged")
    CERTIFICATE_REVOKED = (Fault.SIGNATURE, "a certificate was revoked when its statement was logged")
    REVOCATION_STALE = (
        Fault.SIGNATURE,
        "a statement was accepted while the newest revocation list in the log was older than you allow",
    )
    REVOCATION_UNDONE = (
        Fault.SIGNATURE,
        "a revocation was taken back before the certificate had expired, or an older revocation list was taken up",
    )
    CERTIFICATE_OIN = (Fault.SIGNATURE, "a party's certificates or OIN are not fit for its environment")
    CERTIFICATE_USAGE = (Fault.SIGNATURE, "a statement's certificate is for other uses than signing")
    CERTIFICATE_DROPPED = (
        Fault.SIGNATURE,
        "a statement's certificate bears an OIN that the policy set in force no longer gives its party",
    )
    STATEMENT_FORM = (Fault.SIGNATURE, "a signed statement is not of the form its type demands")
    STATEMENT_SIGNATURE = (Fault.SIGNATURE, "a statement's signature is wrong: its party did not sign this")
    STATEMENT_DIFFERS = (Fault.SIGNATURE, "an entry says something else than the statement its party signed")
    NOTICE = (
        Fault.SIGNATURE,
        "a suspension notice is repeated, or not signed by anyone who may suspend its purpose",
    )
    KEY_STEWARD = (Fault.SIGNATURE, "an epoch's key was published by another than the steward of its purpose")
    KEY_RECIPIENTS = (Fault.SIGNATURE, "an epoch's key was sent to a party that takes no part in its purpose")
    KEY_ENCRYPTION = (Fault.SIGNATURE, "an epoch's key was sealed to an encryption key that is not its recipient's")
    KEY_SECOND = (Fault.SIGNATURE, "a purpose and epoch has a second key")
    KEY_TERMS = (Fault.SIGNATURE, "an epoch was published that its purpose does not allow")
    KEY_ESCROW = (Fault.SIGNATURE, "a key was destroyed before the last question under it had left the vaults")
    KEY_REPEATED = (Fault.SIGNATURE, "an old encryption key or epoch was published again")
    REGISTER_PARTY = (Fault.SIGNATURE, "a register was published by a party that does not answer its purpose")
    DECIDED_AT = (Fault.EXCHANGE, "a decision was taken after its entry, or more than 60 seconds before")
    REQUEST_ID_REUSED = (Fault.EXCHANGE, "a request id stands for two exchanges of one asker")
    ANSWERER_MISSING = (Fault.EXCHANGE, "the asks of an exchange are not one for each answerer of its statement")
    REGISTER_ORDER = (Fault.EXCHANGE, "a register version is not newer than the one before, or was not in force")
    REGISTER_DIFFERS = (Fault.EXCHANGE, "an ask names another register than the one in force")
    REGISTER_TERMS = (Fault.EXCHANGE, "a register was published that its purpose does not allow")
    REGISTER_KEY = (Fault.EXCHANGE, "a register was published under another key than its epoch's")
    ASK_KEY = (Fault.EXCHANGE, "a question was permitted that was made under another key than its epoch's")
    EXCHANGE_DIFFERS = (
        Fault.EXCHANGE,
        "the asks of one exchange differ in time, signature, policy set or engine, and were one request",
    )
    RELEASE_UNASKED = (Fault.EXCHANGE, "a release has no ask before it, or differs from it")
    RELEASE_DENIED = (Fault.EXCHANGE, "something was released on an ask that was denied")
    RELEASE_TWICE = (Fault.EXCHANGE, "one ask was released twice")
    RELEASE_OUTCOME = (Fault.EXCHANGE, "a release's outcome, status, attributes and result do not fit together")
    RELEASE_ATTRIBUTES = (Fault.EXCHANGE, "attributes were released that the ask did not grant")
    RELEASE_NO_REGISTER = (Fault.EXCHANGE, "an answer was released although there was no register to answer from")
    RELEASE_EXPIRED = (Fault.EXCHANGE, "an answer was released from a register that had expired")
    RELEASE_NOT_COVERED = (Fault.EXCHANGE, "an answer was released that the register in force did not cover")
    RELEASE_KEY = (Fault.EXCHANGE, "an answer was released from a register under another key than the question's")
    RELEASE_WITHDRAWN = (Fault.EXCHANGE, "an answer was released from a register that had been withdrawn")
    RELEASE_STATUS = (Fault.EXCHANGE, "an answer was held back for a reason that the log contradicts")
    RELEASE_TOO_SOON = (Fault.EXCHANGE, "an answer was released in the batch of its ask, before the ask was durable")
    RELEASE_LATE = (Fault.EXCHANGE, "an answer was released after its ask's lease of 15 minutes had run out")
    RELEASE_MISSING = (Fault.EXCHANGE, "a permitted ask has no release although its lease has long run out")
    ACCESS_UNKNOWN = (Fault.EXCHANGE, "an answer was given again of an exchange that the log does not hold")
    ACCESS_PARTY = (Fault.EXCHANGE, "entries of others were read by a party that is no auditor in the policy set")
    SUBJECT_SEARCH_PARTY = (
        Fault.EXCHANGE,
        "a subject was searched for by a party that takes no part in the purpose, and never did",
    )
    SUBJECT_SEARCH = (
        Fault.EXCHANGE,
        "a search for a subject counts other questions than the log shows, or stands twice under one id",
    )
    SUBJECT_SEARCH_LIMIT = (Fault.EXCHANGE, "a party searched for subjects more often in a day than its purpose allows")
    SUBJECT_SEARCH_KEY = (Fault.EXCHANGE, "a subject was searched for under another key than the epoch's")
    SUSPENSION = (Fault.EXCHANGE, "an ask was decided as if its purpose were suspended, or as if it were not")
    RELEASE_CLOSED = (Fault.EXCHANGE, "something was released after its purpose was suspended or closed")
    SHADOW = (Fault.EXCHANGE, "what a purpose in shadow would have decided is missing, or belongs to no ask before it")
    SEAL_OPEN = (Fault.EXCHANGE, "the log was sealed while a permitted ask had no release")
    CARRIED = (Fault.EXCHANGE, "what a log carries over stands where it cannot, or is not what the log before gives")
    COUNTER_REQUESTS = (Fault.EXCHANGE, "an ask counts other earlier requests of that day than the log shows")
    COUNTER_COUNTS = (Fault.EXCHANGE, "an ask counts other earlier counts of that epoch than the log shows")
    COUNT_DISTANCE = (Fault.EXCHANGE, "an ask states another distance to earlier counts than the log allows")
    COUNTER_PROBING = (
        Fault.EXCHANGE,
        "an ask says something else of its asker's earlier questions than the log allows",
    )
    STANDING = (Fault.EXCHANGE, "a standing question is not an earlier one put again as the log has it")
    FACTS_MODES = (Fault.EXCHANGE, "a decision counts on modes of pseudonyms that no such broker serves")
    EVALUATION_RIGHT = (
        Fault.EXCHANGE,
        "a key service evaluated for a party, or under a purpose, for which the policy set does not allow it",
    )
    EVALUATION_KEY = (Fault.EXCHANGE, "a key service evaluated under an epoch or key that the policy set does not give")
    EVALUATION_QUOTA = (
        Fault.EXCHANGE,
        "a key service evaluated beyond a party's quota, or counts otherwise than the log shows",
    )
    SERVICE_KEY = (
        Fault.EXCHANGE,
        "a key service's key was destroyed before its time or twice, or used after it was destroyed",
    )
    HIT_UNKNOWN = (Fault.EXCHANGE, "a dispute or an outcome is about no ask of its party for which rows were given")
    RECTIFIED_TWICE = (Fault.EXCHANGE, "a correction, dispute, outcome or notice stands twice under one id")
    STATEMENT_AGE = (Fault.EXCHANGE, "a statement was logged after its time, or dated more than 10 minutes ahead")
    NOT_ANSWERER = (Fault.EXCHANGE, "a correction is by a party that does not answer its purpose, and never did")
    CORRECTION_SEARCH = (
        Fault.EXCHANGE,
        "a correction says that another number of exchanges was searched than the log shows",
    )
    CANARIES = (
        Fault.EXCHANGE,
        "canaries are set by a party that does not answer, under another key, twice or too many",
    )
    CANARY = (Fault.EXCHANGE, "an entry on canaries that were asked for fits no list in force and no ask before it")
    LIVE_ANSWER = (
        Fault.EXCHANGE,
        "a live answer fits no ask that waits for one, its party may not answer so, or it stands twice",
    )
    UNUSUAL_USE = (
        Fault.EXCHANGE,
        "an explanation of unusual use is not about that party's own questions, is of another item, or stands twice",
    )
    CORRECTION_NOTICES = (Fault.EXCHANGE, "a correction's notices do not stand behind it as it says")
    NOTICE_ASK = (Fault.EXCHANGE, "a correction notice names exchanges that are not its party's, or not of that record")
    DISPUTE_UNKNOWN = (Fault.EXCHANGE, "a correction answers a dispute that is not open at its party")
    ACKNOWLEDGEMENT = (Fault.EXCHANGE, "an acknowledgement has no notice to its party before it, or stands twice")
    FACTS = (Fault.EXCHANGE, "the facts of a decision are not those of its entry")
    REPLAY_DIFFERS = (Fault.REPLAY, "the decision, replayed, has another effect, reason or obligation")
    NOT_REPLAYABLE = (Fault.REPLAY, "a decision cannot be replayed with what the bundle and this program hold")
    COSIGNED_FORM = (Fault.WITNESS, "a cosigned checkpoint is not a note signed by a log key that you trust")
    COSIGNED_DIFFERS = (Fault.WITNESS, "a cosigned checkpoint is of another tree than the checkpoint it stands behind")
    COSIGNATURE_WRONG = (Fault.WITNESS, "a cosignature is not by the witness it names, or is of another tree")
    COSIGNATURE_TIME = (Fault.WITNESS, "a cosignature's time does not fit the entries around it, or goes back")
    WITNESS_QUORUM = (Fault.WITNESS, "no checkpoint is cosigned by as many of your witnesses as you demand")
    WITNESS_GAP = (
        Fault.WITNESS,
        "an ask was taken though entries stood longer than your grace without a quorum: stripped, or not witnessed",
    )
    STAMP_FORM = (Fault.STAMP, "a time stamp is not a token of RFC 3161")
    STAMP_DIFFERS = (Fault.STAMP, "a time stamp is of something else than the checkpoint it stands behind")
    STAMP_SIGNATURE = (Fault.STAMP, "a time stamp is not signed by a time stamper you trust, valid at its time")
    STAMP_EARLY = (Fault.STAMP, "a time stamp is more than 60 seconds older than an entry it covers")
    STAMP_ORDER = (Fault.STAMP, "a time stamp is older than that of a smaller log before it")
    STAMP_GAP = (Fault.STAMP, "entries stood longer without a good time stamp than your trust file allows")
    ERASURE_ORDER = (Fault.VAULT, "an erasure or a hold was not ordered by anyone who may, or its order is not one")
    ORDER_AGE = (Fault.VAULT, "an order was carried out more than 30 days after it was made, or was dated ahead")
    ERASURE_UNORDERED = (Fault.VAULT, "an erasure on request erased what its order does not name, or may not")
    ERASURE_UNKNOWN = (Fault.VAULT, "an erasure names what the log had not committed to")
    ERASURE_TWICE = (Fault.VAULT, "something was erased twice: it had come back")
    ERASURE_EARLY = (Fault.VAULT, "something was erased as due before its purpose says so")
    ERASURE_HELD = (Fault.VAULT, "something was erased while a legal hold kept it")
    VAULT_FORM = (Fault.VAULT, "the vault export was altered, cut, or is not for this key")
    VAULT_OTHER = (Fault.VAULT, "the vault export is of another log, or was made with another bundle")
    VAULT_OPENING = (Fault.VAULT, "a vault slot does not open to what the log committed to")
    VAULT_SWAPPED = (Fault.VAULT, "a vault slot opens to what another commitment of the log stands for")
    VAULT_MISSING = (Fault.VAULT, "a commitment can no longer be opened, and no entry says that it was erased")
    VAULT_ERASED = (Fault.VAULT, "a vault slot is there although an entry says that it was erased")
    VAULT_UNKNOWN = (Fault.VAULT, "a vault slot belongs to no commitment of the log, or stands there twice")
    VAULT_STATEMENT = (Fault.VAULT, "what a vault slot opens to cannot be what its statement says")

    @property
    def fault(self) -> Fault:
        """The class of fault."""
        return self.value[0]

    @property
    def text(self) -> str:
        """What it means, in one line."""
        return self.value[1]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong; `index` is the entry's, `line` the bundle's (from 1), None where neither is meant."""

    code: Code
    detail: str = ""
    index: int | None = None
    line: int | None = None

    def __str__(self) -> str:
        place = f"entry {self.index}: " if self.index is not None else f"line {self.line}: " if self.line else ""
        detail = f" ({self.detail})" if self.detail else ""
        return f"{self.code.name}: {place}{self.code.text}{detail}"


class BundleError(Exception):
    """The bundle cannot be read further. Carries the finding; never leaves this package."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding))
        self.finding = finding


@dataclass
class Findings:
    """Collects findings: all are counted, the first thousand are kept."""

    listed: list[Finding] = field(default_factory=list)
    counts: Counter[Code] = field(default_factory=Counter)

    def add(self, code: Code, detail: str = "", *, index: int | None = None, line: int | None = None) -> None:
        """Notes one finding."""
        self.counts[code] += 1
        if len(self.listed) < MAX_LISTED:
            self.listed.append(Finding(code, detail, index, line))

    def note(self, finding: Finding) -> None:
        """Notes one finding that is made already."""
        self.add(finding.code, finding.detail, index=finding.index, line=finding.line)


@dataclass(frozen=True)
class Stamped:
    """A time stamp that is good: a log of `size` entries existed `at` (UTC, whole seconds), says `by`."""

    size: int
    at: str
    by: str


@dataclass(frozen=True)
class Witnessed:
    """The newest checkpoint with a quorum: witnesses `by` saw the log of `size` entries; `at`: the quorum was there.

    `of`: how many witnesses the trust file names; `asked`: how many of them it asks for.
    """

    size: int
    at: str
    by: tuple[str, ...]
    of: int
    asked: int


@dataclass(frozen=True)
class VaultChecked:
    """What came of comparing a log with a vault export: commitments that opened, and that an entry erased."""

    auditor: str
    opened: int
    erased: int


@dataclass(frozen=True)
class Report:
    """The outcome of a verification."""

    origin: str
    trust: str
    """Fingerprint of the trust file."""
    findings: tuple[Finding, ...]
    counts: dict[str, int]
    """Findings by code."""
    size: int
    checkpoints: int
    first: str | None
    last: str | None
    """Times of the first and the last entry."""
    kinds: dict[str, int]
    open_asks: int
    """Permitted asks that have no release yet at the end."""
    replayed_same: int
    replayed_differ: int
    not_replayable: int
    expected: bool
    """Whether it was compared with a checkpoint or receipt that came another way."""
    bundle: str
    """SHA-256 of the whole bundle, hex."""
    follows: str | None = None
    """The log before, as the genesis names it, and why: `<origin> (sealed|recovered), <size> entries`."""
    preceded: bool = False
    """Whether the log before was given and compared."""
    sealed: str | None = None
    """The log that follows, where this one has ended."""
    stamps: int = 0
    """Time stamps that are good."""
    stamps_unchecked: int = 0
    """Time stamps that the trust file names no time stamper for."""
    stamped: Stamped | None = None
    """The newest good one."""
    cosigned: int = 0
    """Checkpoints that a quorum of the trusted witnesses cosigned."""
    cosigned_unchecked: int = 0
    """Cosigned checkpoints when the trust file names no witnesses."""
    vault: VaultChecked | None = None
    """What came of comparing the commitments with a vault export; None without one."""
    witnessed: Witnessed | None = None
    """The newest of those with a quorum."""

    @property
    def verified(self) -> bool:
        """Whether nothing at all was found."""
        return not self.counts

    @property
    def exit_code(self) -> int:
        """0 when verified, else the class of the gravest fault."""
        return min((int(Code[name].fault) for name in self.counts), default=0)

    @property
    def completeness(self) -> str:
        """How far the log can be taken to be whole."""
        if self.last is None:
            return "nothing could be read"
        if self.sealed is not None:
            kept = ", and it holds what you expected" if self.expected else ""
            return f"complete to its seal at {self.last}{kept}"
        if self.expected:
            return f"complete to {self.last}, and it holds what you expected"
        return f"complete to {self.last}; later unknown (give --expect a checkpoint or receipt you hold)"

    @property
    def summary(self) -> str:
        """The last line: `verified: ...` or `NOT verified: ...`."""
        if self.verified:
            return f"verified: {self.size} entries of {self.origin}, {self.completeness}"
        count = sum(self.counts.values())
        return f"NOT verified: {count} finding{'' if count == 1 else 's'}, gravest class {Fault(self.exit_code).name}"
