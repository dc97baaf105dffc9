"""What a command refuses before it sends or writes anything: a person's number in free text, and a file over itself."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from sluis_client.errors import ClientError, Exit

_RUN = re.compile(r"[0-9](?:[ .\-]?[0-9])*")
_WEIGHTS = (9, 8, 7, 6, 5, 4, 3, 2, -1)


def holds_person_number(text: str) -> bool:
    """Whether any 8 or 9 digits in a row pass the eleven-test of a BSN; a dot, space or hyphen between them is ignored.

    About one number in eleven passes by chance: better to choose another reference than to send a person's number.
    """
    for run in _RUN.findall(text):
        digits = re.sub(r"[^0-9]", "", run)
        pieces = {digits[at : at + size] for size in (8, 9) for at in range(len(digits) - size + 1)}
        if any(_passes(piece.zfill(9)) for piece in pieces if len(digits) <= 9 or len(piece) == 9):
            return True
    return False


def _passes(digits: str) -> bool:
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, digits, strict=True))
    return int(digits) > 0 and total % 11 == 0


def refuse_person_numbers(text: str, option: str) -> None:
    """Raises REFERENCE_REFUSED when `text` could hold a BSN: it would leave this organisation and stand in a vault."""
    if holds_person_number(text):
        raise ClientError(
            "REFERENCE_REFUSED",
            f"{option}: it holds digits that could be a citizen service number (BSN); give a reference without one. "
            "Nothing was sent",
            Exit.USAGE,
        )


def keep_apart(outputs: Iterable[Path], *inputs: Path) -> None:
    """Raises OUT_IS_INPUT when an output would overwrite an input, and OUT_UNUSABLE when it is no file to write."""
    read = {path.resolve() for path in inputs}
    for out in outputs:
        if out.resolve() in read:
            raise ClientError("OUT_IS_INPUT", f"--out: {out} is read by this command; name another file", Exit.USAGE)
        if out.is_dir() or not out.parent.is_dir():
            raise ClientError("OUT_UNUSABLE", f"--out: {out} is no file in an existing directory", Exit.USAGE)
