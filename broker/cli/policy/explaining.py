"""`sluis policy explain`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from broker.cli.policy.root import (
    AsJson,
    Exit,
    Folder,
    app,
    identity,
    moment_of,
    print_json,
    read_folder,
    read_texts,
    stop_if_wrong,
)
from broker.policy.document import PolicySet
from broker.policy.evaluate import Decision, decision_to_log, evaluate
from broker.policy.policy_test import pose, read_question


@app.command()
def explain(
    folder: Folder,
    request: Annotated[Path, typer.Option(help="The question, as YAML.", exists=True, dir_okay=False)],
    at: Annotated[str | None, typer.Option(help="The moment to decide at; else the file's `at`, else now.")] = None,
    as_json: AsJson = False,
) -> None:
    """Decide one question and show every check: met or not, why, and on which line it rests.

    The question file holds the words of a test's `given`, and `purpose`:

        {purpose: snf-locatie, asks: utrecht, answers: snf, identified_by: bag, subjects: 3, want: [beds]}

    Example: sluis policy explain policies/ --request question.yaml --at 2026-11-23T10:00:00Z
    """
    policies = read_folder(folder, as_json)
    texts, problems = read_texts(request.parent, [request])
    stop_if_wrong(request.parent, problems, as_json)
    question, problems = read_question(texts[request.name], request.name)
    if question is None:
        stop_if_wrong(request.parent, problems, as_json)
        raise typer.Exit(Exit.REFUSED)
    moment = moment_of(at, "--at") if at else question.at or datetime.now(UTC)
    asked, facts = pose(policies, question.model_copy(update={"at": moment}))
    decision = evaluate(policies, asked, facts)
    if as_json:
        shown = decision_to_log(decision)
        for entry in shown["checks"]:
            entry["source"] = policies.line_of(asked.purpose, entry["path"])
        print_json({**shown, **identity(policies), "purpose": asked.purpose, "at": f"{moment:%Y-%m-%dT%H:%M:%SZ}"})
    else:
        _print_decision(policies, asked.purpose, moment, decision)
    if not decision.permitted:
        raise typer.Exit(Exit.DENIED)


def _print_decision(policies: PolicySet, purpose: str, moment: datetime, decision: Decision) -> None:
    effect = "PERMIT" if decision.permitted else "DENY"
    typer.echo(f"{effect} {purpose}   policy {policies.digest[:12]}   at {moment:%Y-%m-%dT%H:%M:%SZ}")
    width = max(len(check.id) for check in decision.checks)
    for entry in decision.checks:
        line = policies.line_of(purpose, entry.path)
        where = f"  [{line}]" if line else ""
        typer.echo(f" {'yes' if entry.met else 'NO ':<4}{entry.id:<{width}}  {entry.reason}{where}")
    for duty in decision.obligations:
        typer.echo(f" duty {duty}")
