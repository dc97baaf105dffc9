"""`sluis policy`: check, test, explain, bundle, sign and verify purpose policies. The privacy officer's commands.

Exit codes: 0 done (explain: permit), 2 usage, 3 files refused, 4 a test failed, 5 denied, 6 signatures missing or
wrong, 7 expired or an older revision. Findings go to stderr as `file:line: CODE: text; suggestion`, results to stdout.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from broker.errors import Code, SluisError
from broker.policy.bundle import build_bundle, load_bundle, read_bundle, sign_bundle
from broker.policy.document import CATALOGUE_FILE, PURPOSE_FOLDER, PolicySet, read_policies
from broker.policy.evaluate import Decision, decision_to_log, evaluate
from broker.policy.legal_days import midnight
from broker.policy.policy_test import TEST_SUFFIX, CaseResult, pose, read_question, run_tests, untested
from broker.policy.problems import Problem

app = typer.Typer(
    name="policy",
    help="Check, test, explain, bundle, sign and verify purpose policies.",
    no_args_is_help=True,
    rich_markup_mode=None,
    epilog="Exit codes: 0 done, 2 usage, 3 files refused, 4 a test failed, 5 denied, 6 signatures, 7 expired.",
)


class Exit(IntEnum):
    """Exit codes; stable."""

    USAGE = 2
    REFUSED = 3
    TEST_FAILED = 4
    DENIED = 5
    SIGNATURES = 6
    EXPIRED = 7


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


@app.command()
def check(folder: Folder, as_json: AsJson = False) -> None:
    """Read every file strictly and check the purposes against the catalogue.

    Example: sluis policy check policies/
    """
    policies = _policies(folder, as_json)
    states: dict[str, int] = {}
    for purpose in policies.purposes.values():
        states[purpose.state] = states.get(purpose.state, 0) + 1
    if as_json:
        _print_json({"ok": True, **_identity(policies), "purposes": sorted(policies.purposes), "states": states})
        return
    counts = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    typer.echo(f"{len(policies.purposes)} purposes ({counts}), nothing to refuse")
    typer.echo(f"digest      {policies.digest}\ntext digest {policies.text_digest}")


@app.command("test")
def run_officer_tests(folder: Folder, as_json: AsJson = False) -> None:
    """Run the officer's tests in tests/*_test.yaml.

    A purpose without a test that expects a denial, or an active one without a test that expects a permit, fails too.

    Example: sluis policy test policies/
    """
    policies = _policies(folder, as_json)
    texts, problems = _read(folder, sorted((folder / "tests").glob(f"*{TEST_SUFFIX}")))
    results, found = run_tests(policies, texts)
    _stop_if_wrong(folder, (*problems, *found), as_json)
    failed = [result for result in results if not result.passed]
    bare = untested(policies, results)
    if as_json:
        _print_json(
            {
                "ok": not failed and not bare,
                **_identity(policies),
                "cases": [_case_json(result) for result in results],
                "untested": list(bare),
            }
        )
    else:
        for result in failed:
            found_because = f"{result.effect} because of {', '.join(result.failing) or 'nothing'}"
            wanted = f"{result.expected} because of {', '.join(result.expected_because) or 'nothing'}"
            _complain(folder, f"{result.where}: TEST_FAILED: '{result.name}' expects {wanted}; found {found_because}")
        for name in bare:
            _complain(folder, f"{PURPOSE_FOLDER}{name}.yaml:1: UNTESTED: no test shows what {name} permits and denies")
        typer.echo(f"{len(results) - len(failed)} of {len(results)} cases pass; {len(bare)} purposes untested")
    if failed or bare:
        raise typer.Exit(Exit.TEST_FAILED)


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
    policies = _policies(folder, as_json)
    texts, problems = _read(request.parent, [request])
    _stop_if_wrong(request.parent, problems, as_json)
    question, problems = read_question(texts[request.name], request.name)
    if question is None:
        _stop_if_wrong(request.parent, problems, as_json)
        raise typer.Exit(Exit.REFUSED)
    moment = _moment(at, "--at") if at else question.at or datetime.now(UTC)
    asked, facts = pose(policies, question.model_copy(update={"at": moment}))
    decision = evaluate(policies, asked, facts)
    if as_json:
        shown = decision_to_log(decision)
        for entry in shown["checks"]:
            entry["source"] = policies.line_of(asked.purpose, entry["path"])
        _print_json({**shown, **_identity(policies), "purpose": asked.purpose, "at": f"{moment:%Y-%m-%dT%H:%M:%SZ}"})
    else:
        _print_decision(policies, asked.purpose, moment, decision)
    if not decision.permitted:
        raise typer.Exit(Exit.DENIED)


@app.command()
def bundle(
    folder: Folder,
    revision: Annotated[int, typer.Option(min=1, help="Higher than that of the set in force.")],
    expires: Annotated[str, typer.Option(help="Last day (in Europe/Amsterdam), or a moment in UTC.")],
    out: Annotated[Path, typer.Option(help="Where to write the bundle.", dir_okay=False)],
    as_json: AsJson = False,
) -> None:
    """Make an unsigned bundle of the policies, to be signed by several people.

    Example: sluis policy bundle policies/ --revision 4 --expires 2027-03-31 --out policies-4.bundle
    """
    policies = _policies(folder, as_json)
    try:
        data = build_bundle(policies.texts, revision=revision, expires=_expiry(expires))
    except SluisError as error:
        _fail(error, as_json)
    _write(out, data)
    manifest = dict(read_bundle(data).manifest)
    if as_json:
        _print_json({"ok": True, "bundle": str(out), "manifest": manifest})
    else:
        typer.echo(f"wrote {out}: revision {revision}, digest {manifest['digest']}, expires {manifest['expires']}")
        typer.echo(f"next: sluis policy sign {out} --key KEY.pem --role 'asking side'")


@app.command()
def sign(
    bundle_file: BundleFile,
    key: Annotated[Path, typer.Option(help="Ed25519 private key, PEM.", exists=True, dir_okay=False)],
    role: Annotated[str, typer.Option(help="In which role you sign, such as 'asking side'.")],
    out: Annotated[Path | None, typer.Option(help="Where to write; else over the bundle.", dir_okay=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Sign a bundle. The signature stands beside those of others and covers what the policies mean and say.

    A key: openssl genpkey -algorithm ed25519 -out officer.pem

    Example: sluis policy sign policies-4.bundle --key officer.pem --role "asking side"
    """
    private = _private_key(key)
    try:
        data = sign_bundle(bundle_file.read_bytes(), private, role)
    except SluisError as error:
        _fail(error, as_json)
    target = out or bundle_file
    _write(target, data)
    public = private.public_key().public_bytes_raw().hex()
    signed = read_bundle(data)
    if as_json:
        _print_json({"ok": True, "bundle": str(target), "key": public, "signatures": len(signed.signatures)})
    else:
        typer.echo(f"signed {target} as {role}; signatures now: {len(signed.signatures)}\nsigner {public}")


@app.command()
def verify(
    bundle_file: BundleFile,
    signer: Annotated[list[str], typer.Option(help="A trusted public key, hex. Repeat for each signer.")],
    quorum: Annotated[int, typer.Option(min=1, help="How many of them must have signed.")],
    at: Annotated[str | None, typer.Option(help="The moment to judge expiry at; else now.")] = None,
    as_json: AsJson = False,
) -> None:
    """Verify a bundle: signatures, expiry, and that its meaning is that of its texts.

    Example: sluis policy verify policies-4.bundle --signer 6f0c... --signer 91ab... --quorum 2
    """
    now = _moment(at, "--at") if at else datetime.now(UTC)
    if not all(re.fullmatch(r"[0-9a-fA-F]{64}", public) for public in signer):
        raise typer.BadParameter("a signer is 64 hex digits; `sluis policy sign` prints it", param_hint="--signer")
    try:
        policies = load_bundle(bundle_file.read_bytes(), signers=signer, quorum=quorum, now=now)
    except SluisError as error:
        _fail(error, as_json)
    roles = {entry.key: entry.role for entry in read_bundle(bundle_file.read_bytes()).signatures}
    if as_json:
        _print_json({"ok": True, **_identity(policies), "signers": {k: roles[k] for k in policies.signers}})
        return
    typer.echo(f"verified: revision {policies.revision}, {len(policies.purposes)} purposes")
    typer.echo(f"digest  {policies.digest}\nexpires {policies.expires:%Y-%m-%dT%H:%M:%SZ}")
    for public in policies.signers:
        typer.echo(f"signer  {public}  signing as {roles[public]!r}, by its own account")


def _policies(folder: Path, as_json: bool) -> PolicySet:
    purposes = folder / PURPOSE_FOLDER
    files = sorted(p for p in purposes.iterdir() if not p.name.startswith(".")) if purposes.is_dir() else []
    catalogue = folder / CATALOGUE_FILE
    texts, problems = _read(folder, [*([catalogue] if catalogue.exists() else []), *files])
    _stop_if_wrong(folder, problems, as_json)
    policies, problems = read_policies(texts)
    if policies is None:
        _stop_if_wrong(folder, problems, as_json)
        raise typer.Exit(Exit.REFUSED)
    return policies


def _read(folder: Path, files: list[Path]) -> tuple[dict[str, str], tuple[Problem, ...]]:
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


def _stop_if_wrong(folder: Path, problems: tuple[Problem, ...], as_json: bool) -> None:
    if not problems:
        return
    if as_json:
        _print_json({"ok": False, "problems": [vars(problem) for problem in problems]})
    for problem in problems:
        _complain(folder, str(problem))
    raise typer.Exit(Exit.REFUSED)


def _complain(folder: Path, text: str) -> None:
    typer.echo(f"{(folder / 'x').as_posix()[:-1]}{text}", err=True)


def _fail(error: SluisError, as_json: bool) -> NoReturn:
    if as_json:
        _print_json({"ok": False, "code": error.code.name, "message": error.message})
    typer.echo(f"{error.code.name}: {error.message}", err=True)
    raise typer.Exit(_EXITS.get(error.code, Exit.REFUSED))


def _identity(policies: PolicySet) -> dict[str, Any]:
    return {
        "digest": policies.digest,
        "text_digest": policies.text_digest,
        "revision": policies.revision or None,
        "expires": policies.expires and f"{policies.expires:%Y-%m-%dT%H:%M:%SZ}",
    }


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


def _print_json(value: Mapping[str, Any]) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, sort_keys=True))


def _moment(text: str, option: str) -> datetime:
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", text):
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass
    raise typer.BadParameter("write a moment in UTC, such as 2026-11-23T10:00:00Z", param_hint=option)


def _expiry(text: str) -> datetime:
    """A day means up to and including that day in Europe/Amsterdam."""
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        try:
            expires = midnight(date.fromisoformat(text) + timedelta(days=1))
        except ValueError as error:
            raise typer.BadParameter("no such day", param_hint="--expires") from error
    elif "T" in text:
        expires = _moment(text, "--expires")
    else:
        raise typer.BadParameter("write the last day, such as 2027-03-31", param_hint="--expires")
    if expires <= datetime.now(UTC):
        raise typer.BadParameter("lies in the past: this set would deny everything", param_hint="--expires")
    return expires


def _private_key(path: Path) -> Ed25519PrivateKey:
    data = path.read_bytes()
    try:
        password = typer.prompt("Password of the key", hide_input=True, err=True) if b"ENCRYPTED" in data else None
        key = load_pem_private_key(data, password.encode() if password else None)
    except (ValueError, TypeError) as error:
        raise typer.BadParameter("this key cannot be read; give a PEM and its password", param_hint="--key") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise typer.BadParameter("policies are signed with an Ed25519 key", param_hint="--key")
    return key


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(data)
    partial.replace(path)
