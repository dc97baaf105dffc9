"""`sluis audit replay`: every decision again, whole; what is not the same, and what cannot be told, is said."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from audit_kit import World, played, policy_bundle, policy_set, sealed
from typer.testing import CliRunner, Result

from broker.audit.replay import Replayed, differences
from broker.audit.replaying import MAX_LISTED, UNKNOWN_PURPOSE, Outcome, replay_all
from broker.canonical import canonical_json
from broker.cli.audit.root import app
from broker.errors import SluisError
from broker.exchange import Want

_KINDS = [kind for batch in played().batches for kind, _ in batch]
_ASKS = [at for at, kind in enumerate(_KINDS) if kind == "ask"]
ASK = _ASKS[0]
DENIED = next(at for at in _ASKS if played().body(at)["decision"]["effect"] == "deny")
RELEASE = _KINDS.index("release")
ALL = len(_ASKS)
REST = ALL - 1
HIT = Want(hit=True, count=False, attributes=("beds",))


def outcome(world: World) -> Outcome:
    return replay_all(world.bundle())


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["replay", *map(str, arguments)])


def test_an_honest_log_replays_the_same() -> None:
    found = outcome(played())
    assert (found.decisions, found.count(Replayed.SAME), found.dry_runs, found.size) == (ALL, ALL, 1, len(_KINDS))
    assert found.all_same
    assert found.listed == []
    assert {row.purpose for row in found.rows} == {"snf-locatie", "sna-overzicht", "verhuurvergunning"}


def change(index: int, tell: Callable[[dict[str, Any]], None]) -> Outcome:
    world = played()
    tell(world.body(index))
    return outcome(world)


@pytest.mark.parametrize("check", range(23))
@pytest.mark.parametrize("member", ["met", "reason", "path", "id"])
def test_every_verdict_reason_and_path_counts(check: int, member: str) -> None:
    def tell(body: dict[str, Any]) -> None:
        one = body["decision"]["checks"][check]
        one[member] = not one[member] if member == "met" else one[member] + "x"

    found = change(DENIED, tell)
    assert (found.count(Replayed.DIFFERS), found.count(Replayed.SAME)) == (1, REST)
    (listed,) = found.listed
    assert listed.index == DENIED
    named = played().body(DENIED)["decision"]["checks"][check]["id"]
    assert [one.what for one in listed.differences] == ["the list of checks" if member == "id" else named]


def test_all_differences_are_told_not_only_the_first() -> None:
    def tell(body: dict[str, Any]) -> None:
        body["decision"]["effect"] = "deny"
        body["decision"]["checks"][2]["reason"] = "because"
        body["decision"]["checks"][5]["met"] = False
        body["decision"]["obligations"] = []

    (listed,) = change(ASK, tell).listed
    assert [one.what for one in listed.differences] == ["effect", "purpose-active", "asker", "obligations"]
    assert listed.differences[1].logged == "met: because (state)"
    assert listed.differences[2].logged.startswith("not met: ")
    assert listed.differences[3].logged == "none"


@pytest.mark.parametrize(
    ("what", "tell"),
    [
        ("the list of checks", lambda d: d["checks"].pop()),
        ("the list of checks", lambda d: d["checks"].reverse()),
        ("the list of checks", lambda d: d.update(checks="none")),
        ("the list of checks", lambda d: d.update(checks=[5])),
        ("effect", lambda d: d.pop("effect")),
        ("obligations", lambda d: d["obligations"].append("one more")),
        ("obligations", lambda d: d["obligations"].reverse()),
        ("form", lambda d: d.update(more=True)),
        ("purpose-known", lambda d: d["checks"][0].update(met=1)),
    ],
)
def test_other_forms_differ(what: str, tell: Callable[[dict[str, Any]], None]) -> None:
    def on_body(body: dict[str, Any]) -> None:
        tell(body["decision"])

    (listed,) = change(ASK, on_body).listed
    assert (listed.outcome, listed.differences[0].what) == (Replayed.DIFFERS, what)
    world = played()
    on_body(world.body(ASK))
    assert "REPLAY_DIFFERS" in world.codes(), "verify must see what replay sees"


@pytest.mark.parametrize(
    ("member", "to"),
    [("facts", {}), ("facts", {"now": 5}), ("engine", "sluis-engine/0"), ("policy_set", "00" * 32), ("statement", {})],
)
def test_what_cannot_be_replayed_never_counts_as_the_same(member: str, to: object) -> None:
    found = change(ASK, lambda body: body.update({member: to}))
    assert (found.count(Replayed.SAME), found.count(Replayed.NOT_REPLAYABLE)) == (REST, 1)
    assert not found.all_same
    (listed,) = found.listed
    assert listed.why in found.why
    assert listed.differences == ()


def test_a_set_missing_from_the_archive_or_altered() -> None:
    world = played()
    world.archive.clear()
    found = replay_all(_other_archive(world, []))
    assert found.count(Replayed.NOT_REPLAYABLE) == ALL
    altered = json.loads(policy_bundle())
    altered["texts"]["catalogue.yaml"] += "# altered\n"
    found = replay_all(_other_archive(world, [altered]))
    assert found.count(Replayed.NOT_REPLAYABLE) == ALL
    assert next(iter(found.rows)).revision == 0


def _other_archive(world: World, sets: list[dict[str, Any]]) -> list[bytes]:
    lines = [line for line in played().lines() if not line.startswith(b'{"policy_set"')]
    more = [canonical_json({"policy_set": one}) + b"\n" for one in sets]
    return sealed([lines[0], *more, *lines[1:]])


def test_sets_of_equal_meaning_are_told_apart_as_the_log_put_them_in_force() -> None:
    world = played()
    world.archive.append(policy_bundle(revision=2, note="a comment"))
    assert policy_set(world.archive[0]).digest == policy_set(world.archive[1]).digest
    world.batch(("policy", world.policy_entry(world.archive[1])))
    world.ask("utrecht", ["snf"], "snf-locatie", HIT)
    found = outcome(world)
    assert found.all_same
    assert {row.revision for row in found.rows} == {1, 2}


def test_what_a_shadow_would_have_decided_is_replayed_too() -> None:
    world = World(archive=[policy_bundle(shadow=True)]).begin()
    world.publish("snf", "snf-locatie", "bag")
    at = world.ask("utrecht", ["snf"], "snf-locatie", HIT)
    found = outcome(world)
    assert {row.what: counts[Replayed.SAME] for row, counts in found.rows.items()} == {"ask": 1, "shadow": 1}
    world.body(at + 1)["decision"]["effect"] = "permit"
    assert [(one.index, one.row.what) for one in outcome(world).listed] == [(at + 1, "shadow")]
    world.body(at + 1)["ask_index"] = 1
    (listed,) = outcome(world).listed
    assert (listed.outcome, listed.why) == (Replayed.NOT_REPLAYABLE, "its ask does not stand right before it")


def test_purposes_that_no_set_knows_do_not_grow_the_table() -> None:
    world = played()
    for n in range(3):
        world.ask("utrecht", ["snf"], f"nonsense-{n}", HIT)
    found = outcome(world)
    assert found.all_same
    assert [row.purpose for row in found.rows].count(UNKNOWN_PURPOSE) == 1


def test_no_more_than_a_thousand_are_listed_and_all_are_counted() -> None:
    lines = _many(1_010)
    found = replay_all(lines)
    assert (found.count(Replayed.DIFFERS), len(found.listed)) == (1_010, MAX_LISTED)


def _many(asks: int) -> list[bytes]:
    world = played()
    world.body(ASK)["decision"]["effect"] = "deny"
    lines = world.lines()
    at = next(at for at, line in enumerate(lines) if f'"index":{ASK},'.encode() in _leaf(line))
    kept = [line for line in lines if b'"kind":"ask"' not in _leaf(line)]
    return sealed([*kept, *([lines[at]] * asks)])


def _leaf(line: bytes) -> bytes:
    return base64.b64decode(json.loads(line).get("leaf", ""))


@pytest.mark.slow
def test_memory_does_not_grow_with_the_log() -> None:
    import gc
    import tracemalloc

    head = [line for line in played().lines() if b'"kind":"ask"' not in _leaf(line)]
    one = next(line for line in played().lines() if f'"index":{ASK},'.encode() in _leaf(line))

    held: list[int] = []

    def lines(count: int) -> Iterator[bytes]:
        yield from head
        for number in range(count):
            if number in (300, count - 1):
                gc.collect()
                held.append(tracemalloc.get_traced_memory()[0])
            yield bytes(bytearray(one))
        yield canonical_json({"lines": len(head) + count, "sha256": ""}) + b"\n"

    tracemalloc.start()
    try:
        replay_all(lines(1_500))
    finally:
        tracemalloc.stop()
    early, late = held
    assert late < early + 100_000, "1,199 entries between, of some kilobytes each"


@pytest.mark.parametrize(
    "damage",
    [
        lambda lines: [],
        lambda lines: lines[:-1],
        lambda lines: lines[: len(lines) // 2],
        lambda lines: lines[1:],
        lambda lines: [*lines, lines[3]],
        lambda lines: [lines[0], b"{}\n", *lines[1:]],
        lambda lines: [lines[0], b"[1]\n", *lines[1:]],
        lambda lines: [lines[0], b'{"leaf":"?"}\n', *lines[1:]],
        lambda lines: [*lines[:-1], b'{"leaf":"QUJD"', lines[-1]],
        lambda lines: [b"\x00" * 100],
        lambda lines: [*lines[:20], *lines[21:]],
    ],
)
def test_what_is_no_whole_bundle_is_refused(damage: Callable[[list[bytes]], list[bytes]]) -> None:
    with pytest.raises(SluisError, match="verify"):
        replay_all(damage(played().bundle()))


@pytest.mark.parametrize("body", [[], None, {}, {"policy_set": {}}, {"decision": {}, "policy_set": [], "facts": {}}])
def test_asks_of_no_form_are_refused(body: object) -> None:
    leaf = canonical_json({"body": body, "index": 0, "kind": "ask", "sequenced_at": "2026", "v": 1})
    line = canonical_json({"leaf": base64.b64encode(leaf).decode()}) + b"\n"
    with pytest.raises(SluisError, match="line 2"):
        replay_all([played().bundle()[0], line])


def test_a_decision_that_says_the_same_in_another_form_is_told() -> None:
    (found,) = differences(b'{"checks":[],"effect":"permit","obligations":[]}', b'{"checks": []}')[:1]
    assert found.what == "effect"


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    world = played()
    (tmp_path / "log.bundle").write_bytes(b"".join(world.bundle()))
    (tmp_path / "trust.yaml").write_text(world.trust_text())
    return tmp_path / "log.bundle", tmp_path / "trust.yaml"


def test_the_command_says_whether_it_verified(files: tuple[Path, Path]) -> None:
    bundle, trust = files
    result = run(bundle)
    assert result.exit_code == 0, result.output
    assert "NOT verified" in result.stdout
    assert f"of {ALL} decisions {ALL} are the same, 0 differ, 0 are not replayable" in result.stdout
    result = run(bundle, "--trust", trust)
    assert result.exit_code == 0
    assert "\nverified with the trust file" in result.stdout
    assert json.loads(run(bundle, "--trust", trust, "--json").stdout)["verified"] is True
    assert json.loads(run(bundle, "--json").stdout)["verified"] is False


def test_the_command_tells_what_differs_and_ends_with_17(files: tuple[Path, Path]) -> None:
    bundle, trust = files
    world = played()
    world.body(ASK)["decision"]["checks"][3]["reason"] = "because\x1b[2J"
    bundle.write_bytes(b"".join(world.bundle()))
    for arguments in ((bundle,), (bundle, "--trust", trust)):
        result = run(*arguments)
        assert result.exit_code == 17
        assert f"entry {ASK}, ask under snf-locatie, differs" in result.stdout
        assert "logged    met: because\\u001b[2J (state)" in result.stdout, "nothing that moves the cursor"
    value = json.loads(run(bundle, "--json").stdout)
    assert (value["all_same"], value["differs"], value["same"]) == (False, 1, REST)
    assert value["listed"][0]["differences"][0]["what"] == "suspension"


def test_with_a_trust_file_a_forged_bundle_is_not_replayed(files: tuple[Path, Path]) -> None:
    bundle, trust = files
    world = played()
    world.body(RELEASE)["status"] = "NO_REGISTER"
    bundle.write_bytes(b"".join(world.bundle()))
    result = run(bundle, "--trust", trust)
    assert result.exit_code == 16
    assert result.stdout == ""
    assert "went no further" in result.stderr
    assert json.loads(run(bundle, "--trust", trust, "--json").stdout)["exit_code"] == 16


def test_what_if_tells_what_a_draft_would_have_permitted(files: tuple[Path, Path], tmp_path: Path) -> None:
    bundle, trust = files
    draft = tmp_path / "draft"
    for name, text in json.loads(policy_bundle())["texts"].items():
        (draft / name).parent.mkdir(parents=True, exist_ok=True)
        (draft / name).write_text(text)
    assert run(bundle, "--what-if", draft).exit_code == 0
    assert run(bundle, "--what-if", bundle.with_name("none")).exit_code == 2
    file = draft / "purposes/snf-locatie.yaml"
    file.write_text(
        file.read_text()
        .replace("asks: [", "asks: [nla, ")
        .replace("subjects_per_request: 1000", "subjects_per_request: 1")
    )
    result = run(bundle, "--what-if", draft, "--trust", trust)
    assert "PERMITTED THEN, WOULD NOW BE DENIED: " in result.stdout
    assert "verified with the trust file" in result.stdout
    assert result.exit_code == 0
    (tmp_path / "policy.bundle").write_bytes(policy_bundle())
    value = json.loads(run(bundle, "--what-if", tmp_path / "policy.bundle", "--json").stdout)
    assert (value["asks"], value["counts"]["same"]) == (ALL, ALL)


def test_what_if_a_draft_permits_what_was_denied(files: tuple[Path, Path], tmp_path: Path) -> None:
    bundle, _ = files
    world = played()
    world.ask("utrecht", ["snf"], "snf-locatie", HIT, subjects=1_001, after=timedelta(days=1))
    bundle.write_bytes(b"".join(world.bundle()))
    draft = tmp_path / "draft"
    for name, text in json.loads(policy_bundle())["texts"].items():
        (draft / name).parent.mkdir(parents=True, exist_ok=True)
        (draft / name).write_text(text.replace("subjects_per_request: 1000", "subjects_per_request: 2000"))
    result = run(bundle, "--what-if", draft)
    assert result.exit_code == 8, result.output
    assert result.stdout.index("DENIED THEN") > 0


def test_wrong_files_are_refused_in_one_line(files: tuple[Path, Path], tmp_path: Path) -> None:
    bundle, trust = files
    assert run(tmp_path / "nothing").exit_code == 2
    assert run(bundle, "--trust", bundle).exit_code != 0
    empty = tmp_path / "empty"
    empty.write_bytes(b"")
    for file in (empty, trust):
        with pytest.raises(SluisError):
            CliRunner().invoke(app, ["replay", str(file)], catch_exceptions=False)
