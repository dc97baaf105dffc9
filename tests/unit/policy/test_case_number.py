from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.policy.case_number import holds_bsn, judge, longest_digit_run, matches, parse_pattern

NLA = "NLA-[0-9]{4}-[0-9]{4,6}"


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (None, "absent"),
        ("", "absent"),
        ("NLA-2026-8812", "accepted"),
        ("NLA-2026-881234", "accepted"),
        ("NLA-2026-8812345", "malformed"),
        ("NLA-2026-881", "malformed"),
        ("xNLA-2026-8812", "malformed"),
        ("NLA-2026-8812\n", "malformed"),
        ("NLA-2026-8812 ", "malformed"),
        ("nla-2026-8812", "malformed"),
        ("NLA-\uff12026-8812", "malformed"),
        ("NLA-2026-\u0668812", "malformed"),
        ("N" * 65, "malformed"),
        ("999993653", "looks-like-bsn"),  # published test person
        ("12345678", "malformed"),  # eight digits that fail the test
        ("10000008", "looks-like-bsn"),  # 010000008: leading zero left out
        ("000009921", "looks-like-bsn"),
        ("NLA-2026-999993653", "looks-like-bsn"),
        ("9999.93.653", "looks-like-bsn"),
        ("9999 93 653", "looks-like-bsn"),
        ("999993654", "malformed"),  # fails the 11-test
        ("000000000", "malformed"),  # no BSN: all zero
        ("NLA-2026-9999936530", "malformed"),  # ten digits are no BSN
    ],
)
def test_verdicts(text, verdict):
    assert judge(NLA, text) == verdict


def test_without_a_pattern_nothing_is_accepted():
    assert judge(None, "NLA-2026-8812") == "malformed"
    assert judge(None, None) == "absent"


@pytest.mark.parametrize(
    "pattern",
    ["", "a?", ".*", "a+", "a*", "(a)", "a|b", "[^a]", "[a-Z]", "[9-0]", "[]", "a{0}", "a{3,2}", "a{65}", "a{99}",
     "a{2", "\\d", "[0-9]{1,40}[a-z]{1,40}", "^a", "a$", "[0-9]]", "é"],
)  # fmt: skip
def test_patterns_outside_the_subset_are_refused(pattern):
    with pytest.raises(ValueError):
        parse_pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "run"),
    [(NLA, 6), ("[0-9]{8}", 8), ("[0-9]{4}[A-Z0-9]{4}", 8), ("[0-9]{4}-?[0-9]{4}", 8), ("[0-9]{4}-[0-9]{4}", 4),
     ("12345678", 8), ("A[0-9]?[0-9]?B", 2), ("[0-9]{7}[A-Z]?[0-9]", 8)],
)  # fmt: skip
def test_the_longest_run_of_digits(pattern, run):
    assert longest_digit_run(parse_pattern(pattern)) == run


def test_matching_is_bounded_where_a_regex_engine_explodes():
    pattern = "[a-z]?" * 31 + "[a-z]{31}" + "X"
    steps = parse_pattern(pattern)
    start = time.process_time()
    for _ in range(20):
        assert not matches(steps, "a" * 63)
    assert time.process_time() - start < 2, "CPU time: a loaded machine does not count"


pieces = st.sampled_from(["A", "-", "[0-9]", "[A-C]", "[0-9]{2}", "[A-C]{1,3}", "B?", "[0-9]{0,2}", " ", ".", "/"])


@given(st.lists(pieces, min_size=1, max_size=6).map("".join), st.text(alphabet="ABC012- ./", max_size=12))
@settings(max_examples=500, deadline=None)
def test_matching_agrees_with_re(pattern, text):
    try:
        steps = parse_pattern(pattern)
    except ValueError:
        return
    assert matches(steps, text) == bool(re.fullmatch(pattern.replace(".", r"\."), text))


@given(st.integers(1, 999_999_999))
def test_the_eleven_test(number):
    digits = f"{number:09d}"
    total = sum(int(d) * w for d, w in zip(digits, (9, 8, 7, 6, 5, 4, 3, 2, -1), strict=True))
    assert holds_bsn(f"A-{digits}/x") == (total % 11 == 0)
