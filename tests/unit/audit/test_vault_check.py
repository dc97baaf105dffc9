"""Commitments against a vault export: opened, or erased by an entry; and every way in which they are not."""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable

import pytest
from audit_kit import ASK, ASK_2, RELEASE, World, played
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from log_kit import ORIGIN
from vaulted import SEED, Vault, exported, honest

from broker.audit.findings import Report
from broker.audit.vault_export import SEED_BYTES, VaultFileError, export_lines, fingerprint, public_of, read_export
from broker.audit.verify import verify
from broker.canonical import canonical_json


def report(world: World, vault: Vault, lines: list[bytes] | None = None) -> Report:
    file = read_export(lines or exported(vault, world.size), SEED)
    return verify(world.bundle(), world.trust(), vault=file)


def base() -> World:
    """The played world without what is committed to elsewhere: corrections, disputes and outcomes have no openings."""
    world = played()
    keep = ("correction", "outcome", "notice")
    assert any(kind in keep for batch in world.batches for kind, _ in batch)
    for batch in world.batches:
        for kind, body in batch:
            if kind in keep:
                statement = body.get("statement", {})
                for holder, member in (
                    (statement, "position"),
                    (statement, "record"),
                    (body, "record"),
                    (body, "positions"),
                ):
                    if holder.get(member):
                        world.vault.setdefault(holder[member], ("absent", b"", b""))
    return world


def codes(found: Report) -> set[str]:
    return {name for name in found.counts if name.startswith("VAULT")}


def absent(world: World) -> int:
    """Commitments of the played world whose openings no test has."""
    return sum(label == "absent" for label, _, _ in world.vault.values())


def test_an_honest_vault_opens_all_that_was_not_erased() -> None:
    world = base()
    found = report(world, honest(world))
    assert found.vault is not None
    assert found.counts.get("VAULT_MISSING", 0) == absent(world)
    assert codes(found) <= {"VAULT_MISSING"}
    assert (found.vault.opened, found.vault.erased) == (len(honest(world)), 2)
    assert found.vault.auditor == "privacy-auditor"
    assert verify(world.bundle(), world.trust()).vault is None


def erased_still_there(world: World, vault: dict[str, tuple[str, bytes, bytes]]) -> None:
    before = copy.deepcopy(world.vault)
    world.erase_on_request(ASK)
    case = world.body(world.size - 1)["statement"]["case"]
    vault[case] = world.vault[case]
    assert set(world.commitments(ASK)) <= set(before)


def swapped(world: World, vault: dict[str, tuple[str, bytes, bytes]]) -> None:
    one, two = world.body(ASK)["statement"]["tokens"], world.body(ASK_2)["statement"]["tokens"]
    vault[one], vault[two] = vault[two], vault[one]


def altered(world: World, vault: dict[str, tuple[str, bytes, bytes]]) -> None:
    label, salt, value = vault[world.body(RELEASE)["result"]]
    vault[world.body(RELEASE)["result"]] = label, salt, value.replace(b"2", b"3")


def lost(world: World, vault: dict[str, tuple[str, bytes, bytes]]) -> None:
    del vault[world.body(RELEASE)["result"]]


def foreign(world: World, vault: dict[str, tuple[str, bytes, bytes]]) -> None:
    vault["0f1e" * 16] = ("tokens", bytes(32), b"x")


def of_a_denied_ask(world: World, vault: dict[str, tuple[str, bytes, bytes]]) -> None:
    for body in (body for batch in world.batches for kind, body in batch if kind == "ask"):
        if body["decision"]["effect"] == "deny":
            name = body["statement"]["tokens"]
            vault[name] = world.vault[name]


def another_number_of_subjects(world: World, vault: dict[str, tuple[str, bytes, bytes]]) -> None:
    world.body(ASK)["statement"]["subjects"] = 9
    world.resign(ASK)


@pytest.mark.parametrize(
    ("code", "tell"),
    [
        ("VAULT_ERASED", erased_still_there),
        ("VAULT_SWAPPED", swapped),
        ("VAULT_OPENING", altered),
        ("VAULT_MISSING", lost),
        ("VAULT_UNKNOWN", foreign),
        ("VAULT_UNKNOWN", of_a_denied_ask),
        ("VAULT_STATEMENT", another_number_of_subjects),
    ],
)
def test_every_lie_about_the_vault_is_caught(
    code: str, tell: Callable[[World, dict[str, tuple[str, bytes, bytes]]], None]
) -> None:
    world = base()
    vault = honest(world)
    expected = absent(world) + (code == "VAULT_MISSING")
    tell(world, vault)
    found = report(world, vault)
    assert codes(found) - {"VAULT_MISSING"} == {code} - {"VAULT_MISSING"}
    assert found.counts.get("VAULT_MISSING", 0) == expected
    assert found.exit_code in (15, 16, 17, 19)


def test_an_export_of_another_log_or_another_moment() -> None:
    world = base()
    for origin, size in (("sluis.example/other", world.size), (ORIGIN, world.size - 1)):
        found = report(world, {}, exported(honest(world), size, origin))
        assert codes(found) == {"VAULT_OTHER"}


def test_an_export_for_another_auditor_or_altered() -> None:
    world = base()
    lines = exported(honest(world), world.size)
    with pytest.raises(VaultFileError, match="another key"):
        read_export(lines, bytes(SEED_BYTES))
    with pytest.raises(VaultFileError, match="first line"):
        read_export([lines[0].replace(b"privacy-auditor", b"someone-else"), *lines[1:]], SEED)
    for changed in (lines[:-1], [*lines, lines[1]], [lines[0], lines[2], lines[1], *lines[3:]], [lines[0], b"x\n"]):
        assert "VAULT_FORM" in codes(report(world, {}, changed))


def test_whoever_made_the_export_cannot_end_the_verifier() -> None:
    """The operator has the key of what it exports: a slot may hold anything, and be nested as deeply."""
    world = base()
    world.body(RELEASE)["result"] = world.commit("result", b"[" * 100_000)
    assert "VAULT_STATEMENT" in codes(report(world, honest(world)))
    head = {"auditor": "a", "key": fingerprint(public_of(SEED)), "origin": ORIGIN, "size": world.size}
    bound = canonical_json({**head, "vault": "sluis/v1/vault"})
    (first, *_) = export_lines((), origin=ORIGIN, size=world.size, auditor="a", public=public_of(SEED), entropy=bytes)
    slot = canonical_json({"commitment": "ab" * 32, "label": "result", "salt": "no hex", "value": ""})
    line = base64.b64encode(AESGCM(bytes(32)).encrypt(bytes(12), slot, bound)) + b"\n"
    assert "VAULT_FORM" in codes(report(world, {}, [first, line]))


def test_no_value_shows_in_the_file() -> None:
    world = base()
    lines = b"".join(exported(honest(world), world.size))
    assert b"NLA-2026" not in lines
    assert b"tokens" not in lines
