"""`sluis-client match`: the question itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sluis_client.caution import keep_apart
from sluis_client.cli.answerer import (
    DelimiterOption,
    EncodingOption,
    FileArgument,
    SchemeOption,
    StrictOption,
    ZerosOption,
)
from sluis_client.cli.keys import PurposeOption
from sluis_client.cli.question import (
    AnswererOption,
    BehalfOption,
    CaseOption,
    CooperationOption,
    CountOption,
    HitOption,
    WantOption,
    decision_json,
    wanted,
)
from sluis_client.cli.session import (
    ColumnsOption,
    EpochOption,
    JsonOption,
    ProfileOption,
    decision_lines,
    emit,
    names,
    note,
    pairs,
    participant,
    problems_json,
    progress,
    tell_problems,
    witnessed_json,
)
from sluis_client.epochs import AMSTERDAM
from sluis_client.errors import ClientError, Exit
from sluis_client.private_files import write_private

if TYPE_CHECKING:
    from sluis_client.answers import CheckedAnswer
    from sluis_client.ask import Asked, Plan
    from sluis_client.participant import Participant
    from sluis_client.schemes import Scheme
    from sluis_client.tables import NormalisedTable, Table
    from sluis_client.transport import Decision, Receipt
    from sluis_client.witnessed import Seen

_NOT_PUT = frozenset({"MODE_NOT_AVAILABLE", "EPOCH_UNKNOWN", "NOT_PARTICIPANT", "WOULD_BE_DENIED"})


def mount(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("match")(match)


def match(
    file: FileArgument,
    *,
    purpose: PurposeOption,
    scheme: SchemeOption,
    answerer: AnswererOption,
    out: Annotated[Path, typer.Option("--out", help="CSV file to write; receipts go to <out>.receipts.json.")],
    want: WantOption = None,
    hit: HitOption = False,
    count: CountOption = False,
    case_number: CaseOption = "",
    cooperation_ref: CooperationOption = "",
    on_behalf_of: BehalfOption = "",
    epoch: EpochOption = "",
    columns: ColumnsOption = None,
    keep_columns: Annotated[
        list[str] | None, typer.Option("--keep-columns", help="Columns of FILE to copy into the answers: a,b.")
    ] = None,
    strict: StrictOption = False,
    restore_zeros: ZerosOption = False,
    in_delimiter: DelimiterOption = None,
    encoding: EncodingOption = None,
    delimiter: Annotated[
        str | None, typer.Option("--delimiter", help="Delimiter of the answers; left out: that of FILE.")
    ] = None,
    request_id: Annotated[
        str, typer.Option("--request-id", help="Repeat this question (UUID): the same answer, no new budget.")
    ] = "",
    anew: Annotated[bool, typer.Option("--new", help="Ask anew, even if the same question is unfinished.")] = False,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask which rows of a file are in others' registers, and what the policy lets you learn of them.

    Every answer is verified before anything is written: signatures, receipts, the log, the register's manifest. A
    denial shows each check that was not met and the line of the policy (exit code 5). Cut off, the same command
    repeats the same question.

    \b
    Example: sluis-client match addresses.csv --purpose snf-locatie --scheme bag --answerer snf \\
      --want certificate-status,beds --out answers.csv
    """
    from sluis_client.ask import Plan
    from sluis_client.register_table import scheme_named
    from sluis_client.tables import normalise_table, read_table

    keep_apart([out, receipts_of(out)], file)
    learn = wanted(want, hit=hit, count=count)
    plan = Plan(purpose, scheme, names(answerer), learn, epoch, case_number, cooperation_ref, on_behalf_of)
    table = read_table(file, delimiter=in_delimiter, encoding=encoding)
    known = scheme_named(scheme)
    normal = normalise_table(
        table, known, columns=pairs(columns, "--columns"), strict=strict, restore_zeros=restore_zeros
    )
    tell_problems(normal.problems, len(table.rows), normal.duplicates)
    sheet = Sheet.of(out, table, normal, known, keep=names(keep_columns), delimiter=delimiter)
    sheet.check()
    with participant(profile) as me:
        code = _ask_and_write(me, plan, sheet, as_json=as_json, request_id=request_id, anew=anew)
    if code:
        raise typer.Exit(int(code))


@dataclass(frozen=True, repr=False)
class Sheet:
    """The source as read, and the file that the answers go to."""

    out: Path
    table: Table
    normal: NormalisedTable
    keep: tuple[str, ...]
    delimiter: str
    scheme: Scheme

    @classmethod
    def of(
        cls,
        out: Path,
        table: Table,
        normal: NormalisedTable,
        scheme: Scheme,
        *,
        keep: tuple[str, ...] = (),
        delimiter: str | None = None,
    ) -> Sheet:
        """Answers to a table. `keep`: its columns to copy; `delimiter` None: that of the table."""
        from sluis_client.answer_file import DELIMITERS

        # a file of one column has no delimiter to take over
        own = table.delimiter if table.delimiter in DELIMITERS else DELIMITERS[0]
        return cls(out, table, normal, keep, own if delimiter is None else delimiter, scheme)

    @property
    def receipts(self) -> Path:
        """Where the receipts go."""
        return receipts_of(self.out)

    def check(self) -> None:
        """Refuses options that would spoil the file, before anything is asked."""
        from sluis_client.answer_file import answer_lines, csv_bytes

        csv_bytes(answer_lines(self.table, self.normal, (), self.keep, scheme=self.scheme), self.delimiter)

    def write(self, asked: Asked, certificate: bytes, cover: Mapping[str, Any] | None, *, count: bool) -> None:
        """Writes answers and receipts, readable by their owner only. `cover`: who saw the log, as receipts hold it."""
        from sluis_client.answer_file import answer_lines, count_lines, csv_bytes
        from sluis_client.receipt_file import asker_file

        if count:
            lines = count_lines(asked.answers, len(self.normal.keys))
        else:
            lines = answer_lines(self.table, self.normal, asked.answers, self.keep, scheme=self.scheme)
        write_private(self.out, csv_bytes(lines, self.delimiter))
        receipts = asker_file(asked.posed.signed, certificate, asked.answers, cover)
        write_private(self.receipts, json.dumps(receipts, indent=1).encode() + b"\n")


def receipts_of(out: Path) -> Path:
    """Where the receipts of an answer file go."""
    return out.with_name(out.name + ".receipts.json")


def _ask_and_write(me: Participant, plan: Plan, sheet: Sheet, *, as_json: bool, request_id: str, anew: bool) -> Exit:
    from sluis_client.answer_file import answer_summary
    from sluis_client.ask import ask, finish
    from sluis_client.witness_cover import covered

    normal = sheet.normal
    try:
        with progress() as show:
            asked = ask(me, plan, normal, request_id=request_id, anew=anew, keep_open=True, progress=show)
    except ClientError as error:
        if error.code not in _NOT_PUT:
            raise
        decisions = _denials(me, plan, len(normal.keys), error)
        foreseen = error.code == "WOULD_BE_DENIED"
        note(f"the question was not put: {error.message}" + ("" if foreseen else "; the policy would deny it:"))
        lines = [line for who, one in decisions for line in decision_lines(who, one, all_checks=False)]
        emit({"exchange": None, "decisions": [decision_json(who, one) for who, one in decisions]}, lines, as_json)
        return Exit.POLICY_DENIED
    saw, cover = covered(me, [one.checkpoint for answer in asked.answers for one in receipts_in(answer)])
    sheet.write(asked, me.key.certificate, cover, count=plan.want.count)
    finish(me, asked)
    if asked.note:
        note(asked.note)
    if asked.repeated:
        note(f"repeated question {asked.request_id}: no new budget")
    if any(answer.decision.policy_set != me.policy.digest for answer in asked.answers):
        note("decided under another policy set than the one that this command verified")
    value = {
        "exchange": asked.request_id,
        "repeated": asked.repeated,
        "epoch": asked.posed.context.epoch,
        "out": str(sheet.out),
        "receipts": str(sheet.receipts),
        "witnessed": witnessed_json(saw),
        "subjects": len(normal.keys),
        "duplicates": normal.duplicates,
        "problems": problems_json(normal.problems),
        "answers": [answer_summary(answer, sheet.scheme) for answer in asked.answers],
    }
    emit(value, _told(asked, sheet, saw, count=plan.want.count), as_json)
    return _exit_of(asked.answers, count=plan.want.count)


def _denials(me: Participant, plan: Plan, subjects: int, error: ClientError) -> tuple[tuple[str, Decision], ...]:
    """Why a question that could not be put would be denied; raises `error` where it would not be."""
    from sluis_client.ask import dry_run

    decisions = dry_run(me, plan, max(subjects, 1))
    if all(decision.permitted for _, decision in decisions):
        raise error
    return decisions


def _told(asked: Asked, sheet: Sheet, saw: Seen | None, *, count: bool) -> Iterator[str]:
    yield f"exchange {asked.request_id}: {len(sheet.normal.keys)} subjects asked"
    for answer in asked.answers:
        yield from answer_told(answer, sheet.scheme, count=count)
    yield f"answers: {sheet.out}"
    yield f"receipts: {sheet.receipts} (verified{f', {saw}' if saw else ''})"


def receipts_in(answer: CheckedAnswer) -> Iterator[Receipt]:
    """The receipts that an answer came with."""
    if answer.received.ask is not None:
        yield answer.received.ask
    if answer.received.release is not None:
        yield answer.received.release


def answer_told(answer: CheckedAnswer, scheme: Scheme, *, count: bool) -> Iterator[str]:
    """What an answerer said, in lines."""
    from sluis_client.answer_file import STATUS_WORDS, must_check, status_note

    if answer.status == "DENIED":
        yield from decision_lines(answer.answerer, answer.decision, all_checks=False)
        return
    if answer.status != "ANSWERED":
        note_of = status_note(answer.status, count=count)
        yield f'{answer.answerer}: {STATUS_WORDS[answer.status]}: {note_of} (this is not a "no hit")'
        if answer.status == "WITHHELD" and not count:
            yield "  next    `sluis-client check` tells how the purpose stands now; ask your privacy officer"
        return
    if answer.count is not None or answer.band:
        yield f"{answer.answerer}: count {answer.band or answer.count}"
    else:
        ambiguous = sum(row.status == "ambiguous" for row in answer.rows)
        yield f"{answer.answerer}: {answer.hits} hits" + (f", {ambiguous} ambiguous" if ambiguous else "")
        if look := sum(must_check(answer, row, scheme) for row in answer.rows):
            yield f'  {look} of the hits MUST be checked by a person: see the column "human check"'
        if answer.disputed:
            yield f'  {len(answer.disputed)} of the hits are DISPUTED: see the column "disputed since" before use'
    if answer.register is not None:
        register = answer.register
        day = f"{register.as_of.astimezone(AMSTERDAM):%Y-%m-%d}"
        yield f"  register version {register.version} as of {day}, covers: {register.coverage}"
    for duty in answer.decision.obligations:
        yield f"  duty: {duty}"


def _exit_of(answers: Sequence[CheckedAnswer], *, count: bool) -> Exit:
    """Rows are withheld only when the purpose was closed, which is a denial that came late; a count mostly is not."""
    statuses = {answer.status for answer in answers}
    if "DENIED" in statuses or ("WITHHELD" in statuses and not count):
        return Exit.POLICY_DENIED
    return Exit.BROKER_REFUSED if statuses & {"FAILED", "UNKNOWN"} else Exit.OK
