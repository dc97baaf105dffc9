"""Exports, each read back by its own rules, with every term from a closed list."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil

import pytest
from policy_samples import ROOT, bent, load
from typer.testing import CliRunner

from broker.cli.policy import app
from broker.errors import Code, SluisError
from broker.policy.document import read_policies
from broker.policy.register_of_processing import as_csv, as_markdown, register_rows
from broker.policy.register_words import COLUMNS, PHRASES
from broker.policy.semantic_web import GROUNDS, to_dpv, to_odrl
from broker.policy.wording import LANGUAGES

RUNNER = CliRunner()
SET = load()
ACTIVE = sorted(name for name, purpose in SET.purposes.items() if purpose.state == "active")

# domain.md section 4, and of DPV 2.1 itself (its dpv.csv and eu-gdpr.csv) what that section does not list
DPV_NAMES = {
    "dpv:Process",
    "dpv:Purpose",
    "dpv:LegalCompliance",
    "dpv:LegalBasis",
    "dpv:Data",
    "dpv:PersonalData",
    "dpv:SpecialCategoryPersonalData",
    "dpv:PseudonymisedData",
    "dpv:DataSubject",
    "dpv:StorageDuration",
    "dpv:Pseudonymisation",
    "dpv:CryptographicMethods",
    "dpv:DPIA",
    "dpv:HumanInvolvementForVerification",
    "dpv:hasPurpose",
    "dpv:hasLegalBasis",
    "dpv:hasDataController",
    "dpv:hasDataProcessor",
    "dpv:hasRecipient",
    "dpv:hasData",
    "dpv:hasPersonalData",
    "dpv:hasDataSubject",
    "dpv:hasStorageCondition",
    "dpv:hasDuration",
    "dpv:hasTechnicalMeasure",
    "dpv:hasImpactAssessment",
    "dpv:hasHumanInvolvement",
    "eu-gdpr:A6-1-c",
    "eu-gdpr:A6-1-e",
    "eu-gdpr:A6-1-e-official-authority",
    "eu-gdpr:A6-1-e-public-interest",
}
DCT_NAMES = {"title", "identifier", "description", "abstract", "source", "valid", "provenance"}
ODRL_KEYS = {"uid", "permission", "target", "assigner", "assignee", "action", "constraint", "duty", "unit"}
ODRL_KEYS |= {"leftOperand", "operator", "rightOperand"}
ODRL_OPERANDS = {"purpose", "dateTime", "count", "elapsedTime"}
ODRL_OPERATORS = {"eq", "lt", "lteq", "gteq"}
ODRL_ACTIONS = {"read", "delete"}
JSONLD_KEYS = {"@context", "@graph", "@id", "@type", "@value", "@language"}


def run(*arguments, code=0, text=None, folder=ROOT):
    result = RUNNER.invoke(app, ["export", str(folder), *arguments], input=text)
    assert result.exit_code == code, (result.output, result.exception)
    return result


def walk(value):
    """Every key and every text of a JSON value, but for its context."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key != "@context":
                yield key
                yield from walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner)
    elif isinstance(value, str):
        yield value


@pytest.fixture(scope="module")
def dpv():
    return json.loads(run("--format", "dpv").stdout)


@pytest.fixture(scope="module")
def odrl():
    return json.loads(run("--format", "odrl").stdout)


def of(graph, name):
    (node,) = [node for node in graph["@graph"] if node.get("dct:identifier") == name]
    return node


def test_dpv_uses_terms_of_dpv_2_1_alone(dpv):
    assert dpv["@context"]["dpv"] == "https://w3id.org/dpv#"
    assert dpv["@context"]["eu-gdpr"] == "https://w3id.org/dpv/legal/eu/gdpr#"
    used = {word for word in walk(dpv) if re.fullmatch(r"(dpv|eu-gdpr):\S+", word)}
    assert used <= DPV_NAMES
    assert {"dpv:hasPurpose", "dpv:hasLegalBasis", "dpv:hasRecipient", "eu-gdpr:A6-1-c", "eu-gdpr:A6-1-e"} <= used
    assert {word.removeprefix("dct:") for word in walk(dpv) if re.fullmatch(r"dct:\S+", word)} <= DCT_NAMES
    assert {word for word in walk(dpv) if word.startswith("@")} <= JSONLD_KEYS


def test_dpv_holds_every_active_purpose_and_resolves_its_parties(dpv):
    processes = [node for node in dpv["@graph"] if node.get("@type") == "dpv:Process"]
    assert sorted(node["dct:identifier"] for node in processes) == ACTIVE
    known = {node["@id"] for node in dpv["@graph"]}
    for process in processes:
        purpose = SET.purposes[process["dct:identifier"]]
        assert process["@id"] == purpose.processing_activity
        for key in ("dpv:hasDataController", "dpv:hasRecipient"):
            assert {party["@id"] for party in process[key]} <= known
        assert process["dpv:hasStorageCondition"]["dpv:hasDuration"]["@value"] == f"P{purpose.answer_keep_days}D"
        assert process["dct:valid"] == f"{purpose.valid.from_}/{purpose.valid.until}"


def test_dpv_names_processor_and_principal(dpv):
    process = of(dpv, "cert-boete")
    assert process["dpv:hasDataProcessor"] == [{"@id": "#party-sna"}]
    assert {"@id": "#party-certificeerder-noord"} in process["dpv:hasDataController"]
    assert {"@id": "#party-sna"} not in process["dpv:hasDataController"]
    assert process["dpv:hasLegalBasis"]["@type"] == ["dpv:LegalBasis", "eu-gdpr:A6-1-c"]


def test_dpv_calls_data_personal_only_of_persons():
    draft = SET.purposes["nla-verstrekking-persoon"]
    (process,) = [n for n in to_dpv(SET, [draft])["@graph"] if n.get("@type") == "dpv:Process"]
    assert "dpv:hasDataSubject" in process
    assert {node["@type"] for node in process["dpv:hasPersonalData"]} == {"dpv:PseudonymisedData"}
    assert process["dpv:hasHumanInvolvement"] == {"@id": "dpv:HumanInvolvementForVerification"}
    (process,) = [n for n in to_dpv(SET, [SET.purposes["bezetting"]])["@graph"] if n.get("@type") == "dpv:Process"]
    assert "dpv:hasPersonalData" not in process


def test_dpv_refuses_a_ground_that_dpv_has_no_term_for():
    policies, problems = read_policies(bent("catalogue.yaml", "dpv: eu-gdpr:A6-1-c", "dpv: eu-gdpr:A6-1-z"))
    assert policies is not None, problems
    with pytest.raises(SluisError, match="did you mean") as caught:
        to_dpv(policies, list(policies.purposes.values()))
    assert caught.value.code is Code.POLICY_INVALID
    assert {basis.dpv for basis in SET.catalogue.legal_bases.values()} <= GROUNDS


def test_odrl_uses_its_common_vocabulary_alone(odrl):
    assert odrl["@context"][0] == "http://www.w3.org/ns/odrl.jsonld"
    keys = set()
    todo = [odrl["@graph"]]
    while todo:
        value = todo.pop()
        if isinstance(value, dict):
            keys |= set(value)
            todo += value.values()
        elif isinstance(value, list):
            todo += value
    assert keys - JSONLD_KEYS <= ODRL_KEYS | {f"dct:{name}" for name in DCT_NAMES}
    rules = [rule for node in odrl["@graph"] for rule in node["permission"]]
    assert {rule["action"] for rule in rules} | {d["action"] for rule in rules for d in rule["duty"]} == ODRL_ACTIONS
    constraints = [c for rule in rules for c in (*rule["constraint"], *rule["duty"][0]["constraint"])]
    assert {c["leftOperand"] for c in constraints} == ODRL_OPERANDS
    assert {c["operator"] for c in constraints} == ODRL_OPERATORS


def test_odrl_says_what_may_be_read_by_whom_until_when_and_what_it_cannot_say(odrl):
    assert [node["uid"] for node in odrl["@graph"]] == [f"#policy-{name}" for name in ACTIVE]
    (node,) = [node for node in odrl["@graph"] if node["uid"] == "#policy-cert-boete"]
    (rule,) = node["permission"]
    assert (rule["assigner"], rule["assignee"]) == (["#party-nla"], ["#party-sna"])
    assert "#attribute-violation-kind" in rule["target"]
    assert "#cert-boete-hit" in rule["target"]
    assert "#cert-boete-count" not in rule["target"]
    values = {(c["leftOperand"], c["operator"]): c["rightOperand"] for c in rule["constraint"]}
    assert values["dateTime", "gteq"]["@value"] == "2025-12-31T23:00:00Z"
    assert values["dateTime", "lt"]["@value"] == "2027-12-31T23:00:00Z"
    # per day and per question: a bare count would bound all use for ever
    assert all("unit" in c for c in rule["constraint"] if c["leftOperand"] == "count")
    assert "look_back" in node["dct:description"]
    assert "human_check" not in node["dct:description"]


def test_odrl_permits_nothing_of_what_is_suspended(tmp_path):
    folder = tmp_path / "p"
    shutil.copytree(ROOT, folder)
    file = folder / "purposes" / "snf-locatie.yaml"
    file.write_text(file.read_text("utf-8").replace("state: active", "state: suspended"), "utf-8")
    assert "snf-locatie" not in run("--format", "odrl", folder=folder).stdout
    assert "snf-locatie" in run("--format", "dpv", folder=folder).stdout
    assert "opgeschort" in run("--format", "art30", folder=folder).stdout


def cells(text):
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=";"))


def test_the_register_is_a_sheet_that_excel_opens():
    text = run("--format", "art30").stdout
    assert text.startswith('\ufeff"Kenmerk";')
    head, *rows = cells(text)
    assert head == [COLUMNS[column]["nl"] for column in COLUMNS]
    assert [row[0] for row in rows] == ACTIVE
    assert {len(row) for row in rows} == {len(head)}
    assert as_csv(register_rows(SET, [SET.purposes["bezetting"]], "en"), "en").count("\r\n") == 2
    letters = {title[0] for title in head if re.match(r"[a-g]\. ", title)}
    assert letters == set("abcdefg")  # AVG article 30(1)
    assert all(cell for row in rows for cell in row)


def test_the_register_says_who_fills_in_what_the_policy_does_not_know():
    _head, *rows = cells(run("--format", "art30").stdout)
    at = list(COLUMNS)
    for row in rows:
        for column in ("contact", "transfer", "retention", "security"):
            assert "In te vullen" in row[at.index(column)]


def test_the_register_names_the_processor_apart_from_the_controllers():
    (row,) = register_rows(SET, [SET.purposes["cert-boete"]], "nl")
    assert row["asking"] == "Certificeerder Noord (verzonnen)"
    assert row["on_behalf_of"] == "Stichting Normering Arbeid → Certificeerder Noord (verzonnen)"
    assert "Stichting Normering Arbeid" in row["recipients"]
    assert "natuurlijke personen, zoals eenmanszaken" in row["subjects"]
    (row,) = register_rows(SET, [SET.purposes["nla-verstrekking-persoon"]], "nl")
    assert row["subjects"] == "natuurlijke persoon"
    assert "een mens controleert elke treffer" in row["security"]
    assert row["dpia"] == "geen genoemd"


def test_no_cell_is_a_formula():
    changed = bent("purposes/snf-locatie.yaml", "  nl: Is de huisvesting", "  nl: =HYPERLINK(1) Is de huisvesting")
    changed["purposes/snf-locatie.yaml"] = (
        changed["purposes/snf-locatie.yaml"]
        .replace("processing_activity: https", "processing_activity: '@https", 1)
        .replace("verwerkingen/snf-locatie", "verwerkingen/snf-locatie'", 1)
    )
    policies = load(changed)
    rows = register_rows(policies, [policies.purposes["snf-locatie"]], "nl")
    (row,) = cells(as_csv(rows, "nl"))[1:]
    assert row[1].startswith("'=HYPERLINK")
    assert row[3].startswith("'@https")
    assert not [cell for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))]


def table_rows(text):
    return [line for line in text.splitlines() if line.startswith("|")]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_register_in_markdown_has_whole_tables(lang):
    changed = bent("purposes/snf-locatie.yaml", "  nl: Is de huisvesting", "  nl: Is | <b>de</b> [huis](x) vesting")
    changed["purposes/snf-locatie.yaml"] = changed["purposes/snf-locatie.yaml"].replace("  en: Is", "  en: a|b", 1)
    policies = load(changed)
    purposes = [purpose for _, purpose in sorted(policies.purposes.items()) if purpose.state == "active"]
    text = as_markdown(policies, register_rows(policies, purposes, lang), lang)
    assert text.startswith(f"# {PHRASES[lang]['title']}\n")
    assert [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")] == ACTIVE
    widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table_rows(text)}
    assert widths == {6, 3}
    assert "<b>" not in text.replace("\\<b", "")
    assert sum(line.startswith("| ---") for line in table_rows(text)) == len(ACTIVE) + 1


def test_both_languages_have_every_phrase():
    assert set(PHRASES["nl"]) == set(PHRASES["en"])
    assert all(set(words) == {"nl", "en"} for words in COLUMNS.values())
    english = as_markdown(SET, register_rows(SET, [SET.purposes["bezetting"]], "en"), "en")
    for dutch in ("In te vullen", "geen", "kwartaal", "Gemeente"):
        assert dutch not in english


def test_special_categories_are_named_with_the_law_that_lifts_the_ban():
    changed = bent("catalogue.yaml", "    holders: [nla]", "    holders: [nla]\n    special_category: criminal")
    changed["catalogue.yaml"] = changed["catalogue.yaml"].replace(
        "    dpv: eu-gdpr:A6-1-c\n",
        "    dpv: eu-gdpr:A6-1-c\n    special_categories:\n      criminal: {citation: UAVG article 33}\n",
        1,
    )
    policies, problems = read_policies(changed)
    assert policies is not None, [str(problem) for problem in problems]
    (row,) = register_rows(policies, [policies.purposes["cert-boete"]], "nl")
    assert row["special"] == "naam van de onderneming: criminal (UAVG article 33)"


QUESTION = (
    "purpose: snf-locatie\nasks: utrecht\nanswers: snf\nidentified_by: bag\nwant: [beds]\ncase_number: UTR-2026-17\n"
)
AT = ("--at", "2026-11-23T10:00:00Z")


def test_authzen_has_the_fields_of_the_profile_and_no_case_number():
    shown = json.loads(run("--format", "authzen", "--request", "-", *AT, text=QUESTION).stdout)
    asked, answer = shown["request"], shown["response"]
    assert set(asked) == {"subject", "action", "resource", "context"}
    assert set(asked["subject"]) == set(asked["resource"]) == {"type", "id", "properties"}
    assert set(asked["action"]) == {"name", "properties"}
    assert asked["subject"]["id"] == "00000099000000201000"
    assert asked["action"]["properties"]["processing_activity_id"] == (
        "https://register.example.nl/verwerkingen/snf-locatie"
    )
    assert asked["context"]["time"] == "2026-11-23T10:00:00Z"
    assert set(answer) == {"decision", "context"}
    assert answer["decision"] is True
    assert answer["context"]["policy"] == SET.digest
    assert answer["context"]["obligations"][0].startswith("answer_keep_days")
    assert "UTR-2026-17" not in json.dumps(shown)


def test_authzen_gives_reasons_for_people_and_repeats_no_long_number():
    text = QUESTION.replace("[beds]", "[a999993653, beds]").replace("snf\n", "svb\n", 1)
    result = run("--format", "authzen", "--request", "-", "--lang", "nl", *AT, text=text)
    shown = json.loads(result.stdout)
    assert shown["response"]["decision"] is False
    assert set(shown["response"]["context"]["reason_admin"]) == {"answerer", "attributes"}
    assert "wordt bevraagd" in shown["response"]["context"]["reason_user"]["answerer"]
    assert "999993653" not in result.stdout
    unknown = QUESTION.replace("utrecht", "nobody").replace("snf-locatie", "no-such")
    shown = json.loads(run("--format", "authzen", "--request", "-", *AT, text=unknown).stdout)
    assert shown["request"]["subject"]["type"] == "party"
    assert "processing_activity_id" not in shown["request"]["action"]["properties"]


def test_options_that_a_form_has_no_use_for_are_refused():
    assert "name the question" in run("--format", "authzen", code=2).stderr
    assert "only authzen shows a decision" in run("--format", "dpv", *AT, code=2).stderr
    assert "only authzen shows a decision" in run("--format", "art30", "--request", "-", code=2).stderr
    assert "only art30 has layouts" in run("--format", "odrl", "--as", "md", code=2).stderr


def test_only_what_concerns_a_party(tmp_path):
    mine = json.loads(run("--format", "art30", "--party", "certificeerder-noord", "--json").stdout)
    assert mine["purposes"] == ["cert-boete", "cert-fiscaal"]
    assert "did you mean 'snf'" in run("--format", "art30", "--party", "snff", code=2).stderr


def test_export_writes_a_file_or_into_a_folder(tmp_path):
    said = run("--format", "art30", "--as", "md", "--lang", "en", "--out", str(tmp_path)).stdout
    assert said == f"wrote {tmp_path}/sluis-art30.md: {len(ACTIVE)} purposes\n"
    assert (tmp_path / "sluis-art30.md").read_text("utf-8").startswith("# Register of processing")
    run("--format", "dpv", "--out", str(tmp_path / "x.jsonld"))
    assert "@graph" in json.loads((tmp_path / "x.jsonld").read_text("utf-8"))
    assert json.loads(run("--format", "odrl", "--out", str(tmp_path), "--json").stdout)["file"].endswith("odrl.jsonld")


def test_what_is_exported_of_equal_policies_is_equal():
    active = [SET.purposes[name] for name in ACTIVE]
    assert to_odrl(SET, active) == to_odrl(load(), active)
