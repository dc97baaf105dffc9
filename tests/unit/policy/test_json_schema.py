"""The exported schemas, by an independent validator and an independent YAML 1.2 reader: what an editor does."""

from __future__ import annotations

import io
import json
import typing

import pytest
from jsonschema import Draft7Validator, Draft202012Validator, FormatChecker
from policy_samples import ROOT
from pydantic import BaseModel
from ruamel.yaml import YAML
from ruamel.yaml.resolver import VersionedResolver
from typer.testing import CliRunner

from broker.cli.policy import app
from broker.policy.hover_text import HOVER
from broker.policy.json_schema import MODELS, Vocabulary, schema_of, schema_text
from broker.policy.schema import read_model
from broker.policy.strict_yaml import read_yaml

RUNNER = CliRunner()
SCHEMAS = {name: json.loads((ROOT / "schema" / f"{name}.schema.json").read_text("utf-8")) for name in MODELS}
SHAPES = {name: schema_of(name) for name in MODELS}
SAMPLES = [
    *(("catalogue", file) for file in [ROOT / "catalogue.yaml"]),
    *(("officers", file) for file in sorted(ROOT.glob("officers.yaml"))),
    *(("purpose", file) for file in sorted((ROOT / "purposes").glob("*.yaml"))),
    *(("test", file) for file in sorted((ROOT / "tests").glob("*.yaml"))),
]


class CoreSchema(VersionedResolver):
    """YAML 1.2's core schema, which editors use, has no timestamps; ruamel still reads them as dates."""

    def add_version_implicit_resolver(self, version, tag, regexp, first):
        if tag != "tag:yaml.org,2002:timestamp":
            super().add_version_implicit_resolver(version, tag, regexp, first)


def seen_by_an_editor(text):
    reader = YAML(typ="safe", pure=True)
    reader.Resolver = CoreSchema
    reader.version = (1, 2)
    return reader.load(io.StringIO(text))


def errors(schema, text):
    return list(Draft202012Validator(schema, format_checker=FormatChecker()).iter_errors(seen_by_an_editor(text)))


def refused_by_reader(name, text):
    source, problems = read_yaml(text, "x.yaml")
    if source is None:
        return problems
    return read_model(MODELS[name], source)[1]


def models():
    """Every model that stands in a file, found from the top."""
    found, todo = set(), list(MODELS.values())
    while todo:
        kind = todo.pop()
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            if kind not in found:
                found.add(kind)
                todo += [field.annotation for field in kind.model_fields.values()]
        else:
            todo += typing.get_args(kind)
    return found


def test_the_editor_s_reader_is_that_of_yaml_1_2():
    assert seen_by_an_editor("a: NO\nb: 10\nc: true\nd: 2026-01-01\ne: 12:30\nf: null\n") == {
        "a": "NO",
        "b": 10,
        "c": True,
        "d": "2026-01-01",
        "e": "12:30",
        "f": None,
    }


@pytest.mark.parametrize("name", MODELS)
def test_schemas_pass_both_meta_schemas(name):
    for schema in (SCHEMAS[name], SHAPES[name]):
        Draft202012Validator.check_schema(schema)
        Draft7Validator.check_schema(schema | {"$schema": "http://json-schema.org/draft-07/schema#"})
        assert "$ref" not in json.dumps(schema)


def keywords(schema):
    """Every keyword used, at any depth; names of properties are no keywords."""
    for key, value in schema.items():
        yield key
        children = value.values() if key == "properties" else value if isinstance(value, list) else [value]
        for child in children:
            if isinstance(child, dict):
                yield from keywords(child)


@pytest.mark.parametrize("name", MODELS)
def test_every_map_is_closed_and_every_keyword_is_of_draft_7(name):
    known = set(Draft7Validator.META_SCHEMA["properties"]) | {"enumDescriptions", "patternErrorMessage"}
    assert set(keywords(SCHEMAS[name])) <= known
    text = json.dumps(SCHEMAS[name])
    assert text.count('"type": "object"') == text.count('"additionalProperties"')


@pytest.mark.parametrize(("name", "file"), SAMPLES, ids=lambda value: getattr(value, "stem", value))
def test_every_sample_passes_the_committed_schema_and_the_plain_one(name, file):
    text = file.read_text("utf-8")
    assert errors(SCHEMAS[name], text) == []
    assert errors(SHAPES[name], text) == []


def test_a_question_file_passes():
    text = "{purpose: snf-locatie, asks: utrecht, answers: snf, identified_by: bag, want: [hit], epoch: 2026}"
    assert errors(SCHEMAS["question"], text) == []
    assert refused_by_reader("question", text) == ()


def test_every_key_has_a_text_to_hover_over_and_no_text_is_left_over():
    keys = {f"{model.__name__}.{field.alias or key}" for model in models() for key, field in model.model_fields.items()}
    assert keys == set(HOVER)


def test_committed_schemas_are_those_of_the_models_and_the_samples():
    result = RUNNER.invoke(app, ["schema", str(ROOT), "--check"])
    assert result.exit_code == 0, result.stderr


PURPOSE = (ROOT / "purposes" / "cert-boete.yaml").read_text("utf-8")
CATALOGUE = (ROOT / "catalogue.yaml").read_text("utf-8")
TEST = (ROOT / "tests" / "snf-locatie_test.yaml").read_text("utf-8")
OFFICERS = """
officers:
  fg-nla:
    title: {nl: Functionaris, en: Officer}
    signs_for: [nla]
    key: 1111111111111111111111111111111111111111111111111111111111111111
"""
BOTH = [
    ("purpose", "state: active", "state: activ"),
    ("purpose", "state: active", "state: true"),
    ("purpose", "state: active", "stat: active"),
    ("purpose", "asks: [sna]", "asks: sna"),
    ("purpose", "asks: [sna]", "asks: [SNA]"),
    ("purpose", "asks: [sna]", "asks: ['*']"),
    ("purpose", "asks: [sna]", "asks: [12]"),
    ("purpose", "asks: [sna]", "asks: {sna: 1}"),
    ("purpose", "processor: sna", "processors: sna"),
    ("purpose", "principal: certificeerder-noord", "principal: [certificeerder-noord]"),
    ("purpose", "hit: true", "hit: ja"),
    ("purpose", "hit: true", "hit: 1"),
    ("purpose", "hit: true", "hit: 'true'"),
    ("purpose", "hit: true", "hit: null"),
    ("purpose", "enterprise-name: The", "Enterprise-Name: The"),
    ("purpose", "mode: keyed", "mode: plain"),
    ("purpose", "epoch: quarter", "epoch: week"),
    ("purpose", "years: 2", "years: two"),
    ("purpose", "years: 2", "years: 0"),
    ("purpose", "years: 2", "years: 101"),
    ("purpose", "years: 2", "years: 2.5"),
    ("purpose", "years: 2", "years: -2"),
    ("purpose", "years: 2", "years: null"),
    ("purpose", "valid_on: as-of", "valid_on: today"),
    ("purpose", "answer_keep_days: 730", "answer_keep_days: 36526"),
    ("purpose", "answer_keep_days: 730", "answer_keep_days: 1 000"),
    ("purpose", "answer_keep_days: 730", "answer_keep_days: '0730'"),
    ("purpose", "answer_keep_days: 730", "answer_keep_days: 2 years"),
    ("purpose", "subjects_per_request: 20000", "subjects_per_request: 1000000000"),
    ("purpose", "until: 2027-12-31", "until: 31-12-2027"),
    ("purpose", "until: 2027-12-31", "until: 2027-02-30"),
    ("purpose", "until: 2027-12-31", "until: 1999-12-31"),
    ("purpose", "until: 2027-12-31", "until: 2027"),
    ("purpose", ", until: 2027-12-31", ""),
    ("purpose", "dpia: DPIA-SAMPLE-02", "dpia: ''"),
    ("purpose", "dpia: DPIA-SAMPLE-02", "dpia: null"),
    ("purpose", "dpia: DPIA-SAMPLE-02", "dpia: ~"),
    ("purpose", "dpia: DPIA-SAMPLE-02", "dpia: [a]"),
    ("purpose", "dpia: DPIA-SAMPLE-02", f"dpia: {'x' * 2001}"),
    ("purpose", "limits:", "lifts: [xyz]\nlimits:"),
    ("purpose", "finding: NO_CASE_NUMBER", "finding: low"),
    ("purpose", "    by: privacy officer (sample)\n", ""),
    ("purpose", "limits:", "case_number: optional\nlimits:"),
    ("catalogue", "kind: public", "kind: publiek"),
    ("catalogue", "oin: 00000099000000101000", "oin: '0000009900000010100'"),
    ("catalogue", "oin: 00000099000000101000", "oin: abc"),
    ("catalogue", "width: 16", "width: 1025"),
    ("catalogue", "type: code", "type: enum"),
    ("catalogue", "holders: [snf, sna]", "holders: snf"),
    ("catalogue", "dpv: eu-gdpr:A6-1-e", "dpv: A6-1-e"),
    ("catalogue", "natural_person: true", "natural_person: yes"),
    ("catalogue", "national_number_with_private_party: never", "national_number_with_private_party: sometimes"),
    ("catalogue", "smallest_min_group: 5", "smallest_min_group: 0"),
    ("catalogue", "longest_vault_keep_days: 3650", "longest_vault_keep_day: 3650"),
    ("test", "expect: permit", "expect: allow"),
    ("test", "at: 2026-11-23T10:00:00Z", "at: 2026-11-23 10:00"),
    ("test", "at: 2026-11-23T10:00:00Z", "at: 2026-11-23T10:00:00+01:00"),
    ("test", "subjects: 1001", "subjects: many"),
    ("test", "subjects: 1001", "subject: 1001"),
    ("test", "because: [subjects-per-request]", "because: subjects-per-request"),
    ("test", "requests_today: 49", "requests_today: null"),
    ("officers", "signs_for: [nla]", "signs_for: []"),
    ("officers", "key: 1", "key: g"),
    ("officers", "en: Officer", "fr: Officier"),
]
READER_ONLY = [
    ("purpose", "years: 2", "years: 0x2", "another notation of a number"),
    ("purpose", "years: 2", "years: 02", "a leading zero"),
    ("purpose", "years: 2", "years: 2.0", "a number with a point that is whole"),
    ("purpose", "years: 2", "years: '101'", "bounds of a number between quotes"),
    ("purpose", "hit: true", "hit: True", "another spelling of true"),
    ("purpose", "asks: [sna]", "asks: [all]", "a word that would be a wildcard"),
    ("purpose", "state: active", "state: !!str active", "a tag"),
    ("purpose", "state: active", "state: &a active", "an anchor"),
    ("purpose", "title:", "title\u00a0:", "what cannot be seen, in a key that the schema then misses too"),
    ("catalogue", "oin: 00000099000000101000", "oin: 99", "the length of an OIN without quotes"),
    ("test", "at: 2026-11-23T10:00:00Z", "at: 2026-02-30T10:00:00Z", "a moment that does not exist"),
]
TEXTS = {"purpose": PURPOSE, "catalogue": CATALOGUE, "test": TEST, "officers": OFFICERS}


def bend(name, old, new):
    assert old in TEXTS[name], old
    return TEXTS[name].replace(old, new, 1)


@pytest.mark.parametrize(("name", "old", "new"), BOTH)
def test_reader_and_schema_refuse_the_same(name, old, new):
    text = bend(name, old, new)
    assert refused_by_reader(name, text), "the reader accepts it"
    assert errors(SHAPES[name], text), "the schema accepts it"


@pytest.mark.parametrize(("name", "old", "new", "what"), READER_ONLY)
def test_what_only_the_reader_catches(name, old, new, what):
    text = bend(name, old, new)
    assert refused_by_reader(name, text), what
    if "\u00a0" not in new:
        assert errors(SHAPES[name], text) == [], f"the schema catches it now: {what}"


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("purpose", "years: 2", "years: '2'"),
        ("purpose", "dpia: DPIA-SAMPLE-02", "dpia: 12"),
        ("purpose", "dpia: DPIA-SAMPLE-02", "dpia: NO"),
        ("purpose", "dpia: DPIA-SAMPLE-02", "dpia: false"),
        ("purpose", "dpia: DPIA-SAMPLE-02", "dpia: 1.5"),
        ("purpose", "until: 2027-12-31", "until: '2027-12-31'"),
        ("purpose", "limits:", "lifts: [1234567812345678]\nlimits:"),
        ("test", "at: 2026-11-23T10:00:00Z", "at: '2026-11-23T10:00:00Z'"),
        ("test", "requests_today: 49", "count_distance: null"),
        ("test", "requests_today: 49", "register_rules: {look_back_years: 2, valid_on: as-of, x: true}"),
        ("test", "requests_today: 49", "case_number: null"),
        ("officers", "key: 1", "key: 1"),
    ],
)
def test_what_the_reader_accepts_the_schema_does_too(name, old, new):
    text = bend(name, old, new)
    assert refused_by_reader(name, text) == ()
    assert errors(SHAPES[name], text) == []


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("purpose", "asks: [sna]", "asks: [snaa]"),
        ("purpose", "identified_by: [vestiging, kvk]", "identified_by: [vestiging, kvkk]"),
        ("purpose", "legal_basis: waadi-14b-1", "legal_basis: waadi-14b-9"),
        ("purpose", "about: enterprise", "about: company"),
        ("purpose", "steward: nla", "steward: municipalities"),
        ("purpose", "    violation-kind:", "    violation-type:"),
        ("test", "purpose: snf-locatie", "purpose: snf-locaties"),
        ("test", "because: [subjects-per-request]", "because: [subjects]"),
    ],
)
def test_the_committed_schemas_flag_words_that_the_catalogue_lacks(name, old, new):
    text = bend(name, old, new)
    assert errors(SCHEMAS[name], text)


def test_a_test_may_use_words_that_nobody_knows():
    text = bend("test", "asks: utrecht", "asks: nobody").replace("want: [certificate-status", "want: [manager-name")
    assert errors(SCHEMAS["test"], text) == []
    assert refused_by_reader("test", text) == ()


def test_words_come_with_what_they_mean():
    steward = SCHEMAS["purpose"]["properties"]["pseudonyms"]["properties"]["steward"]
    at = steward["enum"].index("snf")
    assert steward["enumDescriptions"][at].startswith("Stichting Normering Flexwonen / Flexible Housing")
    beds = SCHEMAS["purpose"]["properties"]["may_learn"]["properties"]["attributes"]["properties"]["beds"]
    assert beds["description"].startswith("aantal bedden / number of beds. Het aantal slaapplaatsen")
    assert schema_of("purpose", Vocabulary({})) == SHAPES["purpose"]


def test_schema_needs_a_folder_or_a_place_to_write(tmp_path):
    assert RUNNER.invoke(app, ["schema"]).exit_code == 2
    result = RUNNER.invoke(app, ["schema", "--out", str(tmp_path / "s"), "--json"])
    assert json.loads(result.stdout)["ok"] is True
    assert (tmp_path / "s" / "purpose.schema.json").read_text("utf-8") == schema_text(SHAPES["purpose"])


def test_schema_says_what_is_out_of_date_and_reads_a_folder_with_broken_purposes(tmp_path):
    (tmp_path / "purposes").mkdir()
    (tmp_path / "catalogue.yaml").write_text(CATALOGUE, "utf-8")
    (tmp_path / "purposes" / "half.yaml").write_text("purpose: [", "utf-8")
    stale = RUNNER.invoke(app, ["schema", str(tmp_path), "--check"])
    assert stale.exit_code == 3
    assert stale.stderr.count("SCHEMA_OUT_OF_DATE") == len(MODELS)
    assert RUNNER.invoke(app, ["schema", str(tmp_path)]).exit_code == 0
    assert RUNNER.invoke(app, ["schema", str(tmp_path), "--check"]).exit_code == 0
    (tmp_path / "catalogue.yaml").write_text(CATALOGUE.replace("kind: public", "kind: publik", 1), "utf-8")
    refused = RUNNER.invoke(app, ["schema", str(tmp_path)])
    assert refused.exit_code == 3
    assert "did you mean 'public'?" in refused.stderr
    (tmp_path / "catalogue.yaml").unlink()
    assert "there is no catalogue" in RUNNER.invoke(app, ["schema", str(tmp_path)]).stderr


def test_the_editor_settings_name_schemas_that_exist():
    settings = json.loads((ROOT.parent / ".vscode" / "settings.json").read_text("utf-8"))
    assert settings["yaml.yamlVersion"] == "1.2"
    for schema, files in settings["yaml.schemas"].items():
        assert (ROOT.parent / schema).is_file()
        assert files.endswith("officers.yaml") or list(ROOT.parent.glob(files)), files
