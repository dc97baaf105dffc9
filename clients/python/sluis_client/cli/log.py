"""`sluis-client log`: that the exchange log only grew, and that everybody is shown the same one."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sluis_client.caution import keep_apart
from sluis_client.cli.session import JsonOption, ProfileOption, emit, participant, the_profile, witnessed_json
from sluis_client.errors import ClientError, Exit
from sluis_client.private_files import write_private

if TYPE_CHECKING:
    from sluis_client.compare import Compared, Comparison

_WORDS = {"same": "same log", "fork": "FORK, proven", "unproven": "CANNOT TELL", "refused": "REFUSED"}


def mount(app: typer.Typer) -> None:
    """Adds these commands."""
    log = typer.Typer(help="The exchange log.", no_args_is_help=True, rich_markup_mode=None)
    log.command("checkpoint")(log_checkpoint)
    log.command("compare")(log_compare)
    log.command("evidence")(log_evidence)
    app.add_typer(log, name="log")


def log_checkpoint(
    out: Annotated[Path | None, typer.Option("--out", help="Write the checkpoint here, for others to compare.")] = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch the log's newest checkpoint and prove that the log grew from the one kept here. Exit code 6: it did not.

    \b
    Example: sluis-client log checkpoint --out checkpoint-utrecht.txt
    """
    if out is not None:
        keep_apart([out])
    with participant(profile) as me:
        before = me.keystore.checkpoint()
        head, text = me.newest_checkpoint()
    if out is not None:
        write_private(out, text.encode())
    value = {"origin": head.origin, "size": head.size, "root": head.root.hex(), "checkpoint": text}
    grown = "first checkpoint kept here" if before is None else "proven to hold all that was shown before"
    wrote = [f"wrote {out}: give it to other parties and the auditor to compare"] if out is not None else []
    emit(value, [f"{head.origin}: {head.size} entries, root {head.root.hex()}", grown, *wrote], as_json)


def log_compare(
    files: Annotated[
        list[Path],
        typer.Argument(help="Checkpoints of other parties: signed notes or receipts files; - reads a pasted note."),
    ],
    evidence: Annotated[
        Path | None, typer.Option("--evidence", help="Write what proves a fork here; it is also kept in the state.")
    ] = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare checkpoints of other parties with this agency's: a broker that shows two logs is found here.

    Says too whether the profile's witnesses saw this agency's newest, or whether it is log-signed only.

    Exit codes: 0 all are of one log, 6 a fork, or the broker gives no proof, or a file is not signed by the log, 7 the
    broker is out of reach and the sizes differ.

    \b
    Example: sluis-client log compare checkpoint-snf.txt checkpoint-auditor.txt
    """
    from sluis_client.compare import compare
    from sluis_client.witness_cover import covered
    from sluis_client.witnessed import LOG_SIGNED_ONLY

    if evidence is not None:
        keep_apart([evidence], *files)
    sources = [(str(file), _read(file)) for file in files]
    with participant(profile) as me:
        found = compare(me, sources)
        kept = [
            str(me.keep_evidence("LOG_FORKED" if one.verdict == "fork" else "LOG_UNPROVEN", one.evidence))
            for one in found.compared
            if one.evidence is not None
        ]
        sound = found.online and all(one.verdict == "same" for one in found.compared)
        saw = covered(me, [found.own.note])[0] if sound else None
    forks = [one.evidence for one in found.compared if one.verdict == "fork" and one.evidence is not None]
    if forks and evidence is not None:
        write_private(evidence, json.dumps(forks[0].as_json("LOG_FORKED"), indent=1, sort_keys=True).encode() + b"\n")
        kept.append(str(evidence))
    value = {
        "own": {
            "size": found.own.head.size,
            "root": found.own.head.root.hex(),
            "witnessed": witnessed_json(saw),
        },
        "online": found.online,
        "compared": [_json(one) for one in found.compared],
        "evidence": kept,
    }
    emit(value, _told(found, kept, LOG_SIGNED_ONLY if saw is None else str(saw)), as_json)
    code = _exit_of(found)
    if code:
        raise typer.Exit(int(code))


def log_evidence(
    file: Annotated[Path, typer.Argument(help="Evidence file as `log compare` wrote it.")],
    log_key: Annotated[
        list[str] | None, typer.Option("--log-key", help="The log's verifier key; left out: those of the profile.")
    ] = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check offline whether an evidence file proves that the log forked. Exit code 0: it does; 6: it does not.

    \b
    Example: sluis-client log evidence fork.json --log-key "sluis.example/test-2026+f662a43b+AcprUf..."
    """
    from sluis_client.forks import check_evidence, read_evidence

    keys = tuple(log_key) if log_key else the_profile(profile).log_keys
    proven, old, new = check_evidence(read_evidence(_read(file)), keys)
    value = {
        "fork": proven,
        "origin": old.origin,
        "checkpoints": [{"size": head.size, "root": head.root.hex()} for head in (old, new)],
    }
    lines = [f"{head.origin} signed: {head.size} entries, root {head.root.hex()}" for head in (old, new)]
    if not proven:
        lines.append("not a proof: both are signed, and the file does not show that they contradict each other")
    elif old.size == new.size:
        lines.append("PROVEN FORK: one key signed two roots for one size; no honest log does")
    else:
        lines.append(f"PROVEN FORK: the larger log does not begin with the {old.size} entries of the smaller")
    emit(value, lines, as_json)
    if not proven:
        raise typer.Exit(int(Exit.VERIFICATION_FAILED))


def _read(file: Path) -> bytes:
    """A file, no further than one byte beyond what is refused as too large."""
    from sluis_client.compare import MAX_BYTES

    if str(file) == "-":
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    try:
        with file.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ClientError("FILE_UNREADABLE", f"cannot read {file}: {error.strerror}; check the path") from None


def _json(one: Compared) -> dict[str, object]:
    return {
        "source": one.source,
        "verdict": one.verdict,
        "why": one.why,
        "size": one.size,
        "root": None if one.root is None else one.root.hex(),
    }


def _told(found: Comparison, kept: Sequence[str], seen: str) -> Iterator[str]:
    where = "newest" if found.online else "kept (the broker is out of reach)"
    yield f"yours, {where}: {found.own.head.size} entries, root {found.own.head.root.hex()}; {seen}"
    for one in found.compared:
        size = "" if one.size is None else f" ({one.size} entries)"
        yield f"{one.source}{size}: {_WORDS[one.verdict]}: {one.why}"
    verdicts = {one.verdict for one in found.compared}
    if "fork" in verdicts:
        yield "do not use the broker's answers; give the evidence to the auditor and to the other party:"
        yield from (f"  {path}" for path in kept)
        yield "anybody with the log's key can check it: sluis-client log evidence FILE --log-key KEY"
    elif verdicts == {"same"}:
        yield "one log"


def _exit_of(found: Comparison) -> Exit:
    verdicts = {one.verdict for one in found.compared}
    if verdicts <= {"same"}:
        return Exit.OK
    if found.online or verdicts & {"fork", "refused"}:
        return Exit.VERIFICATION_FAILED
    return Exit.BROKER_UNREACHABLE
