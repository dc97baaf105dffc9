"""`sluis policy`: the privacy officer's commands.

Exit codes: 0 done (explain: permit), 2 usage, 3 files refused, 4 a test failed, 5 denied, 6 signatures missing or
wrong, 7 expired or an older revision, 8 the other side allows more, 9 a person must answer a finding, 10 lines that no
test holds. Findings go to stderr as `file:line: CODE: text; suggestion`.
"""

from __future__ import annotations

import typer

from broker.cli.policy import (
    archive,
    check,
    comparing,
    explaining,
    explaining_codes,
    exporting,
    in_force,
    life,
    overviews,
    schema,
    signing,
    simulating,
    testing,
)
from broker.cli.policy.root import app

__all__ = [
    "app",
    "archive",
    "check",
    "comparing",
    "explaining",
    "explaining_codes",
    "exporting",
    "in_force",
    "life",
    "mount",
    "overviews",
    "schema",
    "signing",
    "simulating",
    "testing",
]


def mount(root: typer.Typer) -> None:
    """Adds the group."""
    root.add_typer(app, name="policy", help="Write, test, explain, bundle and sign purpose policies.")
