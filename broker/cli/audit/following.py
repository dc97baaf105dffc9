"""`sluis audit follow`: the log, as it grows, in the words of other standards to an OpenTelemetry collector."""

from __future__ import annotations

import os
import signal
import ssl
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from broker.cli.audit.root import app
from broker.config import Config, load_config
from broker.errors import Code, SluisError
from broker.parties import Environment

if TYPE_CHECKING:
    from broker.otlp.mapping import SubjectNames
    from broker.ports import LogReader

_HEADERS_BYTES = 65_536
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@app.command("follow")
def follow(  # noqa: PLR0917 - options
    to: Annotated[str, typer.Option("--to", help="The collector's OTLP/HTTP address, without /v1/traces.")],
    cursor: Annotated[Path, typer.Option("--cursor", help="Where to keep how far this came.", dir_okay=False)],
    config: Annotated[Path, typer.Option("--config", help="The broker's configuration file.")] = Path("broker.yaml"),
    headers: Annotated[
        Path | None,
        typer.Option(
            "--headers", help="A file with a header a line, such as Authorization.", exists=True, dir_okay=False
        ),
    ] = None,
    ca: Annotated[
        Path | None, typer.Option("--ca", help="CAs (PEM) of the collector.", exists=True, dir_okay=False)
    ] = None,
    party_url: Annotated[
        str, typer.Option("--party-url", help="How to name who asked; {party} stands for the party's name.")
    ] = "",
    with_subjects: Annotated[
        bool, typer.Option("--with-subjects", help="Also a span for each data subject; needs the storage key.")
    ] = False,
    once: Annotated[bool, typer.Option("--once", help="Stop when all that is there is sent.")] = False,
) -> None:
    """Send the log to an OpenTelemetry collector: Logboek Dataverwerkingen spans, Authorization Decision Log records.

    Runs beside the broker until SIGTERM or Ctrl-C, and goes on where it was. Every record at least once: the attribute
    log.record.uid tells repeats. A copy for others' systems, never the evidence.

    Example: sluis audit follow --config broker.yaml --to https://collector.example:4318 --cursor follow.cursor
    """
    from broker import __version__
    from broker.otlp.cursor import CursorFile
    from broker.otlp.follower import Follower, over_http
    from broker.otlp.mapping import EntryMapping
    from broker.telemetry import configure_logging

    loaded = load_config(config)
    _check_address(to, loaded.environment)
    url = party_url or f"https://{loaded.origin}/parties/{{party}}"
    if "{party}" not in url:
        raise typer.BadParameter("holds {party}", param_hint="--party-url")
    send = over_http(to, _read_headers(headers), _tls(ca))
    configure_logging("INFO")
    halt = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: halt.set())
    with _opened(loaded, with_subjects=with_subjects) as (reader, names):
        file = CursorFile(cursor, loaded.origin)
        try:
            mapping = EntryMapping(
                loaded.origin,
                leaf=_leaf_of(reader),
                policy_set=lambda digest: reader.document("policy-set", digest),
                party_url=url,
                names=names,
            )
            resource = {
                "service.name": "sluis",
                "service.version": __version__,
                "deployment.environment.name": loaded.environment.value,
                "sluis.origin": loaded.origin,
            }
            follower = Follower(reader, file, mapping, send, resource=resource, version=__version__, halt=halt)
            count = follower.run(once=once)
        finally:
            file.close()
    print(f"sent {count} records, up to entry {file.cursor.next} of {loaded.origin}")


@contextmanager
def _opened(config: Config, *, with_subjects: bool) -> Iterator[tuple[LogReader, SubjectNames | None]]:
    from broker.otlp.mapping import SubjectNames
    from broker.own_log import open_log, open_log_and_vault

    if not with_subjects:
        reader = open_log(config)
        names = None
    else:
        reader, key = open_log_and_vault(config, "exported-subjects")

        def tokens(commitment: str) -> bytes | None:
            opened = reader.opening(commitment)
            return None if opened is None else opened[1]

        names = SubjectNames(key, tokens)
    try:
        yield reader, names
    finally:
        reader.close()


def _leaf_of(reader: LogReader) -> Callable[[int], bytes]:
    def leaf(index: int) -> bytes:
        for entry in reader.entries(index, index + 1):
            return entry.leaf
        raise SluisError(Code.STORE_CORRUPT, "the log lacks an entry; run `sluis doctor`")

    return leaf


def _check_address(url: str, environment: Environment) -> None:
    wrong = typer.BadParameter("is an address such as https://collector.example:4318", param_hint="--to")
    try:
        parts = urlsplit(url)
        plain = parts.port != 0
    except ValueError:
        raise wrong from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or not plain:
        raise wrong
    if parts.username is not None:
        raise typer.BadParameter("holds no password; put an Authorization line in --headers FILE", param_hint="--to")
    plain = parts.scheme == "http" and parts.hostname not in _LOOPBACK
    if plain and environment is Environment.PRODUCTION:
        raise SluisError(Code.CONFIG_INVALID, "--to: production sends over https, or to a collector on this machine")


def _read_headers(path: Path | None) -> dict[str, str]:
    """A file, and not an option: what stands on a command line, others on the machine can read."""
    found: dict[str, str] = {}
    if path is None:
        return found
    with path.open("rb") as file:
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
            raise SluisError(Code.CONFIG_INVALID, f"{path}: others on this machine can reach it: chmod 600")
        data = file.read(_HEADERS_BYTES + 1)
    if len(data) > _HEADERS_BYTES:
        raise SluisError(Code.CONFIG_INVALID, f"{path}: not a file of headers: it is too long")
    lines = data.decode("utf-8", errors="replace").split("\n")
    for number, line in enumerate(lines, 1):
        name, colon, value = line.partition(":")
        if not line.strip():
            continue
        if not colon or not name.replace("-", "").isalnum() or not (line.isascii() and line.strip().isprintable()):
            raise SluisError(Code.CONFIG_INVALID, f"{path}:{number}: a header reads NAME: VALUE")
        found[name] = value.strip()
    return found


def _tls(ca: Path | None) -> ssl.SSLContext | None:
    if ca is None:
        return None
    try:
        return ssl.create_default_context(cafile=str(ca))
    except (OSError, ssl.SSLError) as error:
        raise SluisError(Code.CONFIG_INVALID, f"{ca}: holds no CA certificates in PEM") from error
