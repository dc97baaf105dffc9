"""Plain tables for a terminal or a file: columns as wide as what stands in them, numbers to the right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from broker.cli.terminal import one_line

__all__ = ["GAP", "one_line", "table"]

GAP = "  "


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    """The lines of a table. Whole numbers stand to the right, grouped by thousands, under their heads."""
    texts = [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows]
    numeric = [all(isinstance(row[at], int) for row in rows) and bool(rows) for at in range(len(heads))]
    widths = [max(len(head), *(len(row[at]) for row in texts), 0) for at, head in enumerate(heads)]
    for line in [list(heads), *texts]:
        cells = (
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, numeric, strict=True)
        )
        yield GAP.join(cells).rstrip()
