"""The vault of an `audit_kit.World`, as an honest broker would export it for an auditor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from audit_kit import World
from log_kit import ORIGIN

from broker.audit.vault_export import SEED_BYTES, OpenedSlot, export_lines, public_of
from broker.custody.keys import SystemEntropy

SEED = bytes(range(SEED_BYTES))
Vault = Mapping[str, tuple[str, bytes, bytes]]


def honest(world: World) -> dict[str, tuple[str, bytes, bytes]]:
    """What the vault of an honest broker holds: of permitted asks only, and what was not erased."""
    held: set[str] = set()
    for kind, body in (entry for batch in world.batches for entry in batch):
        if kind == "ask" and body["decision"]["effect"] == "permit":
            held |= {body["statement"][name] for name in ("tokens", "case_number", "cooperation_ref")} - {None}
        elif kind == "release" and body["result"] is not None:
            held.add(body["result"])
        elif kind == "erasure" and body["what"] == "request":
            held.add(body["statement"]["case"])
    return {name: opening for name, opening in world.vault.items() if name in held}


def exported(vault: Vault, size: int, origin: str = ORIGIN, seed: bytes = SEED) -> list[bytes]:
    slots: Iterator[OpenedSlot] = (OpenedSlot(name, *opening) for name, opening in vault.items())
    about = {"origin": origin, "size": size, "auditor": "privacy-auditor"}
    return list(export_lines(slots, public=public_of(seed), entropy=SystemEntropy().token, **about))


def write_vault(world: World, folder: Path) -> tuple[Path, Path]:
    """The files of an export of this world and of the key that opens it."""
    vault, key = folder / "log.vault", folder / "auditor.key"
    vault.write_bytes(b"".join(exported(honest(world), world.size)))
    key.write_text(SEED.hex() + "\n")
    return vault, key
