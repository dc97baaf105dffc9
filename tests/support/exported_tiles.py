"""A real log exported as tiles by the command, up to a checkpoint that a witness's key cosigned."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from log_kit import FakeClock, Log, access_body
from typer.testing import CliRunner
from witnesses import OwnWitness

from broker.cli import app
from broker.exchange_log.checkpoint import parse_checkpoint
from broker.exchange_log.cosignature import COSIGNED, NEWEST, cosign, cosigned_key, with_lines


@contextmanager
def exported_tiles(directory: Path) -> Iterator[tuple[Path, Log, OwnWitness]]:
    """Where the tiles of 601 entries stand, the open log, and the witness."""
    witness = OwnWitness(directory / "w", "witness.example/w1", [])
    with Log(directory, clock=FakeClock()) as log:
        for _ in range(3):
            log.sequencer.submit(lambda tx: [tx.append("access", access_body()) for _ in range(200)])
        size, note = log.reader.checkpoint()
        line = cosign(witness.key.public, witness.key.sign, parse_checkpoint(note).body, witness.clock.at)
        merged = with_lines(note, [line]).encode()

        def keep(tx: Any) -> None:
            tx.put_document(COSIGNED, cosigned_key(size), merged)
            tx.put_document(*NEWEST, merged)

        log.sequencer.submit(keep)
        out = directory / "out"
        done = CliRunner().invoke(app, ["audit", "tiles", "--database", str(log.path), "--out", str(out)])
        assert (done.exit_code, done.output) == (0, f"wrote 8 files to {out}: {size} entries\n")
        yield out, log, witness
