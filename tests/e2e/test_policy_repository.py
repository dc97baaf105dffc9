"""The hook and the CI script for a repository of policies, in a repository of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy/policy-repository"
SLUIS = Path(sys.executable).parent / "sluis"
PURPOSE = Path("policies/purposes/snf-locatie.yaml")
WHO = {f"GIT_{who}_{what}": "test@example.nl" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


@pytest.fixture
def repository(tmp_path):
    shutil.copytree(ROOT / "policies", tmp_path / "policies")
    shutil.copy(DEPLOY / "ci.sh", tmp_path)
    run(tmp_path, "git", "init", "-q", "-b", "main")
    run(tmp_path, "git", "config", "sluis.command", str(SLUIS))
    run(tmp_path, "git", "add", ".")
    run(tmp_path, "git", "commit", "-q", "-m", "samples")
    hook = tmp_path / ".git/hooks/pre-commit"
    shutil.copy(DEPLOY / "pre-commit", hook)
    hook.chmod(0o755)
    return tmp_path


def run(folder, *words, code=0, **environment):
    done = subprocess.run(
        words, cwd=folder, env=os.environ | WHO | environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == code, (words, done.stdout, done.stderr)
    return done.stdout + done.stderr


def bend(repository, old, new):
    path = repository / PURPOSE
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def commit(repository, code=0):
    run(repository, "git", "add", "-A")
    return run(repository, "git", "commit", "-q", "-m", "change", code=code)


def ci(repository, *words, code=0, **environment):
    return run(repository, "sh", "ci.sh", *words, code=code, SLUIS=str(SLUIS), **environment)


def test_the_hook_refuses_what_does_not_read_or_fails_its_tests(repository):
    bend(repository, "    beds:", "    bedz:")
    told = commit(repository, code=1)
    assert "policies/purposes/snf-locatie.yaml:" in told
    assert "did you mean 'beds'" in told
    assert "not committed" in told
    bend(repository, "    bedz:", "    beds:")
    bend(repository, "subjects_per_request: 1000", "subjects_per_request: 2000")
    assert "TEST_FAILED" in commit(repository, code=1)


def test_the_hook_judges_what_is_staged(repository):
    bend(repository, "title:", "# a comment\ntitle:")
    run(repository, "git", "add", "-A")
    bend(repository, "    beds:", "    bedz:")
    run(repository, "git", "commit", "-q", "-m", "only the comment")
    run(repository, "git", "checkout", "-q", "--", ".")
    assert "# a comment" in (repository / PURPOSE).read_text(encoding="utf-8")


def test_the_hook_lets_other_folders_be_and_says_what_is_missing(repository):
    run(repository, "git", "config", "sluis.command", "no-such-command")
    (repository / "notes.txt").write_text("x")
    commit(repository)
    bend(repository, "title:", "# a comment\ntitle:")
    assert "the command 'no-such-command' is not there" in commit(repository, code=1)


def test_ci_blocks_a_change_that_allows_more_until_somebody_agrees(repository):
    run(repository, "git", "checkout", "-q", "-b", "change")
    tests = [repository / f"policies/tests/snf-locatie{kind}_test.yaml" for kind in ("", "_boundaries")]
    bend(repository, "answer_keep_days: 92", "answer_keep_days: 30")
    for path in tests:
        text = path.read_text(encoding="utf-8").replace("answer_keep_days: 92", "answer_keep_days: 30")
        path.write_text(text, encoding="utf-8")
    commit(repository)
    assert "TIGHTER" in ci(repository, "main")
    junit = ET.parse(repository / "policy-tests.xml").getroot()
    assert len(junit.findall(".//testcase")) > 300
    assert not junit.findall(".//failure")

    run(repository, "git", "reset", "-q", "--hard", "main")
    bend(repository, "subjects_per_request: 1000", "subjects_per_request: 1500")
    assert "TEST_FAILED" in ci(repository, "main", code=4)
    for path in tests:
        text = path.read_text(encoding="utf-8").replace("1001", "1501").replace("1000", "1500")
        path.write_text(text, encoding="utf-8")
    commit(repository)
    assert "subjects in a question: 1000 -> 1500" in ci(repository, "main", code=8)
    assert "LOOSER" in (repository / "policy-diff.txt").read_text(encoding="utf-8")
    assert "somebody agreed" in ci(repository, "main", ALLOWS_MORE="approved")
    assert "LOOSER" not in ci(repository)


def test_ci_blocks_a_finding_that_nobody_answered(repository):
    bend(repository, "finding: NO_CASE_NUMBER", "finding: BULK")
    assert "A PERSON MUST ANSWER" in ci(repository, code=9)
