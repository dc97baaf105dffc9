"""`sluis init | dev-pki | keys | serve | doctor`: for operators."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from broker.cli.keys import mount as mount_keys
from broker.cli.log_life import rotate_log_key
from broker.config import Config, load_config
from broker.errors import Code, SluisError
from broker.parties import Oin, check_party_name

if TYPE_CHECKING:
    from broker.hosting import Host

_TEMPLATE = """# broker.yaml: the configuration of one Sluis broker. Paths are relative to this file.
origin: sluis.example/test-2026        # names the log for ever; never reuse one
environment: test                      # test or production; fixed in the log's first entry
listen: 127.0.0.1:7443
data: data                             # database, registers, answers
keys: keys                             # log key and storage key; back them up apart from data
# key_store: {by: passphrase, secret: "credential:sluis-keys"}   # what protects the files there (docs/key-custody.md)
# high_water: /mnt/other/sluis.mark    # what was acknowledged, on another volume; required in production
tls:
  certificate: pki/broker.pem
  key: pki/broker.key
  client_issuers: [pki/ca.pem]         # CAs that may certify parties
  revocation_lists: [pki/ca.crl]       # one CRL per issuer; without a fresh one nobody gets in
  revocation_max_age_hours: 48
policy:
  bundle: policy.bundle                # made with `sluis policy bundle` and `sluis policy sign`
  signers: []                          # Ed25519 public keys, hex
  quorum: 2                            # distinct signers needed
parties: {}                            # party -> the certificates it may use, such as {snf: [pki/snf.pem]}
# time_stamps: {url: "https://tsa.example/tsr", certificates: [pki/tsa-ca.pem], every_minutes: 60}   # RFC 3161
# witness:                             # who cosigns this log (docs/operate.md section 12); without it nobody does
#   witnesses: [{url: https://witness.example/w1/, verifier_key: witness.example/w1+...}]
#   quorum: 1
#   grace_minutes: 15
# key_service: {id: sluis}            # the broker's own key service of mode oblivious (docs/operate.md section 15)
# limits: {workers: 48, streams: 40, streams_per_party: 32, bulk_from: 100000, bulk_slots: 1, answer_grid_ms: 5}
"""

_Config = Annotated[Path, typer.Option("--config", help="The broker's configuration file.")]
_DEFAULT = Path("broker.yaml")
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


def mount(app: typer.Typer) -> None:
    """Adds the operator's commands."""
    app.command("init")(init)
    app.command("dev-pki")(dev_pki)
    keys = typer.Typer(help="The broker's own keys.", no_args_is_help=True, rich_markup_mode=None)
    keys.command("init")(keys_init)
    keys.command("rotate-log-key")(rotate_log_key)
    mount_keys(keys)
    app.add_typer(keys, name="keys")
    app.command("serve")(serve)
    app.command("doctor")(doctor)


def init(directory: Annotated[Path, typer.Argument(help="Where to write broker.yaml.")] = Path()) -> None:
    """Write a commented broker.yaml.

    Example: sluis init /etc/sluis
    """
    path = directory / "broker.yaml"
    if path.exists():
        raise SluisError(Code.CONFIG_INVALID, f"{path} exists; it is left as it is")
    directory.mkdir(parents=True, exist_ok=True)
    path.write_text(_TEMPLATE, encoding="utf-8")
    print(f"wrote {path}; next: fill in policy.signers and parties, then: sluis keys init --config {path}")


def dev_pki(
    directory: Annotated[Path, typer.Argument(help="Where to write certificates and keys.")],
    party: Annotated[list[str], typer.Option("--party", help="NAME=OIN; repeat for each party.")],
    host: Annotated[list[str] | None, typer.Option("--host", help="Names or addresses of the broker.")] = None,
    signer: Annotated[list[str] | None, typer.Option("--signer", help="Also a policy signer's key; repeat.")] = None,
) -> None:
    """Make a throw-away CA with certificates, for demo and tests. Production refuses it.

    Example: sluis dev-pki pki --party snf=00000099000000001000 --party nla=00000099000000002000
    """
    from broker.dev_pki import write_dev_pki, write_signer

    if (directory / "ca.pem").exists():
        raise SluisError(
            Code.CONFIG_INVALID, f"{directory} holds a throw-away CA already; its key is gone, so name a new directory"
        )
    parties: dict[str, str] = {}
    for item in party:
        name, equals, oin = item.partition("=")
        if not equals:
            text = f"--party is NAME=OIN, such as {item}=00000099000000001000"
            raise SluisError(Code.CONFIG_INVALID, text)
        parties[check_party_name(name, "--party")] = Oin(oin).text
    written = write_dev_pki(directory, parties, host or ["localhost", "127.0.0.1"], datetime.now(UTC))
    for name in signer or []:
        print(f"signer {check_party_name(name, '--signer')} {write_signer(directory, name)}")
    print(f"wrote {len(written)} files to {directory}: throw-away, never for production")


def keys_init(config: _Config = _DEFAULT) -> None:
    """Create the log key and the storage key, where there are none.

    Prints the log's verifier key: give it to every party and auditor by another way than the broker.
    Example: sluis keys init --config broker.yaml
    """
    from broker.key_store import make_keys

    print(make_keys(load_config(config)))


def serve(
    config: _Config = _DEFAULT,
    log_level: Annotated[str, typer.Option(help="DEBUG, INFO, WARNING or ERROR.")] = "INFO",
    ready_file: Annotated[Path | None, typer.Option(help="Written with the port once the broker serves.")] = None,
) -> None:
    """Run the broker until SIGTERM or Ctrl-C; then drain and stop.

    SIGHUP reads policy, certificates and revocation lists again at once; a new bundle is also seen by itself.

    Example: sluis serve --config broker.yaml
    """
    if log_level not in LEVELS:
        raise typer.BadParameter(f"is one of {', '.join(LEVELS)}", param_hint="--log-level")
    loaded = load_config(config)
    if loaded.key_service is not None and loaded.key_service.alone:
        text = f"{config}: this is a key service and no broker: run it with `sluis key-service serve`"
        raise SluisError(Code.CONFIG_INVALID, text)
    only_tls_1_3(loaded)
    from broker.app import Broker

    run(lambda: Broker(loaded), loaded, log_level, ready_file)


def run(make: Callable[[], Host], config: Config, log_level: str, ready_file: Path | None) -> None:
    """Runs a broker or a key service until it is told to stop."""
    from broker.telemetry import configure_logging

    configure_logging(log_level)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    host = make()
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, lambda *_: host.reload())
    port = host.start()
    if ready_file is not None:
        ready_file.write_text(f"{port}\n", encoding="utf-8")
    if sys.stderr.isatty():
        print(f"serving on {config.listen} (port {port}); Ctrl-C stops", file=sys.stderr)
    stop.wait()
    host.stop()


def doctor(
    config: _Config = _DEFAULT,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Check configuration, keys, policy set, certificates and the whole log, without serving.

    Works beside a running broker. Exit 0: all is well. Exit 3: something is not, and is named.
    Example: sluis doctor --config broker.yaml
    """
    from broker.doctor import examine

    findings = examine(load_config(config))
    if as_json:
        print(json.dumps([finding.__dict__ for finding in findings]))
    else:
        for finding in findings:
            print(f"{'ok ' if finding.ok else 'NOT'} {finding.what}: {finding.detail}")
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 3)


def only_tls_1_3(config: Config) -> None:
    """gRPC has no switch for the TLS version: offer TLS 1.2 only suites that our certificate cannot serve.

    Must happen before grpc is imported, and counts for the whole process.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        key = x509.load_pem_x509_certificate(config.tls.certificate.read_bytes()).public_key()
    except (OSError, ValueError) as error:
        raise SluisError(
            Code.CONFIG_INVALID, f"{config.tls.certificate}: tls.certificate is no certificate in PEM"
        ) from error
    os.environ["GRPC_SSL_CIPHER_SUITES"] = (
        "ECDHE-RSA-AES256-GCM-SHA384" if isinstance(key, ec.EllipticCurvePublicKey) else "ECDHE-ECDSA-AES256-GCM-SHA384"
    )
