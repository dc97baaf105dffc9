"""`sluis-client answer`: for an answerer that deposits no register."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sluis_client.cli.answerer import DelimiterOption, EncodingOption, SchemeOption, StrictOption, ZerosOption, rules_of
from sluis_client.cli.keys import PurposeOption
from sluis_client.cli.session import (
    ColumnsOption,
    JsonOption,
    ProfileOption,
    day,
    emit,
    note,
    pairs,
    participant,
    tell_problems,
)
from sluis_client.errors import ClientError, Exit

if TYPE_CHECKING:
    from sluis_client.live import LiveAnswerer, Told

_LONGEST_PAUSE = 30.0


def mount(app: typer.Typer) -> None:
    """Adds this command."""
    app.command("answer")(answer)


def answer(
    *,
    records: Annotated[Path, typer.Option("--records", help="CSV file with a header line; it stays here.")],
    purpose: PurposeOption,
    scheme: SchemeOption,
    as_of: Annotated[str, typer.Option("--as-of", help="The day at which the data stood, such as 2026-11-20.")],
    coverage: Annotated[str, typer.Option("--coverage", help="What the file covers, in words for askers.")],
    watch: Annotated[bool, typer.Option("--watch", help="Go on until interrupted.")] = False,
    once: Annotated[bool, typer.Option("--once", help="Answer what waits now, then end.")] = False,
    columns: ColumnsOption = None,
    attributes: Annotated[
        list[str] | None, typer.Option("--map", help="attribute=header, where the header is named otherwise.")
    ] = None,
    codes: Annotated[
        list[str] | None, typer.Option("--code", help="word=code, where the file has another word for a code.")
    ] = None,
    rules: Annotated[
        list[str] | None, typer.Option("--rules", help="Row rule that you applied to the file: name=value.")
    ] = None,
    strict: StrictOption = False,
    restore_zeros: ZerosOption = False,
    in_delimiter: DelimiterOption = None,
    encoding: EncodingOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answer questions from a file that stays here, while their askers wait. The policy must name you: `answers_live`.

    Only records that are asked for leave, sealed; each answer is signed and logged. What opens it is kept here.

    Start it again for a newer file. Killed and started again, it answers what still waits.

    \b
    Example: sluis-client answer --watch --purpose snf-locatie --scheme bag --records locations.csv \\
      --as-of 2026-11-20 --coverage "all certified locations" --map beds="Aantal bedden"
    """
    from sluis_client.live import LiveAnswerer, demand_live
    from sluis_client.register_table import Plan, prepare
    from sluis_client.tables import read_table

    if watch == once:
        raise typer.BadParameter("say --watch, or --once", param_hint="--watch")
    table = read_table(records, delimiter=in_delimiter, encoding=encoding)
    told: list[Told] = []
    with participant(profile) as me:
        view = me.purpose(purpose)
        demand_live(me, view)
        plan = Plan(
            purpose=purpose,
            scheme=scheme,
            as_of=day(as_of, "--as-of"),
            coverage=coverage,
            columns=pairs(columns, "--columns"),
            attributes=pairs(attributes, "--map"),
            codes=pairs(codes, "--code"),
            rules=rules_of(view, pairs(rules, "--rules")),
            strict=strict,
            restore_zeros=restore_zeros,
        )
        prepared = prepare(view, plan, table)
        tell_problems(prepared.problems, len(table.rows), prepared.duplicates)
        answerer = LiveAnswerer(me, plan, prepared)
        if once:
            answerer.watch(0, stop=_until_none(told))
        else:
            note(f"answering {purpose} from {len(prepared.keys)} records; interrupt to end")
            _watch(answerer, told)
    answered = sum(one.index is not None for one in told)
    emit({"answered": answered, "not_answered": len(told) - answered}, [f"{answered} questions answered"], as_json)


def _until_none(told: list[Told]) -> Callable[[Told | None], bool]:
    def stop(one: Told | None) -> bool:
        if one is not None:
            _tell(told, one)
        return one is None

    return stop


def _watch(answerer: LiveAnswerer, told: list[Told]) -> None:
    """Until interrupted; a broker out of reach is waited for."""
    from sluis_client.live import WAIT_SECONDS

    pause = 1.0
    last = time.monotonic()

    def stop(one: Told | None) -> bool:
        nonlocal pause, last
        pause = 1.0
        if one is not None:
            _tell(told, one)
        elif time.monotonic() - last < 1.0:
            time.sleep(1.0)  # the broker had no room for one more that waits
        last = time.monotonic()
        return False

    try:
        while True:
            try:
                answerer.watch(WAIT_SECONDS, stop=stop)
            except ClientError as error:
                if error.exit_code is not Exit.BROKER_UNREACHABLE:
                    raise
                note(f"{error.code}: {error.message}; trying again in {pause:.0f} seconds")
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
    except KeyboardInterrupt:
        return


def _tell(told: list[Told], one: Told) -> None:
    told.append(one)
    if one.index is not None:
        note(f"answered {one.exchange} of {one.asker}; logged as entry {one.index}")
    else:
        note(f"not answered: {one.exchange or 'a question'}: {one.refused or 'its purpose was closed meanwhile'}")
