"""`sluis policy new-key | sign | approvals | bundle | verify`: from files to a signed set."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from broker.canonical import canonical_json
from broker.cli.policy.check import exit_of
from broker.cli.policy.overviews import show_purposes
from broker.cli.policy.root import (
    APPROVAL_FOLDER,
    AsJson,
    BundleFile,
    Exit,
    Folder,
    app,
    complain,
    expiry_of,
    fail,
    identity,
    moment_of,
    print_json,
    private_key,
    purposes_of,
    read_approvals,
    read_folder,
    stop_if_wrong,
    write_whole,
)
from broker.errors import SluisError
from broker.policy.approvals import Approval, Sides, approve, standing, why_not
from broker.policy.bundle import Bundle, build_bundle, load_bundle, policy_set_from_texts, read_bundle, sign_bundle
from broker.policy.document import PolicySet
from broker.policy.legal_days import local_day
from broker.policy.lint import lint

_BROUGHT_BY_TIME = frozenset({"ENDS_SOON", "ENDED"})


@app.command("new-key")
def new_key(
    out: Annotated[Path, typer.Option(help="Where to write the private key.", dir_okay=False)],
    as_json: AsJson = False,
) -> None:
    """Make an officer's key. Asks for a password that protects it; keep the file to yourself.

    The public key goes to a file of the same name that ends in .pub; that one may be shown to everybody.

    Example: sluis policy new-key --out officer.pem
    """
    public_file = out.with_suffix(".pub")
    if out.exists() or public_file.exists():
        raise typer.BadParameter(
            "exists already, and a key is never overwritten; name another file", param_hint="--out"
        )
    password = typer.prompt("Password for the key", hide_input=True, confirmation_prompt=True, err=True)
    if len(password) < 12:
        raise typer.BadParameter("a password has at least 12 characters; a short sentence is easy to remember")
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password.encode()))
    with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(pem)
    public = key.public_key().public_bytes_raw().hex()
    write_whole(public_file, f"{public}\n".encode())
    if as_json:
        print_json({"ok": True, "key": str(out), "public": public})
        return
    typer.echo(f"wrote {out}: your private key; nobody else may have it")
    typer.echo(f'wrote {public_file}: the public key, for officers.yaml and for the operator:\n  key: "{public}"')


@app.command()
def sign(
    target: Annotated[
        Path, typer.Argument(help="A policies folder (with --purpose and --as), or a bundle.", exists=True)
    ],
    key: Annotated[Path, typer.Option(help="Ed25519 private key, PEM.", exists=True, dir_okay=False)],
    purpose: Annotated[list[str] | None, typer.Option(help="Approve this purpose of the folder; repeat.")] = None,
    officer: Annotated[str | None, typer.Option("--as", help="Which officer of officers.yaml you are.")] = None,
    role: Annotated[str | None, typer.Option(help="In which role you sign a bundle, such as 'chair'.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write the bundle; else over it.", dir_okay=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Sign one purpose for your side, or a whole bundle.

    A purpose: the approval goes to approvals/ in the folder; it ends as soon as the purpose means something else.
    A bundle: the signature stands beside those of others and covers what the policies mean and say.
    What you are about to sign is shown before the key is opened.

    Example: sluis policy sign policies/ --purpose snf-locatie --as snf-officer --key officer.pem

    Example: sluis policy sign policies-4.bundle --key chair.pem --role chair
    """
    if target.is_dir():
        if role is not None or out is not None:
            raise typer.BadParameter("--role and --out belong to a bundle, and this is a folder", param_hint="TARGET")
        if not purpose or officer is None:
            raise typer.BadParameter("a folder is signed purpose by purpose: give --purpose and --as")
        _sign_purposes(target, purpose, officer, key, as_json)
    else:
        if purpose or officer is not None:
            raise typer.BadParameter("--purpose and --as belong to a folder, and this is a file", param_hint="TARGET")
        if role is None:
            raise typer.BadParameter("say in which role you sign the bundle", param_hint="--role")
        _sign_bundle(target, role, key, out or target, as_json)


def _sign_purposes(folder: Path, purposes: Sequence[str], officer: str, key: Path, as_json: bool) -> None:
    """All of them, or none: what would not count is found before the first file is written."""
    policies = read_folder(folder, as_json)
    kept, problems = read_approvals(folder)
    stop_if_wrong(folder, problems, as_json)
    today = local_day(datetime.now(UTC))
    known = [name for name in purposes if name in policies.purposes]
    if known and not as_json:
        show_purposes(policies, known, today)
    opened = private_key(key)
    try:
        made = [approve(policies, purpose, officer, opened, today) for purpose in purposes]
    except SluisError as error:
        fail(error, as_json)
    sides = standing(policies, {*kept, *made})
    (folder / APPROVAL_FOLDER).mkdir(exist_ok=True)
    for approval in made:
        target = folder / APPROVAL_FOLDER / f"{approval.purpose}.{officer}.json"
        write_whole(target, canonical_json(approval.to_object()) + b"\n")
        if not as_json:
            typer.echo(f"approved {approval.purpose} as {officer}: {policies.purposes[approval.purpose].title.en}")
            typer.echo(f"  digest {approval.digest}\n  wrote {target}; {_told(sides[approval.purpose])}")
    if as_json:
        approved = [{**approval.to_object(), "complete": sides[approval.purpose].complete} for approval in made]
        print_json({"ok": True, "approvals": approved})


def _sign_bundle(bundle_file: Path, role: str, key: Path, target: Path, as_json: bool) -> None:
    try:
        unsigned = bundle_file.read_bytes()
        bundle = read_bundle(unsigned)
        policies = policy_set_from_texts(bundle.texts)
        if not as_json:
            _show_bundle(bundle, policies)
        opened = private_key(key)
        data = sign_bundle(unsigned, opened, role)
    except SluisError as error:
        fail(error, as_json)
    _write_bundle(target, data, signed_over=unsigned)
    public = opened.public_key().public_bytes_raw().hex()
    signed = read_bundle(data)
    if as_json:
        print_json({"ok": True, "bundle": str(target), "key": public, "signatures": len(signed.signatures)})
    else:
        typer.echo(f"signed {target} as {role}; signatures now: {len(signed.signatures)}\nsigner {public}")


def _show_bundle(bundle: Bundle, policies: PolicySet) -> None:
    """What a signature on a bundle will cover. Its meaning is that of its texts."""
    states: dict[str, list[str]] = {}
    for name, purpose in policies.purposes.items():
        states.setdefault(purpose.state, []).append(name)
    stated = bundle.manifest
    typer.echo(f"you sign revision {stated['revision']}, digest {stated['digest']}, expires {stated['expires']}")
    for state, names in sorted(states.items()):
        typer.echo(f"  {state}: {', '.join(sorted(names))}")
    for name in _lacking(policies, bundle.approvals):
        typer.echo(f"  {name} lacks an approval: a broker will refuse the set")
    typer.echo("  what it changes: sluis policy diff, with the bundle in force and this one")


def _write_bundle(out: Path, data: bytes, signed_over: bytes = b"") -> None:
    """Over nothing but a bundle; and not over a bundle with signatures, unless these are among those in `data`."""
    if out.exists() and (there := out.read_bytes()) != signed_over:
        try:
            signatures = len(read_bundle(there).signatures)
        except SluisError as error:
            raise typer.BadParameter(
                f"'{out}' exists and is no bundle; name another file", param_hint="--out"
            ) from error
        if signatures:
            text = f"'{out}' is a bundle with signatures ({signatures}); name another file, or remove it"
            raise typer.BadParameter(text, param_hint="--out")
    write_whole(out, data)


@app.command()
def approvals(folder: Folder, as_json: AsJson = False) -> None:
    """Show which purposes both sides have approved, and whose approval is lacking or has lapsed.

    Exit 6 when an active purpose lacks one.

    Example: sluis policy approvals policies/
    """
    policies = read_folder(folder, as_json)
    found, problems = read_approvals(folder)
    stop_if_wrong(folder, problems, as_json)
    sides = standing(policies, found)
    lapsed = {approval: why for approval in found if (why := why_not(policies, approval))}
    lacking = [n for n, purpose in policies.purposes.items() if purpose.state == "active" and not sides[n].complete]
    if as_json:
        shown = {
            name: {
                "state": purpose.state,
                "asking": sorted(sides[name].asking),
                "answering": sorted(sides[name].answering),
                "complete": sides[name].complete,
            }
            for name, purpose in policies.purposes.items()
        }
        gone = [{**approval.to_object(), "why": why} for approval, why in lapsed.items()]
        print_json({"ok": not lacking, "purposes": shown, "lapsed": gone})
    else:
        for name, purpose in policies.purposes.items():
            typer.echo(f"{name} ({purpose.state}): {_told(sides[name])}")
        for approval, why in lapsed.items():
            typer.echo(f"does not count: {APPROVAL_FOLDER}/{approval.purpose}.{approval.officer}.json: {why}")
        typer.echo(f"{purposes_of(len(lacking), 'active ')} without the approvals of both sides")
    if lacking:
        raise typer.Exit(Exit.SIGNATURES)


@app.command()
def bundle(
    folder: Folder,
    revision: Annotated[int, typer.Option(min=1, help="Higher than that of the set in force.")],
    expires: Annotated[str, typer.Option(help="Last day (in Europe/Amsterdam), or a moment in UTC.")],
    out: Annotated[Path, typer.Option(help="Where to write the bundle.", dir_okay=False)],
    as_json: AsJson = False,
) -> None:
    """Make a bundle of the policies with the approvals that count, to be signed by several people.

    Findings of `sluis policy check` that nobody has mended or answered stop it, as they stop that command.

    Example: sluis policy bundle policies/ --revision 4 --expires 2027-03-31 --out policies-4.bundle
    """
    policies = read_folder(folder, as_json)
    found, problems = read_approvals(folder)
    stop_if_wrong(folder, problems, as_json)
    if not policies.purposes:
        raise typer.BadParameter("there is no purpose in it: such a set would deny everything", param_hint="FOLDER")
    _stop_if_unanswered(folder, policies, found, as_json)
    counted = sorted({approval for approval in found if not why_not(policies, approval)})
    try:
        data = build_bundle(policies.texts, revision=revision, expires=expiry_of(expires), approvals=counted)
    except SluisError as error:
        fail(error, as_json)
    _write_bundle(out, data)
    manifest = dict(read_bundle(data).manifest)
    lacking = _lacking(policies, counted)
    if as_json:
        print_json(
            {"ok": True, "bundle": str(out), "manifest": manifest, "approvals": len(counted), "lacking": lacking}
        )
        return
    typer.echo(f"wrote {out}: revision {revision}, digest {manifest['digest']}, expires {manifest['expires']}")
    typer.echo(f"approvals that count: {len(counted)}")
    for name in lacking:
        typer.echo(f"note: {name} is active and {_told(standing(policies, counted)[name])}; a broker will refuse it")
    typer.echo(f"next: sluis policy sign {out} --key KEY.pem --role 'your function'")


def _stop_if_unanswered(folder: Path, policies: PolicySet, approvals: Iterable[Approval], as_json: bool) -> None:
    """Ends the command at findings that are open; not at what time alone brings, for an answer would end approvals."""
    found = lint(policies, now=datetime.now(UTC), approvals=approvals)
    opened = [finding for finding in found if finding.is_open and finding.problem.code not in _BROUGHT_BY_TIME]
    worst = exit_of(opened)
    if worst is None:
        return
    if as_json:
        print_json({"ok": False, "problems": [vars(finding.problem) for finding in opened]})
    else:
        for finding in opened:
            complain(folder, str(finding.problem))
        hint = (
            "mend what is refused" if worst is Exit.REFUSED else "mend these, or let a person answer them in the file"
        )
        typer.echo(f"no bundle was made; {hint}; see `sluis policy check`", err=True)
    raise typer.Exit(worst)


@app.command()
def verify(
    bundle_file: BundleFile,
    signer: Annotated[list[str], typer.Option(help="A trusted public key, hex. Repeat for each signer.")],
    quorum: Annotated[int, typer.Option(min=1, help="How many of them must have signed.")],
    at: Annotated[str | None, typer.Option(help="The moment to judge expiry at; else now.")] = None,
    unsafe_skip_approvals: Annotated[
        bool, typer.Option("--unsafe-skip-approvals", help="Do not ask for the approval of both sides; for trials.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Verify a bundle as a broker does: signatures, approvals, expiry, and that its meaning is that of its texts.

    Example: sluis policy verify policies-4.bundle --signer 6f0c... --signer 91ab... --quorum 2
    """
    now = moment_of(at, "--at") if at else datetime.now(UTC)
    if not all(re.fullmatch(r"[0-9a-fA-F]{64}", public) for public in signer):
        raise typer.BadParameter("a signer is 64 hex digits; `sluis policy sign` prints it", param_hint="--signer")
    data = bundle_file.read_bytes()
    try:
        policies = load_bundle(
            data, signers=signer, quorum=quorum, now=now, unsafe_skip_approvals=unsafe_skip_approvals
        )
    except SluisError as error:
        fail(error, as_json)
    read = read_bundle(data)
    roles = {entry.key: entry.role for entry in read.signatures}
    if as_json:
        signers = {key: roles[key] for key in policies.signers}
        approved = [approval.to_object() for approval in read.approvals]
        print_json({"ok": True, **identity(policies), "signers": signers, "approvals": approved})
        return
    typer.echo(f"verified: revision {policies.revision}, {purposes_of(len(policies.purposes))}")
    typer.echo(f"digest  {policies.digest}\nexpires {policies.expires:%Y-%m-%dT%H:%M:%SZ}")
    for public in policies.signers:
        typer.echo(f"signer  {public}  signing as {roles[public]!r}, by its own account")
    for name, sides in standing(policies, read.approvals).items():
        if policies.purposes[name].state == "active":
            typer.echo(f"purpose {name}: {_told(sides)}")


def _lacking(policies: PolicySet, counted: Sequence[Approval]) -> list[str]:
    sides = standing(policies, counted)
    return [name for name, text in policies.purposes.items() if text.state == "active" and not sides[name].complete]


def _told(sides: Sides) -> str:
    listed: dict[str, Any] = {"asking": sorted(sides.asking), "answering": sorted(sides.answering)}
    by = "; ".join(f"{side} side: {', '.join(names)}" for side, names in listed.items() if names)
    if sides.complete:
        return f"approved by both sides ({by})"
    return f"lacks the approval of {sides.lacking}" + (f" ({by})" if by else "")
