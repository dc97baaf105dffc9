from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime

import pytest
from approving import Officers
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from policy_samples import ROOT
from typer.testing import CliRunner

from broker.canonical import canonical_json
from broker.cli.policy import app
from broker.policy.bundle import build_bundle

RUNNER = CliRunner()


def run(*arguments, code=0, text=None):
    result = RUNNER.invoke(app, [str(argument) for argument in arguments], input=text)
    assert result.exit_code == code, (result.exit_code, result.output, result.exception)
    return result


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(ROOT, tmp_path / "policies")
    return tmp_path / "policies"


@pytest.fixture
def keys(tmp_path):
    made = {}
    for name in ("a", "b"):
        key = Ed25519PrivateKey.generate()
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (tmp_path / f"{name}.pem").write_bytes(pem)
        made[name] = key.public_key().public_bytes_raw().hex()
    return made


def bend(folder, file, old, new):
    path = folder / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_check_says_what_it_read(folder):
    assert "16 purposes (10 active, 6 draft)" in run("check", folder).stdout
    shown = json.loads(run("check", folder, "--json").stdout)
    assert shown["ok"] is True
    assert len(shown["digest"]) == 64
    assert "snf-locatie" in shown["purposes"]


def test_check_points_at_the_line(folder):
    bend(folder, "purposes/snf-locatie.yaml", "    beds:", "    bedz:")
    result = run("check", folder, code=3)
    assert result.stdout == ""
    line = result.stderr.strip()
    assert line.startswith(f"{folder}/purposes/snf-locatie.yaml:")
    assert line.endswith("UNKNOWN_WORD: 'bedz' is no attribute of the catalogue; did you mean 'beds'?")
    (problem,) = json.loads(run("check", folder, "--json", code=3).stdout)["problems"]
    assert (problem["code"], problem["suggestion"]) == ("UNKNOWN_WORD", "did you mean 'beds'?")


def test_check_refuses_files_it_would_not_read(folder):
    (folder / "purposes" / "more.yml").write_text("a: 1\n")
    assert "FILE_UNKNOWN" in run("check", folder, code=3).stderr
    (folder / "purposes" / "more.yml").unlink()
    (folder / "purposes" / "snf-locatie.yaml").write_bytes(b"purpose: \xff\n")
    assert "NOT_UTF8" in run("check", folder, code=3).stderr


def test_check_needs_a_folder(tmp_path):
    run("check", tmp_path / "none", code=2)
    assert "MISSING" in run("check", tmp_path, code=3).stderr


def test_the_officers_tests_run(folder):
    assert "0 purposes untested" in run("test", folder).stdout
    shown = json.loads(run("test", folder, "--json").stdout)
    assert shown["ok"] is True
    assert len(shown["cases"]) > 150


def test_a_failing_case_names_its_line(folder):
    bend(folder, "purposes/snf-locatie.yaml", "subjects_per_request: 1000", "subjects_per_request: 2000")
    result = run("test", folder, code=4)
    assert "tests/snf-locatie_test.yaml:27: TEST_FAILED: 'one address more than was agreed'" in result.stderr
    assert json.loads(run("test", folder, "--json", code=4).stdout)["ok"] is False


def test_a_purpose_without_tests_fails(folder):
    for path in (folder / "tests").glob("bezetting*_test.yaml"):
        path.unlink()
    assert "UNTESTED" in run("test", folder, code=4).stderr


def test_explain_shows_every_check_with_its_line(folder, tmp_path):
    question = tmp_path / "q.yaml"
    question.write_text(
        "{purpose: snf-locatie, asks: utrecht, answers: snf, identified_by: bag, want: [beds], subjects: 3}\n"
    )
    at = ("--at", "2026-11-23T10:00:00Z")
    permit = run("explain", folder, "--request", question, *at).stdout
    assert permit.startswith("PERMIT snf-locatie")
    assert "duty answer_keep_days" in permit
    shown = json.loads(run("explain", folder, "--request", question, *at, "--json").stdout)
    assert shown["effect"] == "permit"
    assert len(shown["checks"]) == 23
    question.write_text(question.read_text().replace("[beds]", "[manager-name]"))
    deny = run("explain", folder, "--request", question, *at, code=5).stdout
    assert " NO  attributes" in deny
    assert "[purposes/snf-locatie.yaml:18]" in deny
    run("explain", folder, "--request", question, "--at", "yesterday", code=2)
    question.write_text("{purpose: snf-locatie, ask: utrecht}\n")
    assert "did you mean 'asks'?" in run("explain", folder, "--request", question, code=3).stderr


def test_the_clock_is_that_of_the_option_then_of_the_file(folder, tmp_path):
    question = tmp_path / "q.yaml"
    question.write_text(
        "{purpose: nau-status, asks: nla, answers: nau, identified_by: kvk, want: [hit], at: 2027-07-01T08:00:00Z}\n"
    )
    run("explain", folder, "--request", question)
    run("explain", folder, "--request", question, "--at", "2026-11-23T10:00:00Z", code=5)


def approve_all(folder):
    """Officers of every party, and both sides' approval of every active purpose."""
    officers = Officers()
    names = ("catalogue.yaml", *(f"purposes/{path.name}" for path in (folder / "purposes").glob("*.yaml")))
    texts = officers.add_to({name: (folder / name).read_text(encoding="utf-8") for name in names})
    (folder / "officers.yaml").write_text(texts["officers.yaml"], encoding="utf-8")
    (folder / "approvals").mkdir()
    for approval in officers.approve(texts):
        path = folder / "approvals" / f"{approval.purpose}.{approval.officer}.json"
        path.write_bytes(canonical_json(approval.to_object()))


def test_bundle_sign_verify(folder, tmp_path, keys):
    approve_all(folder)
    made = tmp_path / "p.bundle"
    expires = run("bundle", folder, "--revision", 3, "--expires", "2027-03-31", "--out", made).stdout
    assert "2027-03-31T22:00:00Z" in expires  # the end of that day in Amsterdam
    both = ("--signer", keys["a"], "--signer", keys["b"])
    at = ("--at", "2027-01-01T00:00:00Z")
    assert "POLICY_UNSIGNED" in run("verify", made, *both, "--quorum", 2, *at, code=6).stderr
    run("sign", made, "--key", tmp_path / "a.pem", "--role", "asking side")
    run("verify", made, *both, "--quorum", 2, *at, code=6)
    signed = json.loads(run("sign", made, "--key", tmp_path / "b.pem", "--role", "answering side", "--json").stdout)
    assert (signed["signatures"], signed["key"]) == (2, keys["b"])
    shown = json.loads(run("verify", made, *both, "--quorum", 2, *at, "--json").stdout)
    assert shown["revision"] == 3
    assert shown["signers"] == {keys["a"]: "asking side", keys["b"]: "answering side"}
    assert shown["digest"] == json.loads(run("check", folder, "--json").stdout)["digest"]
    run("verify", made, *both, "--quorum", 2, "--at", "2027-03-31T22:00:00Z", code=7)
    run("verify", made, *both, "--quorum", 3, *at, code=6)
    run("verify", made, "--signer", "abc", "--quorum", 1, *at, code=2)
    made.write_bytes(made.read_bytes().replace(b"snf-locatie", b"snf-locatia"))
    run("verify", made, *both, "--quorum", 2, *at, code=3)
    assert not list(tmp_path.glob("*.partial"))


def test_what_is_signed_is_shown_before_the_key_is_opened(folder, tmp_path, keys):
    approve_all(folder)
    (folder / "approvals" / "snf-locatie.snf-officer.json").unlink()
    made = tmp_path / "p.bundle"
    run("bundle", folder, "--revision", 3, "--expires", "2027-03-31", "--out", made)
    told = run("sign", made, "--key", tmp_path / "a.pem", "--role", "chair").stdout
    assert told.startswith("you sign revision 3, digest ")
    assert "expires 2027-03-31T22:00:00Z" in told
    assert "  active: bezetting, cert-boete" in told
    assert "snf-locatie lacks an approval" in told
    assert told.index("you sign") < told.index("signed ")
    (tmp_path / "notes.pem").write_text("not a key")
    words = ("sign", folder, "--purpose", "snf-locatie", "--as", "snf-officer", "--key", tmp_path / "notes.pem")
    shown = run(*words, code=2)
    assert "at most    1000 subjects in a question" in shown.stdout
    assert "this is no private key in PEM" in shown.stderr


def test_a_bundle_is_written_over_nothing_that_matters(folder, tmp_path, keys):
    approve_all(folder)
    words = ("bundle", folder, "--revision", 3, "--expires", "2027-03-31", "--out")
    key = (tmp_path / "a.pem").read_bytes()
    assert "is no bundle" in run(*words, tmp_path / "a.pem", code=2).stderr
    assert (tmp_path / "a.pem").read_bytes() == key
    made = tmp_path / "p.bundle"
    run(*words, made)
    run(*words, made)
    run("sign", made, "--key", tmp_path / "a.pem", "--role", "chair")
    assert "a bundle with signatures (1)" in run(*words, made, code=2).stderr
    assert "is a key, a bundle or a policy file" in run("matrix", folder, "--html", tmp_path / "a.pem", code=2).stderr
    assert (tmp_path / "a.pem").read_bytes() == key
    shutil.rmtree(folder / "purposes")
    assert "would deny everything" in run(*words, tmp_path / "q", code=2).stderr


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01", "1999-12-31"])
def test_days_of_other_centuries_are_refused(folder, tmp_path, day):
    assert "2000 to 2099" in run("what-may", "nla", folder, "--on", day, code=2).stderr
    for option in (("check", folder, "--now", f"{day}T00:00:00Z"), ("in-force", "snf-locatie", "--on", day)):
        run(*option, code=2)
    run("bundle", folder, "--revision", 1, "--expires", day, "--out", tmp_path / "p", code=2)


def test_a_file_name_cannot_move_the_cursor(folder):
    (folder / "purposes" / "\x1b[2J\u202eevil.yaml").write_text("a: 1\n")
    told = run("check", folder, code=3).stderr
    assert "\\u001b[2J\\u202eevil.yaml" in told
    assert "\x1b" not in told


def test_a_text_in_a_bundle_has_a_plain_name(folder, tmp_path, keys):
    whole = {"catalogue.yaml": (folder / "catalogue.yaml").read_text(encoding="utf-8")}
    data = build_bundle(whole, revision=1, expires=datetime(2027, 1, 1, tzinfo=UTC))
    (tmp_path / "p").write_bytes(data.replace(b'"catalogue.yaml":', b'"cata\\u001blogue.yaml":'))
    told = run("sign", tmp_path / "p", "--key", tmp_path / "a.pem", "--role", "x", code=3)
    assert "\x1b" not in told.output


def test_bad_policies_make_no_bundle(folder, tmp_path):
    bend(folder, "purposes/snf-locatie.yaml", "    beds:", "    bedz:")
    run("bundle", folder, "--revision", 1, "--expires", "2027-03-31", "--out", tmp_path / "p.bundle", code=3)
    assert not (tmp_path / "p.bundle").exists()


def test_what_nobody_answered_makes_no_bundle(folder, tmp_path):
    made = tmp_path / "p.bundle"
    words = ("bundle", folder, "--revision", 1, "--expires", "2027-03-31", "--out", made)
    bend(folder, "purposes/snf-locatie.yaml", "finding: NO_CASE_NUMBER", "finding: BULK")
    told = run(*words, code=9).stderr
    assert "snf-locatie.yaml:17: NO_CASE_NUMBER: " in told
    assert "no bundle was made; mend these, or let a person answer them" in told
    assert json.loads(run(*words, "--json", code=9).stdout)["problems"][0]["code"] == "NO_CASE_NUMBER"
    bend(folder, "purposes/snf-locatie.yaml", "finding: BULK", "finding: NONE_SUCH")
    assert "ANSWER_UNKNOWN_CODE" in run(*words, code=3).stderr
    assert not made.exists()


@pytest.mark.parametrize("expires", ["2027-02-30", "soon", "2027-02-30T00:00:00Z"])
def test_a_bundle_needs_a_real_expiry(folder, tmp_path, expires):
    run("bundle", folder, "--revision", 1, "--expires", expires, "--out", tmp_path / "p", code=2)


def test_keys_of_another_kind_are_refused_and_passwords_asked(folder, tmp_path):
    made = tmp_path / "p.bundle"
    run("bundle", folder, "--revision", 1, "--expires", "2027-03-31", "--out", made)
    other = generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "ec.pem").write_bytes(other)
    run("sign", made, "--key", tmp_path / "ec.pem", "--role", "r", code=2)
    (tmp_path / "no.pem").write_bytes(b"no key")
    run("sign", made, "--key", tmp_path / "no.pem", "--role", "r", code=2)
    locked = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )
    (tmp_path / "locked.pem").write_bytes(locked)
    run("sign", made, "--key", tmp_path / "locked.pem", "--role", "r", text="wrong\n", code=2)
    run("sign", made, "--key", tmp_path / "locked.pem", "--role", "r", text="secret\n")


@pytest.mark.parametrize("command", ["check", "test", "explain", "bundle", "sign", "verify"])
def test_every_command_has_help_with_an_example(command):
    assert f"Example: sluis policy {command}" in run(command, "--help").stdout


def test_mode_oblivious_is_taken_as_given_and_explained_so(folder, tmp_path):
    question = tmp_path / "q.yaml"
    words = "purpose: nla-verzoek-persoon, asks: nla, answers: uwv, identified_by: bsn, want: [hit], subjects: 1"
    asked = ("explain", folder, "--request", question, "--at", "2026-11-23T10:00:00Z")
    question.write_text(f"{{{words}, case_number: NLA-2026-1}}\n")
    shown = run(*asked, code=5).stdout
    assert "taken as given: the broker offers mode oblivious" in shown
    assert " yes mode " in shown
    assert json.loads(run(*asked, "--json", code=5).stdout)["modes_available"] == ["keyed", "oblivious"]
    assert "aangenomen" in run(*asked, "--lang", "nl", code=5).stdout
    question.write_text(f"{{{words}, case_number: NLA-2026-1, oblivious_available: false}}\n")
    shown = run(*asked, code=5).stdout
    assert "taken as given" not in shown
    assert " NO  mode " in shown
    assert json.loads(run(*asked, "--json", code=5).stdout)["modes_available"] == ["keyed"]
