"""Storage keys for tests: `AtRest` as the broker has it, with roots that a test names and changes."""

from __future__ import annotations

import hashlib

from broker.custody.keys import SystemEntropy
from broker.custody.secret import Secret
from broker.custody.storage_keys import StorageKeys


class Roots(StorageKeys):
    """Newest first; each root is named by a text."""

    def __init__(self, *names: str) -> None:
        self.roots: tuple[Secret, ...] = ()
        super().__init__(lambda: self.roots, SystemEntropy())
        self.hold(*names or ("root",))

    def hold(self, *names: str) -> None:
        """Changes the roots."""
        self.roots = tuple(Secret(hashlib.sha256(name.encode()).digest()) for name in names)
