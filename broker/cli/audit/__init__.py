"""`sluis audit`: export, verify and read the exchange log. The auditor's commands; verifying needs no broker.

Exit codes of `verify`: 0 verified; else the class of the gravest fault: 10 format, 11 tree, 12 another log, 13 not what
you expected, 14 policy, 15 signature, 16 exchange, 17 replay, 18 witnesses, 19 vault, 20 time stamp.
`replay`: 0 all decisions are the same, else 17. `subject`: as verify, and 13 where an answer differs.
Every command: 2 usage, 3 a file is refused, 4 not there.
"""

from __future__ import annotations

import typer

from broker.cli.audit import (
    exporting,
    finding,
    following,
    ordering,
    replaying,
    showing,
    statistics,
    subject,
    tabling,
    tiling,
    trusting,
    unusual,
    verifying,
)
from broker.cli.audit.root import app

__all__ = [
    "app",
    "exporting",
    "finding",
    "following",
    "mount",
    "ordering",
    "replaying",
    "showing",
    "statistics",
    "subject",
    "tabling",
    "tiling",
    "trusting",
    "unusual",
    "verifying",
]


def mount(root: typer.Typer) -> None:
    """Adds the group."""
    root.add_typer(app, name="audit", help="Export, verify and read the exchange log.")
