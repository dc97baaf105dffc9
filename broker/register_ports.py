"""The ports to register contents: a store that builds and drops versions, and the view of one version that a match has.

Promises and errors as in `broker.ports`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from broker.exchange import Pseudonyms, RegisterChunk, UploadSpec


class Snapshot(Protocol):
    """A pinned register version: it answers the same until closed, whatever is published or swept meanwhile."""

    @property
    def rows(self) -> int:
        """Number of records."""
        ...

    @property
    def match_keys(self) -> int:
        """Number of pseudonym columns."""
        ...

    def lookup(self, match_key: int, pseudonyms: Pseudonyms) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
        """All (position, row) pairs where pseudonyms[position] stands in column `match_key` (0-based).

        Ordered by position, then row. A value that occurs several times in the column gives several pairs.
        """
        ...

    def fetch(
        self, rows: npt.NDArray[np.int64], match_keys: npt.NDArray[np.uint8], attributes: Sequence[str]
    ) -> tuple[bytes, bytes, tuple[bytes, ...]]:
        """Wraps (under each row's 1-based match key), commitments and sealed fields, packed in the order of `rows`.

        Rows of -1 give zero bytes. Without attributes all three are empty.
        """
        ...

    def close(self) -> None:
        """Lets go of the version. Idempotent."""
        ...


class RegisterStore(Protocol):
    """Holds register contents. Which version is in force is the Transaction's to say, so that the swap is logged.

    Nothing derived from a pseudonym lies bare on disk.
    """

    def begin(self, spec: UploadSpec) -> None:
        """Makes room for an upload. Idempotent for the same spec."""
        ...

    def append(self, upload: str, offset: int, chunk: RegisterChunk) -> int:
        """Adds rows behind `offset` rows; durable on return. Returns the committed number of rows.

        Raises OFFSET_WRONG when `offset` is not what is committed, NOT_FOUND for an unknown upload.
        """
        ...

    def committed(self, upload: str) -> int:
        """Durable rows of an upload. Raises NOT_FOUND."""
        ...

    def build(self, upload: str, *, rows: int, digest: str, rows_per_pseudonym: int) -> None:
        """Turns a complete upload into an immutable version: durable on return, invisible until published. Idempotent.

        Raises COUNT_WRONG, DIGEST_WRONG (docs/formats.md section 4), TOO_MANY_PER_PSEUDONYM; then nothing was built.
        """
        ...

    def pin(self, name: str, version: int) -> Snapshot:
        """Opens a built version. Raises NOT_FOUND, STORE_CORRUPT."""
        ...

    def discard(self, upload: str) -> None:
        """Drops an upload and what was built of it. Idempotent."""
        ...

    def rewrap(self) -> bool:
        """Moves the keys of all versions and uploads to the newest storage key, durably; True: nothing is left."""
        ...

    def sweep(self, keep: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
        """Drops every built version not in `keep`; returns what was dropped, after checking that it is gone."""
        ...
