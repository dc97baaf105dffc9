"""Between wire messages and nouns. Every field is checked here; what comes out needs no second look.

Texts of refusals name the field and what to change, never the field's value.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from google.protobuf.timestamp_pb2 import Timestamp
from sluis.v1 import common_pb2, exchange_pb2, register_pb2

from broker.canonical import commitment
from broker.coordinator import Answer
from broker.errors import Code, SluisError, field_error
from broker.exchange import (
    COMMITMENT_BYTES,
    PSEUDONYM_BYTES,
    WRAP_BYTES,
    AnswerRows,
    AnswerStatus,
    AskStatement,
    Marks,
    PseudonymColumn,
    Question,
    Receipt,
    RegisterChunk,
    RegisterVersion,
    UploadSpec,
)
from broker.matching.guard import check_pseudonyms
from broker.matching.release import tokens_value
from broker.parties import NAME
from broker.policy.document import PolicySet
from broker.policy.evaluate import CheckResult, Decision
from broker.questions import Opened
from broker.statements import MAX_SIGNATURE_BYTES, MAX_STATEMENT_BYTES, Signed

MAX_ROWS_PER_MESSAGE = 65_536
MAX_CASE_NUMBER_BYTES = 64
MAX_COOPERATION_REF_BYTES = 200
MAX_PAGE_TOKEN = 400
_REGISTER = re.compile(r"(?!.*[0-9]{8})[a-z0-9-]{1,63}/[a-z0-9-]{1,63}/[0-9Q.-]{4,10}/[a-z0-9-]{1,63}")
_EPOCH = re.compile(r"[0-9]{4}(Q[1-4]|-(0[1-9]|1[0-2]))?(\.([2-9]|[1-9][0-9]))?")
_INDEX = re.compile(r"[1-9][0-9]{0,15}")
_HEX32 = re.compile(r"[0-9a-f]{32}")
_HEX64 = re.compile(r"[0-9a-f]{64}")
_UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_UPLOAD = re.compile(r"[a-z][a-z0-9-]{0,62}\.[0-9a-f-]{36}")

_SHAPES = {
    "name": (NAME, "a name: lower-case letters, digits and hyphens, at most 63, without eight digits in a row"),
    "register": (_REGISTER, "a register's name: answerer/purpose/epoch/scheme"),
    "epoch": (_EPOCH, "an epoch such as 2026Q4, 2026-11 or 2026"),
    "hex32": (_HEX32, "32 hex digits"),
    "hex64": (_HEX64, "64 hex digits"),
    "uuid": (_UUID4, "a UUID version 4 in lower case"),
    "upload": (_UPLOAD, "an upload's name as BeginRegister gave it"),
}


def text(value: str, field: str, shape: str, *, optional: bool = False) -> str:
    """`value` when it has the shape. Raises FIELD_MISSING, FIELD_TOO_LONG, FIELD_INVALID."""
    if not value:
        if optional:
            return value
        raise field_error(Code.FIELD_MISSING, field, "is required")
    if len(value) > 300:
        raise field_error(Code.FIELD_TOO_LONG, field, "is too long")
    pattern, words = _SHAPES[shape]
    if not pattern.fullmatch(value):
        raise field_error(Code.FIELD_INVALID, field, f"must be {words}")
    return value


def free_text(value: str, field: str, limit: int) -> str:
    """Free text of at most `limit` bytes. Raises FIELD_TOO_LONG."""
    if len(value.encode()) > limit:
        raise field_error(Code.FIELD_TOO_LONG, field, f"has at most {limit} bytes")
    return value


def names(values: Iterable[str], field: str, *, low: int, high: int) -> tuple[str, ...]:
    """A list of distinct names. Raises FIELD_MISSING, FIELD_TOO_LONG, FIELD_INVALID."""
    found = tuple(values)
    if len(found) < low:
        raise field_error(Code.FIELD_MISSING, field, f"needs at least {low}")
    if len(found) > high:
        raise field_error(Code.FIELD_TOO_LONG, field, f"has at most {high}")
    for value in found:
        text(value, field, "name")
    if len(set(found)) != len(found):
        raise field_error(Code.FIELD_INVALID, field, "has duplicates")
    return found


def page_size(value: int, default: int, maximum: int) -> int:
    """AIP-158: 0 means the default, too large means the maximum, negative is refused."""
    if value < 0:
        raise field_error(Code.FIELD_INVALID, "page_size", "must not be negative")
    return min(value, maximum) or default


def page_token(value: str) -> str:
    """The key a page token stands for; "" for the first page. Raises PAGE_TOKEN_INVALID."""
    try:
        key = base64.urlsafe_b64decode(value.encode()).decode() if len(value) <= MAX_PAGE_TOKEN else ""
    except ValueError as error:
        raise _wrong_token() from error
    if make_page_token(key) != value:  # the decoder skips what is no base64
        raise _wrong_token()
    return key


def make_page_token(key: str) -> str:
    """The token that leads to what comes after `key`."""
    return base64.urlsafe_b64encode(key.encode()).decode()


def index_of(token: str) -> int:
    """The number a page token stands for; 0 for the first page. Raises PAGE_TOKEN_INVALID."""
    key = page_token(token)
    if key and not _INDEX.fullmatch(key):
        raise _wrong_token()
    return int(key or 0)


def _wrong_token() -> SluisError:
    return SluisError(Code.PAGE_TOKEN_INVALID, "page_token: pass the token of the previous page, or none")


def signed(message: common_pb2.SignedStatement, field: str) -> Signed:
    """A signed statement within bounds. Raises FIELD_MISSING, FIELD_TOO_LONG."""
    for name, value, limit in (
        ("statement", message.statement, MAX_STATEMENT_BYTES),
        ("signature", message.signature, MAX_SIGNATURE_BYTES),
    ):
        if not value:
            raise field_error(Code.FIELD_MISSING, f"{field}.{name}", "is required")
        if len(value) > limit:
            raise field_error(Code.FIELD_TOO_LONG, f"{field}.{name}", f"has at most {limit} bytes")
    return Signed(message.statement, message.signature)


def opened(ask: exchange_pb2.Ask, statement: AskStatement) -> Opened:
    """The openings of an ask, checked against the statement's commitments. Raises COMMITMENT_WRONG, LENGTH_WRONG."""
    if len(ask.tokens_salt) != 32:
        raise field_error(Code.LENGTH_WRONG, "ask.tokens_salt", "has 32 bytes")
    return Opened(
        ask.tokens_salt,
        _opening(ask, "case_number", statement.case_number, "case-number", MAX_CASE_NUMBER_BYTES),
        _opening(ask, "cooperation_ref", statement.cooperation_ref, "cooperation-ref", MAX_COOPERATION_REF_BYTES),
    )


def _opening(
    ask: exchange_pb2.Ask, field: str, committed: str | None, label: str, limit: int
) -> tuple[bytes, bytes] | None:
    present = ask.HasField(field)  # type: ignore[arg-type]  # the stub lists the field names as literals
    if present != (committed is not None):
        raise field_error(Code.COMMITMENT_WRONG, f"ask.{field}", "send it if and only if the statement commits to it")
    if committed is None:
        return None
    opening: common_pb2.Opening = getattr(ask, field)
    if len(opening.salt) != 32:
        raise field_error(Code.LENGTH_WRONG, f"ask.{field}.salt", "has 32 bytes")
    if not 1 <= len(opening.value) <= limit:
        raise field_error(Code.FIELD_TOO_LONG, f"ask.{field}.value", f"has 1 to {limit} bytes")
    if commitment(label, opening.salt, opening.value) != committed:
        raise field_error(Code.COMMITMENT_WRONG, f"ask.{field}", "does not open the statement's commitment")
    return opening.salt, opening.value


class QuestionReader:
    """Collects the rows of a question in order."""

    def __init__(self, statement: AskStatement, opened_ask: Opened) -> None:
        self._statement = statement
        self._salt = opened_ask.tokens_salt
        self._parts: list[list[PseudonymColumn]] = [[] for _ in range(statement.match_keys)]
        self._rows = 0

    def add(self, rows: exchange_pb2.QuestionRows) -> None:
        """Adds a run. Raises OFFSET_WRONG, COUNT_WRONG, LENGTH_WRONG, LOOKS_LIKE_IDENTIFIERS."""
        if rows.offset != self._rows:
            raise field_error(Code.OFFSET_WRONG, "rows.offset", "must be the number of rows sent so far")
        columns = pseudonym_columns(rows.columns, self._statement.match_keys, "rows.columns")
        self._rows += len(columns[0].pseudonyms)
        if self._rows > self._statement.subjects:
            raise field_error(Code.COUNT_WRONG, "rows", "are more than the statement's subjects")
        for part, column in zip(self._parts, columns, strict=True):
            part.append(column)

    def question(self) -> Question:
        """The whole question. Raises STREAM_TRUNCATED, COMMITMENT_WRONG."""
        if self._rows < self._statement.subjects:
            raise SluisError(
                Code.STREAM_TRUNCATED, "the stream ended before all rows of the statement came; send the question again"
            )
        question = Question(tuple(_joined(part) for part in self._parts))
        if commitment("tokens", self._salt, tokens_value(question)) != self._statement.tokens:
            raise field_error(Code.COMMITMENT_WRONG, "rows", "are not the rows that the statement commits to")
        return question


def _joined(parts: list[PseudonymColumn]) -> PseudonymColumn:
    if len(parts) == 1:
        return parts[0]
    return PseudonymColumn(
        np.concatenate([part.pseudonyms for part in parts]), np.concatenate([part.present for part in parts])
    )


def pseudonym_columns(
    messages: Iterable[common_pb2.PseudonymColumn], match_keys: int, field: str
) -> tuple[PseudonymColumn, ...]:
    """Columns of equal length that hold keyed hashes. Raises LENGTH_WRONG, COUNT_WRONG, LOOKS_LIKE_IDENTIFIERS."""
    found = tuple(messages)
    if len(found) != match_keys:
        raise field_error(Code.COUNT_WRONG, field, f"needs one column for each of {match_keys} match keys")
    columns = []
    rows = len(found[0].pseudonyms) // PSEUDONYM_BYTES
    for message in found:
        if len(message.pseudonyms) != rows * PSEUDONYM_BYTES or not 1 <= rows <= MAX_ROWS_PER_MESSAGE:
            raise field_error(
                Code.LENGTH_WRONG,
                field,
                f"holds 16 bytes a row, 1 to {MAX_ROWS_PER_MESSAGE} rows, all columns equally long",
            )
        present = _presence(message.presence, rows, field)
        pseudonyms = np.frombuffer(message.pseudonyms, dtype="V16")
        if not present.all():
            absent = pseudonyms[~present].view(np.uint8)
            if absent.any():
                raise field_error(Code.FIELD_INVALID, field, "rows without this match key hold 16 zero bytes")
        check_pseudonyms(pseudonyms[present], field)
        columns.append(PseudonymColumn(pseudonyms, present))
    return tuple(columns)


def _presence(bitmap: bytes, rows: int, field: str) -> npt.NDArray[np.bool_]:
    if not bitmap:
        return np.ones(rows, dtype=np.bool_)
    if len(bitmap) != (rows + 7) // 8:
        raise field_error(Code.LENGTH_WRONG, f"{field}.presence", "has one bit a row, or is empty when all are present")
    bits = np.unpackbits(np.frombuffer(bitmap, dtype=np.uint8), bitorder="little")
    if bits[rows:].any():
        raise field_error(Code.FIELD_INVALID, f"{field}.presence", "unused bits must be zero")
    return bits[:rows].astype(np.bool_)


def register_chunk(rows: register_pb2.RegisterRows, spec: UploadSpec) -> RegisterChunk:
    """A run of register rows of the upload's shape. Raises LENGTH_WRONG, COUNT_WRONG, LOOKS_LIKE_IDENTIFIERS."""
    columns = pseudonym_columns(rows.columns, spec.match_keys, "rows.columns")
    count = len(columns[0].pseudonyms)
    sealed = bool(spec.attributes)
    if len(rows.wraps) != (spec.match_keys if sealed else 0):
        raise field_error(Code.COUNT_WRONG, "rows.wraps", "one for each match key, none without attributes")
    if any(len(wrap) != count * WRAP_BYTES for wrap in rows.wraps):
        raise field_error(Code.LENGTH_WRONG, "rows.wraps", f"hold {WRAP_BYTES} bytes a row")
    if len(rows.commitments) != (count * COMMITMENT_BYTES if sealed else 0):
        raise field_error(
            Code.LENGTH_WRONG, "rows.commitments", f"hold {COMMITMENT_BYTES} bytes a row, none without attributes"
        )
    if len(rows.fields) != len(spec.attributes):
        raise field_error(Code.COUNT_WRONG, "rows.fields", "one column for each attribute of the upload")
    if any(len(column) != count * width for column, width in zip(rows.fields, spec.widths, strict=True)):
        raise field_error(Code.LENGTH_WRONG, "rows.fields", "hold the catalogue's width + 18 bytes a row")
    return RegisterChunk(columns, tuple(rows.wraps), rows.commitments, tuple(rows.fields))


def decision_message(decision: Decision, policies: PolicySet, purpose: str, digest: str) -> common_pb2.Decision:
    """A decision with the lines of the policy files that its checks come from; without, if another set decided."""
    known = policies.digest == digest
    checks = [
        _check_message(check, policies.line_of(purpose, check.path) if known else "") for check in decision.checks
    ]
    return common_pb2.Decision(
        permitted=decision.permitted, checks=checks, policy_set=digest, obligations=decision.obligations
    )


@lru_cache(maxsize=4096)  # most checks of most decisions read the same; the message is copied into its parent
def _check_message(check: CheckResult, source: str) -> common_pb2.Check:
    return common_pb2.Check(id=check.id, met=check.met, reason=check.reason, source=source)


def answer_messages(
    answer: Answer, policies: PolicySet, purpose: str, certificate: bytes = b""
) -> Iterator[exchange_pb2.MatchResponse]:
    """One answerer's part of the response stream: head, rows, receipts."""
    digest = str(json.loads(answer.ask.leaf)["body"]["policy_set"])
    head = exchange_pb2.Answer(
        status=exchange_pb2.AnswerStatus.ValueType(answer.status),
        exchange=answer.exchange,
        decision=decision_message(answer.decision, policies, purpose, digest),
        register=register_facts(answer.register, certificate) if answer.register else None,
        hits=answer.hits,
        count=answer.count,
        band=answer.band,
        attributes=answer.attributes,
        disputed=_disputed(answer.marks),
        live=exchange_pb2.LiveFacts(signed=signed_message(answer.live[0]), certificate=answer.live[1])
        if answer.live
        else None,
    )
    yield exchange_pb2.MatchResponse(answerer=answer.answerer, answer=head)
    for run in answer.runs:
        yield exchange_pb2.MatchResponse(answerer=answer.answerer, rows=rows_message(run))
    receipts = exchange_pb2.AnswerReceipts(
        ask=receipt_message(answer.ask),
        release=receipt_message(answer.release) if answer.release else None,
        result=common_pb2.Opening(salt=answer.result[0], value=answer.result[1]) if answer.result else None,
    )
    yield exchange_pb2.MatchResponse(answerer=answer.answerer, receipts=receipts)


def _disputed(marks: Marks) -> exchange_pb2.DisputedRows | None:
    if not marks.positions:
        return None
    positions, since = marks.packed()
    return exchange_pb2.DisputedRows(positions=positions, since=since)


def rows_message(run: AnswerRows) -> exchange_pb2.AnswerRows:
    """A run of hits on the wire."""
    return exchange_pb2.AnswerRows(
        positions=run.positions,
        statuses=run.statuses,
        match_keys=run.match_keys,
        wraps=run.wraps,
        commitments=run.commitments,
        fields=run.fields,
    )


def receipt_message(receipt: Receipt) -> common_pb2.Receipt:
    """A receipt on the wire."""
    return common_pb2.Receipt(
        leaf=receipt.leaf, index=receipt.index, inclusion=receipt.inclusion, checkpoint=receipt.checkpoint
    )


def timestamp(moment: datetime) -> Timestamp:
    """A time on the wire, UTC."""
    message = Timestamp()
    message.FromDatetime(moment)
    return message


def signed_message(value: Signed) -> common_pb2.SignedStatement:
    """A signed statement on the wire."""
    return common_pb2.SignedStatement(statement=value.statement, signature=value.signature)


def register_facts(register: RegisterVersion, certificate: bytes = b"") -> exchange_pb2.RegisterFacts:
    """What an asker may know of a register."""
    manifest = register.manifest
    return exchange_pb2.RegisterFacts(
        name=register.name,
        version=register.version,
        as_of=timestamp(manifest.as_of),
        coverage=manifest.coverage,
        expires_at=timestamp(manifest.expires_at),
        manifest=signed_message(Signed(manifest.raw, manifest.signature)),
        certificate=certificate,
    )


def register_message(register: RegisterVersion, now: datetime) -> register_pb2.Register:
    """A register as its owner sees it."""
    manifest = register.manifest
    state = register_pb2.REGISTER_STATE_PUBLISHED
    if register.withdrawn:
        state = register_pb2.REGISTER_STATE_WITHDRAWN
    elif manifest.expires_at <= now:
        state = register_pb2.REGISTER_STATE_EXPIRED
    return register_pb2.Register(
        name=register.name,
        version=register.version,
        state=state,
        rows=manifest.rows,
        published_at=timestamp(register.published_at),
        expires_at=timestamp(manifest.expires_at),
        manifest=signed_message(Signed(manifest.raw, manifest.signature)),
    )


def answer_status(status: AnswerStatus | None) -> exchange_pb2.AnswerStatus.ValueType:
    """A status on the wire; UNSPECIFIED while the exchange is open."""
    return exchange_pb2.AnswerStatus.ValueType(status or 0)
