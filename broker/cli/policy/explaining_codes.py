"""`sluis policy explain-code`: what a finding means, why it matters, and how to mend it."""

from __future__ import annotations

from dataclasses import asdict
from itertools import groupby
from textwrap import fill
from typing import Annotated

import typer

from broker.cli.policy.explaining import Language
from broker.cli.policy.root import AsJson, app, print_json
from broker.policy.finding_codes import CODES, SEVERITIES, Page, PageText
from broker.policy.problems import did_you_mean
from broker.policy.wording import Lang

_HEADS = {
    "en": ("What it means", "Why it matters", "How to mend it", "For example"),
    "nl": ("Wat het betekent", "Waarom het ertoe doet", "Hoe u het herstelt", "Bijvoorbeeld"),
}
_ANSWER = {
    "en": "Or answer for it in the purpose's file; the answer is signed with the file:",
    "nl": "Of verantwoord het in het bestand van het doel; het antwoord wordt meegetekend:",
}
_ASKED = {"en": ("privacy officer", "why this is right here"), "nl": ("privacyfunctionaris", "waarom dit hier klopt")}


@app.command("explain-code")
def explain_code(
    code: Annotated[str | None, typer.Argument(help="The code of a finding; without it, all codes are listed.")] = None,
    lang: Language = "en",
    as_json: AsJson = False,
) -> None:
    """Explain a code that `check` or `test` printed: what it means, why it matters, and how to mend it.

    Example: sluis policy explain-code NO_CASE_NUMBER --lang nl
    """
    if code is None:
        _list(lang, as_json)
        return
    page = CODES.get(code.strip().upper().replace("-", "_"))
    if page is None:
        hint = did_you_mean(code.upper(), CODES)
        raise typer.BadParameter(f"'{code}' is no code; {hint}", param_hint="CODE")
    if as_json:
        print_json({"ok": True, **_page_json(page, lang)})
        return
    _print(page, lang)


def _text(page: Page, lang: Lang) -> PageText:
    return page.nl if lang == "nl" else page.en


def _page_json(page: Page, lang: Lang) -> dict[str, str]:
    return {"code": page.code, "severity": page.severity, **asdict(_text(page, lang)), "example": page.example}


def _list(lang: Lang, as_json: bool) -> None:
    if as_json:
        print_json({"ok": True, "codes": [_page_json(page, lang) for page in CODES.values()]})
        return
    width = max(map(len, CODES))
    weight = {"refuse": 0, "answer": 1, "note": 2}
    pages = sorted(CODES.values(), key=lambda page: (weight[page.severity], page.code))
    for severity, group in groupby(pages, key=lambda page: page.severity):
        typer.echo(f"{SEVERITIES[lang][severity].upper()}")
        for page in group:
            typer.echo(f"  {page.code:<{width}}  {_text(page, lang).title}")


def _print(page: Page, lang: Lang) -> None:
    text = _text(page, lang)
    typer.echo(f"{page.code} ({SEVERITIES[lang][page.severity]}): {text.title}")
    for head, said in zip(_HEADS[lang], (text.means, text.matters, text.mend, page.example), strict=True):
        if said:
            typer.echo(f"\n{head}\n{fill(said, 100, initial_indent='  ', subsequent_indent='  ')}")
    if page.severity == "answer":
        by, reason = _ASKED[lang]
        typer.echo(f"\n{fill(_ANSWER[lang], 100, initial_indent='  ', subsequent_indent='  ')}")
        typer.echo("  answered:")
        typer.echo(f"    - {{finding: {page.code}, by: {by}, on: 2026-11-23, reason: {reason}}}")
