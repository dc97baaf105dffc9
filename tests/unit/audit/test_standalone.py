"""The verifier in one file agrees with `sluis audit verify`: on good and bad bundles, damage, decisions and days."""

import ast
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import pytest
from audit_kit import World, played, policy_bundle, sealed
from bad_bundles import bad_bundle, bad_names
from hypothesis import given, settings
from hypothesis import strategies as st
from random_policies import questions, random_texts
from world import policy_texts as texts

from broker.audit.findings import Code
from broker.audit.trust import parse_trust, trust_text
from broker.audit.verify import verify
from broker.exchange import Want
from broker.policy.bundle import policy_set_from_texts
from broker.policy.document import PolicySet
from broker.policy.evaluate import ENGINES, Facts, Request, decision_to_log, evaluate, facts_to_log
from broker.policy.legal_days import local_day

FILE = Path(__file__).resolve().parents[3] / "clients" / "auditor" / "sluis_verify.py"
NOT_THERE: frozenset[str] = frozenset()
"""Codes of `sluis audit verify` that the one file does not check; its first lines say so."""


def _load() -> ModuleType:
    module = ModuleType("sluis_verify")
    sys.modules["sluis_verify"] = module  # dataclasses look their module up
    exec(compile(FILE.read_text("utf-8"), str(FILE), "exec"), module.__dict__)
    return module


one_file: Any = _load()


def codes_of(lines: list[bytes], trust: str, expect: bytes | None = None) -> set[str]:
    run = one_file.Verification(one_file.read_trust(trust), expect)
    run.run(lines)
    return {finding.code for finding in run.findings}


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
    assert {code.name for code in Code} >= NOT_THERE


def test_a_good_log_verifies_in_both() -> None:
    world = played()
    world.archive.append(policy_bundle(revision=2, shadow=True))
    world.batch(("policy", world.policy_entry(world.archive[-1])))
    world.ask("utrecht", ["snf"], "snf-locatie", Want(True, False, ("beds",)))
    world.suspend("snf-locatie")
    world.ask("utrecht", ["snf"], "snf-locatie", Want(True, False, ("beds",)))
    assert both(world.bundle(), world.trust_text()) == (set(), set())


@pytest.mark.parametrize("name", bad_names())
def test_a_bad_bundle_is_refused_for_the_same_reasons(name: str) -> None:
    bundle = bad_bundle(name)
    assert codes_of(bundle.lines, bundle.trust, bundle.expect) == bundle.codes - NOT_THERE


LINES = played().bundle()
TRUST = played().trust_text()


@settings(max_examples=25, deadline=None)
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


@pytest.mark.parametrize("engine", sorted(ENGINES))
def test_decisions_are_the_same_to_the_letter(engine: str) -> None:
    sets = [policy_set_from_texts(texts(), expires=datetime(2027, 1, 1, tzinfo=UTC))]
    sets += [policy_set_from_texts(random_texts(seed), expires=datetime(2026, 9, 1, tzinfo=UTC)) for seed in range(4)]
    seen = set()
    for policies in sets:
        for _, (request, facts) in questions(policies, 400, seed=5):
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


def test_the_trust_file_reads_the_same() -> None:
    world = World()
    for changes in ({}, {"policy_signers": ["0" * 64, "12e45" + "0" * 59]}, {"unsafe_skip_approvals": True}):
        text = world.trust_text(**changes)
        mine, theirs = one_file.read_trust(text), parse_trust(text)
        assert mine.fingerprint == theirs.fingerprint
        assert mine.policy_signers == theirs.policy_signers
        assert mine.approvals == theirs.policy_approvals
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
    ],
)
def test_a_wrong_trust_file_is_refused_by_both(change: tuple[str, str]) -> None:
    text = TRUST.replace(*change)
    assert text != TRUST
    with pytest.raises(one_file.Malformed):
        one_file.read_trust(text)
    with pytest.raises(Exception, match=r"."):
        parse_trust(text)


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
    bundle.write_bytes(b"".join(sealed([*LINES[:20], *LINES[21:-1]])))
    bad = run("log.bundle", "--trust", "trust.yaml")
    assert bad.returncode == verify(bundle.open("rb"), parse_trust(TRUST)).exit_code
    assert bad.stdout.splitlines()[-1].startswith("NOT verified: ")
    for wrong in (["none", "--trust", "trust.yaml"], ["log.bundle", "--trust", "log.bundle"], ["log.bundle"]):
        refused = run(*wrong)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert "Traceback" not in refused.stderr


def test_a_trust_text_of_several_issuers_is_read(tmp_path: Path) -> None:
    world = World()
    trust = world.trust()
    from audit_kit import authority

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
