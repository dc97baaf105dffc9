"""The one error of this package; broker and client each turn it into their own family."""

from __future__ import annotations

from enum import Enum


class Trouble(Enum):
    """What kind of trouble, for the reader to decide whether to try again, correct a setting, or restore a backup."""

    LOCKED = "locked"
    """The secret given (passphrase, PIN, access token) is not the right one, or none was given. Nothing was changed."""
    UNREACHABLE = "unreachable"
    """Token, server or keyring does not answer: it may pass."""
    SETTING = "setting"
    """A setting is wrong, or a library that it needs is not installed."""
    UNSAFE = "unsafe"
    """A file with a secret can be read by others."""
    DAMAGED = "damaged"
    """What is stored is not what was written: restore a backup."""


class CustodyError(Exception):
    """Trouble with keys. The text says what to change, and never holds a secret."""

    def __init__(self, trouble: Trouble, text: str) -> None:
        super().__init__(text)
        self.trouble, self.text = trouble, text
