"""`sluis-client unusual explain`: what was behind use that stood out, said in the log by the party whose it was."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sluis_client.cli.session import JsonOption, ProfileOption, emit, participant
from sluis_client.statement_shapes import EXPLANATIONS


def mount(app: typer.Typer) -> None:
    """Adds these commands."""
    unusual = typer.Typer(help="Use that stood out in the log.", no_args_is_help=True, rich_markup_mode=None)
    unusual.command("explain")(explain_item)
    app.add_typer(unusual, name="unusual")


def explain_item(
    listed: Annotated[
        Path, typer.Argument(help="What `sluis audit unusual --json` printed.", exists=True, dir_okay=False)
    ],
    item: Annotated[str, typer.Option("--item", help="The item's id, 32 hex digits.")],
    explanation: Annotated[
        str,
        typer.Option("--as", help=f"One of: {', '.join(EXPLANATIONS)}."),
    ],
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Explain one item of an auditor's list, signed and logged. There is no room for free text.

    planned: a planned campaign. backlog: arrears worked off. urgent: an urgent case. test: a trial of own systems.
    technical: a fault of them. mistake: it should not have been asked. examining: still being looked into.

    \b
    Example: sluis-client unusual explain november.json --item 0f3c... --as planned
    """
    from sluis_client.unusual_use import explain, read_item

    if explanation not in EXPLANATIONS:
        raise typer.BadParameter(f"is one of: {', '.join(EXPLANATIONS)}", param_hint="--as")
    facts = read_item(listed.read_bytes(), item)
    with participant(profile) as me:
        receipt = explain(me, facts, explanation)
    emit(
        {"item": item, "explanation": explanation, "index": receipt.index},
        [f"explained as {explanation}; it stands in the log as entry {receipt.index}"],
        as_json,
    )
