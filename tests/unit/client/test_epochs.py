from datetime import UTC, datetime, timedelta

import pytest
from sluis_client.epochs import (
    epoch_after,
    epoch_name,
    epoch_window,
    generation_after,
    is_later_key,
    open_epochs,
)
from sluis_client.errors import ClientError


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "kind", "start", "end"),
    [
        ("2026Q4", "quarter", "2026-09-30T22:00", "2026-12-31T23:00"),
        ("2026Q1", "quarter", "2025-12-31T23:00", "2026-03-31T22:00"),
        ("2026-10", "month", "2026-09-30T22:00", "2026-10-31T23:00"),
        ("2026-12", "month", "2026-11-30T23:00", "2026-12-31T23:00"),
        ("2026", "year", "2025-12-31T23:00", "2026-12-31T23:00"),
    ],
)
def test_a_window_is_midnight_to_midnight_in_amsterdam(name, kind, start, end):
    assert epoch_window(name, kind) == (at(start), at(end))
    assert epoch_name(kind, at(start)) == name
    assert epoch_name(kind, at(end)) != name


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("2026Q5", "quarter"),
        ("2026Q4", "month"),
        ("2026-13", "month"),
        ("2026", "quarter"),
        ("2026Q4", "year"),
        ("", "year"),
    ],
)
def test_names_that_are_refused(name, kind):
    with pytest.raises(ClientError) as refused:
        epoch_window(name, kind)
    assert refused.value.code == "EPOCH_INVALID"


@pytest.mark.parametrize(
    ("name", "other", "later"),
    [
        ("2026Q4.2", "2026Q4", True),
        ("2026Q4.10", "2026Q4.9", True),
        ("2026Q4", "2026Q4", False),
        ("2026Q4", "2026Q4.2", False),
        ("2027Q1.2", "2026Q4", False),
        ("2026Q4.1", "2026Q4", False),
        ("2026Q4.x", "2026Q4", False),
        ("", "2026Q4", False),
    ],
)
def test_only_a_later_key_of_the_same_period_is_taken_from_the_broker(name, other, later):
    assert is_later_key(name, other) is later


def test_a_second_key_has_the_window_of_its_period_and_the_period_after_it():
    assert epoch_window("2026Q4.2", "quarter") == epoch_window("2026Q4", "quarter")
    assert (epoch_after("2026Q4.2", "quarter"), generation_after("2026Q4.2")) == ("2027Q1", "2026Q4.3")
    for name in ("2026Q4.1", "2026Q4.02", "2026Q4.100", "2026Q4.2.2", "2026Q4."):
        with pytest.raises(ClientError):
            epoch_window(name, "quarter")


def test_two_epochs_are_open_until_a_midnight_in_amsterdam():
    _, turn = epoch_window("2026Q4", "quarter")
    second = timedelta(seconds=1)
    assert open_epochs("quarter", 7, turn - second) == ("2026Q4",)
    assert open_epochs("quarter", 7, turn) == ("2027Q1", "2026Q4")
    assert open_epochs("quarter", 7, turn + timedelta(days=7) - second) == ("2027Q1", "2026Q4")
    assert open_epochs("quarter", 7, turn + timedelta(days=7)) == ("2027Q1",)
    assert open_epochs("quarter", 0, turn) == ("2027Q1",)
