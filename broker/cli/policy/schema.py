"""`sluis policy schema`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from broker.cli.policy.root import AsJson, Exit, app, print_json, read_texts, stop_if_wrong, write_whole
from broker.policy.catalogue import Catalogue
from broker.policy.cross_checks import check_catalogue
from broker.policy.document import CATALOGUE_FILE, OFFICERS_FILE, PURPOSE_FOLDER
from broker.policy.json_schema import MODELS, Vocabulary, schema_of, schema_text
from broker.policy.officers import Officer, Officers
from broker.policy.problems import Problem
from broker.policy.schema import read_model
from broker.policy.strict_yaml import read_yaml

SCHEMA_FOLDER = "schema"

MaybeFolder = Annotated[
    Path | None,
    typer.Argument(help="The policies folder whose words the schemas hold.", exists=True, file_okay=False),
]


@app.command("schema")
def write_schemas(
    folder: MaybeFolder = None,
    out: Annotated[Path | None, typer.Option(help="Where to write; else FOLDER/schema.", file_okay=False)] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail when a schema is out of date.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write the JSON Schemas by which an editor completes, explains and flags what stands in policy files.

    With a folder, the schemas hold the words of its catalogue; run it again when the catalogue, the officers or the
    purposes change. Without one, only the shape.

    Example: sluis policy schema policies/
    """
    if folder is None and out is None:
        raise typer.BadParameter(
            "name the policies folder, or --out for schemas without its words", param_hint="FOLDER"
        )
    vocabulary = _vocabulary(folder, as_json) if folder is not None else None
    target = out or (folder or Path()) / SCHEMA_FOLDER
    texts = {f"{name}.schema.json": schema_text(schema_of(name, vocabulary)) for name in MODELS}
    if check:
        stale = sorted(name for name, text in texts.items() if _differs(target / name, text))
        _tell(target, stale, f"{folder or ''}{f' --out {out}' if out else ''}".strip(), as_json)
        if stale:
            raise typer.Exit(Exit.REFUSED)
        return
    target.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        write_whole(target / name, text.encode())
    if as_json:
        print_json({"ok": True, "folder": str(target), "written": sorted(texts)})
    else:
        typer.echo(f"wrote {len(texts)} schemas to {target}")


def _differs(path: Path, text: str) -> bool:
    return not path.is_file() or path.read_bytes() != text.encode()


def _tell(target: Path, stale: list[str], again: str, as_json: bool) -> None:
    if as_json:
        print_json({"ok": not stale, "folder": str(target), "out_of_date": stale})
    elif not stale:
        typer.echo(f"the schemas in {target} are up to date")
    for name in stale:
        hint = f"run `sluis policy schema {again}`"
        typer.echo(f"{target / name}:1: SCHEMA_OUT_OF_DATE: differs from the models or the catalogue; {hint}", err=True)


def _vocabulary(folder: Path, as_json: bool) -> Vocabulary:
    """The words of a folder, whose purposes may be half written. A catalogue that is refused ends the command."""
    files = [path for path in (folder / CATALOGUE_FILE, folder / OFFICERS_FILE) if path.exists()]
    texts, problems = read_texts(folder, files)
    found = list(problems)
    if CATALOGUE_FILE not in texts and not problems:
        found.append(Problem(CATALOGUE_FILE, 1, "MISSING", "there is no catalogue", "name the policies folder"))
    catalogue = _catalogue(texts, found)
    officers = _officers(texts, found)
    stop_if_wrong(folder, tuple(found), as_json)
    assert catalogue is not None
    purposes = sorted(path.stem for path in (folder / PURPOSE_FOLDER).glob("*.yaml"))
    return Vocabulary.of(catalogue, officers, purposes)


def _catalogue(texts: dict[str, str], problems: list[Problem]) -> Catalogue | None:
    if CATALOGUE_FILE not in texts:
        return None
    source, found = read_yaml(texts[CATALOGUE_FILE], CATALOGUE_FILE)
    problems += found
    if source is None:
        return None
    catalogue, found = read_model(Catalogue, source)
    problems += found
    if catalogue is not None:
        problems += check_catalogue(catalogue, source)
    return catalogue


def _officers(texts: dict[str, str], problems: list[Problem]) -> dict[str, Officer]:
    if OFFICERS_FILE not in texts:
        return {}
    source, found = read_yaml(texts[OFFICERS_FILE], OFFICERS_FILE)
    problems += found
    if source is None:
        return {}
    officers, found = read_model(Officers, source)
    problems += found
    return dict(officers.officers) if officers is not None else {}
