"""`sluis audit show`: filters, each alone and together; columns; what is opened and what stays closed."""

from __future__ import annotations

import json
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import rectified
from audit_kit import World, played, sealed
from bad_bundles_key_ends import destroyed, ends
from opened import Opened
from typer.testing import CliRunner, Result

from broker.audit.openings import Openings
from broker.audit.selecting import Selection, select
from broker.cli.audit.root import app
from broker.cli.audit.showing import lines_of
from broker.errors import SluisError
from broker.exchange import Want

HIT = Want(hit=True, count=False, attributes=("beds",))


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["show", *map(str, arguments)])


class Told:
    """A played world whose newest releases open, and the files of it."""

    def __init__(self, folder: Path) -> None:
        self.world, self.opened = played(), Opened()
        self.case = self.opened.case("NLA-2026-777")
        stated = {"case_number": self.case}
        found = {"case_number": "accepted"}
        self.two = self.world.ask(
            "nla", ["utrecht"], "verhuurvergunning", Want(True, False), stated=stated, found=found
        )
        self.full = self.world.release(self.two)
        self.opened.result(self.world, self.full, 9)
        self.few = self.world.release(self.world.ask("nla", ["sna"], "sna-overzicht", Want(True, False), scheme="kvk"))
        self.opened.result(self.world, self.few, 1)
        self.bundle, self.openings = folder / "log.bundle", self.opened.write(folder / "receipts.json")
        self.write()

    def write(self) -> None:
        self.bundle.write_bytes(b"".join(self.world.bundle()))

    def indices(self, *arguments: object) -> list[int]:
        result = run(self.bundle, "--json", *arguments)
        assert result.exit_code == 0, result.output
        return [json.loads(line)["index"] for line in result.stdout.splitlines()]

    def of(self, kind: str) -> list[int]:
        kinds = [kind_ for batch in self.world.batches for kind_, _ in batch]
        return [at for at, one in enumerate(kinds) if one == kind]


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(tmp_path)


def test_without_filters_everything_is_shown(told: Told) -> None:
    assert told.indices() == list(range(told.world.size))


def test_kinds_may_be_several(told: Told) -> None:
    assert told.indices("--kind", "release") == told.of("release")
    assert told.indices("--kind", "release", "--kind", "key") == sorted(told.of("release") + told.of("key"))


def test_a_purpose_holds_for_its_releases_registers_and_keys_too(told: Told) -> None:
    found = told.indices("--purpose", "sna-overzicht")
    assert told.few in found
    assert {told.world.entry(at)[0] for at in found} == {"ask", "release", "register", "key"}
    for at in found:
        assert "sna" in json.dumps(told.world.body(at))


def test_verdicts_are_of_decisions(told: Told) -> None:
    denied, permitted = told.indices("--verdict", "deny"), told.indices("--verdict", "permit")
    assert sorted(denied + permitted) == told.of("ask")
    assert all(told.world.body(at)["decision"]["effect"] == "deny" for at in denied)
    assert denied


def test_days_are_those_of_amsterdam(told: Told) -> None:
    assert told.indices("--until", "2026-11-22") == []
    first = told.indices("--until", "2026-11-23")
    later = told.indices("--from", "2026-11-24")
    assert sorted(first + later) == list(range(told.world.size))
    assert first
    assert later
    assert told.indices("--from", "2026-11-23", "--until", "2026-11-23") == first


def test_half_past_eleven_utc_in_winter_is_the_next_day(tmp_path: Path) -> None:
    world = World().begin()
    at = world.batch(("recovery", {"what": "w", "detail": "d"}), after=timedelta(hours=13, minutes=30))
    assert world.times[-1].isoformat()[:16] == "2026-11-23T23:30"
    shown = [one.entry.index for one in select(world.bundle(), _days("2026-11-24"))]
    assert shown == [at]


def _days(first: str) -> Selection:
    from datetime import date

    return Selection(first=date.fromisoformat(first))


def test_an_exchange_is_all_its_entries(told: Told) -> None:
    exchange = told.world.body(told.two)["exchange"]
    assert told.indices("--exchange", exchange) == [told.two, told.full]


def test_a_case_is_found_by_its_number_with_openings_only(told: Told) -> None:
    assert told.indices("--case", "NLA-2026-777", "--openings", told.openings) == [told.two, told.full]
    assert told.indices("--case", "NLA-2026-778", "--openings", told.openings) == []
    assert told.indices("--case-opening", told.openings) == [told.two, told.full]
    result = run(told.bundle, "--case", "NLA-2026-777")
    assert result.exit_code == 2
    assert "commitments only" in result.output


def test_another_salt_opens_nothing(told: Told, tmp_path: Path) -> None:
    value = json.loads(told.openings.read_text())
    for answer in value["answers"]:
        answer["result"]["salt"] = "00" * 32
    told.openings.write_text(json.dumps(value))
    assert told.indices("--case-opening", told.openings) == []


def test_the_share_of_hits_needs_openings_and_is_told(told: Told) -> None:
    give = ("--openings", told.openings)
    assert told.indices("--hits-from", 0.5, *give) == [told.full]
    assert told.indices("--hits-to", 0.5, *give) == [told.few]
    assert told.indices("--hits-from", 0, *give) == [told.full, told.few]
    assert told.indices("--hits-from", 0.9, "--hits-to", 0.9, *give) == [told.full]
    assert ", hits 9 of 10" in run(told.bundle, "--kind", "release", *give).stdout
    assert "hits" not in run(told.bundle).stdout
    assert run(told.bundle, "--hits-from", 0.5).exit_code == 2
    assert run(told.bundle, "--hits-from", 0.5, "--hits-to", 0.4, *give).exit_code == 2


def test_filters_together_are_those_that_pass_each(told: Told) -> None:
    filters = [
        ("--party", "nla"),
        ("--purpose", "verhuurvergunning"),
        ("--verdict", "permit"),
        ("--kind", "ask"),
        ("--from", "2026-11-24"),
        ("--case-opening", told.openings),
    ]
    alone = {one: set(told.indices(*one)) for one in filters}
    assert len({frozenset(found) for found in alone.values()}) == len(filters)
    for seed in range(6):
        chosen = random.Random(seed).sample(filters, 3)
        found = told.indices(*(word for one in chosen for word in one))
        assert set(found) == set.intersection(*(alone[one] for one in chosen)), chosen


@pytest.mark.parametrize("width", [60, 80, 120])
def test_nothing_is_wider_than_the_terminal_and_nothing_is_lost(told: Told, width: int) -> None:
    told.world.ask("utrecht", ["snf"], "snf-locatie", Want(False, True, ("enterprise-name",)), subjects=5_000)
    for shown in select(told.world.bundle(), Selection()):
        folded, (whole,) = lines_of(shown, width), lines_of(shown, None)
        assert all(len(line) <= width for line in folded)
        letters = "".join("".join(folded).split()).replace(":", "")
        assert letters == "".join(whole.split()).replace(":", "")
    assert "5,000 subjects" in whole


@pytest.mark.parametrize(
    "arguments",
    [
        ("--verdict", "maybe"),
        ("--kind", "asks"),
        ("--from", "yesterday"),
        ("--from", "2026-02-30"),
        ("--from", "2026-11-24", "--until", "2026-11-23"),
        ("--hits-from", "2"),
        ("--openings", "/nowhere"),
    ],
)
def test_wrong_usage_is_told(told: Told, arguments: tuple[str, ...]) -> None:
    assert run(told.bundle, *arguments).exit_code == 2


@pytest.mark.parametrize(
    "text", ["", "hello", "{}", '{"salt": "00", "value": "00"}', '{"salt": 5, "value": 6}', "[[]]"]
)
def test_files_that_open_nothing_are_refused(text: str) -> None:
    with pytest.raises(SluisError, match="receipts"):
        Openings().add(text.encode(), "receipts.json")


def test_openings_may_stand_on_lines() -> None:
    opened = Opened()
    commitment = opened.case("A-1")
    lines = "\n".join(json.dumps(one) for one in opened.openings)
    openings = Openings()
    assert openings.add(lines.encode(), "x") == 1
    assert openings.case(commitment) == b"A-1"


def test_a_cut_bundle_is_told_after_what_it_holds(told: Told) -> None:
    told.bundle.write_bytes(b"".join(told.world.bundle()[:30]))
    result = run(told.bundle)
    assert isinstance(result.exception, SluisError)
    assert len(result.stdout.splitlines()) > 5


def test_words_of_an_asker_cannot_move_the_cursor(told: Told) -> None:
    told.world.body(told.two)["purpose"] = "x\x1b[2J\nfake line"
    told.write()
    assert "\x1b" not in run(told.bundle).stdout
    assert len(run(told.bundle).stdout.splitlines()) == told.world.size


def test_an_ask_without_its_members_is_refused() -> None:
    world = played()
    world.body(world.ask("nla", ["sna"], "sna-overzicht", HIT, scheme="kvk"))["statement"] = {}
    with pytest.raises(SluisError, match="no whole ask"):
        list(select(sealed(world.lines()), Selection()))


def test_open_notices_are_listed_with_their_age_until_somebody_acts(tmp_path: Path) -> None:
    world = played()
    bundle = tmp_path / "log.bundle"

    def listed(*arguments: str) -> Result:
        bundle.write_bytes(b"".join(world.bundle()))
        result = run(bundle, "--open-notices", *arguments)
        assert result.exit_code == 0, result.output
        return result

    assert listed().stdout == "no notice is open at the end of this log\n"
    notice = rectified.dispute(world, next(i for i, (kind, _) in enumerate(entries_of(world)) if kind == "ask"))
    world.at += timedelta(days=9)
    world.batch(("access", {"what": "entries", "party": "privacy-auditor", "exchange": None}))
    heads, line = listed().stdout.splitlines()
    assert heads.split()[:3] == ["entry", "days", "party"]
    assert line.split()[:3] == [str(notice), "9", world.body(notice)["answerer"]]
    assert "not answered" in line
    told = json.loads(listed("--json").stdout)
    assert (told["index"], told["days"], told["acknowledged"]) == (notice, 9, False)
    assert listed("--party", "nobody").stdout.startswith("no notice is open")
    refused = run(bundle, "--open-notices", "--verdict", "deny")
    assert refused.exit_code == 2
    assert "goes with --party" in refused.output


def entries_of(world: World) -> list[tuple[str, dict[str, Any]]]:
    return [entry for batch in world.batches for entry in batch]


def test_an_erasure_and_a_hold_are_told_in_words(told: Told) -> None:
    told.world.batch(
        ("erasure", {"what": "retention", "purpose": None, "commitments": ["ab" * 32]}),
    )
    told.write()
    ordered, due = run(told.bundle, "--kind", "erasure").stdout.splitlines()
    assert "snf-locatie: 2 openings erased, order " in ordered
    assert due.endswith("no one purpose: 1 opening erased, its time was over")
    holds = run(told.bundle, "--kind", "config").stdout
    for kind, said in (("legal-hold-added", "until 20"), ("legal-hold-lifted", "lifted by order")):
        count = sum(body.get("what") == kind for name, body in entries_of(told.world) if name == "config")
        assert holds.count(said) == count > 0


def test_what_became_of_keys_is_told(tmp_path: Path) -> None:
    world = played()
    ends(world)
    destroyed(world)
    world.epoch("snf", "snf-locatie", epoch="2026Q4.2", key_id="ef" * 16)
    bundle = tmp_path / "log.bundle"
    bundle.write_bytes(b"".join(world.bundle()))
    shown = [line.rpartition("   ")[2].strip() for line in run(bundle, "--kind", "key").stdout.splitlines()]
    assert "encryption-key" in shown
    assert shown[-3:] == [
        "snf-locatie: key cdcdcdcd of 2026Q4 retired, leak",
        "snf-locatie: key cdcdcdcd of 2026Q4 destroyed here, escrow-over",
        "snf-locatie: key efefefef of 2026Q4.2 sealed to 1 party",
    ]
