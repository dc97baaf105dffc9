"""The report's picture as PNG, by Pillow (the extra `report`): the same layout as the SVG, at twice its size."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from broker.cli.audit.report.chart import WIDTH, Bar, Style, described, draw, height_of
from broker.cli.audit.report.tables import Report
from broker.errors import Code, SluisError

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

_SCALE = 2
_STEP = 16
"""Pixels from one stroke of a pattern to the next."""
_ANCHORS = {"start": "ls", "middle": "ms", "end": "rs"}


def png_of(report: Report, bars: Sequence[Bar]) -> bytes:
    """The picture; its title and description stand in the file as text.

    Raises:
        SluisError: CONFIG_INVALID when Pillow is not installed.
    """
    try:
        from PIL import Image, ImageDraw
        from PIL.PngImagePlugin import PngInfo
    except ImportError:
        what = "a PNG needs Pillow: pip install 'sluis-broker[report]'; or write an .svg, which needs nothing"
        raise SluisError(Code.CONFIG_INVALID, what) from None
    picture = Image.new("RGB", (WIDTH * _SCALE, height_of(report, bars) * _SCALE), "#ffffff")
    draw(_Png(ImageDraw.Draw(picture)), report, bars)
    said = PngInfo()
    said.add_itxt("Title", report.title, lang=report.lang)
    said.add_itxt("Description", described(report, bars), lang=report.lang)
    out = io.BytesIO()
    picture.save(out, "PNG", pnginfo=said, dpi=(144, 144), optimize=True)
    return out.getvalue()


class _Png:
    """A canvas that draws with Pillow."""

    def __init__(self, image: ImageDraw) -> None:
        self._image = image

    def box(self, x: float, y: float, width: float, height: float, style: Style) -> None:
        left, top, right, bottom = (round(v * _SCALE) for v in (x, y, x + width, y + height))
        self._image.rectangle((left, top, right, bottom), fill=style.fill)
        if style.pattern == "diagonal":
            for start in range(left - (bottom - top), right, _STEP):
                self._slanted(start, (left, top, right, bottom), style.ink)
        elif style.pattern == "cross":
            for at in range(left + _STEP // 2, right, _STEP):
                self._image.line((at, top, at, bottom), fill=style.ink, width=2)
            for at in range(top + _STEP // 2, bottom, _STEP):
                self._image.line((left, at, right, at), fill=style.ink, width=2)
        elif style.pattern == "dots":
            for at in range(left + _STEP // 2, right - 3, _STEP):
                for down in range(top + _STEP // 2, bottom - 3, _STEP):
                    self._image.ellipse((at - 3, down - 3, at + 3, down + 3), fill=style.ink)
        self._image.rectangle((left, top, right, bottom), outline="#222222", width=2)

    def plate(self, x: float, y: float, width: float, height: float) -> None:
        corners = tuple(round(v * _SCALE) for v in (x, y, x + width, y + height))
        self._image.rounded_rectangle(corners, radius=6, fill="#ffffff")

    def line(self, x: float, y: float, to_x: float, to_y: float) -> None:
        self._image.line(tuple(round(v * _SCALE) for v in (x, y, to_x, to_y)), fill="#c4c4c4", width=2)

    def text(self, x: float, y: float, text: str, size: int, anchor: Literal["start", "middle", "end"]) -> None:
        from PIL import ImageFont

        font = ImageFont.load_default(size * _SCALE)
        # the font that comes with Pillow has no accents
        plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
        self._image.text((x * _SCALE, y * _SCALE), plain, fill="#111111", font=font, anchor=_ANCHORS[anchor])

    def _slanted(self, start: int, box: tuple[int, int, int, int], ink: str) -> None:
        """A stroke upwards to the right from (start, bottom), cut at the box."""
        left, top, right, bottom = box
        from_x, from_y, to_x, to_y = start, bottom, start + (bottom - top), top
        if from_x < left:
            from_x, from_y = left, bottom - (left - start)
        if to_x > right:
            to_x, to_y = right, top + (start + (bottom - top) - right)
        self._image.line((from_x, from_y, to_x, to_y), fill=ink, width=3)
