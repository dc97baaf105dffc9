"""`sluis policy test`."""

from __future__ import annotations

from typing import Any

import typer

from broker.cli.policy.root import (
    AsJson,
    Exit,
    Folder,
    app,
    complain,
    identity,
    print_json,
    read_folder,
    read_texts,
    stop_if_wrong,
)
from broker.policy.document import PURPOSE_FOLDER
from broker.policy.policy_test import TEST_SUFFIX, CaseResult, run_tests, untested


@app.command("test")
def run_officer_tests(folder: Folder, as_json: AsJson = False) -> None:
    """Run the officer's tests in tests/*_test.yaml.

    A purpose without a test that expects a denial, or an active one without a test that expects a permit, fails too.

    Example: sluis policy test policies/
    """
    policies = read_folder(folder, as_json)
    texts, problems = read_texts(folder, sorted((folder / "tests").glob(f"*{TEST_SUFFIX}")))
    results, found = run_tests(policies, texts)
    stop_if_wrong(folder, (*problems, *found), as_json)
    failed = [result for result in results if not result.passed]
    bare = untested(policies, results)
    if as_json:
        print_json(
            {
                "ok": not failed and not bare,
                **identity(policies),
                "cases": [_case_json(result) for result in results],
                "untested": list(bare),
            }
        )
    else:
        for result in failed:
            found_because = f"{result.effect} because of {', '.join(result.failing) or 'nothing'}"
            wanted = f"{result.expected} because of {', '.join(result.expected_because) or 'nothing'}"
            complain(folder, f"{result.where}: TEST_FAILED: '{result.name}' expects {wanted}; found {found_because}")
        for name in bare:
            complain(folder, f"{PURPOSE_FOLDER}{name}.yaml:1: UNTESTED: no test shows what {name} permits and denies")
        typer.echo(f"{len(results) - len(failed)} of {len(results)} cases pass; {len(bare)} purposes untested")
    if failed or bare:
        raise typer.Exit(Exit.TEST_FAILED)


def _case_json(result: CaseResult) -> dict[str, Any]:
    return {
        "where": result.where,
        "purpose": result.purpose,
        "name": result.name,
        "passed": result.passed,
        "expect": result.expected,
        "because": list(result.expected_because),
        "effect": result.effect,
        "failing": list(result.failing),
    }
