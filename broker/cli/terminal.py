"""What a terminal may be shown: a word of a file or a log can hold what moves the cursor or looks like another line."""

from __future__ import annotations


def one_line(text: str) -> str:
    """`text` on one line, every character that does not print written as its escape."""
    return "".join(c if c.isprintable() else "\\n" if c == "\n" else f"\\u{ord(c):04x}" for c in text)


def each_line(text: str) -> str:
    """As `one_line`, of a text of our own that may have several lines."""
    return "\n".join(map(one_line, text.split("\n")))
