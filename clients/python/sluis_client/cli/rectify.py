"""`sluis-client correct | dispute | outcome | notices`: putting right what was published, and being told of it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sluis_client.cli.session import (
    ColumnsOption,
    EpochOption,
    JsonOption,
    ProfileOption,
    columned,
    emit,
    note,
    pairs,
    participant,
    tell_problems,
)
from sluis_client.errors import ClientError
from sluis_client.statement_shapes import CORRECTION_REASONS, CORRECTIONS, DISPUTE_REASONS, DONE, ROLES
from sluis_client.statements import utc

if TYPE_CHECKING:
    from sluis_client.notices import Notice
    from sluis_client.participant import Participant
    from sluis_client.rectifying import RowCorrected
    from sluis_client.tables import NormalisedTable

AnswersArgument = Annotated[Path, typer.Argument(help="Answers as `match` wrote them, with the receipts file beside.")]
RowsOption = Annotated[list[int], typer.Option("--row", help="Line in your file, as in column `row`; may be repeated.")]
OneAnswererOption = Annotated[str, typer.Option("--answerer", help="Whose hit, if several answered that row.")]
_SHORT = 8
MANY_RECORDS = 100
"""Records that `correct` takes without being told how many are meant."""


def mount(app: typer.Typer) -> None:
    """Adds these commands."""
    app.command("correct")(correct)
    app.command("dispute")(dispute)
    app.command("outcome")(outcome)
    notices = typer.Typer(
        help="What others said of records you were given or published.", no_args_is_help=True, rich_markup_mode=None
    )
    notices.command("list")(notices_list)
    notices.command("acknowledge")(notices_acknowledge)
    notices.command("find")(notices_find)
    app.add_typer(notices, name="notices")


def correct(
    file: Annotated[Path | None, typer.Argument(help="CSV file with the records, and no others.")] = None,
    *,
    what: Annotated[str, typer.Option("--what", help=f"What you did: {', '.join(CORRECTIONS)}.")],
    reason: Annotated[str, typer.Option("--reason", help=f"Why: {', '.join(CORRECTION_REASONS)}.")],
    purpose: Annotated[str, typer.Option("--purpose", help="The purpose; with --dispute left out.")] = "",
    scheme: Annotated[str, typer.Option("--scheme", help="Identifier scheme; with --dispute left out.")] = "",
    dispute: Annotated[str, typer.Option("--dispute", help="The dispute that this answers, by its notice.")] = "",
    epoch: EpochOption = "",
    records: Annotated[
        int, typer.Option("--records", min=1, help=f"How many records FILE corrects, when over {MANY_RECORDS}.")
    ] = MANY_RECORDS,
    columns: ColumnsOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that records you published were wrong: everybody who was given them is told. Or answer a dispute.

    It does not change the register: publish that first. Without --epoch, every epoch whose key is kept is searched.
    With --dispute no file is needed; only `still-disputed` takes one, your register's: it carries the dispute to the
    epoch in force, whose pseudonyms are others.

    \b
    Example: sluis-client correct wrong.csv --purpose snf-locatie --scheme bag --what corrected --reason wrong-value
    """
    from sluis_client import notices, rectifying

    _one_of(what, CORRECTIONS, "--what")
    _one_of(reason, CORRECTION_REASONS, "--reason")
    with participant(profile) as me:
        if dispute and what != "still-disputed":
            if file is not None:
                raise ClientError("USAGE", "the dispute tells which record it is: leave FILE out")
            notice = notices.notice_named(me, dispute, "dispute")
            done = [rectifying.RowCorrected(0, notice.epoch, rectifying.answer_dispute(me, notice, what, reason))]
        elif file is None:
            raise ClientError("USAGE", "name FILE with the records, or the --dispute that you answer")
        elif dispute:
            done = _carry(
                me, notices.notice_named(me, dispute, "dispute"), file, reason, epoch, pairs(columns, "--columns")
            )
        else:
            if not (purpose and scheme):
                raise ClientError("USAGE", "--purpose and --scheme tell what the records of FILE are")
            normal = _normal(file, scheme, pairs(columns, "--columns"))
            _demand_meant(len(normal.keys), records)
            plan = rectifying.Plan(purpose, scheme, what, reason, epoch)
            done = rectifying.correct(me, plan, list(zip(normal.row_numbers, normal.keys, strict=True)))
    _tell_corrected(done, as_json)


def _demand_meant(found: int, stated: int) -> None:
    """A whole register given by mistake for its wrong records would be told to everybody who ever asked."""
    if found > MANY_RECORDS and found != stated:
        raise ClientError(
            "USAGE",
            f"FILE holds {found} records, and every one would be logged and told as wrong; "
            f"give --records {found} when you mean it, or a file of the wrong records alone",
        )


def _carry(
    me: Participant, notice: Notice, file: Path, reason: str, epoch: str, columns: dict[str, str]
) -> list[RowCorrected]:
    from sluis_client import notices, rectifying

    normal = _normal(file, notice.scheme, columns)
    places = notices.places_of(me, notice, normal)
    if not places:
        raise ClientError("ROW_UNKNOWN", "no row of FILE is the disputed record: has it been withdrawn? Then say so")
    into = epoch or me.context(me.purpose(notice.purpose)).epoch
    plan = rectifying.Plan(notice.purpose, notice.scheme, "still-disputed", reason, into, notice.notice)
    return rectifying.correct(me, plan, [(normal.row_numbers[places[0]], normal.keys[places[0]])])


def _normal(file: Path, scheme: str, columns: dict[str, str]) -> NormalisedTable:
    from sluis_client.register_table import scheme_named
    from sluis_client.tables import normalise_table, read_table

    table = read_table(file)
    normal = normalise_table(table, scheme_named(scheme), columns=columns)
    tell_problems(normal.problems, len(table.rows), normal.duplicates)
    if not len(normal.keys):
        raise ClientError("NOTHING_TO_CORRECT", f"none of the {len(table.rows)} rows can be used")
    return normal


def _tell_corrected(done: list[RowCorrected], as_json: bool) -> None:
    value = {
        "corrections": [
            {
                "row": one.row or None,
                "epoch": one.epoch,
                "index": one.done.receipt.index,
                "searched": one.done.searched,
                "unsearched": one.done.unsearched,
            }
            for one in done
        ]
    }
    lines = []
    for one in done:
        which = f"row {one.row}" if one.row else "the disputed record"
        told = f"{one.done.searched} exchange{'' if one.done.searched == 1 else 's'} searched, recipients told"
        lines.append(f"{which}, {one.epoch}: {told}; logged as entry {one.done.receipt.index}")
    erased = sum(one.done.unsearched for one in done)
    if erased:
        lines.append(
            f"{erased} exchanges could NOT be searched: their questions are erased, so their askers cannot be found "
            "by us; tell the parties that asked in that time otherwise (`sluis-client receipts fetch` lists them)"
        )
    emit(value, lines, as_json)


def dispute(
    answers: AnswersArgument,
    *,
    row: RowsOption,
    reason: Annotated[str, typer.Option("--reason", help=f"Why: {', '.join(DISPUTE_REASONS)}.")],
    answerer: OneAnswererOption = "",
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Dispute a hit: its answerer must answer, and until then every later answer marks that record as disputed.

    The answerer learns which record you asked about, and in which exchange.

    \b
    Example: sluis-client dispute answers.csv --row 17 --reason wrong-value
    """
    from sluis_client import rectifying

    _one_of(reason, DISPUTE_REASONS, "--reason")
    made = []
    with participant(profile) as me:
        for hit in rectifying.hits_in(answers, row, answerer, me.profile):
            notice, receipt = rectifying.dispute(me, hit, reason)
            made.append({"row": hit.row, "answerer": hit.answerer, "notice": notice, "index": receipt.index})
    lines = [f"row {one['row']}: disputed, {one['answerer']} is told; notice {one['notice']}" for one in made]
    emit({"disputes": made}, lines, as_json)


def outcome(
    answers: AnswersArgument,
    *,
    row: RowsOption,
    role: Annotated[str, typer.Option("--role", help=f"Function of who compared: {', '.join(ROLES)}.")],
    confirmed: Annotated[bool, typer.Option("--confirmed", help="It is that subject.")] = False,
    rejected: Annotated[bool, typer.Option("--rejected", help="It is another.")] = False,
    answerer: OneAnswererOption = "",
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Report what a person found who compared a match (`human_check`): once for a hit, and it stands in the log.

    \b
    Example: sluis-client outcome answers.csv --row 17 --rejected --role inspector
    """
    from sluis_client import rectifying

    _one_of(role, ROLES, "--role")
    if confirmed == rejected:
        raise ClientError("USAGE", "say --confirmed or --rejected")
    said = "confirmed" if confirmed else "rejected"
    made = []
    with participant(profile) as me:
        for hit in rectifying.hits_in(answers, row, answerer, me.profile):
            receipt = rectifying.report_outcome(me, hit, said, role)
            made.append({"row": hit.row, "answerer": hit.answerer, "outcome": said, "index": receipt.index})
    lines = [f"row {one['row']}: {said}; logged as entry {one['index']}" for one in made]
    emit({"outcomes": made}, lines, as_json)


def notices_list(
    open_only: Annotated[bool, typer.Option("--open", help="Only those that wait for you.")] = False,
    older_than: Annotated[int, typer.Option("--older-than", min=0, help="Open for at least so many days.")] = 0,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what you were told: corrections of records you were given, disputes of records you published.

    Positions are those of column `position` in the answers of that exchange.

    \b
    Example: sluis-client notices list --open --older-than 14
    """
    from sluis_client import notices

    with participant(profile) as me:
        found = notices.listed(me)
        now = me.now()
    if open_only or older_than:
        found = notices.overdue(found, now, older_than)
    value = {"notices": [_notice_json(one, now) for one in found]}
    rows = [("notice", "days", "from", "purpose", "said", "state")]
    rows += [
        (one.notice[:_SHORT], str(one.days(now)), one.said_by, one.purpose, f"{one.what}: {one.reason}", _state(one))
        for one in found
    ]
    lines = list(columned(rows)) if found else ["no notices"]
    for one in found:
        lines += _exchange_lines(one)
        if not one.signature_verified:
            note(f"{one.notice[:_SHORT]}: not signed with {one.said_by}'s present certificate; ask the auditor")
    emit(value, lines, as_json)


def _exchange_lines(notice: Notice) -> list[str]:
    lines = []
    for one in notice.exchanges:
        at = ", ".join(map(str, one.positions)) or "not known any more"
        may = "" if one.certain else " (may have been given)"
        lines.append(
            f"  {notice.notice[:_SHORT]}: exchange {one.exchange} of {one.asked_at:%Y-%m-%d}, position {at}{may}"
        )
    return lines


def _state(notice: Notice) -> str:
    if notice.kind == "dispute" and notice.resolved is not None:
        return "answered"
    if notice.acknowledged is not None:
        return "noted, to answer" if notice.kind == "dispute" else "noted"
    return "to answer" if notice.kind == "dispute" else "to note"


def _notice_json(notice: Notice, now: datetime) -> dict[str, Any]:
    return {
        "notice": notice.notice,
        "kind": notice.kind,
        "at": utc(notice.at),
        "days": notice.days(now),
        "open": notice.is_open,
        "from": notice.said_by,
        "purpose": notice.purpose,
        "epoch": notice.epoch,
        "what": notice.what,
        "reason": notice.reason,
        "exchanges": [
            {
                "exchange": one.exchange,
                "asked_at": utc(one.asked_at),
                "positions": list(one.positions),
                "certain": one.certain,
            }
            for one in notice.exchanges
        ],
        "index": notice.index,
        "acknowledged": notice.acknowledged,
        "resolved": notice.resolved,
        "signature_verified": notice.signature_verified,
    }


def notices_acknowledge(
    notice: Annotated[list[str], typer.Argument(help="Notices, by their ids or how they begin.")],
    done: Annotated[str, typer.Option("--done", help=f"What you did: {', '.join(DONE)}.")] = "noted",
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that you took note, and what you did; signed and logged. A dispute is answered with `correct --dispute`.

    \b
    Example: sluis-client notices acknowledge 2ce4d6d2 --done corrected
    """
    from sluis_client import notices

    _one_of(done, DONE, "--done")
    made = []
    with participant(profile) as me:
        for name in notice:
            one = notices.notice_named(me, name)
            made.append({"notice": one.notice, "index": notices.acknowledge(me, one, done).index})
    emit({"acknowledged": made}, [f"{one['notice']}: logged as entry {one['index']}" for one in made], as_json)


def notices_find(
    notice: Annotated[str, typer.Argument(help="A dispute, by its id or how it begins.")],
    file: Annotated[Path, typer.Argument(help="CSV file of your register.")],
    columns: ColumnsOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell which line of your file is the record that somebody disputes. The file stays here.

    \b
    Example: sluis-client notices find 7b95c6f8 locations.csv
    """
    from sluis_client import notices

    with participant(profile) as me:
        one = notices.notice_named(me, notice, "dispute")
        normal = _normal(file, one.scheme, pairs(columns, "--columns"))
        rows = [normal.row_numbers[place] for place in notices.places_of(me, one, normal)]
    lines = [f"row {row}" for row in rows] or ["no row of this file is that record"]
    emit({"notice": one.notice, "rows": rows}, lines, as_json)


def _one_of(word: str, words: tuple[str, ...], option: str) -> None:
    if word not in words:
        raise ClientError("USAGE", f"{option} is one of: {', '.join(words)}")
