"""Ed25519 public keys under which only the holder of a private key can sign."""

from __future__ import annotations

from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

_P = 2**255 - 19
_OF_ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_OF_SMALL_ORDER = frozenset({0, 1, _P - 1, _OF_ORDER_8, _P - _OF_ORDER_8})
"""The y of every point whose order divides 8."""


@lru_cache(maxsize=256)
def public_key_of(raw: bytes) -> Ed25519PublicKey:
    """The key in these 32 bytes (RFC 8032 section 5.1.5).

    Refuses what the library accepts: points of small order, under which anybody makes signatures without a private key,
    and encodings that are not canonical, by which one key could count as two.
    The last 256 are kept: a log has thousands of signatures by one key.

    Raises:
        ValueError: not 32 bytes, not canonical, or of small order.
    """
    y = int.from_bytes(raw, "little") & (2**255 - 1)
    if y >= _P or y in _OF_SMALL_ORDER:
        raise ValueError("a public key under which anybody could sign")
    return Ed25519PublicKey.from_public_bytes(raw)
