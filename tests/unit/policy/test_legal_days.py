from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from policy_samples import load

from broker.policy.legal_days import (
    AMSTERDAM,
    calendar_epoch,
    day_of,
    epoch_name,
    epoch_of,
    generation_of,
    midnight,
    next_generation,
    next_midnight,
    open_epochs,
)

PURPOSE = load().purposes["snf-locatie"]


def at(text):
    return datetime.fromisoformat(text)


def with_epoch(period):
    pseudonyms = PURPOSE.pseudonyms.model_copy(update={"epoch": period})
    return PURPOSE.model_copy(update={"pseudonyms": pseudonyms})


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("2026-11-23T22:59:59Z", "2026-11-23"),
        ("2026-11-23T23:00:00Z", "2026-11-24"),  # winter: UTC+1
        ("2026-07-01T21:59:59Z", "2026-07-01"),
        ("2026-07-01T22:00:00Z", "2026-07-02"),  # summer: UTC+2
        ("2026-12-31T23:00:00Z", "2027-01-01"),
        ("2026-11-23T18:00:00-05:00", "2026-11-24"),
    ],
)
def test_days_begin_at_midnight_in_amsterdam(moment, day):
    assert day_of(at(moment)) == day


@pytest.mark.parametrize(
    ("moment", "following", "hours"),
    [
        ("2026-03-29T00:30:00Z", "2026-03-29T22:00:00Z", 23),  # the clock went forward
        ("2026-10-25T00:30:00Z", "2026-10-25T23:00:00Z", 25),  # the clock went back
        ("2026-11-23T10:00:00Z", "2026-11-23T23:00:00Z", 24),
    ],
)
def test_next_midnight_knows_summer_time(moment, following, hours):
    end = next_midnight(at(moment))
    assert end == at(following)
    start = midnight(date.fromisoformat(day_of(at(moment))))
    assert end - start == timedelta(hours=hours)
    assert next_midnight(end - timedelta(microseconds=1)) == end
    assert next_midnight(end) > end


@pytest.mark.parametrize(
    ("period", "moment", "name", "start", "end"),
    [
        ("quarter", "2026-11-23T10:00:00Z", "2026Q4", "2026-09-30T22:00:00Z", "2026-12-31T23:00:00Z"),
        ("quarter", "2026-12-31T23:00:00Z", "2027Q1", "2026-12-31T23:00:00Z", "2027-03-31T22:00:00Z"),
        ("quarter", "2026-12-31T22:59:59Z", "2026Q4", "2026-09-30T22:00:00Z", "2026-12-31T23:00:00Z"),
        ("quarter", "2026-05-05T10:00:00Z", "2026Q2", "2026-03-31T22:00:00Z", "2026-06-30T22:00:00Z"),
        ("month", "2026-12-15T10:00:00Z", "2026-12", "2026-11-30T23:00:00Z", "2026-12-31T23:00:00Z"),
        ("month", "2026-02-28T23:30:00Z", "2026-03", "2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z"),
        ("year", "2026-07-01T10:00:00Z", "2026", "2025-12-31T23:00:00Z", "2026-12-31T23:00:00Z"),
    ],
)
def test_epochs(period, moment, name, start, end):
    epoch = epoch_of(with_epoch(period), at(moment))
    assert (epoch.name, epoch.valid_from, epoch.valid_until) == (name, at(start), at(end))
    assert epoch.valid_from.tzinfo is UTC


moments = st.datetimes(datetime(2020, 1, 1), datetime(2099, 12, 30), timezones=st.just(UTC))


@given(moments, st.sampled_from(["quarter", "month", "year"]))
def test_epochs_follow_each_other_without_gap_or_overlap(moment, period):
    purpose = with_epoch(period)
    epoch = epoch_of(purpose, moment)
    assert epoch.valid_from <= moment < epoch.valid_until
    assert epoch_of(purpose, epoch.valid_from) == epoch
    assert epoch_of(purpose, epoch.valid_until).valid_from == epoch.valid_until
    assert epoch_of(purpose, epoch.valid_until - timedelta(microseconds=1)) == epoch
    assert epoch.name == epoch_name(period, moment.astimezone(AMSTERDAM).date())


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="zone"):
        day_of(datetime(2026, 11, 23))


def test_the_zone_comes_from_the_package_not_from_the_machine():
    import tzdata

    assert AMSTERDAM.key == "Europe/Amsterdam"
    assert "from_file" in repr(AMSTERDAM) or "Amsterdam" in repr(AMSTERDAM)
    assert tzdata.IANA_VERSION >= "2025"


@pytest.mark.parametrize(
    ("period", "overlap", "day", "expected"),
    [
        ("quarter", 0, date(2027, 1, 1), ("2027Q1",)),
        ("quarter", 7, date(2027, 1, 1), ("2027Q1", "2026Q4")),
        ("quarter", 7, date(2027, 1, 7), ("2027Q1", "2026Q4")),
        ("quarter", 7, date(2027, 1, 8), ("2027Q1",)),
        ("quarter", 7, date(2026, 12, 31), ("2026Q4",)),
        ("month", 28, date(2027, 3, 28), ("2027-03", "2027-02")),
        ("month", 28, date(2027, 3, 29), ("2027-03",)),
        ("year", 1, date(2028, 1, 1), ("2028", "2027")),
    ],
)
def test_two_epochs_are_open_on_the_first_days_of_the_newer(period, overlap, day, expected):
    assert open_epochs(period, overlap, day) == expected


def test_a_second_key_of_a_period_is_its_second_generation():
    assert (calendar_epoch("2026Q4.2"), generation_of("2026Q4.2")) == ("2026Q4", 2)
    assert (calendar_epoch("2026-11"), generation_of("2026-11")) == ("2026-11", 1)
    assert next_generation("2026Q4") == "2026Q4.2"
    assert next_generation("2026Q4.9") == "2026Q4.10"
