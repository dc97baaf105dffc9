"""Publishing a register: an agency's table becomes sealed rows, uploaded resumably and put in force at once.

A killed publication goes on when the same command is given again, with the very same bytes: the random numbers of each
run come from a seed kept in the state directory, bound to the contents, so that other contents never meet the same
random numbers. Rows leave in a random order: their order in the file stays at home.
"""

from __future__ import annotations

import json
import secrets
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from sluis_client.canonical import canonical_json, parse_canonical
from sluis_client.custody import epoch_key
from sluis_client.epoch_choice import open_names, with_newest_key
from sluis_client.epochs import calendar_of, epoch_window, open_epochs, overlap_end
from sluis_client.errors import ClientError, Exit
from sluis_client.foresight import demand_newest_key
from sluis_client.keystore import EpochKey
from sluis_client.making import maker_of
from sluis_client.participant import Participant
from sluis_client.pseudonymise import MODE_OBLIVIOUS, Column, Context
from sluis_client.register_digest import RegisterDigest
from sluis_client.register_table import Plan, Prepared, prepare, pseudonym_columns
from sluis_client.seal import Field, RowSealer
from sluis_client.sealed_runs import SealedRuns, row_bytes, run_entropy
from sluis_client.statements import SignedStatement, parse_utc, register_manifest, utc
from sluis_client.transport import (
    Progress,
    Receipt,
    silent,
)
from sluis_client.upload import NewUpload, Register, RegisterRun, Upload, rows_per_message

__all__ = ["Plan", "Prepared", "Published", "prepare", "publish"]

_TRIES = 6
_FORMAT = "sluis-client/upload/1"


@dataclass(frozen=True)
class Published:
    """A register that is in force, with the receipt of its entry."""

    register: Register
    receipt: Receipt
    resumed_rows: int
    """Rows that an earlier run of the same command had uploaded already."""


def publish(
    me: Participant,
    plan: Plan,
    prepared: Prepared,
    *,
    progress: Progress = silent,
    sleep: Callable[[float], None] = time.sleep,
) -> Published:
    """Seals, uploads and puts in force; goes on where an earlier run with the same contents was cut off.

    Raises:
        ClientError: as `custody.epoch_key`, the transport, RECEIPT_BROKEN, LOG_FORKED, LOG_SHRUNK. With exit code 7
            the same call again goes on; the register in force is untouched until the last step.
    """
    work = partial(_publish, me, plan, prepared, progress, sleep)
    return with_newest_key(me, plan.purpose, plan.epoch, work)


def publish_open(
    me: Participant,
    plan: Plan,
    prepared: Prepared,
    *,
    progress: Progress = silent,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[Published, ...]:
    """As `publish`, under every epoch that is open or has its key made ahead; the one in force first.

    With `plan.epoch` under that one only. A day of expiry beyond an epoch's end is cut to it in all but the first.
    In mode `oblivious` not ahead: key services evaluate nothing for an epoch that has not begun.

    Raises:
        ClientError: as `publish`. What was put in force before stays; the same call again goes on.
    """
    if plan.epoch:
        return (publish(me, plan, prepared, progress=progress, sleep=sleep),)
    done = []
    view, names = prepared.view, open_names(me, prepared.view)
    if view.mode == MODE_OBLIVIOUS:
        begun = open_epochs(view.epoch_kind, view.overlap_days, me.now())
        names = tuple(name for name in names if calendar_of(name) in begun)
    for number, name in enumerate(names):
        _, ends = epoch_window(name, prepared.view.epoch_kind)
        last = overlap_end(ends, prepared.view.overlap_days)
        kept = plan.expires_at if number == 0 or plan.expires_at is None or plan.expires_at <= last else None
        of_epoch = plan if number == 0 else replace(plan, epoch=name, expires_at=kept)
        done.append(publish(me, of_epoch, prepared, progress=progress, sleep=sleep))
    return tuple(done)


def _publish(
    me: Participant, plan: Plan, prepared: Prepared, progress: Progress, sleep: Callable[[float], None]
) -> Published:
    context, key = epoch_key(me, prepared.view, plan.epoch)
    scheme = prepared.scheme
    before = partial(demand_newest_key, me, context)
    pseudonymiser = maker_of(me, prepared.view, context, key.key, scheme.scheme_id, progress=progress, before=before)
    columns = pseudonym_columns(pseudonymiser, scheme, prepared.keys, None)
    fingerprint = _fingerprint(me, plan, prepared, context, columns)
    name = fingerprint[:40]
    record = me.keystore.record("uploads", name) or _new_record(plan, prepared, key)
    me.keystore.keep_record("uploads", name, record)
    try:
        upload = me.transport.begin(_begin(prepared, context, key, record["request_id"]))
        _check_upload(me, prepared, context, upload, record)
        record["version"] = upload.version
        me.keystore.keep_record("uploads", name, record)
        seed, bound = bytes.fromhex(record["seed"]), (upload.upload, str(upload.version), fingerprint)
        fields = [Field(attribute.name, attribute.width) for attribute in prepared.attributes]
        runs = SealedRuns(
            prepared,
            columns,
            pseudonymiser,
            lambda entropy: RowSealer(context, upload.register, upload.version, fields, entropy),
            lambda use: run_entropy(seed, *bound, use),
            record["run_rows"],
        )
        job = _Job(me, prepared, context, key, upload, parse_utc(record["expires_at"]), runs)
        if "manifest" not in record:
            record["manifest"] = _signed_json(job.upload_all(plan, progress, sleep))
            me.keystore.keep_record("uploads", name, record)
        register, receipt = me.transport.seal(upload.upload, _signed(record["manifest"]))
    except ClientError as error:
        if error.exit_code in (Exit.BROKER_REFUSED, Exit.POLICY_DENIED):
            # the next run begins anew; what was refused would be refused again
            me.keystore.drop_record("uploads", name)
        raise
    statement = parse_canonical(_signed(record["manifest"]).statement)
    expected = {
        "action": "published",
        "party": me.profile.party,
        "register": upload.register,
        "version": upload.version,
        "statement": statement,
    }
    me.own_entry(receipt, "register", expected)
    me.keystore.drop_record("uploads", name)
    return Published(register, receipt, min(upload.committed_rows, len(prepared.keys)))


def _begin(prepared: Prepared, context: Context, key: EpochKey, request_id: str) -> NewUpload:
    return NewUpload(
        request_id=request_id,
        purpose=context.purpose,
        epoch=context.epoch,
        key_id=key.key_id,
        scheme=prepared.scheme.name,
        match_keys=prepared.scheme.match_keys,
        attributes=tuple(attribute.name for attribute in prepared.attributes),
    )


def _check_upload(
    me: Participant, prepared: Prepared, context: Context, upload: Upload, record: Mapping[str, Any]
) -> None:
    name = f"{me.profile.party}/{context.purpose}/{context.epoch}/{prepared.scheme.name}"
    whole = upload.committed_rows % record["run_rows"] == 0 or upload.committed_rows == len(prepared.keys)
    same = record.get("version", upload.version) == upload.version
    if upload.register != name or upload.committed_rows > len(prepared.keys) or not whole or not same:
        text = "the broker's upload is not the one that this command began; tell its operator"
        raise ClientError("ANSWER_BROKEN", text, Exit.VERIFICATION_FAILED)


class _Job:
    """One upload under way."""

    def __init__(
        self,
        me: Participant,
        prepared: Prepared,
        context: Context,
        key: EpochKey,
        upload: Upload,
        expires_at: datetime,
        runs: SealedRuns,
    ) -> None:
        self._me = me
        self._prepared = prepared
        self._context = context
        self._key = key
        self._upload = upload
        self._expires_at = expires_at
        self._runs = runs
        self._digest = RegisterDigest(prepared.scheme.match_keys, len(prepared.attributes))

    def upload_all(self, plan: Plan, progress: Progress, sleep: Callable[[float], None]) -> SignedStatement:
        """Uploads what the broker does not have yet; returns the signed manifest."""
        committed, tries = self._upload.committed_rows, 0
        total = len(self._prepared.keys)
        while committed < total:
            try:
                committed = self._me.transport.upload_rows(self._upload.upload, self._from(committed, progress))
            except ClientError as error:
                if error.exit_code is not Exit.BROKER_UNREACHABLE and error.code != "OFFSET_WRONG":
                    raise
                tries += 1
                if tries >= _TRIES:
                    raise
                sleep(min(0.25 * 2**tries, 5.0))
                reached = self._me.transport.upload(self._upload.upload).committed_rows
                tries = 0 if reached > committed else tries
                committed = reached
        for _ in self._from(total, progress):
            raise AssertionError("nothing is left to send")
        return self._manifest(plan)

    def _from(self, committed: int, progress: Progress) -> Iterator[RegisterRun]:
        """The runs behind `committed` rows; all runs pass the digest once, sent or not."""
        total = len(self._prepared.keys)
        for number in range(self._runs.count):
            start = number * self._runs.run_rows
            done = min(start + self._runs.run_rows, total)
            if done <= committed and done <= self._digest.rows:
                continue
            run = self._runs.run(number)
            if start == self._digest.rows:
                self._digest.feed(run.columns, run.wraps, run.commitments, run.fields)
            if done > committed:
                yield run
            progress("publishing", done, total)

    def _manifest(self, plan: Plan) -> SignedStatement:
        prepared, context = self._prepared, self._context
        manifest = register_manifest(
            origin=context.origin,
            environment=context.environment,
            answerer=self._me.profile.party,
            purpose=context.purpose,
            epoch=context.epoch,
            key_id=self._key.key_id,
            scheme=prepared.scheme.name,
            match_keys=prepared.scheme.match_keys,
            version=self._upload.version,
            rows=len(prepared.keys),
            digest=self._digest.hexdigest(),
            attributes=[attribute.name for attribute in prepared.attributes],
            as_of=plan.as_of,
            coverage=plan.coverage,
            expires_at=self._expires_at,
            rules=plan.rules,
        )
        return self._me.sign(manifest)


def _new_record(plan: Plan, prepared: Prepared, key: EpochKey) -> dict[str, Any]:
    last = overlap_end(key.valid_until, prepared.view.overlap_days)
    if plan.expires_at is not None and plan.expires_at > last:
        text = (
            f"--expires lies behind the end of epoch {key.epoch}, after which nobody can ask; leave it out or earlier"
        )
        raise ClientError("EXPIRES_INVALID", text)
    return {
        "format": _FORMAT,
        "request_id": str(uuid.uuid4()),
        "seed": secrets.token_hex(32),
        "run_rows": rows_per_message(row_bytes(prepared.scheme.match_keys, prepared.attributes)),
        "expires_at": utc(plan.expires_at or last),
    }


def _fingerprint(me: Participant, plan: Plan, prepared: Prepared, context: Context, columns: tuple[Column, ...]) -> str:
    """Names this publication by all that its sealed bytes depend on: other contents never meet the same random numbers.

    A field key seals one value once (docs/pseudonym-spec.md section 5), so this is what a resumed upload stands on.
    """
    described = {
        "format": _FORMAT,
        "context": list(context.parts()),
        "scheme": prepared.scheme.scheme_id,
        "attributes": [[attribute.name, attribute.width] for attribute in prepared.attributes],
        "as_of": utc(plan.as_of),
        "coverage": plan.coverage,
        "expires_at": utc(plan.expires_at) if plan.expires_at else None,
        "rules": dict(plan.rules),
    }
    tokens = (part for column in columns for part in (column.presence, column.pseudonyms))
    values = json.dumps(prepared.values, ensure_ascii=True).encode()
    return me.keystore.fingerprint(b"upload", canonical_json(described), values, *tokens)


def _signed_json(signed: SignedStatement) -> dict[str, str]:
    return {"statement": signed.statement.decode(), "signature": signed.signature.hex()}


def _signed(value: Mapping[str, str]) -> SignedStatement:
    return SignedStatement(value["statement"].encode(), bytes.fromhex(value["signature"]))
