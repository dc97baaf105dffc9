"""Both verifiers judge a log alike that a broker with its key bent anywhere: entries changed, left out, doubled, moved.

Everything is signed again by the log, and often by the party too; so nothing but what the entries say gives it away.
The choices are seeded. What both take, though it was bent, is not judged here: much of it says the same in other words.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from typing import Any

import bad_bundles_canaries
import bad_bundles_key_ends
import bad_bundles_live
import bad_bundles_standing
import bad_bundles_subject
import pytest
from audit_kit import World, played
from both_verifiers import one_file

from broker.audit.findings import Code
from broker.audit.verify import verify

pytestmark = pytest.mark.slow
NOT_THERE = {code.name for code in Code if code.name.startswith(("STAMP_", "VAULT_"))} | {"POLICY_TEXT"}
STRANGE: list[Any] = [
    None,
    "",
    0,
    -1,
    2**53 - 1,
    True,
    [],
    {},
    "é",
    [1, "a"],
    [{}],
    ["b", "a"],
    "\n",
    "ab" * 32,
    "00" * 32,
]
STRANGE += ["0001-01-01T00:30:00.000000Z", "9999-12-31T23:59:59Z", "2026-13-01T00:00:00Z", "2026Q4.2", "permit", "snf "]
SHIFTS = [1, -1, 30, -70, 3_600, 40 * 86_400]


@cache
def worlds() -> tuple[World, ...]:
    modules = (bad_bundles_canaries, bad_bundles_key_ends, bad_bundles_standing, bad_bundles_subject)
    live = bad_bundles_live.honest(World().begin())
    return (played(), played(), live, *(module.honest(World()) for module in modules))


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every member. Not to `path`: where a policy's text has no line `hit:`, the one file cannot tell."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in inner:
        if name != "path":
            yield (*at, name)
            yield from places(item, (*at, name))


def bend(world: World, chance: random.Random) -> str:
    """Changes one thing; says what."""
    batch = chance.randrange(len(world.batches))
    what = chance.choice(["member"] * 6 + ["drop", "double", "move", "time"])
    if what == "time":
        world.times[batch] += timedelta(seconds=(shift := chance.choice(SHIFTS)))
        return f"batch {batch} by {shift} seconds"
    if what != "member":
        entries, at = world.batches[batch], world.times[batch]
        if what != "double":
            del world.batches[batch], world.times[batch]
        if what != "drop":
            to = chance.randrange(len(world.batches))
            world.batches.insert(to, copy.deepcopy(entries))
            world.times.insert(to, world.times[to] if what == "move" else at)
        return f"{what} batch {batch}"
    index = chance.randrange(world.size)
    kind, body = world.entry(index)
    decides = [(name,) for name in ("what", "action") if name in body]  # which members a kind has hangs on these
    *way, name = chance.choice(decides if decides and chance.random() < 0.2 else list(places(body)))
    holder: Any = body
    for step in way:
        holder = holder[step]
    old = holder[name]
    if chance.random() < 0.2:
        del holder[name]
    elif isinstance(old, str) and old and chance.random() < 0.5:
        holder[name] = chance.choice([old + " ", old.upper(), old[:-1], old[::-1]])
    else:
        holder[name] = copy.deepcopy(chance.choice(STRANGE))
    if isinstance(body.get("statement"), dict) and ("party" in body or "asker" in body) and chance.random() < 0.6:
        party = body.get("asker") or body.get("party")
        if party in ("utrecht", "someren", "snf", "sna", "nla"):
            world.resign(index)
    return f"{kind} {index}: {(*way, name)} was {old!r}"


@pytest.mark.parametrize("seed", range(8))
def test_both_verifiers_judge_alike(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(60):
        world = copy.deepcopy(chance.choice(worlds()))
        told = [bend(world, chance) for _ in range(chance.choice([1, 1, 2]))]
        lines, trust = world.bundle(), world.trust_text()
        theirs = set(verify(lines, world.trust()).counts) - NOT_THERE
        run = one_file().Verification(one_file().read_trust(trust), None, None)
        run.run(lines)
        mine = {finding.code for finding in run.findings}
        assert bool(theirs) == bool(mine), (told, theirs ^ mine)
        differ = {"REPLAY_DIFFERS", "NOT_REPLAYABLE"}  # a decision on what is no statement is one or the other
        assert theirs - differ == mine - differ or "LEAF_FORM" in theirs & mine, (told, theirs ^ mine)
