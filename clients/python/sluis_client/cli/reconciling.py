"""`sluis-client reconcile`: does the log say of this agency what the agency did?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sluis_client.caution import keep_apart, refuse_person_numbers
from sluis_client.cli.session import JsonOption, ProfileOption, emit, participant, progress
from sluis_client.errors import ClientError, Exit
from sluis_client.private_files import write_private

if TYPE_CHECKING:
    from sluis_client.profile import Profile
    from sluis_client.reconciling import Reconciled
    from sluis_client.transport import Receipt


def mount(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("reconcile")(reconcile)


def reconcile(
    *,
    out: Annotated[Path | None, typer.Option("--out", help="Write the result as JSON here.")] = None,
    whole: Annotated[
        bool, typer.Option("--all", help="From the first entry, not from where the last run ended.")
    ] = False,
    receipts: Annotated[
        list[Path] | None, typer.Option("--receipts", help="Receipts file that the log must still hold; repeat.")
    ] = None,
    journal: Annotated[
        list[Path] | None,
        typer.Option("--journal", help="journal.jsonl of another machine of this agency; repeat."),
    ] = None,
    accept: Annotated[
        int | None, typer.Option("--accept", min=0, help="What was found about this entry is explained (--because).")
    ] = None,
    because: Annotated[str, typer.Option("--because", help="Why, with --accept; kept in the state directory.")] = "",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing when all fits: for a scheduler.")] = False,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare what the log says of this agency with what the agency itself signed and holds receipts of.

    Each entry is proven to stand in the log. Found are questions, registers, keys and withdrawals in your name that
    were not made here, answers from registers that you never published, and entries that were proven to you and are
    gone. Goes on where the last run ended. Exit codes: 0 all fits, 6 something does not (until it is accepted).

    \b
    Example: sluis-client reconcile --quiet --out reconciled.json
    """
    from sluis_client import reconciling

    if (accept is None) != (not because.strip()):
        raise ClientError("USAGE", "--accept and --because belong together")
    refuse_person_numbers(because, "--because")
    if out is not None:
        keep_apart([out], *(receipts or ()), *(journal or ()))
    with participant(profile) as me:
        if accept is not None:
            done = reconciling.accept(me, accept, because.strip())
            emit(
                {"accepted": [vars(one) for one in done]},
                [f"accepted: entry {one.index} {one.code}" for one in done],
                as_json,
            )
            return
        extra = [receipt for file in receipts or () for receipt in _receipts_of(file, me.profile)]
        with progress() as show:
            found = reconciling.reconcile(me, whole=whole, journals=journal or (), receipts=extra, progress=show)
    value = _json(found)
    if out is not None:
        write_private(out, json.dumps(value, indent=1).encode() + b"\n")
    if not quiet or found.open or as_json:
        emit(value, _told(found), as_json)
    if found.open:
        raise typer.Exit(int(Exit.VERIFICATION_FAILED))


def _receipts_of(file: Path, known: Profile) -> tuple[Receipt, ...]:
    from sluis_client.receipt_file import Expected, receipts_in, verify_file

    try:
        data = file.read_bytes()
    except OSError as error:
        raise ClientError("FILE_UNREADABLE", f"cannot read {file}: {error.strerror}; check the path") from None
    verify_file(data, Expected(known.log_keys, known.party))
    return receipts_in(data)


def _json(found: Reconciled) -> dict[str, Any]:
    from sluis_client.reconcile import NOT_COMPARED

    return {
        "fits": not found.open,
        "from_index": found.from_index,
        "next_index": found.size,
        "entries": found.entries,
        "kinds": found.counts,
        "asked_by": found.asked_by,
        "before_journal": found.before_journal,
        "found": [vars(one) for one in found.found],
        "open": [vars(one) for one in found.open],
        "accepted": found.accepted,
        "not_compared": list(NOT_COMPARED),
    }


def _told(found: Reconciled) -> Iterator[str]:
    from sluis_client.reconcile import NOT_COMPARED

    kinds = ", ".join(f"{count} {kind}" for kind, count in found.counts.items()) or "none"
    span = f"entries {found.from_index} to {found.size - 1}" if found.size > found.from_index else "nothing new"
    yield f"{span}: {found.entries} about you, each proven ({kinds})"
    if found.asked_by:
        yield "you were asked by: " + ", ".join(f"{name} ({count})" for name, count in found.asked_by.items())
    if found.before_journal:
        yield f"{found.before_journal} of them are older than your journal and were not compared"
    for one in found.found:
        if not one.grave:
            yield f"look at entry {one.index} {one.code}: {one.text}"
    for one in found.open:
        yield f"NOT RIGHT entry {one.index} {one.code}: {one.text}"
    if found.open:
        yield "tell the operator and the auditor; what you can explain: reconcile --accept ENTRY --because WHY"
    else:
        yield "all fits" + (f" ({found.accepted} accepted before)" if found.accepted else "")
    yield from (f"not compared: {text}" for text in NOT_COMPARED)
