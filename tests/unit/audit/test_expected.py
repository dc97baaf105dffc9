"""Comparing a bundle with a checkpoint or receipt that came another way."""

import base64
import json
from typing import Any

import pytest
from audit_kit import ASK, RELEASE, World, played
from log_kit import Keys

from broker.audit.verify import verify
from broker.canonical import parse_canonical
from broker.exchange_log.merkle import CompactRange, inclusion_proof, leaf_hash


def notes(world: World) -> list[str]:
    lines = world.lines()
    return [parse_canonical(line[:-1])["checkpoint"] for line in lines if line.startswith(b'{"checkpoint"')]


def receipt(world: World, index: int) -> dict[str, Any]:
    """The receipt of an entry under the newest checkpoint, as a client keeps it."""
    leaves = [
        base64.b64decode(parse_canonical(line[:-1])["leaf"]) for line in world.lines() if line.startswith(b'{"leaf"')
    ]
    tree, nodes = CompactRange(), {}
    for leaf in leaves:
        for level, position, node in tree.append(leaf_hash(leaf)):
            nodes[level, position] = node
    proof = inclusion_proof(index, tree.size, lambda level, position: nodes[level, position])
    return {
        "leaf": base64.b64encode(leaves[index]).decode(),
        "index": str(index),
        "inclusion": [base64.b64encode(item).decode() for item in proof],
        "checkpoint": notes(world)[-1],
    }


def test_an_old_checkpoint_and_a_receipt_are_found_in_the_log() -> None:
    world = played()
    for expect in (notes(world)[4], notes(world)[-1], json.dumps(receipt(world, RELEASE))):
        report = world.verify(expect=expect.encode())
        assert report.verified, report.findings
        assert "it holds what you expected" in report.completeness


def test_receipts_inside_other_json() -> None:
    world = played()
    answers = {"answers": [{"ask": receipt(world, ASK), "release": receipt(world, RELEASE)}]}
    assert world.verify(expect=json.dumps(answers).encode()).verified


def test_a_cut_tail_is_missed() -> None:
    longer = played()
    world = played()
    del world.batches[-3:], world.times[-3:]
    assert world.verify().verified
    for expect in (notes(longer)[-1], json.dumps(receipt(longer, longer.size - 1))):
        report = world.verify(expect=expect.encode())
        assert set(report.counts) == {"EXPECTED_MISSING"}
        assert report.exit_code == 13


def test_a_fork_is_seen() -> None:
    """The broker shows the auditor a log, signed and sound, in which one release has another result."""
    world, shown = played(), played()
    shown.body(RELEASE)["result"] = "99" * 32
    assert shown.verify().verified
    for expect in (notes(world)[-1], json.dumps(receipt(world, RELEASE))):
        assert set(shown.verify(expect=expect.encode()).counts) == {"EXPECTED_DIFFERS"}


def changed(world: World, **members: Any) -> str:
    return json.dumps({**receipt(world, RELEASE), **members})


@pytest.mark.parametrize(
    "make",
    [
        lambda w: "",
        lambda w: "{",
        lambda w: "{}",
        lambda w: "[" * 100_000,
        lambda w: '{"a":"\ud800"}',
        lambda w: "hello",
        lambda w: notes(w)[-1].replace(f"\n{w.size}\n", f"\n{w.size - 1}\n"),
        lambda w: notes(w)[-1][:-1],
        lambda w: changed(w, index=RELEASE + 1),
        lambda w: changed(w, index="x"),
        lambda w: changed(w, index=None),
        lambda w: changed(w, leaf="QUJD"),
        lambda w: changed(w, leaf=5),
        lambda w: changed(w, inclusion=[]),
        lambda w: changed(w, inclusion=5),
        lambda w: changed(w, checkpoint=""),
        lambda w: changed(w, checkpoint=None),
        lambda w: changed(w, checkpoint=notes(w)[3]),
    ],
)
def test_what_is_not_of_this_log_is_refused(make: Any) -> None:
    world = played()
    data = make(world).encode("utf-8", "surrogatepass")
    assert set(world.verify(expect=data).counts) == {"EXPECTED_FORM"}


def test_a_checkpoint_of_an_untrusted_key_is_refused() -> None:
    world, other = played(), played()
    other.keys = Keys("thief")
    report = verify(world.bundle(), world.trust(), expect=notes(other)[-1].encode())
    assert set(report.counts) == {"EXPECTED_FORM"}


def test_an_index_that_is_no_number_is_refused() -> None:
    world = played()
    for index in ("Infinity", "1e999", "-1", '"x"', "null", "1.0"):
        text = (
            json.dumps(receipt(world, RELEASE))
            .replace(f'"index": {RELEASE}', f'"index": {index}')
            .replace(f'"index": "{RELEASE}"', f'"index": {index}')
        )
        assert set(world.verify(expect=text.encode()).counts) == {"EXPECTED_FORM"}, index


def test_evidence_of_a_fork_is_contained_by_no_log() -> None:
    """Both checkpoints of an evidence file are expected: a log holds at most one of two roots for one size."""
    ours, theirs = played(), played()
    theirs.times = [at.replace(microsecond=7) for at in theirs.times]
    for other, codes in ((notes(ours)[4], set()), (notes(theirs)[4], {"EXPECTED_DIFFERS"})):
        evidence = {"checkpoints": [notes(ours)[-1], other], "prefix_root": None, "consistency": []}
        report = ours.verify(expect=json.dumps(evidence).encode())
        assert set(report.counts) == codes
