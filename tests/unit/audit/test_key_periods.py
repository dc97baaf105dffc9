"""Keys that count for a time only: log keys, witnesses and CAs, in both verifiers and in `audit trust`."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from audit_kit import World, authority, played, sealed
from cosigned_lines import RULE, VKEYS, with_cosigned
from test_standalone import both, one_file
from typer.testing import CliRunner

from broker.audit.trust import parse_trust
from broker.audit.verify import verify
from broker.cli.audit.root import app
from broker.errors import SluisError

CA = hashlib.sha256(authority().der).hexdigest()
SECOND = timedelta(seconds=1)


def second(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture(scope="module")
def rotated() -> tuple[World, datetime]:
    """A log whose key was changed once, and when."""
    world = played()
    at = world.at + SECOND
    world.change_key()
    world.batch(("recovery", {"what": "log-writable", "detail": "again"}), after=timedelta(hours=1))
    return world, at


def vkeys(world: World) -> list[str]:
    return [keys.signer.verifier_key for keys in (world.keys, *world.changes.values())]


def found(lines: list[bytes], text: str) -> set[str]:
    mine, theirs = both(lines, text)
    assert mine == theirs
    return mine


def test_each_log_key_in_its_time(rotated: tuple[World, datetime]) -> None:
    world, at = rotated
    old, new = vkeys(world)
    good = [f"{old} - {second(at)}", f"{new} {second(at)} -"]
    assert found(world.bundle(), world.trust_text(key_periods=good)) == set()
    early = f"{old} - {second(at - 2 * SECOND)}"
    assert found(world.bundle(), world.trust_text(key_periods=[early])) == {"LOG_KEY_PERIOD"}
    late = f"{new} {second(at + SECOND)} -"
    assert found(world.bundle(), world.trust_text(key_periods=[late])) == {"LOG_KEY_PERIOD"}
    over = f"{new} - {second(world.at - SECOND)}"
    report = verify(world.bundle(), world.trust(key_periods=[over]))
    assert (report.counts, report.exit_code) == ({"LOG_KEY_PERIOD": 1}, 11)


def test_a_witness_outside_its_period_does_not_count() -> None:
    world = played()
    lines = sealed(with_cosigned(world))
    whole = second(world.times[0] - timedelta(days=1))
    assert found(lines, world.trust_text(**RULE, key_periods=[f"{VKEYS[0]} {whole} -"])) == set()
    half = second(world.times[len(world.times) // 2])
    assert "WITNESS_GAP" in found(lines, world.trust_text(**RULE, key_periods=[f"{VKEYS[0]} - {half}"]))
    never = second(world.times[0] - timedelta(days=400))
    assert "WITNESS_QUORUM" in found(lines, world.trust_text(**RULE, key_periods=[f"{VKEYS[0]} - {never}"]))


def test_what_a_ca_vouches_for_outside_its_period_was_not_valid() -> None:
    world = played()
    begin, end = world.times[0], world.times[-1]
    assert found(world.bundle(), world.trust_text(key_periods=[f"{CA} {second(begin - SECOND)} -"])) == set()
    gone = second(begin + (end - begin) / 2)
    assert found(world.bundle(), world.trust_text(key_periods=[f"{CA} - {gone}"])) == {"CERTIFICATE_TIME"}
    assert found(world.bundle(), world.trust_text(key_periods=[f"{CA} {gone} -"])) == {"CERTIFICATE_TIME"}


def test_the_fingerprint_holds_periods_and_only_where_there_are_some() -> None:
    world = played()
    (key,) = vkeys(world)
    lines = [f"{key} - 2027-01-01T00:00:00Z", f"{CA} 2026-01-01T00:00:00Z -"]
    plain, text = world.trust_text(), world.trust_text(key_periods=lines)
    prints = {parse_trust(one).fingerprint for one in (plain, text)}
    assert len(prints) == 2
    assert parse_trust(world.trust_text(key_periods=lines[::-1])).fingerprint == parse_trust(text).fingerprint
    for one in (plain, text):
        assert one_file.read_trust(one).fingerprint == parse_trust(one).fingerprint


@pytest.mark.parametrize(
    "lines",
    [
        ["{key} - -"],
        ["{key} 2027-01-01T00:00:00Z 2026-01-01T00:00:00Z"],
        ["{key} 2027-01-01 -"],
        ["{key} 2027-02-30T00:00:00Z -"],
        ["{key} 2027-01-01T00:00:00.000001Z -"],
        ["{key} 2027-01-01T00:00:00Z"],
        ["{key}  2027-01-01T00:00:00Z -"],
        ["{key} 2027-01-01T00:00:00Z -", "{key} - 2028-01-01T00:00:00Z"],
        ["{other} 2027-01-01T00:00:00Z -"],
        ["{ca}0 2027-01-01T00:00:00Z -"],
        [],
    ],
)
def test_periods_that_are_none_are_refused_by_both(lines: list[str]) -> None:
    world = played()
    (key,) = vkeys(world)
    made = [line.format(key=key, ca=CA, other=VKEYS[0]) for line in lines]
    text = world.trust_text() + "key_periods:" + "".join(f"\n- {line}" for line in made) + ("\n" if made else " []\n")
    with pytest.raises(SluisError, match="key_periods"):
        parse_trust(text)
    with pytest.raises(one_file.Malformed):
        one_file.read_trust(text)


def test_trust_show_prints_them(tmp_path: Path) -> None:
    world = played()
    (key,) = vkeys(world)
    file = tmp_path / "trust.yaml"
    file.write_text(world.trust_text(key_periods=[f"{key} 2026-01-01T00:00:00Z 2027-01-01T00:00:00Z"]))
    shown: Any = CliRunner().invoke(app, ["trust", "show", str(file)])
    assert f"counts       from 2026-01-01T00:00:00Z until 2027-01-01T00:00:00Z only: {key}" in shown.stdout
    value = json.loads(CliRunner().invoke(app, ["trust", "show", str(file), "--json"]).stdout)
    assert value["key_periods"] == [f"{key} 2026-01-01T00:00:00Z 2027-01-01T00:00:00Z"]
