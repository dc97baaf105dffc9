"""A draft against history: what changes, for which check, and what history cannot tell."""

from __future__ import annotations

import copy
from collections import Counter
from datetime import timedelta

import pytest
from audit_kit import OFFICERS, World, played, policy_bundle
from policy_samples import load

from broker.errors import Code, SluisError
from broker.exchange import Want
from broker.policy.bundle import read_bundle
from broker.policy.history import History, past_asks
from broker.policy.simulate import Change, simulate

HIT = Want(True, False, ("beds",))
COUNT = Want(False, True, ())
SNF, BEZETTING = "purposes/snf-locatie.yaml", "purposes/bezetting.yaml"
TEXTS = dict(read_bundle(policy_bundle()).texts)


def draft(*changes: tuple[str, str, str]):
    texts = dict(TEXTS)
    for file, old, new in changes:
        assert old in texts[file], old
        texts[file] = texts[file].replace(old, new, 1)
    return load(texts)


def run(world, *changes, **period):
    return simulate(draft(*changes), world.bundle(), **period)


def only(found, change):
    return [group for group in found.groups if group.change is change]


def fresh() -> World:
    world = World().begin()
    world.publish("snf", "snf-locatie", "bag")
    world.publish("snf", "bezetting", "bag")
    return world


def test_the_set_in_force_changes_nothing_in_any_history():
    world = played()
    for after in (1, 70_000, 1):
        world.ask("utrecht", ["snf"], "snf-locatie", HIT, after=timedelta(seconds=after))
        world.ask("utrecht", ["snf"], "bezetting", COUNT, subjects=50)
    world.suspend("snf-locatie")
    world.ask("utrecht", ["snf"], "snf-locatie", HIT)
    found = run(world)
    assert set(found.counts) == {Change.SAME}
    assert found.asks == sum(kind == "ask" for batch in world.batches for kind, _ in batch)
    assert found.groups == ()
    assert "cert-boete" in found.never_asked
    assert "snf-locatie" not in found.never_asked


def test_the_past_is_read_as_it_was_logged():
    world = played()
    asks = [
        (at, body)
        for at, (kind, body) in enumerate(entry for batch in world.batches for entry in batch)
        if kind == "ask"
    ]
    past = list(past_asks(world.bundle()))
    assert [one.entry for one in past] == [at for at, _ in asks]
    for one, (_, body) in zip(past, asks, strict=True):
        assert one.permitted == (body["decision"]["effect"] == "permit")
        assert list(one.failing) == [check["id"] for check in body["decision"]["checks"] if not check["met"]]
        assert (one.request.asker, one.request.purpose) == (body["asker"], body["purpose"])
        assert one.facts.requests_today == body["facts"]["requests_today"]


def test_a_stricter_limit_denies_and_a_looser_one_permits():
    world = fresh()
    world.ask("utrecht", ["snf"], "snf-locatie", HIT, subjects=1001)
    world.ask("someren", ["snf"], "snf-locatie", HIT, subjects=900)
    found = run(world, (SNF, "subjects_per_request: 1000", "subjects_per_request: 1001"))
    assert found.counts == {Change.NOW_PERMITTED: 1, Change.SAME: 1}
    (group,) = only(found, Change.NOW_PERMITTED)
    assert (group.asker, group.checks, group.count) == ("utrecht", ("subjects-per-request",), 1)
    found = run(world, (SNF, "subjects_per_request: 1000", "subjects_per_request: 899"))
    (group,) = only(found, Change.NOW_DENIED)
    assert (group.asker, group.answerer, group.checks) == ("someren", "snf", ("subjects-per-request",))
    assert found.counts[Change.SAME] == 1


def test_what_stays_denied_for_other_reasons_is_only_counted():
    world = fresh()
    world.ask("utrecht", ["snf"], "snf-locatie", HIT, subjects=1001)
    found = run(world, (SNF, "may_learn:\n  hit: true\n  attributes:\n", "may_learn:\n  hit: true\n  attributes:\n"),
                (SNF, "state: active", "state: suspended"))  # fmt: skip
    assert found.counts == {Change.OTHER_REASONS: 1}
    assert found.groups == ()


def test_the_day_s_budget_is_counted_anew_under_the_draft():
    world = fresh()
    for _ in range(3):
        world.ask("utrecht", ["snf"], "snf-locatie", HIT)
    world.ask("utrecht", ["snf"], "snf-locatie", HIT, after=timedelta(days=1))
    found = run(world, (SNF, "requests_per_day: 50", "requests_per_day: 1"))
    assert found.counts == {Change.SAME: 2, Change.NOW_DENIED: 2}
    assert only(found, Change.NOW_DENIED)[0].checks == ("requests-per-day",)
    # a permit that history did not give uses up the day too
    world = fresh()
    world.ask("utrecht", ["snf"], "snf-locatie", HIT, subjects=1001)
    world.ask("utrecht", ["snf"], "snf-locatie", HIT)
    found = run(
        world,
        (SNF, "subjects_per_request: 1000", "subjects_per_request: 2000"),
        (SNF, "requests_per_day: 50", "requests_per_day: 1"),
    )
    assert found.counts == {Change.NOW_PERMITTED: 1, Change.NOW_DENIED: 1}


def test_a_count_that_history_did_not_allow_is_unknown_once_there_was_another():
    world = fresh()
    for _ in range(2):
        world.ask("utrecht", ["snf"], "snf-locatie", COUNT)
    found = run(world, (SNF, "may_learn:\n", "may_learn:\n  count: {min_group: 5, per_epoch: 9}\n"))
    assert found.counts == {Change.NOW_PERMITTED: 1, Change.UNKNOWN: 1}
    assert only(found, Change.UNKNOWN)[0].checks == ("count-distance",)


def test_unknown_outcomes_make_the_budget_behind_them_unknown():
    world = fresh()
    for _ in range(3):
        world.ask("utrecht", ["snf"], "snf-locatie", COUNT)
    found = run(world, (SNF, "may_learn:\n", "may_learn:\n  count: {min_group: 5, per_epoch: 2}\n"))
    assert found.counts == {Change.NOW_PERMITTED: 1, Change.UNKNOWN: 2}
    assert only(found, Change.UNKNOWN)[-1].checks in {("count-distance",), ("count-distance", "counts-per-epoch")}
    assert {group.checks for group in only(found, Change.UNKNOWN)} == {
        ("count-distance",),
        ("count-distance", "counts-per-epoch"),
    }


def test_a_distance_to_a_count_that_the_draft_would_not_have_given_is_unknown():
    world = fresh()
    first = world.ask("utrecht", ["snf"], "bezetting", COUNT, subjects=500)
    second = world.ask("utrecht", ["snf"], "bezetting", COUNT, subjects=50)
    body = world.body(second)
    assert world.body(first)["decision"]["effect"] == "permit"
    body["facts"]["count_distance"] = 2
    body["decision"]["effect"] = "deny"
    for check in body["decision"]["checks"]:
        check["met"] = check["met"] and check["id"] != "count-distance"
    assert run(world).counts == {Change.SAME: 2}
    found = run(world, (BEZETTING, "subjects_per_request: 20000", "subjects_per_request: 100"))
    assert found.counts == {Change.NOW_DENIED: 1, Change.UNKNOWN: 1}


def test_a_changed_form_of_case_numbers_makes_given_ones_unknown():
    world = fresh()
    world.ask("utrecht", ["snf"], "snf-locatie", HIT, case_number="UTR-2026-17")
    world.ask("utrecht", ["snf"], "snf-locatie", HIT)
    found = run(world, ("catalogue.yaml", "UTR-[0-9]{4}-[0-9]{1,6}", "UTR-[0-9]{4}-[0-9]{1,3}"))
    assert found.counts == {Change.UNKNOWN: 1, Change.SAME: 1}
    assert only(found, Change.UNKNOWN)[0].checks == ("case-number",)


def test_another_period_of_epochs_is_judged_as_if_it_had_been_named():
    world = fresh()
    world.ask("utrecht", ["snf"], "snf-locatie", HIT)
    assert run(world, (SNF, "epoch: quarter", "epoch: month")).counts == {Change.SAME: 1}


def test_row_rules_of_the_draft_are_unknown_where_a_register_lies_under_other_rules():
    world = fresh()
    world.ask("utrecht", ["snf"], "snf-locatie", HIT)
    world.ask("utrecht", ["snf"], "snf-locatie", HIT, scheme="postcode-number")  # no register: nothing to declare
    found = run(world, (SNF, "answer_keep_days", "valid_on: as-of\nanswer_keep_days"))
    assert found.counts == {Change.UNKNOWN: 1, Change.SAME: 1}
    assert only(found, Change.UNKNOWN)[0].checks == ("register-rules",)


def test_a_purpose_that_the_draft_lacks_denies():
    world = fresh()
    world.ask("utrecht", ["snf"], "snf-locatie", HIT)
    texts = {name: text for name, text in TEXTS.items() if name != SNF}
    found = simulate(load(texts), world.bundle())
    assert found.counts == {Change.NOW_DENIED: 1}
    assert only(found, Change.NOW_DENIED)[0].checks[0] == "purpose-known"


def test_a_draft_that_lifts_a_notice_would_have_gone_on():
    world = fresh()
    index = world.suspend("snf-locatie", OFFICERS.keys["snf"])
    world.ask("utrecht", ["snf"], "snf-locatie", HIT)
    assert run(world).counts == {Change.SAME: 1}
    lifted = f"state: active\nlifts: [{world.body(index)['notice']}]"
    found = run(world, (SNF, "state: active", lifted))
    assert found.counts == {Change.NOW_PERMITTED: 1}
    assert only(found, Change.NOW_PERMITTED)[0].checks == ("suspension",)


def test_a_period_shows_less_and_counts_all():
    world = fresh()
    for _ in range(2):
        world.ask("utrecht", ["snf"], "snf-locatie", HIT)
    asked = [one.facts.now for one in past_asks(world.bundle())]
    change = (SNF, "requests_per_day: 50", "requests_per_day: 1")
    found = run(world, change, start=asked[1])
    assert (found.asks, found.counts) == (1, {Change.NOW_DENIED: 1})
    found = run(world, change, end=asked[1])
    assert (found.asks, found.counts) == (1, {Change.SAME: 1})
    assert run(world, change, start=asked[1] + timedelta(days=9)).first is None


def test_engine_1_entries_are_read_too():
    world = fresh()
    index = world.ask("utrecht", ["snf"], "snf-locatie", HIT)
    body = world.body(index)
    del body["facts"]["suspended_since"]
    body["engine"] = "sluis-engine/1"
    body["decision"]["checks"] = [check for check in body["decision"]["checks"] if check["id"] != "suspension"]
    assert run(world).counts == {Change.SAME: 1}


def test_groups_add_up_and_name_examples():
    world = fresh()
    for party in ("utrecht", "someren"):
        for _ in range(7):
            world.ask(party, ["snf"], "snf-locatie", HIT)
    found = run(world, (SNF, "state: active", "state: withdrawn"))
    assert Counter({group.asker: group.count for group in found.groups}) == {"utrecht": 7, "someren": 7}
    assert all(len(group.examples) == 5 for group in found.groups)
    entries = [one.entry for one in past_asks(world.bundle())]
    assert found.groups[0].examples[0] in entries


@pytest.mark.parametrize(
    "lines", [[], [b"rubbish\n"], [b"{}\n"], [b'{"bundle":"sluis/v1/log","x":1}\n', b'{"leaf":"!"}\n']]
)
def test_what_is_no_bundle_is_refused(lines):
    with pytest.raises(SluisError) as raised:
        list(past_asks(lines))
    assert raised.value.code is Code.CONFIG_INVALID


def test_an_archived_set_that_was_changed_is_not_used():
    world = copy.deepcopy(fresh())
    world.ask("utrecht", ["snf"], "snf-locatie", HIT, case_number="UTR-2026-17")
    history = History()
    (past,) = past_asks(world.bundle(), history)
    assert history.policies(past.policy_set) is not None
    history = History({past.policy_set: {**TEXTS, SNF: TEXTS[SNF].replace("50", "51")}})
    assert history.policies(past.policy_set) is None
