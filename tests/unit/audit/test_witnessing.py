"""Cosignatures in a bundle, as the verifier judges them: how far, by whom, and what is missing."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from audit_kit import played, sealed
from bad_bundles import bad_bundle, bad_names, codes_of
from cosigned_lines import RULE, VKEYS, WITNESSES, cosigned, honest, with_cosigned
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from broker.audit.findings import Code, Fault
from broker.audit.tree import NoteError, read_checkpoint
from broker.audit.trust import parse_trust
from broker.audit.verify import verify
from broker.audit.witness_rule import parse_witness_key
from broker.audit.witnessing import read_cosignatures
from broker.cli import app
from broker.errors import SluisError
from broker.exchange_log.checkpoint import parse_checkpoint
from broker.exchange_log.cosignature import cosignatures

WORLD = played()
TRUST = WORLD.trust(**RULE)
GOOD = sealed(with_cosigned(WORLD))
NOTE = cosigned(json.loads(WORLD.lines()[-1])["checkpoint"], WORLD.at, WITNESSES)
BAD = bad_names()


def test_a_witnessed_log_verifies_and_says_how_far() -> None:
    report = verify(GOOD, TRUST)
    assert report.verified, report.findings
    assert report.witnessed is not None
    assert (report.witnessed.size, report.cosigned) == (report.size, report.checkpoints)
    assert report.witnessed.by == (WITNESSES[0].public.name, WITNESSES[1].public.name)
    assert report.exit_code == 0


def test_what_follows_the_newest_cosigned_checkpoint_is_log_signed_only() -> None:
    last = len(WORLD.times) - 1
    report = verify(sealed(with_cosigned(WORLD, lambda n, note, at: honest(n, note, at)[: n < last - 2])), TRUST)
    assert report.verified, report.findings
    assert report.witnessed is not None
    assert 0 < report.witnessed.size < report.size


def test_without_witnesses_in_the_trust_file_nothing_is_checked_but_form() -> None:
    report = verify(GOOD, WORLD.trust())
    assert report.verified
    assert (report.cosigned, report.cosigned_unchecked, report.witnessed) == (0, report.checkpoints, None)


def test_other_witnesses_besides_are_passed_over() -> None:
    report = verify(sealed(with_cosigned(WORLD, lambda _n, note, at: [cosigned(note, at, WITNESSES)])), TRUST)
    assert report.verified
    assert report.witnessed is not None
    assert len(report.witnessed.by) == 3


def test_an_outage_without_asks_is_no_fault() -> None:
    """Housekeeping goes on while questions are refused: entries of a long outage may stand unwitnessed."""
    world = played()
    entry = ("refusal", {"party": "nla", "rpc": "Ask", "code": "FIELD_INVALID", "request_id": None})
    world.batch(entry, after=timedelta(minutes=5))
    first = len(world.times) - 1
    world.batch(entry, after=timedelta(minutes=5))
    strict = WORLD.trust(**RULE, witness_grace_minutes=0)
    report = verify(sealed(with_cosigned(world, lambda n, note, at: honest(n, note, at)[: n < first])), strict)
    assert report.verified, report.findings


def test_a_log_that_was_witnessed_from_some_entry_on() -> None:
    last = len(WORLD.times) - 2
    size = sum(len(batch) for batch in WORLD.batches[:last])
    lines = sealed(with_cosigned(WORLD, lambda n, note, at: honest(n, note, at)[: n >= last]))
    assert verify(lines, TRUST).counts.keys() == {"WITNESS_GAP"}
    assert verify(lines, WORLD.trust(**RULE, witness_from=size)).verified


def test_a_larger_grace_forgives_more() -> None:
    lines = bad_bundle("cosignatures stripped in the middle").lines
    assert not verify(lines, TRUST).verified
    assert verify(lines, WORLD.trust(**RULE, witness_grace_minutes=1440)).verified


def test_every_code_of_witnesses_is_shown_by_a_bad_bundle() -> None:
    shown = set().union(*map(codes_of, BAD))
    assert {code.name for code in Code if code.fault is Fault.WITNESS} <= shown


def test_the_witness_s_own_record_is_an_expectation() -> None:
    """An auditor gets it from the witness, not from the broker: `sluis witness show`."""
    lines = WORLD.lines()
    note = json.loads(lines[-1])["checkpoint"]
    record = cosigned(note, WORLD.at, WITNESSES[:1]).encode()
    assert verify(GOOD, TRUST, expect=record).verified
    cut = sealed(with_cosigned(WORLD)[:-4])
    assert "EXPECTED_MISSING" in verify(cut, TRUST, expect=record).counts


def test_both_readers_find_the_same() -> None:
    keys = dict(map(parse_witness_key, VKEYS))
    assert read_cosignatures(NOTE, keys) == cosignatures(parse_checkpoint(NOTE), [one.public for one in WITNESSES])


@given(st.data())
def test_both_readers_refuse_the_same_changes(data: st.DataObject) -> None:
    raw = bytearray(NOTE.encode())
    at = data.draw(st.integers(NOTE.encode().index(b"\n\n") + 2, len(raw) - 1))
    raw[at] = data.draw(st.integers(0, 127))
    changed = raw.decode("utf-8", "replace")
    keys = dict(map(parse_witness_key, VKEYS))
    try:
        theirs: object = cosignatures(parse_checkpoint(changed), [one.public for one in WITNESSES])
    except SluisError:
        theirs = None
    try:
        read_checkpoint(changed, TRUST.log_keys)
        mine: object = read_cosignatures(changed, keys)
    except NoteError:
        mine = None
    assert mine is None or mine == theirs


def test_the_trust_file_s_members_about_witnesses() -> None:
    plain, ruled = WORLD.trust(), WORLD.trust(**RULE)
    assert plain.fingerprint != ruled.fingerprint
    assert ruled.fingerprint == WORLD.trust(**{**RULE, "witnesses": VKEYS[::-1]}).fingerprint
    assert ruled.fingerprint == WORLD.trust(**RULE, witness_grace_minutes=15).fingerprint
    assert ruled.fingerprint != WORLD.trust(**RULE, witness_grace_minutes=16).fingerprint


@pytest.mark.parametrize(
    "text",
    [
        "witness_quorum: 1\n",
        f"witnesses: [{VKEYS[0]}]\n",
        f"witnesses: [{VKEYS[0]}]\nwitness_quorum: 2\n",
        f"witnesses: [{VKEYS[0]}]\nwitness_quorum: 0\n",
        f"witnesses: [{VKEYS[0]}]\nwitness_quorum: one\n",
        f"witnesses: [{VKEYS[0]}, {VKEYS[0]}]\nwitness_quorum: 1\n",
        "witnesses: []\nwitness_quorum: 1\n",
        "witnesses: [a+b+c]\nwitness_quorum: 1\n",
        f"witnesses: [{VKEYS[0]}A]\nwitness_quorum: 1\n",
        f"witnesses: [x{VKEYS[0]}]\nwitness_quorum: 1\n",
        f"witnesses: [{VKEYS[0]}]\nwitness_quorum: 1\nwitness_grace_minutes: 1441\n",
        f"witnesses: [{VKEYS[0]}]\nwitness_quorum: 1\nwitness_from: -1\n",
        f"witnesses: {{a: {VKEYS[0]}}}\nwitness_quorum: 1\n",
    ],
)
def test_members_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(SluisError, match=r"trust.yaml: .*witness"):
        parse_trust(WORLD.trust_text() + text)


def test_the_command_says_how_far_it_is_witnessed(tmp_path: Path) -> None:
    last = len(WORLD.times) - 1
    lines = sealed(with_cosigned(WORLD, lambda n, note, at: honest(n, note, at)[: n < last]))
    (tmp_path / "log.bundle").write_bytes(b"".join(lines))
    (tmp_path / "trust.yaml").write_text(WORLD.trust_text(**RULE))
    command = ["audit", "verify", str(tmp_path / "log.bundle"), "--trust", str(tmp_path / "trust.yaml")]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    size = WORLD.size
    by = ", ".join(one.public.name for one in WITNESSES[:2])
    assert f"witnesses    the first {size - 1} entries were seen by 2 of 3 ({by}), 2 asked, at " in result.output
    assert "\n             the last 1 are signed by the log's own key and seen by no quorum\n" in result.output
    told = json.loads(CliRunner().invoke(app, [*command, "--json"]).output)
    assert (told["witnessed"]["size"], told["witnessed"]["of"], told["witnessed"]["asked"]) == (size - 1, 3, 2)
    file = Path(__file__).parents[3] / "clients/auditor/sluis_verify.py"
    alone = subprocess.run([sys.executable, str(file), *command[2:]], capture_output=True, text=True)
    assert "seen by 2 of 3 or more; the last 1 by no quorum\n" in alone.stdout
    shown = CliRunner().invoke(app, ["audit", "trust", "show", str(tmp_path / "trust.yaml")])
    assert "witnesses    2 of 3, grace 15 minutes" in shown.output
