from datetime import UTC, datetime

import pytest
from sluis_client.epochs import epoch_name, epoch_window
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
