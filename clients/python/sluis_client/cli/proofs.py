"""`sluis-client receipts | receipt | log`: what proves an exchange, and that the log only grows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from sluis_client.cli.session import JsonOption, ProfileOption, columned, emit, note, participant, the_profile
from sluis_client.errors import ClientError
from sluis_client.keystore import write_private


def mount(app: typer.Typer) -> None:
    """Adds these commands."""
    receipts = typer.Typer(help="Receipts of this agency's exchanges.", no_args_is_help=True, rich_markup_mode=None)
    receipts.command("fetch")(receipts_fetch)
    app.add_typer(receipts, name="receipts")
    receipt = typer.Typer(help="Receipts in a file.", no_args_is_help=True, rich_markup_mode=None)
    receipt.command("verify")(receipt_verify)
    app.add_typer(receipt, name="receipt")
    log = typer.Typer(help="The exchange log.", no_args_is_help=True, rich_markup_mode=None)
    log.command("checkpoint")(log_checkpoint)
    app.add_typer(log, name="log")


def receipts_fetch(
    out: Annotated[Path, typer.Option("--out", help="File to write.")],
    from_index: Annotated[int, typer.Option("--from-index", min=0, help="Only entries from this index on.")] = 0,
    exchange: Annotated[str, typer.Option("--exchange", help="Only of this exchange.")] = "",
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch and verify the receipts of exchanges in which this agency asked or answered.

    \b
    Example: sluis-client receipts fetch --out receipts.json
    """
    from sluis_client.receipt_file import answerer_file, verify_file
    from sluis_client.transport import Receipt

    with participant(profile) as me:
        found: list[Receipt] = []
        at = from_index
        while True:
            page, at = me.transport.receipts(at, exchange)
            if not page:
                break
            found += page
        data = json.dumps(answerer_file(found), indent=1).encode() + b"\n"
        verify_file(data, me.profile.log_keys)
        if found:
            me.follow([receipt.checkpoint for receipt in found])
    write_private(out, data)
    value = {"out": str(out), "receipts": len(found), "next_index": at}
    emit(value, [f"{len(found)} receipts verified; wrote {out}; go on later with --from-index {at}"], as_json)


def receipt_verify(
    file: Annotated[Path, typer.Argument(help="File as `match` or `receipts fetch` wrote it.")],
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Verify a receipts file offline, with the log keys of the profile alone. Exit code 6: something is wrong.

    \b
    Example: sluis-client receipt verify answers.csv.receipts.json
    """
    from sluis_client.receipt_file import verify_file

    try:
        data = file.read_bytes()
    except OSError as error:
        raise ClientError("FILE_UNREADABLE", f"cannot read {file}: {error.strerror}; check the path") from None
    proven = verify_file(data, the_profile(profile).log_keys)
    rows = [("entry", "kind", "asker", "answerer", "says", "at")]
    rows += [(str(one.index), one.kind, one.asker, one.answerer, one.says, one.sequenced_at) for one in proven]
    if not proven:
        note("the file holds no receipts")
    value = {"verified": True, "receipts": [vars(one) for one in proven]}
    emit(value, [*columned(rows), "verified"], as_json)


def log_checkpoint(profile: ProfileOption = None, as_json: JsonOption = False) -> None:
    """Fetch the log's newest checkpoint and prove that the log grew from the one kept here. Exit code 6: it did not.

    \b
    Example: sluis-client log checkpoint
    """
    with participant(profile) as me:
        before = me.keystore.checkpoint()
        head, text = me.newest_checkpoint()
    value = {"origin": head.origin, "size": head.size, "root": head.root.hex(), "checkpoint": text}
    grown = "first checkpoint kept here" if before is None else "proven to hold all that was shown before"
    emit(value, [f"{head.origin}: {head.size} entries, root {head.root.hex()}", grown], as_json)
