"""`sluis audit`: what an auditor types, reads and gets as exit code."""

import json
from pathlib import Path

import pytest
from audit_kit import World, played
from log_kit import Log, access_body, time_text
from typer.testing import CliRunner, Result

from broker.cli.audit.root import app
from broker.errors import SluisError

PLAYED = played()


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    bundle, trust = tmp_path / "log.bundle", tmp_path / "trust.yaml"
    bundle.write_bytes(b"".join(PLAYED.bundle()))
    trust.write_text(PLAYED.trust_text())
    return bundle, trust


def test_verify_says_verified_at_the_end(files: tuple[Path, Path]) -> None:
    bundle, trust = files
    result = run("verify", bundle, "--trust", trust)
    assert result.exit_code == 0, result.output
    last = result.stdout.splitlines()[-1]
    assert last.startswith(
        f"verified: {PLAYED.size} entries of sluis.example/test-2026, complete to {time_text(PLAYED.at)}"
    )
    assert "later unknown" in last
    assert result.stderr == "", "no progress where nobody looks"


def test_verify_one_flipped_byte(files: tuple[Path, Path]) -> None:
    bundle, trust = files
    data = bytearray(bundle.read_bytes())
    data[len(data) // 2] ^= 1
    bundle.write_bytes(data)
    result = run("verify", bundle, "--trust", trust)
    assert result.exit_code == 10
    assert result.stdout.splitlines()[-1].startswith("NOT verified: ")


def test_verify_as_json(files: tuple[Path, Path]) -> None:
    bundle, trust = files
    value = json.loads(run("verify", bundle, "--trust", trust, "--json").stdout)
    assert (value["verified"], value["exit_code"], value["size"], value["findings"]) == (True, 0, PLAYED.size, [])
    trust.write_text(PLAYED.trust_text(policy_quorum=3))
    result = run("verify", bundle, "--trust", trust, "--json")
    value = json.loads(result.stdout)
    assert result.exit_code == value["exit_code"] == 14
    assert value["findings"][0]["code"] == "POLICY_SIGNATURES"
    assert value["findings"][0]["index"] == 1


def test_verify_with_an_expectation(files: tuple[Path, Path], tmp_path: Path) -> None:
    bundle, trust = files
    note = [json.loads(line)["checkpoint"] for line in PLAYED.lines() if line.startswith(b'{"checkpoint"')][-1]
    (tmp_path / "note").write_text(note)
    result = run("verify", bundle, "--trust", trust, "--expect", tmp_path / "note")
    assert result.exit_code == 0
    assert "it holds what you expected" in result.stdout
    (tmp_path / "note").write_text("no note")
    result = run("verify", bundle, "--trust", trust, "--expect", tmp_path / "note")
    assert result.exit_code == 13
    assert "EXPECTED_FORM" in result.stdout


def test_many_findings_are_cut_short(tmp_path: Path) -> None:
    world = World().begin()
    world.batch(*(("refusal", {"party": 5, "rpc": "r", "code": "c", "request_id": None}) for _ in range(50)))
    (tmp_path / "b").write_bytes(b"".join(world.bundle()))
    (tmp_path / "t").write_text(world.trust_text())
    result = run("verify", tmp_path / "b", "--trust", tmp_path / "t")
    assert result.exit_code == 10
    assert "and 30 more" in result.stdout


def test_a_bad_trust_file_is_told_with_its_line(files: tuple[Path, Path]) -> None:
    bundle, trust = files
    trust.write_text(trust.read_text() + "extra: 1\n")
    result = run("verify", bundle, "--trust", trust)
    assert isinstance(result.exception, SluisError)
    assert "trust.yaml: has a member that no trust file has, 'extra'" in result.exception.message


def test_a_trust_file_with_a_slip_says_which(files: tuple[Path, Path]) -> None:
    bundle, trust = files
    text = trust.read_text()
    trust.write_text(text.replace("policy_quorum", "policy_quorom"))
    result = run("verify", bundle, "--trust", trust)
    assert isinstance(result.exception, SluisError)
    assert "'policy_quorom': did you mean 'policy_quorum'?" in result.exception.message
    trust.write_text("\n".join(line for line in text.splitlines() if not line.startswith("policy_quorum")) + "\n")
    result = run("verify", bundle, "--trust", trust)
    assert isinstance(result.exception, SluisError)
    assert "trust.yaml: lacks policy_quorum; and may have" in result.exception.message


def test_bundle_and_trust_file_swapped(files: tuple[Path, Path]) -> None:
    bundle, trust = files
    result = run("verify", trust, "--trust", bundle)
    assert isinstance(result.exception, SluisError)
    assert "The bundle comes first" in result.exception.message


def test_show_says_when_nothing_passes(files: tuple[Path, Path]) -> None:
    result = run("show", files[0], "--party", "nobody")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "no entry passes these filters" in result.stderr


def test_another_log_given_as_the_one_before(files: tuple[Path, Path]) -> None:
    bundle, trust = files
    result = run("verify", bundle, "--trust", trust, "--previous", bundle, "--previous-trust", trust)
    assert result.exit_code == 13
    assert "check that it is the bundle of the log right before" in result.stdout
    assert "NOT verified: 1 finding, gravest class EXPECTED" in result.stdout


def test_a_place_that_cannot_be_written(files: tuple[Path, Path], tmp_path: Path) -> None:
    result = run("table", files[0], "--out", tmp_path / "gone" / "x.csv")
    assert isinstance(result.exception, SluisError)
    assert "No such file or directory; name another" in result.exception.message


def test_show(files: tuple[Path, Path]) -> None:
    lines = run("show", files[0]).stdout.splitlines()
    assert len(lines) == PLAYED.size
    assert "genesis" in lines[0]
    assert "snf-locatie: permit" in lines[16]
    assert "snf-locatie: deny attributes" in lines[18]
    assert "utrecht, snf" in lines[17]
    assert "authorised ANSWERED" in lines[17]
    only = run("show", files[0], "--party", "sna").stdout.splitlines()
    assert 0 < len(only) < PLAYED.size
    assert all("sna" in line for line in only)
    value = json.loads(run("show", files[0], "--json").stdout.splitlines()[16])
    assert (value["index"], value["kind"]) == (16, "ask")


def test_show_something_else(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("hello\n")
    result = run("show", tmp_path / "x")
    assert isinstance(result.exception, SluisError)


def test_trust_show(files: tuple[Path, Path]) -> None:
    fingerprint = PLAYED.trust().fingerprint
    assert f"fingerprint  {fingerprint}" in run("trust", "show", files[1]).stdout
    assert json.loads(run("trust", "show", files[1], "--json").stdout)["fingerprint"] == fingerprint


def test_export_of_a_database(tmp_path: Path) -> None:
    with Log(tmp_path) as log:
        log.sequencer.submit(lambda tx: tx.append("access", access_body()))
        out = tmp_path / "log.bundle"
        result = run("export", "--database", log.path, "--out", out)
        assert result.exit_code == 0, result.output
        (tmp_path / "trust.yaml").write_text(World(keys=log.keys).trust_text())
        assert run("verify", out, "--trust", tmp_path / "trust.yaml").exit_code == 0
    assert not list(tmp_path.glob(".*.part"))
    result = run("export", "--database", tmp_path / "none.db", "--out", out)
    assert isinstance(result.exception, SluisError)
    assert out.exists(), "a failed export leaves the one before"
