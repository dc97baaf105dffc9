"""Custody of K: the steward makes it, seals it to every recipient, and every recipient checks before trusting it.

Envelopes are HPKE (RFC 9180) in base mode with MLKEM768-X25519, HKDF-SHA-256 and AES-256-GCM. Base mode says nothing of
the sender: the steward's signature over the epoch manifest, which holds every envelope's digest, does.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from sluis_client.canonical import encode
from sluis_client.epochs import epoch_window, overlap_end
from sluis_client.errors import ClientError, Exit
from sluis_client.policy import PurposeView
from sluis_client.pseudonymise import Context, key_id
from sluis_client.secret import KEY_BYTES, Secret
from sluis_client.statement_shapes import EPOCH, check_members
from sluis_client.statements import epoch_statement, parse_utc

MLKEM_SEED_BYTES = 64
MLKEM_PUBLIC_BYTES = 1184
X25519_BYTES = 32
ENVELOPE_BYTES = 1088 + X25519_BYTES + KEY_BYTES + 16
"""Encapsulated key (ML-KEM ciphertext, X25519 share), K, tag."""

_SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


class EncryptionPrivateKey:
    """A party's private encryption key, never printed or pickled.

    `seed` is what is kept: 64 bytes of ML-KEM-768 seed (FIPS 203: d || z), then 32 bytes of X25519 private key.

    Raises:
        ClientError: KEY_UNREADABLE for another length.
    """

    __slots__ = ("_seed",)

    def __init__(self, seed: bytes) -> None:
        if len(seed) != MLKEM_SEED_BYTES + X25519_BYTES:
            raise ClientError("KEY_UNREADABLE", "an encryption key is stored as 96 bytes", Exit.KEY_TROUBLE)
        self._seed = bytes(seed)

    def reveal(self) -> bytes:
        """The 96 bytes, to be stored readable by the owner only."""
        return self._seed

    def public_bytes(self) -> bytes:
        """ML-KEM-768 encapsulation key (1184 bytes), then X25519 public key (32 bytes)."""
        mlkem, x25519 = self._halves()
        return mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()

    def open(self, ciphertext: bytes, info: bytes) -> bytes | None:
        """The plaintext, or None when it does not open."""
        try:
            return _SUITE.decrypt(ciphertext, hpke.MLKEM768X25519PrivateKey(*self._halves()), info=info)
        except (InvalidTag, ValueError):
            return None

    def _halves(self) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
        return (
            MLKEM768PrivateKey.from_seed_bytes(self._seed[:MLKEM_SEED_BYTES]),
            X25519PrivateKey.from_private_bytes(self._seed[MLKEM_SEED_BYTES:]),
        )

    def __repr__(self) -> str:
        return "EncryptionPrivateKey(hidden)"

    def __reduce_ex__(self, protocol: object) -> str:
        raise TypeError("an encryption key is not pickled or copied")


def generate_encryption_key(entropy: Callable[[int], bytes] = os.urandom) -> EncryptionPrivateKey:
    """A fresh MLKEM768-X25519 key."""
    return EncryptionPrivateKey(entropy(MLKEM_SEED_BYTES + X25519_BYTES))


def make_epoch(
    context: Context,
    valid_from: datetime,
    valid_until: datetime,
    steward: str,
    recipients: Mapping[str, tuple[bytes, str]],
    entropy: Callable[[int], bytes] = os.urandom,
    created_at: datetime | None = None,
) -> tuple[Secret, dict[str, Any], dict[str, bytes]]:
    """A new K, the epoch manifest for the steward to sign, and an envelope for each recipient.

    `recipients`: party -> (public encryption key, `short_digest` of its encryption-key statement), each checked by the
    caller against certificate and policy. The steward lists itself when it wants to recover K from the broker.

    Raises:
        ClientError: EPOCH_INVALID when the period is empty or nobody receives K; KEY_UNREADABLE for a public key.
    """
    if valid_from >= valid_until or not recipients:
        raise ClientError("EPOCH_INVALID", "an epoch needs a period and at least one recipient")
    key = Secret(entropy(KEY_BYTES))
    manifest = epoch_statement(
        origin=context.origin,
        environment=context.environment,
        purpose=context.purpose,
        epoch=context.epoch,
        mode=context.mode,
        key_id=key_id(key, context),
        steward=steward,
        recipients={},
        valid_from=valid_from,
        valid_until=valid_until,
        created_at=created_at or datetime.now(UTC),
    )
    manifest, envelopes = add_recipients(key, context, manifest, recipients)
    return key, manifest, envelopes


def add_recipients(
    key: Secret,
    context: Context,
    manifest: Mapping[str, Any],
    recipients: Mapping[str, tuple[bytes, str]],
    leaving: Collection[str] = (),
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The manifest for `recipients`, old and new, with a fresh envelope for each; the key and the rest stay the same.

    The broker takes an envelope for every recipient of a manifest, so all are sealed again. `leaving` names those who
    are meant to be left out: that keeps them from fetching K again, not from using it; a new epoch does.

    Raises:
        ClientError: KEY_ID_WRONG when `key` is not the manifest's; EPOCH_INVALID when a recipient of the manifest is
            neither in `recipients` nor `leaving`; KEY_UNREADABLE.
    """
    if manifest["key_id"] != key_id(key, context):
        raise _key_wrong()
    forgotten = sorted(set(manifest["recipients"]) - set(recipients) - set(leaving))
    if forgotten:
        text = f"give the encryption keys of all recipients, or say who leaves; missing: {', '.join(forgotten)}"
        raise ClientError("EPOCH_INVALID", text)
    envelopes = {party: seal_envelope(key, context, party, public_key) for party, (public_key, _) in recipients.items()}
    listed = {
        party: {"key": statement_digest, "envelope": short_digest(envelopes[party])}
        for party, (_, statement_digest) in recipients.items()
    }
    return {**manifest, "recipients": listed}, envelopes


def short_digest(data: bytes) -> str:
    """How an epoch manifest names an envelope or an encryption-key statement: the first 16 bytes of its SHA-256, as 32
    hex digits. Why that is enough stands in docs/pseudonym-spec.md section 6."""
    return hashlib.sha256(data).hexdigest()[:32]


def seal_envelope(key: Secret, context: Context, recipient: str, public_key: bytes) -> bytes:
    """K for one recipient: encapsulated key, then ciphertext and tag (1168 bytes). Differs on every call.

    Raises:
        ClientError: KEY_UNREADABLE.
    """
    info = _info(context, recipient, key_id(key, context))
    try:
        return seal_to(public_key, key.reveal(), info)
    except ValueError:
        text = f"the encryption key of {recipient} is not one of MLKEM768-X25519"
        raise ClientError("KEY_UNREADABLE", text, Exit.KEY_TROUBLE) from None


def seal_to(public_key: bytes, plain: bytes, info: bytes) -> bytes:
    """`plain` encrypted to an MLKEM768-X25519 key. Raises ValueError for another key."""
    if len(public_key) != MLKEM_PUBLIC_BYTES + X25519_BYTES:
        raise ValueError("another length")
    public = hpke.MLKEM768X25519PublicKey(
        MLKEM768PublicKey.from_public_bytes(public_key[:MLKEM_PUBLIC_BYTES]),
        X25519PublicKey.from_public_bytes(public_key[MLKEM_PUBLIC_BYTES:]),
    )
    return _SUITE.encrypt(plain, public, info=info)


def open_envelope(
    private: EncryptionPrivateKey, context: Context, recipient: str, ciphertext: bytes, expected_key_id: str
) -> Secret:
    """K, once shown to be the one that the manifest's `key_id` names.

    Raises:
        ClientError: ENVELOPE_BROKEN when it was sealed to another key, recipient, purpose, epoch, environment, log or
            key id, or was changed; KEY_ID_WRONG when what is inside is another key.
    """
    plain = private.open(ciphertext, _info(context, recipient, expected_key_id))
    if plain is None or len(plain) != KEY_BYTES:
        text = "this envelope was not sealed to this key, party, purpose and epoch; ask the steward to add you again"
        raise ClientError("ENVELOPE_BROKEN", text, Exit.KEY_TROUBLE)
    key = Secret(plain)
    if key_id(key, context) != expected_key_id:
        raise _key_wrong()
    return key


def check_epoch(
    manifest: Mapping[str, Any],
    view: PurposeView,
    context: Context,
    *,
    party: str,
    envelope: bytes,
    now: datetime,
    encryption_key_digest: str | None = None,
    known_key_id: str | None = None,
    ended: bool = False,
) -> None:
    """Judges a manifest, whose signature and signer are already verified, against the policy one verified oneself.

    `view` comes from a `SignedPolicy` of one's own, never from the broker's directory. `party` is the reader,
    `envelope` what the broker gave it. `encryption_key_digest`: `short_digest` of the reader's encryption-key
    statement. `known_key_id`: the key id seen before for this purpose and epoch: a second one is refused. `ended`: the
    key of a past epoch is wanted, for what is still in escrow.

    Raises:
        ClientError: EPOCH_REFUSED, naming what differs from the policy; KEY_ID_WRONG for a second K.
    """
    check_members(manifest, EPOCH)
    expected = dict(zip(("origin", "environment", "purpose", "epoch", "mode"), context.parts(), strict=True))
    for member, value in expected.items():
        if manifest[member] != value:
            raise _refused(f"its {member} is not {value}")
    if view.name != context.purpose or view.mode != context.mode:
        raise _refused("the policy describes another purpose or mode")
    if manifest["steward"] not in view.stewards:
        raise _refused(f"the policy names {' or '.join(view.stewards)} as steward")
    strangers = sorted(set(manifest["recipients"]) - set(view.participants))
    if strangers:
        raise _refused(f"it gives the key to parties outside the purpose: {', '.join(strangers)}")
    window = (parse_utc(manifest["valid_from"]), parse_utc(manifest["valid_until"]))
    if epoch_window(context.epoch, view.epoch_kind) != window:
        raise _refused(f"its period is not that of the {view.epoch_kind} {context.epoch} in Europe/Amsterdam")
    if now >= (escrow_end(view, window[1]) if ended else overlap_end(window[1], view.overlap_days)):
        raise _refused("its epoch has ended" + (", and so has its escrow" if ended else ""))
    own = manifest["recipients"].get(party)
    if own is None:
        raise _refused(f"it has no envelope for {party}; ask the steward to add you")
    if own["envelope"] != short_digest(envelope):
        raise _refused("the envelope is not the one that the steward signed for")
    if encryption_key_digest is not None and own["key"] != encryption_key_digest:
        raise _refused(
            "the envelope was sealed to another encryption key than yours; restore your state directory from its "
            "backup, or ask the steward to run `sluis-client keys create` again, which adds your new key"
        )
    if known_key_id is not None and known_key_id != manifest["key_id"]:
        raise ClientError(
            "KEY_ID_WRONG",
            "this epoch already has another key; a second one is never accepted: call the steward by another way",
            Exit.VERIFICATION_FAILED,
        )


def escrow_end(view: PurposeView, valid_until: datetime) -> datetime:
    """Until when the key of an epoch that ends at `valid_until` is kept: its last question is then erased."""
    return overlap_end(valid_until, view.overlap_days + view.vault_keep_days)


def _info(context: Context, recipient: str, identity: str) -> bytes:
    return encode("sluis/v1/envelope", *context.parts(), recipient, identity)


def _key_wrong() -> ClientError:
    return ClientError("KEY_ID_WRONG", "the key is not the one that the manifest names", Exit.KEY_TROUBLE)


def _refused(why: str) -> ClientError:
    return ClientError("EPOCH_REFUSED", f"the epoch manifest is refused: {why}", Exit.VERIFICATION_FAILED)
