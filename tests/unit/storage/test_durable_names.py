from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import Code, SluisError
from broker.storage.durable import name_of, safe_name


@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20))
def test_safe_names_go_back_and_hold_only_safe_characters(name: str) -> None:
    safe = safe_name(name)
    assert name_of(safe) == name
    assert set(safe) <= set("abcdefghijklmnopqrstuvwxyz0123456789-=")


@given(st.text("=0123456789abcdefAG./-", min_size=1, max_size=20))
def test_only_what_safe_name_made_has_a_name(text: str) -> None:
    name = name_of(text)
    assert name is None or safe_name(name) == text


def test_empty_and_long_names_are_refused() -> None:
    for name, code in (("", Code.FIELD_INVALID), ("a" * 251, Code.FIELD_TOO_LONG), ("/" * 84, Code.FIELD_TOO_LONG)):
        with pytest.raises(SluisError) as caught:
            safe_name(name)
        assert caught.value.code is code
