"""Key material of the broker that cannot print, pickle, copy or hash itself."""

from __future__ import annotations

import hmac
from typing import NoReturn, SupportsIndex


class Secret:
    """Bytes that do not print, pickle, hash or copy themselves; `==` takes the same time wherever they differ."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = bytes(value)

    def reveal(self) -> bytes:
        """The bytes. Call it where they are used, and nowhere else."""
        return self._value

    def __repr__(self) -> str:
        return "Secret()"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value, other._value)

    __hash__ = None  # type: ignore[assignment]  # a hash would be a digest of the secret

    def __reduce_ex__(self, _: SupportsIndex) -> NoReturn:
        raise TypeError("a Secret does not leave the process")
