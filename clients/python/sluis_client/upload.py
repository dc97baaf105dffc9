"""What an answerer sends of its records, and what the broker says of it: uploads, their rows, and its own registers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sluis_client.pseudonymise import Column
from sluis_client.statements import SignedStatement

MESSAGE_BYTES = 256 * 1024
"""The size of message that packs well; the limit is 1 MiB."""
MAX_ROWS = 65_536


def rows_per_message(bytes_per_row: int) -> int:
    """Rows that make a message of about 256 KiB: whole bytes of presence bitmap, at least 8."""
    return max(8, min(MAX_ROWS, MESSAGE_BYTES // bytes_per_row // 8 * 8))


@dataclass(frozen=True)
class NewUpload:
    """What an answerer says it will upload."""

    request_id: str
    purpose: str
    epoch: str
    key_id: str
    scheme: str
    match_keys: int
    attributes: tuple[str, ...]


@dataclass(frozen=True)
class Upload:
    """An upload as the broker knows it."""

    upload: str
    register: str
    version: int
    committed_rows: int
    sealed: bool = False


@dataclass(frozen=True)
class RegisterRun:
    """A run of register rows, columnar, behind `offset` rows."""

    offset: int
    columns: tuple[Column, ...]
    wraps: tuple[bytes, ...] = ()
    commitments: bytes = b""
    fields: tuple[bytes, ...] = ()

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.columns[0].rows

    def __repr__(self) -> str:
        return f"RegisterRun(offset={self.offset}, rows={self.rows})"


@dataclass(frozen=True)
class Register:
    """One of the agency's own registers; state is PUBLISHED, EXPIRED or WITHDRAWN."""

    name: str
    version: int
    state: str
    rows: int
    published_at: datetime
    expires_at: datetime
    manifest: SignedStatement = field(repr=False)
