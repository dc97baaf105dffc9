"""`sluis-client watch add | list | run | remove`: to be told when a newer register changes an answer."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
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
from sluis_client.cli.match import Sheet, answer_told, receipts_in, receipts_of
from sluis_client.cli.question import AnswererOption, BehalfOption, CaseOption, CooperationOption, WantOption, wanted
from sluis_client.cli.session import (
    ColumnsOption,
    JsonOption,
    ProfileOption,
    columned,
    decision_lines,
    emit,
    names,
    note,
    pairs,
    participant,
    progress,
    tell_problems,
)
from sluis_client.errors import ClientError, Exit

if TYPE_CHECKING:
    from sluis_client.ask import Asked, Plan
    from sluis_client.participant import Participant
    from sluis_client.watch import Source, Watch
    from sluis_client.watching import Rows

LEAST_MINUTES = 5
NameArgument = Annotated[str, typer.Argument(help="The name of the watch; see `watch list`.")]


def mount(app: typer.Typer) -> None:
    """Adds these commands."""
    watch = typer.Typer(
        help="Standing questions: be told when a newer register changes an answer.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    watch.command("add")(add)
    watch.command("list")(listed)
    watch.command("run")(run)
    watch.command("remove")(remove)
    app.add_typer(watch, name="watch")


def add(
    file: FileArgument,
    *,
    purpose: PurposeOption,
    scheme: SchemeOption,
    answerer: AnswererOption,
    out: Annotated[Path, typer.Option("--out", help="CSV file for the first answers; receipts go beside it.")],
    name: Annotated[str, typer.Option("--name", help="What to call the watch; left out: a random name.")] = "",
    reference: Annotated[
        str, typer.Option("--reference", help="Column of FILE by which notices name a row, such as your file number.")
    ] = "",
    want: WantOption = None,
    case_number: CaseOption = "",
    cooperation_ref: CooperationOption = "",
    on_behalf_of: BehalfOption = "",
    columns: ColumnsOption = None,
    strict: StrictOption = False,
    restore_zeros: ZerosOption = False,
    in_delimiter: DelimiterOption = None,
    encoding: EncodingOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask a question, and keep it standing: `watch run` puts it again when an answerer has published a newer register.

    The purpose must allow it (`standing_questions`). FILE stays where it is and is read again each time; nothing of it
    is kept here. Hits and attributes can be watched; counts cannot.

    \b
    Example: sluis-client watch add addresses.csv --purpose snf-locatie --scheme bag --answerer snf \\
      --want certificate-status --reference Dossier --out answers.csv --name certificates
    """
    from sluis_client.ask import Plan
    from sluis_client.watch import Source

    keep_apart([out, receipts_of(out)], file)
    learn = wanted(want, hit=True, count=False)
    plan = Plan(purpose, scheme, names(answerer), learn, "", case_number, cooperation_ref, on_behalf_of)
    place = pairs(columns, "--columns")
    source = Source(str(file.absolute()), place, reference, strict, restore_zeros, in_delimiter, encoding)
    _add(profile, plan, source, name=name, out=out, as_json=as_json)


def _add(profile: Path | None, plan: Plan, source: Source, *, name: str, out: Path, as_json: bool) -> None:
    from sluis_client.ask import finish
    from sluis_client.register_table import scheme_named
    from sluis_client.watch import keep
    from sluis_client.watching import begin

    source, rows = _named_and_read(source, plan.scheme)
    table, normal = rows
    tell_problems(normal.problems, len(table.rows), normal.duplicates)
    kept = (source.reference,) if source.reference else ()
    sheet = Sheet.of(out, table, normal, scheme_named(plan.scheme), keep=kept)
    sheet.check()
    with participant(profile) as me, me.keystore.watch_lock():
        with progress() as shown:
            watch, asked = begin(me, plan, source, rows, name=name, out=str(out.absolute()), progress=shown)
        _write_first(me, sheet, asked)
        if watch is not None:
            keep(me.keystore, watch)
        finish(me, asked)
    if watch is None:
        denied = [
            line for one in asked.answers for line in decision_lines(one.answerer, one.decision, all_checks=False)
        ]
        emit({"watch": None, "exchange": asked.request_id}, [*denied, "nothing is watched"], as_json)
        raise typer.Exit(int(Exit.POLICY_DENIED))
    value = {"watch": watch.name, "exchange": asked.request_id, "subjects": len(normal.keys), "out": str(out)}
    told = (line for answer in asked.answers for line in answer_told(answer, sheet.scheme, count=False))
    emit(value, [*told, f"answers: {out}", f"watched as {watch.name}; be told with `sluis-client watch run`"], as_json)


def listed(*, profile: ProfileOption = None, as_json: JsonOption = False) -> None:
    """Show the standing questions of this agency. Nobody is asked anything.

    \b
    Example: sluis-client watch list
    """
    from sluis_client.cli.session import the_profile
    from sluis_client.party_keys import keystore_of

    keystore = keystore_of(the_profile(profile))
    watches = _all(keystore)
    rows = [["name", "purpose", "asked of", "epoch", "first asked", "register versions"]]
    for watch in watches:
        versions = ", ".join(f"{name} {known.version or 'none'}" for name, known in sorted(watch.known.items()))
        rows.append(
            [watch.name, watch.plan.purpose, ", ".join(watch.plan.answerers), watch.epoch, watch.asked_at, versions]
        )
    value = {
        "watches": [
            {
                "name": watch.name,
                "purpose": watch.plan.purpose,
                "answerers": list(watch.plan.answerers),
                "epoch": watch.epoch,
                "first": watch.first,
                "asked_at": watch.asked_at,
                "file": watch.source.file,
                "versions": {name: known.version for name, known in watch.known.items()},
                "untold": len(watch.untold),
            }
            for watch in watches
        ]
    }
    emit(value, columned(rows) if watches else ["nothing is watched"], as_json)


def remove(name: NameArgument, *, profile: ProfileOption = None, as_json: JsonOption = False) -> None:
    """Watch no longer. What was kept of the question and of its answers is overwritten; your files stay.

    \b
    Example: sluis-client watch remove certificates
    """
    from sluis_client.cli.session import the_profile
    from sluis_client.party_keys import keystore_of
    from sluis_client.watch import KIND, load

    keystore = keystore_of(the_profile(profile))
    with keystore.watch_lock():
        load(keystore, name)
        keystore.destroy_record(KIND, name)
    emit({"removed": name}, [f"{name} is watched no longer"], as_json)


def run(
    name: Annotated[list[str] | None, typer.Argument(help="Which watches; left out: all.")] = None,
    *,
    once: Annotated[bool, typer.Option("--once", help="Look once and end, as from a timer.")] = False,
    every: Annotated[int, typer.Option("--every", help="Minutes between two looks, at least 5.")] = 60,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look whether answerers have published something newer, ask them, and tell what changed.

    Each look that finds something newer costs one question of the day's budget for each watch; one that finds nothing
    costs nothing. With --json each notice is one line. Killed and started again it tells what was not told to the end.

    Exit code with --once: 0 when every watch was looked at; else that of the last trouble.

    \b
    Example: sluis-client watch run --once
    """
    if every < LEAST_MINUTES:
        raise typer.BadParameter(f"at least {LEAST_MINUTES}", param_hint="--every")
    try:
        while True:
            code = _look_at_all(profile, name or [], as_json=as_json, once=once)
            if once:
                raise typer.Exit(int(code))
            time.sleep(timedelta(minutes=every).total_seconds())
    except KeyboardInterrupt:
        return


def _look_at_all(profile: Path | None, wanted_names: list[str], *, as_json: bool, once: bool) -> Exit:
    """One look at every watch; a broker out of reach is told, and waited for unless `once`."""
    from sluis_client.watch import load

    code, looked = Exit.OK, 0
    try:
        with participant(profile) as me:
            chosen = wanted_names or [watch.name for watch in _all(me.keystore)]
            for name in chosen:
                with me.keystore.watch_lock():
                    watch = load(me.keystore, name)
                    _tell_again(me, watch, as_json=as_json)
                    try:
                        _look(me, watch, as_json=as_json)
                        looked += 1
                    except ClientError as error:
                        if error.exit_code in (Exit.BROKER_UNREACHABLE, Exit.VERIFICATION_FAILED, Exit.INTERNAL):
                            raise
                        code = error.exit_code
                        note(f"{name}: {error.code}: {error.message}")
            if not chosen:
                note("nothing is watched; begin with `sluis-client watch add`")
    except ClientError as error:
        if once or error.exit_code is not Exit.BROKER_UNREACHABLE:
            raise
        code = error.exit_code
        note(f"{error.code}: {error.message}; looking again later")
    return code


def _look(me: Participant, watch: Watch, *, as_json: bool) -> None:
    from sluis_client.watching import look, told

    with progress() as shown:
        looked = look(
            me,
            watch,
            lambda source: _named_and_read(source, watch.plan.scheme)[1],
            shown,
            lambda asked: _write_receipts(me, watch, asked),
        )
    for line in looked.said:
        note(f"{watch.name}: {line}")
    if looked.asked is None:
        note(f"{watch.name}: nothing newer")
    elif not watch.untold:
        note(f"{watch.name}: asked as exchange {looked.asked.request_id}; nothing changed")
    _tell(watch, as_json=as_json, again=False)
    told(me, looked)


def _tell_again(me: Participant, watch: Watch, *, as_json: bool) -> None:
    """What a run before kept, and may have told."""
    from sluis_client.watching import Looked, told

    if watch.untold:
        _tell(watch, as_json=as_json, again=True)
        told(me, Looked(watch, None, ()))


def _tell(watch: Watch, *, as_json: bool, again: bool) -> None:
    """Every notice that waits."""
    for notice in watch.untold:
        if as_json:
            value = {"watch": watch.name, **notice, "perhaps_told_before": again}
            print(json.dumps(value, ensure_ascii=False), flush=True)
            continue
        for line in _notice_lines(watch, notice, again=again):
            print(line, flush=True)


def _notice_lines(watch: Watch, notice: Mapping[str, Any], *, again: bool) -> Iterator[str]:
    from sluis_client.watch import words_of

    before = " (perhaps told before)" if again else ""
    yield (
        f"{watch.name}: {notice['answerer']} version {notice['from_version'] or 'none'} -> {notice['to_version']}: "
        f"{len(notice['changes'])} changed; exchange {notice['exchange']}, entry {notice['entry']}{before}"
    )
    for change in notice["changes"]:
        where = f"row {change['row']}" + (f" ({change['reference']})" if change["reference"] else "")
        now = "; ".join(words_of(state) for state in change["now"]) or "no hit"
        yield f"  {where}: {change['before'] or 'not answered'} -> {now}"


def _named_and_read(source: Source, scheme: str) -> tuple[Source, Rows]:
    """The file as it is now, and the source with its column of reference by its title. Raises COLUMN_MISSING."""
    from dataclasses import replace

    from sluis_client.headers import named_column
    from sluis_client.register_table import scheme_named
    from sluis_client.tables import normalise_table, read_table

    table = read_table(Path(source.file), delimiter=source.delimiter, encoding=source.encoding)
    if source.reference:
        place = named_column(table.header, source.reference, source.reference)
        source = replace(source, reference=table.header[place])
    normal = normalise_table(
        table, scheme_named(scheme), columns=source.columns, strict=source.strict, restore_zeros=source.restore_zeros
    )
    return source, (table, normal)


def _write_first(me: Participant, sheet: Sheet, asked: Asked) -> None:
    from sluis_client.witness_cover import covered

    _, cover = covered(me, [one.checkpoint for answer in asked.answers for one in receipts_in(answer)])
    sheet.write(asked, me.key.certificate, cover, count=False)


def _write_receipts(me: Participant, watch: Watch, asked: Asked) -> None:
    """Beside the first answers, one file for each exchange."""
    from sluis_client.private_files import write_private
    from sluis_client.receipt_file import asker_file
    from sluis_client.witness_cover import covered

    _, cover = covered(me, [one.checkpoint for answer in asked.answers for one in receipts_in(answer)])
    receipts = asker_file(asked.posed.signed, me.key.certificate, asked.answers, cover)
    path = Path(f"{watch.out}.{asked.request_id[:8]}.receipts.json")
    write_private(path, json.dumps(receipts, indent=1).encode() + b"\n")
    note(f"{watch.name}: receipts: {path}")


def _all(keystore: Any) -> list[Watch]:
    from sluis_client.watch import KIND, load

    return [load(keystore, name) for name in keystore.record_names(KIND)]
