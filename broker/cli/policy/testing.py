"""`sluis policy test`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.cli.policy.root import (
    AsJson,
    Exit,
    Folder,
    app,
    complain,
    identity,
    print_json,
    purposes_of,
    read_folder,
    read_texts,
    stop_if_wrong,
    write_output,
    write_whole,
)
from broker.policy.boundaries import HEADER, boundary_tests
from broker.policy.document import PURPOSE_FOLDER, PolicySet
from broker.policy.junit import junit_xml
from broker.policy.mutation import Held, held_by_tests
from broker.policy.policy_test import TEST_SUFFIX, CaseResult, run_tests, untested
from broker.policy.problems import Problem, did_you_mean


@app.command("test")
def run_officer_tests(
    folder: Folder,
    held: Annotated[bool, typer.Option("--held", help="Also list the lines whose change no test notices.")] = False,
    generate: Annotated[
        list[str] | None, typer.Option(help="Only write boundary cases for this purpose; repeat, or `all`.")
    ] = None,
    junit: Annotated[Path | None, typer.Option(help="Write the results as JUnit XML, for a pipeline.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run the officer's tests in tests/*_test.yaml.

    A purpose without a test that expects a denial, or an active one without a test that expects a permit, fails too.
    With --held every value of every purpose is changed in turn; prose is not. Exit 10: no test notices some change.

    Example: sluis policy test policies/ --held --junit policy-tests.xml

    Example: sluis policy test policies/ --generate snf-locatie
    """
    policies = read_folder(folder, as_json)
    if generate:
        if held or junit is not None:
            raise typer.BadParameter("only writes files; run the tests after it", param_hint="--generate")
        _generate(folder, policies, generate, as_json)
        return
    texts, problems = read_texts(folder, sorted((folder / "tests").glob(f"*{TEST_SUFFIX}")))
    results, found = run_tests(policies, texts)
    if junit is not None and (problems or found):
        write_output(junit, junit_xml(results, (*problems, *found)), "--junit")
    stop_if_wrong(folder, (*problems, *found), as_json)
    bare = tuple(_bare(name) for name in untested(policies, results))
    lines = held_by_tests(policies, texts) if held else None
    if junit is not None:
        write_output(junit, junit_xml(results, (*bare, *(lines.unheld if lines else ()))), "--junit")
    failed = [result for result in results if not result.passed]
    if as_json:
        _print_json(policies, results, bare, lines)
    else:
        _print(folder, results, bare, lines)
    if failed or bare:
        raise typer.Exit(Exit.TEST_FAILED)
    if lines is not None and lines.unheld:
        raise typer.Exit(Exit.UNHELD)


def _bare(name: str) -> Problem:
    text = f"no test shows what {name} permits and denies"
    return Problem(f"{PURPOSE_FOLDER}{name}.yaml", 1, "UNTESTED", text, f"sluis policy test FOLDER --generate {name}")


def _generate(folder: Path, policies: PolicySet, names: Sequence[str], as_json: bool) -> None:
    """Writes a file of boundary cases for each purpose; never over a file that a person made."""
    chosen = sorted(policies.purposes) if "all" in names else list(names)
    unknown = [name for name in chosen if name not in policies.purposes]
    if unknown:
        hint = did_you_mean(unknown[0], policies.purposes)
        raise typer.BadParameter(f"'{unknown[0]}' is no purpose; {hint}", param_hint="--generate")
    targets = {name: folder / "tests" / f"{name}_boundaries{TEST_SUFFIX}" for name in chosen}
    for target in targets.values():
        if target.exists() and HEADER.encode() not in target.read_bytes():
            raise typer.BadParameter(f"{target} was not generated and is left as it is", param_hint="--generate")
    (folder / "tests").mkdir(exist_ok=True)
    for name, target in targets.items():
        write_whole(target, boundary_tests(policies, name).encode("utf-8"))
    if as_json:
        print_json({"ok": True, "written": [str(target) for target in targets.values()]})
        return
    for target in targets.values():
        cases = target.read_text(encoding="utf-8").count("\n  - name: ")
        typer.echo(f"wrote {target}: {cases} cases of what the purpose says now; read them before you trust them")


def _print(folder: Path, results: Sequence[CaseResult], bare: Sequence[Problem], lines: Held | None) -> None:
    failed = [result for result in results if not result.passed]
    for result in failed:
        found_because = f"{result.effect} because of {', '.join(result.failing) or 'nothing'}"
        wanted = f"{result.expected} because of {', '.join(result.expected_because) or 'nothing'}"
        complain(folder, f"{result.where}: TEST_FAILED: '{result.name}' expects {wanted}; found {found_because}")
    for problem in (*bare, *(lines.unheld if lines else ())):
        complain(folder, str(problem))
    typer.echo(f"{len(results) - len(failed)} of {len(results)} cases pass; {purposes_of(len(bare))} untested")
    if lines is not None:
        loose = len({(problem.file, problem.line) for problem in lines.unheld})
        missed = len(lines.unheld)
        typer.echo(f"{lines.tried} changes tried, {missed} not noticed, on {loose} lines; prose is not changed")


def _print_json(
    policies: PolicySet, results: Sequence[CaseResult], bare: Sequence[Problem], lines: Held | None
) -> None:
    shown: dict[str, Any] = {
        "ok": all(result.passed for result in results) and not bare and not (lines and lines.unheld),
        **identity(policies),
        "cases": [_case_json(result) for result in results],
        "untested": [problem.file.removeprefix(PURPOSE_FOLDER).removesuffix(".yaml") for problem in bare],
    }
    if lines is not None:
        shown["changes_tried"] = lines.tried
        shown["unheld"] = [vars(problem) for problem in lines.unheld]
    print_json(shown)


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
