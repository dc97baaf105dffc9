"""`sluis policy check`."""

from __future__ import annotations

import typer

from broker.cli.policy.root import AsJson, Folder, app, identity, print_json, read_folder


@app.command()
def check(folder: Folder, as_json: AsJson = False) -> None:
    """Read every file strictly and check the purposes against the catalogue.

    Example: sluis policy check policies/
    """
    policies = read_folder(folder, as_json)
    states: dict[str, int] = {}
    for purpose in policies.purposes.values():
        states[purpose.state] = states.get(purpose.state, 0) + 1
    if as_json:
        print_json({"ok": True, **identity(policies), "purposes": sorted(policies.purposes), "states": states})
        return
    counts = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    typer.echo(f"{len(policies.purposes)} purposes ({counts}), nothing to refuse")
    typer.echo(f"digest      {policies.digest}\ntext digest {policies.text_digest}")
