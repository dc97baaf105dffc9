"""`sluis-client canaries set | clear | list`: subjects that do not exist, and who asked for one."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from sluis_client.cli.keys import PurposeOption
from sluis_client.cli.session import (
    ColumnsOption,
    EpochOption,
    JsonOption,
    ProfileOption,
    columned,
    emit,
    pairs,
    participant,
    progress,
    tell_problems,
)
from sluis_client.errors import ClientError

SchemeOption = Annotated[str, typer.Option("--scheme", help="Identifier scheme, such as bag or bsn.")]


def mount(app: typer.Typer) -> None:
    """Adds these commands."""
    canaries = typer.Typer(
        help="Subjects that do not exist, and who asked for one.", no_args_is_help=True, rich_markup_mode=None
    )
    canaries.command("set")(set_list)
    canaries.command("clear")(clear)
    canaries.command("list")(sightings)
    app.add_typer(canaries, name="canaries")


def set_list(
    file: Annotated[Path, typer.Argument(help="CSV file with identifiers that are nobody's.")],
    *,
    purpose: PurposeOption,
    scheme: SchemeOption,
    epoch: EpochOption = "",
    columns: ColumnsOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set canaries beside your register, in the place of those before. They are never a hit.

    Take identifiers that pass their check digits and were given to nobody: whoever asks for one made it up, or goes
    through a list. Every row must be usable. Canaries hold for one key epoch; set them again in the next.

    \b
    Example: sluis-client canaries set nobody.csv --purpose snf-locatie --scheme bag
    """
    from sluis_client import canaries
    from sluis_client.register_table import scheme_named
    from sluis_client.tables import normalise_table, read_table

    table = read_table(file)
    normal = normalise_table(table, scheme_named(scheme), columns=pairs(columns, "--columns"))
    tell_problems(normal.problems, len(table.rows), normal.duplicates)
    if normal.problems:
        text = f"{len(normal.problems)} of {len(table.rows)} rows cannot be used, and every canary must be"
        raise ClientError("ROWS_REFUSED", f"{text}; repair the file")
    if not len(normal.keys):
        raise ClientError(
            "NOTHING_TO_PUBLISH", "the file has no row; to have no canaries any more use `canaries clear`"
        )
    with participant(profile) as me, progress() as shown:
        named, receipt = canaries.set_canaries(me, purpose, scheme, normal.keys, epoch=epoch, progress=shown)
    value = {"purpose": purpose, "scheme": scheme, "epoch": named, "canaries": len(normal.keys), "index": receipt.index}
    emit(value, [f"{len(normal.keys)} canaries set for {purpose} {named}; entry {receipt.index}"], as_json)


def clear(
    *,
    purpose: PurposeOption,
    scheme: SchemeOption,
    epoch: EpochOption = "",
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have no canaries any more for a purpose, scheme and epoch.

    \b
    Example: sluis-client canaries clear --purpose snf-locatie --scheme bag
    """
    from sluis_client import canaries

    with participant(profile) as me:
        named, receipt = canaries.set_canaries(me, purpose, scheme, (), epoch=epoch)
    value = {"purpose": purpose, "scheme": scheme, "epoch": named, "canaries": 0, "index": receipt.index}
    emit(value, [f"no canaries any more for {purpose} {named}; entry {receipt.index}"], as_json)


def sightings(*, profile: ProfileOption = None, as_json: JsonOption = False) -> None:
    """List who asked for your canaries, as the log proves it. Their askers do not see these entries.

    \b
    Example: sluis-client canaries list
    """
    from sluis_client import canaries

    with participant(profile) as me, progress() as shown:
        found = canaries.sightings(me, progress=shown)
    head = ("entry", "logged", "purpose", "asked by", "canaries", "exchange")
    rows = [(str(one.index), one.at, one.purpose, one.asked_by, str(one.rows), one.exchange) for one in found]
    lines = list(columned([head, *rows])) if rows else ["nobody asked for a canary of yours"]
    emit({"sightings": [asdict(one) for one in found]}, lines, as_json)
