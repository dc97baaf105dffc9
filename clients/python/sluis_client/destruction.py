"""The end of keys: K after its escrow, caches with it, encryption keys that nothing is sealed to any more.

Destroyed means: noted first, then overwritten and unlinked, then said in the log under the agency's signature. A run
that is cut off is ended by the next. A backup that brings a destroyed key back has it destroyed again: what ends when
follows from the epoch and the signed policy, not from what the state directory remembers.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sluis_client.canonical import parse_canonical
from sluis_client.envelopes import escrow_end
from sluis_client.epoch_choice import newest, open_names
from sluis_client.errors import ClientError
from sluis_client.evaluations import destroy_cache
from sluis_client.keystore import EncryptionKey, EpochKey, Keystore
from sluis_client.participant import Participant
from sluis_client.statements import SignedStatement, key_end_statement, parse_utc, utc

CacheDestroyer = Callable[[Keystore, str, str], int]
CACHES: list[CacheDestroyer] = [destroy_cache]
"""What else goes with K: each takes (key store, purpose, epoch), destroys its cache, says how many files that was, and
may be called again. A module that keeps values derived from K adds its own."""


@dataclass(frozen=True)
class Ended:
    """A key that was destroyed here. `purpose`, `epoch`: "" of an encryption key. `index`: of its log entry, None as
    long as the broker does not have it."""

    what: str
    purpose: str
    epoch: str
    key_id: str
    at: str
    caches: int
    index: int | None


def escrow_of(me: Participant, key: EpochKey) -> datetime | None:
    """When a key is to be destroyed: by the policy in force, by the one it was fetched under, or as was set by
    `keep_until`, whichever is latest. None when neither is known."""
    found = [key.escrow_until] if key.escrow_until else []
    if key.purpose in me.policy.purposes():
        found.append(escrow_end(me.purpose(key.purpose), key.valid_until))
    return max(found, default=None)


def keep_until(me: Participant, purpose: str, epoch: str, until: datetime) -> EpochKey:
    """Keeps a key longer than its escrow, as for a legal hold. Never shorter.

    Raises:
        ClientError: EPOCH_UNKNOWN when the key is not kept here.
    """
    key = me.keystore.epoch_key(purpose, epoch)
    if key is None:
        raise ClientError("EPOCH_UNKNOWN", f"the key of {purpose} {epoch} is not kept here")
    known = escrow_of(me, key)
    kept = replace(key, escrow_until=until if known is None else max(known, until))
    me.keystore.keep_epoch_key(kept)
    return kept


def overdue(keystore: Keystore, now: datetime) -> bool:
    """Whether something may have to be destroyed, or to be said in the log: told from the state directory alone."""
    due = (keystore.record("due", name) for name in keystore.record_names("due"))
    late = any(record is not None and parse_utc(record["until"]) <= now for record in due)
    return late or any(one.index is None for one in ended(keystore))


def ended(keystore: Keystore) -> tuple[Ended, ...]:
    """Every key that was destroyed here, oldest first."""
    records = (keystore.record("ended", name) for name in keystore.record_names("ended"))
    return tuple(_ended(record) for record in records if record is not None and record["destroyed"])


def destroy_due(me: Participant) -> tuple[Ended, ...]:
    """Destroys every key whose time has come, and says so in the log; also what an earlier run left unsaid.

    Raises:
        ClientError: as the transport; then what was destroyed stays so, and is said by the next run. RECEIPT_BROKEN,
            LOG_FORKED, LOG_SHRUNK.
    """
    names = [_destroy_epoch(me, key) for key in me.keystore.epoch_keys() if _is_due(me, key)]
    replaced = [own.digest for own in me.keystore.replaced_encryption_keys() if not _is_in_use(me, own)]
    awaited = set(_awaited(me)) if replaced else set()
    names += [_destroy_encryption(me, digest) for digest in replaced if digest not in awaited]
    begun = (name for name in me.keystore.record_names("ended") if name not in names)
    unsaid = [name for name in begun if _is_gone(me, name) and not _is_said(me, name)]
    done = [_say(me, name) for name in (*unsaid, *names)]
    return tuple(done)


def _is_in_use(me: Participant, own: EncryptionKey) -> bool:
    """Whether a replaced statement is of the very key in use, which was only signed anew."""
    newest = me.keystore.encryption_key()
    return newest is not None and hmac.compare_digest(newest.private.reveal(), own.private.reveal())


def _is_due(me: Participant, key: EpochKey) -> bool:
    until = escrow_of(me, key)
    return until is not None and until <= me.now()


def _is_gone(me: Participant, name: str) -> bool:
    """Whether a destruction that was begun came to its end; one that was cut off right behind the key is ended here.

    A key that is still there is never said to be gone: its term may have been raised since, or the clock set back.
    """
    record = me.keystore.record("ended", name)
    if record is None or record["destroyed"]:
        return record is not None
    if record["what"] == "destroyed":
        if me.keystore.epoch_key(record["purpose"], record["epoch"]) is not None:
            return False
        me.keystore.drop_record("due", name)
    elif any(own.digest == record["key_id"] for own in me.keystore.replaced_encryption_keys()):
        return False
    me.keystore.keep_record("ended", name, {**record, "destroyed": True})
    return True


def _is_said(me: Participant, name: str) -> bool:
    record = me.keystore.record("ended", name)
    return record is None or record["index"] is not None


def _destroy_epoch(me: Participant, key: EpochKey) -> str:
    name = f"{key.purpose}.{key.epoch}"
    record = _begin(me, name, "destroyed", key.purpose, key.epoch, key.key_id)
    for used in me.keystore.named_keys():
        if used.endswith(f".{name}"):
            record["caches"] += me.keystore.drop_named_key(used)
    record["caches"] += sum(destroy(me.keystore, key.purpose, key.epoch) for destroy in CACHES)
    me.keystore.destroy_epoch_key(key.purpose, key.epoch)
    me.keystore.drop_record("due", name)
    me.keystore.keep_record("ended", name, {**record, "destroyed": True})
    return name


def _destroy_encryption(me: Participant, digest: str) -> str:
    name = f"encryption-key.{digest}"
    record = _begin(me, name, "encryption-key-destroyed", None, None, digest)
    me.keystore.destroy_replaced_encryption_key(digest)
    me.keystore.keep_record("ended", name, {**record, "destroyed": True})
    return name


def _begin(
    me: Participant, name: str, what: str, purpose: str | None, epoch: str | None, key_id: str
) -> dict[str, Any]:
    """The record of a destruction, on disk before anything is destroyed; the one before when a backup undid it."""
    record = me.keystore.record("ended", name) or {
        "what": what,
        "purpose": purpose,
        "epoch": epoch,
        "key_id": key_id,
        "at": utc(me.now()),
        "caches": 0,
        "destroyed": False,
        "statement": None,
        "signature": None,
        "index": None,
    }
    me.keystore.keep_record("ended", name, record)
    return dict(record)


def _awaited(me: Participant) -> Iterator[str]:
    """Digests of encryption keys of one's own that an envelope still to be opened was sealed to."""
    for purpose in me.policy.purposes():
        view = me.purpose(purpose)
        if me.profile.party not in view.participants:
            continue
        for name in open_names(me, view):
            stored = me.keystore.epoch_key(purpose, name)
            published = None if stored is not None and stored.published else newest(me, view, name)
            if published is not None:
                recipients = parse_canonical(published[1].manifest.statement).get("recipients", {})
                yield recipients.get(me.profile.party, {}).get("key", "")


def _say(me: Participant, name: str) -> Ended:
    """Has the end of a key logged, with the same bytes at every try."""
    record = me.keystore.record("ended", name)
    assert record is not None
    if record["statement"] is None:
        reason = "renewed" if record["what"] == "encryption-key-destroyed" else "escrow-over"
        said = {name: record[name] for name in ("purpose", "epoch", "key_id", "what", "caches")}
        signed = me.sign(
            key_end_statement(
                origin=me.profile.origin,
                environment=me.profile.environment,
                party=me.profile.party,
                reason=reason,
                ended_at=me.now(),
                **said,
            )
        )
        record |= {"statement": signed.statement.decode(), "signature": signed.signature.hex()}
        me.keystore.keep_record("ended", name, record)
    receipt = me.transport.end_key(
        SignedStatement(str(record["statement"]).encode(), bytes.fromhex(str(record["signature"])))
    )
    # after a backup was put back the log may have this end already, in the words of the first time
    body = me.own_entry(receipt, "key", {"action": "end", "party": me.profile.party})
    if any(body["statement"].get(member) != record[member] for member in ("purpose", "epoch", "key_id", "what")):
        raise ClientError("RECEIPT_BROKEN", "the receipt is of the end of another key; tell the broker's operator")
    record["index"] = receipt.index
    me.keystore.keep_record("ended", name, record)
    return _ended(record)


def _ended(record: Mapping[str, Any]) -> Ended:
    return Ended(
        record["what"],
        record["purpose"] or "",
        record["epoch"] or "",
        record["key_id"],
        record["at"],
        record["caches"],
        record["index"],
    )
