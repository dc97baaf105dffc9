"""`sluis policy diff`: what a change allows that was not allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from broker.cli.policy.root import AsJson, Exit, app, print_json, read_side
from broker.policy.change_report import Comparison, Sentence, compare
from broker.policy.difference import Section
from broker.policy.document import PolicySet

_Side = Annotated[Path, typer.Argument(help="A policies folder, or a bundle.", exists=True)]


@app.command("diff")
def diff(before: _Side, after: _Side, as_json: AsJson = False) -> None:
    """Compare what two policy sets allow: newly, no longer, looser, tighter, and what else differs.

    Exact: the comparison is over what the engine permits, not over text. Signatures are not looked at.

    What no rule can order, such as what an answer may be used for, stands under A PERSON MUST COMPARE.

    Exit 8: AFTER allows more than BEFORE, or is looser in anything, or a person must compare; so that a pipeline can
    stop for it.

    Example: sluis policy diff policies-4.bundle policies/
    """
    old, new = read_side(before, as_json), read_side(after, as_json)
    found = compare(old, new)
    if as_json:
        without = _without_expiry(before, after, old, new)
        print_json(_as_json(old, new, found) | {"expiry_not_compared": str(without) if without else None})
    else:
        _print(before, after, old, new, found)
    if found.more or found.must_compare:
        raise typer.Exit(Exit.ALLOWS_MORE)


def _print(before: Path, after: Path, old: PolicySet, new: PolicySet, found: Comparison) -> None:
    typer.echo(f"{before} ({old.digest[:12]}) -> {after} ({new.digest[:12]})")
    for section, sentences in found.sections.items():
        if sentences:
            typer.echo(f"\n{section.value}")
        for sentence in sentences:
            typer.echo(f"  {_told(sentence)}{_place(new, sentence)}")
    typer.echo("")
    without = _without_expiry(before, after, old, new)
    if without:
        typer.echo(f"the expiry is not compared: {without} has none")
    typer.echo(_closing(before, after, found))


def _closing(before: Path, after: Path, found: Comparison) -> str:
    stops = f"exit {Exit.ALLOWS_MORE.value}"
    if found.same:
        return "both mean the same"
    if found.more:
        person = "; and a person must compare what no rule can order" if found.must_compare else ""
        return f"{after} allows more than {before}, or is looser{person}: {stops}"
    if found.must_compare:
        return f"a person must compare {after} with {before}, in what no rule can order: {stops}"
    return f"{after} allows nothing that {before} does not, and is looser in nothing"


def _without_expiry(before: Path, after: Path, old: PolicySet, new: PolicySet) -> Path | None:
    """The side without an expiry, when the other has one."""
    if (old.expires is None) == (new.expires is None):
        return None
    return before if old.expires is None else after


def _told(sentence: Sentence) -> str:
    return f"{sentence.purpose}: {sentence.text}" if sentence.purpose else sentence.text


def _place(new: PolicySet, sentence: Sentence) -> str:
    line = new.line_of(sentence.purpose, sentence.path)
    return f"  [{line}]" if line else ""


def _as_json(old: PolicySet, new: PolicySet, found: Comparison) -> dict[str, Any]:
    return {
        "ok": not (found.more or found.must_compare),
        "allows_more": found.more,
        "must_compare": found.must_compare,
        "same": found.same,
        "before": old.digest,
        "after": new.digest,
        **{
            section.name.lower(): [
                {"purpose": one.purpose, "text": one.text, "source": new.line_of(one.purpose, one.path)}
                for one in found.sections[section]
            ]
            for section in Section
        },
    }
