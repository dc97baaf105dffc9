"""Which 32 bytes are a ristretto255 group element (RFC 9496 section 4.3.1): the form of a key service's public key.

Only public bytes are looked at, so nothing here needs to take the same time for all of them.
"""

from __future__ import annotations

_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P
_SQRT_M1 = pow(2, (_P - 1) // 4, _P)


def is_element(raw: bytes) -> bool:
    """Whether `raw` is the canonical encoding of an element other than the identity (32 zero bytes)."""
    if len(raw) != 32:
        return False
    s = int.from_bytes(raw, "little")
    if s >= _P or s & 1 or s == 0:
        return False
    square = s * s % _P
    u1, u2 = (1 - square) % _P, (1 + square) % _P
    v = (-(_D * u1 * u1) - u2 * u2) % _P
    root = _inverse_root(v * u2 * u2 % _P)
    if root is None:
        return False
    den_x = root * u2 % _P
    x = _absolute(2 * s * den_x % _P)
    y = u1 * root * den_x * v % _P
    return y != 0 and not x * y % _P & 1


def _inverse_root(value: int) -> int | None:
    """1 / sqrt(value), not negative; None when `value` is no square (RFC 9496 section 4.2, u = 1)."""
    cubed = pow(value, 3, _P)
    root = cubed * pow(cubed * cubed * value % _P, (_P - 5) // 8, _P) % _P
    check = value * root * root % _P
    if check == _P - 1:
        root = root * _SQRT_M1 % _P
    elif check != 1:
        return None
    return _absolute(root)


def _absolute(value: int) -> int:
    return _P - value if value & 1 else value
