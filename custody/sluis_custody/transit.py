"""OpenBao or Vault, secrets engine `transit`, over its HTTP interface: the key that wraps or signs stays in the server.

Used of the documented protocol, below the address of one key (`https://HOST:8200/v1/MOUNT/keys/NAME`):

    POST /v1/MOUNT/encrypt/NAME   {"plaintext", "associated_data"}                    -> data.ciphertext
    POST /v1/MOUNT/decrypt/NAME   {"ciphertext", "associated_data"}                   -> data.plaintext
    POST /v1/MOUNT/sign/NAME      {"input", "key_version", "hash_algorithm", "marshaling_algorithm"} -> data.signature
    GET  /v1/MOUNT/keys/NAME                                                          -> data.type, data.keys

The access token goes in X-Vault-Token. Wrapping needs a key of type aes256-gcm96; signing one of ecdsa-p256, ecdsa-p384
or ed25519. The policy of the token should allow these paths and nothing else.
"""

from __future__ import annotations

import base64
import binascii
import http.client
import json
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from sluis_custody.errors import CustodyError, Trouble
from sluis_custody.secret_sources import SecretSource

SECONDS = 10.0
MAX_ANSWER_BYTES = 256 * 1024
_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\]):(?P<port>[0-9]{1,5})"
    r"/v1/(?P<mount>[A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+)*)/keys/(?P<name>[A-Za-z0-9_.-]+)"
)
_LOCAL = ("localhost", "127.0.0.1", "[::1]")
_HASHES = {"ecdsa-p256": "sha2-256", "ecdsa-p384": "sha2-384"}


class TransitKey:
    """One key of a transit engine. Nothing is called before it is used; each call opens a connection of its own.

    Raises:
        CustodyError: SETTING for an address that is none, or http to another machine.
    """

    def __init__(self, address: str, token: SecretSource, ca_file: Path | None = None) -> None:
        found = _ADDRESS.fullmatch(address)
        if found is None:
            text = "the address of a transit key is https://HOST:PORT/v1/MOUNT/keys/NAME"
            raise CustodyError(Trouble.SETTING, text)
        if found["scheme"] == "http" and found["host"] not in _LOCAL:
            raise CustodyError(Trouble.SETTING, "transit: http is for this machine only; use https")
        self._found, self._token = found, token
        self._context = None
        if found["scheme"] == "https":
            try:
                self._context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
            except (OSError, ssl.SSLError):
                raise CustodyError(Trouble.SETTING, f"{ca_file}: not a file of CA certificates in PEM") from None

    def post(self, action: str, body: Mapping[str, object]) -> dict[str, Any]:
        """The `data` of what the server answers to an action. Raises CustodyError as `ports.Wrapper`."""
        return self._call("POST", action, json.dumps(body))

    def describe(self) -> dict[str, Any]:
        """Type, versions and public keys of this key."""
        return self._call("GET", "keys", None)

    def _call(self, method: str, action: str, body: str | None) -> dict[str, Any]:
        found = self._found
        path = f"/v1/{found['mount']}/{action}/{found['name']}"
        try:
            token = self._token().decode("ascii")
        except UnicodeDecodeError:
            raise CustodyError(Trouble.LOCKED, "transit: the access token is not text") from None
        headers = {"X-Vault-Token": token, "X-Vault-Request": "true", "Content-Type": "application/json"}
        host, port = found["host"].strip("[]"), int(found["port"])
        connection = (
            http.client.HTTPConnection(host, port, timeout=SECONDS)
            if self._context is None
            else http.client.HTTPSConnection(host, port, timeout=SECONDS, context=self._context)
        )
        try:
            connection.request(method, path, body=body, headers=headers)
            answer = connection.getresponse()
            data = answer.read(MAX_ANSWER_BYTES + 1)
        except (OSError, http.client.HTTPException, ValueError) as error:
            text = f"transit: no answer from {found['host']}:{port} ({type(error).__name__})"
            raise CustodyError(Trouble.UNREACHABLE, text) from None
        finally:
            connection.close()
        return _data(answer.status, data, action)


def _data(status: int, raw: bytes, action: str) -> dict[str, Any]:
    if status in (401, 403):
        raise CustodyError(Trouble.LOCKED, f"transit: the access token may not {action} with this key, or has expired")
    if status == 404:
        raise CustodyError(Trouble.SETTING, "transit: the server has no such key; check mount and name")
    if status == 400:
        text = f"transit: the server refuses to {action}: the key is of another type, or what is stored was changed"
        raise CustodyError(Trouble.DAMAGED, text)
    if status != 200:
        raise CustodyError(Trouble.UNREACHABLE, f"transit: the server answers {status}: is it sealed or standing by?")
    try:
        data = json.loads(raw if len(raw) <= MAX_ANSWER_BYTES else b"")["data"]
        if not isinstance(data, dict):
            raise TypeError
    except (ValueError, KeyError, TypeError):
        raise _nonsense() from None
    return data


def _nonsense() -> CustodyError:
    return CustodyError(Trouble.UNREACHABLE, "transit: the answer is not that of a transit engine; check the address")


def _decoded(value: object) -> bytes:
    try:
        return base64.b64decode(str(value), validate=True)
    except (ValueError, binascii.Error):
        raise _nonsense() from None


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


class TransitWrapper:
    """`ports.Wrapper` by a transit key."""

    kind = "transit"

    def __init__(self, key: TransitKey) -> None:
        self._key = key

    def wrap(self, key: bytes, bound: bytes) -> dict[str, str | int]:
        """As the port."""
        answer = self._key.post("encrypt", {"plaintext": _encoded(key), "associated_data": _encoded(bound)})
        ciphertext = answer.get("ciphertext")
        if not isinstance(ciphertext, str):
            raise _nonsense()
        return {"ciphertext": ciphertext}

    def unwrap(self, wrapped: Mapping[str, object], bound: bytes) -> bytes:
        """As the port."""
        body = {"ciphertext": str(wrapped.get("ciphertext")), "associated_data": _encoded(bound)}
        return _decoded(self._key.post("decrypt", body).get("plaintext"))

    def forget(self, wrapped: Mapping[str, object]) -> None:
        """Nothing lies outside the file but the server's key, which others may use."""


class TransitSigner:
    """`ports.Signer` by a transit key.

    `public_key`: SubjectPublicKeyInfo (DER) that signatures must verify with, so that a key which was rotated at the
    server goes on signing as the version that a certificate names; without it the newest version signs.
    """

    def __init__(self, key: TransitKey, public_key: bytes | None = None) -> None:
        self._key, self._wanted = key, public_key
        self._chosen: tuple[int, bytes, str] | None = None

    def public_key(self) -> bytes:
        """As the port. Raises CustodyError SETTING when no version has the key wanted, or the type does not sign."""
        return self._version()[1]

    def sign(self, message: bytes) -> bytes:
        """As the port."""
        version, _, kind = self._version()
        body: dict[str, object] = {"input": _encoded(message), "key_version": version}
        if kind in _HASHES:
            body |= {"hash_algorithm": _HASHES[kind], "marshaling_algorithm": "asn1"}
        signature = str(self._key.post("sign", body).get("signature"))
        prefix, _, encoded = signature.rpartition(":")
        if not re.fullmatch(rf"[a-z]+:v{version}", prefix):
            raise _nonsense()
        return _decoded(encoded)

    def _version(self) -> tuple[int, bytes, str]:
        if self._chosen is None:
            described = self._key.describe()
            kind, keys = str(described.get("type")), described.get("keys")
            if kind not in {*_HASHES, "ed25519"} or not isinstance(keys, dict):
                text = f"transit: a key of type {kind} does not sign here; use ecdsa-p256, ecdsa-p384 or ed25519"
                raise CustodyError(Trouble.SETTING, text)
            try:
                versions = {int(number): _public_key(kind, one["public_key"]) for number, one in keys.items()}
            except (ValueError, KeyError, TypeError):
                raise _nonsense() from None
            fitting = [number for number, spki in versions.items() if self._wanted in (None, spki)]
            if not fitting:
                raise CustodyError(Trouble.SETTING, "transit: no version of this key is the one of the certificate")
            self._chosen = (max(fitting), versions[max(fitting)], kind)
        return self._chosen


def _public_key(kind: str, text: str) -> bytes:
    if kind == "ed25519":
        key = Ed25519PublicKey.from_public_bytes(_decoded(text))
        return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return load_pem_public_key(text.encode()).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
