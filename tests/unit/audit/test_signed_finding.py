"""A signed finding: what was verified, by whom, and that nothing in it was changed since."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from audit_kit import played
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from typer.testing import CliRunner, Result

from broker.audit.signed_finding import read_finding, sign_finding
from broker.cli.audit import app
from broker.errors import Code, SluisError

PLAYED = played()
KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
PUBLIC = KEY.public_key().public_bytes_raw().hex()
NOW = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    (tmp_path / "log.bundle").write_bytes(b"".join(PLAYED.bundle()))
    (tmp_path / "trust.yaml").write_text(PLAYED.trust_text())
    pem = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "auditor.pem").write_bytes(pem)
    result = run("verify", tmp_path / "log.bundle", "--trust", tmp_path / "trust.yaml", "--json")
    (tmp_path / "report.json").write_text(result.stdout)
    return tmp_path


def signed(desk: Path, *more: object) -> Result:
    given = ["--bundle", desk / "log.bundle", "--key", desk / "auditor.pem", "--role", "privacy auditor"]
    return run("finding", "sign", desk / "report.json", *given, "--out", desk / "finding.json", *more)


def report(desk: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((desk / "report.json").read_text())
    return value


def test_signed_and_checked(desk: Path) -> None:
    result = signed(desk, "--remark", "Seen at the broker's office.")
    assert result.exit_code == 0, result.output
    assert PUBLIC in result.stdout
    checked = run("finding", "check", desk / "finding.json", "--key", PUBLIC, "--bundle", desk / "log.bundle")
    assert checked.exit_code == 0, checked.output
    assert "as privacy auditor" in checked.stdout
    assert "remark       Seen at the broker's office." in checked.stdout
    assert "verified: " in checked.stdout
    assert checked.stdout.splitlines()[-1] == "the signature is right"
    assert "compare it" not in checked.stdout
    alone = run("finding", "check", desk / "finding.json").stdout
    assert "give it as --key" in alone
    assert "not compared: give it as --bundle" in alone
    shown = json.loads(run("finding", "check", desk / "finding.json", "--json").stdout)
    assert shown["report"] == report(desk)


def test_a_remark_of_several_lines_looks_like_no_other_line(desk: Path) -> None:
    made = sign_finding(report(desk), role="auditor", remark="Seen.\nsigned       today", made_at=NOW, key=KEY)
    (desk / "finding.json").write_text(json.dumps(made))
    shown = run("finding", "check", desk / "finding.json", "--key", PUBLIC).stdout.splitlines()
    assert [line for line in shown if line.startswith("signed ")] == ["signed       2026-12-01T09:30:00Z as auditor"]
    assert "remark       signed       today" in shown


def test_a_bad_log_can_be_signed_for_too(desk: Path) -> None:
    lines = PLAYED.bundle()
    (desk / "log.bundle").write_bytes(b"".join(lines[:-1]))
    result = run("verify", desk / "log.bundle", "--trust", desk / "trust.yaml", "--json")
    (desk / "report.json").write_text(result.stdout)
    assert signed(desk).exit_code == 0
    checked = run("finding", "check", desk / "finding.json", "--key", PUBLIC)
    assert "BUNDLE_TRUNCATED: 1" in checked.stdout
    assert "NOT verified" in checked.stdout


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("statement", "remark"), "another"),
        (("statement", "role"), "other"),
        (("statement", "made_at"), "2026-12-01T09:30:01Z"),
        (("statement", "report", "size"), 1),
        (("statement", "report", "bundle"), "0" * 64),
        (("signature",), "0" * 128),
        (("signature",), "zz"),
        (("key",), "0" * 64),
        (("key",), "01" + "0" * 62),
    ],
)
def test_any_change_is_found(desk: Path, path: tuple[str, ...], value: object) -> None:
    made = sign_finding(report(desk), role="auditor", remark="", made_at=NOW, key=KEY)
    assert read_finding(made).key == PUBLIC
    inner = made
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    with pytest.raises(SluisError) as caught:
        read_finding(made)
    assert caught.value.code is Code.SIGNATURE_WRONG


@pytest.mark.parametrize("drop", ["key", "signature", "statement"])
def test_another_form_is_refused(desk: Path, drop: str) -> None:
    made = sign_finding(report(desk), role="auditor", remark="", made_at=NOW, key=KEY)
    del made[drop]
    with pytest.raises(SluisError) as caught:
        read_finding(made)
    assert caught.value.code is Code.STATEMENT_INVALID


@pytest.mark.parametrize(
    ("role", "remark"), [("", ""), (" ", ""), ("x" * 101, ""), ("a\x1b[2J", ""), ("auditor", "\x1b"), ("a", "x" * 4001)]
)
def test_roles_and_remarks_have_bounds(desk: Path, role: str, remark: str) -> None:
    with pytest.raises(SluisError):
        sign_finding(report(desk), role=role, remark=remark, made_at=NOW, key=KEY)


def test_what_cannot_be_signed(desk: Path) -> None:
    (desk / "log.bundle").write_bytes(b"".join(PLAYED.bundle()) + b" ")
    other = signed(desk)
    assert isinstance(other.exception, SluisError)
    assert "another bundle" in other.exception.message
    assert not (desk / "finding.json").exists()
    for text in ("", "[]", "{}", '{"verified": 1.5}', "[" * 100_000):
        (desk / "report.json").write_text(text)
        assert isinstance(signed(desk).exception, SluisError)
    lying = {**json.loads(run_report(desk)), "verified": False}
    (desk / "report.json").write_text(json.dumps(lying))
    assert "contradicts itself" in str(signed(desk).exception)


def run_report(desk: Path) -> str:
    (desk / "log.bundle").write_bytes(b"".join(PLAYED.bundle()))
    return run("verify", desk / "log.bundle", "--trust", desk / "trust.yaml", "--json").stdout


def test_what_does_not_fit_is_told(desk: Path) -> None:
    signed(desk)
    wrong_key = run("finding", "check", desk / "finding.json", "--key", "0" * 64)
    assert "another key" in str(wrong_key.exception)
    wrong_bundle = run("finding", "check", desk / "finding.json", "--bundle", desk / "trust.yaml")
    assert "another bundle" in str(wrong_bundle.exception)


def test_no_key_is_overwritten(desk: Path) -> None:
    given = ["--bundle", desk / "log.bundle", "--key", desk / "auditor.pem", "--role", "auditor"]
    result = run("finding", "sign", desk / "report.json", *given, "--out", desk / "auditor.pem")
    assert result.exit_code == 2
    assert (desk / "auditor.pem").read_bytes().startswith(b"-----BEGIN")
