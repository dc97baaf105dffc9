"""A vault export (docs/formats.md section 17): what opens a log's commitments, encrypted to one named auditor. Pure."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from broker.audit import strict_json

EXPORT_TYPE = "sluis/v1/vault"
PUBLIC_BYTES = 1184 + 32
"""An auditor's public key: ML-KEM-768 encapsulation key, then X25519 public key, as parties' encryption keys."""
SEED_BYTES = 64 + 32
_SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
_KEY_BYTES = 32


class VaultFileError(ValueError):
    """Not a vault export that this key opens; the text says why."""


@dataclass(frozen=True)
class OpenedSlot:
    """A slot as exported: what it is named, and what is said to open it."""

    commitment: str
    label: str
    salt: bytes
    value: bytes

    def __repr__(self) -> str:
        return f"OpenedSlot({self.label})"


@dataclass(frozen=True)
class VaultFile:
    """An export, decrypted."""

    origin: str
    size: int
    auditor: str
    slots: Iterator[OpenedSlot]
    """Read once; raises VaultFileError where the file was altered or cut."""


def public_of(seed: bytes) -> bytes:
    """The public key of an auditor's private key of SEED_BYTES. Raises VaultFileError."""
    mlkem, x25519 = _halves(seed)
    return mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()


def check_public(public: bytes) -> None:
    """Raises VaultFileError unless this is an auditor's public key that something can be encrypted to."""
    if len(public) == SEED_BYTES:
        raise VaultFileError("this is the private key: it stays with the auditor, who makes a new pair now")
    if len(public) != PUBLIC_BYTES:
        raise VaultFileError("an auditor's public key has 1216 bytes; `sluis audit keys` makes one")
    try:
        _public(public)
    except ValueError:
        raise VaultFileError("this is no public key of `sluis audit keys`, or a damaged one") from None


def fingerprint(public: bytes) -> str:
    """How entries and exports name an auditor's key: its SHA-256, hex."""
    return hashlib.sha256(public).hexdigest()


def export_lines(
    slots: Iterable[OpenedSlot],
    *,
    origin: str,
    size: int,
    auditor: str,
    public: bytes,
    entropy: Callable[[int], bytes],
) -> Iterator[bytes]:
    """The lines of an export, each with its newline. Raises VaultFileError for a public key that is none."""
    check_public(public)
    head = {"auditor": auditor, "key": fingerprint(public), "origin": origin, "size": size, "vault": EXPORT_TYPE}
    key = entropy(_KEY_BYTES)
    bound = strict_json.write(head)
    envelope = _SUITE.encrypt(key, _public(public), info=bound)
    yield strict_json.write({**head, "envelope": envelope.hex()}) + b"\n"
    cipher, number = AESGCM(key), 0
    for slot in slots:
        value = {
            "commitment": slot.commitment,
            "label": slot.label,
            "salt": slot.salt.hex(),
            "value": base64.b64encode(slot.value).decode(),
        }
        yield _sealed(cipher, number, value, bound)
        number += 1
    yield _sealed(cipher, number, {"rows": number}, bound)


def read_export(lines: Iterable[bytes], seed: bytes) -> VaultFile:
    """Opens an export with an auditor's private key. Raises VaultFileError."""
    source = iter(lines)
    try:
        head = strict_json.read(next(source, b"").rstrip(b"\n"))
    except strict_json.NotCanonicalError:
        raise VaultFileError("its first line is not that of a vault export") from None
    if head.keys() != {"auditor", "envelope", "key", "origin", "size", "vault"} or head["vault"] != EXPORT_TYPE:
        raise VaultFileError("its first line is not that of a vault export")
    if not isinstance(head["size"], int) or not all(isinstance(head[name], str) for name in head.keys() - {"size"}):
        raise VaultFileError("its first line is not that of a vault export")
    if head["key"] != fingerprint(public_of(seed)):
        raise VaultFileError(f"it is encrypted to another key, for {head['auditor'][:63]}")
    bound = strict_json.write({name: value for name, value in head.items() if name != "envelope"})
    try:
        key = open_envelope(bytes.fromhex(head["envelope"]), seed, bound)
    except ValueError:
        raise VaultFileError("its envelope does not open: its first line was altered") from None
    return VaultFile(head["origin"], head["size"], head["auditor"], _slots(source, AESGCM(key), bound))


def open_envelope(envelope: bytes, seed: bytes, bound: bytes) -> bytes:
    """What was encrypted to an auditor's key (HPKE, with `bound` as info). Raises VaultFileError."""
    try:
        return _SUITE.decrypt(envelope, hpke.MLKEM768X25519PrivateKey(*_halves(seed)), info=bound)
    except (InvalidTag, ValueError):
        raise VaultFileError("its envelope does not open") from None


def _slots(lines: Iterator[bytes], cipher: AESGCM, bound: bytes) -> Iterator[OpenedSlot]:
    for number, line in enumerate(lines):
        try:
            plain = cipher.decrypt(number.to_bytes(12, "big"), base64.b64decode(line), bound)
            row = strict_json.read(plain)
            if row.keys() == {"rows"}:
                if row["rows"] != number or next(lines, None) is not None:
                    raise VaultFileError("it goes on after its last line, or lacks some")
                return
            salt, value = bytes.fromhex(row["salt"]), base64.b64decode(row["value"])
            slot = OpenedSlot(str(row["commitment"]), str(row["label"]), salt, value)
        except VaultFileError:
            raise
        except (InvalidTag, ValueError, KeyError, TypeError):
            raise VaultFileError(f"line {number + 2} was altered or moved") from None
        yield slot
    raise VaultFileError("it ends before its last line")


def _sealed(cipher: AESGCM, number: int, value: Mapping[str, object], bound: bytes) -> bytes:
    sealed = cipher.encrypt(number.to_bytes(12, "big"), strict_json.write(dict(value)), bound)
    return base64.b64encode(sealed) + b"\n"


def _public(public: bytes) -> hpke.MLKEM768X25519PublicKey:
    halves = MLKEM768PublicKey.from_public_bytes(public[:1184]), X25519PublicKey.from_public_bytes(public[1184:])
    return hpke.MLKEM768X25519PublicKey(*halves)


def _halves(seed: bytes) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
    if len(seed) != SEED_BYTES:
        raise VaultFileError("an auditor's private key has 96 bytes")
    return MLKEM768PrivateKey.from_seed_bytes(seed[:64]), X25519PrivateKey.from_private_bytes(seed[64:])
