"""Asking: a table becomes a signed question, which is kept before it is put, so that putting it again is the same one.

A question costs budget once, by its request id. What the broker may have done before a connection broke is therefore
never asked anew by accident: the same command finds the unfinished question in the state directory and repeats it.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from sluis_client.answer_rows import Posed
from sluis_client.answers import CheckedAnswer, check_answers
from sluis_client.canonical import SALT_BYTES, canonical_json, commitment, tokens_value
from sluis_client.caution import refuse_person_numbers
from sluis_client.epoch_choice import Chosen, choose, with_newest_key
from sluis_client.epochs import open_epochs
from sluis_client.errors import ClientError, Exit
from sluis_client.foresight import demand_foreseeable, demand_newest_key, demand_permitted
from sluis_client.making import maker_of
from sluis_client.participant import Participant
from sluis_client.policy import PurposeView
from sluis_client.pseudonymise import Column, Context, Maker
from sluis_client.register_table import allowed_keys, keys_used, pseudonym_columns, scheme_named
from sluis_client.schemes import Scheme
from sluis_client.session_pseudonyms import session_columns
from sluis_client.statements import SignedStatement, ask_statement, parse_utc
from sluis_client.tables import NormalisedTable
from sluis_client.transport import Answer, Decision, DryRun, Opening, Progress, Question, Want, silent

_VALID = timedelta(minutes=9)
"""The broker takes at most 10 minutes ahead of its own clock."""
_KEPT = timedelta(hours=24)
"""As long as the broker keeps an answer."""
_REFUSED_UNHEARD = frozenset(
    {"NOT_YOURS", "SIGNATURE_WRONG", "STATEMENT_INVALID", "COMMITMENT_WRONG", "KEY_ID_WRONG", "EPOCH_UNKNOWN"}
    | {"EPOCH_RETIRED"}
    | {"LOOKS_LIKE_IDENTIFIERS", "COUNT_WRONG", "LENGTH_WRONG", "TOO_LARGE", "TOO_MANY_ASKS"}
)
"""Refusals that the same bytes will meet again: keeping the question for a repeat would only repeat them."""


@dataclass(frozen=True)
class Plan:
    """What is to be asked, but for the rows. Raises REFERENCE_REFUSED for a case number that could be a person's."""

    purpose: str
    scheme: str
    answerers: tuple[str, ...]
    want: Want
    epoch: str = ""
    case_number: str = field(default="", repr=False)
    cooperation_ref: str = field(default="", repr=False)
    on_behalf_of: str = ""
    standing: str = ""
    """Request id of the first question, where this is that one put again; then `epoch` is that one's."""

    def __post_init__(self) -> None:
        refuse_person_numbers(self.case_number, "--case-number")
        refuse_person_numbers(self.cooperation_ref, "--cooperation-ref")


@dataclass(frozen=True)
class Asked:
    """Checked answers, in the order of the answerers' names. `repeated`: this question had been put before."""

    request_id: str
    posed: Posed
    answers: tuple[CheckedAnswer, ...]
    repeated: bool
    note: str = ""
    """What the user must be told of the epoch it was asked under; usually nothing."""


@dataclass(frozen=True, repr=False)
class _Made:
    """The rows of a question as pseudonyms under one epoch, and the name of its contents."""

    chosen: Chosen
    pseudonymiser: Maker
    columns: tuple[Column, ...]
    fingerprint: str


def dry_run(me: Participant, plan: Plan, subjects: int) -> tuple[tuple[str, Decision], ...]:
    """What the ask gate would say, for each answerer. Raises as the transport, SCHEME_UNKNOWN."""
    scheme = scheme_named(plan.scheme)
    described = DryRun(
        purpose=plan.purpose,
        answerers=tuple(sorted(set(plan.answerers))),
        scheme=scheme.name,
        match_keys=keys_used(me, plan.purpose, scheme),
        want=plan.want,
        subjects=subjects,
        epoch=plan.epoch,
        principal=plan.on_behalf_of,
        case_number=plan.case_number,
        cooperation_ref=plan.cooperation_ref,
    )
    return me.transport.dry_run(described)


def ask(
    me: Participant,
    plan: Plan,
    table: NormalisedTable,
    *,
    request_id: str = "",
    anew: bool = False,
    keep_open: bool = False,
    progress: Progress = silent,
) -> Asked:
    """Puts a question and checks every answer; nothing unchecked is returned.

    `request_id` repeats (or names) that question; `anew` asks a new one even where an unfinished one is known.
    `keep_open` leaves the question unfinished until `finish` is called, so that whoever is cut off before the answers
    are stored repeats it.

    Raises:
        ClientError: PURPOSE_UNKNOWN, PARTY_UNKNOWN, SCHEME_UNKNOWN, NOTHING_TO_ASK, REQUEST_ID_REUSED, ANSWER_GONE;
            WOULD_BE_DENIED in mode `oblivious`, before anything is evaluated; as `custody.epoch_key`, the transport
            and `answers.check_answers`.
    """
    if not table.keys:
        why = "no row of the file can be used; see the problems listed" if table.problems else "the file holds no rows"
        raise ClientError("NOTHING_TO_ASK", why)
    work = partial(_ask, me, plan, table, request_id=request_id, anew=anew, progress=progress)
    asked = with_newest_key(me, plan.purpose, plan.epoch, work)
    if not keep_open:
        finish(me, asked)
    return asked


def _ask(
    me: Participant, plan: Plan, table: NormalisedTable, *, request_id: str, anew: bool, progress: Progress
) -> Asked:
    scheme = scheme_named(plan.scheme)
    view = me.purpose(plan.purpose)
    me.policy.demand_parties(plan.answerers)
    made, found = None, None
    if not anew:
        made, found = _begun(me, plan, view, scheme, table, request_id)
    if made is None:
        chosen = choose(me, view, sorted(set(plan.answerers)), scheme.name, plan.epoch)
        made = _made(me, plan, view, chosen, scheme, table, progress)
        found = None if anew else _unfinished(me, made.fingerprint, request_id)
    context, pseudonymiser = made.chosen.context, made.pseudonymiser
    repeated = found is not None
    record = found or _new_record(me, plan, made, request_id)
    columns = _bound(me, plan, made, record["request_id"])
    try:
        answers = _put(me, record, columns, progress)
    except ClientError as error:
        if error.code in _REFUSED_UNHEARD:
            with suppress(ClientError):  # when even that cannot be asked, the refusal is what the user must read
                if not _was_logged(me, record):  # then the next try is a new question
                    me.keystore.drop_record("exchanges", record["request_id"])
        if error.code != "STATEMENT_EXPIRED" or not repeated or _was_logged(me, record):
            raise _explained(error, record) from None
        # the broker never saw it: a fresh one costs nothing twice
        me.keystore.drop_record("exchanges", record["request_id"])
        repeated = False
        record = _new_record(me, plan, made, request_id)
        columns = _bound(me, plan, made, record["request_id"])
        answers = _put(me, record, columns, progress)
    posed = Posed(view, context, scheme, pseudonymiser, table.keys, columns, _question(record, columns).signed)
    checked = check_answers(me, posed, answers, progress)
    return Asked(record["request_id"], posed, checked, repeated, made.chosen.note)


def _made(
    me: Participant,
    plan: Plan,
    view: PurposeView,
    chosen: Chosen,
    scheme: Scheme,
    table: NormalisedTable,
    progress: Progress = silent,
    *,
    known_only: bool = False,
) -> _Made:
    context, key = chosen.context, chosen.key.key
    before = partial(_demand_foreseeable, me, view, plan, context, len(table.keys))
    pseudonymiser = maker_of(
        me, view, context, key, scheme.scheme_id, progress=progress, known_only=known_only, before=before
    )
    columns = pseudonym_columns(pseudonymiser, scheme, table.keys, table.fast_block, allowed_keys(view, scheme))
    return _Made(chosen, pseudonymiser, columns, _fingerprint(me, plan, chosen, columns))


def _demand_foreseeable(me: Participant, view: PurposeView, plan: Plan, context: Context, subjects: int) -> None:
    case, ref = bool(plan.case_number), bool(plan.cooperation_ref)
    demand_foreseeable(view, plan.scheme, plan.want, subjects, case=case, ref=ref)
    demand_newest_key(me, context)
    if not plan.standing:  # a dry run knows no question that stands
        demand_permitted(view.name, dry_run(me, plan, subjects))


def _bound(me: Participant, plan: Plan, made: _Made, request_id: str) -> tuple[Column, ...]:
    """The columns that leave: as they are, or bound to this one question where its answerer answers live."""
    if not set(plan.answerers) & set(me.purpose(plan.purpose).answers_live):
        return made.columns
    return session_columns(made.chosen.key.key, made.chosen.context, me.profile.party, request_id, made.columns)


def _begun(
    me: Participant, plan: Plan, view: PurposeView, scheme: Scheme, table: NormalisedTable, request_id: str
) -> tuple[_Made | None, dict[str, Any] | None]:
    """An unfinished question with these contents under any epoch that is open: around the turn it is repeated under the
    one it was begun in, whoever has published meanwhile."""
    names = open_epochs(view.epoch_kind, view.overlap_days, me.now())
    if plan.epoch or len(names) == 1:
        return None, None
    for name in names:
        context = me.context(view, me.newest_kept(view.name, name))
        key = me.keystore.epoch_key(view.name, context.epoch)
        if key is not None and key.published:
            try:  # what was begun was evaluated; to look for it costs nothing
                made = _made(me, plan, view, Chosen(context, key), scheme, table, known_only=True)
            except ClientError as error:
                if error.code not in ("NOT_EVALUATED", "SERVICE_KEYS_MISSING"):
                    raise
                continue
            found = None if request_id else _unfinished(me, made.fingerprint, "")
            if found is not None:
                return made, found
    return None, None


def finish(me: Participant, asked: Asked) -> None:
    """Marks a question as done with: the same one asked later is a new one. Idempotent."""
    record = me.keystore.record("exchanges", asked.request_id)
    if record is not None and not record["done"]:
        me.keystore.keep_record("exchanges", asked.request_id, {**record, "done": True})
    _forget_old(me)


def _put(
    me: Participant, record: Mapping[str, Any], columns: tuple[Column, ...], progress: Progress
) -> tuple[Answer, ...]:
    return me.transport.match(_question(record, columns), progress)


def _unfinished(me: Participant, fingerprint: str, request_id: str) -> dict[str, Any] | None:
    """The question of that id, or the newest unfinished one with the same contents."""
    if request_id:
        record = me.keystore.record("exchanges", request_id)
        if record is not None and record["fingerprint"] != fingerprint:
            text = f"{request_id} was another question (other rows, key or options); leave out --request-id to ask anew"
            raise ClientError("REQUEST_ID_REUSED", text)
        return record
    for name in reversed(me.keystore.record_names("exchanges")):
        record = me.keystore.record("exchanges", name)
        if record is not None and not record["done"] and record["fingerprint"] == fingerprint:
            return record
    return None


def _new_record(
    me: Participant,
    plan: Plan,
    made: _Made,
    request_id: str,
) -> dict[str, Any]:
    """A signed question, on disk before it is put."""
    context = made.chosen.context
    request_id = request_id or str(uuid.uuid4())
    columns = _bound(me, plan, made, request_id)
    salt = os.urandom(SALT_BYTES)
    case_number = _opening(plan.case_number)
    cooperation_ref = _opening(plan.cooperation_ref)
    statement = ask_statement(
        origin=context.origin,
        environment=context.environment,
        request_id=request_id,
        asker=me.profile.party,
        principal=plan.on_behalf_of or None,
        answerers=plan.answerers,
        purpose=context.purpose,
        epoch=context.epoch,
        key_id=made.chosen.key.key_id,
        scheme=plan.scheme,
        match_keys=len(columns),
        hit=plan.want.hit,
        count=plan.want.count,
        attributes=plan.want.attributes,
        subjects=columns[0].rows,
        tokens=commitment("tokens", salt, tokens_value(columns)),
        case_number=_committed("case-number", case_number),
        cooperation_ref=_committed("cooperation-ref", cooperation_ref),
        not_after=me.now() + _VALID,
        standing=plan.standing,
    )
    signed = me.sign(statement)
    record = {
        "request_id": request_id,
        "fingerprint": made.fingerprint,
        "purpose": plan.purpose,
        "asked_at": me.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        "statement": signed.statement.decode(),
        "signature": signed.signature.hex(),
        "tokens_salt": salt.hex(),
        "case_number": _opening_json(case_number),
        "cooperation_ref": _opening_json(cooperation_ref),
        "done": False,
    }
    me.keystore.keep_record("exchanges", request_id, record)
    return record


def _question(record: Mapping[str, Any], columns: tuple[Column, ...]) -> Question:
    return Question(
        signed=SignedStatement(record["statement"].encode(), bytes.fromhex(record["signature"])),
        tokens_salt=bytes.fromhex(record["tokens_salt"]),
        columns=columns,
        case_number=_opening_of(record["case_number"]),
        cooperation_ref=_opening_of(record["cooperation_ref"]),
    )


def _fingerprint(me: Participant, plan: Plan, chosen: Chosen, columns: tuple[Column, ...]) -> str:
    described = {
        "party": me.profile.party,
        "context": list(chosen.context.parts()),
        "key_id": chosen.key.key_id,
        "scheme": plan.scheme,
        "answerers": sorted(set(plan.answerers)),
        "want": [plan.want.hit, plan.want.count, *sorted(set(plan.want.attributes))],
        "case_number": plan.case_number,
        "cooperation_ref": plan.cooperation_ref,
        "on_behalf_of": plan.on_behalf_of,
        **({"standing": plan.standing} if plan.standing else {}),
    }
    return me.keystore.fingerprint(b"question", canonical_json(described), tokens_value(columns))


def _was_logged(me: Participant, record: Mapping[str, Any]) -> bool:
    try:
        me.transport.exchange(record["request_id"])
    except ClientError as error:
        if error.code == "NOT_FOUND":
            return False
        raise
    return True


def _explained(error: ClientError, record: Mapping[str, Any]) -> ClientError:
    """What to do next, where the broker cannot know it."""
    if error.code == "STATEMENT_EXPIRED":
        text = (
            f"question {record['request_id']} stands in the log, but its signature is too old to be put again; "
            "its receipts can be fetched; ask anew with --new (this costs budget again)"
        )
        return ClientError("ANSWER_GONE", text, Exit.BROKER_REFUSED)
    if error.exit_code is Exit.BROKER_UNREACHABLE:
        text = f"{error.message} (question {record['request_id']} is kept)"
        return ClientError(error.code, text, error.exit_code)
    return error


def _forget_old(me: Participant) -> None:
    """Drops finished questions that cannot be repeated any more."""
    for name in me.keystore.record_names("exchanges"):
        record = me.keystore.record("exchanges", name)
        if record is None or me.now() - parse_utc(record["asked_at"]) < _KEPT:
            break
        me.keystore.drop_record("exchanges", name)


def kept_questions(me: Participant) -> tuple[Mapping[str, Any], ...]:
    """Questions in the state directory, oldest first: request id, purpose, asked_at, done."""
    found = []
    for name in me.keystore.record_names("exchanges"):
        record = me.keystore.record("exchanges", name)
        if record is not None:
            found.append({key: record[key] for key in ("request_id", "purpose", "asked_at", "done")})
    return tuple(found)


def _opening(text: str) -> Opening | None:
    return Opening(os.urandom(SALT_BYTES), text.encode()) if text else None


def _committed(label: str, opening: Opening | None) -> str | None:
    return None if opening is None else commitment(label, opening.salt, opening.value)


def _opening_json(opening: Opening | None) -> dict[str, str] | None:
    return None if opening is None else {"salt": opening.salt.hex(), "value": opening.value.hex()}


def _opening_of(value: Mapping[str, str] | None) -> Opening | None:
    return None if value is None else Opening(bytes.fromhex(value["salt"]), bytes.fromhex(value["value"]))
