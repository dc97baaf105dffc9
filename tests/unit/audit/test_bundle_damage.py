"""Damage: flips and cuts at sampled offsets of a bundle, and lines dropped, doubled and swapped with a new last line.

None may verify and none may raise. The sampling is seeded, so a failure can be repeated.
"""

import random
from functools import cache

import pytest
from audit_kit import World, played, sealed
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.audit.findings import Report
from broker.audit.trust import Trust
from broker.audit.verify import verify


@cache
def world() -> World:
    """The played log without its archive's weight: the policy set is most of the bytes, and is sampled apart."""
    return played()


@cache
def bundle() -> bytes:
    return b"".join(world().bundle())


@cache
def trust() -> Trust:
    return world().trust()


def check(data: bytes) -> Report:
    report = verify(data.splitlines(keepends=True), trust())
    assert not report.verified
    assert report.exit_code >= 10
    return report


def offsets(count: int) -> list[int]:
    """Half of them inside the policy set, half in the log behind it."""
    data = bundle()
    log = data.index(b'{"leaf"')
    chance = random.Random(20261123)
    spread = [chance.randrange(log) for _ in range(count // 2)] + [
        chance.randrange(log, len(data)) for _ in range(count // 2)
    ]
    return [0, 1, log - 1, log, len(data) - 2, len(data) - 1, *spread]


def test_the_bundle_itself_verifies() -> None:
    assert verify(bundle().splitlines(keepends=True), trust()).verified


def test_every_sampled_flip_is_refused() -> None:
    data, chance = bundle(), random.Random(7)
    for at in offsets(20):
        check(data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :])


@pytest.mark.slow
def test_many_flips_are_refused() -> None:
    data, chance = bundle(), random.Random(8)
    for at in offsets(1_000):
        check(data[:at] + bytes([data[at] ^ chance.randrange(1, 256)]) + data[at + 1 :])


@pytest.mark.slow
def test_every_sampled_cut_is_refused() -> None:
    data = bundle()
    for at in offsets(60):
        if at < len(data):
            check(data[:at])


@pytest.mark.slow
def test_every_line_dropped_doubled_or_swapped_is_refused() -> None:
    """With a last line that sums up the new lines, so that only the log itself can tell."""
    lines = world().lines()
    for at in range(len(lines)):
        variants = [[*lines[:at], *lines[at + 1 :]], [*lines[: at + 1], *lines[at:]]]
        if at + 1 < len(lines):
            variants.append([*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]])
        for number, variant in enumerate(variants):
            if number == 1 and lines[at].startswith(b'{"policy_set"'):
                continue  # the same archived set twice says nothing new
            check(b"".join(sealed(variant)))


def test_a_tail_cut_at_a_checkpoint_verifies_and_says_so() -> None:
    """What no verifier can see without a later receipt: that is what `--expect` is for."""
    lines = world().lines()
    notes = [i for i, line in enumerate(lines) if line.startswith(b'{"checkpoint"')]
    cut = lines[: notes[-2] + 1]
    cut[0] = cut[0].replace(b'"size":%d' % world().size, b'"size":%d' % (world().size - 1))
    report = verify(sealed(cut), trust())
    assert report.verified
    assert "later unknown" in report.completeness


@settings(deadline=None, max_examples=60)
@given(st.lists(st.binary(max_size=60), max_size=5))
def test_anything_at_all_gives_a_report(lines: list[bytes]) -> None:
    assert not verify([line + b"\n" for line in lines], trust()).verified
