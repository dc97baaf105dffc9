"""Rectification in a log: what an honest broker writes verifies, and what is still open is listed."""

from datetime import timedelta

import rectified
from audit_kit import ASK, ASK_2, EPOCH, World, played

from broker.audit.open_notices import open_notices
from broker.audit.reading import entries

SNF = ("snf", "snf-locatie")


def found(world: World) -> list[tuple[str, str, bool]]:
    return [(one.what, one.party, one.acknowledged) for one in open_notices(entries(world.bundle()))]


def test_a_dispute_from_its_start_to_its_end() -> None:
    world = played()
    assert found(world) == []
    at = rectified.dispute(world, ASK_2)
    assert found(world) == [("dispute-notice", "snf", False)]
    rectified.acknowledge(world, at, "examining")
    assert found(world) == [("dispute-notice", "snf", True)], "to take note is not to answer"
    notice = rectified.notice_id(f"dispute {ASK_2}")
    rectified.correct(world, *SNF, epoch="2027Q1", what="still-disputed", dispute=notice)
    assert found(world) == [("dispute-notice", "snf", True)]
    ended = rectified.correct(world, *SNF, [ASK_2], what="upheld", dispute=notice)
    assert found(world) == [("correction-notice", "utrecht", False)]
    rectified.acknowledge(world, ended + 1)
    assert found(world) == []
    assert world.verify().verified


def test_a_dispute_may_be_ended_under_an_epoch_that_it_was_carried_to() -> None:
    world = played()
    rectified.dispute(world, ASK_2)
    notice = rectified.notice_id(f"dispute {ASK_2}")
    rectified.correct(world, *SNF, epoch="2027Q1", what="still-disputed", dispute=notice)
    rectified.correct(world, *SNF, [ASK_2], epoch="2027Q1", what="withdrawn", dispute=notice)
    assert world.verify().verified


def test_a_correction_under_an_epoch_that_nobody_asked_in() -> None:
    world = played()
    rectified.correct(world, *SNF, epoch="2026Q3")
    assert world.verify().verified


def test_open_notices_tell_their_age() -> None:
    world = played()
    rectified.correct(world, *SNF, [ASK, ASK_2], epoch=EPOCH)
    (one,) = open_notices(entries(world.bundle()))
    assert (one.party, one.purpose, one.at) == ("utrecht", "snf-locatie", world.at)
    assert one.age(world.at + timedelta(days=8, hours=23)) == 8
