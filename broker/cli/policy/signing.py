"""`sluis policy bundle | sign | verify`: from files to a signed set."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from broker.cli.policy.root import (
    AsJson,
    BundleFile,
    Folder,
    app,
    expiry_of,
    fail,
    identity,
    moment_of,
    print_json,
    private_key,
    read_folder,
    write_whole,
)
from broker.errors import SluisError
from broker.policy.bundle import build_bundle, load_bundle, read_bundle, sign_bundle


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
    policies = read_folder(folder, as_json)
    try:
        data = build_bundle(policies.texts, revision=revision, expires=expiry_of(expires))
    except SluisError as error:
        fail(error, as_json)
    write_whole(out, data)
    manifest = dict(read_bundle(data).manifest)
    if as_json:
        print_json({"ok": True, "bundle": str(out), "manifest": manifest})
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
    private = private_key(key)
    try:
        data = sign_bundle(bundle_file.read_bytes(), private, role)
    except SluisError as error:
        fail(error, as_json)
    target = out or bundle_file
    write_whole(target, data)
    public = private.public_key().public_bytes_raw().hex()
    signed = read_bundle(data)
    if as_json:
        print_json({"ok": True, "bundle": str(target), "key": public, "signatures": len(signed.signatures)})
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
    now = moment_of(at, "--at") if at else datetime.now(UTC)
    if not all(re.fullmatch(r"[0-9a-fA-F]{64}", public) for public in signer):
        raise typer.BadParameter("a signer is 64 hex digits; `sluis policy sign` prints it", param_hint="--signer")
    try:
        policies = load_bundle(bundle_file.read_bytes(), signers=signer, quorum=quorum, now=now)
    except SluisError as error:
        fail(error, as_json)
    roles = {entry.key: entry.role for entry in read_bundle(bundle_file.read_bytes()).signatures}
    if as_json:
        print_json({"ok": True, **identity(policies), "signers": {k: roles[k] for k in policies.signers}})
        return
    typer.echo(f"verified: revision {policies.revision}, {len(policies.purposes)} purposes")
    typer.echo(f"digest  {policies.digest}\nexpires {policies.expires:%Y-%m-%dT%H:%M:%SZ}")
    for public in policies.signers:
        typer.echo(f"signer  {public}  signing as {roles[public]!r}, by its own account")
