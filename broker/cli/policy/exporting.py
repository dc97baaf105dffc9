"""`sluis policy export`: what the policies say, in the forms that others ask for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import typer

from broker.cli.policy.explaining import read_asked
from broker.cli.policy.root import (
    AsJson,
    Folder,
    app,
    fail,
    identity,
    print_json,
    purposes_of,
    read_folder,
    write_output,
)
from broker.errors import SluisError
from broker.policy.authzen import to_authzen
from broker.policy.document import PolicySet
from broker.policy.evaluate import evaluate
from broker.policy.policy_test import pose
from broker.policy.problems import did_you_mean
from broker.policy.purpose import Purpose
from broker.policy.register_of_processing import as_csv, as_markdown, register_rows
from broker.policy.semantic_web import to_dpv, to_odrl
from broker.policy.wording import Lang

Format: TypeAlias = Literal["art30", "dpv", "odrl", "authzen"]
Layout: TypeAlias = Literal["csv", "md"]
_IN_REGISTER = ("active", "shadow", "suspended")
"""States in which data is processed or was: a draft is not yet, and what is withdrawn no longer."""
_PERMITTING = ("active",)
_SUFFIX = {"dpv": "jsonld", "odrl": "jsonld", "authzen": "json"}


@app.command()
def export(
    folder: Folder,
    form: Annotated[Format, typer.Option("--format", help="In which form.")],
    *,
    layout: Annotated[
        Layout | None, typer.Option("--as", help="For art30: a sheet for Excel (csv, the default), or Markdown.")
    ] = None,
    party: Annotated[str | None, typer.Option(help="Only purposes in which this party takes part.")] = None,
    request: Annotated[Path | None, typer.Option(help="For authzen: the question, as YAML; - for input.")] = None,
    at: Annotated[str | None, typer.Option(help="For authzen: the moment to decide at; else now.")] = None,
    lang: Annotated[Lang | None, typer.Option(help="Language; else Dutch for art30, English for authzen.")] = None,
    out: Annotated[Path | None, typer.Option(help="A file, or a folder; else it is printed.")] = None,
    as_json: AsJson = False,
) -> None:
    """Export the register of processing activities (art30), linked data (dpv, odrl), or a decision (authzen).

    art30 and dpv hold the purposes that are active, in shadow or suspended; odrl can only permit, and holds the active
    ones. Where the policy does not know what the law asks for, the register says who must fill it in.

    Example: sluis policy export policies/ --format art30 --as csv --party nla --out register.csv
    """
    _fits(form, layout, request, at)
    policies = read_folder(folder, as_json)
    if form == "authzen":
        assert request is not None
        text, shown = _dumped(_decision(policies, request, at, lang or "en", as_json)), []
    else:
        purposes = _purposes(policies, party, _PERMITTING if form == "odrl" else _IN_REGISTER)
        shown = [purpose.name for purpose in purposes]
        try:
            text = _text(policies, purposes, form, layout or "csv", lang or "nl")
        except SluisError as error:
            fail(error, as_json)
    if out is None:
        if as_json:
            print_json({"ok": True, **identity(policies), "format": form, "purposes": shown, "text": text})
        else:
            typer.echo(text, nl=False)
        return
    file = out / f"sluis-{form}.{_SUFFIX.get(form, layout or 'csv')}" if out.is_dir() else out
    write_output(file, text.encode(), "--out")
    if as_json:
        print_json({"ok": True, **identity(policies), "format": form, "purposes": shown, "file": str(file)})
    else:
        typer.echo(f"wrote {file}" + (f": {purposes_of(len(shown))}" if shown else ""))


def _fits(form: Format, layout: Layout | None, request: Path | None, at: str | None) -> None:
    """Refuses options that the form has no use for: whoever gives them expects something else."""
    if form == "authzen" and request is None:
        raise typer.BadParameter("authzen shows one decision: name the question", param_hint="--request")
    if form != "authzen" and (request is not None or at is not None):
        raise typer.BadParameter(f"only authzen shows a decision; {form} shows purposes", param_hint="--request, --at")
    if form != "art30" and layout is not None:
        raise typer.BadParameter(f"only art30 has layouts; {form} is JSON", param_hint="--as")


def _text(policies: PolicySet, purposes: list[Purpose], form: Format, layout: Layout, lang: Lang) -> str:
    if form == "dpv":
        return _dumped(to_dpv(policies, purposes))
    if form == "odrl":
        return _dumped(to_odrl(policies, purposes))
    rows = register_rows(policies, purposes, lang)
    return as_csv(rows, lang) if layout == "csv" else as_markdown(policies, rows, lang)


def _dumped(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _purposes(policies: PolicySet, party: str | None, states: tuple[str, ...]) -> list[Purpose]:
    if party is not None and party not in policies.catalogue.parties:
        hint = did_you_mean(party, policies.catalogue.parties)
        raise typer.BadParameter(f"'{party}' is no party of the catalogue; {hint}", param_hint="--party")
    return [
        purpose
        for _, purpose in sorted(policies.purposes.items())
        if purpose.state in states and (party is None or party in _taking_part(purpose))
    ]


def _taking_part(purpose: Purpose) -> set[str]:
    return {*purpose.asks, *purpose.answers, *(pair.principal for pair in purpose.on_behalf_of)}


def _decision(policies: PolicySet, request: Path, at: str | None, lang: Lang, as_json: bool) -> dict[str, Any]:
    question, notes = read_asked(policies, request, at, as_json)
    for note in notes:
        typer.echo(str(note), err=True)
    asked, facts = pose(policies, question)
    return to_authzen(policies, asked, facts, evaluate(policies, asked, facts), lang)
