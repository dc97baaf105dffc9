"""RFC 9497 in the client's role: VOPRF (mode 1) over ristretto255-SHA512, unmodified; docs/adr/0032 chose the library.

Group operations are libsodium's, out of the wheel `rbcl`, and let go of Python's lock, so that slices of a batch run on
several cores. Blinds are arguments: whoever is cut off blinds again with the same ones, and sends the very same bytes.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import hmac
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from sluis_client.errors import ClientError, Exit

OPRF, VOPRF = 0, 1
"""RFC 9497 section 3.1. Clients use VOPRF alone; OPRF has test vectors for the same steps."""
ELEMENT_BYTES = SCALAR_BYTES = 32
PROOF_BYTES = 2 * SCALAR_BYTES
OUTPUT_BYTES = 64
ORDER = 2**252 + 27742317777372353535851937790883648493
"""Of the group (RFC 9496)."""
_IDENTITY = bytes(ELEMENT_BYTES)
_SLICE = 32
_BLOCK_OF_ZEROS = hashlib.sha512(bytes(128))
"""Z_pad of expand_message_xmd (RFC 9380 section 5.3.1)."""
_One = TypeVar("_One")
_Many = TypeVar("_Many")


@functools.cache
def library() -> ModuleType:
    """libsodium's ristretto255. The file that `rbcl` unpacks at import is removed again where the system allows.

    Raises:
        ClientError: LIBRARY_MISSING.
    """
    try:
        import rbcl
        from rbcl import _sodium
    except (ImportError, OSError):
        text = (
            "mode oblivious needs the extra `sluis-client[oblivious]`, and a directory for temporary files from which "
            "libraries may be loaded: install it, or point TMPDIR to such a directory"
        )
        raise ClientError("LIBRARY_MISSING", text) from None
    _remove(str(_sodium._name))  # noqa: SLF001 - ctypes tells the file in no other way
    loaded: ModuleType = rbcl
    return loaded


def blinds_of(seed: bytes, count: int) -> list[bytes]:
    """`count` scalars out of 32 random bytes that are used for one batch only: uniform, and the same for one seed."""
    made = (int.from_bytes(hmac.digest(seed, index.to_bytes(4, "big"), "sha512"), "little") for index in range(count))
    return [(value % (ORDER - 1) + 1).to_bytes(SCALAR_BYTES, "little") for value in made]


def blind(
    inputs: Sequence[bytes], blinds: Sequence[bytes], mode: int = VOPRF, pool: Executor | None = None
) -> list[bytes]:
    """Blind of RFC 9497 section 3.3.2: an element for each input, which tells nothing of it to whoever lacks the blind.

    Raises:
        ClientError: LIBRARY_MISSING; INPUT_INVALID for an input that hashes to the identity, of which none is known.
    """
    group = library()
    tag = _tag(b"HashToGroup-", mode)

    def one(pair: tuple[bytes, bytes]) -> bytes:
        element = group.crypto_core_ristretto255_from_hash(_expand(pair[0], tag))
        if element == _IDENTITY:
            raise ClientError("INPUT_INVALID", "an input cannot be blinded")
        made: bytes = group.crypto_scalarmult_ristretto255(pair[1], element)
        return made

    return _spread(one, list(zip(inputs, blinds, strict=True)), pool)


def check_proof(
    service: str,
    public_key: bytes,
    blinded: Sequence[bytes],
    evaluated: bytes,
    proof: bytes,
    pool: Executor | None = None,
) -> list[bytes]:
    """The evaluated elements, once one proof shows that all were made with the key behind `public_key` (section 2.2.2).

    Raises:
        ClientError: naming the service. COUNT_WRONG, LENGTH_WRONG; ELEMENT_INVALID for bytes that are no element or the
            identity; PROOF_WRONG for another key, other elements, or another batch.
    """
    if len(evaluated) != ELEMENT_BYTES * len(blinded):
        raise _refused("COUNT_WRONG", service, f"answered {len(blinded)} elements with {len(evaluated)} bytes")
    if len(proof) != PROOF_BYTES:
        raise _refused("LENGTH_WRONG", service, f"sent a proof of {len(proof)} bytes; one has {PROOF_BYTES}")
    elements = [evaluated[at : at + ELEMENT_BYTES] for at in range(0, len(evaluated), ELEMENT_BYTES)]
    if not all(map(is_element, elements)):
        raise _refused("ELEMENT_INVALID", service, "sent bytes that are no element of the group")
    if not is_element(public_key):
        raise _refused("ELEMENT_INVALID", service, "has a public key in the policy that is no element of the group")
    if not _proven(public_key, blinded, elements, proof, pool):
        text = "did not use the key that the signed policy names for it, or did not answer this request"
        raise _refused("PROOF_WRONG", service, text)
    return elements


def finalize(
    inputs: Sequence[bytes], blinds: Sequence[bytes], evaluated: Sequence[bytes], pool: Executor | None = None
) -> list[bytes]:
    """Finalize of RFC 9497 section 3.3.1: the output for each input, 64 bytes, whatever the blind was.

    The evaluated elements are those that `check_proof` gave.
    """
    group = library()

    def one(part: tuple[bytes, bytes, bytes]) -> bytes:
        unblinded = group.crypto_scalarmult_ristretto255(part[1], part[2])
        return hashlib.sha512(_sized(part[0]) + _sized(unblinded) + b"Finalize").digest()

    return _spread(one, list(zip(inputs, _inverses(blinds), evaluated, strict=True)), pool)


def is_element(data: bytes) -> bool:
    """Whether these are the canonical encoding of an element other than the identity."""
    # libsodium 1.0.18 does not look at the top bit, so that an element would have two encodings
    if len(data) != ELEMENT_BYTES or data == _IDENTITY or data[-1] >= 0x80:
        return False
    return bool(library().crypto_core_ristretto255_is_valid_point(data))


def _proven(
    public_key: bytes, blinded: Sequence[bytes], evaluated: Sequence[bytes], proof: bytes, pool: Executor | None
) -> bool:
    """VerifyProof of RFC 9497 section 2.2.2."""
    group = library()
    challenge, answer = proof[:SCALAR_BYTES], proof[SCALAR_BYTES:]
    if not all(0 < int.from_bytes(scalar, "little") < ORDER for scalar in (challenge, answer)):
        return False
    tag = _tag(b"HashToScalar-", VOPRF)
    seed = _sized(hashlib.sha512(_sized(public_key) + _sized(_tag(b"Seed-", VOPRF)[:-1])).digest())
    multiply, add = group.crypto_scalarmult_ristretto255, group.crypto_core_ristretto255_add

    def weighed(numbered: tuple[int, bytes, bytes]) -> tuple[bytes, bytes]:
        index, asked, answered = numbered
        transcript = seed + index.to_bytes(2, "big") + _sized(asked) + _sized(answered) + b"Composite"
        weight = _scalar(transcript, tag)
        return multiply(weight, asked), multiply(weight, answered)

    try:
        numbered = [(index, *pair) for index, pair in enumerate(zip(blinded, evaluated, strict=True))]
        parts = _spread(weighed, numbered, pool)
        m, z = (functools.reduce(add, column) for column in zip(*parts, strict=True))
        t2 = add(group.crypto_scalarmult_ristretto255_base(answer), multiply(challenge, public_key))
        t3 = add(multiply(answer, m), multiply(challenge, z))
    except RuntimeError:  # a sum that is the identity: no honest batch has one
        return False
    transcript = b"".join(map(_sized, (public_key, m, z, t2, t3))) + b"Challenge"
    return hmac.compare_digest(_scalar(transcript, tag), challenge)


def _spread(work: Callable[[_One], _Many], items: Sequence[_One], pool: Executor | None) -> list[_Many]:
    """`work` of every item, in slices over the threads of `pool`."""
    if pool is None or len(items) <= _SLICE:
        return list(map(work, items))
    slices = [items[at : at + _SLICE] for at in range(0, len(items), _SLICE)]
    return [made for part in pool.map(lambda piece: list(map(work, piece)), slices) for made in part]


def _inverses(scalars: Sequence[bytes]) -> list[bytes]:
    """The inverse of each scalar, at the cost of one inversion for all (Montgomery's trick)."""
    values = [int.from_bytes(scalar, "little") for scalar in scalars]
    before, product = [], 1
    for value in values:
        before.append(product)
        product = product * value % ORDER
    rest = pow(product, -1, ORDER)
    found = []
    for value, left in zip(reversed(values), reversed(before), strict=True):
        found.append((rest * left % ORDER).to_bytes(SCALAR_BYTES, "little"))
        rest = rest * value % ORDER
    return found[::-1]


def _scalar(message: bytes, tag: bytes) -> bytes:
    return (int.from_bytes(_expand(message, tag), "little") % ORDER).to_bytes(SCALAR_BYTES, "little")


def _expand(message: bytes, tag: bytes) -> bytes:
    """expand_message_xmd of RFC 9380 section 5.3.1 with SHA-512, 64 bytes. `tag` ends with its own length."""
    first = _BLOCK_OF_ZEROS.copy()
    first.update(message + b"\x00\x40\x00" + tag)
    return hashlib.sha512(first.digest() + b"\x01" + tag).digest()


def _tag(label: bytes, mode: int) -> bytes:
    whole = label + b"OPRFV1-" + bytes([mode]) + b"-ristretto255-SHA512"
    return whole + bytes([len(whole)])


def _sized(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


def _refused(code: str, service: str, why: str) -> ClientError:
    text = f"key service {service} {why}; use nothing of it, and tell its operator and the auditor"
    return ClientError(code, text, Exit.VERIFICATION_FAILED)


def _remove(path: str) -> None:
    file = Path(path)
    if file.parent == Path(tempfile.gettempdir()):
        with contextlib.suppress(OSError):
            file.unlink()
