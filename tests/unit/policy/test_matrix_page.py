"""The page of the matrix, and the commands that show who may learn what: read back as a reader would."""

from __future__ import annotations

import itertools
import json
import re
import shutil
from datetime import date
from html.parser import HTMLParser

import pytest
from policy_samples import ROOT, bent, load
from typer.testing import CliRunner

from broker.cli.policy import app
from broker.policy.matrix_page import matrix_page
from broker.policy.matrix_style import STYLE
from broker.policy.overview import grants_of, in_state, matrix_of, standing_on
from broker.policy.overview_words import STANDINGS, WORDS
from broker.policy.wording import LANGUAGES

RUNNER = CliRunner()
SET = load()
DAY = date(2026, 11, 23)
OPEN = tuple(name for name in sorted(SET.purposes) if standing_on(SET, name, DAY) == "open")
HIDDEN = tuple(sorted(set(SET.purposes) - set(OPEN)))
VOID = {"meta", "br"}


class Page(HTMLParser):
    """Elements in order, with their texts; refuses tags that are not closed in order."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.text = [], [], {}
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append((tag, len(self.elements) - 1))

    def handle_endtag(self, tag):
        opened, _ = self.open.pop()
        assert opened == tag

    def handle_data(self, data):
        for _, index in self.open:
            self.text[index] = self.text.get(index, "") + data

    def all(self, tag):
        return [(attrs, self.text.get(index, "").strip()) for index, (t, attrs) in enumerate(self.elements) if t == tag]


def page_of(policies=SET, names=OPEN, hidden=HIDDEN, lang="en"):
    text = matrix_page(policies, grants_of(policies, names), hidden, DAY, lang)
    return Page(text), text


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_page_has_language_title_one_main_and_a_skip_link_to_it(lang):
    page, _ = page_of(lang=lang)
    assert page.all("html")[0][0] == {"lang": lang}
    title = page.all("title")[0][1]
    assert title == page.all("h1")[0][1]
    assert "2026-11-23" in title
    assert len(page.all("main")) == len(page.all("h1")) == 1
    first, text = page.all("a")[0]
    assert (first["class"], first["href"]) == ("skip", "#matrix")
    assert text


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("names", [OPEN, tuple(sorted(SET.purposes)), ()])
def test_ids_are_unique_and_every_link_leads_somewhere_on_the_page(lang, names):
    page, _ = page_of(names=names, hidden=() if len(names) == len(SET.purposes) else HIDDEN, lang=lang)
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {attrs["href"][1:] for attrs, _ in page.all("a")} <= set(ids)
    assert {attrs["aria-labelledby"] for _, attrs in page.elements if "aria-labelledby" in attrs} <= set(ids)
    assert all(text for _, text in (*page.all("h2"), *page.all("h3"), *page.all("li"), *page.all("dd")))


def test_headings_never_skip_a_level():
    page, _ = page_of()
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(levels))


def test_every_header_cell_has_a_scope_and_every_table_a_caption_of_its_own():
    page, _ = page_of()
    heads = page.all("th")
    assert {attrs["scope"] for attrs, _ in heads} == {"col", "row"}
    assert all(text for _, text in heads)
    captions = [text for _, text in page.all("caption")]
    assert len(captions) == len(page.all("table")) == len(set(captions)) == 2
    roles = {"th": {"columnheader", "rowheader"}, "td": {"cell"}, "tr": {"row"}, "table": {"table"}}
    for tag, allowed in roles.items():
        assert {attrs["role"] for attrs, _ in page.all(tag)} == allowed


def test_cells_say_what_the_matrix_says_and_the_empty_ones_say_so_in_words():
    page, text = page_of()
    whole = matrix_of(grants_of(SET, OPEN))
    filled = sum(1 for row in whole.rows for cell in row.cells if cell)
    cells = page.all("td")
    assert len([1 for attrs, _ in cells if "class" not in attrs]) == filled
    assert all("nothing" in said for attrs, said in cells if attrs.get("class") == "nothing")
    links = re.findall(r'<div class="cell"><a href="#purpose-([a-z-]+)">', text)
    assert sorted(links) == sorted(learned.purpose for row in whole.rows for cell in row.cells for learned in cell)
    beds = [said for _, said in cells if "number of beds" in said]
    assert len(beds) == 1
    assert "from Flexible Housing Standards Foundation (SNF)" in beds[0]


def test_what_is_left_out_is_named_with_the_reason():
    page, _ = page_of()
    said = {text for _, text in page.all("li")}
    assert "nau-status: not yet: from 2027-07-01" in said
    assert {text.split(":")[0] for text in said if "denies every question" in text} == set(HIDDEN) - {"nau-status"}


def test_states_are_told_in_words_where_purposes_that_permit_nothing_are_shown():
    _, text = page_of(names=tuple(sorted(SET.purposes)), hidden=())
    assert text.count("[a draft: denies every question]") >= 2 * len(in_state(SET, ("draft",)))
    assert "[not yet: from 2027-07-01]" in text


def test_texts_of_the_files_are_escaped():
    catalogue = bent("catalogue.yaml", "en: number of beds}", "en: 'beds <script>alert(1)</script> & \"more\"'}")
    hostile = load(
        bent("purposes/snf-locatie.yaml", "en: leaving out", "en: <b>leaving</b> out")
        | {"catalogue.yaml": catalogue["catalogue.yaml"]}
    )
    page, text = page_of(hostile)
    assert "script" not in {tag for tag, _ in page.elements}
    assert "&lt;script&gt;" in text
    assert "&lt;b&gt;leaving&lt;/b&gt;" in text


def test_nothing_is_fetched_and_nothing_runs():
    page, text = page_of()
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in page.elements}
    assert not re.search(r"url\(|@import|src=|https?:", text)
    assert not [name for _, attrs in page.elements for name in attrs if name.startswith("on") or name == "style"]


def test_text_and_lines_stand_out_enough():
    background, found = "#ffffff", 0
    for selector, rule in re.findall(r"([^{}]+)\{([^{}]*)\}", STYLE):
        colour = re.search(r"(?<![-\w])color: (#[0-9a-f]{6})", rule)
        behind = re.search(r"background-color: (#[0-9a-f]{6})", rule)
        assert bool(colour) == bool(behind), selector
        if colour and behind:
            found += 1
            assert contrast(colour[1], behind[1]) >= 4.5, selector
        for line in re.findall(r"(?:border[a-z-]*|outline): [^;]*(#[0-9a-f]{6})", rule):
            assert contrast(line, background) >= 3, selector
    assert found >= 5
    assert round(contrast("#000000", "#ffffff"), 1) == 21


def test_the_style_has_focus_reflow_and_paper():
    assert ":focus-visible" in STYLE
    assert "outline: none" not in STYLE
    assert "@media print" in STYLE
    assert re.search(r"@media screen and \(max-width: \d+rem\)", STYLE)
    fixed = [float(width) for width in re.findall(r"(?<!max-)width: ([0-9.]+)rem", STYLE)]
    assert all(width <= 20 for width in fixed)


def test_both_languages_have_the_same_words_and_none_is_left_in_english():
    for words in (WORDS, STANDINGS):
        assert words["en"].keys() == words["nl"].keys()
        for key, english in words["en"].items():
            slots = re.findall(r"\{[a-z]+\}", english)
            assert sorted(slots) == sorted(re.findall(r"\{[a-z]+\}", words["nl"][key])), key
    same = {key for key in WORDS["en"] if WORDS["en"][key] == WORDS["nl"][key]}
    assert same == {"dpia"}


def run(*arguments, code=0, **options):
    result = RUNNER.invoke(app, [str(argument) for argument in arguments], **options)
    assert result.exit_code == code, (result.exit_code, result.output, result.exception)
    return result


def test_who_can_see_an_attribute_in_words_and_in_json():
    told = run("who-can-see", "beds", ROOT, "--on", "2026-11-23").stdout
    assert "under 1 purpose:" in told
    assert "who asks   all of municipalities (6)" in told
    assert "All of municipalities: utrecht, someren, waadhoeke, rotterdam, westland, tilburg" in told
    assert "purposes/snf-locatie.yaml:3" in told
    read = json.loads(run("who-can-see", "beds", ROOT, "--on", "2026-11-23", "--json").stdout)
    (grant,) = read["grants"]
    assert (grant["purpose"], grant["answerers"], grant["until"]) == ("snf-locatie", ["snf"], "2027-12-31")
    assert len(grant["askers"]) == 6
    dutch = run("who-can-see", "beds", ROOT, "--on", "2026-11-23", "--lang", "nl").stdout
    assert "aantal bedden (beds)" in dutch
    assert "wie vraagt   alle municipalities (6)" in dutch


def test_a_purpose_that_does_not_permit_that_day_is_named_and_shown_on_request():
    told = run("who-can-see", "admission-status", ROOT, "--on", "2026-11-23").stdout
    assert "may be learned under no purpose." in told
    assert "nau-status: not yet: from 2027-07-01" in told
    every = run("who-can-see", "admission-status", ROOT, "--on", "2026-11-23", "--all-states").stdout
    assert "nau-status [not yet: from 2027-07-01]" in every
    later = run("who-can-see", "admission-status", ROOT, "--on", "2027-07-01").stdout
    assert "\nnau-status\n" in later


def test_what_a_party_may_learn_and_what_others_may_learn_from_it():
    told = run("what-may", "utrecht", ROOT, "--on", "2026-11-23").stdout
    asks, answers = told.split("OTHERS MAY LEARN FROM IT")
    assert all(f"\n{name}\n" in asks for name in ("snf-locatie", "bezetting", "nla-verstrekking-onderneming"))
    assert "\nverhuurvergunning\n" in answers
    read = json.loads(run("what-may", "utrecht", ROOT, "--on", "2026-11-23", "--json").stdout)
    assert [grant["purpose"] for grant in read["asks"]] == ["bezetting", "nla-verstrekking-onderneming", "snf-locatie"]
    assert read["not_on_that_day"]["nau-status"] == "later"
    assert {grant["state"] for grant in read["answers"]} == {"active"}


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("who-can-see", "bedz"), "did you mean 'beds'?"),
        (("who-can-see", "aantal bedden"), "did you mean 'beds'?"),
        (("who-can-see", "snf"), "sluis policy what-may snf"),
        (("what-may", "utrech"), "did you mean 'utrecht'?"),
        (("what-may", "gemeente utrecht"), "did you mean 'utrecht'?"),
        (("what-may", "municipalities"), "name one of its parties: utrecht, someren"),
        (("what-may", "beds"), "sluis policy who-can-see beds"),
        (("what-may", "utrecht", "--on", "23-11-2026"), "write a day from 2000 to 2099"),
        (("matrix", "--on", "2026-02-30"), "there is no day '2026-02-30'"),
    ],
)
def test_wrong_words_say_what_to_write(arguments, hint):
    word = arguments[:1] if arguments[0] == "matrix" else arguments[:2]
    result = run(*word, ROOT, *arguments[len(word) :], code=2)
    assert hint in re.sub(r"[\s│|]+", " ", result.output)


def test_the_folder_before_the_word_is_told_to_swap():
    result = run("who-can-see", ROOT, "beds", code=2)
    assert "the word comes first" in re.sub(r"[\s│|]+", " ", result.output)


@pytest.mark.parametrize("width", [24, 40, 66, 72, 76, 80, 81, 90, 120, 200])
def test_the_table_cuts_nothing_off_at_any_width(width):
    told = run("matrix", ROOT, "--on", "2026-11-23", env={"COLUMNS": str(width)}).stdout
    assert "…" not in told
    wide = run("matrix", ROOT, "--on", "2026-11-23", env={"COLUMNS": "300"}).stdout
    assert set(re.findall(r"[\w()-]*\w[\w()-]*", told)) == set(re.findall(r"[\w()-]*\w[\w()-]*", wide))
    # a word is never broken: only a line of one such word may be wider than the terminal
    assert [line for line in told.splitlines() if len(line) > width and " " in line.strip()] == []


def test_the_page_is_written_whole_and_the_command_says_so(tmp_path):
    file = tmp_path / "matrix.html"
    result = run("matrix", ROOT, "--html", file, "--on", "2026-11-23", "--lang", "nl")
    assert result.stdout == f"wrote {file}: {len(OPEN)} purposes on 2026-11-23\n"
    assert file.read_text(encoding="utf-8") == page_of(lang="nl")[1]
    read = json.loads(run("matrix", ROOT, "--html", file, "--on", "2026-11-23", "--json").stdout)
    assert read["file"] == str(file)
    assert len(read["rows"]) == 4
    assert "there is no folder" in re.sub(
        r"[\s│|]+", " ", run("matrix", ROOT, "--html", tmp_path / "x/y", code=2).output
    )


def test_a_set_in_which_nobody_may_learn_anything_says_so(tmp_path):
    folder = tmp_path / "policies"
    shutil.copytree(ROOT, folder)
    for file in (folder / "purposes").glob("*.yaml"):
        file.write_text(file.read_text(encoding="utf-8").replace("state: active", "state: withdrawn"), encoding="utf-8")
    assert "Nobody may learn anything on that day." in run("matrix", folder, "--on", "2026-11-23").stdout
    page = tmp_path / "empty.html"
    run("matrix", folder, "--html", page, "--on", "2026-11-23")
    assert Page(page.read_text(encoding="utf-8")).all("table") == []
