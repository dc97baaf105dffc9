"""Attributes sealed inside the answerer, opened inside the asker: the broker passes them on and can read none.

Per record 32 random bytes R are wrapped once for every match key; each field has its own key under R and its own padded
length, so what is released is decided per field and a length tells nothing (docs/pseudonym-spec.md section 5).
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sluis_client.canonical import encode
from sluis_client.errors import ClientError, Exit
from sluis_client.pseudonymise import Context
from sluis_client.secret import KEY_BYTES, Secret, hkdf, hkdf_expand, hkdf_extract

WRAP_BYTES = 60
COMMITMENT_BYTES = 32
SEAL_OVERHEAD = 18
"""A sealed field has its width + 2 (length) + 16 (tag) bytes."""
MAX_WIDTH = 0xFFFE

_NULL = 0xFFFF
_NONCE_BYTES = 12
# safe: a field key seals one value once
_ZERO_NONCE = bytes(_NONCE_BYTES)
_NO_WRAP = bytes(WRAP_BYTES)


@dataclass(frozen=True)
class Field:
    """An attribute and the number of bytes its UTF-8 value is padded to (1 to 65,534), both from the catalogue.

    Raises:
        ClientError: WIDTH_WRONG.
    """

    name: str
    width: int

    def __post_init__(self) -> None:
        if not 1 <= self.width <= MAX_WIDTH:
            raise ClientError("WIDTH_WRONG", f"{self.name}: a field's width is 1 to {MAX_WIDTH} bytes")


@dataclass(frozen=True)
class SealedRow:
    """One record as published: a 60-byte wrap for every match key (zero bytes where the record lacks that match key),
    the 32-byte commitment, and the sealed fields in the order given to the sealer."""

    wraps: tuple[bytes, ...]
    commitment: bytes
    fields: tuple[bytes, ...]

    def __repr__(self) -> str:
        return f"SealedRow(wraps={len(self.wraps)}, fields={len(self.fields)})"


class _RowKeys:
    """The derivations that sealer and opener share, for one register version."""

    def __init__(self, context: Context, register: str, version: int, fields: Sequence[Field]) -> None:
        if len({field.name for field in fields}) != len(fields):
            raise ClientError("FIELD_REPEATED", "name every field once")
        if version < 1:
            raise ClientError("VERSION_WRONG", "register versions are numbered from 1")
        scope = context.scope()
        named = (register, str(version))
        self._wrap_info = encode("sluis/v1/wrap", *scope, *named)
        # the match key is the last part, one byte behind its length
        self._wrap_aad = encode("sluis/v1/wrap", *named) + b"\x00\x00\x00\x01"
        self._commit_message = encode("sluis/v1/commit", *scope)
        self.fields = {
            field.name: (
                field.width,
                encode("sluis/v1/field", *scope, *named, field.name),
                encode("sluis/v1/field", *named, field.name),
            )
            for field in fields
        }

    def wrapping(self, row_secret: Secret, match_key: int) -> tuple[AESGCM, bytes]:
        """Cipher and associated data of the wrap under one match key."""
        if not 1 <= match_key <= 255:
            raise ClientError("LENGTH_WRONG", "match keys are numbered 1 to 255")
        return AESGCM(hkdf(row_secret.reveal(), self._wrap_info)), self._wrap_aad + bytes([match_key])

    def commitment(self, record_key: bytes) -> bytes:
        """What ties a record to one R: AES-GCM alone would let one ciphertext open under two keys."""
        return hmac.digest(record_key, self._commit_message, "sha256")


class RowSealer:
    """Seals the records of one register version.

    `version` is the number the broker assigned to the upload; a version is sealed once, and never again with other
    values. `entropy(n)` gives n random bytes.

    Raises:
        ClientError: FIELD_REPEATED, VERSION_WRONG.
    """

    def __init__(
        self,
        context: Context,
        register: str,
        version: int,
        fields: Sequence[Field],
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._keys = _RowKeys(context, register, version, fields)
        self._entropy = entropy

    def seal(self, row_secrets: Sequence[Secret | None], values: Sequence[str | None]) -> SealedRow:
        """One record. `row_secrets` has an entry a match key, strictest first; `values` an entry a field, None: null.

        Raises:
            ClientError: LENGTH_WRONG for a wrong number of values or no match key at all, FIELD_TOO_LONG (naming the
                field) for a value wider than its field, FIELD_INVALID for text that is not Unicode.
        """
        if len(values) != len(self._keys.fields):
            raise ClientError("LENGTH_WRONG", f"a record has {len(self._keys.fields)} values")
        if not any(secret is not None for secret in row_secrets):
            raise ClientError("LENGTH_WRONG", "a record without any match key cannot be sealed; leave it out")
        fields = zip(self._keys.fields.items(), values, strict=True)
        padded = [_pad(name, width, value) for (name, (width, _, _)), value in fields]
        record_key = self._entropy(KEY_BYTES)
        wraps = tuple(self._wrap(record_key, secret, number) for number, secret in enumerate(row_secrets, start=1))
        extracted = hkdf_extract(record_key)
        sealed = tuple(
            AESGCM(hkdf_expand(extracted, info)).encrypt(_ZERO_NONCE, plain, aad)
            for (_, info, aad), plain in zip(self._keys.fields.values(), padded, strict=True)
        )
        return SealedRow(wraps, self._keys.commitment(record_key), sealed)

    def _wrap(self, record_key: bytes, row_secret: Secret | None, match_key: int) -> bytes:
        if row_secret is None:
            return _NO_WRAP
        cipher, aad = self._keys.wrapping(row_secret, match_key)
        nonce = self._entropy(_NONCE_BYTES)
        return nonce + cipher.encrypt(nonce, record_key, aad)


class RowOpener:
    """Opens hits of one register version; the arguments are those the answerer sealed with.

    Raises:
        ClientError: FIELD_REPEATED, VERSION_WRONG.
    """

    def __init__(self, context: Context, register: str, version: int, fields: Sequence[Field]) -> None:
        self._keys = _RowKeys(context, register, version, fields)

    def open(
        self, row_secret: Secret, match_key: int, wrap: bytes, commitment: bytes, sealed: Mapping[str, bytes]
    ) -> dict[str, str | None]:
        """The values of the fields in `sealed`, in its order.

        `match_key` is the number of the match key that decided the hit, `row_secret` the asker's own y under it.
        Nothing is returned unless the commitment and every field verify.

        Raises:
            ClientError: SEAL_BROKEN, naming `wrap`, `commitment` or the field and never a value;
                FIELD_UNKNOWN for a field this opener was not made for.
        """
        for name in sealed:
            if name not in self._keys.fields:
                raise ClientError("FIELD_UNKNOWN", f"{name}: not a field this answer was asked for")
        cipher, aad = self._keys.wrapping(row_secret, match_key)
        if len(wrap) != WRAP_BYTES:
            raise _broken("wrap", f"must have {WRAP_BYTES} bytes")
        try:
            record_key = cipher.decrypt(wrap[:_NONCE_BYTES], wrap[_NONCE_BYTES:], aad)
        except InvalidTag:
            raise _broken("wrap", "does not open with this row's key, register version and match key") from None
        if not hmac.compare_digest(self._keys.commitment(record_key), commitment):
            raise _broken("commitment", "is not the one of this record's key")
        extracted = hkdf_extract(record_key)
        return {name: self._field(extracted, name, data) for name, data in sealed.items()}

    def _field(self, extracted: bytes, name: str, data: bytes) -> str | None:
        width, info, aad = self._keys.fields[name]
        if len(data) != width + SEAL_OVERHEAD:
            raise _broken(name, f"must have {width + SEAL_OVERHEAD} bytes")
        try:
            plain = AESGCM(hkdf_expand(extracted, info)).decrypt(_ZERO_NONCE, data, aad)
        except InvalidTag:
            raise _broken(name, "was changed, or belongs to another field, record or register version") from None
        return _unpad(name, width, plain)


def _pad(name: str, width: int, value: str | None) -> bytes:
    if value is None:
        return _NULL.to_bytes(2, "big") + bytes(width)
    try:
        raw = value.encode("utf-8")
    except UnicodeEncodeError:
        raise ClientError("FIELD_INVALID", f"{name}: the value holds lone surrogates; it is not text") from None
    if len(raw) > width:
        raise ClientError("FIELD_TOO_LONG", f"{name}: a value is longer than the {width} bytes the catalogue allows")
    return len(raw).to_bytes(2, "big") + raw + bytes(width - len(raw))


def _unpad(name: str, width: int, plain: bytes) -> str | None:
    length = int.from_bytes(plain[:2], "big")
    used = 0 if length == _NULL else length
    if used > width:
        raise _broken(name, "holds a length greater than its width")
    if any(plain[2 + used :]):
        raise _broken(name, "is padded with other than zero bytes")
    if length == _NULL:
        return None
    try:
        return plain[2 : 2 + used].decode("utf-8")
    except UnicodeDecodeError:
        raise _broken(name, "is not UTF-8") from None


def _broken(what: str, why: str) -> ClientError:
    return ClientError("SEAL_BROKEN", f"{what} {why}; do not use this row", Exit.VERIFICATION_FAILED)
