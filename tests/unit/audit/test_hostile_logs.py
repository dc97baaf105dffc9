"""What a hostile log may do to the auditor's machine: no room without a bound, and no word to the terminal.

The logs that must be refused stand in tests/support/bad_bundles_hostile.py.
"""

from __future__ import annotations

import tracemalloc
from datetime import timedelta
from pathlib import Path

import pytest
from audit_kit import START, World
from bad_bundles_life import previous
from both_verifiers import one_file
from log_kit import time_text
from typer.testing import CliRunner

from broker.audit.entries import LogEntry
from broker.audit.erasures import Erasures
from broker.audit.findings import Code, Findings
from broker.audit.policies import Policies
from broker.cli.audit.root import app


def test_what_was_made_and_erased_many_times_takes_no_room_for_each_pair() -> None:
    """2,000 questions under one commitment and 2,000 erasures of it are 4,000,000 pairs."""
    findings, trust, many = Findings(), World().trust(), 2_000
    erasures = Erasures(trust, findings, Policies(trust, findings))
    parties = {"asker": "nla", "principal": None, "answerer": "snf", "purpose": "p"}
    statement = {"tokens": "ab" * 32, "subjects": 1}
    ask = {**parties, "exchange": "1", "decided_at": time_text(START), "decision": {"effect": "permit"}}
    erased = {"what": "retention", "purpose": "p", "commitments": ["ab" * 32]}
    for index in range(many):
        erasures.ask(LogEntry(index, "ask", START, "", {**ask, "statement": statement}), None)
    for index in range(many, 2 * many):
        erasures.erasure(LogEntry(index, "erasure", START + timedelta(days=900), "", erased))
    tracemalloc.start()
    try:
        erasures.settle()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert dict(findings.counts) == {Code.ERASURE_TWICE: many - 1}
    assert peak < 8 << 20, f"{peak:,} bytes"


def test_a_log_writes_nothing_to_the_terminal_but_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The name of the log before is the operator's word: it can hold what moves a cursor and looks like a verdict."""
    world = World().begin(previous(origin="x\x1b[2J\nverified: 1 entries of all you want"))
    bundle, trust = tmp_path / "log.bundle", tmp_path / "trust.yaml"
    bundle.write_bytes(b"".join(world.bundle()))
    trust.write_text(world.trust_text())
    one_file().main([str(bundle), "--trust", str(trust)])
    told = [capsys.readouterr().out, CliRunner().invoke(app, ["verify", str(bundle), "--trust", str(trust)]).stdout]
    for text in told:
        assert "all you want" in text
        assert "\x1b" not in text
        assert not any(line.startswith("verified") for line in text.splitlines())
