"""What is wrong in a policy file: where, which rule, in plain words, and what to write instead."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from broker.errors import Code, SluisError, Violation

_SHOWN = 5


@dataclass(frozen=True, order=True)
class Problem:
    """One finding. `code` is stable UPPER_SNAKE; policy files hold no data of subjects, so `text` may quote them."""

    file: str
    line: int
    code: str
    text: str
    suggestion: str = ""

    def __str__(self) -> str:
        tail = f"; {self.suggestion}" if self.suggestion else ""
        # one line, whatever it quotes: several are told together, a line each
        return f"{self.file}:{self.line}: {self.code}: {self.text}{tail}".replace("\n", "\\n")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A suggestion naming the closest known word, else the words there are (at most 12)."""
    words = sorted(known)
    close = get_close_matches(word, words, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    if not words:
        return "none are defined"
    return "known: " + ", ".join(words[:12]) + (", ..." if len(words) > 12 else "")


def refusal(problems: Iterable[Problem]) -> SluisError:
    """POLICY_INVALID with every problem as a violation and the first few in the message."""
    found = tuple(problems)
    shown = "\n".join(str(problem) for problem in found[:_SHOWN])
    more = f"\nand {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return SluisError(
        Code.POLICY_INVALID,
        f"the policy files are refused:\n{shown}{more}",
        violations=[
            Violation(f"{p.file}:{p.line}", f"{p.code}: {p.text}" + (f"; {p.suggestion}" if p.suggestion else ""))
            for p in found
        ],
    )
