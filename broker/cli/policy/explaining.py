"""`sluis policy explain`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

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
)
from broker.policy.document import PolicySet
from broker.policy.evaluate import ENGINE, CheckResult, Decision, decision_to_log, evaluate
from broker.policy.legal_days import AMSTERDAM
from broker.policy.policy_test import Question, pose, read_question
from broker.policy.problems import Problem
from broker.policy.question_words import unknown_words
from broker.policy.strict_yaml import read_yaml
from broker.policy.wording import Lang, advice_on, duty_in, effect_in, question_of, reason_in

QuestionFile = Annotated[
    Path,
    typer.Option("--request", help="The question, as YAML; - for standard input."),
]
Language = Annotated[Lang, typer.Option("--lang", help="Language of the explanation.")]


@app.command()
def explain(
    folder: Folder,
    request: QuestionFile,
    at: Annotated[str | None, typer.Option(help="The moment to decide at; else the file's `at`, else now.")] = None,
    lang: Language = "en",
    as_json: AsJson = False,
) -> None:
    """Decide one question and show every check: met or not, why, on which line it rests, and what to do.

    The question file holds the words of a test's `given`, and `purpose`:

        {purpose: snf-locatie, asks: utrecht, answers: snf, identified_by: bag, subjects: 3, want: [beds]}

    Example: sluis policy explain policies/ --request question.yaml --at 2026-11-23T10:00:00Z --lang nl
    """
    policies = read_folder(folder, as_json)
    question, notes = read_asked(policies, request, at, as_json)
    decision = evaluate(policies, *pose(policies, question))
    if as_json:
        print_json(_as_json(policies, question, decision, notes, lang))
    else:
        for note in notes:
            typer.echo(f"{request.parent / str(note) if note.file != _STDIN else note}", err=True)
        typer.echo("\n".join(_page(policies, question, decision, lang)))
    if not decision.permitted:
        raise typer.Exit(Exit.DENIED)


_STDIN = "(standard input)"


def read_asked(policies: PolicySet, file: Path, at: str | None, as_json: bool) -> tuple[Question, tuple[Problem, ...]]:
    """The question in `file` at the moment to decide at, and its words that the set does not know.

    A question that cannot be read ends the command with REFUSED.
    """
    if str(file) == "-":
        name, text = _STDIN, sys.stdin.read()
    elif not file.is_file():
        raise typer.BadParameter(f"there is no file '{file}'", param_hint="--request")
    else:
        texts, problems = read_texts(file.parent, [file])
        if problems:
            _refuse(file, problems, as_json)
        name, text = file.name, texts[file.name]
    moment = moment_of(at, "--at") if at else None
    question, problems = read_question(text, name)
    source, _ = read_yaml(text, name)
    if question is None or source is None:
        _refuse(file, problems, as_json)
    notes = unknown_words(policies, question, source)
    return question.model_copy(update={"at": moment or question.at or datetime.now(UTC)}), notes


def _refuse(file: Path, problems: tuple[Problem, ...], as_json: bool) -> NoReturn:
    if as_json:
        print_json({"ok": False, "problems": [vars(problem) for problem in problems]})
    for problem in problems:
        typer.echo(f"{problem if problem.file == _STDIN else file.parent / str(problem)}", err=True)
    raise typer.Exit(Exit.REFUSED)


def _page(policies: PolicySet, question: Question, decision: Decision, lang: Lang) -> Iterator[str]:
    words = _WORDS[lang]
    name = question.purpose or ""
    purpose = policies.purposes.get(name)
    yield f"{effect_in(lang, decision.permitted)} {name}   {_moment(question)}"
    if purpose is not None:
        yield f"{purpose.title.nl if lang == 'nl' else purpose.title.en}"
    yield _asked(policies, question, lang)
    if purpose is not None and purpose.pseudonyms.mode == "oblivious" and _is_silent(question):
        yield words["taken"]
    yield ""
    width = max(len(check.id) for check in decision.checks)
    for check in decision.checks:
        verdict = words["yes"] if check.met else words["no"]
        yield f" {verdict:<4}{check.id:<{width}}  {question_of(check.id, lang)}"
        indent = " " * (width + 7)
        line = policies.line_of(name, check.path)
        yield f"{indent}{reason_in(lang, check.reason).text}" + (f"  [{line}]" if line else "")
        if not check.met:
            if line:
                yield f"{indent}| {_text_at(policies, line)}"
            advice = advice_on(check, lang)
            if advice:
                yield f"{indent}{words['to do']}: {advice}"
    yield ""
    for duty in decision.obligations:
        yield f" {words['duty']} {duty_in(lang, duty, purpose).text}"
    failing = ", ".join(check.id for check in decision.failing)
    if failing:
        yield words["because"].format(number=len(decision.failing), total=len(decision.checks), failing=failing)
    signed = words["unsigned"] if not policies.signers else words["signed"].format(revision=policies.revision)
    yield words["decided"].format(digest=policies.digest[:12], signed=signed, engine=ENGINE)


_WORDS = {
    "en": {
        "yes": "yes",
        "no": "NO",
        "to do": "to do",
        "duty": "duty",
        "because": "denied because of {number} of {total} checks: {failing}",
        "decided": "decided by policy {digest} ({signed}), engine {engine}",
        "unsigned": "files as they are, not signed",
        "signed": "signed, revision {revision}",
        "asked": "{asker} asks {answerer} about {number} by {identifier}, to learn: {want}",
        "for": "{asker}, on behalf of {principal},",
        "taken": "taken as given: the broker offers mode oblivious (`oblivious_available: false` says it does not)",
        "one": "subject",
        "many": "subjects",
    },
    "nl": {
        "yes": "ja",
        "no": "NEE",
        "to do": "te doen",
        "duty": "plicht",
        "because": "geweigerd om {number} van {total} toetsen: {failing}",
        "decided": "beslist volgens beleid {digest} ({signed}), engine {engine}",
        "unsigned": "bestanden zoals ze zijn, niet ondertekend",
        "signed": "ondertekend, revisie {revision}",
        "asked": "{asker} bevraagt {answerer} over {number} met {identifier}, en wil weten: {want}",
        "for": "{asker}, namens {principal},",
        "taken": "aangenomen: de tussenpersoon biedt modus oblivious (`oblivious_available: false` zegt van niet)",
        "one": "onderwerp",
        "many": "onderwerpen",
    },
}


def _asked(policies: PolicySet, question: Question, lang: Lang) -> str:
    """The question in a sentence, with the titles of what the catalogue knows."""
    words, catalogue = _WORDS[lang], policies.catalogue

    def titled(name: str | None, known: Any) -> str:
        entry = known.get(name)
        return f"{entry.title.nl if lang == 'nl' else entry.title.en} ({name})" if entry else f"'{name}'"

    asker = titled(question.asks, catalogue.parties)
    if question.on_behalf_of is not None:
        asker = words["for"].format(asker=asker, principal=titled(question.on_behalf_of, catalogue.parties))
    return words["asked"].format(
        asker=asker,
        answerer=titled(question.answers, catalogue.parties),
        number=f"{question.subjects} {words['one' if question.subjects == 1 else 'many']}",
        identifier=titled(question.identified_by, catalogue.identifiers),
        want=", ".join(question.want or ()) or "-",
    )


def _is_silent(question: Question) -> bool:
    """Whether the question leaves open which modes the broker offers."""
    return "oblivious_available" not in question.model_fields_set


def _moment(question: Question) -> str:
    assert question.at is not None
    return f"{question.at:%Y-%m-%dT%H:%M:%SZ} ({question.at.astimezone(AMSTERDAM):%Y-%m-%d %H:%M} Amsterdam)"


def _text_at(policies: PolicySet, line: str) -> str:
    """The text of a `file:line` of the set, without its indent."""
    file, _, number = line.rpartition(":")
    lines = policies.texts[file].splitlines()
    return lines[int(number) - 1].strip()


def _as_json(
    policies: PolicySet, question: Question, decision: Decision, notes: tuple[Problem, ...], lang: Lang
) -> dict[str, Any]:
    purpose = policies.purposes.get(question.purpose or "")
    logged = decision_to_log(decision)
    return {
        **logged,
        **identity(policies),
        "checks": [
            {**entry, **_check_json(policies, question.purpose or "", check, lang)}
            for entry, check in zip(logged["checks"], decision.checks, strict=True)
        ],
        "duties": [duty_in(lang, duty, purpose).text for duty in decision.obligations],
        "purpose": question.purpose,
        "modes_available": sorted(pose(policies, question)[1].modes_available),
        "at": f"{question.at:%Y-%m-%dT%H:%M:%SZ}",
        "engine": ENGINE,
        "lang": lang,
        "notes": [vars(note) for note in notes],
    }


def _check_json(policies: PolicySet, purpose: str, check: CheckResult, lang: Lang) -> dict[str, Any]:
    said = reason_in(lang, check.reason)
    line = policies.line_of(purpose, check.path)
    return {
        "question": question_of(check.id, lang),
        "text": said.text,
        "translated": said.translated,
        "source": line,
        "line_text": _text_at(policies, line) if line else "",
        "advice": advice_on(check, lang),
    }
