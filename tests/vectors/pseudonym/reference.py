"""An independent, slow reading of docs/pseudonym-spec.md: the whole of it is the functions below.

Shares no code with `sluis_client`, so that a mistake in one shows in the other.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM


class Entropy:
    """A reproducible stream. For vectors only."""

    def __init__(self, seed: str) -> None:
        self.seed, self.counter = seed, 0

    def __call__(self, size: int) -> bytes:
        out = b""
        while len(out) < size:
            out += hashlib.sha256(f"{self.seed}/{self.counter}".encode()).digest()
            self.counter += 1
        return out[:size]


def encode(*parts: bytes | str) -> bytes:
    out = b""
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        out += len(raw).to_bytes(4, "big") + raw
    return out


def mac(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()


def hkdf(key: bytes, info: bytes) -> bytes:
    return mac(mac(bytes(32), key), info + b"\x01")


def parts(context: dict[str, str]) -> list[str]:
    return [context[name] for name in ("origin", "environment", "purpose", "epoch", "mode")]


def derive(key: bytes, context: dict[str, str]) -> dict[str, str]:
    return {
        "key_id": mac(key, encode("sluis/v1/key-id", *parts(context)))[:16].hex(),
        "match_key": hkdf(key, encode("sluis/v1/match", *parts(context))).hex(),
        "row_key": hkdf(key, encode("sluis/v1/row", *parts(context))).hex(),
    }


def row(key: bytes, context: dict[str, str], scheme: str, number: int, fields: list[str]) -> dict[str, Any]:
    keys = derive(key, context)
    x = encode("sluis/v1/input", *parts(context), scheme, bytes([number]), *fields)
    return {
        "scheme": scheme,
        "match_key": number,
        "fields": fields,
        "x": x.hex(),
        "pseudonym": mac(bytes.fromhex(keys["match_key"]), x)[:16].hex(),
        "y": mac(bytes.fromhex(keys["row_key"]), x).hex(),
    }


def seal(case: dict[str, Any], entropy: Entropy) -> dict[str, Any]:
    """Sealed bytes of a record. `raw` replaces the plaintext of a field in deliberately bad vectors."""
    register, version = str(case["register"]), str(case["version"])
    context = case["context"]
    scope = [context["origin"], context["environment"]]
    record_key = entropy(32)
    wraps = []
    for number, y in enumerate(case["y"], start=1):
        if y is None:
            wraps.append(bytes(60).hex())
            continue
        nonce = entropy(12)
        wrap_key = hkdf(bytes.fromhex(y), encode("sluis/v1/wrap", *scope, register, version))
        aad = encode("sluis/v1/wrap", register, version, bytes([number]))
        wraps.append((nonce + AESGCM(wrap_key).encrypt(nonce, record_key, aad)).hex())
    fields = {}
    for field in case["fields"]:
        name, width, value = field["name"], field["width"], field["value"]
        if "raw" in field:
            plain = bytes.fromhex(field["raw"])
        elif value is None:
            plain = b"\xff\xff" + bytes(width)
        else:
            raw = value.encode()
            plain = len(raw).to_bytes(2, "big") + raw + bytes(width - len(raw))
        field_key = hkdf(record_key, encode("sluis/v1/field", *scope, register, version, name))
        aad = encode("sluis/v1/field", register, version, name)
        fields[name] = AESGCM(field_key).encrypt(bytes(12), plain, aad).hex()
    return {
        **case,
        "record_key": record_key.hex(),
        "wraps": wraps,
        "commitment": mac(record_key, encode("sluis/v1/commit", *scope)).hex(),
        "sealed": fields,
    }
