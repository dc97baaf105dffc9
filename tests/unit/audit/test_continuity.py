"""A log through its life, as an auditor sees it: changed keys, its seal, and the log that follows it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from audit_kit import World, played
from bad_bundles_life import MORE, NEXT, SEAL, closed, gap
from log_kit import ORIGIN, Keys, time_text
from typer.testing import CliRunner

from broker.audit.findings import Report
from broker.audit.preceding import Preceding
from broker.audit.tree import GrowingTree, read_unsigned
from broker.audit.verify import verify, verify_preceding
from broker.canonical import parse_canonical
from broker.cli import app
from broker.exchange import Want
from broker.succession import Carried, Gap, previous_of

HIT = Want(True, False, ("beds",))


def last_note(world: World) -> str:
    return str(parse_canonical(world.lines()[-1][:-1])["checkpoint"])


def sealed_world() -> World:
    world = closed(played())
    world.suspend("sna-overzicht")
    world.release(world.ask("utrecht", ["snf"], "snf-locatie", HIT), "NO_REGISTER")
    world.batch(("seal", {"next_origin": ORIGIN, "next_key": Keys().signer.verifier_key}))
    return world


def as_before(world: World) -> Preceding:
    """`world` as the log before, under another origin: worlds have one origin only, so that of its report is bent."""
    report, before = verify_preceding(world.bundle(), world.trust())
    assert not set(report.counts) - {"SEAL_NEXT"}, report.findings  # it names its own origin, see above
    return replace(before, origin="sluis.example/test-2025")


def carried_of(before: Preceding, world: World, **changes: Any) -> dict[str, Any]:
    """What an honest broker carries over."""
    day = f"{world.at:%Y-%m-%d}"
    counters = {n: c for n, c in before.counters.items() if n.endswith((day, "2026Q4"))}
    suspended = {
        purpose: [{"notice": notice, "since": time_text(at)} for notice, at in notices.items()]
        for purpose, notices in before.suspended.items()
        if notices
    }
    policy = {"digest": world.policies.digest, "revision": before.revision}
    return {"what": "carried", "counters": counters, "policy": policy, "suspended": suspended, **changes}


def follow(world: World, before: Preceding, *then: tuple[str, dict[str, Any]], **changes: Any) -> Report:
    """The verification of a log that begins right after `world`."""
    note = last_note(world).replace(ORIGIN, before.origin)
    previous = {**previous_of(note, "sealed"), **changes}
    after = World()
    after.at = world.at
    after.begin(previous, *then)
    return verify(after.bundle(), after.trust(), preceding=before)


def test_a_log_whose_key_changed_twice_verifies() -> None:
    world = played()
    world.change_key("b")
    world.batch(MORE)
    world.change_key("c")
    world.change_key("d")
    world.batch(MORE, MORE)
    assert world.verify().verified
    assert verify(world.bundle(), world.trust(), expect=last_note(world).encode()).verified


def test_receipts_from_before_the_change_still_count() -> None:
    world = played()
    earlier = last_note(world)
    world.change_key()
    world.batch(MORE)
    report = world.verify(expect=earlier.encode())
    assert report.verified, report.findings
    assert report.expected


def test_a_sealed_log_verifies_and_is_complete_to_its_seal() -> None:
    world = closed(played())
    world.batch(("seal", SEAL))
    report = world.verify()
    assert report.verified, report.findings
    assert report.sealed == NEXT.signer.origin
    assert "complete to its seal" in report.summary
    assert "later unknown" not in report.summary


def test_an_honest_log_follows_an_honest_log() -> None:
    world = sealed_world()
    before = as_before(world)
    assert before.counters
    assert before.suspended["sna-overzicht"]
    report = follow(world, before, ("config", carried_of(before, world)))
    assert report.verified, report.findings
    assert report.preceded
    assert report.follows == f"sluis.example/test-2025 (sealed), {world.size} entries"


def test_counters_of_days_that_are_over_need_not_be_carried() -> None:
    world = sealed_world()
    before = as_before(world)
    world.at += timedelta(days=70)  # another day, another quarter, and no overlap can last that long
    carried = carried_of(before, world, counters={})
    assert follow(world, before, ("config", carried)).verified


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"origin": "sluis.example/other"}, "it follows another log"),
        ({"root": bytes(32)}, "the log before ends otherwise"),
        ({"size": 3}, "the log before ends otherwise"),
        ({"seal": None}, "the log before is not sealed"),
        ({"seal": SEAL}, "the log before was sealed for another one"),
    ],
)
def test_another_log_than_the_one_before(changes: dict[str, Any], why: str) -> None:
    world = sealed_world()
    before = as_before(world)
    carried = carried_of(before, world)
    note = last_note(world).replace(ORIGIN, before.origin)
    after = World()
    after.at = world.at
    after.begin(previous_of(note, "sealed"), ("config", carried))
    report = verify(after.bundle(), after.trust(), preceding=replace(before, **changes))
    assert set(report.counts) == {"PREVIOUS_DIFFERS"}
    assert report.findings[0].detail == why
    assert report.exit_code == 13


def test_a_log_that_follows_none_given_one() -> None:
    before = as_before(sealed_world())
    after = World().begin()
    assert set(verify(after.bundle(), after.trust(), preceding=before).counts) == {"PREVIOUS_DIFFERS"}


def test_what_is_not_carried_over_is_missed() -> None:
    world = sealed_world()
    before = as_before(world)
    honest = carried_of(before, world)
    some = next(iter(honest["counters"]))
    never = {"notice": "ab" * 8, "since": time_text(world.at)}
    later = {
        name: [{**one, "since": time_text(world.at)} for one in all_] for name, all_ in honest["suspended"].items()
    }
    lies: list[tuple[dict[str, Any], str]] = [
        ({"counters": {}}, "a counter"),
        ({"counters": {**honest["counters"], some: honest["counters"][some] - 1}}, "a counter"),
        ({"counters": {**honest["counters"], "requests/nla/snf-locatie/2026-11-01": 1}}, "a counter"),
        ({"suspended": {}}, "a suspension is missing"),
        (
            {"suspended": {**honest["suspended"], "snf-locatie": [never]}},
            "a suspension that was not, or of another time",
        ),
        ({"suspended": later}, "a suspension that was not, or of another time"),
        ({"policy": None}, "the policy revision"),
        ({"policy": {"digest": "ab" * 32, "revision": 9}}, "the policy revision"),
    ]
    for changes, why in lies:
        report = follow(world, before, ("config", {**honest, **changes}))
        assert set(report.counts) == {"CARRIED"}, changes
        assert report.findings[0].detail == why
    with_asks = {**honest["counters"], "asks/nla/2026-11-24": 12}
    assert follow(world, before, ("config", {**honest, "counters": with_asks})).verified


def test_a_loss_named_as_the_writer_names_it_verifies() -> None:
    world = sealed_world()
    tree = read_unsigned(last_note(world))
    previous = previous_of(last_note(world).replace(ORIGIN, "sluis.example/test-2025"), "recovered")
    named = Gap(
        "sluis.example/test-2025", "a disk failed", (0, GrowingTree().root()), (tree.size, tree.root), None, world.at
    )
    after = World().begin(previous, ("recovery", named.body()), *(("config", b) for b in Carried({"a": 1}).entries()))
    assert after.verify().verified


def test_nothing_was_lost_after_all() -> None:
    world = sealed_world()
    before = as_before(world)
    note = last_note(world).replace(ORIGIN, before.origin)
    previous = previous_of(note, "recovered")
    lost = gap(known_size=previous["size"], known_root=previous["root"])
    after = World()
    after.at = world.at
    after.begin(previous, lost, ("config", carried_of(before, world)))
    report = verify(after.bundle(), after.trust(), preceding=before)
    assert set(report.counts) == {"PREVIOUS_DIFFERS"}
    assert after.verify().verified, "only the log before shows it"


def test_the_command_verifies_a_chain(tmp_path: Path) -> None:
    world = sealed_world()
    for name, made in (("old", world), ("new", World().begin())):
        (tmp_path / f"{name}.bundle").write_bytes(b"".join(made.bundle()))
        (tmp_path / f"{name}.yaml").write_text(made.trust_text())
    run = CliRunner().invoke
    words = ["audit", "verify", str(tmp_path / "new.bundle"), "--trust", str(tmp_path / "new.yaml")]
    chain = ["--previous", str(tmp_path / "old.bundle"), "--previous-trust", str(tmp_path / "old.yaml")]
    assert run(app, words).exit_code == 0
    refused = run(app, [*words, *chain])
    assert refused.exit_code == 11
    assert "given as a log before, does not verify" in refused.output
    assert "SEAL_NEXT" in refused.output
    assert run(app, [*words, *chain[:2]]).exit_code == 2
    (tmp_path / "old.bundle").write_bytes(b"".join(played().bundle()))
    refused = run(app, [*words, *chain])
    assert refused.exit_code == 13
    assert "PREVIOUS_DIFFERS" in refused.output
