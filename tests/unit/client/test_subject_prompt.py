"""A person's number that is typed, and not written in a file."""

from __future__ import annotations

import io

import pytest
from sluis_client.cli.subject import _asked


def test_a_number_that_comes_through_a_pipe_is_read_from_it_without_a_warning(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("0344010000000013\n"))
    assert _asked("bag", needed=True) == "0344010000000013"
    said = capsys.readouterr()
    assert "Warning" not in said.err + said.out
    assert "0344010000000013" not in said.err + said.out
