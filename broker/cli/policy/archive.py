"""`sluis policy archive`: every set that was ever in force, found by the digest of its meaning or of its texts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from broker.audit.in_force import PolicyHistory
from broker.audit.policies import Archived
from broker.cli.policy.in_force import log_lines
from broker.cli.policy.root import AsJson, app, fail, print_json, write_whole
from broker.errors import Code, SluisError
from broker.policy.bundle import TEXT_NAME


@app.command()
def archive(
    digest: Annotated[str | None, typer.Argument(help="The beginning of a digest, 8 digits or more.")] = None,
    log: Annotated[Path | None, typer.Option(help="A log bundle of `sluis audit export`.", exists=True)] = None,
    config: Annotated[Path, typer.Option(help="On the broker's host, instead of --log.")] = Path("broker.yaml"),
    out: Annotated[Path | None, typer.Option(help="Write the exact texts to this new folder.", exists=False)] = None,
    as_json: AsJson = False,
) -> None:
    """List the archived policy sets, or write the exact texts of one.

    Each set is archived with its exact texts and its meaning, each under its own digest; both are checked on reading.

    Example: sluis policy archive --log log.bundle

    Example: sluis policy archive 78c97f6e --log log.bundle --out policies-of-then/
    """
    try:
        with log_lines(log, config) as lines:
            sets = PolicyHistory(lines).archived()
        if digest is not None:
            sets = _matching(sets, digest)
        if out is not None:
            _write(sets, out)
    except SluisError as error:
        fail(error, as_json)
    if as_json:
        print_json({"ok": True, "sets": [_shown(one) for one in sets]})
        return
    for one in sets:
        typer.echo(f"revision {one.revision}, expires {one.expires:%Y-%m-%d}, {len(one.texts)} files")
        typer.echo(f"  meaning {one.digest}\n  texts   {one.text_digest}")
    if out is not None:
        typer.echo(f"wrote {out}; compare: sluis policy check {out}")


def _matching(sets: tuple[Archived, ...], digest: str) -> tuple[Archived, ...]:
    wanted = digest.lower()
    if len(wanted) < 8 or wanted.strip("0123456789abcdef"):
        raise typer.BadParameter("give 8 or more hex digits of a digest", param_hint="DIGEST")
    found = tuple(one for one in sets if one.digest.startswith(wanted) or one.text_digest.startswith(wanted))
    if not found:
        raise SluisError(Code.NOT_FOUND, "no archived set has such a digest; without DIGEST all are listed")
    return found


def _write(sets: tuple[Archived, ...], out: Path) -> None:
    if len({one.text_digest for one in sets}) != 1:
        raise typer.BadParameter("--out writes one set: name it by the digest of its texts", param_hint="DIGEST")
    if out.exists():
        raise typer.BadParameter("exists already; name a new folder", param_hint="--out")
    for name, text in sets[0].texts.items():
        if not TEXT_NAME.fullmatch(name):
            raise SluisError(Code.POLICY_INVALID, "the archive holds a file that is no part of a policy set")
        target = out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, text.encode("utf-8"))


def _shown(one: Archived) -> dict[str, object]:
    return {
        "digest": one.digest,
        "text_digest": one.text_digest,
        "revision": one.revision,
        "expires": f"{one.expires:%Y-%m-%dT%H:%M:%SZ}",
        "files": sorted(one.texts),
    }
