"""Bad bundles about a log's keys, its end and its beginning after another log."""

from __future__ import annotations

import base64
import json
from typing import Any

from audit_kit import World, b64, sealed
from bad_bundles import Given, bad
from log_kit import Keys, time_text

from broker.canonical import canonical_json
from broker.exchange import Want
from broker.exchange_log.checkpoint import parse_verifier_key, sign_checkpoint

BEFORE = Keys("before", "sluis.example/test-2025")
NEXT = Keys("next", "sluis.example/test-2027")
SEAL = {"next_origin": NEXT.signer.origin, "next_key": NEXT.signer.verifier_key}
MORE = ("recovery", {"what": "log-writable", "detail": "again"})
CARRIED: dict[str, Any] = {"what": "carried", "counters": {}, "policy": None, "suspended": {}}


def previous(**changes: Any) -> dict[str, Any]:
    """What a genesis says of a log of 9 entries before it."""
    note = sign_checkpoint(BEFORE.signer, parse_verifier_key(BEFORE.signer.verifier_key), 9, bytes(32))
    stated = {"origin": BEFORE.signer.origin, "size": 9, "root": "00" * 32, "checkpoint": note, "reason": "sealed"}
    return {**stated, **changes}


def gap(**changes: Any) -> tuple[str, dict[str, Any]]:
    """The entry that names what was lost of that log."""
    body = {
        "what": "entries-lost",
        "detail": "a disk failed",
        "origin": BEFORE.signer.origin,
        "found_size": 6,
        "found_root": "cd" * 32,
        "known_size": 9,
        "known_root": "00" * 32,
        "from": None,
        "until": time_text(World().at),
    }
    return "recovery", {**body, **changes}


def closed(world: World) -> World:
    """With nothing open at the end."""
    released = {body["ask_index"] for batch in world.batches for kind, body in batch if kind == "release"}
    for index in range(world.size):
        kind, body = world.entry(index)
        if kind == "ask" and body["decision"]["effect"] == "permit" and index not in released:
            world.release(index, "UNKNOWN")
    return world


@bad("an entry after the seal", "AFTER_SEAL")
def _(world: World) -> None:
    closed(world).batch(("seal", SEAL))
    world.batch(MORE)


@bad("a second seal", "AFTER_SEAL")
def _(world: World) -> None:
    closed(world).batch(("seal", SEAL), ("seal", SEAL))


@bad("a seal over an open ask", "SEAL_OPEN")
def _(world: World) -> None:
    world.batch(("seal", SEAL))


@bad("a seal that names its own log", "SEAL_NEXT")
def _(world: World) -> None:
    closed(world).batch(("seal", {**SEAL, "next_origin": world.keys.signer.origin}))


@bad("a seal with a key of another log than it names", "SEAL_NEXT")
def _(world: World) -> None:
    closed(world).batch(("seal", {**SEAL, "next_key": BEFORE.signer.verifier_key}))


@bad("a new key that the trust file does not list", "LOG_KEY", "CHECKPOINT_SIGNATURE", "TAIL_UNSIGNED")
def _(world: World) -> Given:
    trust = world.trust_text()
    world.change_key()
    world.batch(MORE)
    return Given(trust=trust)


@bad("a retired log key that signs on after its period", "LOG_KEY_PERIOD")
def _(world: World) -> Given:
    last = world.at.strftime("%Y-%m-%dT%H:%M:%SZ")
    world.batch(MORE)
    return Given(world.bundle(), world.trust_text(key_periods=[f"{world.keys.signer.verifier_key} - {last}"]))


@bad("a new key that no entry announced", "KEY_NOT_IN_FORCE")
def _(world: World) -> Given:
    world.changes[world.size - 1] = Keys("b")
    world.batch(MORE)
    return Given(world.bundle(), world.trust_text())


@bad("a change of key announced by another than the key in force", "KEY_CHANGE")
def _(world: World) -> Given:
    index = world.change_key()
    world.body(index)["previous_key"] = Keys("c").signer.verifier_key
    return Given(world.bundle(), world.trust_text())


@bad("back to a key that was retired", "KEY_CHANGE")
def _(world: World) -> Given:
    world.change_key("b")
    world.change_key("a")
    return Given(world.bundle(), world.trust_text())


@bad("a retired key goes on signing", "KEY_NOT_IN_FORCE")
def _(world: World) -> Given:
    index = world.change_key()
    trust = world.trust_text()
    world.batch(MORE)
    world.changes[index + 1] = world.keys
    world.batch(MORE)
    return Given(world.bundle(), trust)


@bad("a change of key under the old key alone", "KEY_NOT_IN_FORCE")
def _(world: World) -> Given:
    world.change_key()
    return Given(_last_note(world, 0), world.trust_text())


@bad("a change of key under the new key alone", "KEY_NOT_IN_FORCE")
def _(world: World) -> Given:
    world.change_key()
    return Given(_last_note(world, 1), world.trust_text())


def _last_note(world: World, keep: int) -> list[bytes]:
    """The bundle with one of the two signatures under the last checkpoint."""
    lines = world.lines()
    *text, first, second = _note_of(lines[-1]).split("\n")[:-1]
    note = "\n".join([*text, (first, second)[keep]]) + "\n"
    return sealed([*lines[:-1], canonical_json({"checkpoint": note}) + b"\n"])


def _note_of(line: bytes) -> str:
    return str(json.loads(line)["checkpoint"])


@bad("an expected checkpoint of a later size under a retired key", "KEY_NOT_IN_FORCE")
def _(world: World) -> Given:
    world.change_key()
    world.batch(MORE)
    old = world.keys.signer
    honest = _note_of(world.lines()[-1]).split("\n")
    note = sign_checkpoint(old, parse_verifier_key(old.verifier_key), int(honest[1]), base64.b64decode(honest[2]))
    return Given(world.bundle(), world.trust_text(), note.encode())


@bad("a log before it of another size than its checkpoint", "PREVIOUS")
def _(_: World) -> World:
    return World().begin(previous(size=8))


@bad("a log before it whose checkpoint is none", "PREVIOUS")
def _(_: World) -> World:
    return World().begin(previous(checkpoint="a note"))


@bad("a log before it for a reason of its own", "PREVIOUS")
def _(_: World) -> World:
    return World().begin(previous(reason="tired"))


@bad("a log before it with a member too many", "PREVIOUS")
def _(_: World) -> World:
    return World().begin(previous(remark="x"))


@bad("a log that follows itself", "PREVIOUS")
def _(world: World) -> World:
    own = world.keys.signer
    note = sign_checkpoint(own, parse_verifier_key(own.verifier_key), 9, bytes(32))
    return World().begin(previous(origin=own.origin, checkpoint=note))


@bad("a loss that is not named", "RECOVERY_GAP")
def _(_: World) -> World:
    return World().begin(previous(reason="recovered"))


@bad("a loss named of a log that was sealed", "RECOVERY_GAP")
def _(_: World) -> World:
    return World().begin(previous(), gap())


@bad("a loss named in a log that follows none", "RECOVERY_GAP")
def _(world: World) -> None:
    world.batch(gap())


@bad("a loss named twice", "RECOVERY_GAP")
def _(_: World) -> World:
    return World().begin(previous(reason="recovered"), gap(), gap())


@bad("a loss of less than the genesis says is known", "RECOVERY_GAP")
def _(_: World) -> World:
    return World().begin(previous(reason="recovered"), gap(known_size=8))


@bad("counters carried over from no log", "CARRIED")
def _(world: World) -> None:
    world.batch(("config", CARRIED))


@bad("counters carried over later", "CARRIED")
def _(_: World) -> World:
    world = World().begin(previous())
    world.batch(("config", CARRIED))
    return world


@bad("counters carried over that are no numbers", "CARRIED")
def _(_: World) -> World:
    return World().begin(previous(), ("config", {**CARRIED, "counters": {"requests/nla/snf-locatie/2026-11-23": "3"}}))


@bad("a counter that was carried over and then forgotten", "COUNTER_REQUESTS")
def _(_: World) -> World:
    counters = {"requests/utrecht/snf-locatie/2026-11-23": 3}
    world = World().begin(previous(), ("config", {**CARRIED, "counters": counters}))
    world.epoch("snf", "snf-locatie")
    world.publish("snf", "snf-locatie", "bag")
    world.release(world.ask("utrecht", ["snf"], "snf-locatie", Want(True, False, ("beds",))))
    return world


@bad("a suspension that was carried over and then forgotten", "SUSPENSION", "RELEASE_CLOSED")
def _(_: World) -> World:
    notices = [{"notice": "00" * 8, "since": "2026-11-01T00:00:00.000000Z"}]
    world = World().begin(previous(), ("config", {**CARRIED, "suspended": {"snf-locatie": notices}}))
    world.epoch("snf", "snf-locatie")
    world.publish("snf", "snf-locatie", "bag")
    world.release(world.ask("utrecht", ["snf"], "snf-locatie", Want(True, False, ("beds",))))
    return world


@bad("a config entry that nobody knows", "LEAF_FORM")
def _(world: World) -> None:
    world.batch(("config", {"what": "paint", "colour": b64(b"red")}))
