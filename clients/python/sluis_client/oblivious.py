"""Mode `oblivious`: pseudonyms that can be made only with the help of every key service of the purpose.

The exact bytes stand in docs/pseudonym-spec.md section 7. Who holds K alone, or K and the keys of all services but one,
can compute no pseudonym; each service counts how many it helps with, and sees no more than random elements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC

from sluis_client.canonical import encode, pack_presence
from sluis_client.errors import ClientError
from sluis_client.pseudonymise import MODE_OBLIVIOUS, PSEUDONYM_BYTES, Column, Context, Fields, check_scheme_id, key_id
from sluis_client.secret import Secret, hkdf, macs

Values = Callable[[Sequence[bytes]], Mapping[bytes, bytes]]
"""Of private inputs x', each once, to y: from the cache, or with the help of the key services."""
_ABSENT = bytes(PSEUDONYM_BYTES)


class Derivation:
    """The derivations of one purpose and epoch that go before and after the key services.

    `services`: the ids of the purpose's key services, which are taken in the order of their bytes.

    Raises:
        ClientError: MODE_NOT_AVAILABLE in another mode, KEY_SERVICES_UNFIT for fewer than two services, or one twice.
    """

    def __init__(self, key: Secret, context: Context, services: Iterable[str]) -> None:
        if context.mode != MODE_OBLIVIOUS:
            raise ClientError("MODE_NOT_AVAILABLE", f"mode {context.mode} has no key services")
        self.context = context
        self.services = tuple(sorted(services, key=str.encode))
        if len(set(self.services)) < 2 or len(set(self.services)) != len(self.services):
            raise ClientError("KEY_SERVICES_UNFIT", "mode oblivious needs two or more different key services")
        self.key_id = key_id(key, context)
        self._bound = (*context.parts(), encode(*self.services))
        self._blind = HMAC(hkdf(key.reveal(), encode("sluis/v1/blind", *self._bound)), hashes.SHA256())
        self._y = encode("sluis/v1/y", *self._bound)
        self._match = encode("sluis/v1/match", *context.parts())

    def started(self, scheme_id: str, match_key: int) -> HMAC:
        """The keyed hash over x up to its fields, to be copied for every row. Raises LENGTH_WRONG, CONTEXT_INVALID."""
        check_scheme_id(scheme_id)
        if not 1 <= match_key <= 255:
            raise ClientError("LENGTH_WRONG", "match keys are numbered 1 to 255")
        started = self._blind.copy()
        started.update(encode("sluis/v1/input", *self._bound, scheme_id, bytes([match_key])))
        return started

    def combined(self, outputs: Sequence[bytes]) -> bytes:
        """y, out of the outputs F of every service, in the order of `services`. Raises LENGTH_WRONG."""
        if len(outputs) != len(self.services):
            raise ClientError("LENGTH_WRONG", f"y needs the output of each of {len(self.services)} key services")
        return hkdf(b"".join(outputs), self._y)

    def pseudonyms(self, ys: Iterable[bytes]) -> list[bytes]:
        """What the broker joins on, of each y."""
        return [made[:PSEUDONYM_BYTES] for made in macs(ys, self._match)]


class ObliviousPseudonymiser:
    """Makes the pseudonyms and row secrets of one purpose, epoch and identifier scheme, as `pseudonymise.Maker`.

    `values` is asked once for all rows of a call, each private input once, and must hold the line: what it gives for
    an input never changes. The same fields always give the same pseudonym.

    Raises:
        ClientError: CONTEXT_INVALID when `scheme_id` is not name/version.
    """

    def __init__(self, derivation: Derivation, scheme_id: str, values: Values) -> None:
        check_scheme_id(scheme_id)
        self.context = derivation.context
        self.scheme_id = scheme_id
        self.key_id = derivation.key_id
        self._derivation = derivation
        self._values = values
        self._started: dict[int, HMAC] = {}
        self._known: dict[bytes, bytes] = {}

    def __repr__(self) -> str:
        return f"ObliviousPseudonymiser(scheme={self.scheme_id}, key_id={self.key_id})"

    def columns(self, rows: Sequence[tuple[Fields | None, ...]], match_keys: int) -> tuple[Column, ...]:
        """A column for each match key. A row holds one entry a match key; None: the row lacks that match key.

        Raises:
            ClientError: LENGTH_WRONG when a row has another number of entries; as `values`.
        """
        if any(len(row) != match_keys for row in rows):
            raise ClientError("LENGTH_WRONG", f"every row must have {match_keys} match keys, absent ones as None")
        inputs = [
            self._inputs(number, [fields for row in rows if (fields := row[number - 1]) is not None])
            for number in range(1, match_keys + 1)
        ]
        self._learn(x for column in inputs for x in column)
        known, columns = self._known, []
        for number, column in enumerate(inputs):
            present = [row[number] is not None for row in rows]
            made = iter(self._derivation.pseudonyms([known[x] for x in column]))
            packed = b"".join(next(made) if there else _ABSENT for there in present)
            columns.append(Column(packed, pack_presence(present, len(rows))))
        return tuple(columns)

    def column_of_block(self, block: bytes, width: int) -> Column:
        """The column of a scheme with one match key of one field of fixed width: `width` bytes a row, back to back.

        Raises:
            ClientError: LENGTH_WRONG when `block` is not whole rows; as `values`.
        """
        if width < 1 or len(block) % width:
            raise ClientError("LENGTH_WRONG", f"the block is not whole rows of {width} bytes")
        cut = (block[at : at + width] for at in range(0, len(block), width))
        return self.columns([((field.decode(),),) for field in cut], 1)[0]

    def row_secret(self, match_key: int, fields: Fields) -> Secret:
        """y of one record under one match key: what its record key is wrapped under."""
        (x,) = self._inputs(match_key, (fields,))
        self._learn((x,))
        return Secret(self._known[x])

    def _inputs(self, match_key: int, rows: Iterable[Fields]) -> list[bytes]:
        if match_key not in self._started:
            self._started[match_key] = self._derivation.started(self.scheme_id, match_key)
        started, made = self._started[match_key], []
        for fields in rows:
            one = started.copy()
            one.update(encode(*fields))
            made.append(one.finalize())
        return made

    def _learn(self, inputs: Iterable[bytes]) -> None:
        missing = [x for x in dict.fromkeys(inputs) if x not in self._known]
        if missing:
            self._known.update(self._values(missing))
