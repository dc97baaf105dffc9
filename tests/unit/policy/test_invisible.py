"""Characters that show as nothing are refused wherever they stand."""

import pytest

from broker.policy.strict_yaml import read_yaml


@pytest.mark.parametrize("character", list("\ufe0f\u034f\u180b\u17b4\u2800\u3164\u200b\u00ad\U000e0100"))
def test_a_character_that_shows_as_nothing_is_refused(character: str) -> None:
    read, problems = read_yaml(f"asks: [nla{character}]\n", "x.yaml")
    assert read is None
    assert problems[0].code == "INVISIBLE_CHARACTER"
