from __future__ import annotations

import string

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.policy.strict_yaml import MAX_BYTES, PlainScalar, read_yaml

LOADERS = [pytest.param(yaml.Loader, id="pure")]
if hasattr(yaml, "CLoader"):
    LOADERS.append(pytest.param(yaml.CLoader, id="libyaml"))


def codes(text, loader):
    value, problems = read_yaml(text, "f.yaml", loader=loader)
    assert (value is None) == bool(problems)
    return [(problem.line, problem.code) for problem in problems]


@pytest.mark.parametrize("loader", LOADERS)
def test_scalars_stay_text(loader):
    source, problems = read_yaml(
        "a: NO\nb: 0123\nc: 12:30\non: yes\nd: 'null'\ne: null\nf: [1e3, ~]\n", "f.yaml", loader=loader
    )
    assert problems == ()
    assert source.value == {
        "a": "NO", "b": "0123", "c": "12:30", "on": "yes", "d": "null", "e": "null", "f": ["1e3", "~"]
    }  # fmt: skip
    assert isinstance(source.value["e"], PlainScalar)
    assert not isinstance(source.value["d"], PlainScalar)


@pytest.mark.parametrize("loader", LOADERS)
def test_every_path_has_its_line(loader):
    source, _ = read_yaml("a:\n  - x\n  - y: 1\n    z: 2\n# remark\nb: {c: 3,\n    d: 4}\n", "f.yaml", loader=loader)
    assert source.lines == {
        (): 1, ("a",): 1, ("a", 0): 2, ("a", 1): 3, ("a", 1, "y"): 3, ("a", 1, "z"): 4,
        ("b",): 6, ("b", "c"): 6, ("b", "d"): 7,
    }  # fmt: skip
    assert source.line(("a", 1, "z", "deeper")) == 4
    assert source.line(("nowhere",)) == 1


TRAPS = [
    ("min_group: 10\nmin_group: 1\n", (2, "DUPLICATE_KEY")),
    ("a:\n  b: 1\n  'b': 2\n", (3, "DUPLICATE_KEY")),
    ("a: &x [1]\n", (1, "ANCHOR")),
    ("a: 1\nb: &x two\n", (2, "ANCHOR")),
    ("a: 1\nb: *x\n", (2, "ALIAS")),
    ("&k a: 1\n", (1, "KEY_SHAPE")),
    ("a: !!python/object:os.system x\n", (1, "TAG")),
    ("a: ! x\n", (1, "TAG")),
    ("a: 1\n---\nb: 2\n", (2, "SECOND_DOCUMENT")),
    ("a: 1\n...\n---\n", (3, "SECOND_DOCUMENT")),
    ("%YAML 1.1\n---\na: 1\n", (1, "DIRECTIVE")),
    ("%TAG ! tag:x,2000:\n---\na: 1\n", (1, "DIRECTIVE")),
    ("? [a, b]\n: 1\n", (1, "KEY_SHAPE")),
    ("{a: 1}: 2\n", (1, "KEY_SHAPE")),
    ("a b: 1\n", (1, "KEY_SHAPE")),
    ("<<: {a: 1}\n", (1, "KEY_SHAPE")),
    ("a:\n", (1, "EMPTY_VALUE")),
    ("a: 1\nb: [1, , 2]\n", (2, "YAML_SYNTAX")),
    ("a: 1\n b: 2\n", (2, "YAML_SYNTAX")),
    ("", (1, "EMPTY")),
    ("# only a remark\n", (1, "EMPTY")),
    ("a: 1\nb:\u00a02\n", (2, "INVISIBLE_CHARACTER")),
    ("a\u200b: 1\n", (1, "INVISIBLE_CHARACTER")),
    ("a: '\u202enla'\n", (1, "INVISIBLE_CHARACTER")),
    ("a: 1 # \u2066 in a remark\n", (1, "INVISIBLE_CHARACTER")),
    ("\ufeffa: 1\n", (1, "INVISIBLE_CHARACTER")),
    ("a: 1\nb: x\u2028c: 2\n", (2, "INVISIBLE_CHARACTER")),
    ("a: \x85 1\n", (1, "INVISIBLE_CHARACTER")),
    ("a: 1\rb: 2\n", (1, "INVISIBLE_CHARACTER")),
    ("a:\t1\n", (1, "TAB")),
    ("a: \x00\n", (1, "INVISIBLE_CHARACTER")),
    ('a: "x\\u202ey"\n', (1, "ESCAPE")),
    ('# \u00e9\na: "x"\nb: "\\x1b[31m"\n', (3, "ESCAPE")),
    ('"ask\\x73": [nla]\n', (1, "ESCAPE")),
    ('a: "b\\\n  c"\n', (1, "ESCAPE")),
    ('# \u00e9\u20ac\r\na: "x"\r\nb: [c, "\\0"]\r\n', (3, "ESCAPE")),
    ("asks: [nl\u0430]\n", (1, "LOOK_ALIKE_CHARACTER")),  # Cyrillic a
    ("\u0430sks: [nla]\n", (1, "LOOK_ALIKE_CHARACTER")),
    ("a: \u039d\n", (1, "LOOK_ALIKE_CHARACTER")),  # Greek Nu
    ("a: \uff4e\n", (1, "LOOK_ALIKE_CHARACTER")),  # full-width n
    ("a: \u0661\n", (1, "LOOK_ALIKE_CHARACTER")),  # Arabic-Indic 1
    ("a: cafe\u0301\n", (1, "NOT_NFC")),
    ("caf\u00e9: 1\n", (1, "KEY_SHAPE")),
    ("[" * 17 + "]" * 17, (1, "TOO_DEEP")),
    ("a: " + "[" * 17 + "]" * 17, (1, "TOO_DEEP")),
    ("a: " + "[" * 100_000, (1, "TOO_DEEP")),
    ("[" + "x," * 20_001 + "]", (1, "TOO_MANY_NODES")),
    ("a: '" + "x" * MAX_BYTES + "'", (1, "TOO_LARGE")),
]


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize(("text", "expected"), TRAPS, ids=[f"{i}-{t[1][1]}" for i, t in enumerate(TRAPS)])
def test_traps_are_refused_at_their_line(text, expected, loader):
    assert expected in codes(text, loader)


@pytest.mark.parametrize("loader", LOADERS)
def test_billion_laughs_stops_at_the_first_anchor(loader):
    pairs = zip("abcdefgh", "bcdefghi", strict=True)
    text = "a: &a [lol, lol]\n" + "".join(f"{c}: &{c} [*{p}, *{p}]\n" for p, c in pairs)
    assert codes(text, loader) == [(1, "ANCHOR")]


def test_sixteen_levels_are_read():
    source, problems = read_yaml("[" * 16 + "x" + "]" * 16, "f.yaml")
    assert problems == ()
    assert source is not None


def test_several_problems_come_together():
    _, problems = read_yaml("a: 1\na: 2\nb c: 3\n", "f.yaml")
    assert [p.code for p in problems] == ["DUPLICATE_KEY", "KEY_SHAPE"]
    assert str(problems[0]) == "f.yaml:2: DUPLICATE_KEY: 'a' stands here a second time; the first is line 1"


def test_dutch_text_and_windows_line_ends_are_fine():
    source, problems = read_yaml("# §\r\ntitel: coördinatie “à la carte” \u2013 €\r\n", "f.yaml")
    assert problems == ()
    assert source.value == {"titel": "coördinatie “à la carte” \u2013 €"}


@given(st.text(alphabet=string.printable + "é\u200b\u0430", max_size=200))
@settings(max_examples=400, deadline=None)
def test_reading_is_total_and_both_parsers_agree(text):
    results = [read_yaml(text, "f.yaml", loader=loader.values[0]) for loader in LOADERS]
    for source, problems in results:
        assert (source is None) == bool(problems)
        assert all(1 <= problem.line <= text.count("\n") + 2 for problem in problems)
    if all(source for source, _ in results):
        assert len({repr(source.value) for source, _ in results}) == 1


def test_surrogates_and_odd_input_do_not_crash():
    _, problems = read_yaml("a: \ud800", "f.yaml")
    assert problems[0].code == "INVISIBLE_CHARACTER"
