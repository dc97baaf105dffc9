"""Between wire messages and the plain values of `sluis_client.transport`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp
from sluis.v1 import common_pb2, exchange_pb2, register_pb2

from sluis_client.errors import ClientError, Exit
from sluis_client.pseudonymise import PSEUDONYM_BYTES, Column
from sluis_client.statements import SignedStatement
from sluis_client.transport import (
    STATUS_NAMES,
    Answer,
    AnswererState,
    AnswerRun,
    Check,
    Decision,
    DryRun,
    Exchange,
    Opening,
    Progress,
    Purpose,
    Question,
    Receipt,
    RegisterFacts,
)
from sluis_client.upload import Register, RegisterRun, rows_per_message


def match_messages(question: Question, progress: Progress) -> Iterator[exchange_pb2.MatchRequest]:
    """The messages of a question: its head, then its rows in order."""
    ask = exchange_pb2.Ask(
        signed=signed_message(question.signed),
        tokens_salt=question.tokens_salt,
        case_number=_opening_message(question.case_number),
        cooperation_ref=_opening_message(question.cooperation_ref),
    )
    yield exchange_pb2.MatchRequest(ask=ask)
    total = question.columns[0].rows
    step = rows_per_message(PSEUDONYM_BYTES * len(question.columns))
    for start in range(0, total, step):
        stop = min(total, start + step)
        columns = [column_message(cut(column, start, stop)) for column in question.columns]
        yield exchange_pb2.MatchRequest(rows=exchange_pb2.QuestionRows(offset=start, columns=columns))
        progress("asking", stop, total)


def cut(column: Column, start: int, stop: int) -> Column:
    """Rows start..stop-1 of a column; `start` is a multiple of 8, and so is `stop` unless it is the end."""
    pseudonyms = column.pseudonyms[start * PSEUDONYM_BYTES : stop * PSEUDONYM_BYTES]
    return Column(pseudonyms, column.presence[start // 8 : (stop + 7) // 8])


def column_message(column: Column) -> common_pb2.PseudonymColumn:
    """A column on the wire."""
    return common_pb2.PseudonymColumn(pseudonyms=column.pseudonyms, presence=column.presence)


def register_rows(run: RegisterRun) -> register_pb2.RegisterRows:
    """A run of register rows on the wire."""
    return register_pb2.RegisterRows(
        offset=run.offset,
        columns=[column_message(column) for column in run.columns],
        wraps=run.wraps,
        commitments=run.commitments,
        fields=run.fields,
    )


class AnswerReader:
    """Collects the messages of an answer; what is out of order is refused at once."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._whole: list[Answer] = []
        self._head: tuple[str, exchange_pb2.Answer] | None = None
        self._runs: list[AnswerRun] = []

    def add(self, message: exchange_pb2.MatchResponse) -> None:
        """Takes the next message. Raises ANSWER_BROKEN."""
        part = message.WhichOneof("part")
        if part == "answer":
            if self._head is not None:
                raise broken("an answer began before the one before it had ended")
            self._head, self._runs = (message.answerer, message.answer), []
        elif self._head is None or message.answerer != self._head[0]:
            raise broken("rows or receipts came without the head of their answer")
        elif part == "rows":
            self._runs.append(_run(message.rows))
        elif part == "receipts":
            self._whole.append(_answer(self._head, self._runs, message.receipts))
            self._head = None
            self._progress("answers", len(self._whole), 0)
        else:
            raise broken("a message held no part this client knows; upgrade the client")

    def answers(self) -> tuple[Answer, ...]:
        """All answers, whole. Raises ANSWER_BROKEN."""
        if self._head is not None:
            raise broken("the stream ended in the middle of an answer")
        return tuple(self._whole)


def _run(rows: exchange_pb2.AnswerRows) -> AnswerRun:
    return AnswerRun(rows.positions, rows.statuses, rows.match_keys, rows.wraps, rows.commitments, tuple(rows.fields))


def _answer(
    head: tuple[str, exchange_pb2.Answer], runs: list[AnswerRun], receipts: exchange_pb2.AnswerReceipts
) -> Answer:
    answerer, answer = head
    return Answer(
        answerer=answerer,
        status=int(answer.status),
        exchange=answer.exchange,
        decision=decision(answer.decision),
        register=_register_facts(answer.register) if answer.HasField("register") else None,
        hits=answer.hits,
        count=answer.count if answer.HasField("count") else None,
        band=answer.band,
        attributes=tuple(answer.attributes),
        runs=tuple(runs),
        ask=receipt(receipts.ask) if receipts.HasField("ask") else None,
        release=receipt(receipts.release) if receipts.HasField("release") else None,
        result=Opening(receipts.result.salt, receipts.result.value) if receipts.HasField("result") else None,
        disputed=(answer.disputed.positions, answer.disputed.since),
        live=(signed(answer.live.signed), answer.live.certificate) if answer.HasField("live") else None,
    )


def decision(message: common_pb2.Decision) -> Decision:
    """A decision as received."""
    checks = tuple(Check(check.id, check.met, check.reason, check.source) for check in message.checks)
    return Decision(message.permitted, checks, message.policy_set, tuple(message.obligations))


def receipt(message: common_pb2.Receipt) -> Receipt:
    """A receipt as received."""
    return Receipt(message.leaf, message.index, tuple(message.inclusion), message.checkpoint)


def _register_facts(facts: exchange_pb2.RegisterFacts) -> RegisterFacts:
    return RegisterFacts(
        name=facts.name,
        version=facts.version,
        as_of=moment(facts.as_of),
        coverage=facts.coverage,
        expires_at=moment(facts.expires_at),
        manifest=signed(facts.manifest),
        certificate=facts.certificate,
    )


def register(message: register_pb2.Register) -> Register:
    """One of the agency's registers as received."""
    return Register(
        name=message.name,
        version=message.version,
        state=register_pb2.RegisterState.Name(message.state).removeprefix("REGISTER_STATE_"),
        rows=message.rows,
        published_at=moment(message.published_at),
        expires_at=moment(message.expires_at),
        manifest=signed(message.manifest),
    )


def purpose(message: exchange_pb2.Purpose) -> Purpose:
    """A purpose as received."""
    return Purpose(
        name=message.name,
        title_nl=message.title_nl,
        title_en=message.title_en,
        state=message.state,
        asks=tuple(message.asks),
        answers=tuple(message.answers),
        about=message.about,
        schemes=tuple(message.schemes),
        hit=message.hit,
        count=message.count,
        attributes=tuple((a.name, a.width, a.type, a.meaning_nl, a.meaning_en) for a in message.attributes),
        mode=message.mode,
        epoch=message.epoch,
        steward=message.steward,
        subjects_per_request=message.subjects_per_request,
        requests_per_day=message.requests_per_day,
        case_number_required=message.case_number_required,
        cooperation_ref_required=message.cooperation_ref_required,
        answer_keep_days=message.answer_keep_days,
    )


def exchange(message: exchange_pb2.ExchangeSummary) -> Exchange:
    """An exchange as received."""
    states = tuple(
        AnswererState(
            state.answerer,
            STATUS_NAMES.get(int(state.status), "OPEN"),
            state.ask_index,
            state.release_index if state.HasField("release_index") else None,
        )
        for state in message.answerers
    )
    return Exchange(message.exchange, message.purpose, moment(message.asked_at), states)


def dry_run_request(question: DryRun) -> exchange_pb2.CheckRequestRequest:
    """A dry run on the wire."""
    return exchange_pb2.CheckRequestRequest(
        principal=question.principal,
        answerers=question.answerers,
        purpose=question.purpose,
        epoch=question.epoch,
        scheme=question.scheme,
        match_keys=question.match_keys,
        want=common_pb2.Want(hit=question.want.hit, count=question.want.count, attributes=question.want.attributes),
        subjects=question.subjects,
        case_number=question.case_number,
        cooperation_ref=question.cooperation_ref,
    )


def signed_message(value: SignedStatement) -> common_pb2.SignedStatement:
    """A signed statement on the wire."""
    return common_pb2.SignedStatement(statement=value.statement, signature=value.signature)


def signed(message: common_pb2.SignedStatement) -> SignedStatement:
    """A signed statement as received."""
    return SignedStatement(message.statement, message.signature)


def _opening_message(opening: Opening | None) -> common_pb2.Opening | None:
    return None if opening is None else common_pb2.Opening(salt=opening.salt, value=opening.value)


def moment(stamp: Timestamp) -> datetime:
    """A time as received, aware, UTC. Raises ANSWER_BROKEN for a time that is none."""
    try:
        return stamp.ToDatetime(UTC)
    except (ValueError, OverflowError):
        raise broken("a time lies outside the calendar") from None


def broken(why: str) -> ClientError:
    """A refusal of a stream that is not what exchange.proto says."""
    return ClientError("ANSWER_BROKEN", f"the broker's answer is refused: {why}", Exit.VERIFICATION_FAILED)
