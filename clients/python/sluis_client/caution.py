"""What a command refuses before it sends or writes anything: a person's number in free text, and a file over itself."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from sluis_client.errors import ClientError, Exit

_RUN = re.compile(r"(?<![0-9])[0-9](?:[ .\u00a0]{0,2}[0-9]){7,8}(?![ .\u00a0]{0,2}[0-9])")
"""8 or 9 digits and no more, with the dots and spaces that people write in a BSN. A hyphen or slash ends a run: it
stands between year and serial number, and joining those would refuse lawful case numbers by chance."""
_WEIGHTS = (9, 8, 7, 6, 5, 4, 3, 2, -1)


def holds_person_number(text: str) -> bool:
    """Whether 8 or 9 digits that stand together pass the eleven-test of a BSN.

    About one such number in eleven passes by chance: better to choose another reference than to send a person's number.
    """
    return any(_passes(re.sub(r"[^0-9]", "", run).zfill(9)) for run in _RUN.findall(text))


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
        if out.is_dir():
            raise ClientError("OUT_UNUSABLE", f"--out: {out} is a directory; name a file in it", Exit.USAGE)
        if not out.parent.is_dir():
            text = f"--out: there is no directory {out.parent}; make it first, or name another file"
            raise ClientError("OUT_UNUSABLE", text, Exit.USAGE)
