"""`sluis high-water | seal | recover | keys rotate-log-key`: the life of the log, with the broker stopped."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from broker.config import load_config
from broker.errors import Code, SluisError

if TYPE_CHECKING:
    from broker.log_life import Followed

_Config = Annotated[Path, typer.Option("--config", help="The broker's configuration file.")]
_DEFAULT = Path("broker.yaml")
_Next = Annotated[
    Path,
    typer.Option(
        "--next-config", help="The configuration of the log that follows: own origin, data, keys, high_water."
    ),
]


def mount(app: typer.Typer) -> None:
    """Adds these commands."""
    group = typer.Typer(
        help="The mark outside the database of what was acknowledged.", no_args_is_help=True, rich_markup_mode=None
    )
    group.command("begin")(high_water_begin)
    group.command("show")(high_water_show)
    app.add_typer(group, name="high-water")
    app.command("seal")(seal)
    app.command("recover")(recover)
    app.command("retention")(retention)


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
    from broker.own_log import high_water_mark

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


def rotate_log_key(config: _Config = _DEFAULT) -> None:
    """Change the key that signs the log; with the broker stopped. The old key is gone afterwards.

    The change is an entry, under a checkpoint that both keys sign. Prints the new verifier key: give it to every party
    and auditor by another way than the broker, before you start it again. Killed midway, run it again.

    Example: sluis keys rotate-log-key --config broker.yaml
    """
    from broker.log_life import rotate_log_key as rotate

    print(rotate(load_config(config), datetime.now(UTC)))
    print(
        "the log key is changed; give this verifier key to parties, auditors and witnesses, then start the broker",
        file=sys.stderr,
    )


def seal(next_config: _Next, config: _Config = _DEFAULT) -> None:
    """End the log and begin the one that follows, bound to its last checkpoint; with the broker stopped.

    Yearly, at the change of the epoch. The sealed log takes no entry any more; its receipts still verify. What is bound
    to the old origin must be published anew: encryption keys, epochs, registers. Killed midway, run it again.

    Example: sluis seal --config broker-2026.yaml --next-config broker-2027.yaml
    """
    from broker.app import system_sources
    from broker.log_life import seal as end_and_follow

    clock, entropy = system_sources()
    ending = load_config(config)
    done = end_and_follow(ending, load_config(next_config), clock, entropy)
    print(f"sealed      {done.previous.origin} at {done.previous.size} entries")
    if ending.witness is not None:
        asked, needed = len(ending.witness.witnesses), ending.witness.quorum
        short = f"; NOT the quorum of {needed}" if done.cosigned < needed else ""
        print(f"witnessed   the last checkpoint is cosigned by {done.cosigned} of {asked} witnesses{short}")
    _print_following(done, next_config)


def recover(
    next_config: _Next,
    reason: Annotated[str, typer.Option("--reason", help="What happened; it stands in the log. No names, no numbers.")],
    config: _Config = _DEFAULT,
    known: Annotated[
        list[Path] | None,
        typer.Option("--known", help="A checkpoint that a participant or auditor holds; repeat.", exists=True),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; for two people who have agreed before.")] = False,
) -> None:
    """Begin a new log after entries were lost for good, with an entry that names the gap; with the broker stopped.

    First bring back the newest files you have: this is the last resort. The old database is only read. The new log
    has its own origin, so participants change their profiles and publish anew, as after `sluis seal`.

    Example: sluis recover --config broker.yaml --next-config broker-b.yaml --reason "disk failure, backup lost"
    """
    from broker.app import system_sources
    from broker.log_life import check_not_followed, check_reason
    from broker.log_life import recover as begin_after
    from broker.log_loss import assess

    check_reason(reason)
    loaded, following = load_config(config), load_config(next_config)
    check_not_followed(loaded, following)
    clock, _ = system_sources()
    held = [(str(path), _read_checkpoint(path)) for path in known or []]
    loss = assess(loaded, held, clock.now())
    print(f"log         {loaded.origin}")
    print(f"known       {loss.known.size} entries, by a checkpoint kept outside")
    print(f"found       {loss.found[0]} entries" + (", or none that verify" if loss.unreadable else ""))
    print(f"lost        {_gap(loss.found[0], loss.known.size)}")
    if not yes and not typer.confirm(f"Give {loaded.origin} up for good, and begin {following.origin}?"):
        raise typer.Exit(5)
    done = begin_after(loaded, following, loss, reason, clock)
    _print_following(done, next_config)


def retention(config: _Config = _DEFAULT) -> None:
    """Erase what a log that has ended need not keep any more: vault rows that are due, its registers, old answers.

    A broker does this for its own log. For a log that was sealed or recovered from, run it daily until nothing is left.

    Example: sluis retention --config broker-2026.yaml
    """
    from broker.log_life import run_out

    left = run_out(load_config(config), datetime.now(UTC))
    print(f"{left} vault rows are kept still" if left else "nothing is left in the vault; the log itself stays")


def _read_checkpoint(path: Path) -> str:
    """A file's text, as far as a checkpoint goes: what is longer is none."""
    from broker.exchange_log.checkpoint import MAX_NOTE_BYTES

    with path.open("rb") as file:
        return file.read(MAX_NOTE_BYTES + 1).decode("utf-8", errors="replace")


def _gap(found: int, known: int) -> str:
    if found >= known:
        return "the two histories differ: entries of the known one are replaced by others"
    return f"at least entries {found} to {known - 1}"


def _print_following(done: Followed, next_config: Path) -> None:
    print(f"follows     {done.origin}, bound to {done.previous.size} entries of {done.previous.origin} ({done.reason})")
    print(f"carried     {done.carried} counters, the policy revision and suspensions")
    print(f"log key     {done.verifier_key}")
    print("next        give origin and log key to parties, auditors and witnesses; then:")
    print(f"            sluis serve --config {next_config}")
