"""A log of every engine that was ever released, verified and replayed by each later version, forever.

The files are made once (`tests/support/golden_logs.py`) and never again: a program that reads them otherwise is wrong.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broker.audit.replay import Replayed
from broker.audit.replaying import replay_all
from broker.audit.trust import parse_trust
from broker.audit.verify import verify
from broker.policy import checks, evaluate

LOGS = Path(__file__).parent / "logs"
ENGINES = sorted(evaluate.ENGINES)


def folder_of(engine: str) -> Path:
    return LOGS / engine.replace("/", "-")


def lines_of(engine: str) -> list[bytes]:
    return (folder_of(engine) / "log.bundle").read_bytes().splitlines(keepends=True)


def decisions(engine: str) -> Iterator[dict[str, Any]]:
    for line in lines_of(engine):
        value = json.loads(line)
        if "leaf" in value:
            body = json.loads(base64.b64decode(value["leaf"]))["body"]
            if "decision" in body:
                assert body["engine"] == engine
                yield body["decision"]


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_has_its_log(engine: str) -> None:
    for name in ("log.bundle", "trust.yaml"):
        assert (folder_of(engine) / name).is_file(), f"release of {engine}: run tests/support/golden_logs.py {engine}"


def test_no_log_was_made_anew() -> None:
    sums = dict(line.split("  ")[::-1] for line in (LOGS / "SHA256SUMS").read_text().splitlines())
    there = {path.relative_to(LOGS).as_posix(): path for path in LOGS.glob("*/*")}
    assert sums == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in there.items()}


@pytest.mark.parametrize("engine", ENGINES)
def test_it_verifies(engine: str) -> None:
    trust = parse_trust((folder_of(engine) / "trust.yaml").read_text())
    report = verify(lines_of(engine), trust)
    assert [str(finding) for finding in report.findings] == []
    assert report.verified
    assert trust.engines == {engine}


@pytest.mark.parametrize("engine", ENGINES)
def test_it_replays_the_same(engine: str) -> None:
    outcome = replay_all(lines_of(engine))
    assert outcome.listed == []
    assert outcome.count(Replayed.SAME) == outcome.decisions == len(list(decisions(engine))) > 30
    assert {row.revision for row in outcome.rows} == {1, 2}


@pytest.mark.parametrize("engine", ENGINES)
def test_every_check_is_met_and_not_met_in_it(engine: str) -> None:
    known = {"purpose-known", *(name for name, _ in evaluate.ENGINES[engine])}
    found = {(check["id"], check["met"]) for decision in decisions(engine) for check in decision["checks"]}
    assert found == {(name, met) for name in known for met in (True, False)}
    assert {decision["effect"] for decision in decisions(engine)} == {"permit", "deny"}
    assert any(decision["obligations"] for decision in decisions(engine))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_changed_word_in_any_check_of_an_engine_fails(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for at, (name, check) in enumerate(evaluate.ENGINES[engine]):

        def other(case: checks.Case, check: checks.Check = check) -> evaluate.CheckResult:
            found = check(case)
            return found._replace(reason=found.reason + ".")

        changed = list(evaluate.ENGINES[engine])
        changed[at] = (name, other)
        with monkeypatch.context() as patch:
            patch.setitem(checks.ENGINES, engine, tuple(changed))
            outcome = replay_all(lines_of(engine))
        assert outcome.count(Replayed.DIFFERS) > 0, name
