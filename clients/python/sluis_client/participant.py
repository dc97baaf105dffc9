"""What every command stands on: the policy one verified oneself, whose certificate is whose, and a log that only grows.

Takes the broker as a port and trusts nothing it relays: each thing is checked against the profile, which came another
way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from threading import Lock
from typing import Any

from sluis_client.canonical import canonical_json, parse_canonical
from sluis_client.certificates import check_certificate
from sluis_client.epochs import calendar_of, epoch_name, generation_of
from sluis_client.errors import ClientError, Exit
from sluis_client.forks import Evidence, Signed, relate
from sluis_client.journal import Journal, held
from sluis_client.key_services import EvaluationBudget, KeyServiceTransport
from sluis_client.keystore import Keystore
from sluis_client.policy import PurposeView, ServiceView, SignedPolicy
from sluis_client.profile import Profile
from sluis_client.pseudonymise import Context
from sluis_client.receipts import Checkpoint, leaf_hash, parse_checkpoint, receipt_broken, verify_receipt
from sluis_client.statement_shapes import ENCRYPTION_KEY
from sluis_client.statements import PartyKey, SignedStatement, verify
from sluis_client.transport import PublishedKey, Receipt, Transport

MAX_PARTIES = 400


@dataclass(frozen=True)
class Party:
    """Another party as verified: its certificate (DER), and its encryption key with the statement's members."""

    name: str
    certificate: bytes
    signed: SignedStatement
    encryption_key: bytes


class Participant:
    """One agency at work, with one verified policy set for as long as the object lives. Not for several threads."""

    def __init__(
        self,
        profile: Profile,
        keystore: Keystore,
        transport: Transport,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        key_services: Callable[[ServiceView], KeyServiceTransport] | None = None,
    ) -> None:
        self.profile = profile
        self.keystore = keystore
        self.transport = transport
        self.now = clock
        self.journal = Journal(keystore.directory / "journal.jsonl")
        self._parties: dict[str, Party] = {}
        self._connect = key_services
        self._connecting = Lock()
        self._services: dict[str, KeyServiceTransport] = {}
        self.uncovered: str = ""
        """The checkpoint of the newest entry that this agency caused and of which no witness was asked yet."""
        self.tell_evaluations: Callable[[int, Sequence[EvaluationBudget]], None] = lambda _needed, _budgets: None
        """Called before evaluations are spent, with how many and what each key service has left."""

    @cached_property
    def key(self) -> PartyKey:
        """The agency's certificate and private key. Raises as `Profile.party_key`."""
        return self.profile.party_key()

    def sign(self, statement: Mapping[str, Any]) -> SignedStatement:
        """The statement, signed; it stands in the journal before it is returned. Raises as `PartyKey.sign`."""
        signed = self.key.sign(statement)
        digest = hashlib.sha256(signed.statement).hexdigest()
        self.journal.sign(digest, statement, now=self.now(), log_size=self.log_size_kept())
        return signed

    def log_size_kept(self) -> int:
        """The number of entries of the checkpoint kept here; 0 without one."""
        kept = self._kept_checkpoint()
        return 0 if kept is None else self.signed(kept).head.size

    def hold(self, receipts: Iterable[Receipt]) -> None:
        """Notes in the journal the entries that verified receipts prove."""
        lines = []
        for receipt in receipts:
            entry = parse_canonical(receipt.leaf)
            lines.append(held(receipt.index, entry["kind"], leaf_hash(receipt.leaf), entry["body"]))
        self.journal.append(lines, now=self.now(), log_size=self.log_size_kept())

    @cached_property
    def policy(self) -> SignedPolicy:
        """The policy set in force, signed by the profile's signers, and not older than one seen before.

        Each active purpose was approved by both its sides, unless the profile says `unsafe_skip_approvals`.

        Raises:
            ClientError: POLICY_INVALID, POLICY_UNSIGNED, POLICY_EXPIRED, POLICY_REVISION_LOWER.
        """
        profile = self.profile
        seen = max(self.keystore.policy_revision(), 1)
        bundle = self.transport.policy_bundle()
        policy = SignedPolicy.from_bundle(
            bundle,
            profile.policy_signers,
            profile.policy_quorum,
            self.now(),
            seen,
            unsafe_skip_approvals=profile.unsafe_skip_approvals,
        )
        self.keystore.keep_policy_revision(policy.revision)
        return policy

    def purpose(self, name: str) -> PurposeView:
        """One purpose of the verified policy set. Raises PURPOSE_UNKNOWN."""
        return self.policy.purpose(name)

    def context(self, view: PurposeView, epoch: str = "") -> Context:
        """What derivations under the purpose are bound to; epoch "" is the one in force, under its newest key that is
        kept here. Raises MODE_NOT_AVAILABLE."""
        chosen = epoch or self.newest_kept(view.name, epoch_name(view.epoch_kind, self.now()))
        return Context(self.profile.origin, self.profile.environment, view.name, chosen, view.mode)

    def newest_kept(self, purpose: str, calendar: str) -> str:
        """The newest key of a calendar epoch that is kept here, by its name; its first one when there is none."""
        kept = [key.epoch for key in self.keystore.epoch_keys() if key.purpose == purpose and key.published]
        return max((name for name in kept if calendar_of(name) == calendar), key=generation_of, default=calendar)

    def key_service_of(self, view: PurposeView) -> Callable[[str], KeyServiceTransport]:
        """The way to the key services of a purpose, by id. What it gives raises KEY_SERVICE_UNKNOWN."""
        known = {service.name: service for service in view.key_services}

        def connect(name: str) -> KeyServiceTransport:
            with self._connecting:
                if name not in self._services:
                    if self._connect is None:
                        raise ClientError("KEY_SERVICE_UNKNOWN", f"there is no way to key service {name} here")
                    self._services[name] = self._connect(known[name])
                return self._services[name]

        return connect

    def parties(self, names: Iterable[str]) -> Mapping[str, Party]:
        """Those of `names` that published an encryption key, each checked against issuers, policy and signature.

        Raises:
            ClientError: PARTY_UNKNOWN, CERTIFICATE_WRONG, SIGNATURE_WRONG, STATEMENT_INVALID.
        """
        wanted = sorted(set(names))
        missing = [name for name in wanted if name not in self._parties]
        for start in range(0, len(missing), MAX_PARTIES):
            asked = missing[start : start + MAX_PARTIES]
            for published in self.transport.encryption_keys(asked):
                if published.party in asked:
                    self._parties[published.party] = self._party(published)
        return {name: self._parties[name] for name in wanted if name in self._parties}

    def certificate_of(self, party: str, certificate: bytes) -> bytes:
        """A certificate (DER) that is shown as one of a party's, once checked against issuers and policy.

        Raises:
            ClientError: PARTY_UNKNOWN, CERTIFICATE_WRONG, KEY_UNREADABLE, KEY_TYPE_WRONG.
        """
        check_certificate(certificate, self.profile.trusted_parties(), self.policy.oins_of(party), self.now())
        return certificate

    def _party(self, published: PublishedKey) -> Party:
        oins = self.policy.oins_of(published.party)
        check_certificate(published.certificate, self.profile.trusted_parties(), oins, self.now())
        members = verify(published.signed, published.certificate, ENCRYPTION_KEY)
        expected = (published.party, self.profile.origin, self.profile.environment)
        if (members["party"], members["origin"], members["environment"]) != expected:
            text = f"the encryption key shown for {published.party} was made for another party, log or environment"
            raise ClientError("STATEMENT_INVALID", text, Exit.VERIFICATION_FAILED)
        public_key = bytes.fromhex(members["public_key"])
        return Party(published.party, published.certificate, published.signed, public_key)

    def entry(self, receipt: Receipt, kind: str) -> dict[str, Any]:
        """The body of the entry of `kind` that a receipt proves. Raises RECEIPT_BROKEN."""
        entry = verify_receipt(receipt, self.profile.log_keys)
        if entry["kind"] != kind or not isinstance(entry["body"], dict):
            raise receipt_broken(f"it proves another kind of entry than {kind}")
        body: dict[str, Any] = entry["body"]
        return body

    def own_entry(self, receipt: Receipt, kind: str, expected: Mapping[str, Any]) -> dict[str, Any]:
        """The body of an entry that this agency caused: it says `expected`, and the log that holds it only grew.

        Raises:
            ClientError: RECEIPT_BROKEN, LOG_FORKED, LOG_SHRUNK.
        """
        body = self.entry(receipt, kind)
        for name, value in expected.items():
            if name not in body or canonical_json(body[name]) != canonical_json(value):
                raise receipt_broken(f"its entry says something else of {name}")
        self.follow([receipt.checkpoint])
        self.hold([receipt])
        self.caused(receipt)
        return body

    def caused(self, receipt: Receipt) -> None:
        """Notes for the end of a command that a witness should see the entry that this verified receipt proves."""
        if not self.uncovered or self.signed(receipt.checkpoint).head.size > self.signed(self.uncovered).head.size:
            self.uncovered = receipt.checkpoint

    def follow(self, notes: Sequence[str]) -> Checkpoint:
        """Checks that the checkpoints and the one kept are of one log that only grew; keeps the newest.

        Returns the newest. Every pair of neighbours by size is proven consistent, so a log that shows different
        agencies, or one agency at different times, different trees is found out here. `log_keys` stand oldest first:
        once a later one signs, an earlier one counts for nothing beyond it.

        Raises:
            ClientError: LOG_FORKED, LOG_SHRUNK (exit code 6; both views are kept as evidence), RECEIPT_BROKEN,
                LOG_KEY_RETIRED.
        """
        with self.keystore.checkpoint_lock():
            kept = self._kept_checkpoint()
            shown = list(dict.fromkeys([*([kept] if kept else []), *notes]))
            heads = sorted((self.signed(note) for note in shown), key=_size)
            for old, new in pairwise(heads):
                _demand_key_in_force(old.head, new.head)
                self._demand_growth(old, new)
            newest = heads[-1]
            if newest.note != kept and (kept is None or newest.head.size > self.signed(kept).head.size):
                self.keystore.keep_checkpoint(newest.note)
        return newest.head

    def signed(self, note: str) -> Signed:
        """A checkpoint signed by the profile's log. Raises RECEIPT_BROKEN."""
        return Signed(parse_checkpoint(note, self.profile.log_keys), note)

    def _kept_checkpoint(self) -> str | None:
        """The checkpoint kept here. STATE_UNREADABLE when its file is damaged: that says nothing of the broker."""
        path = self.keystore.directory / "checkpoint"
        try:
            kept = self.keystore.checkpoint()
            if kept is not None:
                parse_checkpoint(kept, self.profile.log_keys)
        except (ClientError, UnicodeDecodeError) as error:
            if isinstance(error, ClientError) and error.code != "RECEIPT_BROKEN":
                raise
            text = (
                f"{path} is damaged or of another log: restore the state directory from its backup. Without one, ask "
                "another party for its newest checkpoint and put that note in its place: nothing is lost if it is newer"
            )
            raise ClientError("STATE_UNREADABLE", text, Exit.KEY_TROUBLE) from None
        return kept

    def newest_checkpoint(self) -> tuple[Checkpoint, str]:
        """The broker's newest checkpoint, which must not lie before the one kept; kept in its place.

        Raises:
            ClientError: LOG_SHRUNK, LOG_FORKED, RECEIPT_BROKEN.
        """
        shown = self.signed(self.transport.checkpoint())
        newest = self.follow([shown.note])
        if newest.size > shown.head.size:
            # a checkpoint that another command kept meanwhile is newer: ask again before crying wolf
            shown = self.signed(self.transport.checkpoint())
            if shown.head.size < newest.size:
                kept = self.keystore.checkpoint() or ""
                raise self._contradiction("LOG_SHRUNK", Evidence((shown.note, kept)))
            self.follow([shown.note])
        return shown.head, shown.note

    def _demand_growth(self, old: Signed, new: Signed) -> None:
        found = relate(old, new, self.transport)
        if found.verdict == "fork":
            raise self._contradiction("LOG_FORKED", found.evidence)
        if found.verdict == "unproven":
            raise self._contradiction("LOG_SHRUNK" if found.refused else "LOG_FORKED", found.evidence)

    def _contradiction(self, code: str, evidence: Evidence) -> ClientError:
        path = self.keep_evidence(code, evidence)
        what = {
            "LOG_FORKED": "THE BROKER'S LOG CONTRADICTS WHAT IT SHOWED BEFORE",
            "LOG_SHRUNK": "THE BROKER'S LOG HAS LOST ENTRIES THAT IT SHOWED BEFORE",
        }[code]
        text = f"{what}. Do not use its answers; tell the operator and the auditor, and keep {path} as evidence"
        return ClientError(code, text, Exit.VERIFICATION_FAILED)

    def keep_evidence(self, code: str, evidence: Evidence) -> Path:
        """Stores two views of the log that contradict each other; returns where."""
        name = moment = self.now().strftime("%Y%m%d-%H%M%S-%f")
        number = 1
        while self.keystore.record("evidence", name) is not None:
            number += 1
            name = f"{moment}-{number}"
        self.keystore.keep_record("evidence", name, evidence.as_json(code))
        return self.keystore.directory / "evidence" / name


def _demand_key_in_force(old: Checkpoint, new: Checkpoint) -> None:
    if new.size > old.size and new.key < old.key:
        raise ClientError(
            "LOG_KEY_RETIRED",
            f"the checkpoint over {new.size} entries is signed by an older log key than that over {old.size}. Either "
            "log_keys in the profile do not stand oldest first, or somebody signs with a key that was retired: do not "
            "rely on this log before its operator and an auditor have looked",
            Exit.VERIFICATION_FAILED,
        )


def _size(signed: Signed) -> int:
    return signed.head.size
