"""`sluis-client receipts | receipt`: what proves an exchange."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sluis_client.cli.session import (
    JsonOption,
    ProfileOption,
    columned,
    emit,
    note,
    participant,
    the_profile,
    witnessed_json,
)
from sluis_client.errors import ClientError, Exit
from sluis_client.private_files import write_private

if TYPE_CHECKING:
    from sluis_client.profile import Profile


def mount(app: typer.Typer) -> None:
    """Adds these commands."""
    receipts = typer.Typer(help="Receipts of this agency's exchanges.", no_args_is_help=True, rich_markup_mode=None)
    receipts.command("fetch")(receipts_fetch)
    app.add_typer(receipts, name="receipts")
    receipt = typer.Typer(help="Receipts in a file.", no_args_is_help=True, rich_markup_mode=None)
    receipt.command("verify")(receipt_verify)
    app.add_typer(receipt, name="receipt")


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
    from sluis_client.receipt_file import Expected, answerer_file, verify_file
    from sluis_client.transport import Receipt
    from sluis_client.witness_cover import covered
    from sluis_client.witnessed import LOG_SIGNED_ONLY

    with participant(profile) as me:
        found: list[Receipt] = []
        at = from_index
        while True:
            page, at = me.transport.receipts(at, exchange)
            if not page:
                break
            found += page
        verify_file(json.dumps(answerer_file(found)).encode(), Expected(me.profile.log_keys))
        if found:
            me.follow([receipt.checkpoint for receipt in found])
            known = me.journal.read().entries
            me.hold(receipt for receipt in found if receipt.index not in known)
        saw, cover = covered(me, [receipt.checkpoint for receipt in found])
        data = json.dumps(answerer_file(found, cover), indent=1).encode() + b"\n"
    write_private(out, data)
    told = str(saw or LOG_SIGNED_ONLY)
    value = {"out": str(out), "receipts": len(found), "next_index": at, "witnessed": witnessed_json(saw)}
    emit(value, [f"{len(found)} receipts verified, {told}; wrote {out}; go on later with --from-index {at}"], as_json)


def receipt_verify(
    file: Annotated[Path, typer.Argument(help="File as `match` or `receipts fetch` wrote it.")],
    party: Annotated[
        str, typer.Option("--party", help="Whose exchanges they must be; left out: the profile's party.")
    ] = "",
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Verify a receipts file offline, with the log keys of the profile alone. Exit code 6: something is wrong.

    What is wrong is told apart: another log, another key, a checkpoint or an entry that was altered, the proof of
    another entry, contents that do not fit the question, or an exchange of others.

    Says too whether the profile's witnesses saw the log that holds them, or whether they are log-signed only.

    \b
    Example: sluis-client receipt verify answers.csv.receipts.json
    """
    from sluis_client.receipt_file import Expected, seen_in, verify_file
    from sluis_client.witnessed import LOG_SIGNED_ONLY, demand

    try:
        data = file.read_bytes()
    except OSError as error:
        raise ClientError("FILE_UNREADABLE", f"cannot read {file}: {error.strerror}; check the path") from None
    known = the_profile(profile)
    whose = party or known.party
    try:
        proven = verify_file(data, Expected(known.log_keys, whose, _own_oin(known) if whose == known.party else ""))
        rule = known.witness_rule
        saw = None if rule is None else seen_in(data, known.log_keys, rule)
        demand(saw, demanded=known.demand_witnessed and bool(proven))
    except ClientError as error:
        if as_json and error.exit_code is Exit.VERIFICATION_FAILED:
            why = getattr(error, "why", "signature")
            emit({"verified": False, "code": error.code, "why": why, "message": error.message}, (), as_json)
        raise
    rows = [("entry", "kind", "asker", "answerer", "says", "at")]
    rows += [(str(one.index), one.kind, one.asker, one.answerer, one.says, one.sequenced_at) for one in proven]
    if not proven:
        note("the file holds no receipts")
    told = str(saw or LOG_SIGNED_ONLY) if rule is not None else f"{LOG_SIGNED_ONLY}: the profile names no witnesses"
    value = {"verified": True, "witnessed": witnessed_json(saw), "receipts": [vars(one) for one in proven]}
    emit(value, [*columned(rows), told, "verified"], as_json)


def _own_oin(known: Profile) -> str:
    """The OIN of the profile's certificate; "" with a word when it is not at hand: receipts are checked without."""
    from sluis_client.certificates import oin_of, read_certificate

    try:
        return oin_of(read_certificate(known.certificate.read_bytes()))
    except (OSError, ClientError):
        note("the profile's certificate cannot be read: whether a question was signed with it is not checked")
        return ""
