"""Every lint code is planted, found on its line, and absent where nothing was planted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from lint_plants import CAT, PERMIT, PLANTS, SNF, VV, WGV, YEAR, Plant, V, answered, reason_of
from policy_samples import NOW, load, texts

from broker.policy.lint import lint

BASE = {(f.problem.code, f.problem.file) for f in lint(load(), now=NOW) if f.answer is None}


def found_in(plant, **options):
    return lint(load(plant.texts()), **({"now": NOW} | plant.options | options))


def codes(source, name="verhuurvergunning", **options):
    found = lint(load(source), **({"now": NOW} | options))
    return {f.problem.code: f for f in found if f.purpose == name}


def edited(*edits, copy=None, code="X"):
    by_file = {}
    for file, old, new in edits:
        by_file.setdefault(file, []).append((old, new))
    return Plant(code, "", "", "", by_file, copy=copy).texts()


def test_the_samples_are_clean():
    assert {("NO_OFFICERS", CAT), ("BASIS_UNCONFIRMED", CAT)} == BASE
    found = lint(load(), now=NOW)
    assert not any(finding.is_open for finding in found)
    assert sum(finding.answer is not None for finding in found) == 14


@pytest.mark.parametrize("plant", PLANTS, ids=[plant.code for plant in PLANTS])
def test_a_plant_is_found_on_its_line_and_nowhere_else(plant):
    found = [f for f in found_in(plant) if f.problem.code == plant.code and f.problem.file == plant.file]
    assert found, [str(f.problem) for f in found_in(plant)]
    lines = plant.texts()[plant.file].splitlines()
    assert any(plant.at in lines[f.problem.line - 1] for f in found), [str(f.problem) for f in found]
    for finding in found:
        assert finding.severity == plant.severity
        assert finding.is_open == (plant.severity != "note")
        assert finding.problem.text
        assert finding.problem.suggestion
    unplanted = {(f.problem.code, f.problem.file) for f in lint(load(), now=NOW) if f.answer is None}
    assert (plant.code, plant.file) not in unplanted or plant.code in ("NO_OFFICERS", "BASIS_UNCONFIRMED")


def test_a_draft_gets_notes_that_say_how_they_would_weigh():
    found = codes(edited((V, "state: active", "state: draft"), (V, "case_number: required\n", "")))
    assert (found["NO_CASE_NUMBER"].severity, found["NO_CASE_NUMBER"].once_active) == ("note", "answer")
    found = codes(edited((V, "state: active", "state: suspended"), (V, "DPIA-SAMPLE-07", "DPIA-X")))
    assert (found["DPIA_UNKNOWN"].severity, found["DPIA_UNKNOWN"].once_active) == ("note", "refuse")
    found = codes(edited((V, "state: active", "state: shadow"), (V, "case_number: required\n", "")))
    assert found["NO_CASE_NUMBER"].is_open
    assert not codes(edited((V, "state: active", "state: withdrawn"), (V, "case_number: required\n", "")))


def test_an_answer_that_cannot_stand_is_refused_in_a_draft_too():
    found = codes(edited((V, "state: active", "state: draft"), (V, "limits:", answered("NO_CASE_NMBER"))))
    assert found["ANSWER_UNKNOWN_CODE"].is_open
    assert found["ANSWER_UNKNOWN_CODE"].problem.suggestion == "did you mean 'NO_CASE_NUMBER'?"


def test_an_answer_silences_its_finding_and_changes_the_digest():
    without = edited((V, "case_number: required\n", ""))
    answer = edited((V, "case_number: required\n", ""), (V, "limits:", answered("NO_CASE_NUMBER")))
    assert codes(without)["NO_CASE_NUMBER"].is_open
    found = codes(answer)
    assert not found["NO_CASE_NUMBER"].is_open
    assert found["NO_CASE_NUMBER"].answer.reason == "It was judged."
    assert "ANSWER_IDLE" not in found
    assert load(answer).digest != load(without).digest


def test_no_answer_silences_what_is_refused():
    source = edited((V, "DPIA-SAMPLE-07", "DPIA-X"), (V, "limits:", answered("DPIA_UNKNOWN")))
    assert codes(source)["DPIA_UNKNOWN"].is_open
    assert codes(source)["ANSWER_NOT_ALLOWED"].is_open


def test_an_answer_to_what_this_run_did_not_look_for_is_not_idle():
    source = edited((V, "limits:", answered("NEVER_USED")))
    assert "ANSWER_IDLE" not in codes(source)
    usage = replace(YEAR, permitted={"verhuurvergunning": 1}, wanted={("verhuurvergunning", "permit-status"): 1})
    assert "ANSWER_IDLE" in codes(source, usage=usage)
    source = edited((V, "limits:", answered("UNHELD")))
    assert "ANSWER_IDLE" not in codes(source)
    assert "ANSWER_IDLE" in codes(source, unheld=())


def test_the_day_decides_what_ended():
    assert "ENDED" not in codes(texts(), now=NOW.replace(year=2027, month=10, day=31))
    assert "ENDS_SOON" in codes(texts(), now=NOW.replace(year=2027, month=12, day=31))
    # 31 December 2027 lasts until 23:00 UTC
    assert "ENDED" in codes(texts(), now=NOW.replace(year=2027, month=12, day=31, hour=23))
    assert "ENDED" not in codes(texts(), now=NOW.replace(year=2027, month=12, day=31, hour=22))


def test_a_law_that_begins_later_is_told():
    found = codes(edited((CAT, WGV, WGV + "    in_force: {from: 2026-06-01}\n")))
    assert "wgv-permit holds from 2026-06-01" in found["BASIS_SHORTER"].problem.text
    assert "BASIS_NEVER_HOLDS" in codes(edited((CAT, WGV, WGV + "    in_force: {from: 2028-01-01}\n")))


def test_a_dpia_may_be_decided_later_when_the_purpose_begins_later():
    moved = (
        "DPIA-SAMPLE-10:\n    title: {nl: Status van toelating, en: Status of admission}\n    decided_on: ",
        "2025-11-03",
    )
    source = edited((CAT, "".join(moved), moved[0] + "2027-06-30"))
    assert "DPIA_NOT_YET" not in codes(source, "nau-status")
    assert "DPIA_NOT_YET" in codes(edited((CAT, "".join(moved), moved[0] + "2027-07-02")), "nau-status")


def test_a_special_category_may_stand_under_a_law_that_lifts_the_ban_or_without_persons():
    special = (CAT, PERMIT, "    special_category: criminal\n" + PERMIT)
    lifts = "    special_categories: {criminal: {citation: UAVG article 33}}\n"
    assert "SPECIAL_CATEGORY" not in codes(edited(special, (CAT, WGV, WGV + lifts)))
    health = lifts.replace("criminal", "health")
    assert "SPECIAL_CATEGORY" in codes(edited(special, (CAT, WGV, WGV + health)))
    assert "SPECIAL_CATEGORY" not in codes(edited(special, (V, "limits:", "exclude_natural_persons: true\nlimits:")))


def test_a_chain_of_two_steps_is_shown():
    employees = "    unit: employees\n"
    source = edited(
        (CAT, PERMIT, "    identifies: loonheffing\n" + PERMIT), (CAT, employees, employees + "    identifies: kvk\n")
    )
    found = codes(source, "nla-verzoek-onderneming")["CHAIN_TO_NATIONAL_NUMBER"]
    assert found.problem.text == (
        "nla can go on from 'registered-employees' to a national number: with 'kvk' it learns 'permit-status' under "
        "verhuurvergunning-verhuurder, then it shows 'loonheffing', with which it may ask under nla-verzoek-loonheffing"
    )
    assert "CHAIN_TO_NATIONAL_NUMBER" not in codes(source, "snf-locatie")


def test_no_chain_where_the_next_purpose_does_not_accept_the_identifier():
    employees = "    unit: employees\n"
    source = edited(
        (CAT, PERMIT, "    identifies: loonheffing\n" + PERMIT), (CAT, employees, employees + "    identifies: rsin\n")
    )
    assert "CHAIN_TO_NATIONAL_NUMBER" not in codes(source, "nla-verzoek-onderneming")


COVERING = [
    ((), True),
    (("requests_per_day: 100", "requests_per_day: 101"), False),
    (("asks: [nla]", "asks: [nla, uwv]"), False),
    (("identified_by: [bag, postcode-number]", "identified_by: [bag]"), True),
    (("until: 2027-12-31", "until: 2028-01-01"), False),
    (("case_number: required\n", ""), False),
    (("limits:", "valid_on: as-of\nlimits:"), True),
    (("state: active", "state: shadow\nshadow_of: verhuurvergunning"), False),
]


@pytest.mark.parametrize(("edit", "is_covered"), COVERING)
def test_covered_is_exact(edit, is_covered):
    file = "purposes/zz.yaml"
    source = edited(*([(file, *edit)] if edit else []), copy=(V, "zz"))
    assert ("COVERED" in codes(source, "zz")) == is_covered
    assert "COVERED" not in codes(source, "verhuurvergunning") or not is_covered


def test_a_rule_of_the_wider_purpose_is_no_cover():
    source = edited((V, "limits:", "valid_on: as-of\nlimits:"), copy=(V, "zz"))
    source["purposes/zz.yaml"] = source["purposes/zz.yaml"].replace("valid_on: as-of\n", "")
    assert "COVERED" not in codes(source, "zz")
    assert "COVERED" in codes(source, "verhuurvergunning")  # the other way round it is one


def test_a_shadow_may_repeat_what_it_shadows():
    copy = edited(("purposes/zz.yaml", "state: active", "state: shadow\nshadow_of: verhuurvergunning"), copy=(V, "zz"))
    assert not {"COVERED", "REASON_COPIED"} & codes(copy, "zz").keys()
    assert "REASON_COPIED" in codes(edited(copy=(V, "zz")), "zz")


def test_use_is_judged_only_of_purposes_that_held_all_year():
    usage = replace(YEAR, permitted={"snf-locatie": 1}, wanted={("snf-locatie", "beds"): 1})
    source = edited((SNF, "from: 2026-01-01", "from: 2025-11-23"))
    found = lint(load(source), now=NOW, usage=usage)
    asked = {f.problem.text.split("'")[1] for f in found if f.problem.code == "ATTRIBUTE_NEVER_ASKED"}
    assert asked == {"certificate-status", "valid-until", "last-inspection"}
    assert not any(f.problem.code == "NEVER_USED" for f in found)
    assert lint(load(), now=NOW, usage=usage) == lint(load(), now=NOW)  # valid for less than a year


def test_a_log_that_ended_long_ago_says_nothing():
    stale = replace(YEAR, last=(NOW - timedelta(days=32)).date())
    assert "LOG_TOO_SHORT" in {f.problem.code for f in lint(load(), now=NOW, usage=stale)}
    assert "LOG_TOO_SHORT" not in {f.problem.code for f in lint(load(), now=NOW, usage=YEAR)}


def test_the_heaviest_comes_first():
    source = edited((V, "DPIA-SAMPLE-07", "DPIA-X"), (VV, "case_number: required\n", ""))
    found = [f.severity for f in lint(load(source), now=NOW)]
    assert found == sorted(found, key=["refuse", "answer", "note"].index)
    assert found[0] == "refuse"


def test_reasons_differ_by_more_than_layout():
    reason = " ".join(reason_of(VV).split()[2:])
    found = codes(edited((V, reason_of(V), f"because: {reason.upper()}\n")))
    assert "REASON_COPIED" in found
