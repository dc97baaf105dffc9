"""Where a passphrase, a PIN or an access token comes from: asked for at the terminal, or given to an unattended start.

    prompt             asked for at the terminal, not echoed
    file:PATH          the first line of a file of mode 0600 or 0400
    fd:N               the first line of an open file descriptor
    credential:NAME    a systemd credential: the file NAME under $CREDENTIALS_DIRECTORY

Never from an argument or another environment variable: both can be read by others on the machine.
"""

from __future__ import annotations

import getpass
import os
import re
import stat
import sys
from collections.abc import Callable
from pathlib import Path

from sluis_custody.errors import CustodyError, Trouble

MAX_BYTES = 4096
SecretSource = Callable[[], bytes]
"""Gives the secret; may be called several times, and raises CustodyError LOCKED when there is none."""


def secret_source(text: str, base: Path, *, asking: str = "Passphrase", confirm: bool = False) -> SecretSource:
    """The source that `text` describes; nothing is read yet. Relative paths are relative to `base`.

    `asking`: what the prompt says. `confirm`: a prompt asks twice, as for a new passphrase.

    Raises:
        CustodyError: SETTING when `text` is no source.
    """
    kind, _, rest = text.partition(":")
    if text == "prompt":
        return _once(lambda: _prompt(asking, confirm=confirm))
    if kind == "file" and rest:
        path = base / Path(rest).expanduser()
        return lambda: _from_file(path)
    if kind == "fd" and re.fullmatch(r"[0-9]{1,4}", rest):
        return _once(lambda: _from_descriptor(int(rest)))
    if kind == "credential" and re.fullmatch(r"[A-Za-z0-9._-]{1,200}", rest) and rest not in (".", ".."):
        return lambda: _from_credential(rest)
    raise CustodyError(Trouble.SETTING, "a secret comes from: prompt, file:PATH, fd:N or credential:NAME")


def _once(read: Callable[[], bytes]) -> SecretSource:
    """People are asked once, and a descriptor can be read once."""
    held: list[bytes] = []

    def source() -> bytes:
        if not held:
            held.append(read())
        return held[0]

    return source


def _prompt(asking: str, *, confirm: bool) -> bytes:
    if not sys.stdin.isatty():
        text = "no terminal to ask for the secret: name a source such as file:PATH, fd:N or credential:NAME"
        raise CustodyError(Trouble.LOCKED, text)
    said = getpass.getpass(f"{asking}: ")
    if confirm and getpass.getpass(f"{asking} again: ") != said:
        raise CustodyError(Trouble.LOCKED, "the two entries differ; nothing was changed")
    return _checked(said.encode(), "the entry")


def _from_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            if stat.S_IMODE(found.st_mode) & 0o077:
                raise CustodyError(
                    Trouble.UNSAFE, f"{path} can be read by others on this machine; run: chmod 600 {path}"
                )
            return _checked(file.readline(MAX_BYTES + 2), str(path))
    except OSError as error:
        raise CustodyError(Trouble.LOCKED, f"cannot read the secret in {path}: {error.strerror}") from None


def _from_descriptor(number: int) -> bytes:
    try:
        with os.fdopen(os.dup(number), "rb") as file:
            return _checked(file.readline(MAX_BYTES + 2), f"file descriptor {number}")
    except OSError as error:
        raise CustodyError(
            Trouble.LOCKED, f"cannot read the secret from file descriptor {number}: {error.strerror}"
        ) from None


def _from_credential(name: str) -> bytes:
    directory = os.environ.get("CREDENTIALS_DIRECTORY", "")
    if not directory:
        text = f"no credential {name}: the service was not started by systemd with LoadCredential={name}:..."
        raise CustodyError(Trouble.LOCKED, text)
    return _from_file(Path(directory) / name)


def _checked(line: bytes, where: str) -> bytes:
    secret = line.rstrip(b"\r\n")
    if not secret or len(secret) > MAX_BYTES:
        raise CustodyError(Trouble.LOCKED, f"{where} holds no secret: it is 1 to {MAX_BYTES} bytes on the first line")
    return secret
