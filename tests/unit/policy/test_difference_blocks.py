"""What a hostile change would slip past a pipeline: looser without a number that grows, or ordered by no rule."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from policy_samples import ROOT, load, texts
from typer.testing import CliRunner

from broker.cli.policy import app
from broker.policy.bundle import build_bundle
from broker.policy.catalogue import Attribute, Catalogue, Dpia, Identifier, KeyService, LegalBasis, Party, SubjectType
from broker.policy.change_report import compare
from broker.policy.difference import Section
from broker.policy.document import read_policies
from broker.policy.officers import Officer
from broker.policy.vocabulary_changes import APART, JUDGES, KINDS

CATALOGUE, OFFICERS = "catalogue.yaml", "officers.yaml"
SNF, BEZETTING, BOETE = (f"purposes/{name}.yaml" for name in ("snf-locatie", "bezetting", "cert-boete"))
L, C, T, E = Section.LOOSER, Section.TO_COMPARE, Section.TIGHTER, Section.OTHER
WITH_OFFICERS = texts() | {
    OFFICERS: f"""officers:
  asking:
    title: {{nl: vraagt, en: asks}}
    signs_for: [utrecht]
    key: "{"aa" * 32}"
  answering:
    title: {{nl: antwoordt, en: answers}}
    signs_for: [snf, municipalities]
    key: "{"bb" * 32}"
"""
}
FEW = {name: WITH_OFFICERS[name] for name in (CATALOGUE, OFFICERS, SNF, BEZETTING)}
THIRD = f"  third:\n    title: {{nl: derde, en: third}}\n    signs_for: [nla]\n    key: {'cc' * 32!r}\n"


def bend(*changes, source=WITH_OFFICERS):
    made = dict(source)
    for file, old, new in changes:
        assert old in made[file], old
        made[file] = made[file].replace(old, new, 1)
    return load(made)


def told(report, section):
    return [f"{one.purpose}: {one.text}" for one in report.sections[section]]


OIN = "oin: 00000099000000101000"
BLOCKED = [
    (CATALOGUE, OIN, "oin: 00000099000000999000", L, "party nla: whoever holds OIN 00000099000000999000 may act as it"),
    (CATALOGUE, OIN, f"{OIN}\n    sub_oins: ['00000099000000999000']", L, "OIN 00000099000000999000 may act as it"),
    (CATALOGUE, '"NLA-[0-9]{4}-[0-9]{4,6}"', '"[A-Z]{1,60}"', L, "party nla, case_number: NLA-[0-9]{4}"),
    (CATALOGUE, '"NLA-[0-9]{4}-[0-9]{4,6}"', '"NLA-[0-9]{4}-[0-9]{4}"', L, "party nla, case_number: NLA-[0-9]{4}"),
    (CATALOGUE, "000103000\n", '000103000\n    case_number: "S[0-9]{3}"\n', L, "none -> S"),
    (BEZETTING, "epoch: quarter", "epoch: month", L, "counts a year: 48 (12 a quarter) -> 144 (12 a month)"),
    (BEZETTING, "epoch: quarter", "epoch: month", L, "the distance between two counts is judged within a quarter -> a"),
    (BEZETTING, "epoch: quarter", "epoch: year", L, "one pseudonym, holds for a quarter -> a year"),
    (BOETE, "counted_from: receipt-of-overview", "counted_from: as-of", L, "look_back_counted_from: receipt-of-"),
    (CATALOGUE, "type: integer\n    unit: beds", "type: text\n    unit: beds", C, "beds, type: integer -> text"),
    (CATALOGUE, "unit: beds\n    width: 6", "unit: beds\n    width: 7", L, "attribute beds, width: 6 -> 7"),
    (CATALOGUE, "    unit: beds\n", "    unit: persons\n", C, "attribute beds, unit: beds -> persons"),
    (CATALOGUE, "    unit: beds\n", "", C, "attribute beds, unit: beds -> none"),
    (CATALOGUE, "valid: {nl: geldig, en: valid}", "valid: {nl: geldig, en: guilty}", C, "valid.en: valid -> guilty"),
    (CATALOGUE, "      valid: {", "      owner: {nl: foei, en: fie}\n      valid: {", C, "owner.nl: none -> foei"),
    (CATALOGUE, "    identifies: vestiging\n", "", L, "establishment-number, identifies: vestiging -> none"),
    (CATALOGUE, "    identifies: vestiging\n", "    identifies: kvk\n", C, "identifies: vestiging -> kvk"),
    (CATALOGUE, "location is certified.", "location is used.", C, "attribute beds, meaning: en: The number of"),
    (CATALOGUE, "102000\n    kind: private", "102000\n    kind: public", L, "party sna, kind: private -> public"),
    (CATALOGUE, "302000\n    kind: public", "302000\n    kind: private", C, "party nau, kind: public -> private"),
    (CATALOGUE, "Waadi article 14a(3)\n", "Waadi article 1\n", C, "party nla, bsn_entitled: citation: Waadi"),
    (OFFICERS, "aa" * 32, "cc" * 32, L, "officer asking, key: aaaa"),
    (OFFICERS, "[utrecht]", "[utrecht, nla]", L, "officer asking may also sign for nla"),
    (OFFICERS, "officers:\n", f"officers:\n{THIRD}", L, "new officer: third, who may approve for nla"),
    (SNF, "en: leaving out double inspections", "en: any use", C, "use only for (en): leaving out double inspections"),
    (SNF, "nl: het achterwege laten", "nl: elk gebruik, ook", C, "use only for (nl): het achterwege laten"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new", "section", "text"), BLOCKED)
def test_it_is_blocked(file, old, new, section, text):
    report = compare(load(WITH_OFFICERS), bend((file, old, new)))
    assert any(text in line for line in told(report, section)), report.sections
    assert report.more == bool(report.sections[L])
    assert report.must_compare == bool(report.sections[C])


def test_a_dropped_special_category_and_a_dropped_author_are_looser():
    marked = ("    unit: beds\n", "    unit: beds\n    special_category: health\n")
    written = ("state: active\n", "state: active\nwritten_by: asking\n")
    before = bend((CATALOGUE, *marked), (SNF, *written))
    report = compare(before, load(WITH_OFFICERS))
    assert ": attribute beds, special_category: health -> none" in told(report, L)
    assert "snf-locatie: written_by: asking -> none" in told(report, L)
    other = bend((CATALOGUE, marked[0], marked[1].replace("health", "politics")), (SNF, *written))
    assert compare(before, other).must_compare


def test_a_group_that_grows_lets_its_officer_sign_for_more():
    joined = ("municipalities: [utrecht, ", "municipalities: [utrecht, nau, ")
    more = bend((CATALOGUE, *joined), source=FEW)
    assert ": officer answering may also sign for nau" in told(compare(load(FEW), more), L)
    fewer = compare(more, load(FEW))
    assert ": officer answering may no longer sign for nau" in told(fewer, T)
    assert not fewer.more


def test_without_officers_or_oins_it_is_tighter():
    report = compare(load(WITH_OFFICERS), load(texts()))
    assert ": officer asking is gone, and may approve nothing" in told(report, T)
    assert not report.more
    assert not report.must_compare
    alias = bend((CATALOGUE, OIN, f"{OIN}\n    sub_oins: ['00000099000000999000']"))
    report = compare(alias, load(WITH_OFFICERS))
    assert not report.more
    assert any("may no longer act as it" in line for line in told(report, T))
    swapped = bend((CATALOGUE, OIN, "oin: 00000099000000999000\n    sub_oins: ['00000099000000101000']"))
    assert compare(alias, swapped).must_compare


def test_the_counts_of_a_year_decide_when_the_epoch_changes():
    fewer = (BEZETTING, "per_epoch: 12", "per_epoch: 3")
    report = compare(load(WITH_OFFICERS), bend((BEZETTING, "epoch: quarter", "epoch: month"), fewer))
    assert any("counts a year: 48 (12 a quarter) -> 36 (3 a month)" in line for line in told(report, T))
    assert any("the distance between two counts" in line for line in told(report, L))
    same = compare(
        load(WITH_OFFICERS), bend((BEZETTING, "epoch: quarter", "epoch: month"), (*fewer[:2], "per_epoch: 4"))
    )
    assert not any("a year" in line for section in Section for line in told(same, section))
    assert same.more  # the distance is judged within a month only


def test_a_party_that_can_no_longer_give_a_case_number_is_for_a_person_where_it_asks():
    gone = (CATALOGUE, '    case_number: "UTR-[0-9]{4}-[0-9]{1,6}"\n', "")
    before, after = load(FEW), bend(gone, source=FEW)
    report = compare(before, after)
    assert any("asks without a case number under bezetting, snf-locatie" in line for line in told(report, C))
    assert not report.more
    assert compare(after, before).more
    asks_nothing = {name: FEW[name] for name in (CATALOGUE, OFFICERS)}
    report = compare(load(asks_nothing), bend(gone, source=asks_nothing))
    assert any("it asks under no active purpose" in line for line in told(report, T))
    assert not report.must_compare
    _, problems = read_policies(WITH_OFFICERS | {CATALOGUE: WITH_OFFICERS[CATALOGUE].replace(gone[1], "")})
    assert "CASE_PATTERN" in {problem.code for problem in problems}  # where one is required, the set does not load


def test_every_member_of_every_word_has_a_rule():
    models = {
        "parties": Party,
        "subject_types": SubjectType,
        "identifiers": Identifier,
        "attributes": Attribute,
        "legal_bases": LegalBasis,
        "dpias": Dpia,
        "key_services": KeyService,
        "officers": Officer,
    }
    for member, model in models.items():
        assert {*JUDGES[member], *APART.get(member, ())} == {*model.model_fields}, member
    assert {*models, "groups"} == {*KINDS, "officers"}
    assert {*KINDS, "catalogue", "remark", "auditors", "guardrails"} == {*Catalogue.model_fields}


@pytest.mark.parametrize("state", ["draft", "suspended", "withdrawn", "shadow"])
def test_changes_of_a_purpose_that_permits_nothing_are_told_and_block_nothing(state):
    first = ("state: active\n", f"state: {state}\n{'shadow_of: bezetting' if state == 'shadow' else ''}\n")
    before = bend((SNF, *first))
    changes = (
        ("requests_per_day: 50", "requests_per_day: 60"),
        ("en: leaving out double inspections", "en: any use"),
        ("subjects_per_request: 1000", "subjects_per_request: 1001"),
    )
    after = bend((SNF, *first), *((SNF, *change) for change in changes))
    report = compare(before, after)
    keys = "limits.requests_per_day, limits.subjects_per_request, use_only_for.en"
    assert f"snf-locatie: is {state} and permits nothing; its text changed: {keys}" in told(report, E)
    assert not report.more
    assert not report.must_compare
    closed = compare(load(WITH_OFFICERS), after)
    assert any(line.startswith(f"snf-locatie: is {state} and permits nothing") for line in told(closed, E))
    assert not closed.more
    assert not closed.must_compare
    assert ("its text changed" in str(told(compare(load(WITH_OFFICERS), before), E))) == (state == "shadow")
    assert compare(after, load(WITH_OFFICERS)).more  # once it is active, all of it is newly allowed


def test_titles_reasons_and_remarks_block_nothing():
    changes = [
        (SNF, "en: Is the housing", "en: Was the housing"),
        (SNF, "A municipality that inspects", "A municipality that visits"),
        (SNF, "beds: Needed", "beds: Wanted"),
        (CATALOGUE, "en: Letting permits", "en: Letting"),
        (CATALOGUE, "remark: Sample", "remark: A sample"),
        (CATALOGUE, "en: number of beds", "en: beds"),
        (
            CATALOGUE,
            "citation: Waadi article 14a(3)\n      to_be_confirmed: by a lawyer",
            "citation: Waadi article 14a(3)",
        ),
        (OFFICERS, "en: asks", "en: asking"),
    ]
    report = compare(load(WITH_OFFICERS), bend(*changes))
    assert len(report.sections[E]) == len(changes)
    assert not report.more
    assert not report.must_compare


def run(*arguments, code):
    result = CliRunner().invoke(app, ["diff", *map(str, arguments)])
    assert result.exit_code == code, (result.output, result.exception)
    return result.output


def write(folder, source):
    for name, text in source.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def test_the_command_stops_for_what_a_person_must_compare(tmp_path):
    old = "nl: het achterwege laten"
    other = write(tmp_path / "other", texts() | {SNF: texts()[SNF].replace(old, "nl: elk gebruik, ook")})
    shown = run(ROOT, other, code=8)
    assert "A PERSON MUST COMPARE\n  snf-locatie: use only for (nl): het achterwege laten" in shown
    assert shown.rstrip().endswith(f"a person must compare {other} with {ROOT}, in what no rule can order: exit 8")
    value = json.loads(run(ROOT, other, "--json", code=8))
    assert (value["ok"], value["allows_more"], value["must_compare"]) == (False, False, True)
    assert [one["purpose"] for one in value["to_compare"]] == ["snf-locatie"]
    both = write(
        tmp_path / "both", {SNF: (other / SNF).read_text().replace("requests_per_day: 50", "requests_per_day: 60")}
    )
    both = write(both, {name: text for name, text in texts().items() if name != SNF})
    shown = run(ROOT, both, code=8)
    assert shown.rstrip().endswith("is looser; and a person must compare what no rule can order: exit 8")


def test_the_command_says_that_the_expiry_is_not_compared(tmp_path):
    bundle = tmp_path / "one.bundle"
    bundle.write_bytes(build_bundle(texts(), revision=1, expires=datetime(2027, 3, 1, tzinfo=UTC)))
    assert f"the expiry is not compared: {ROOT} has none\n" in run(bundle, ROOT, code=0)
    assert f"the expiry is not compared: {ROOT} has none\n" in run(ROOT, bundle, code=0)
    assert "expiry" not in run(bundle, bundle, code=0) + run(ROOT, ROOT, code=0)
    assert json.loads(run(bundle, ROOT, "--json", code=0))["expiry_not_compared"] == str(ROOT)
    assert json.loads(run(ROOT, ROOT, "--json", code=0))["expiry_not_compared"] is None
