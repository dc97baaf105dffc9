"""How often a party may search for a person in a day: a limit of the purpose, that officers sign and see change."""

from __future__ import annotations

import pytest
from policy_samples import bent, load

from broker.policy.approvals import purpose_digest
from broker.policy.change_report import compare
from broker.policy.difference import Section
from broker.policy.document import PolicySet
from broker.policy.purpose import SUBJECT_SEARCHES

NAME = "snf-locatie"
FILE = f"purposes/{NAME}.yaml"
LIMIT = "requests_per_day: 50"


def with_limit(number: int) -> PolicySet:
    return load(bent(FILE, LIMIT, f"{LIMIT}, subject_searches_per_day: {number}"))


def test_older_digests_hold() -> None:
    assert "subject_searches_per_day" not in load().meaning["purposes"][NAME]["limits"]


def test_an_approval_covers_it() -> None:
    assert purpose_digest(with_limit(9), NAME) != purpose_digest(with_limit(10), NAME)


@pytest.mark.parametrize(
    ("number", "section"), [(SUBJECT_SEARCHES + 1, Section.LOOSER), (SUBJECT_SEARCHES - 1, Section.TIGHTER)]
)
def test_a_change_is_told_where_it_belongs(number: int, section: Section) -> None:
    told = [sentence.text for sentence in compare(load(), with_limit(number)).sections[section]]
    assert any(f"searches for a person a day, for each party: {SUBJECT_SEARCHES} -> {number}" in text for text in told)


def test_the_number_that_holds_anyway_is_no_change() -> None:
    found = compare(load(), with_limit(SUBJECT_SEARCHES)).sections
    assert not any("searches for a person" in sentence.text for some in found.values() for sentence in some)
