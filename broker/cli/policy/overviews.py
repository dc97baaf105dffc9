"""`sluis policy who-can-see`, `what-may` and `matrix`."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn, get_args

import typer

from broker.cli.policy.matrix_table import write_matrix
from broker.cli.policy.root import (
    AsJson,
    Folder,
    app,
    day_of_option,
    identity,
    print_json,
    purposes_of,
    read_folder,
    write_output,
)
from broker.policy.document import PolicySet
from broker.policy.legal_days import local_day
from broker.policy.matrix_page import matrix_page
from broker.policy.overview import (
    ANSWERS,
    Asker,
    Grant,
    answered_by,
    asked_by,
    days_of,
    grants_of,
    grouped,
    in_state,
    matrix_of,
    standing_on,
    who_can_see,
)
from broker.policy.overview_text import entries_of, parties_named, party_named, said, standing_named
from broker.policy.problems import did_you_mean
from broker.policy.purpose import State
from broker.policy.typing_text import Wording
from broker.policy.wording import Lang

_WIDEST = 120
"""Columns of text beyond which a line is hard to read."""


def _word(value: str) -> str:
    if "/" in value or Path(value).is_dir():
        raise typer.BadParameter(f"'{value}' is a folder; the word comes first, and then the folder")
    return value


def _day(value: str | None) -> str | None:
    if value is None:
        return None
    return day_of_option(value, "--on").isoformat()


On = Annotated[
    str | None, typer.Option("--on", callback=_day, help="The day to look at, in Europe/Amsterdam; else today.")
]
AllStates = Annotated[
    bool, typer.Option("--all-states", help="Also purposes that permit nothing on that day: drafts, ended, and so on.")
]
Language = Annotated[Lang, typer.Option("--lang", help="Language of the answer.")]


@app.command("who-can-see")
def who_may_see(
    attribute: Annotated[str, typer.Argument(callback=_word, help="An attribute; or hit, or count.")],
    folder: Folder,
    *,
    on: On = None,
    all_states: AllStates = False,
    lang: Language = "en",
    as_json: AsJson = False,
) -> None:
    """Show who may learn an attribute, from whom, under which purpose and law, and until when.

    Example: sluis policy who-can-see beds policies/ --lang nl
    """
    policies = read_folder(folder, as_json)
    known = policies.catalogue.attributes.get(attribute)
    if known is None and attribute not in ANSWERS:
        _refuse_word(policies, attribute, "attribute")
    day = _looked_at(on)
    found, hidden = _split(policies, lambda grants: who_can_see(grants, attribute), day, all_states)
    if as_json:
        more = {"attribute": attribute, "holders": list(known.holders) if known else []}
        print_json(_as_json(policies, day, found, hidden, more))
        return
    words, width = _SAID[lang], _width()
    if known is not None:
        typer.echo(f"{said(known.title, lang)} ({attribute})")
        _echo_wrapped(said(known.meaning, lang), width)
        holders = parties_named(policies.catalogue, policies.catalogue.holders_of(attribute), lang)
        _echo_wrapped(f"{words['held']}: {'; '.join(holders)}", width)
    else:
        typer.echo(f"{words[attribute]} ({attribute})")
    _show(policies, found, day, lang, words["seen"])
    _show_groups(policies, found, lang)
    _show_hidden(policies, hidden, day, lang)


@app.command("what-may")
def what_party_may(
    party: Annotated[str, typer.Argument(callback=_word, help="A party of the catalogue.")],
    folder: Folder,
    *,
    on: On = None,
    all_states: AllStates = False,
    lang: Language = "en",
    as_json: AsJson = False,
) -> None:
    """Show what a party may learn, from whom, by what and under which law; and what others may learn from it.

    A party that another asks for, such as a certifying institution, learns what its processor is told.

    Example: sluis policy what-may utrecht policies/
    """
    policies = read_folder(folder, as_json)
    if party not in policies.catalogue.parties:
        _refuse_word(policies, party, "party")
    day = _looked_at(on)
    asks, unasked = _split(policies, lambda grants: asked_by(grants, party), day, all_states)
    answers, unanswered = _split(policies, lambda grants: answered_by(grants, party), day, all_states)
    hidden = tuple(sorted({*unasked, *unanswered}))
    if as_json:
        told = _as_json(policies, day, asks, hidden, {"party": party})
        told["asks"] = told.pop("grants")
        told["answers"] = [_grant_json(policies, grant, day) for grant in answers]
        print_json(told)
        return
    words = _SAID[lang]
    typer.echo(party_named(policies.catalogue, party, lang))
    _show(policies, asks, day, lang, words["asks"])
    _show(policies, answers, day, lang, words["answers"])
    _show_groups(policies, (*asks, *answers), lang)
    _show_hidden(policies, hidden, day, lang)


@app.command()
def matrix(
    folder: Folder,
    *,
    html: Annotated[
        Path | None, typer.Option("--html", dir_okay=False, help="Write a page for screen and paper instead.")
    ] = None,
    on: On = None,
    all_states: AllStates = False,
    lang: Language = "en",
    as_json: AsJson = False,
) -> None:
    """Show who may learn what from whom, under every purpose that permits on a day: as a table, or as a page.

    Example: sluis policy matrix policies/ --html matrix.html --lang nl
    """
    policies = read_folder(folder, as_json)
    day = _looked_at(on)
    found, hidden = _split(policies, tuple, day, all_states)
    if html is not None:
        if not html.parent.is_dir():
            raise typer.BadParameter(f"there is no folder '{html.parent}'", param_hint="--html")
        write_output(html, matrix_page(policies, found, hidden, day, lang).encode(), "--html")
    shown = sorted({grant.purpose for grant in found})
    if as_json:
        told = _as_json(policies, day, found, hidden, {"file": str(html)} if html else {})
        whole = matrix_of(found)
        told["columns"] = [list(column) for column in whole.columns]
        told["rows"] = [
            {
                "askers": _askers_json(row.askers),
                "cells": [
                    [{"purpose": name, "may_learn": list(things)} for name, things in cell] for cell in row.cells
                ],
            }
            for row in whole.rows
        ]
        print_json(told)
    elif html is not None:
        typer.echo(f"wrote {html}: {purposes_of(len(shown))} on {day}")
    else:
        words = _SAID[lang]
        _echo_wrapped(words["matrix"].format(day=day), _width())
        write_matrix(policies, found, day, lang, shutil.get_terminal_size().columns)
        if not found:
            typer.echo(words["nobody"])
        _show_groups(policies, found, lang)
        _show_hidden(policies, hidden, day, lang)


_SAID: Mapping[Lang, Mapping[str, str]] = {
    "en": {
        "hit": "whether the subject of a question is registered",
        "count": "how many subjects of a question are registered",
        "held": "held by",
        "seen": "On {day} it may be learned under {number}:",
        "asks": "ON {day} IT MAY LEARN, under {number}:",
        "answers": "ON {day} OTHERS MAY LEARN FROM IT, under {number}:",
        "none": "no purpose",
        "one": "1 purpose",
        "many": "{number} purposes",
        "matrix": "Who may learn what from whom on {day}",
        "group": "All of {group}: {members}",
        "nobody": "Nobody may learn anything on that day.",
        "hidden": "Not on {day} (--all-states shows them whole):",
    },
    "nl": {
        "hit": "of het onderwerp van een vraag geregistreerd staat",
        "count": "hoeveel onderwerpen van een vraag geregistreerd staan",
        "held": "berust bij",
        "seen": "Op {day} mag dit worden geweten onder {number}:",
        "asks": "OP {day} MAG ZIJ WETEN, onder {number}:",
        "answers": "OP {day} MOGEN ANDEREN VAN HAAR WETEN, onder {number}:",
        "none": "geen enkel doel",
        "one": "1 doel",
        "many": "{number} doelen",
        "matrix": "Wie mag wat van wie weten op {day}",
        "group": "Alle {group}: {members}",
        "nobody": "Op die dag mag niemand iets weten.",
        "hidden": "Niet op {day} (--all-states toont ze geheel):",
    },
}


def _looked_at(on: str | None) -> date:
    return date.fromisoformat(on) if on else local_day(datetime.now(UTC))


def _width() -> int:
    return min(shutil.get_terminal_size().columns, _WIDEST)


def _refuse_word(policies: PolicySet, word: str, kind: str) -> NoReturn:
    """Ends with USAGE: what the word is instead, or which word was perhaps meant."""
    catalogue = policies.catalogue
    known: Mapping[str, Any] = catalogue.attributes if kind == "attribute" else catalogue.parties
    if kind == "party" and word in catalogue.groups:
        members = ", ".join(catalogue.groups[word])
        raise typer.BadParameter(f"'{word}' is a group; name one of its parties: {members}", param_hint="PARTY")
    if kind == "attribute" and word in catalogue.parties:
        hint = f"it is a party: `sluis policy what-may {word}` shows what it may learn"
    elif kind == "party" and word in catalogue.attributes:
        hint = f"it is an attribute: `sluis policy who-can-see {word}` shows who may learn it"
    else:
        titles: dict[str, str] = {text.casefold(): name for name, item in known.items() for text in _both(item.title)}
        hint = did_you_mean(titles.get(word.casefold(), word), (*known, *(ANSWERS if kind == "attribute" else ())))
    raise typer.BadParameter(f"'{word}' is no {kind} of the catalogue; {hint}", param_hint=kind.upper())


def _both(title: Wording) -> tuple[str, str]:
    return title.nl, title.en


def _split(
    policies: PolicySet, choose: Callable[[Iterable[Grant]], tuple[Grant, ...]], day: date, all_states: bool
) -> tuple[tuple[Grant, ...], tuple[str, ...]]:
    """The grants to show, and the purposes that would have such grants but do not permit on `day`."""
    chosen = choose(grants_of(policies, in_state(policies, get_args(State))))
    if all_states:
        return chosen, ()
    names = sorted({grant.purpose for grant in chosen})
    hidden = tuple(name for name in names if standing_on(policies, name, day) != "open")
    return tuple(grant for grant in chosen if grant.purpose not in hidden), hidden


def show_purposes(policies: PolicySet, names: Iterable[str], day: date, lang: Lang = "en") -> None:
    """What purposes allow, each whole and in words: for whoever is about to approve them."""
    for entry in entries_of(policies, grants_of(policies, sorted(names)), day, lang):
        label = max(len(name) for name, _ in entry.lines) + 2
        typer.echo(f"{entry.purpose} [{policies.purposes[entry.purpose].state}]")
        for name, line in entry.lines:
            _echo_wrapped(line, _width(), f"  {name:<{label}}", " " * (label + 2))


def _show(policies: PolicySet, grants: Sequence[Grant], day: date, lang: Lang, heading: str) -> None:
    entries, words = entries_of(policies, grants, day, lang), _SAID[lang]
    number = words[{0: "none", 1: "one"}.get(len(entries), "many")].format(number=len(entries))
    text = heading.format(day=day, number=number)
    typer.echo()
    _echo_wrapped(text if entries else text.rstrip(":") + ".", _width())
    label = max((len(label) for entry in entries for label, _ in entry.lines), default=0) + 2
    for entry in entries:
        typer.echo("\n" + entry.purpose + ("" if entry.standing == "open" else f" [{entry.stands}]"))
        for name, line in entry.lines:
            _echo_wrapped(line, _width(), f"  {name:<{label}}", " " * (label + 2))


def _show_groups(policies: PolicySet, grants: Iterable[Grant], lang: Lang) -> None:
    """The parties of every group that was shown by its name."""
    groups: set[str] = set()
    for grant in grants:
        for parties in (grant.answerers, [asker.party for asker in grant.askers if asker.principal is None]):
            groups |= set(grouped(policies.catalogue, parties)[0])
    for group in sorted(groups):
        text = _SAID[lang]["group"].format(group=group, members=", ".join(policies.catalogue.groups[group]))
        typer.echo()
        _echo_wrapped(text, _width())


def _show_hidden(policies: PolicySet, hidden: Sequence[str], day: date, lang: Lang) -> None:
    if not hidden:
        return
    typer.echo()
    _echo_wrapped(_SAID[lang]["hidden"].format(day=day), _width())
    for name in hidden:
        stands = standing_named(policies, name, standing_on(policies, name, day), lang)
        _echo_wrapped(f"{name}: {stands}", _width(), "  ", "    ")


def _echo_wrapped(text: str, width: int, first: str = "", rest: str = "") -> None:
    """Wraps between words alone: a name or a file:line stays whole, to be copied."""
    typer.echo(
        textwrap.fill(
            text, width, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
        )
    )


def _as_json(
    policies: PolicySet, day: date, grants: Sequence[Grant], hidden: Sequence[str], more: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "ok": True,
        **identity(policies),
        "on": day.isoformat(),
        **more,
        "grants": [_grant_json(policies, grant, day) for grant in grants],
        "not_on_that_day": {name: standing_on(policies, name, day) for name in hidden},
    }


def _grant_json(policies: PolicySet, grant: Grant, day: date) -> dict[str, Any]:
    purpose, days = policies.purposes[grant.purpose], days_of(policies, grant.purpose)
    return {
        "purpose": grant.purpose,
        "state": purpose.state,
        "standing": standing_on(policies, grant.purpose, day),
        "from": days and days[0].isoformat(),
        "until": days and days[1].isoformat(),
        "askers": _askers_json(grant.askers),
        "answerers": list(grant.answerers),
        "may_learn": list(grant.things),
        "about": purpose.about,
        "identified_by": list(purpose.identified_by),
        "legal_basis": purpose.legal_basis,
        "source": policies.line_of(grant.purpose, "purpose"),
    }


def _askers_json(askers: Iterable[Asker]) -> list[dict[str, str | None]]:
    return [{"party": asker.party, "on_behalf_of": asker.principal} for asker in askers]
