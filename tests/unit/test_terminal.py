"""What a file or a log says never looks like a line of ours, nor moves the cursor."""

from hypothesis import given
from hypothesis import strategies as st

from broker.cli.terminal import each_line, one_line
from broker.policy.problems import Problem, refusal


@given(st.text())
def test_one_line_prints_and_is_one(text: str) -> None:
    assert one_line(text).isprintable()
    assert one_line("plain, é") == "plain, é"
    assert each_line(f"a\n{text}").split("\n")[0] == "a"
    assert all(line.isprintable() for line in each_line(text).split("\n"))


def test_a_problem_is_a_line_of_its_own() -> None:
    problem = Problem("a.yaml", 1, "UNKNOWN", "no such word 'x\nerror ALL WELL'")
    assert refusal([problem, problem]).message.count("\n") == 2
