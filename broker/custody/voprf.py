"""RFC 9497, the server's role: VOPRF (mode 1) over ristretto255-SHA512, unmodified; docs/adr/0025 chose the library.

Group and scalar operations are libsodium's, which take the same time whatever the secret is, and which let other
threads run meanwhile. What is public (blinded and evaluated elements, composites, the challenge) needs no such care.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from broker.custody.secret import Secret
from broker.errors import Code, SluisError, field_error
from broker.evaluation_ports import Evaluated
from broker.ports import Entropy

try:
    import pysodium as _sodium
except (ImportError, ValueError):  # ValueError: the package is there and libsodium is not
    _sodium = None

OPRF, VOPRF = 0, 1
"""RFC 9497 section 3.1. Services serve VOPRF alone; OPRF has test vectors for the same steps."""
ELEMENT_BYTES = SCALAR_BYTES = 32
PROOF_BYTES = 2 * SCALAR_BYTES
_IDENTITY = bytes(ELEMENT_BYTES)
_SLICE = 32
"""Elements that one thread takes at a time."""
_BLOCK_OF_ZEROS = hashlib.sha512(bytes(128))
"""Z_pad of expand_message_xmd (RFC 9380 section 5.3.1): every hash to a scalar begins with it."""


@dataclass(frozen=True)
class KeyPair:
    """A service's key of one purpose and epoch."""

    secret: Secret
    """A scalar, 32 bytes little-endian."""
    public: bytes
    """An element, 32 bytes (RFC 9496)."""


def demand_library() -> None:
    """Raises CONFIG_INVALID, with what to install, where there is no libsodium."""
    if _sodium is None:
        raise SluisError(
            Code.CONFIG_INVALID,
            "key_service: needs libsodium: install the package libsodium23, and this one as sluis-broker[key-service]",
        )


def derive_key_pair(seed: bytes, info: bytes, mode: int = VOPRF) -> KeyPair:
    """DeriveKeyPair of RFC 9497 section 3.2.1: the same key for the same 32-byte `seed` and `info`.

    Raises:
        SluisError: CONFIG_INVALID without libsodium; INTERNAL for a seed of no key, of which none is known.
    """
    demand_library()
    material = seed + _sized(info)
    for counter in range(256):
        scalar = _hash_to_scalar(material + bytes([counter]), b"DeriveKeyPair" + _context(mode))
        if scalar != bytes(SCALAR_BYTES):
            return KeyPair(Secret(scalar), _sodium.crypto_scalarmult_ristretto255_base(scalar))
    raise SluisError(Code.INTERNAL, "this seed gives no key; make another")


def split_elements(data: bytes, field: str, most: int) -> tuple[bytes, ...]:
    """The blinded elements that stand back to back in `data`, 1 to `most`, each the canonical encoding of a point.

    Raises:
        SluisError: LENGTH_WRONG, COUNT_WRONG; ELEMENT_INVALID, naming the first position, for bytes that encode no
            element, and for the identity, which would give the key's holder nothing to hide behind.
    """
    if not data or len(data) % ELEMENT_BYTES:
        raise field_error(Code.LENGTH_WRONG, field, f"holds elements of {ELEMENT_BYTES} bytes, back to back")
    count = len(data) // ELEMENT_BYTES
    if count > most:
        raise field_error(Code.COUNT_WRONG, field, f"holds at most {most} elements; send several requests")
    elements = tuple(data[at : at + ELEMENT_BYTES] for at in range(0, len(data), ELEMENT_BYTES))
    for position, element in enumerate(elements):
        # libsodium 1.0.18 does not look at the top bit, so that an element would have two encodings
        canonical = element[-1] < 0x80 and _sodium.crypto_core_ristretto255_is_valid_point(element)
        if element == _IDENTITY or not canonical:
            raise field_error(
                Code.ELEMENT_INVALID,
                field,
                f"element {position} is no ristretto255 element, or the identity; blind again as RFC 9497 says",
            )
    return elements


class Evaluator:
    """BlindEvaluate of RFC 9497 section 3.3.2, spread over the cores. Safe from any thread."""

    def __init__(self, entropy: Entropy, threads: int = 0) -> None:
        demand_library()
        self._entropy = entropy
        self._pool = ThreadPoolExecutor(threads or os.cpu_count() or 1, thread_name_prefix="voprf")

    def evaluate(self, key: KeyPair, blinded: Sequence[bytes]) -> Evaluated:
        """Evaluates elements that `split_elements` gave, with one proof for the batch under fresh randomness."""
        return evaluate(key, blinded, _reduce(self._entropy.token(64)), self._pool)

    def close(self) -> None:
        """Ends the threads, after what they are at."""
        self._pool.shutdown(wait=True)


def evaluate(key: KeyPair, blinded: Sequence[bytes], r: bytes, pool: ThreadPoolExecutor | None = None) -> Evaluated:
    """BlindEvaluate with GenerateProof (RFC 9497 section 2.2.1) under the random scalar `r`, which is used once.

    `r` is an argument so that the published vectors can be followed to the byte.
    """
    secret = key.secret.reveal()
    seed = _composite_seed(key.public)
    work = functools.partial(_evaluate_slice, secret, seed)
    slices = [(start, blinded[start : start + _SLICE]) for start in range(0, len(blinded), _SLICE)]
    done = list(map(work, slices)) if pool is None or len(slices) == 1 else list(pool.map(work, slices))
    composite = functools.reduce(_sodium.crypto_core_ristretto255_add, (part for _, part in done))
    evaluated_composite = _multiply(secret, composite)
    commitments = _sodium.crypto_scalarmult_ristretto255_base(r), _multiply(r, composite)
    transcript = b"".join(map(_sized, (key.public, composite, evaluated_composite, *commitments))) + b"Challenge"
    challenge = _hash_to_scalar(transcript, _SCALAR_TAG)
    product = _sodium.crypto_core_ristretto255_scalar_mul(challenge, secret)
    answer = _sodium.crypto_core_ristretto255_scalar_sub(r, product)
    return Evaluated(b"".join(elements for elements, _ in done), challenge + answer)


def _evaluate_slice(secret: bytes, seed: bytes, numbered: tuple[int, Sequence[bytes]]) -> tuple[bytes, bytes]:
    """Evaluated elements of a slice, and its part of the composite: the sum of d_i * C_i (ComputeCompositesFast)."""
    start, blinded = numbered
    elements = []
    composite = _IDENTITY
    for index, element in enumerate(blinded, start):
        evaluated = _multiply(secret, element)
        transcript = seed + index.to_bytes(2, "big") + _sized(element) + _sized(evaluated) + b"Composite"
        weight = _hash_to_scalar(transcript, _SCALAR_TAG)
        composite = _sodium.crypto_core_ristretto255_add(composite, _multiply(weight, element))
        elements.append(evaluated)
    return b"".join(elements), composite


def _composite_seed(public: bytes) -> bytes:
    return _sized(hashlib.sha512(_sized(public) + _sized(b"Seed-" + _context(VOPRF))).digest())


def _context(mode: int) -> bytes:
    return b"OPRFV1-" + bytes([mode]) + b"-ristretto255-SHA512"


_SCALAR_TAG = b"HashToScalar-" + _context(VOPRF)


def _hash_to_scalar(message: bytes, tag: bytes) -> bytes:
    """HashToScalar of RFC 9497 section 4.1: expand_message_xmd with SHA-512 to 64 bytes, reduced."""
    tag += bytes([len(tag)])
    first = _BLOCK_OF_ZEROS.copy()
    first.update(message + b"\x00\x40\x00" + tag)
    return _reduce(hashlib.sha512(first.digest() + b"\x01" + tag).digest())


def _multiply(scalar: bytes, element: bytes) -> bytes:
    product: bytes = _sodium.crypto_scalarmult_ristretto255(scalar, element)
    return product


def _reduce(wide: bytes) -> bytes:
    """64 bytes, little-endian, modulo the group's order."""
    scalar: bytes = _sodium.crypto_core_ristretto255_scalar_reduce(wide)
    return scalar


def _sized(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data
