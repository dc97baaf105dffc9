"""The raw-identifier guard: refuses a column that holds text or numbers where keyed hashes belong.

Best effort against mistakes, not against intent: an unkeyed hash of a number looks like a keyed one. Nothing of what
was refused is kept or told, not even how many rows.

Each rule below has the probability p that one row of 16 random bytes meets it. A run of n rows is refused when at least
t distinct rows meet a rule, t the smallest number with (n p)^t / t! <= 1e-9, which bounds the chance that random rows
are refused. With the rules here that is below 1e-8 per run of any length, below 2e-6 for a register of 10 million rows
in runs of 65,536, and below 1e-9 for a single row (sum of those p that a single row can trip over).

    rule       a row meets it when                                                        p per random row
    numbers    all bytes are digits, space, NUL or of "+-./:,"                                   1.0e-18
    hex        all bytes are hex digits, hyphen, space or NUL                                    6.8e-17
    text       all bytes are letters, digits, space, NUL, full stop or hyphen                    3.8e-10
    base64     all bytes are letters, digits, plus, slash or equals sign                         3.0e-10
    zeros      6 bytes or more are zero (integers, UTF-16, padding)                              2.8e-11
    padding    6 neighbours or more within the halves are equal (repeated padding)               1.1e-11
    halves     both halves are the same                                                          5.4e-20
    few        at most 7 different bytes (looked at in up to 1,024 rows, evenly spread)          6.5e-13
    printable  12 printable ASCII bytes in a row                                                 2.4e-5
    constant   64 distinct rows or more agree in one of their 128 bits                           2e-17 per run
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from broker.errors import Code, SluisError, Violation
from broker.exchange import Pseudonyms
from broker.matching.columns import U64, distinct, halves

CHANCE = 1e-9
"""Bound on the chance that one rule refuses a run of random rows."""
RULES = {
    "numbers": (18 / 256) ** 16,
    "hex": (25 / 256) ** 16,
    "text": (66 / 256) ** 16,
    "base64": (65 / 256) ** 16,
    "zeros": 2.8e-11,
    "padding": 1.1e-11,
    "halves": 2.0**-64,
    "few": 6.5e-13,
    "printable": 2.4e-5,
}
SAMPLED_ROWS = 1024
CONSTANT_ROWS = 64

_LETTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DIGITS = b"0123456789"
_ALPHABETS = {
    "numbers": _DIGITS + b" \0+-./:,",
    "hex": _DIGITS + b"abcdefABCDEF- \0",
    "text": _LETTERS + _DIGITS + b" \0.-",
    "base64": _LETTERS + _DIGITS + b"+/=",
}
_PRINTABLE_BIT = len(_ALPHABETS)
_HIGH_BITS = np.uint64(0x8080808080808080)
_LOW_BITS = np.uint64(0x7F7F7F7F7F7F7F7F)
_SEVEN_BYTES = np.uint64(0x00FFFFFFFFFFFFFF)


def _classes() -> npt.NDArray[np.uint8]:
    table = np.zeros(256, np.uint8)
    for bit, alphabet in enumerate(_ALPHABETS.values()):
        table[list(alphabet)] |= 1 << bit
    table[0x20:0x7F] |= 1 << _PRINTABLE_BIT
    return table


_CLASSES = _classes()


def threshold(rows: int, chance: float) -> int:
    """The least number of distinct rows that must meet a rule of probability `chance` for `rows` rows to be refused."""
    bound, number = 1.0, 0
    while True:
        number += 1
        bound *= rows * chance / number
        if bound <= CHANCE:
            return number


def check_pseudonyms(pseudonyms: Pseudonyms, field: str = "rows.columns") -> None:
    """Passes a run of present pseudonyms that look like keyed hashes.

    Raises LOOKS_LIKE_IDENTIFIERS, naming `field` and the rule, when they look like anything else.
    """
    rows = len(pseudonyms)
    if not rows:
        return
    high, low = halves(pseudonyms)
    _refuse_if(pseudonyms, "zeros", _zero_bytes(high) + _zero_bytes(low) >= 6, field)
    _refuse_if(pseudonyms, "padding", _equal_neighbours(high) + _equal_neighbours(low) >= 6, field)
    _refuse_if(pseudonyms, "halves", high == low, field)
    _refuse_text(pseudonyms, high, low, field)
    sample = np.ascontiguousarray(pseudonyms[:: (rows + SAMPLED_ROWS - 1) // SAMPLED_ROWS])
    ordered = np.sort(sample.view(np.uint8).reshape(-1, 16), axis=1)
    different = 1 + np.count_nonzero(ordered[:, 1:] != ordered[:, :-1], axis=1)
    _refuse_if(sample, "few", different <= 7, field)
    if rows >= CONSTANT_ROWS and _agrees(high, low) and len(distinct(pseudonyms)) >= CONSTANT_ROWS:
        raise _refusal("constant", field)


def _refuse_text(pseudonyms: Pseudonyms, high: U64, low: U64, field: str) -> None:
    """The rules on ASCII, looked up only for the few rows in which at most 4 bytes are above 127."""
    above = np.bitwise_count(high & _HIGH_BITS) + np.bitwise_count(low & _HIGH_BITS)
    suspects = pseudonyms[np.flatnonzero(above <= 4)]
    classes = _CLASSES[suspects.view(np.uint8)].reshape(-1, 16)
    common = np.bitwise_and.reduce(classes, axis=1)
    for bit, rule in enumerate(_ALPHABETS):
        _refuse_if(suspects, rule, common & (1 << bit) != 0, field, len(pseudonyms))
    runs = np.packbits(classes >> _PRINTABLE_BIT & 1, axis=1).view(">u2").reshape(-1)
    for shift in (1, 2, 4, 4):  # runs of 2, 4, 8, 12
        runs &= runs >> shift
    _refuse_if(suspects, "printable", runs != 0, field, len(pseudonyms))


def _refuse_if(rows: Pseudonyms, rule: str, met: npt.NDArray[np.bool_], field: str, of: int | None = None) -> None:
    """Refuses when enough distinct rows meet a rule; `of`: how many rows were looked at, when more than `rows`."""
    found = np.flatnonzero(met)
    least = threshold(of or len(rows), RULES[rule])
    if len(found) >= least and len(distinct(rows[found])) >= least:
        raise _refusal(rule, field)


def _zero_bytes(half: U64) -> npt.NDArray[np.uint8]:
    """How many of the 8 bytes are zero."""
    zeros: npt.NDArray[np.uint8] = np.bitwise_count(~(((half & _LOW_BITS) + _LOW_BITS) | half | _LOW_BITS))
    return zeros


def _equal_neighbours(half: U64) -> npt.NDArray[np.uint8]:
    """How many of the 7 pairs of neighbours in a half are equal."""
    return _zero_bytes(((half ^ (half >> np.uint64(8))) & _SEVEN_BYTES) | ~_SEVEN_BYTES)


def _agrees(high: U64, low: U64) -> bool:
    """Whether all rows agree in at least one bit."""
    return any(
        int(np.bitwise_and.reduce(half) | ~np.bitwise_or.reduce(half)) != 0  # bits always one, bits always zero
        for half in (high, low)
    )


def _refusal(rule: str, field: str) -> SluisError:
    what = (
        "looks like text, numbers or padding, not like pseudonyms: make pseudonyms with the client "
        "(`sluis-client pseudonymise`) and send those; identifiers never belong here. Nothing of this run was kept"
    )
    return SluisError(
        Code.LOOKS_LIKE_IDENTIFIERS,
        f"{field}: {what}",
        violations=[Violation(field, what)],
        metadata={"rule": rule},
    )
