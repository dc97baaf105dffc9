"""What operators are told when they leave out half of an option."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.cli.operate import dev_pki
from broker.errors import Code, SluisError


def test_a_party_without_its_oin_is_told_how_to_write_both(tmp_path: Path) -> None:
    with pytest.raises(SluisError, match="--party is NAME=OIN, such as snf=") as caught:
        dev_pki(tmp_path / "pki", ["snf"])
    assert caught.value.code is Code.CONFIG_INVALID
    assert not (tmp_path / "pki").exists()
