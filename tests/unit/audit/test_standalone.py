"""The verifier in one file agrees with `sluis audit verify`: on good and bad bundles, damage, decisions and days.

A new code of `broker.audit.findings` fails `test_it_knows_every_code_and_its_class` until the file has it in `CODES`;
its bad bundle then fails until the file finds it. How: CONTRIBUTING.md.
"""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import bad_bundles_canaries
import bad_bundles_key_ends
import bad_bundles_standing
import bad_bundles_subject
import pytest
from audit_kit import ASK, EPOCH_KEY, RELEASE, World, authority, played, policy_bundle, sealed
from bad_bundles import bad_bundle, bad_names
from bad_bundles_life import SEAL, closed, gap, previous
from cosigned_lines import RULE, VKEYS, with_cosigned
from hypothesis import given, settings
from hypothesis import strategies as st
from log_kit import ORIGIN
from random_policies import questions, random_texts
from test_continuity import as_before, carried_of, last_note, sealed_world
from world import policy_texts as texts

from broker.audit.entry_shapes import BODIES, ELEMENTS, LOSS, SHADOW, VARIANTS
from broker.audit.findings import Code
from broker.audit.trust import parse_trust, trust_text
from broker.audit.verify import verify
from broker.canonical import canonical_json
from broker.exchange import Want
from broker.policy.bundle import policy_set_from_texts
from broker.policy.document import PolicySet
from broker.policy.evaluate import ENGINES, Facts, Request, decision_to_log, evaluate, facts_to_log
from broker.policy.legal_days import epoch_of, local_day
from broker.succession import previous_of

ROOT = Path(__file__).resolve().parents[3]
FILE = ROOT / "clients" / "auditor" / "sluis_verify.py"
GOLDEN = ROOT / "tests" / "golden" / "logs"
HONEST = (bad_bundles_canaries, bad_bundles_key_ends, bad_bundles_standing, bad_bundles_subject)
NOT_THERE = frozenset(code.name for code in Code if code.name.startswith(("STAMP_", "VAULT_"))) | {"POLICY_TEXT"}
"""Codes of `sluis audit verify` that the one file does not check; its first lines say so."""


def _load() -> ModuleType:
    module = ModuleType("sluis_verify")
    sys.modules["sluis_verify"] = module  # dataclasses look their module up
    exec(compile(FILE.read_text("utf-8"), str(FILE), "exec"), module.__dict__)
    for pure in ("ed25519_signed", "issued"):  # the bundles here repeat one another's signatures
        setattr(module, pure, cache(getattr(module, pure)))
    return module


one_file: Any = _load()


def run_over(lines: list[bytes], trust: str, expect: bytes | None = None, before: Any = None) -> Any:
    run = one_file.Verification(one_file.read_trust(trust), expect, before)
    run.run(lines)
    return run


def codes_of(lines: list[bytes], trust: str, expect: bytes | None = None) -> set[str]:
    return {finding.code for finding in run_over(lines, trust, expect).findings}


def both(lines: list[bytes], trust: str, expect: bytes | None = None) -> tuple[set[str], set[str]]:
    report = verify(lines, parse_trust(trust), expect=expect)
    return codes_of(lines, trust, expect), set(report.counts) - NOT_THERE


def test_it_needs_python_and_cryptography_alone() -> None:
    imported = set()
    for node in ast.walk(ast.parse(FILE.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add((node.module or "").partition(".")[0])
    assert imported - set(sys.stdlib_module_names) == {"cryptography"}


def test_it_knows_every_code_and_its_class() -> None:
    theirs = {code.name: int(code.fault) for code in Code if code.name not in NOT_THERE}
    assert theirs == one_file.CODES
    assert set(one_file.CODES.values()) == set(one_file.FAULTS)


def test_every_code_is_found_somewhere_in_it() -> None:
    """Not only in the table: each stands in the code that follows, too."""
    text = FILE.read_text("utf-8")
    after = text[text.index("class Stop(") :]
    assert {code for code in one_file.CODES if not re.search(rf'"{code}"', after)} == set()


def test_its_guide_names_lines_and_names_that_are_there() -> None:
    """Sections begin where the head says, the two parts end where it says, and every name in it exists."""
    lines = FILE.read_text("utf-8").splitlines()
    head = lines[: lines.index("from __future__ import annotations")]
    begins = {int(n): at for at, line in enumerate(lines, 1) for n in re.findall(r"^# --- ([0-9]+)\. ", line)}
    told = [re.match(r"    ([0-9])\. [a-z ]+?  +([0-9]+)  ", line) for line in head]
    assert {int(found[1]): int(found[2]) for found in told if found} == begins
    parts = [
        tuple(map(int, found.groups())) for line in head if (found := re.search(r"lines ([0-9]+) to ([0-9]+):", line))
    ]
    assert parts == [(begins[1], begins[6] - 1), (begins[6], begins[9] - 1)]
    guide = " ".join(line.partition("?")[2] for line in head if "?   " in line)
    names = re.findall(r"[A-Za-z_]+\.[a-z_]+|\b(?:[A-Z][a-z]+|ENTRIES|[a-z]+_[a-z_]+)\b(?!\.)", guide)
    assert len(names) > 10
    for name in names:
        found = one_file
        for word in name.split("."):
            found = getattr(found, word)


def test_integrity_is_readable_without_content() -> None:
    """What proves it names nothing of the second part but the story that is told each entry, and what goes into it."""
    text = FILE.read_text("utf-8")
    cut = text[: text.index("# --- 6. ")].count("\n")
    module = ast.parse(text)
    later = {
        node.name
        for node in module.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.lineno > cut and node.name != "main"
    }
    first = [node for node in module.body if node.lineno <= cut]
    used = {name.id for node in first for name in ast.walk(node) if isinstance(name, ast.Name)} & later
    assert used == {"Ended", "Story", "read_policy_set"}


def test_its_shapes_are_those_of_the_other() -> None:
    """Every kind and variant, with every member; written twice, so that a mistake has to be made twice."""
    theirs: dict[str, dict[str, str]] = {}
    variants = {"evaluation shadow": SHADOW, "evaluation elements": ELEMENTS, "recovery entries-lost": LOSS}
    for kind, members in {**BODIES, **variants}.items():
        if kind in VARIANTS:
            theirs |= {f"{kind} {name}": {**members, **more} for name, more in VARIANTS[kind][1].items()}
        else:
            theirs[kind] = dict(members)
    assert theirs == one_file.ENTRIES


def test_a_good_log_verifies_in_both() -> None:
    world = played()
    world.archive.append(policy_bundle(revision=2, shadow=True))
    world.batch(("policy", world.policy_entry(world.archive[-1])))
    world.ask("utrecht", ["snf"], "snf-locatie", Want(True, False, ("beds",)))
    world.suspend("snf-locatie")
    world.ask("utrecht", ["snf"], "snf-locatie", Want(True, False, ("beds",)))
    assert both(world.bundle(), world.trust_text()) == (set(), set())


@pytest.mark.parametrize("honest", [module.honest for module in HONEST])
def test_an_honest_log_at_the_edge_of_the_rules_verifies_in_both(honest: Callable[[World], World]) -> None:
    world = honest(World())
    assert both(world.bundle(), world.trust_text()) == (set(), set())


@pytest.mark.parametrize("engine", ["sluis-engine-1", "sluis-engine-2"])
def test_the_golden_logs_verify(engine: str) -> None:
    folder = GOLDEN / engine
    lines = (folder / "log.bundle").read_bytes().splitlines(keepends=True)
    run = run_over(lines, (folder / "trust.yaml").read_text("utf-8"))
    assert run.findings == []
    assert run.story.decisions["same"] > 30
    assert set(run.story.decisions) == {"same"}


def test_a_witnessed_log_verifies_in_both() -> None:
    world = played()
    lines = sealed(with_cosigned(world))
    assert both(lines, world.trust_text(**RULE)) == (set(), set())
    assert both(lines, world.trust_text()) == (set(), set())
    run = run_over(lines, world.trust_text(**RULE))
    assert run.witnesses.cosigned_to == world.size


def test_time_stamps_are_counted() -> None:
    world = played()
    *lines, _ = world.bundle()
    stamp = {"timestamp": {"size": world.size, "token": "AAAA"}}
    assert run_over(sealed([*lines, canonical_json(stamp) + b"\n"]), world.trust_text()).stamps == 1
    twice = sealed([*lines, *[canonical_json(stamp) + b"\n"] * 2])
    assert codes_of(twice, world.trust_text()) == {"BUNDLE_LINE"}
    stamp["timestamp"]["size"] -= 1
    wrong = sealed([*lines, canonical_json(stamp) + b"\n"])
    assert both(wrong, world.trust_text()) == ({"BUNDLE_LINE"}, {"BUNDLE_LINE"})


def test_the_log_before_is_compared_in_both() -> None:
    world = sealed_world()
    before, mine = as_before(world), run_over(world.bundle(), world.trust_text()).ended()
    theirs = {item.name: getattr(before, item.name) for item in fields(before)}
    assert {**vars(mine), "origin": before.origin} == theirs
    mine = replace(mine, origin=before.origin)
    honest = carried_of(before, world)
    some, never = next(iter(honest["counters"])), {"notice": "ab" * 8, "since": "2026-11-24T00:00:00Z"}
    carried: list[dict[str, Any]] = [
        {},
        {"counters": {}},
        {"counters": {**honest["counters"], some: honest["counters"][some] + 1}},
        {"counters": {**honest["counters"], "asks/nla/2026-11-24": 12}},
        {"suspended": {}},
        {"suspended": {**honest["suspended"], "snf-locatie": [never]}},
        {"suspended": {name: [{**all_[0], "since": never["since"]}] for name, all_ in honest["suspended"].items()}},
        {"policy": None},
    ]
    ends: list[dict[str, Any]] = [{"origin": "sluis.example/other"}, {"seal": None}, {"size": 3}, {"seal": SEAL}]
    found = set()
    note = last_note(world).replace(ORIGIN, before.origin)
    for carry, end in [*((carry, {}) for carry in carried), *(({}, end) for end in ends)]:
        after = World()
        after.at = world.at
        after.begin(previous_of(note, "sealed"), ("config", {**honest, **carry}))
        report = verify(after.bundle(), after.trust(), preceding=replace(before, **end))
        run = run_over(after.bundle(), after.trust_text(), None, replace(mine, **end))
        assert {finding.code for finding in run.findings} == set(report.counts)
        found |= set(report.counts)
    assert found == {"PREVIOUS_DIFFERS", "CARRIED"}
    none = World().begin()
    run = run_over(none.bundle(), none.trust_text(), None, mine)
    assert {finding.code for finding in run.findings} == {"PREVIOUS_DIFFERS"}


@pytest.mark.slow
@pytest.mark.parametrize("name", bad_names())
def test_a_bad_bundle_is_refused_for_the_same_reasons(name: str) -> None:
    bundle = bad_bundle(name)
    assert codes_of(bundle.lines, bundle.trust, bundle.expect) == bundle.codes - NOT_THERE


def test_a_log_that_follows_a_lost_one_verifies_in_both() -> None:
    world = World().begin(previous(reason="recovered"), gap())
    assert both(world.bundle(), world.trust_text()) == (set(), set())
    world = closed(played())
    world.change_key()
    world.batch(("seal", SEAL))
    assert both(world.bundle(), world.trust_text()) == (set(), set())


LINES = played().bundle()
TRUST = played().trust_text()


@pytest.mark.parametrize(
    ("index", "path", "value", "code"),
    [
        (ASK, ("decision", "checks", 0, "met"), 1, "REPLAY_DIFFERS"),
        (ASK, ("facts", "suspended_since"), "2026-13-01T00:00:00.000000Z", "LEAF_FORM"),
        (ASK, ("facts", "now"), None, "FACTS"),
        (RELEASE, ("ask_index",), 10**15, "RELEASE_UNASKED"),
        (RELEASE, ("outcome",), [], "LEAF_FORM"),
    ],
)
def test_an_entry_that_is_bent_a_little(index: int, path: tuple[str | int, ...], value: Any, code: str) -> None:
    world = played()
    place: Any = world.body(index)
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    mine, theirs = both(world.bundle(), world.trust_text())
    assert mine == theirs
    assert code in mine


def test_an_entry_kind_is_not_its_variant() -> None:
    """`key epoch` names a form here; in a log it is no kind."""
    world = played()
    (batch,) = [batch for batch in world.batches if batch[0] == world.entry(EPOCH_KEY)]
    batch[0] = ("key epoch", batch[0][1])
    mine, theirs = both(world.bundle(), world.trust_text())
    assert mine == theirs
    assert "LEAF_FORM" in mine


def members(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands in the body of an entry."""
    if path:
        yield path
    for name in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from members(value[name], (*path, name))


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(st.data())
def test_lies_are_found_by_both(data: st.DataObject) -> None:
    """Something in an entry set to something else, and everything signed as it then stands."""
    world = played()
    index = data.draw(st.integers(0, world.size - 1))
    body = world.body(index)
    *path, last = data.draw(st.sampled_from(list(members(body))))
    place: Any = body
    for step in path:
        place = place[step]
    others = [None, 0, 1, True, "", "snf", "ab" * 32, "2026-11-23T10:00:00Z", "deny", "WITHHELD", [], {}]
    place[last] = data.draw(st.sampled_from(others))
    if "statement" in path and ("asker" in body or "party" in body) and "certificate" in body:
        world.resign(index)
    mine, theirs = both(world.bundle(), world.trust_text())
    assert mine == theirs


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(st.data())
def test_damage_is_found_by_both(data: st.DataObject) -> None:
    """A line changed, left out, doubled or moved; sealed again or not."""
    lines = list(LINES)
    at = data.draw(st.integers(1, len(lines) - 2))
    how = data.draw(st.sampled_from(["flip", "drop", "twice", "swap"]))
    if how == "flip":
        line = bytearray(lines[at])
        line[data.draw(st.integers(0, len(line) - 2))] ^= 1 << data.draw(st.integers(0, 6))
        lines[at] = bytes(line)
    elif how == "drop":
        del lines[at]
    elif how == "twice":
        lines.insert(at, lines[at])
    else:
        lines[at], lines[at + 1] = lines[at + 1], lines[at]
    if data.draw(st.booleans()):
        lines = sealed(lines[:-1])
    mine, theirs = both(lines, TRUST)
    assert mine == theirs
    assert mine or lines == LINES


def test_an_archive_names_each_set_once() -> None:
    """A policy set that stands twice, in a bundle that is whole otherwise."""
    at = next(at for at, line in enumerate(LINES) if line.startswith(b'{"policy_set"'))
    mine, theirs = both(sealed([*LINES[: at + 1], *LINES[at:-1]]), TRUST)
    assert mine == theirs
    assert "BUNDLE_LINE" in mine


def decided(policies: PolicySet, request: Request, facts: Facts, engine: str) -> tuple[Any, Any]:
    """One question decided by the engine, and by the one file from the meaning alone."""
    want = {"attributes": list(request.want.attributes), "count": request.want.count, "hit": request.want.hit}
    names = ("asker", "principal", "purpose", "epoch", "scheme", "match_keys", "subjects")
    statement = {**{name: getattr(request, name) for name in names}, "want": want}
    logged = facts_to_log(facts, suspensions=engine != "sluis-engine/1")
    ask = {"answerer": request.answerer, "statement": statement, "facts": logged}
    meaning = json.loads(json.dumps(dict(policies.meaning)))
    expires = policies.expires or datetime.max.replace(tzinfo=UTC)
    archived = one_file.PolicySet("", "", 1, expires, meaning, frozenset(), [])
    theirs = decision_to_log(evaluate(policies, request, facts, engine))
    return one_file.decide(archived, request.purpose, ask, engine), one_file.normal(theirs)


@pytest.mark.slow
@pytest.mark.parametrize("engine", sorted(ENGINES))
def test_decisions_are_the_same_to_the_letter(engine: str) -> None:
    sets = [policy_set_from_texts(texts(), expires=datetime(2027, 1, 1, tzinfo=UTC))]
    sets += [policy_set_from_texts(random_texts(seed), expires=datetime(2026, 9, 1, tzinfo=UTC)) for seed in range(3)]
    seen = set()
    for policies in sets:
        for _, (request, facts) in questions(policies, 250, seed=5):
            mine, theirs = decided(policies, request, facts, engine)
            assert mine == theirs
            seen |= {(check["id"], check["met"]) for check in mine["checks"]}
    checks = ("purpose-known", *(name for name, _ in ENGINES[engine]))
    assert {(name, met) for name in checks for met in (True, False)} - seen <= {("suspension", False)}


def test_days_are_those_of_the_time_zone_database() -> None:
    random = Random(7)
    start = datetime(1996, 1, 1, tzinfo=UTC)
    moments = [start + timedelta(seconds=random.randrange(40 * 365 * 86_400)) for _ in range(2_000)]
    for year in range(1996, 2036):  # and around each change of the clock
        for month in (3, 10):
            day = datetime(year, month, 31, 1, tzinfo=UTC)
            change = day - timedelta(days=(day.weekday() + 1) % 7)
            moments += [change + timedelta(hours=h, microseconds=u) for h in (-4, -3, -2, -1, 0, 21) for u in (-1, 0)]
    assert [one_file.amsterdam_day(at) for at in moments] == [local_day(at) for at in moments]
    purposes = policy_set_from_texts(texts(), expires=start).purposes.values()
    for purpose in {purpose.pseudonyms.epoch: purpose for purpose in purposes}.values():
        for at in moments[::7]:
            epoch = epoch_of(purpose, at)
            assert one_file.epoch_at(purpose.pseudonyms.epoch, at) == (epoch.name, epoch.valid_from, epoch.valid_until)


def test_the_trust_file_reads_the_same() -> None:
    world = World()
    more: list[dict[str, Any]] = [
        {"policy_signers": ["0" * 64, "12e45" + "0" * 59]},
        {"unsafe_skip_approvals": True},
        {"revocation_max_age_hours": 24},
        {"time_stampers": [authority().ca.certificate.decode()]},
        RULE,
        {**RULE, "witness_grace_minutes": 0, "witness_from": 7},
    ]
    for changes in ({}, *more):
        text = world.trust_text(**changes)
        mine, theirs = one_file.read_trust(text), parse_trust(text)
        assert mine.fingerprint == theirs.fingerprint
        assert mine.policy_signers == theirs.policy_signers
        assert mine.approvals == theirs.policy_approvals
        assert mine.list_age == theirs.revocation_max_age
        rule = theirs.witness_rule
        told = (mine.witnesses, mine.quorum, mine.grace, mine.witnessed_from)
        assert told == ((rule.keys, rule.quorum, rule.grace, rule.since) if rule else ({}, 0, timedelta(0), 0))
    listed = TRUST.replace("engines:\n- sluis-engine/2\n", "engines: ['sluis-engine/2']\n")
    assert listed != TRUST
    assert one_file.read_trust(listed).fingerprint == parse_trust(listed).fingerprint


@pytest.mark.parametrize(
    "change",
    [
        ("origin: ", "origin:: "),
        ("policy_quorum: 2", "policy_quorum: 9"),
        ("environment: test", "environment: tset"),
        ("environment: test", "environment: test\nextra: x"),
        ("engines:\n", "engines: &x\n"),
        ("log_keys:\n- sluis", "log_keys:\n- sluiz"),
        ("environment: test", "environment: test\nrevocation_max_age_hours: 721"),
        ("environment: test", "environment: test\nwitness_quorum: 1"),
        ("environment: test", f"environment: test\nwitness_quorum: 1\nwitnesses:\n- {VKEYS[0]}\n- {VKEYS[0]}"),
        ("environment: test", f"environment: test\nwitness_quorum: 2\nwitnesses:\n- {VKEYS[0]}"),
        ("environment: test", f"environment: test\nwitness_quorum: 0\nwitnesses:\n- {VKEYS[0]}"),
        ("environment: test", "environment: test\nwitness_from: 0"),
        ("environment: test", "environment: test\ntime_stampers: []"),
    ],
)
def test_a_wrong_trust_file_is_refused_by_both(change: tuple[str, str]) -> None:
    text = TRUST.replace(*change)
    assert text != TRUST
    with pytest.raises(one_file.Malformed):
        one_file.read_trust(text)
    with pytest.raises(Exception, match=r"."):
        parse_trust(text)


@pytest.mark.slow
def test_as_a_command(tmp_path: Path) -> None:
    bundle, trust = tmp_path / "log.bundle", tmp_path / "trust.yaml"
    bundle.write_bytes(b"".join(LINES))
    trust.write_text(TRUST)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-I", str(FILE), *words], cwd=tmp_path, capture_output=True, text=True, check=False
        )

    good = run("log.bundle", "--trust", "trust.yaml")
    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout.splitlines()[-1].startswith("verified: ")
    assert "time stamps  0, not checked here\n" in good.stdout
    bundle.write_bytes(b"".join(sealed([*LINES[:20], *LINES[21:-1]])))
    bad = run("log.bundle", "--trust", "trust.yaml")
    assert bad.returncode == verify(bundle.open("rb"), parse_trust(TRUST)).exit_code
    assert bad.stdout.splitlines()[-1].startswith("NOT verified: ")
    one = ["log.bundle", "--trust", "trust.yaml"]
    assert run(*one, "--previous", "log.bundle", "--previous-trust", "trust.yaml").returncode == bad.returncode
    for wrong in (
        [*one, "--previous", "log.bundle"],
        ["none", "--trust", "trust.yaml"],
        ["log.bundle", "--trust", "log.bundle"],
        ["log.bundle"],
    ):
        refused = run(*wrong)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert "Traceback" not in refused.stderr


def test_a_trust_text_of_several_issuers_is_read(tmp_path: Path) -> None:
    world = World()
    trust = world.trust()
    pem = authority().ca.certificate.decode()
    text = trust_text(
        origin=trust.origin,
        environment="test",
        log_keys=sorted(trust.log_key_texts),
        issuers=[pem, pem],
        policy_signers=sorted(trust.policy_signers),
        policy_quorum=trust.policy_quorum,
        engines=sorted(trust.engines),
    )
    assert one_file.read_trust(text).fingerprint == parse_trust(text).fingerprint
