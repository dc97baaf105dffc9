"""Sealed register rows in runs, each the same whenever it is made: so a broken upload goes on with the same bytes."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from sluis_client.canonical import encode, pack_presence, unpack_presence
from sluis_client.errors import ClientError
from sluis_client.policy import AttributeView
from sluis_client.pseudonymise import PSEUDONYM_BYTES, Column, Fields, Maker
from sluis_client.register_table import Prepared
from sluis_client.seal import COMMITMENT_BYTES, SEAL_OVERHEAD, WRAP_BYTES, RowSealer
from sluis_client.secret import Secret
from sluis_client.upload import RegisterRun

_MAX_ROW_BYTES = 96 * 1024
_FORMAT = "sluis-client/upload/1"


class SealedRuns:
    """The sealed rows of a register in runs, in a random order; each run is made when asked for.

    `columns` are the pseudonyms of `prepared.keys`. `entropy(use)` gives the random source of one use: `order` for the
    order of the rows, so that their order in the file stays at home, and the number of a run for its seals.
    """

    def __init__(
        self,
        prepared: Prepared,
        columns: Sequence[Column],
        pseudonymiser: Maker,
        sealer: Callable[[Callable[[int], bytes]], RowSealer],
        entropy: Callable[[str], Callable[[int], bytes]],
        run_rows: int,
    ) -> None:
        self._order = _shuffled(columns[0].rows, entropy("order"))
        self._columns = tuple(_reordered(column, self._order) for column in columns)
        self._prepared = prepared
        self._pseudonymiser = pseudonymiser
        self._sealer = sealer
        self._entropy = entropy
        self.run_rows = run_rows
        self.count = -(-len(prepared.keys) // run_rows)

    def run(self, number: int) -> RegisterRun:
        """Run `number`, from 0."""
        start = number * self.run_rows
        stop = min(start + self.run_rows, len(self._order))
        columns = tuple(
            Column(
                column.pseudonyms[start * PSEUDONYM_BYTES : stop * PSEUDONYM_BYTES],
                column.presence[start // 8 : (stop + 7) // 8],
            )
            for column in self._columns
        )
        if not self._prepared.attributes:
            return RegisterRun(start, columns)
        sealer = self._sealer(self._entropy(str(number)))
        sealed = [
            sealer.seal(self._secrets(self._prepared.keys[index]), self._prepared.values[index])
            for index in map(int, self._order[start:stop])
        ]
        return RegisterRun(
            start,
            columns,
            tuple(b"".join(row.wraps[key] for row in sealed) for key in range(len(columns))),
            b"".join(row.commitment for row in sealed),
            tuple(b"".join(row.fields[place] for row in sealed) for place in range(len(self._prepared.attributes))),
        )

    def _secrets(self, keys: tuple[Fields | None, ...]) -> list[Secret | None]:
        row_secret = self._pseudonymiser.row_secret
        return [None if fields is None else row_secret(number, fields) for number, fields in enumerate(keys, start=1)]


def run_entropy(seed: bytes, *bound: str) -> Callable[[int], bytes]:
    """Random bytes that are the same for the same seed and `bound`: AES-256-CTR under HMAC-SHA-256(seed, bound)."""
    key = hmac.digest(seed, encode(_FORMAT, *bound), "sha256")
    stream = Cipher(algorithms.AES256(key), modes.CTR(bytes(16))).encryptor()
    return lambda size: stream.update(bytes(size))


def _shuffled(rows: int, entropy: Callable[[int], bytes]) -> np.ndarray[Any, np.dtype[np.intp]]:
    return np.argsort(np.frombuffer(entropy(8 * rows), "<u8"), kind="stable")


def _reordered(column: Column, order: np.ndarray[Any, np.dtype[np.intp]]) -> Column:
    pseudonyms = np.frombuffer(column.pseudonyms, "V16")[order].tobytes()
    present = np.asarray(unpack_presence(column.presence, column.rows), np.bool_)[order]
    return Column(pseudonyms, pack_presence(present.tolist(), column.rows))


def row_bytes(match_keys: int, attributes: Sequence[AttributeView]) -> int:
    """Bytes of one sealed row on the wire. Raises ROW_TOO_WIDE."""
    size = PSEUDONYM_BYTES * match_keys
    if attributes:
        size += WRAP_BYTES * match_keys + COMMITMENT_BYTES
        size += sum(attribute.width + SEAL_OVERHEAD for attribute in attributes)
    if size > _MAX_ROW_BYTES:
        raise ClientError("ROW_TOO_WIDE", "the attributes of this purpose are too wide to send; publish fewer of them")
    return size
