"""`sluis key-service`: a key service of mode oblivious alone, and the keys of one, here or in a broker."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from broker.cli.operate import LEVELS, only_tls_1_3, run
from broker.config import Config, load_config
from broker.errors import Code, SluisError

if TYPE_CHECKING:
    from broker.policy.purpose import Purpose

app = typer.Typer(
    help="Run a key service of mode oblivious at another operator than the broker; make and destroy its keys.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
keys = typer.Typer(help="The keys of a key service: one for each purpose and epoch.", no_args_is_help=True)
app.add_typer(keys, name="key")

_Config = Annotated[Path, typer.Option("--config", help="Configuration of the key service, or of its broker.")]
_Purpose = Annotated[str, typer.Option("--purpose", help="A purpose of mode oblivious.")]
_Epoch = Annotated[str, typer.Option("--epoch", help="An epoch such as 2026-11, 2026Q4 or 2026.")]
_DEFAULT = Path("key-service.yaml")
_WAIT_SECONDS = 5.0

TEMPLATE = """# key-service.yaml: the configuration of one key service alone. Paths are relative to this file.
key_service: {id: rinis, alone: true}  # its id in the signed policy; every key is bound to it
origin: key-service.example/test-2026  # names its log for ever; never reuse one, and never the broker's
environment: test                      # as the broker's: test or production; fixed in the log's first entry
listen: 127.0.0.1:7543
data: data                             # the log of this key service
keys: keys                             # log key, storage key, and the keys of purposes; back them up apart from data
# high_water: /mnt/other/sluis.mark    # what was acknowledged, on another volume; required in production
tls:
  certificate: pki/key-service.pem
  key: pki/key-service.key
  client_issuers: [pki/ca.pem]         # CAs that may certify parties
  revocation_lists: [pki/ca.crl]       # one CRL per issuer; without a fresh one nobody gets in
  revocation_max_age_hours: 48
policy:
  bundle: policy.bundle                # the signed set, got from its signers and not from the broker
  signers: []                          # their Ed25519 public keys, hex
  quorum: 2                            # distinct signers needed
parties: {}                            # party -> the certificates it may use, such as {snf: [pki/snf.pem]}
# witness:                             # who cosigns this log (docs/operate.md section 12); without it nobody does
#   witnesses: [{url: https://witness.example/w1/, verifier_key: witness.example/w1+...}]
#   quorum: 1
# limits: {workers: 48, streams: 40, streams_per_party: 32}
"""


@app.command("init")
def init(directory: Annotated[Path, typer.Argument(help="Where to write key-service.yaml.")] = Path()) -> None:
    """Write a commented key-service.yaml.

    Example: sluis key-service init /etc/sluis-key-service
    """
    path = directory / "key-service.yaml"
    if path.exists():
        raise SluisError(Code.CONFIG_INVALID, f"{path} exists; it is left as it is")
    directory.mkdir(parents=True, exist_ok=True)
    path.write_text(TEMPLATE, encoding="utf-8")
    print(f"wrote {path}; next: fill in key_service, policy.signers and parties, then: sluis keys init --config {path}")


@app.command("serve")
def serve(
    config: _Config = _DEFAULT,
    log_level: Annotated[str, typer.Option(help="DEBUG, INFO, WARNING or ERROR.")] = "INFO",
    ready_file: Annotated[Path | None, typer.Option(help="Written with the port once it serves.")] = None,
) -> None:
    """Run the key service until SIGTERM or Ctrl-C; then drain and stop.

    SIGHUP reads policy, certificates and revocation lists again at once; a new bundle is also seen by itself.

    Example: sluis key-service serve --config key-service.yaml
    """
    if log_level not in LEVELS:
        raise typer.BadParameter(f"is one of {', '.join(LEVELS)}", param_hint="--log-level")
    loaded = load_config(config)
    if loaded.key_service is None or not loaded.key_service.alone:
        text = "key_service: is not `alone: true`: a broker's own key service runs with it, by `sluis serve`"
        raise SluisError(Code.CONFIG_INVALID, f"{config}: {text}")
    only_tls_1_3(loaded)
    from broker.app import KeyService

    run(lambda: KeyService(loaded), loaded, log_level, ready_file)


@keys.command("make")
def make(purpose: _Purpose, epoch: _Epoch, config: _Config = _DEFAULT) -> None:
    """Make the key of a purpose and epoch; prints its public key as the policy is to pin it.

    Give that line to the policy's signers: without the pin nothing is evaluated. Make keys ahead of their epoch, and
    back up the key directory: a lost key means that all who take part begin the epoch anew.

    Example: sluis key-service key make --purpose nla-verzoek-persoon --epoch 2026-12
    """
    from broker.key_store import keys_of
    from broker.own_log import open_seeds

    loaded = load_config(config)
    held = keys_of(loaded)
    seeds = open_seeds(loaded, held)
    purposes = _purposes(loaded)
    known = (purposes or {}).get(purpose)
    if known is not None:
        _demand_fits(known, seeds.service, epoch)
    with held.sealing():
        made = seeds.make(purpose, epoch, f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")
    print(f"{made.epoch}: {{{seeds.service}: {made.public.hex()}}}")
    print(f"for pseudonyms.public_keys of {purpose}: give this line to the policy's signers", file=sys.stderr)
    if known is None and purposes is not None:
        print("the policy set that lies here has no such purpose: look at how it is spelt", file=sys.stderr)


@keys.command("list")
def show(
    config: _Config = _DEFAULT,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """List the keys: purpose, epoch, public key, when made, and whether the policy set pins it.

    Example: sluis key-service key list
    """
    from broker.own_log import open_seeds

    loaded = load_config(config)
    seeds = open_seeds(loaded)
    found, purposes = seeds.list(), _purposes(loaded) or {}
    rows = []
    for key in found:
        purpose = purposes.get(key.purpose)
        pinned = purpose.pseudonyms.public_keys.get(key.epoch, {}).get(seeds.service) if purpose else None
        state = "not pinned" if pinned is None else "pinned" if pinned == key.public.hex() else "ANOTHER KEY IS PINNED"
        rows.append((key.purpose, key.epoch, key.public.hex(), key.made_at, state))
    if as_json:
        names = ("purpose", "epoch", "public_key", "made_at", "policy")
        print(json.dumps([dict(zip(names, row, strict=True)) for row in rows]))
        return
    for row in rows:
        print("  ".join(row))
    if not rows:
        print("no keys; make one with `sluis key-service key make`")


@keys.command("destroy")
def destroy(
    purpose: _Purpose,
    epoch: _Epoch,
    config: _Config = _DEFAULT,
    now: Annotated[bool, typer.Option("--now", help="Before its time, as after a leak; needs --reason.")] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why at once; stands in the log for ever.")] = "",
) -> None:
    """Have the key of a purpose and epoch destroyed, with an entry in the log of the service.

    It is held back until the last question of its epoch has left the vaults: until then what was asked about a person
    can be found for that person. The running service does it within a second; one that is stopped, when it starts.

    Example: sluis key-service key destroy --purpose nla-verzoek-persoon --epoch 2024-11
    """
    from broker.acceptance import read_policies
    from broker.key_destruction import DestroyRequest, demand_due
    from broker.own_log import key_requests_of, open_seeds
    from broker.policy_files import read_bundle_file

    if now != bool(reason):
        raise typer.BadParameter("give --now and --reason together", param_hint="--now")
    loaded = load_config(config)
    seeds = open_seeds(loaded)
    public = seeds.public_key(purpose, epoch)
    if public is None:
        raise SluisError(Code.NOT_FOUND, f"there is no key for {purpose} in {epoch}; `sluis key-service key list`")
    if not now:
        policies = read_policies(loaded, read_bundle_file(loaded), datetime.now(UTC))
        demand_due(policies, purpose, epoch, datetime.now(UTC))
    request = DestroyRequest(purpose, epoch, reason).encode()
    folder = key_requests_of(loaded)
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".{os.getpid()}.part"
    part.write_bytes(request)
    part.replace(folder / f"{purpose}.{epoch}.json")
    ends = time.monotonic() + _WAIT_SECONDS
    while seeds.public_key(purpose, epoch) is not None:
        if (folder / "refused" / f"{purpose}.{epoch}.json").exists():
            raise SluisError(Code.ERASURE_TOO_SOON, "the service refused; its own log of events names the code")
        if time.monotonic() > ends:
            print("handed in: it is destroyed when the service runs; see `sluis key-service key list`")
            return
        time.sleep(0.1)
    print(f"destroyed {public.hex()}: `sluis audit show` has the entry")


def _purposes(config: Config) -> Mapping[str, Purpose] | None:
    """The purposes of the policy set that lies here; None, told in a line, when there is none or it cannot be read."""
    from broker.acceptance import read_policies
    from broker.policy_files import read_bundle_file

    if not config.policy.bundle.exists():  # as before the first set: its signers need these keys to make one
        print("no policy set lies here yet, so that spelling and epoch are not compared with it", file=sys.stderr)
        return None
    try:
        return read_policies(config, read_bundle_file(config), datetime.now(UTC)).purposes
    except SluisError as error:
        print(f"policy set not read: {error}", file=sys.stderr)
        return None


def _demand_fits(purpose: Purpose, service: str, epoch: str) -> None:
    """Refuses a key that nobody could use. Raises SERVICE_NOT_NAMED, FIELD_INVALID."""
    from broker.policy.legal_days import calendar_epoch, epoch_named

    if service not in purpose.pseudonyms.key_services:
        named = ", ".join(purpose.pseudonyms.key_services)
        has = f"names other key services than {service}: {named}" if named else "is in mode keyed, without key services"
        raise SluisError(Code.SERVICE_NOT_NAMED, f"{purpose.name} {has}; give a purpose whose policy names {service}")
    if epoch_named(purpose.pseudonyms.epoch, calendar_epoch(epoch)) is None:
        text = f"--epoch: {purpose.name} counts by the {purpose.pseudonyms.epoch}, such as 2026-11, 2026Q4 or 2026"
        raise SluisError(Code.FIELD_INVALID, text)


def mount(root: typer.Typer) -> None:
    """Adds the group."""
    root.add_typer(app, name="key-service")
