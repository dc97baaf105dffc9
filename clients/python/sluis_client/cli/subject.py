"""`sluis-client subject`: what a person may know of the exchanges that asked about them (GDPR article 15)."""

from __future__ import annotations

import csv
import hashlib
import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sluis_client.cli.session import (
    ColumnsOption,
    JsonOption,
    ProfileOption,
    emit,
    pairs,
    participant,
    tell_problems,
    the_profile,
)
from sluis_client.errors import ClientError, Exit

if TYPE_CHECKING:
    from sluis_client.normalised import Keys

PROMPT = "prompt"


def mount(app: typer.Typer) -> None:
    """Adds this command."""
    app.command("subject")(subject)


def subject(
    *,
    scheme: Annotated[str, typer.Option("--scheme", help="Identifier scheme by which the person is known.")] = "",
    purpose: Annotated[
        list[str] | None, typer.Option("--purpose", help="Only this purpose; may be repeated. Left out: all.")
    ] = None,
    person: Annotated[
        str, typer.Option("--person", help="CSV file with the person and nobody else, or `prompt` to be asked.")
    ] = "",
    out: Annotated[
        Path | None, typer.Option("--out", help="Where the signed answer goes; its text stands beside it, in .txt.")
    ] = None,
    auditor_key: Annotated[
        Path | None,
        typer.Option("--auditor-key", help="Instead of searching: make the file for an auditor with this .pub key."),
    ] = None,
    language: Annotated[str, typer.Option("--language", help="Of the text: nl or en.")] = "nl",
    columns: ColumnsOption = None,
    verify: Annotated[Path | None, typer.Option("--verify", help="Check such an answer, offline, and show it.")] = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answer a person's request for access: every exchange of yours that asked about them, signed, with receipts.

    The pseudonyms are computed here, for each purpose and epoch whose key is kept; the broker looks for them in your
    own exchanges and logs that you searched, not for whom. The answer says what can no longer be searched, and why.

    With --auditor-key nothing is searched: the person's pseudonyms go into a signed file that only that auditor can
    open, who searches the log without the broker (`sluis audit subject`).

    \b
    Example: sluis-client subject --scheme bsn --person prompt --out answer.json
             sluis-client subject --verify answer.json
             sluis-client subject --scheme bsn --person prompt --auditor-key auditor.pub --out person.json
    """
    from sluis_client.subject_text import LANGUAGES

    if language not in LANGUAGES:
        raise ClientError("USAGE", f"--language is one of: {', '.join(LANGUAGES)}")
    if verify is not None:
        _verify(verify, language, profile, as_json)
        return
    if out is None or not scheme or not person:
        raise ClientError("USAGE", "--scheme, --person and --out are needed; or --verify FILE")
    if auditor_key is not None:
        _demand_free(out)
        given = _keys(person, scheme, pairs(columns, "--columns"))
        _for_auditor(scheme, tuple(purpose or ()), given, out, auditor_key, profile, as_json)
        return
    _demand_free(out, _text_beside(out))
    _answer(
        scheme,
        tuple(purpose or ()),
        _keys(person, scheme, pairs(columns, "--columns")),
        out,
        language,
        profile,
        as_json,
    )


def _answer(
    scheme: str,
    purposes: tuple[str, ...],
    keys: Keys,
    out: Path,
    language: str,
    profile: Path | None,
    as_json: bool,
) -> None:
    from sluis_client import subject as core
    from sluis_client.private_files import write_private
    from sluis_client.subject_file import signed_file
    from sluis_client.subject_text import lines

    with participant(profile) as me:
        answer = core.answer(me, core.Sought(scheme, keys, purposes))
        data = signed_file(me, answer)
    told = list(lines(answer, language))
    text = _text_beside(out)
    write_private(text, ("\n".join(told) + "\n").encode())
    write_private(out, data)
    epochs = [epoch for one in answer["purposes"] for epoch in one["epochs"]]
    found = sum(len(epoch["exchanges"]) for epoch in epochs)
    value = {
        "found": found,
        "searched": sum(epoch["searched"] for epoch in epochs),
        "not_searched": sum(one["questions"] for epoch in epochs for one in epoch["not_searched"]),
        "keys_missing": sum(len(one["keys_missing"]) for one in answer["purposes"]),
        "searches": len(epochs),
        "file": str(out),
        "text": str(text),
    }
    said = f"{found} found in {value['searched']} questions, {len(epochs)} searches logged"
    closed = f"{value['not_searched']} questions and {value['keys_missing']} key epochs can no longer be searched"
    emit(value, [said, closed, f"for the person: {out} (signed) and {text}"], as_json)


def _for_auditor(
    scheme: str,
    purposes: tuple[str, ...],
    keys: Keys,
    out: Path,
    auditor_key: Path,
    profile: Path | None,
    as_json: bool,
) -> None:
    from sluis_client.private_files import write_private
    from sluis_client.subject import Sought
    from sluis_client.subject_for_auditor import auditor_file, read_auditor_key

    try:
        public = read_auditor_key(auditor_key.read_text("ascii"))
    except (OSError, UnicodeDecodeError):
        raise ClientError("FILE_UNREADABLE", f"cannot read {auditor_key}; check the path") from None
    with participant(profile) as me:
        data, epochs = auditor_file(me, Sought(scheme, keys, purposes), public)
    write_private(out, data)
    fingerprint = hashlib.sha256(public).hexdigest()
    value = {
        "file": str(out),
        "auditor_key": fingerprint,
        "epochs": [{"purpose": purpose, "epoch": epoch} for purpose, epoch in epochs],
    }
    named = ", ".join(f"{purpose} {epoch}" for purpose, epoch in epochs)
    said = f"compare the key's fingerprint with the auditor by another way than the file: {fingerprint}"
    emit(value, [f"for the auditor: {out}, the person's pseudonyms under {named}", said], as_json)


def _verify(file: Path, language: str, profile: Path | None, as_json: bool) -> None:
    from sluis_client.subject_file import verify_file
    from sluis_client.subject_text import lines

    read = the_profile(profile)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ClientError("FILE_UNREADABLE", f"cannot read {file}: {error.strerror}") from None
    done = verify_file(data, read.log_keys, read.trusted_parties())
    party = done.answer["party"]
    said = f"verified: signed by {party} (OIN {done.oin}); {done.entries} entries proven to stand in the log"
    emit(
        {"verified": True, "party": party, "oin": done.oin, "entries": done.entries, "answer": done.answer},
        [*lines(done.answer, language), "", said],
        as_json,
    )


def _text_beside(out: Path) -> Path:
    return out.with_name(out.name + ".txt")


def _demand_free(out: Path, *beside: Path) -> None:
    for path in (out, *beside):
        if path.exists():
            raise ClientError(
                "USAGE", f"{path} is there already, and an answer is never overwritten; name another --out"
            )
    if not out.parent.is_dir():
        raise ClientError("USAGE", f"there is no directory {out.parent}")


def _keys(person: str, scheme: str, columns: dict[str, str]) -> Keys:
    """The match keys of the one person. No error here shows what was given: it might be an identifier."""
    from sluis_client.register_table import scheme_named
    from sluis_client.tables import normalise_table, read_table

    named = scheme_named(scheme)
    if person == PROMPT:
        cells = [_asked(name, needed=name in named.columns) for name in (*named.columns, *named.optional)]
        text = io.StringIO()
        csv.writer(text).writerows([(*named.columns, *named.optional), cells])
        table, columns = read_table(text.getvalue().encode(), delimiter=","), {}
    else:
        if not Path(person).is_file():
            raise ClientError(
                "FILE_UNREADABLE", "--person names a file that is there, or is `prompt`; never an identifier itself"
            )
        table = read_table(Path(person))
    normal = normalise_table(table, named, columns=columns)
    tell_problems(normal.problems, len(table.rows), normal.duplicates)
    if len(normal.keys) != 1:
        text_ = f"{len(normal.keys)} usable rows were given, and an answer is about one person: give exactly one"
        raise ClientError("PERSON_NOT_ONE", text_, Exit.USAGE)
    return normal.keys[0]


def _asked(name: str, *, needed: bool) -> str:
    default = None if needed else ""
    hidden = sys.stdin.isatty()  # a pipe echoes nothing here, and cannot be told not to
    answer: str = typer.prompt(name, default=default, hide_input=hidden, show_default=False, err=True)
    return answer.strip()
