"""The report's picture: a bar for each purpose or party, laid out once and drawn as SVG or as PNG.

What is told apart by colour is told apart by pattern too, and every part that has room carries its number.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from broker.audit.statistics import Figures, Month
from broker.cli.audit.report.tables import Report, name_of
from broker.cli.audit.report.words import WORDS, number
from broker.policy.wording import Lang

WIDTH = 960
MOST_BARS = 15
_LEFT, _RIGHT, _HEAD, _BAR, _STEP = 270, 70, 62, 24, 38
_LINE = 20
_CHARACTERS = 130
"""Of a line under the title."""
_NAME_CHARACTERS = 34
_PARTS = ("answered", "withheld", "failed", "denied")

Pattern = Literal["solid", "diagonal", "dots", "cross"]


@dataclass(frozen=True)
class Style:
    """How a part of a bar looks. `ink`: of its pattern."""

    fill: str
    ink: str
    pattern: Pattern


STYLES = {
    "answered": Style("#1d4f7c", "#1d4f7c", "solid"),
    "withheld": Style("#cfe0ee", "#1d4f7c", "diagonal"),
    "failed": Style("#ffffff", "#444444", "dots"),
    "denied": Style("#f3b36b", "#7a3e00", "cross"),
}


class Canvas(Protocol):
    """What a picture is drawn on. Measures in pixels, from the top left; `size` is the height of the text."""

    def box(self, x: float, y: float, width: float, height: float, style: Style) -> None:
        """A box with a thin outline, filled and patterned."""
        ...

    def plate(self, x: float, y: float, width: float, height: float) -> None:
        """A white box without outline, to write on."""
        ...

    def line(self, x: float, y: float, to_x: float, to_y: float) -> None:
        """A thin grey line."""
        ...

    def text(self, x: float, y: float, text: str, size: int, anchor: Literal["start", "middle", "end"]) -> None:
        """Text whose baseline is at `y`."""
        ...


@dataclass(frozen=True)
class Bar:
    """One bar: its name, and how many questions had each outcome."""

    name: str
    parts: tuple[int, ...]

    @property
    def total(self) -> int:
        """All its questions."""
        return sum(self.parts)


def bars_of(month: Month, lang: Lang) -> list[Bar]:
    """The bars, longest first, askers before answerers; from the fifteenth on they are put together."""
    groups = sorted(month.groups.items(), key=lambda item: (item[0].role == "answers", -item[1].questions, item[0]))
    bars = [Bar(name_of(group, lang), _parts(figures)) for group, figures in groups]
    if len(bars) <= MOST_BARS:
        return bars
    rest = bars[MOST_BARS - 1 :]
    together = tuple(sum(bar.parts[at] for bar in rest) for at in range(len(_PARTS)))
    return [*bars[: MOST_BARS - 1], Bar(WORDS[lang]["other"].format(count=len(rest)), together)]


def height_of(report: Report, bars: Sequence[Bar]) -> int:
    """The height of the picture."""
    return _top(report) + _STEP * max(1, len(bars)) + 46


def draw(canvas: Canvas, report: Report, bars: Sequence[Bar]) -> None:
    """Draws the whole picture."""
    lang, words = report.lang, WORDS[report.lang]
    canvas.text(24, 36, report.title, 22, "start")
    top = _top(report)
    for row, line in enumerate(_head_lines(report)):
        canvas.text(24, _HEAD + row * _LINE, line, 13, "start")
    x = 24.0
    for part in _PARTS:
        canvas.box(x, top - 52, 24, 16, STYLES[part])
        label = f"{words['failed']} / {words['open']}" if part == "failed" else words[part]
        canvas.text(x + 32, top - 39, label, 14, "start")
        x += 60 + 7.6 * len(label)
    most = _round_up(max((bar.total for bar in bars), default=1))
    scale = (WIDTH - _LEFT - _RIGHT) / most
    bottom = top + _STEP * max(1, len(bars))
    for tick in _ticks(most):
        at = _LEFT + tick * scale
        canvas.line(at, top - 10, at, bottom)
        canvas.text(at, bottom + 18, number(tick, lang), 13, "middle")
    canvas.text((_LEFT + WIDTH - _RIGHT) / 2, bottom + 38, words["questions"], 13, "middle")
    for row, bar in enumerate(bars):
        _draw_bar(canvas, bar, top + row * _STEP, scale, lang)


def described(report: Report, bars: Sequence[Bar]) -> str:
    """The picture in words, for who does not see it: every bar with all its numbers."""
    words = WORDS[report.lang]
    names = [f"{words['failed']} / {words['open']}" if part == "failed" else words[part] for part in _PARTS]
    lines = [
        f"{bar.name}: "
        + ", ".join(f"{name} {number(part, report.lang)}" for name, part in zip(names, bar.parts, strict=True))
        for bar in bars
    ]
    return ". ".join([words["picture"].rstrip("."), *lines]) + "."


def _draw_bar(canvas: Canvas, bar: Bar, y: float, scale: float, lang: Lang) -> None:
    name = bar.name if len(bar.name) <= _NAME_CHARACTERS else bar.name[: _NAME_CHARACTERS - 1] + "…"
    canvas.text(_LEFT - 12, y + 17, name, 14, "end")
    x = float(_LEFT)
    for part, count in zip(_PARTS, bar.parts, strict=True):
        if not count:
            continue
        wide = count * scale
        canvas.box(x, y, wide, _BAR, STYLES[part])
        label = number(count, lang)
        plate = 8.0 * len(label) + 8
        if wide >= plate + 6:
            canvas.plate(x + wide / 2 - plate / 2, y + 3, plate, _BAR - 6)
            canvas.text(x + wide / 2, y + 17, label, 13, "middle")
        x += wide
    canvas.text(x + 8, y + 17, number(bar.total, lang), 14, "start")


def _head_lines(report: Report) -> list[str]:
    return [line for said in report.head for line in textwrap.wrap(said, _CHARACTERS)]


def _top(report: Report) -> int:
    """Where the first bar begins."""
    return (_HEAD if report.title else 0) + _LINE * len(_head_lines(report)) + 62


def _parts(figures: Figures) -> tuple[int, ...]:
    return figures.answered, figures.withheld, figures.failed + figures.open, figures.denied


def _round_up(value: int) -> int:
    """The next number that an axis ends at: one that divides into round steps."""
    top = 1
    while True:
        for step in (1, 2, 3, 4, 5, 6, 8):
            if step * top >= value:
                return step * top
        top *= 10


def _ticks(most: int) -> list[int]:
    parts = {"1": 5 if most > 1 else 1, "2": 4 if most > 2 else 2, "3": 3, "4": 4, "5": 5, "6": 3, "8": 4}[str(most)[0]]
    return [most * part // parts for part in range(parts + 1)]
