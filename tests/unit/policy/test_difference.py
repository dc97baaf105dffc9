"""The comparison of two sets is exact: it agrees with every question of a small universe; and it reads well."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from random import Random

import pytest
from policy_samples import ROOT, load, texts
from random_policies import random_texts
from typer.testing import CliRunner

from broker.cli.policy import app
from broker.exchange import Want
from broker.policy.bundle import build_bundle
from broker.policy.change_report import compare
from broker.policy.difference import Region, Section, added, allows_more, includes, region_of
from broker.policy.evaluate import Facts, Request, epoch_of, evaluate
from broker.policy.legal_days import AMSTERDAM

TICK = timedelta(microseconds=1)
SNF = "purposes/snf-locatie.yaml"


def changed_texts(source: dict[str, str], random: Random) -> dict[str, str]:
    """The set with a few things changed, some of them more than once."""
    made = {name: json.loads(text) for name, text in source.items()}
    catalogue = made["catalogue.yaml"]
    for file, purpose in made.items():
        if file == "catalogue.yaml":
            continue
        for change in random.sample(sorted(CHANGES), random.randint(0, 3)):
            CHANGES[change](purpose, catalogue, random)
        _forget_what_nobody_holds(purpose, catalogue)
    return {name: json.dumps(value) for name, value in made.items()}


def _forget_what_nobody_holds(purpose, catalogue):
    learn = purpose["may_learn"]
    for attribute in list(learn.get("attributes", {})):
        holders = catalogue["attributes"][attribute]["holders"]
        parties = {party for name in holders for party in catalogue["groups"].get(name, [name])}
        if not parties & {*purpose["answers"]}:
            del learn["attributes"][attribute]


def _other_parties(key):
    def change(purpose, catalogue, random):
        taken = {*purpose["asks"], *purpose["answers"], *(p["principal"] for p in purpose.get("on_behalf_of", ()))}
        free = [party for party in catalogue["parties"] if party not in taken]
        if free and random.random() < 0.5:
            purpose[key] = [*purpose[key], random.choice(free)]
        elif len(purpose[key]) > 1:
            stays = [p for p in purpose[key] if p != purpose["pseudonyms"]["steward"]]
            gone = random.choice(stays) if stays else None
            if gone and gone not in {pair["processor"] for pair in purpose.get("on_behalf_of", ())}:
                purpose[key] = [party for party in purpose[key] if party != gone]

    return change


def _limit(key):
    return lambda purpose, _, random: purpose["limits"].update({key: random.randint(1, 9)})


def _until(purpose, _, random):
    first = datetime.fromisoformat(purpose["valid"]["from"])
    purpose["valid"]["until"] = str((first + timedelta(days=random.randint(0, 700))).date())


def _from(purpose, _, random):
    last = datetime.fromisoformat(purpose["valid"]["until"])
    purpose["valid"]["from"] = str((last - timedelta(days=random.randint(0, 300))).date())


def _required(key):
    def change(purpose, _, random):
        if random.random() < 0.5:
            purpose[key] = "required"
        else:
            purpose.pop(key, None)

    return change


def _count(purpose, _, random):
    if random.random() < 0.3 and purpose["may_learn"].get("hit"):
        purpose["may_learn"].pop("count", None)
    else:
        purpose["may_learn"]["count"] = {"min_group": random.randint(3, 9), "per_epoch": random.randint(1, 5)}


def _attribute(purpose, _, random):
    attributes = purpose["may_learn"].get("attributes", {})
    if attributes and random.random() < 0.7:
        del attributes[random.choice(sorted(attributes))]


def _holders(purpose, catalogue, random):
    attribute = catalogue["attributes"][random.choice(sorted(catalogue["attributes"]))]
    attribute["holders"] = [*attribute["holders"], *(p for p in purpose["answers"] if p not in attribute["holders"])]


def _meaning(_, catalogue, random):
    attribute = catalogue["attributes"][random.choice(sorted(catalogue["attributes"]))]
    attribute["meaning"] = attribute["meaning"] | {"en": "something else"}


def _identifiers(purpose, catalogue, random):
    known = [name for name in catalogue["identifiers"] if name.startswith(purpose["about"])]
    purpose["identified_by"] = random.sample(known, random.randint(1, len(known)))


CHANGES = {
    "asks": _other_parties("asks"),
    "answers": _other_parties("answers"),
    "subjects": _limit("subjects_per_request"),
    "requests": _limit("requests_per_day"),
    "until": _until,
    "from": _from,
    "case": _required("case_number"),
    "cooperation": _required("cooperation_ref"),
    "count": _count,
    "attribute": _attribute,
    "holders": _holders,
    "meaning": _meaning,
    "identifiers": _identifiers,
    "state": lambda purpose, _, random: purpose.update(state=random.choice(["active", "suspended", "draft"])),
    "basis": lambda purpose, _, random: purpose.update(legal_basis=random.choice(["always", "later", "once"])),
    "weakest": lambda purpose, _, random: purpose.update(weakest_match_key=1),
    "behalf": lambda purpose, _, random: purpose.pop("on_behalf_of", None),
}


def universe(name: str, sets: tuple) -> Iterator[tuple[Request, Facts, tuple]]:
    """Questions at the edges of what either set permits under a purpose, and just beyond; with the atom of each."""
    purposes = [one.purposes[name] for one in sets]
    regions = [region for one in sets if (region := region_of(one, name)) is not None]
    if not regions:
        return
    pairs = sorted({pair for region in regions for pair in region.pairs} | {("stranger", None)}, key=str)
    things = sorted({thing for region in regions for thing in region.things})
    keys = sorted({(scheme, k) for region in regions for scheme, most in region.keys.items() for k in (1, most)})
    subjects = sorted({region.subjects for region in regions})
    requests = sorted({region.requests - 1 for region in regions})
    moments = sorted({at for region in regions for at in (region.start, region.end - TICK)})
    groups = sorted({region.min_group for region in regions if region.per_epoch}) or [None]
    done = sorted({region.per_epoch - 1 for region in regions if region.per_epoch}) or [0]
    for pair, (answerer, thing), (scheme, k), asked, earlier, now in product(
        pairs, things, keys, subjects, requests, moments
    ):
        want = {"hit": Want(True, False), "count": Want(False, True)}.get(thing, Want(True, False, (thing,)))
        far, few = (groups, done) if thing == "count" else ([None], [0])
        for case, cooperation, distance, counts in product(("absent", "accepted"), (False, True), far, few):
            request = Request(pair[0], pair[1], answerer, name, "", scheme, k, want, asked)
            modes = frozenset({"keyed", "oblivious"})
            facts = Facts(now, earlier, counts, case, cooperation, None, distance, modes)
            yield request, facts, (pair, (answerer, thing), scheme)
    assert purposes


def permitted(policies, request, facts) -> bool:
    epoch = epoch_of(policies.purposes[request.purpose], facts.now).name
    return evaluate(policies, replace(request, epoch=epoch), facts).permitted


@pytest.mark.parametrize("seed", range(25))
def test_it_is_exact(seed):
    random = Random(seed)
    source = random_texts(seed, purposes=2)
    before, after = load(source), load(changed_texts(source, random))
    for one, other in ((before, after), (after, before)):
        more = allows_more(one, other)
        for name in other.purposes:
            newly, then, now = False, set(), set()
            for request, facts, atom in universe(name, (one, other)):
                old, new = permitted(one, request, facts), permitted(other, request, facts)
                newly |= new and not old
                if old:
                    then.add(atom)
                if new:
                    now.add(atom)
            assert newly == (name in more), (seed, name)
            first, second = region_of(one, name), region_of(other, name)
            assert (first is None, second is None) == (not then, not now)
            if first is None or second is None or (first.start < second.end and second.start < first.end):
                told = [
                    {(p, t, s) for p in part.pairs for t in part.things for s in part.schemes}
                    for part in added(first, second)
                ]
                assert set().union(*told) == now - then, (seed, name)
                assert sum(map(len, told)) == len(now - then)  # the parts do not overlap


def test_the_changes_of_the_property_reach_every_kind_of_difference():
    found: set[str] = set()
    for seed in range(25):
        source = random_texts(seed, purposes=2)
        before, after = load(source), load(changed_texts(source, Random(seed)))
        report = compare(before, after)
        found |= {section.name for section, sentences in report.sections.items() if sentences}
        assert report.more >= bool(allows_more(before, after))
    assert found == {section.name for section in Section}


def test_inclusion_is_an_order():
    regions = [region_of(load(random_texts(seed, purposes=1)), "purpose-0") for seed in range(12)]
    for one in regions:
        assert includes(one, one)
        assert includes(one, None)
        assert includes(None, one) == (one is None)
        for other in regions:
            if one is not None and other is not None and includes(one, other) and includes(other, one):
                assert one == other


def bend(*changes, source=None):
    made = dict(source or texts())
    for file, old, new in changes:
        assert old in made[file], old
        made[file] = made[file].replace(old, new, 1)
    return load(made)


def told(report, section):
    return [f"{one.purpose}: {one.text}" for one in report.sections[section]]


BEZETTING, BOETE, CATALOGUE = "purposes/bezetting.yaml", "purposes/cert-boete.yaml", "catalogue.yaml"
L, T, E, C = Section.LOOSER, Section.TIGHTER, Section.OTHER, Section.TO_COMPARE
SHIFTS = [
    (SNF, "answer_keep_days: 92", "answer_keep_days: 91", T, "days an answer may be kept: 92 -> 91"),
    (SNF, "vault_keep_days: 730", "vault_keep_days: 731", L, "commitments: 730 -> 731"),
    (SNF, "subjects_per_request: 1000", "subjects_per_request: 1001", L, "in a question: 1000 -> 1001"),
    (SNF, "requests_per_day: 50", "requests_per_day: 49", T, "questions a day: 50 -> 49"),
    (SNF, "until: 2027-12-31", "until: 2028-01-01", L, "permits until: 2028-01-01 -> 2028-01-02"),
    (SNF, "from: 2026-01-01", "from: 2026-01-02", T, "permits from: 2026-01-01 -> 2026-01-02"),
    (SNF, "epoch: quarter", "epoch: year", L, "holds for a quarter -> a year"),
    (SNF, "epoch: quarter", "epoch: month", T, "holds for a quarter -> a month"),
    (SNF, "legal_basis: snf-covenant", "legal_basis: municipal-housing-task", C, "legal_basis: snf-covenant"),
    (SNF, "steward: snf", "steward: utrecht", E, "made by snf -> utrecht"),
    (SNF, "steward: snf", "steward: snf, successors: [utrecht]", E, "in the steward's place: nobody -> utrecht"),
    (SNF, "steward: snf", "steward: snf, overlap_days: 7", L, "the key before may still be asked under: 0 -> 7"),
    (SNF, "valid: {from", "probing: {asked_again: {at_most: 3, then: report}}\nvalid: {from", T,
     "guard asked_again: at most 3, else report"),
    (SNF, "beds: Needed", "beds: Wanted", E, "why it is needed reads otherwise: beds"),
    (SNF, "state: active", "state: active\ncase_number: required", T, "case number: not required"),
    (SNF, "state: active", "state: active\nvalid_on: as-of", T, "row rule valid_on applies"),
    (SNF, "state: active", "state: active\nhuman_check: required", T, "a person must check every hit"),
    (SNF, "state: active", "state: active\ndeliver_every_days: 9", T, "of the register: none -> 9"),
    (BEZETTING, "bands: [5, 10, 25", "bands: [5, 7, 10, 25", L, "bands of a count: 5, 10, 25"),
    (BEZETTING, "bands: [5, 10, 25", "bands: [5, 25", T, "bands of a count: 5, 10, 25"),
    (BEZETTING, "per_epoch: 12", "per_epoch: 13", L, "counts in an epoch: 12 -> 13"),
    (BOETE, "{years: 2,", "{years: 3,", L, "row rule look_back_years: 2 -> 3"),
    (BOETE, "exclude_natural_persons: true", "exclude_natural_persons: false", L, "no longer apply"),
    (CATALOGUE, "smallest_min_group: 5", "smallest_min_group: 4", L, "guardrail smallest_min_group: 5 -> 4"),
    (CATALOGUE, "longest_validity_days: 1096", "longest_validity_days: 1095", T, "guardrail"),
    (CATALOGUE, "longest_retention_days: 184", "longest_retention_days: 185", L, "retention_days: 184"),
    (CATALOGUE, "auditors: [privacy-auditor]", "auditors: [rvig, privacy-auditor]", L, "rvig may read"),
    (CATALOGUE, "remark: Sample", "remark: A sample", E, "catalogue's remark reads otherwise"),
    (CATALOGUE, "en: number of beds", "en: beds", E, "attribute beds, title: en: number of beds -> beds"),
    (CATALOGUE, "en: Letting permits", "en: Letting", E, "title: en: Letting permits -> Letting"),
    (CATALOGUE, "    unit: beds\n    width: 6", "    unit: beds\n    width: 7", L, "attribute beds, width: 6 -> 7"),
    (CATALOGUE, "    unit: beds\n", "    unit: beds\n    special_category: health\n", T, "none -> health"),
    (CATALOGUE, "000103000\n", "000103000\n    sub_oins: ['00000099000000199000']\n", L, "snf: whoever holds OIN"),
    (CATALOGUE, '    case_number: "CN-[0-9]{1,7}"\n', "", T, "-> none; it asks under no active"),
    (BEZETTING, "per_epoch: 12}", "per_epoch: 40}", L, "counts in an epoch: 12 -> 40"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new", "section", "text"), SHIFTS)
def test_every_shift_stands_in_its_section(file, old, new, section, text):
    source = texts()
    if text.startswith("rvig"):  # an auditor takes no part
        source = {name: body for name, body in source.items() if "rvig" not in body or name == "catalogue.yaml"}
    report = compare(load(source), bend((file, old, new), source=source))
    assert any(text in line for line in told(report, section)), report.sections
    assert report.more == (section is Section.LOOSER)
    assert report.must_compare == (section is Section.TO_COMPARE)
    assert not report.same
    back = compare(bend((file, old, new), source=source), load(source))
    assert back.more == (section is Section.TIGHTER)


def test_new_parties_things_and_identifiers_are_told_apart_with_their_line():
    before = load()
    report = compare(before, bend((SNF, "asks: [municipalities]", "asks: [municipalities, nla]")))
    (line,) = told(report, Section.NEWLY)
    assert line.startswith(
        "snf-locatie: nla may ask, about location, identified by bag, postcode-number, of snf for: hit"
    )
    assert report.sections[Section.NEWLY][0].path == "asks"
    without = bend((SNF, "identified_by: [bag, postcode-number]", "identified_by: [bag]"))
    assert "identified by postcode-number," in told(compare(without, before), Section.NEWLY)[0]
    assert "identified by postcode-number," in told(compare(before, without), Section.NO_LONGER)[0]
    assert not compare(before, without).more
    fewer = bend((SNF, "    beds: Needed to see whether the number of residents fits what was certified.\n", ""))
    (line,) = told(compare(fewer, before), Section.NEWLY)
    assert line.endswith("of snf for: beds")


def test_a_party_that_joins_a_group_shows_in_every_purpose_that_names_the_group():
    text = texts()["catalogue.yaml"]
    at = text.index("municipalities: [")
    joined = text[:at] + text[at:].replace("municipalities: [utrecht, ", "municipalities: [", 1)
    report = compare(load(texts() | {"catalogue.yaml": joined}), load())
    purposes = {one.purpose for one in report.sections[Section.NEWLY]}
    assert {"snf-locatie", "bezetting", "verhuurvergunning"} <= purposes
    assert any("group municipalities: joined by utrecht" in line for line in told(report, Section.OTHER))


def test_a_renamed_purpose_is_new_and_the_old_one_gone():
    source = texts()
    text = source.pop(SNF)
    source["purposes/snf-adres.yaml"] = text.replace("purpose: snf-locatie", "purpose: snf-adres")
    report = compare(load(), load(source))
    assert report.more
    assert any(line.startswith("snf-adres: ") for line in told(report, Section.NEWLY))
    assert any(line.startswith("snf-locatie: ") for line in told(report, Section.NO_LONGER))
    assert any("is snf-locatie under another name" in line for line in told(report, Section.OTHER))


def test_a_later_expiry_is_looser_and_comments_are_nothing():
    before = replace(load(), expires=datetime(2027, 1, 1, tzinfo=UTC))
    later = replace(before, expires=datetime(2027, 2, 1, tzinfo=UTC))
    assert compare(before, later).more
    assert not compare(later, before).more
    commented = bend((SNF, "state: active", "# a remark\nstate: active"))
    report = compare(load(), commented)
    assert report.same
    assert not report.more
    assert not any(report.sections.values())


def test_the_command(tmp_path):
    def run(*arguments, code):
        result = CliRunner().invoke(app, ["diff", *map(str, arguments)])
        assert result.exit_code == code, (result.output, result.exception)
        return result.output

    assert "both mean the same" in run(ROOT, ROOT, code=0)
    bundle = tmp_path / "old.bundle"
    expires = datetime(2027, 3, 1, tzinfo=UTC)
    old = texts() | {SNF: texts()[SNF].replace("requests_per_day: 50", "requests_per_day: 5")}
    bundle.write_bytes(build_bundle(old, revision=1, expires=expires))
    shown = run(bundle, ROOT, code=8)
    assert "questions a day: 5 -> 50" in shown
    assert "[purposes/snf-locatie.yaml:" in shown
    assert shown.rstrip().endswith("is looser: exit 8")
    assert "is looser in nothing" in run(ROOT, bundle, code=0)
    value = json.loads(run(bundle, ROOT, "--json", code=8))
    assert value["allows_more"] is True
    assert [one["purpose"] for one in value["looser"]] == ["snf-locatie"]
    (tmp_path / "rubbish").write_bytes(b"{}")
    assert "not a policy bundle" in run(tmp_path / "rubbish", ROOT, code=3)


def test_regions_follow_midnight_in_amsterdam():
    region = region_of(load(), "snf-locatie")
    assert isinstance(region, Region)
    assert region.start == datetime(2026, 1, 1, tzinfo=AMSTERDAM)
    assert region.end == datetime(2028, 1, 1, tzinfo=AMSTERDAM)


GUARD = "valid: {from"
REPORTS = "probing: {asked_again: {at_most: 3, then: report}}\nvalid: {from"


@pytest.mark.parametrize(
    ("new", "section", "told_as"),
    [
        (GUARD, L, "guard asked_again is gone"),
        (REPORTS.replace("3", "4"), L, "at most 3, else report -> at most 4, else report"),
        (REPORTS.replace("report", "refuse"), T, "at most 3, else report -> at most 3, else refuse"),
        (REPORTS.replace("3, then: report", "2, then: refuse"), T, "at most 3, else report -> at most 2, else refuse"),
        (REPORTS.replace("3, then: report", "4, then: refuse"), C, "at most 3, else report -> at most 4, else refuse"),
    ],
)
def test_guards_against_probing_are_compared(new: str, section: Section, told_as: str) -> None:
    report = compare(bend((SNF, GUARD, REPORTS)), bend((SNF, GUARD, new)))
    assert any(told_as in line for line in told(report, section)), report.sections
    assert report.more == (section is L)
    assert report.must_compare == (section is C)
