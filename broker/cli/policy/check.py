"""`sluis policy check`: what is refused, what a person must answer for, and what is worth knowing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.audit.bundle_lines import read_lines
from broker.cli.policy.root import (
    AsJson,
    Exit,
    Folder,
    app,
    complain,
    fail,
    identity,
    moment_of,
    print_json,
    purposes_of,
    read_approvals,
    read_folder,
    read_texts,
    stop_if_wrong,
)
from broker.errors import SluisError
from broker.policy.document import PolicySet
from broker.policy.lint import Finding, Usage, lint, usage_of
from broker.policy.mutation import unheld
from broker.policy.policy_test import TEST_SUFFIX
from broker.policy.problems import Problem

_TITLES = {"refuse": "REFUSED: mend these", "answer": "A PERSON MUST ANSWER", "note": "NOTES"}
_ALIKE = 2
"""Notes of one code in one file that are printed without --all."""


@app.command()
def check(
    folder: Folder,
    log: Annotated[
        Path | None,
        typer.Option(
            help="An export of the exchange log: also judge what was never used.", exists=True, dir_okay=False
        ),
    ] = None,
    now: Annotated[str | None, typer.Option(help="Judge as at this moment in UTC.")] = None,
    tests: Annotated[bool, typer.Option("--tests", help="Also find lines that no test holds; takes longer.")] = False,
    show_all: Annotated[
        bool, typer.Option("--all", help="Also print every note, and what was answered, by whom and why.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read every file strictly, check it against the catalogue, and find what a person should think about.

    A finding that a person must answer is mended, or answered under `answered:` in the purpose's file; the answer is
    signed with the file. A purpose that is active or in shadow is judged in full; of a draft or a suspended purpose
    everything is a note. `sluis policy explain-code` explains every code. Exit 3: refused; 9: a person must answer.

    Example: sluis policy check policies/

    Example: sluis policy check policies/ --log log.bundle --tests --all
    """
    moment = moment_of(now, "--now") if now else datetime.now(UTC)
    policies = read_folder(folder, as_json)
    approvals, problems = read_approvals(folder)
    stop_if_wrong(folder, problems, as_json)
    found = lint(
        policies,
        now=moment,
        usage=_usage(log, moment, as_json) if log else None,
        approvals=approvals,
        unheld=_unheld(folder, policies, as_json) if tests else None,
    )
    worst = exit_of(found)
    if as_json:
        _print_json(policies, found, ok=worst is None)
    else:
        _print(folder, policies, found, show_all=show_all, log_used=log is not None)
    if worst is not None:
        raise typer.Exit(worst)


def _usage(log: Path, moment: datetime, as_json: bool) -> Usage:
    try:
        with log.open("rb") as stream:
            return usage_of(read_lines(stream), moment)
    except SluisError as error:
        fail(error, as_json)


def _unheld(folder: Path, policies: PolicySet, as_json: bool) -> tuple[Problem, ...]:
    texts, problems = read_texts(folder, sorted((folder / "tests").glob(f"*{TEST_SUFFIX}")))
    stop_if_wrong(folder, problems, as_json)
    return unheld(policies, texts)


def exit_of(found: Iterable[Finding]) -> Exit | None:
    """How a command ends on these findings; None when nobody has to do anything."""
    opened = {finding.severity for finding in found if finding.is_open}
    if "refuse" in opened:
        return Exit.REFUSED
    return Exit.UNANSWERED if opened else None


def _print(folder: Path, policies: PolicySet, found: Sequence[Finding], *, show_all: bool, log_used: bool) -> None:
    for severity, title in _TITLES.items():
        listed = [f for f in found if f.severity == severity and f.answer is None]
        if listed:
            typer.echo(f"{title} ({len(listed)})", err=True)
        shown: Counter[tuple[str, str]] = Counter()
        for finding in listed:
            problem = finding.problem
            shown[problem.file, problem.code] += 1
            if severity == "note" and not show_all and shown[problem.file, problem.code] > _ALIKE:
                continue
            later = {"refuse": " [once active: refused]", "answer": " [once active: a person must answer]", "note": ""}
            heavier = later[finding.once_active] if finding.once_active != finding.severity else ""
            complain(folder, f"{problem}{heavier}")
        for (file, code), count in shown.items():
            if severity == "note" and not show_all and count > _ALIKE:
                complain(folder, f"{file}: {code}: and {count - _ALIKE} more; --all shows them")
    answered = [finding for finding in found if finding.answer is not None]
    if answered and show_all:
        typer.echo(f"ANSWERED ({len(answered)})", err=True)
        for finding in answered:
            complain(folder, str(finding.problem))
            assert finding.answer is not None
            typer.echo(f"    {finding.answer.on}, {finding.answer.by}: {finding.answer.reason}", err=True)
    if any(finding.is_open for finding in found):
        typer.echo("`sluis policy explain-code CODE` says why it matters, and how to mend or answer it", err=True)
    if log_used:
        typer.echo("the log was read and not verified; `sluis audit verify` does that", err=True)
    states = Counter(purpose.state for purpose in policies.purposes.values())
    counts = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    kinds = Counter(finding.severity for finding in found if finding.answer is None)
    hidden = "; --all shows the answers" if answered and not show_all else ""
    typer.echo(f"{purposes_of(len(policies.purposes))} ({counts})")
    typer.echo(f"digest      {policies.digest}\ntext digest {policies.text_digest}")
    typer.echo(
        f"{kinds['refuse']} refused, {kinds['answer']} for a person to answer, {len(answered)} answered, "
        f"{kinds['note']} notes{hidden}"
    )


def _print_json(policies: PolicySet, found: Sequence[Finding], *, ok: bool) -> None:
    print_json(
        {
            "ok": ok,
            **identity(policies),
            "purposes": sorted(policies.purposes),
            "states": Counter(purpose.state for purpose in policies.purposes.values()),
            "findings": [_finding_json(finding) for finding in found],
        }
    )


def _finding_json(finding: Finding) -> dict[str, Any]:
    return {
        **vars(finding.problem),
        "purpose": finding.purpose or None,
        "severity": finding.severity,
        "once_active": finding.once_active,
        "open": finding.is_open,
        "answer": finding.answer.model_dump(mode="json") if finding.answer else None,
    }
