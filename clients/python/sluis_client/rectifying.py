"""To correct records one published, to dispute hits one was given, to report what a person found (docs/formats.md,
Rectification).

Each statement is kept before it is sent and dropped when it is logged: cut off, the same command sends the same bytes
again, and the broker does it once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluis_client.canonical import canonical_json, commitment, tokens_value
from sluis_client.errors import ClientError, Exit
from sluis_client.headers import named_column
from sluis_client.making import maker_of_kept
from sluis_client.notice_transport import Corrected
from sluis_client.notices import Notice, rows_of_notice
from sluis_client.participant import Participant
from sluis_client.profile import Profile
from sluis_client.pseudonymise import Column, Fields
from sluis_client.reading import read_table
from sluis_client.receipt_file import Expected, verify_file
from sluis_client.receipts import receipt_broken
from sluis_client.rectification_statements import correction_statement, dispute_statement, outcome_statement
from sluis_client.register_table import keys_used, scheme_named
from sluis_client.sending import once
from sluis_client.transport import Opening, Receipt


@dataclass(frozen=True)
class Plan:
    """What is to be said of records. `epoch` "": every epoch whose key is kept here."""

    purpose: str
    scheme: str
    what: str
    reason: str
    epoch: str = ""
    dispute: str = ""


@dataclass(frozen=True)
class RowCorrected:
    """What a correction of one row of a file came to, under one epoch. `row`: its line; 0 for a disputed record."""

    row: int
    epoch: str
    done: Corrected


@dataclass(frozen=True)
class Hit:
    """A hit in an answer file: its line in the source, and where it stands in which exchange."""

    row: int
    answerer: str
    status: str
    exchange: str
    position: int


def correct(me: Participant, plan: Plan, rows: Sequence[tuple[int, tuple[Fields | None, ...]]]) -> list[RowCorrected]:
    """Corrects records, given as (line, match keys), under every epoch whose key is kept.

    Raises:
        ClientError: EPOCH_UNKNOWN when no key is kept, SCHEME_UNKNOWN; as the transport; RECEIPT_BROKEN, LOG_FORKED.
    """
    scheme = scheme_named(plan.scheme)
    keys = [
        key
        for key in me.keystore.epoch_keys()
        if key.purpose == plan.purpose and key.published and plan.epoch in ("", key.epoch)
    ]
    if not keys:
        text = f"no key of {plan.purpose} for that epoch is kept here; run `sluis-client keys fetch`"
        raise ClientError("EPOCH_UNKNOWN", text, Exit.KEY_TROUBLE)
    done = []
    used = keys_used(me, plan.purpose, scheme)
    for key in keys:
        maker = maker_of_kept(me, key, scheme.scheme_id)
        for row, fields in rows:
            try:
                columns = maker.columns([fields[:used]], used)
            except ClientError as error:
                if error.code == "NOT_EVALUATED":  # no register of that epoch can hold it
                    continue
                raise
            done.append(RowCorrected(row, key.epoch, correct_record(me, plan, key.epoch, columns)))
    return done


def answer_dispute(me: Participant, notice: Notice, what: str, reason: str) -> Corrected:
    """Answers a dispute about the record that its notice opens. Raises as `correct`, PERIOD_ERASED."""
    plan = Plan(notice.purpose, notice.scheme, what, reason, notice.epoch, notice.notice)
    return correct_record(me, plan, notice.epoch, rows_of_notice(notice))


def correct_record(me: Participant, plan: Plan, epoch: str, columns: tuple[Column, ...]) -> Corrected:
    """One statement about the one row of `columns`."""
    value = tokens_value(columns)

    def build(request_id: str, salt: bytes) -> dict[str, Any]:
        return correction_statement(
            **_head(me, request_id),
            answerer=me.profile.party,
            purpose=plan.purpose,
            epoch=epoch,
            scheme=plan.scheme,
            match_keys=len(columns),
            record=commitment("record", salt, value),
            what=plan.what,
            reason=plan.reason,
            dispute=plan.dispute or None,
        )

    described = canonical_json([plan.purpose, plan.scheme, plan.what, plan.reason, epoch, plan.dispute])
    done = once(
        me, [b"correction", described, value], build, lambda signed, salt: me.transport.correct(signed, salt, columns)
    )
    me.own_entry(done.receipt, "correction", {"answerer": me.profile.party, "purpose": plan.purpose, "epoch": epoch})
    return done


def dispute(me: Participant, hit: Hit, reason: str) -> tuple[str, Receipt]:
    """Disputes a hit: its answerer learns which record it was, and later answers mark it."""
    value = str(hit.position).encode()

    def build(request_id: str, salt: bytes) -> dict[str, Any]:
        return dispute_statement(**_head(me, request_id), **_about(me, hit, salt, value), reason=reason)

    parts = [b"dispute", canonical_json([hit.exchange, hit.answerer, reason]), value]
    notice, receipt = once(me, parts, build, lambda signed, salt: me.transport.dispute(signed, Opening(salt, value)))
    expected = {"what": "dispute-notice", "notice": notice, "exchange": hit.exchange, "answerer": hit.answerer}
    me.own_entry(receipt, "notice", expected)
    return notice, receipt


def report_outcome(me: Participant, hit: Hit, outcome: str, role: str) -> Receipt:
    """Reports what a person found who compared a hit."""
    value = str(hit.position).encode()

    def build(request_id: str, salt: bytes) -> dict[str, Any]:
        return outcome_statement(**_head(me, request_id), **_about(me, hit, salt, value), outcome=outcome, role=role)

    parts = [b"outcome", canonical_json([hit.exchange, hit.answerer, outcome, role]), value]
    receipt = once(me, parts, build, lambda signed, salt: me.transport.report_outcome(signed, Opening(salt, value)))
    body = me.own_entry(receipt, "outcome", {"exchange": hit.exchange, "answerer": hit.answerer})
    if body["statement"].get("outcome") != outcome:
        raise receipt_broken("it proves another outcome")
    return receipt


def hits_in(answers: Path, rows: Sequence[int], answerer: str, profile: Profile) -> list[Hit]:
    """The hits of some lines in an answer file as `match` wrote it; its receipts file lies beside it.

    Raises:
        ClientError: FILE_UNREADABLE, COLUMN_MISSING, ROW_UNKNOWN when a line holds no hit (or several answerers').
    """
    receipts = answers.with_name(answers.name + ".receipts.json")
    try:
        data = receipts.read_bytes()
    except OSError as error:
        text = f"cannot read {receipts}: {error.strerror}; `match` writes it beside the answers"
        raise ClientError("FILE_UNREADABLE", text) from None
    verify_file(data, Expected(profile.log_keys, profile.party))
    value = json.loads(data)
    if "question" not in value:
        raise ClientError("FILE_UNREADABLE", f"{receipts} holds no question: it is not the file of an asker")
    exchange = json.loads(value["question"]["statement"])["request_id"]
    found = list(_hits(answers, exchange))
    chosen: list[Hit] = []
    for row in rows:
        mine = {
            (hit.answerer, hit.position): hit
            for hit in found
            if hit.row == row and answerer in ("", hit.answerer) and hit.status in ("hit", "ambiguous")
        }
        if len(mine) != 1:
            why = "holds hits of several answerers: name one with --answerer" if mine else "holds no hit"
            raise ClientError("ROW_UNKNOWN", f"row {row} of {answers} {why}")
        chosen += mine.values()
    return chosen


def _hits(answers: Path, exchange: str) -> Iterator[Hit]:
    table = read_table(answers)
    places = [named_column(table.header, name, name) for name in ("row", "answerer", "status", "position")]
    for cells in table.rows:
        row, answerer, status, position = (cells[place].strip() for place in places)
        if row.isdecimal() and position.isdecimal():
            yield Hit(int(row), answerer, status, exchange, int(position))


def _head(me: Participant, request_id: str) -> dict[str, Any]:
    return {
        "origin": me.profile.origin,
        "environment": me.profile.environment,
        "request_id": request_id,
        "now": me.now(),
    }


def _about(me: Participant, hit: Hit, salt: bytes, value: bytes) -> dict[str, Any]:
    return {
        "asker": me.profile.party,
        "answerer": hit.answerer,
        "exchange": hit.exchange,
        "position": commitment("position", salt, value),
    }
