"""What every `sluis policy` command shares: the app, exit codes, reading a folder, and how problems are told."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from broker.cli.terminal import each_line, one_line
from broker.errors import Code, SluisError
from broker.policy.approvals import Approval, parse_approval
from broker.policy.bundle import policy_set_from_texts, read_bundle
from broker.policy.document import CATALOGUE_FILE, OFFICERS_FILE, PURPOSE_FOLDER, PolicySet, read_policies
from broker.policy.legal_days import midnight
from broker.policy.problems import Problem

app = typer.Typer(
    name="policy",
    help="Check, test, explain, bundle, sign and verify purpose policies.",
    no_args_is_help=True,
    rich_markup_mode=None,
    epilog="Exit codes: 0 done, 2 usage, 3 files refused, 4 a test failed, 5 denied, 6 signatures, 7 expired, "
    "8 allows more or a person must compare, 9 a person must answer, 10 lines that no test holds.",
)


APPROVAL_FOLDER = "approvals"
_PRECIOUS = frozenset({".pem", ".key", ".pub", ".yaml", ".yml", ".bundle"})
_MARKS = (b"-----BEGIN", b'{"approvals":', b'{"bundle":', b'{"manifest":')
"""What a key, a bundle and a log begin with, under whatever name."""


class Exit(IntEnum):
    """Exit codes; stable."""

    USAGE = 2
    REFUSED = 3
    TEST_FAILED = 4
    DENIED = 5
    SIGNATURES = 6
    EXPIRED = 7
    ALLOWS_MORE = 8
    UNANSWERED = 9
    UNHELD = 10


_EXITS = {
    Code.POLICY_UNSIGNED: Exit.SIGNATURES,
    Code.POLICY_EXPIRED: Exit.EXPIRED,
    Code.POLICY_REVISION_LOWER: Exit.EXPIRED,
}
Folder = Annotated[
    Path, typer.Argument(help="The policies folder (catalogue.yaml, purposes/).", exists=True, file_okay=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
BundleFile = Annotated[Path, typer.Argument(help="The policy bundle.", exists=True, dir_okay=False)]


def read_folder(folder: Path, as_json: bool) -> PolicySet:
    """The policy set of a folder; its problems end the command with REFUSED."""
    purposes = folder / PURPOSE_FOLDER
    files = sorted(p for p in purposes.iterdir() if not p.name.startswith(".")) if purposes.is_dir() else []
    heads = [path for path in (folder / CATALOGUE_FILE, folder / OFFICERS_FILE) if path.exists()]
    texts, problems = read_texts(folder, [*heads, *files])
    stop_if_wrong(folder, problems, as_json)
    if not files:
        complain(folder, f"{PURPOSE_FOLDER}: there is no purpose in it; nothing is permitted")
    policies, problems = read_policies(texts)
    if policies is None:
        stop_if_wrong(folder, problems, as_json)
        raise typer.Exit(Exit.REFUSED)
    return policies


def read_side(side: Path, as_json: bool) -> PolicySet:
    """The policy set of a folder or of a bundle, whose signatures are not looked at."""
    if side.is_dir():
        return read_folder(side, as_json)
    try:
        bundle = read_bundle(side.read_bytes())
        policies = policy_set_from_texts(bundle.texts)
    except SluisError as error:
        fail(error, as_json)
    expires = datetime.fromisoformat(bundle.manifest["expires"])
    return replace(policies, revision=bundle.manifest["revision"], expires=expires)


def read_texts(folder: Path, files: list[Path]) -> tuple[dict[str, str], tuple[Problem, ...]]:
    """Texts by name relative to `folder`, and the problems of files that cannot be read."""
    texts: dict[str, str] = {}
    problems = []
    for file in files:
        name = file.relative_to(folder).as_posix()
        try:
            # bytes, not text mode: line endings are part of what was signed
            texts[name] = file.read_bytes().decode("utf-8")
        except UnicodeDecodeError as error:
            problems.append(Problem(name, 1, "NOT_UTF8", f"byte {error.start} is not UTF-8", "save the file as UTF-8"))
        except OSError as error:
            problems.append(Problem(name, 1, "UNREADABLE", error.strerror or "cannot be read", "check the file"))
    return texts, tuple(problems)


def read_approvals(folder: Path) -> tuple[list[Approval], tuple[Problem, ...]]:
    """The approvals in `approvals/*.json` of a folder, and the problems of files that are none."""
    found: list[Approval] = []
    problems = []
    for file in sorted((folder / APPROVAL_FOLDER).glob("*.json")):
        try:
            found.append(parse_approval(file.read_bytes()))
        except (SluisError, OSError):
            name = file.relative_to(folder).as_posix()
            hint = "remove it, and let the officer run `sluis policy sign` again"
            problems.append(Problem(name, 1, "APPROVAL_SHAPE", "is not an approval", hint))
    return found, tuple(problems)


def stop_if_wrong(folder: Path, problems: tuple[Problem, ...], as_json: bool) -> None:
    """Tells the problems, if any, and ends the command with REFUSED."""
    if not problems:
        return
    if as_json:
        print_json({"ok": False, "problems": [vars(problem) for problem in problems]})
    for problem in problems:
        complain(folder, str(problem))
    raise typer.Exit(Exit.REFUSED)


def purposes_of(count: int, kind: str = "") -> str:
    """`1 purpose`, `2 active purposes`."""
    return f"{count} {kind}purpose{'' if count == 1 else 's'}"


def complain(folder: Path, text: str) -> None:
    """One finding on stderr, its file under `folder` as the user named it."""
    typer.echo(one_line(f"{(folder / 'x').as_posix()[:-1]}{text}"), err=True)


def fail(error: SluisError, as_json: bool) -> NoReturn:
    """Ends the command with the exit code of `error`."""
    if as_json:
        print_json({"ok": False, "code": error.code.name, "message": error.message})
    typer.echo(each_line(f"{error.code.name}: {error.message}"), err=True)
    raise typer.Exit(_EXITS.get(error.code, Exit.REFUSED))


def identity(policies: PolicySet) -> dict[str, Any]:
    """What names a set in JSON output."""
    return {
        "digest": policies.digest,
        "text_digest": policies.text_digest,
        "revision": policies.revision or None,
        "expires": policies.expires and f"{policies.expires:%Y-%m-%dT%H:%M:%SZ}",
    }


def print_json(value: Mapping[str, Any]) -> None:
    """One JSON object on a line."""
    typer.echo(json.dumps(value, ensure_ascii=False, sort_keys=True))


def day_of_option(text: str, option: str) -> date:
    """A day of this century from an option."""
    try:
        if re.fullmatch(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}", text):
            return date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"there is no day '{text}'", param_hint=option) from error
    raise typer.BadParameter("write a day from 2000 to 2099, such as 2026-11-23", param_hint=option)


def moment_of(text: str, option: str) -> datetime:
    """A moment of this century, in UTC, from an option."""
    if re.fullmatch(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", text):
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass
    raise typer.BadParameter("write a moment in UTC, such as 2026-11-23T10:00:00Z", param_hint=option)


def expiry_of(text: str) -> datetime:
    """A day means up to and including that day in Europe/Amsterdam."""
    if "T" in text:
        expires = moment_of(text, "--expires")
    else:
        expires = midnight(day_of_option(text, "--expires") + timedelta(days=1))
    if expires <= datetime.now(UTC):
        raise typer.BadParameter("lies in the past: this set would deny everything", param_hint="--expires")
    return expires


def private_key(path: Path) -> Ed25519PrivateKey:
    """An Ed25519 key from a PEM; asks for its password when it has one."""
    data = path.read_bytes()
    try:
        password = typer.prompt("Password of the key", hide_input=True, err=True) if b"ENCRYPTED" in data else None
        key = load_pem_private_key(data, password.encode() if password else None)
    except (ValueError, TypeError) as error:
        why = "the password is not that of this key" if b"ENCRYPTED" in data else "this is no private key in PEM"
        raise typer.BadParameter(f"{why}; a .pub file is the public key", param_hint="--key") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise typer.BadParameter(
            "signing takes an Ed25519 key, as `sluis policy new-key` makes one", param_hint="--key"
        )
    return key


def write_whole(path: Path, data: bytes) -> None:
    """Whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(data)
    partial.replace(path)


def write_output(path: Path, data: bytes, option: str) -> None:
    """As `write_whole`, where a user may have named the wrong file: replaces no key, bundle or policy file."""
    if path.is_dir():
        raise typer.BadParameter(f"'{path}' is a folder; name a file", param_hint=option)
    if path.exists():
        with path.open("rb") as stream:
            begins = stream.read(max(map(len, _MARKS)))
        if path.suffix in _PRECIOUS or begins.startswith(_MARKS):
            text = f"'{path}' is a key, a bundle or a policy file; name another file"
            raise typer.BadParameter(text, param_hint=option)
    write_whole(path, data)
