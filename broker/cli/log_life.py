"""`sluis high-water`: the file that tells at start whether the log is all of what was acknowledged."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from broker.config import load_config
from broker.errors import Code, SluisError

_Config = Annotated[Path, typer.Option("--config", help="The broker's configuration file.")]
_DEFAULT = Path("broker.yaml")


def mount(app: typer.Typer) -> None:
    """Adds these commands."""
    group = typer.Typer(
        help="The mark outside the database of what was acknowledged.", no_args_is_help=True, rich_markup_mode=None
    )
    group.command("begin")(high_water_begin)
    group.command("show")(high_water_show)
    app.add_typer(group, name="high-water")


def high_water_begin(
    config: _Config = _DEFAULT,
    replace: Annotated[
        bool, typer.Option("--replace", help="Set a damaged file, or one of another log, aside.")
    ] = False,
) -> None:
    """Make the high-water file of a log that is there already, from its newest checkpoint.

    Compare the log with what others hold first: whatever it lacks now is not missed any more.
    A new log makes its own file.

    Example: sluis high-water begin --config broker.yaml
    """
    from broker.log_life import make_high_water

    loaded = load_config(config)
    mark = make_high_water(loaded, datetime.now(UTC), replace=replace)
    print(
        f"wrote {loaded.high_water}: {mark.origin}, {mark.size} entries; restart the broker so that it moves the mark"
    )


def high_water_show(
    config: _Config = _DEFAULT,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Print the mark: how many entries were acknowledged, and when. Works beside a running broker.

    Example: sluis high-water show --config broker.yaml
    """
    from broker.app import high_water_mark

    mark = high_water_mark(load_config(config))
    if mark is None:
        raise SluisError(Code.NOT_FOUND, "broker.yaml sets no high_water; set a path on another volume than data")
    if as_json:
        value = {"origin": mark.origin, "size": mark.size, "root": mark.root.hex(), "at": mark.at.isoformat()}
        print(json.dumps({**value, "generation": mark.generation, "next": mark.next or None, "checkpoint": mark.note}))
        return
    print(f"log         {mark.origin}")
    print(f"entries     {mark.size}")
    print(f"root        {mark.root.hex()}")
    print(f"moved       {mark.at:%Y-%m-%d %H:%M:%S} UTC, by start {mark.generation} of the broker")
    if mark.next:
        print(f"followed by {mark.next}")
