"""`sluis policy check` as an officer meets it: what is printed, where, and with which exit code."""

from __future__ import annotations

import base64
import json
import shutil
from dataclasses import replace
from datetime import timedelta

import pytest
from approving import Officers
from audit_kit import Want, World, played
from policy_samples import NOW, ROOT, bent, load, problems_of, texts
from typer.testing import CliRunner

from broker.canonical import canonical_json
from broker.cli.policy import app
from broker.errors import Code, SluisError
from broker.policy.approvals import approve
from broker.policy.lint import lint, usage_of

AT = ("--now", "2026-11-23T10:00:00Z")
V = "purposes/verhuurvergunning.yaml"


def run(*arguments, code=0):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, (result.exit_code, result.output, result.exception)
    return result


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(ROOT, tmp_path / "policies")
    return tmp_path / "policies"


def bend(folder, file, old, new):
    path = folder / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_clean_samples_end_with_nought(folder):
    result = run("check", folder, *AT)
    assert result.stdout.splitlines()[-1] == (
        "0 refused, 0 for a person to answer, 14 answered, 2 notes; --all shows the answers"
    )
    assert "ANSWERED" not in result.stderr
    shown = run("check", folder, *AT, "--all")
    assert "ANSWERED (14)" in shown.stderr
    assert "    2026-11-02, privacy officer (sample): The decree names exactly these seven" in shown.stderr


def test_what_a_person_must_answer_ends_with_nine_and_what_is_refused_with_three(folder):
    bend(folder, V, "case_number: required\n", "")
    result = run("check", folder, *AT, code=9)
    assert "A PERSON MUST ANSWER (1)" in result.stderr
    assert f"{folder}/{V}:15: NO_CASE_NUMBER: answers row by row" in result.stderr
    bend(folder, V, "DPIA-SAMPLE-07", "DPIA-SAMPLE-7")
    result = run("check", folder, *AT, code=3)
    assert result.stderr.index("REFUSED: mend these (1)") < result.stderr.index("A PERSON MUST ANSWER (1)")
    assert "did you mean 'DPIA-SAMPLE-07'?" in result.stderr
    assert result.stdout.splitlines()[-1].startswith("1 refused, 1 for a person to answer")


def test_a_draft_shows_what_it_would_come_to(folder):
    bend(folder, V, "case_number: required\n", "")
    bend(folder, V, "state: active", "state: draft")
    assert "`case_number: required` [once active: a person must answer]" in run("check", folder, *AT).stderr


def test_json_holds_every_finding_with_its_answer(folder):
    bend(folder, V, "case_number: required\n", "")
    shown = json.loads(run("check", folder, *AT, "--json", code=9).stdout)
    assert shown["ok"] is False
    (opened,) = [finding for finding in shown["findings"] if finding["open"]]
    assert (opened["code"], opened["purpose"], opened["severity"]) == ("NO_CASE_NUMBER", "verhuurvergunning", "answer")
    answers = [finding["answer"] for finding in shown["findings"] if finding["answer"]]
    assert len(answers) == 14
    assert {answer["by"] for answer in answers} == {"privacy officer (sample)"}


def test_the_moment_decides(folder):
    assert "ENDS_SOON" in run("check", folder, "--now", "2027-12-01T00:00:00Z", code=9).stderr
    run("check", folder, "--now", "tomorrow", code=2)


def test_lines_that_no_test_holds_are_found_on_request(folder):
    assert "UNHELD" not in run("check", folder, *AT, "--tests").output
    for name in ("verhuurvergunning_boundaries", "verhuurvergunning"):
        (folder / "tests" / f"{name}_test.yaml").unlink()
    result = run("check", folder, *AT, "--tests", code=9)
    assert f"{folder}/{V}:" in result.stderr
    assert "UNHELD: no test notices when" in result.stderr


def test_an_author_who_approves_is_refused(folder):
    officers = Officers()
    source = officers.add_to(texts())
    (folder / "officers.yaml").write_text(source["officers.yaml"], encoding="utf-8")
    # approved before it was said who wrote it: an approval of one's own text cannot be made
    approval = approve(load(source), "verhuurvergunning", "utrecht-officer", officers.keys["utrecht"], NOW.date())
    bend(folder, V, "limits:", "written_by: utrecht-officer\nlimits:")
    (folder / "approvals").mkdir()
    (folder / "approvals" / "a.json").write_bytes(canonical_json(approval.to_object()))
    assert "AUTHOR_APPROVES: utrecht-officer wrote it and approved it" in run("check", folder, *AT, code=3).stderr


def test_a_file_that_is_no_approval_is_told(folder):
    (folder / "approvals").mkdir()
    (folder / "approvals" / "a.json").write_text("{}")
    assert f"{folder}/approvals/a.json:1: APPROVAL_SHAPE: " in run("check", folder, *AT, code=3).stderr


def test_a_file_that_cannot_be_opened_is_told(folder):
    (folder / "purposes" / "x.yaml").mkdir()
    assert f"{folder}/purposes/x.yaml:1: UNREADABLE: " in run("check", folder, *AT, code=3).stderr


def test_the_schema_of_another_vocabulary_is_told(folder):
    (folder / "schema" / "purpose.schema.json").write_text("{}")
    result = run("schema", folder, "--check", code=3)
    assert "SCHEMA_OUT_OF_DATE" in result.stderr


def test_a_value_refused_without_a_code_of_its_own():
    (problem,) = problems_of(bent("catalogue.yaml", "dpv: eu-gdpr:A6-1-e", "dpv: [a]"))
    assert problem.code == "INVALID"
    assert problem.suggestion


def asked():
    world = World().begin()
    world.publish("snf", "snf-locatie", "bag")
    world.ask("utrecht", ["snf"], "snf-locatie", Want(True, False, ("beds",)))
    return world


def test_usage_is_read_from_an_export(tmp_path, folder):
    lines = list(asked().bundle())
    usage = usage_of(lines, NOW)
    assert usage.permitted == {"snf-locatie": 1}
    assert usage.wanted == {("snf-locatie", "beds"): 1}
    entries = [json.loads(base64.b64decode(json.loads(line)["leaf"])) for line in lines if line.startswith(b'{"leaf"')]
    assert usage.first.isoformat() == entries[0]["sequenced_at"][:10]
    assert usage_of(lines, NOW + timedelta(days=800)).permitted == {}
    (tmp_path / "log.bundle").write_bytes(b"".join(lines))
    result = run("check", folder, *AT, "--log", tmp_path / "log.bundle")
    assert "LOG_TOO_SHORT" in result.stderr
    assert "the log was read and not verified; `sluis audit verify` does that" in result.stderr
    year = replace(usage, first=(NOW - timedelta(days=365)).date(), last=NOW.date())
    old = bent("purposes/snf-locatie.yaml", "from: 2026-01-01", "from: 2025-11-23")
    never = [f.problem.text for f in lint(load(old), now=NOW, usage=year) if f.problem.code == "ATTRIBUTE_NEVER_ASKED"]
    assert len(never) == 3
    assert not any("beds" in text for text in never)


def test_denied_questions_are_no_use():
    world = World().begin()
    world.publish("snf", "snf-locatie", "bag")
    world.ask("utrecht", ["snf"], "snf-locatie", Want(True, False, ("beds",)), subjects=1001)
    usage = usage_of(world.bundle(), NOW)
    assert not usage.permitted["snf-locatie"]
    assert usage.wanted[("snf-locatie", "beds")] == 1


def test_what_is_no_export_is_refused(tmp_path, folder):
    (tmp_path / "log.bundle").write_text("no log\n")
    assert "this is no log bundle" in run("check", folder, *AT, "--log", tmp_path / "log.bundle", code=3).stderr
    with pytest.raises(SluisError) as raised:
        usage_of([b"x\n"], NOW)
    assert raised.value.code is Code.CONFIG_INVALID


def test_a_played_log_covers_what_was_played():
    usage = usage_of(played().bundle(), NOW)
    assert usage.first <= usage.last
    assert sum(usage.permitted.values()) > 0
