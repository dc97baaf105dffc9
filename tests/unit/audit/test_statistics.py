"""`sluis audit statistics`: a month counted; hits only where they are known and not small; every form says the same."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
import xml.etree.ElementTree as ET
from datetime import date, timedelta
from pathlib import Path

import pytest
from audit_kit import World
from opened import Opened
from typer.testing import CliRunner, Result

from broker.audit.openings import Openings
from broker.audit.statistics import UNKNOWN_PURPOSE, Figures, Group, Month, statistics
from broker.cli.audit.report.chart import MOST_BARS, STYLES, bars_of
from broker.cli.audit.report.png import png_of
from broker.cli.audit.report.svg import svg_of
from broker.cli.audit.report.tables import csv_of, report_of, text_of
from broker.cli.audit.report.words import WORDS
from broker.cli.audit.root import app
from broker.errors import SluisError
from broker.exchange import Want

NOVEMBER = (date(2026, 11, 1), date(2026, 11, 30))
HIT, COUNT = Want(hit=True, count=False), Want(hit=False, count=True)
SNF, SNA, PERMIT = "snf-locatie", "sna-overzicht", "verhuurvergunning"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["statistics", *map(str, arguments)])


class Told:
    """A log whose figures are counted by hand below."""

    def __init__(self) -> None:
        world, self.opened = World().begin(), Opened()
        self.world = world
        for steward, purpose in (("snf", SNF), ("sna", SNA), ("nla", PERMIT)):
            world.epoch(steward, purpose)
        world.publish("snf", SNF, "bag")
        world.publish("sna", SNA, "kvk")
        for hits in (20, 30, None):  # three answered, two of them opened
            at = world.release(world.ask("utrecht", ["snf"], SNF, HIT, subjects=100))
            if hits is not None:
                self.opened.result(world, at, hits)
        world.release(world.ask("utrecht", ["snf"], SNF, HIT, subjects=7), "FAILED")
        world.release(world.ask("utrecht", ["snf"], SNF, HIT, subjects=7), "UNKNOWN")
        world.ask("utrecht", ["snf"], SNF, HIT, subjects=7)  # open at the end
        world.ask("utrecht", ["snf"], SNF, Want(True, False, ("enterprise-name",)), subjects=2_000)  # two checks
        world.ask("nla", ["snf"], SNF, HIT)
        self.opened.result(world, world.release(world.ask("nla", ["sna"], SNA, HIT, scheme="kvk")), 2)  # few
        self.opened.result(world, world.release(world.ask("nla", ["sna"], SNA, COUNT, scheme="kvk")), 0, 9)  # a count
        two = world.ask("nla", ["someren", "utrecht"], PERMIT, HIT, case_number="NLA-2026-12345", subjects=3)
        world.release(two, "NO_REGISTER")
        world.release(two + 1, "NO_REGISTER")
        world.ask("nla", ["sna"], "=nonsense", HIT)
        self.openings = Openings()
        self.openings.add(json.dumps(self.opened.openings).encode(), "openings")

    def month(self, by: str = "purpose", *, opened: bool = True, least: int = 5) -> Month:
        openings = self.openings if opened else Openings()
        return statistics(self.world.bundle(), NOVEMBER, by=by, openings=openings, suppress_below=least)


@pytest.fixture(scope="module")
def told() -> Told:
    return Told()


def counts(figures: Figures) -> tuple[int, ...]:
    return (
        figures.exchanges,
        figures.subjects,
        figures.questions,
        figures.answered,
        figures.withheld,
        figures.failed,
        figures.open,
        figures.denied,
    )


def test_by_purpose(told: Told) -> None:
    month = told.month()
    found = {group.name: counts(figures) for group, figures in month.groups.items()}
    assert found == {
        SNF: (8, 321, 8, 3, 0, 2, 1, 2),
        SNA: (2, 20, 2, 2, 0, 0, 0, 0),
        PERMIT: (1, 3, 2, 0, 2, 0, 0, 0),
        UNKNOWN_PURPOSE: (1, 0, 1, 0, 0, 0, 0, 1),
    }
    assert counts(month.total) == (12, 344, 13, 5, 2, 2, 1, 3)
    snf = month.groups[Group("purpose", SNF)]
    assert snf.denials == {"attributes": 1, "subjects-per-request": 1, "asker": 1}
    assert (snf.hit_questions, snf.opened, snf.opened_subjects, snf.hits) == (3, 2, 200, 50)
    sna = month.groups[Group("purpose", SNA)]
    assert (sna.hit_questions, sna.opened, sna.hits) == (1, 1, 2), "a count has no hits"


def test_by_party(told: Told) -> None:
    month = told.month("party")
    found = {(group.role, group.name): counts(figures) for group, figures in month.groups.items()}
    assert found == {
        ("asks", "nla"): (5, 23, 6, 2, 2, 0, 0, 2),
        ("asks", "utrecht"): (7, 321, 7, 3, 0, 2, 1, 1),
        ("answers", "sna"): (2, 20, 2, 2, 0, 0, 0, 0),
        ("answers", "snf"): (8, 321, 8, 3, 0, 2, 1, 2),
        ("answers", "someren"): (1, 3, 1, 0, 1, 0, 0, 0),
        ("answers", "utrecht"): (1, 3, 1, 0, 1, 0, 0, 0),
    }
    assert list(month.groups) == sorted(month.groups, key=lambda group: (group.role == "answers", group))
    assert counts(month.total) == counts(told.month().total)


def test_every_question_ended_in_one_way(told: Told) -> None:
    for by in ("purpose", "party"):
        month = told.month(by)
        for figures in [*month.groups.values(), month.total]:
            parts = (figures.answered, figures.withheld, figures.failed, figures.open, figures.denied)
            assert sum(parts) == figures.questions


def test_hits_are_not_known_without_openings(told: Told) -> None:
    month = told.month(opened=False)
    assert all(month.hits_of(group) is None for group in [*month.groups, None])
    text = "\n".join(text_of(report_of(month, by="purpose", lang="en", verified=False)))
    assert "not known from the log" in text
    assert "%" not in text


def test_small_numbers_of_hits_are_hidden_and_the_sum_does_not_give_them_away(told: Told) -> None:
    month = told.month()
    assert month.hits_of(Group("purpose", SNF)) == 50
    assert month.hits_of(Group("purpose", SNA)) is None
    assert month.hits_of(None) is None, "52 - 50 would be the two"
    shown = told.month(least=0)
    assert (shown.hits_of(Group("purpose", SNA)), shown.hits_of(None)) == (2, 52)
    text = "\n".join(text_of(report_of(month, by="purpose", lang="en", verified=False)))
    assert "not shown" in text
    assert "52" not in text
    row = next(row for row in rows(month) if row["name"] == SNA)
    assert (row["hits"], row["hits_are"]) == ("", "suppressed")


@pytest.mark.parametrize(("hits", "shown"), [(0, None), (4, None), (5, 5), (95, 95), (96, None), (100, None)])
def test_all_but_a_few_tell_as_much_as_a_few(hits: int, shown: int | None) -> None:
    assert Figures(opened=1, opened_subjects=100, hits=hits).hits_shown(5) == shown


def test_a_release_counts_in_the_month_of_its_ask_and_days_are_of_amsterdam() -> None:
    world = World().begin()
    world.publish("snf", SNF, "bag")
    late = timedelta(days=7, hours=12, minutes=59)  # 30 November, 23:59 in Amsterdam
    at = world.ask("utrecht", ["snf"], SNF, HIT, after=late - (world.at - world.times[0]))
    assert world.at.isoformat()[:16] == "2026-11-30T22:59"
    world.ask("utrecht", ["snf"], SNF, HIT, after=timedelta(minutes=2))  # 1 December there, 30 November in UTC
    world.release(at)
    month = statistics(world.bundle(), NOVEMBER, by="purpose", openings=Openings())
    assert counts(month.total) == (1, 10, 1, 1, 0, 0, 0, 0)
    assert month.log_ends == date(2026, 12, 1)


def rows(month: Month) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_of(month).decode("utf-8"), newline="")))


def test_csv_is_rfc_4180_and_says_what_the_table_says(told: Told) -> None:
    month = told.month()
    data = csv_of(month)
    lines = data.split(b"\r\n")
    assert lines[-1] == b""
    assert b"\n" not in b"".join(lines)
    found = {row["name"]: row for row in rows(month)}
    assert len(found) == 5
    assert (found[SNF]["exchanges"], found[SNF]["hits"], found[SNF]["denied_by_asker"]) == ("8", "50", "1")
    assert found[""]["role"] == "all"
    assert found[""]["questions"] == "13"


def test_no_cell_is_a_formula() -> None:
    month = Month("o", *NOVEMBER, None, {Group("asks", "=1+1"): Figures(exchanges=1)}, Figures(), 5)
    assert rows(month)[0]["name"] == "'=1+1"


@pytest.mark.parametrize("lang", ["en", "nl"])
def test_the_picture_says_everything_to_who_does_not_see_it(told: Told, lang: str) -> None:
    month = told.month()
    report = report_of(month, by="purpose", lang=lang, verified=True)
    bars = bars_of(month, report.lang)
    root = ET.fromstring(svg_of(report, bars))
    space = "{http://www.w3.org/2000/svg}"
    assert root.findtext(f"{space}title") == report.title
    described = root.findtext(f"{space}desc") or ""
    for bar in bars:
        said = re.search(rf"{re.escape(bar.name)}: ([^.]*)\.", described)
        assert said
        assert tuple(map(int, re.findall(r"\d+", said[1]))) == bar.parts
    assert report.title.startswith({"en": "Exchanges in November", "nl": "Uitwisselingen in november"}[lang])
    labels = [text.text for text in root.iter(f"{space}text")]
    assert all(bar.name in labels for bar in bars)
    assert str(max(bar.total for bar in bars)) in labels


def test_parts_are_told_apart_by_pattern_and_not_by_colour_alone() -> None:
    assert len({style.pattern for style in STYLES.values()}) == len(STYLES)


def test_both_languages_have_the_same_words() -> None:
    assert WORDS["en"].keys() == WORDS["nl"].keys()


def test_many_bars_are_put_together_and_nothing_is_lost() -> None:
    groups = {Group("purpose", f"p-{n}"): Figures(questions=n, denied=n) for n in range(1, 41)}
    month = Month("o", *NOVEMBER, None, groups, Figures(), 5)
    bars = bars_of(month, "en")
    assert len(bars) == MOST_BARS
    assert sum(bar.total for bar in bars) == sum(range(1, 41))
    assert bars[-1].name == "26 others"
    ET.fromstring(svg_of(report_of(month, by="purpose", lang="en", verified=True), bars))


def test_the_png_is_one_and_carries_its_description(told: Told) -> None:
    from PIL import Image

    month = told.month("party")
    report = report_of(month, by="party", lang="nl", verified=True)
    with Image.open(io.BytesIO(png_of(report, bars_of(month, "nl")))) as picture:
        assert picture.size[0] == 1920
        assert picture.info["Title"] == report.title
        assert "vragende partij nla" in picture.info["Description"]
        assert {(0xF3, 0xB3, 0x6B), (0x1D, 0x4F, 0x7C)} <= {colour for _, colour in picture.getcolors(1 << 20)}


def test_without_pillow_the_way_out_is_told(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    month = told.month()
    with pytest.raises(SluisError, match=r"sluis-broker\[report\]"):
        png_of(report_of(month, by="purpose", lang="en", verified=True), bars_of(month, "en"))


@pytest.fixture
def files(told: Told, tmp_path: Path) -> tuple[Path, Path, Path]:
    bundle, trust = tmp_path / "log.bundle", tmp_path / "trust.yaml"
    bundle.write_bytes(b"".join(told.world.bundle()))
    trust.write_text(told.world.trust_text())
    return bundle, trust, told.opened.write(tmp_path / "receipts.json")


def test_the_command_writes_every_form_and_a_table_beside_every_picture(files: tuple[Path, Path, Path]) -> None:
    bundle, trust, openings = files
    folder = bundle.parent
    outs = [word for name in ("a.svg", "b.png", "c.csv", "d.html") for word in ("--out", folder / name)]
    result = run(bundle, "--month", "2026-11", "--trust", trust, "--openings", openings, *outs)
    assert result.exit_code == 0, result.output
    assert (folder / "a.txt").read_text() == result.stdout == (folder / "b.txt").read_text()
    assert "verified with the trust file" in result.stdout
    assert "all exchanges" in result.stdout
    page = (folder / "d.html").read_text()
    assert page.count("<table>") == 3
    assert "<svg" in page
    assert "`" not in page
    assert "<code>questions</code>" in page
    picture = page[page.index("<g" if "<g" in page else "<rect") : page.index("</svg>")]
    assert result.stdout.splitlines()[0] not in picture, "the page has the title above"
    assert result.stdout.splitlines()[0] in (folder / "a.svg").read_text()
    assert "verified with the trust file" not in picture
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    assert not list(folder.glob(".*"))


def test_the_command_says_when_it_did_not_verify_and_when_the_month_is_not_whole(
    files: tuple[Path, Path, Path],
) -> None:
    text = run(files[0], "--month", "2026-11").stdout
    assert "NOT verified" in text
    assert "the log ends on 2026-11-23: the month is not whole" in text
    assert "nothing was asked in this month" in run(files[0], "--month", "2026-10").stdout
    value = json.loads(run(files[0], "--month", "2026-11", "--by", "party", "--json").stdout)
    assert (value["verified"], value["by"], len(value["rows"])) == (False, "party", 7)
    assert value["rows"][0]["hits"] is None


def test_json_hides_what_the_table_hides(files: tuple[Path, Path, Path]) -> None:
    value = json.loads(run(files[0], "--month", "2026-11", "--openings", files[2], "--json").stdout)
    found = {row["name"]: (row["hits"], row["hits_hidden"]) for row in value["rows"]}
    assert found[SNA] == (None, True)
    assert found[SNF] == (50, False)
    assert found[None] == (None, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--month", "2026-13"),
        ("--month", "november"),
        (),
        ("--month", "2026-11", "--by", "day"),
        ("--month", "2026-11", "--out", "report.pdf"),
        ("--month", "2026-11", "--out", "report"),
        ("--month", "2026-11", "--suppress-below", "-1"),
        ("--month", "2026-11", "--lang", "fr"),
    ],
)
def test_wrong_usage_is_told(files: tuple[Path, Path, Path], arguments: tuple[str, ...]) -> None:
    assert run(files[0], *arguments).exit_code == 2


def test_a_cut_bundle_leaves_no_file(files: tuple[Path, Path, Path]) -> None:
    bundle, _, _ = files
    bundle.write_bytes(bundle.read_bytes()[:-200])
    out = bundle.parent / "a.svg"
    assert isinstance(run(bundle, "--month", "2026-11", "--out", out).exception, SluisError)
    assert not out.exists()


def test_a_forged_bundle_is_not_counted(files: tuple[Path, Path, Path], told: Told) -> None:
    bundle, trust, _ = files
    trust.write_text(told.world.trust_text(policy_quorum=3))
    result = run(bundle, "--month", "2026-11", "--trust", trust)
    assert (result.exit_code, result.stdout) == (14, "")
