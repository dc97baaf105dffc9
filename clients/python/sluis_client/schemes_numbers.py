"""Numbers of fixed width: BSN, RSIN, KvK, vestigingsnummer, loonheffingennummer and BAG (domain.md section 5).

A number that could be two numbers is refused, never guessed. Leading zeros that Excel dropped come back by rule for
BSN and RSIN (8 digits are written with 9) and for the others only when the caller asks (`restore_zeros`), because
a shorter number may as well be another number.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sluis_client.cells import Reason, Unusable, tidy

_SCIENTIFIC = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]+)?[eE][+-]?[0-9]+")
_DECIMALS = re.compile(r"([0-9]+|[0-9]{1,3}(?:[.,][0-9]{3})+)[.,]0{1,2}")
_THOUSANDS = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+")
_SEPARATORS = re.compile(r"(?<=[0-9])[ .\-\u2010-\u2015\u2212]+(?=[0-9])")
_VAT = re.compile(r"(?:NL)?[0-9]{9}B[0-9]{2}", re.IGNORECASE)
_BAG_TYPES = ("01", "02", "03", "10", "20", "30")


def _label(words: str) -> re.Pattern[str]:
    tail = r"(?:[ -]*(?:nummer|number|nr|no))?[ .:=#-]*(?=[0-9])"
    return re.compile(rf"(?:{words}){tail}", re.IGNORECASE)


@dataclass(frozen=True)
class NumberShape:
    """What one kind of number looks like.

    `restorable` is the least number of digits that leading zeros may be put back to on request; `padded` the least
    that they are put back to by rule. `check` looks at a number of full width and returns what is wrong with it.
    """

    column: str
    width: int
    label: re.Pattern[str]
    padded: int
    restorable: int
    check: Callable[[str], Reason | None]
    check_block: Callable[[npt.NDArray[np.uint8]], bool]

    def number(self, cell: str, restore_zeros: bool) -> str:
        """The canonical digits of `cell`.

        Raises:
            Unusable: with the reason; never a guess.
        """
        if len(cell) == self.width and cell.isascii() and cell.isdigit():
            digits = cell
        else:
            digits = self._digits(bare_number(self.column, cell, self.label))
            least = min(self.padded, self.restorable) if restore_zeros else self.padded
            if least <= len(digits) < self.width:
                digits = digits.zfill(self.width)
        if len(digits) != self.width:
            raise Unusable(self.column, self._wrong_length(len(digits)))
        if not digits.strip("0"):
            raise Unusable(self.column, Reason.ALL_ZEROS)
        if (wrong := self.check(digits)) is not None:
            raise Unusable(self.column, wrong)
        return digits

    def block(self, cells: list[str]) -> bytes | None:
        """All cells joined if every one is canonical already, else None. A million cells take about 0.1 s."""
        width = self.width
        joined = "".join(cells)
        if len(joined) != width * len(cells) or not joined.isascii() or not joined.isdigit():
            return None if cells else b""
        if set(map(len, cells)) != {width}:
            return None
        block = joined.encode("ascii")
        digits = np.frombuffer(block, dtype=np.uint8).reshape(-1, width) - np.uint8(48)
        if not digits.any(axis=1).all() or not self.check_block(digits):
            return None
        return block

    def _digits(self, text: str) -> str:
        if _SCIENTIFIC.fullmatch(text):
            raise Unusable(self.column, Reason.SCIENTIFIC)
        if _VAT.fullmatch(text.replace(" ", "").replace(".", "")):
            raise Unusable(self.column, Reason.VAT_NUMBER)
        if (decimals := _DECIMALS.fullmatch(text)) is not None:
            text = decimals[1]
        if _THOUSANDS.fullmatch(text):
            text = text.replace(",", "")
        text = _SEPARATORS.sub("", text)
        if not text.isascii() or not text.isdigit():
            raise Unusable(self.column, Reason.NOT_DIGITS)
        return text

    def _wrong_length(self, length: int) -> Reason:
        if length > self.width:
            return Reason.TOO_LONG
        if self.padded < self.width:
            return Reason.BSN_ZEROS_LOST
        return Reason.ZEROS_LOST if length >= self.restorable else Reason.TOO_SHORT


def bare_number(column: str, cell: str, label: re.Pattern[str]) -> str:
    """The cell's text without a label before it (`KvK-nummer: 12345678`) and a full stop or comma after it."""
    text = tidy(column, cell)
    if (found := label.match(text)) is not None:
        text = text[found.end() :]
    return text.rstrip(" .,;")


def passes_eleven_test(digits: str) -> bool:
    """Whether nine digits pass the 11-test of BSN and RSIN: weights 9, 8, ... 2, -1, sum divisible by 11."""
    total = sum(int(digit) * weight for digit, weight in zip(digits, (9, 8, 7, 6, 5, 4, 3, 2, -1), strict=True))
    return total % 11 == 0


def _eleven(digits: str) -> Reason | None:
    return None if passes_eleven_test(digits) else Reason.CHECK_DIGIT


def _eleven_block(digits: npt.NDArray[np.uint8]) -> bool:
    # Column by column, so that a million rows need one small sum and not a matrix of wide integers.
    total = np.full(len(digits), 11, dtype=np.int16)
    for place, weight in enumerate((9, 8, 7, 6, 5, 4, 3, 2, -1)):
        total += digits[:, place].astype(np.int16) * np.int16(weight)
    return not (total % 11).any()


def _any(_: str) -> Reason | None:
    return None


def _any_block(_: npt.NDArray[np.uint8]) -> bool:
    return True


def _bag(digits: str) -> Reason | None:
    if digits.startswith("0000"):
        return Reason.BAG_MUNICIPALITY
    return None if digits[4:6] in _BAG_TYPES else Reason.BAG_TYPE


def _bag_block(digits: npt.NDArray[np.uint8]) -> bool:
    kinds = digits[:, 4] * np.uint8(10) + digits[:, 5]
    return bool(np.isin(kinds, [int(kind) for kind in _BAG_TYPES]).all() and digits[:, :4].any(axis=1).all())


BSN = NumberShape("bsn", 9, _label(r"bsn|burgerservice|sofi"), 8, 8, _eleven, _eleven_block)
RSIN = NumberShape("rsin", 9, _label(r"rsin|fiscaal"), 8, 8, _eleven, _eleven_block)
KVK = NumberShape("kvk", 8, _label(r"kvk|k\.v\.k\.?|kamer van koophandel|dossier"), 8, 7, _any, _any_block)
VESTIGING = NumberShape("vestiging", 12, _label(r"vestigings?|vest\.?"), 12, 8, _any, _any_block)
BAG = NumberShape("bag", 16, _label(r"bag(?:[ -]?id)?|nl\.imbag\.[a-z]+"), 16, 13, _bag, _bag_block)

_LOONHEFFING = re.compile(r"([0-9]{9})[ .-]?[Ll][ .-]?([0-9]{2})")
_LOONHEFFING_LABEL = _label(r"loonheffingen|loonheffings?|lh|loonbelasting")


def loonheffing(cell: str) -> str:
    """The canonical loonheffingennummer: nine digits that pass the 11-test, `L`, two digits.

    For a sole trader the nine digits are the owner's BSN (domain.md section 5): treat the number as a BSN.

    Raises:
        Unusable: with the reason.
    """
    column = "loonheffing"
    text = bare_number(column, cell, _LOONHEFFING_LABEL)
    if _VAT.fullmatch(text.replace(" ", "").replace(".", "")):
        raise Unusable(column, Reason.VAT_NUMBER)
    if len(text) > 4:
        split = max(text.upper().find("L"), 0)
        text = _SEPARATORS.sub("", text[:split]) + text[split:]
    found = _LOONHEFFING.fullmatch(text)
    if found is None:
        raise Unusable(column, Reason.LOONHEFFING_SHAPE)
    digits = found[1]
    if not digits.strip("0"):
        raise Unusable(column, Reason.ALL_ZEROS)
    if not passes_eleven_test(digits):
        raise Unusable(column, Reason.CHECK_DIGIT)
    return f"{digits}L{found[2]}"
