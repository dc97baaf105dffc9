"""The report's picture as SVG: text stays text, and its table stands in the description for screen readers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal
from xml.sax.saxutils import escape

from broker.cli.audit.report.chart import STYLES, WIDTH, Bar, Style, described, draw, height_of
from broker.cli.audit.report.tables import Report

_PATTERNS = {
    "solid": "",
    "diagonal": '<path d="M-2,2 l4,-4 M0,8 l8,-8 M6,10 l4,-4" stroke="{ink}" stroke-width="1.6"/>',
    "dots": '<circle cx="4" cy="4" r="1.4" fill="{ink}"/>',
    "cross": '<path d="M0,4 h8 M4,0 v8" stroke="{ink}" stroke-width="1.2"/>',
}


def svg_of(report: Report, bars: Sequence[Bar], *, alone: bool = True) -> str:
    """The picture, complete in itself: no font, script or style from elsewhere.

    `alone`: False leaves out the title and what stands under it, for a page that has them itself.
    """
    canvas = _Svg()
    drawn = report if alone else replace(report, title="", head=())
    draw(canvas, drawn, bars)
    height = height_of(drawn, bars)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="title desc" lang="{report.lang}" '
        f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">\n'
        f'<title id="title">{escape(report.title)}</title>\n<desc id="desc">{escape(described(report, bars))}</desc>\n'
        f"<defs>{''.join(_definition(name, style) for name, style in STYLES.items())}</defs>\n"
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>\n' + "\n".join(canvas.parts) + "\n</svg>\n"
    )


def _definition(name: str, style: Style) -> str:
    inner = _PATTERNS[style.pattern].format(ink=style.ink)
    return (
        f'<pattern id="{name}" width="8" height="8" patternUnits="userSpaceOnUse">'
        f'<rect width="8" height="8" fill="{style.fill}"/>{inner}</pattern>'
    )


class _Svg:
    """A canvas that writes elements."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self._names = {style: name for name, style in STYLES.items()}

    def box(self, x: float, y: float, width: float, height: float, style: Style) -> None:
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
            f'fill="url(#{self._names[style]})" stroke="#222222" stroke-width="0.8"/>'
        )

    def plate(self, x: float, y: float, width: float, height: float) -> None:
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="3" fill="#ffffff"/>'
        )

    def line(self, x: float, y: float, to_x: float, to_y: float) -> None:
        self.parts.append(f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}" stroke="#c4c4c4"/>')

    def text(self, x: float, y: float, text: str, size: int, anchor: Literal["start", "middle", "end"]) -> None:
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="#111111">'
            f"{escape(text)}</text>"
        )
