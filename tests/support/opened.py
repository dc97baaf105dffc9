"""Results and case numbers that can be opened: real commitments in a test world, and files that open them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from audit_kit import World

from broker.canonical import canonical_json, commitment


class Opened:
    """Collects openings; `write` makes a file of the shape of an asker's receipts file."""

    def __init__(self) -> None:
        self.openings: list[dict[str, str]] = []

    def result(self, world: World, index: int, hits: int, count: int | None = None) -> None:
        """Lets the release at `index` commit to so many hits."""
        value = canonical_json({"hits": hits, "count": count, "band": None, "rows": None})
        world.body(index)["result"] = self.commit("result", value)

    def case(self, number: str) -> str:
        """The commitment to a case number."""
        return self.commit("case-number", number.encode())

    def commit(self, label: str, value: bytes) -> str:
        salt = hashlib.sha256(b"%d" % len(self.openings)).digest()
        self.openings.append({"salt": salt.hex(), "value": value.hex()})
        return commitment(label, salt, value)

    def write(self, path: Path) -> Path:
        answers: list[dict[str, Any]] = [{"answerer": "snf", "result": opening} for opening in self.openings]
        path.write_text(json.dumps({"format": "sluis-client/receipts/1", "answers": answers}))
        return path
