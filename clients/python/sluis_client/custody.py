"""Keys as commands handle them: publish one's encryption key; make an epoch's K as its steward, or fetch it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sluis_client.canonical import parse_canonical
from sluis_client.certificates import check_certificate
from sluis_client.envelopes import (
    add_recipients,
    check_epoch,
    escrow_end,
    generate_encryption_key,
    open_envelope,
    short_digest,
)
from sluis_client.epochs import epoch_window, is_later_key, overlap_end
from sluis_client.errors import ClientError, Exit
from sluis_client.keystore import EncryptionKey, EpochKey
from sluis_client.participant import Participant
from sluis_client.policy import PurposeView
from sluis_client.pseudonymise import Context, key_id
from sluis_client.secret import KEY_BYTES, Secret
from sluis_client.statement_shapes import ENCRYPTION_KEY, EPOCH
from sluis_client.statements import encryption_key_statement, epoch_statement, utc, verify
from sluis_client.transport import PublishedEpoch


@dataclass(frozen=True)
class Created:
    """What `create_epoch` did. `waiting`: participants that have no encryption key yet and so got no envelope."""

    key: EpochKey
    recipients: tuple[str, ...]
    waiting: tuple[str, ...]
    changed: bool


def init_encryption_key(me: Participant, *, renew: bool = False) -> EncryptionKey:
    """Makes this agency's encryption key unless it has one, and publishes it. Safe to repeat.

    After a change of certificate the same key is signed anew, so that it outlives the certificate that is replaced.

    `renew` makes another; every steward must then add this agency again before it can fetch a K.

    Raises:
        ClientError: as the transport; RECEIPT_BROKEN, LOG_FORKED, LOG_SHRUNK.
    """
    key = me.keystore.encryption_key()
    if key is None or renew or not _is_signed_by(me, key):
        private = generate_encryption_key() if key is None or renew else key.private
        statement = encryption_key_statement(
            origin=me.profile.origin,
            environment=me.profile.environment,
            party=me.profile.party,
            public_key=private.public_bytes(),
            created_at=me.now(),
        )
        key = EncryptionKey(private, me.sign(statement))
        # kept before it is published: an envelope sealed to a lost key is lost too
        me.keystore.keep_encryption_key(key)
    receipt = me.transport.publish_encryption_key(key.statement)
    statement = parse_canonical(key.statement.statement)
    me.own_entry(receipt, "key", {"action": "encryption-key", "party": me.profile.party, "statement": statement})
    return key


def _is_signed_by(me: Participant, key: EncryptionKey) -> bool:
    """Whether the statement of an encryption key verifies with the certificate in use now."""
    try:
        verify(key.statement, me.key.certificate, ENCRYPTION_KEY)
    except ClientError:
        return False
    return True


def create_epoch(me: Participant, purpose: str, epoch: str = "") -> Created:
    """Makes K for a purpose and epoch and seals it to every participant; or seals the same K to those who came later.

    A successor of the steward may do so as well: it seals the K that it holds, or makes one where there is none yet.
    When two make one at once, the first that is published is the epoch's K, and the other, used by nobody, is let go.

    Raises:
        ClientError: NOT_STEWARD, ENCRYPTION_KEY_MISSING, MODE_NOT_AVAILABLE, EPOCH_INVALID, KEY_ID_WRONG,
            CERTIFICATE_WRONG, SIGNATURE_WRONG, EPOCH_REFUSED; as the transport.
    """
    try:
        return _create_epoch(me, purpose, epoch)
    except ClientError as error:
        if error.code != "EPOCH_EXISTS":
            raise
    return _create_epoch(me, purpose, epoch)


def _create_epoch(me: Participant, purpose: str, epoch: str) -> Created:
    view = me.purpose(purpose)
    context = me.context(view, epoch)
    demand_steward(me, view)
    _own_encryption_key(me)
    manifest, key = _manifest_and_key(me, view, context)
    parties = me.parties(view.participants)
    recipients = {name: (party.encryption_key, short_digest(party.signed.statement)) for name, party in parties.items()}
    waiting = tuple(sorted(set(view.participants) - set(recipients)))
    before = {name: entry["key"] for name, entry in manifest["recipients"].items()}
    changed = before != {name: digest for name, (_, digest) in recipients.items()}
    if changed:
        me.keystore.keep_epoch_key(key)
        leaving = set(manifest["recipients"]) - set(view.participants)
        # whoever seals signs for it, also where another made the key
        manifest = {**manifest, "steward": me.profile.party, "created_at": utc(me.now())}
        manifest, envelopes = add_recipients(key.key, context, manifest, recipients, leaving)
        receipt = me.transport.publish_epoch(me.sign(manifest), sorted(envelopes.items()))
        me.own_entry(receipt, "key", {"action": "epoch", "party": me.profile.party, "statement": manifest})
    key = replace(key, published=True)
    me.keystore.keep_epoch_key(key)
    return Created(key, tuple(sorted(recipients)), waiting, changed)


def demand_steward(me: Participant, view: PurposeView) -> None:
    """Raises NOT_STEWARD unless this agency is steward of the purpose, or a successor."""
    if me.profile.party not in view.stewards:
        who = " or, in its place, ".join((view.steward, ", ".join(view.stewards[1:]))[: len(view.stewards)])
        text = f"the steward of {view.name} is {who}: it makes the key, and you run `sluis-client keys fetch`"
        raise ClientError("NOT_STEWARD", text, Exit.KEY_TROUBLE)


def fetch_epoch(me: Participant, purpose: str, epoch: str = "", *, past: bool = False) -> EpochKey:
    """K of a purpose and epoch out of one's own envelope, once manifest, steward and recipients agree with the policy.

    `epoch` "": the newest key of the epoch in force. `past`: the epoch may have ended, as long as its key is in escrow:
    to search its questions, not to ask or publish.

    Raises:
        ClientError: EPOCH_UNKNOWN, EPOCH_REFUSED, ENVELOPE_BROKEN, KEY_ID_WRONG, ENCRYPTION_KEY_MISSING,
            CERTIFICATE_WRONG, SIGNATURE_WRONG, MODE_NOT_AVAILABLE; as the transport.
    """
    view = me.purpose(purpose)
    context = me.context(view, epoch)
    published = me.transport.epoch(purpose, context.epoch)
    if not epoch and is_later_key(published.newest, context.epoch):
        context = me.context(view, published.newest)
        published = me.transport.epoch(purpose, context.epoch)
    manifest = _checked_manifest(me, view, context, published, ended=past)
    return _opened(me, view, context, manifest, published)


def epoch_key(me: Participant, view: PurposeView, epoch: str = "") -> tuple[Context, EpochKey]:
    """The stored K, or the fetched one when none is stored yet. Raises as `fetch_epoch`, and NOT_PARTICIPANT."""
    context = me.context(view, epoch)
    if me.profile.party not in view.participants:
        text = f"{me.profile.party} takes no part in {view.name}; `sluis-client purposes list` shows where it does"
        raise ClientError("NOT_PARTICIPANT", text, Exit.POLICY_DENIED)
    stored = me.keystore.epoch_key(view.name, context.epoch)
    if stored is not None and stored.published:
        return context, stored
    return context, fetch_epoch(me, view.name, context.epoch)


def _manifest_and_key(me: Participant, view: PurposeView, context: Context) -> tuple[dict[str, Any], EpochKey]:
    """The manifest in force with its K, or a fresh manifest without recipients for the stored or a new K."""
    stored = me.keystore.epoch_key(view.name, context.epoch)
    try:
        published = me.transport.epoch(view.name, context.epoch)
    except ClientError as error:
        if error.code != "EPOCH_UNKNOWN":
            raise
    else:
        manifest = signed_manifest(me, view, published)
        if stored is None or (manifest["key_id"] != stored.key_id and not stored.published):
            manifest = _checked_manifest(me, view, context, published)
            return manifest, _opened(me, view, context, manifest, published)
        if manifest["key_id"] != stored.key_id:
            text = f"{view.name} {context.epoch} was published with another key than the one kept here"
            raise ClientError("KEY_ID_WRONG", text, Exit.KEY_TROUBLE)
        return manifest, stored
    valid_from, valid_until = epoch_window(context.epoch, view.epoch_kind)
    if overlap_end(valid_until, view.overlap_days) <= me.now():
        raise ClientError("EPOCH_INVALID", f"epoch {context.epoch} has ended; make the key of the one in force")
    secret = stored.key if stored else Secret(os.urandom(KEY_BYTES))
    identity = key_id(secret, context)
    key = EpochKey(
        view.name,
        context.epoch,
        secret,
        identity,
        me.profile.party,
        valid_from,
        valid_until,
        published=False,
        escrow_until=escrow_end(view, valid_until),
    )
    manifest = epoch_statement(
        origin=context.origin,
        environment=context.environment,
        purpose=context.purpose,
        epoch=context.epoch,
        mode=context.mode,
        key_id=identity,
        steward=me.profile.party,
        recipients={},
        valid_from=valid_from,
        valid_until=valid_until,
        created_at=me.now(),
    )
    return manifest, key


def _checked_manifest(
    me: Participant, view: PurposeView, context: Context, published: PublishedEpoch, *, ended: bool = False
) -> dict[str, Any]:
    manifest = signed_manifest(me, view, published)
    stored = me.keystore.epoch_key(view.name, context.epoch)
    check_epoch(
        manifest,
        view,
        context,
        party=me.profile.party,
        envelope=published.envelope,
        now=me.now(),
        encryption_key_digest=_key_sealed_to(me, manifest).digest,
        known_key_id=stored.key_id if stored and stored.published else None,
        ended=ended,
    )
    return manifest


def signed_manifest(me: Participant, view: PurposeView, published: PublishedEpoch) -> dict[str, Any]:
    """The members of a manifest that a steward of the purpose signed.

    Raises:
        ClientError: EPOCH_REFUSED, CERTIFICATE_WRONG, SIGNATURE_WRONG, STATEMENT_INVALID.
    """
    # who claims to have signed is read first, and then held against the policy, the certificate and the signature
    claimed = str(parse_canonical(published.manifest.statement).get("steward"))
    if claimed not in view.stewards:
        text = f"the epoch manifest is refused: the policy names {' or '.join(view.stewards)} as steward"
        raise ClientError("EPOCH_REFUSED", text, Exit.VERIFICATION_FAILED)
    check_certificate(published.certificate, me.profile.trusted_parties(), me.policy.oins_of(claimed), me.now())
    return verify(published.manifest, published.certificate, EPOCH)


def _key_sealed_to(me: Participant, manifest: Mapping[str, Any]) -> EncryptionKey:
    """The encryption key of one's own that the envelope was sealed to; the newest when it is none of them."""
    newest = _own_encryption_key(me)
    named = manifest["recipients"].get(me.profile.party, {}).get("key")
    return next((key for key in me.keystore.replaced_encryption_keys() if key.digest == named), newest)


def _opened(
    me: Participant, view: PurposeView, context: Context, manifest: dict[str, Any], published: PublishedEpoch
) -> EpochKey:
    own = _key_sealed_to(me, manifest)
    secret = open_envelope(own.private, context, me.profile.party, published.envelope, manifest["key_id"])
    valid_from, valid_until = epoch_window(context.epoch, view.epoch_kind)
    key = EpochKey(
        context.purpose,
        context.epoch,
        secret,
        manifest["key_id"],
        manifest["steward"],
        valid_from,
        valid_until,
        published=True,
        escrow_until=escrow_end(view, valid_until),
    )
    me.keystore.keep_epoch_key(key)
    return key


def _own_encryption_key(me: Participant) -> EncryptionKey:
    key = me.keystore.encryption_key()
    if key is None:
        text = "this agency has no encryption key yet; run `sluis-client keys init` first"
        raise ClientError("ENCRYPTION_KEY_MISSING", text, Exit.KEY_TROUBLE)
    return key
