"""`sluis witness`: the witness, run by another organisation than the broker's, with its own state."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Annotated

import typer

from broker.errors import Code, SluisError

app = typer.Typer(
    help="Watch logs and cosign their checkpoints (C2SP tlog-witness): at another organisation than the broker.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
_Config = Annotated[Path, typer.Option("--config", help="The witness's configuration file.")]
_DEFAULT = Path("witness.yaml")


@app.command("keys")
def keys(
    name: Annotated[str, typer.Option("--name", help="The witness's name, such as witness.example/w1.")],
    state: Annotated[Path, typer.Option("--state", help="The witness's state directory.", file_okay=False)],
) -> None:
    """Make the key of a witness in its state directory; prints its verifier key.

    Give that line to the operators of the logs and to auditors, yourself. One name is one key: a witness that lost its
    state begins again with a new name.

    Example: sluis witness keys --name witness.example/w1 --state /var/lib/sluis-witness
    """
    from broker.witness.memory import make_key

    print(make_key(state, name, os.urandom(32)).public)


@app.command("serve")
def serve(
    config: _Config = _DEFAULT,
    ready_file: Annotated[Path | None, typer.Option(help="Written with the port once the witness serves.")] = None,
) -> None:
    """Run the witness until SIGTERM or Ctrl-C.

    Example: sluis witness serve --config witness.yaml
    """
    import structlog

    from broker.telemetry import configure_logging
    from broker.witness.memory import Memory, load_key
    from broker.witness.server import WitnessServer
    from broker.witness.settings import load_settings
    from broker.witness.witness import SystemClock, open_witness

    settings = load_settings(config)
    configure_logging()
    log = structlog.get_logger("broker.witness")
    key = load_key(settings.state)
    memory = Memory(settings.state)
    try:
        witness = open_witness(key, settings.keys, memory, SystemClock())
        witness.tell = lambda event, origin, status: log.warning(event, origin=origin, code=str(status))
        tls = None if settings.tls is None else (settings.tls.certificate, settings.tls.key)
        server = WitnessServer(settings.listen, witness, tls)
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        threading.Thread(target=server.serve_forever, name="witness", daemon=True).start()
        log.info("witnessing", listen=settings.listen, name=key.public.name, count=len(settings.keys))
        if ready_file is not None:
            ready_file.write_text(f"{server.port}\n", encoding="utf-8")
        if sys.stderr.isatty():
            print(f"witness {key.public} on port {server.port}; Ctrl-C stops", file=sys.stderr)
        stop.wait()
        server.shutdown()
        server.server_close()
        witness.finish()
    finally:
        memory.close()


@app.command("show")
def show(
    config: _Config = _DEFAULT,
    origin: Annotated[str, typer.Option("--origin", help="The log; needed when there are several.")] = "",
) -> None:
    """Print the newest checkpoint that this witness cosigned of a log: the witness's own record, for an auditor.

    Works beside a running witness. The auditor gives it to `sluis audit verify --expect`.

    Example: sluis witness show --config witness.yaml > cosigned
    """
    from broker.witness.memory import load_key, newest
    from broker.witness.settings import load_settings

    settings = load_settings(config)
    origins = list(settings.keys)
    if not origin and len(origins) > 1:
        raise SluisError(Code.CONFIG_INVALID, f"name one of these with --origin: {', '.join(origins)}")
    chosen = origin or origins[0]
    if chosen not in origins:
        raise SluisError(Code.NOT_FOUND, f"this witness watches no log {chosen}; it watches {', '.join(origins)}")
    held = newest(settings.state, chosen, load_key(settings.state).public)
    if not held.note:
        raise SluisError(Code.NOT_FOUND, f"this witness has cosigned no checkpoint of {chosen} yet")
    print(held.note, end="")


def mount(root: typer.Typer) -> None:
    """Adds the group."""
    root.add_typer(app, name="witness")
