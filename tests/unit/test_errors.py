"""The list of codes in docs/errors.md and the error family say the same."""

import re
from pathlib import Path

import pytest

from broker.errors import RETIRED, Code, Kind, SluisError, field_error

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| ([A-Z_]+) \| ([A-Z_]+) \| (.+) \|$", re.MULTILINE)


def test_every_code_is_documented_with_its_status() -> None:
    documented = {name: status for name, status, _ in ROW.findall((ROOT / "docs" / "errors.md").read_text())}
    assert documented == {code.name: code.kind.value for code in Code}


def test_codes_are_not_reused() -> None:
    assert not RETIRED & {code.name for code in Code}
    assert all(code.value[0] == code.name for code in Code)


def test_a_field_error_names_the_field() -> None:
    error = field_error(Code.FIELD_MISSING, "purpose", "is required")
    assert str(error) == "FIELD_MISSING: purpose: is required"
    assert error.violations[0].field == "purpose"


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_is_a_grpc_status(kind: Kind) -> None:
    import grpc

    assert hasattr(grpc.StatusCode, kind.value)


def test_an_error_prints_code_and_message_only() -> None:
    assert repr(SluisError(Code.INTERNAL, "x")) == "SluisError('x')"
