"""Pseudonyms of live questions: bound to one exchange, so that nobody without K can join two of them.

From the pseudonym of the record (docs/pseudonym-spec.md, Live questions), so it is the same in both modes.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from typing import Any

from sluis_client.canonical import encode, unpack_presence
from sluis_client.pseudonymise import PSEUDONYM_BYTES, Column, Context
from sluis_client.secret import Secret, hkdf

_ABSENT = bytes(PSEUDONYM_BYTES)


def session_columns(
    key: Secret, context: Context, asker: str, exchange: str, columns: Sequence[Column]
) -> tuple[Column, ...]:
    """The columns, one a match key from the strictest, as they stand in the question `exchange` of `asker`."""
    return tuple(
        _bound(column, hkdf(key.reveal(), encode("sluis/v1/session", *context.parts(), asker, exchange, str(number))))
        for number, column in enumerate(columns, start=1)
    )


def _bound(column: Column, key: bytes) -> Column:
    started = hmac.new(key, digestmod="sha256")
    made = []
    for row, present in enumerate(unpack_presence(column.presence, column.rows)):
        if not present:
            made.append(_ABSENT)
            continue
        one = started.copy()
        one.update(column.pseudonyms[row * PSEUDONYM_BYTES : (row + 1) * PSEUDONYM_BYTES])
        made.append(one.digest()[:PSEUDONYM_BYTES])
    return Column(b"".join(made), column.presence)


def session_register(said: Mapping[str, Any]) -> str:
    """The name under which the rows of a live answer are sealed, from what its answerer signed: of one exchange."""
    named = ("answerer", "purpose", "epoch", "scheme", "asker", "exchange")
    return "/".join(str(said[name]) for name in named)
