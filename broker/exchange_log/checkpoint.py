"""Checkpoints: C2SP tlog-checkpoint in a C2SP signed note, with Ed25519 keys (docs/formats.md section 3).

Read strictly: exactly three lines of text, no extension lines, every signature line well formed. Pure.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature

from broker.ed25519_keys import public_key_of
from broker.errors import Code, SluisError
from broker.exchange_log.merkle import HASH_BYTES
from broker.ports import CheckpointSigner

ED25519 = 0x01
MAX_NOTE_BYTES = 16_384
MAX_SIGNATURES = 64
_ORIGIN = re.compile(r"[!-*,-~]{1,200}")
"""Printable ASCII without space and plus sign: what a key name in a signed note may hold, and more plainly so."""
_SIZE = re.compile(r"0|[1-9][0-9]{0,15}")
_SIGNATURE = re.compile("— ([^ +\n]+) ([A-Za-z0-9+/]+={0,2})")


@dataclass(frozen=True)
class VerifierKey:
    """A C2SP verifier key for Ed25519: a log's (type 0x01), or a witness's (0x04, see `cosignature`)."""

    name: str
    key_hash: bytes
    public_key: bytes
    kind: int = ED25519

    def __str__(self) -> str:
        key = base64.b64encode(bytes([self.kind]) + self.public_key).decode()
        return f"{self.name}+{self.key_hash.hex()}+{key}"


@dataclass(frozen=True)
class Checkpoint:
    """Origin, tree size and root, with the signatures as they came: (name, key hash, signature)."""

    origin: str
    size: int
    root: bytes
    body: bytes
    """What the signatures are over."""
    signatures: tuple[tuple[str, bytes, bytes], ...]


def check_origin(origin: str) -> str:
    """`origin` when it can name a log: 1 to 200 printable ASCII characters without space and plus sign.

    Raises:
        SluisError: CONFIG_INVALID.
    """
    if not _ORIGIN.fullmatch(origin):
        raise SluisError(
            Code.CONFIG_INVALID,
            "an origin, or a witness's name, has 1 to 200 printable ASCII characters, no spaces and no plus sign",
        )
    return origin


def verifier_key(name: str, public_key: bytes, kind: int = ED25519) -> VerifierKey:
    """The verifier key for an Ed25519 public key (32 bytes): key hash per C2SP signed-note."""
    digest = hashlib.sha256(check_origin(name).encode() + b"\n" + bytes([kind]) + public_key).digest()
    return VerifierKey(name, digest[:4], public_key, kind)


def parse_verifier_key(text: str, kind: int = ED25519) -> VerifierKey:
    """The verifier key in `text`: name+hex(key hash)+base64(type || public key), of the type `kind`.

    Raises:
        SluisError: CONFIG_INVALID.
    """
    whose = "a log's verifier key, of type 1" if kind == ED25519 else f"a witness's verifier key, of type {kind}"
    bad = SluisError(Code.CONFIG_INVALID, f"{whose}, reads name+8 hex digits+base64")
    parts = text.split("+", 2)
    if len(parts) != 3 or not _ORIGIN.fullmatch(parts[0]) or not re.fullmatch(r"[0-9a-f]{8}", parts[1]):
        raise bad
    raw = _base64(parts[2], bad)
    if len(raw) != 33 or raw[0] != kind:
        raise bad
    key = verifier_key(parts[0], raw[1:], kind)
    if key.key_hash.hex() != parts[1]:
        raise SluisError(Code.CONFIG_INVALID, "a verifier key's hash does not fit its key: it was copied wrongly")
    return key


def checkpoint_body(origin: str, size: int, root: bytes) -> bytes:
    """What is signed: origin, size, root, one a line."""
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n".encode()


def sign_checkpoint(signer: CheckpointSigner, key: VerifierKey, size: int, root: bytes) -> str:
    """The signed note for a tree; `key` is the signer's. Raises what the signer raises."""
    body = checkpoint_body(key.name, size, root)
    blob = base64.b64encode(key.key_hash + signer.sign(body)).decode()
    return f"{body.decode()}\n— {key.name} {blob}\n"


def signature_line(signer: CheckpointSigner, key: VerifierKey, note: str) -> str:
    """One more signature line for a checkpoint of the same origin, with its newline. Raises what the signer raises."""
    body = parse_checkpoint(note).body
    return f"— {key.name} {base64.b64encode(key.key_hash + signer.sign(body)).decode()}\n"


def parse_checkpoint(note: str) -> Checkpoint:
    """The checkpoint in a signed note; its signatures are not checked here.

    Raises:
        SluisError: STATEMENT_INVALID.
    """
    bad = SluisError(Code.STATEMENT_INVALID, "not a checkpoint: origin, size and root lines and signature lines")
    if len(note) > MAX_NOTE_BYTES:
        raise bad
    body, separator, signed = note.partition("\n\n")
    lines = body.split("\n")
    if not separator or len(lines) != 3 or not signed.endswith("\n"):
        raise bad
    origin, size, root_text = lines
    if not _ORIGIN.fullmatch(origin) or not _SIZE.fullmatch(size) or int(size) > 2**53 - 1:
        raise bad
    root = _base64(root_text, bad)
    signature_lines = signed[:-1].split("\n")
    if len(root) != HASH_BYTES or len(signature_lines) > MAX_SIGNATURES:
        raise bad
    signatures = [parse_signature_line(line) for line in signature_lines]
    return Checkpoint(origin, int(size), root, body.encode() + b"\n", tuple(signatures))


def parse_signature_line(line: str) -> tuple[str, bytes, bytes]:
    """Name, key hash and signature in one line of a signed note, without its newline. Raises STATEMENT_INVALID."""
    bad = SluisError(Code.STATEMENT_INVALID, "not a signature line: a dash, a key's name and base64")
    match = _SIGNATURE.fullmatch(line)
    blob = _base64(match[2], bad) if match else b""
    if not match or len(blob) < 5:
        raise bad
    return match[1], blob[:4], blob[4:]


def verify_checkpoint(note: str, key: VerifierKey) -> Checkpoint:
    """The checkpoint in `note` when `key` signed it and its origin is the key's name.

    Raises:
        SluisError: STATEMENT_INVALID when it is no checkpoint; SIGNATURE_WRONG when `key` did not sign it.
    """
    checkpoint = parse_checkpoint(note)
    wrong = SluisError(Code.SIGNATURE_WRONG, "the checkpoint is not signed by the log's key")
    mine = [s for name, key_hash, s in checkpoint.signatures if (name, key_hash) == (key.name, key.key_hash)]
    if checkpoint.origin != key.name or not mine:
        raise wrong
    try:
        public_key = public_key_of(key.public_key)
        for signature in mine:
            public_key.verify(signature, checkpoint.body)
    except (InvalidSignature, ValueError):
        raise wrong from None
    return checkpoint


def _base64(text: str, bad: SluisError) -> bytes:
    """Strict standard base64: what decodes must encode back to the same text."""
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise bad from None
    if base64.b64encode(raw).decode() != text:
        raise bad
    return raw
