"""What every command stands on: the policy one verified oneself, whose certificate is whose, and a log that only grows.

Takes the broker as a port and trusts nothing it relays: each thing is checked against the profile, which came another
way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from itertools import pairwise
from typing import Any, Protocol

from sluis_client.canonical import canonical_json
from sluis_client.certificates import check_certificate
from sluis_client.epochs import epoch_name
from sluis_client.errors import ClientError, Exit
from sluis_client.keystore import Keystore
from sluis_client.policy import PurposeView, SignedPolicy
from sluis_client.profile import Profile
from sluis_client.pseudonymise import Context
from sluis_client.receipts import Checkpoint, parse_checkpoint, verify_consistency, verify_receipt
from sluis_client.statement_shapes import ENCRYPTION_KEY
from sluis_client.statements import PartyKey, SignedStatement, verify
from sluis_client.transport import PublishedKey, Receipt, Transport

MAX_PARTIES = 400


class LogReader(Protocol):
    """What following the log asks of the broker."""

    def consistency(self, old_size: int, new_size: int) -> tuple[bytes, ...]:
        """See Transport."""
        ...


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
    ) -> None:
        self.profile = profile
        self.keystore = keystore
        self.transport = transport
        self.now = clock
        self._parties: dict[str, Party] = {}

    @cached_property
    def key(self) -> PartyKey:
        """The agency's certificate and private key. Raises as `Profile.party_key`."""
        return self.profile.party_key()

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
        """What derivations under the purpose are bound to; epoch "" is the one in force. Raises MODE_NOT_AVAILABLE."""
        chosen = epoch or epoch_name(view.epoch_kind, self.now())
        return Context(self.profile.origin, self.profile.environment, view.name, chosen, view.mode)

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
        return body

    def follow(self, notes: Sequence[str]) -> Checkpoint:
        """Checks that the checkpoints and the one kept are of one log that only grew; keeps the newest.

        Returns the newest. Every pair of neighbours by size is proven consistent, so a log that shows different
        agencies, or one agency at different times, different trees is found out here.

        Raises:
            ClientError: LOG_FORKED, LOG_SHRUNK (exit code 6; both views are kept as evidence), RECEIPT_BROKEN.
        """
        with self.keystore.checkpoint_lock():
            kept = self._kept_checkpoint()
            shown = list(dict.fromkeys([*([kept] if kept else []), *notes]))
            heads = sorted(((parse_checkpoint(note, self.profile.log_keys), note) for note in shown), key=_size)
            for (old, old_note), (new, new_note) in pairwise(heads):
                self._demand_growth(old, old_note, new, new_note)
            newest, note = heads[-1]
            if note != kept and (kept is None or newest.size > parse_checkpoint(kept, self.profile.log_keys).size):
                self.keystore.keep_checkpoint(note)
        return newest

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
            text = f"{path} is damaged or of another log: restore the state directory from its backup"
            raise ClientError("STATE_UNREADABLE", text, Exit.KEY_TROUBLE) from None
        return kept

    def newest_checkpoint(self) -> tuple[Checkpoint, str]:
        """The broker's newest checkpoint, which must not lie before the one kept; kept in its place.

        Raises:
            ClientError: LOG_SHRUNK, LOG_FORKED, RECEIPT_BROKEN.
        """
        note = self.transport.checkpoint()
        shown = parse_checkpoint(note, self.profile.log_keys)
        newest = self.follow([note])
        if newest.size > shown.size:
            # a checkpoint that another command kept meanwhile is newer: ask again before crying wolf
            note = self.transport.checkpoint()
            shown = parse_checkpoint(note, self.profile.log_keys)
            if shown.size < newest.size:
                raise self._contradiction("LOG_SHRUNK", self.keystore.checkpoint() or "", note)
            self.follow([note])
        return shown, note

    def _demand_growth(self, old: Checkpoint, old_note: str, new: Checkpoint, new_note: str) -> None:
        if old.size == new.size:
            if old.root != new.root:
                raise self._contradiction("LOG_FORKED", old_note, new_note)
            return
        if old.size == 0:
            return
        try:
            proof = self.transport.consistency(old.size, new.size)
        except ClientError as error:
            if error.exit_code is not Exit.BROKER_REFUSED:
                raise
            raise self._contradiction("LOG_SHRUNK", old_note, new_note) from None
        if not verify_consistency(old.size, new.size, old.root, new.root, proof):
            raise self._contradiction("LOG_FORKED", old_note, new_note)

    def _contradiction(self, code: str, one: str, other: str) -> ClientError:
        name = self.now().strftime("%Y%m%d-%H%M%S-%f")
        self.keystore.keep_record("evidence", name, {"code": code, "checkpoints": [one, other]})
        what = {
            "LOG_FORKED": "THE BROKER'S LOG CONTRADICTS WHAT IT SHOWED BEFORE",
            "LOG_SHRUNK": "THE BROKER'S LOG HAS LOST ENTRIES THAT IT SHOWED BEFORE",
        }[code]
        path = self.keystore.directory / "evidence" / name
        text = f"{what}. Do not use its answers; tell the operator and the auditor, and keep {path} as evidence"
        return ClientError(code, text, Exit.VERIFICATION_FAILED)


def receipt_broken(why: str) -> ClientError:
    """A refusal of a receipt that proves something else than it should."""
    return ClientError("RECEIPT_BROKEN", f"the receipt is refused: {why}", Exit.VERIFICATION_FAILED)


def _size(head: tuple[Checkpoint, str]) -> int:
    return head[0].size
