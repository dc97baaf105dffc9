"""Command groups that are imported when one of their commands is called, so that no command waits for the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group


@dataclass(frozen=True)
class Deferred:
    """A command that a module adds by its `mount(app)`, and the line that the help shows for it."""

    module: str
    short_help: str


class LazyGroup(TyperGroup):
    """A group of deferred commands. Its help lists them without importing one.

    typer has its own copy of click, whose types it does not name; hence Any.
    """

    deferred: ClassVar[Mapping[str, Deferred]] = {}

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  # click calls it with a context
        """The names, in the order of the table."""
        return list(self.deferred)

    def get_command(self, ctx: Any, cmd_name: str) -> Any | None:
        """The command, imported now; None when there is none of this name."""
        if cmd_name not in self.deferred:
            for name in self.deferred:  # whoever mistypes a name is told the one that is like it
                self.get_command(ctx, name)
            return None
        if cmd_name not in self.commands:
            app = typer.Typer(rich_markup_mode=None)
            app.callback()(_nothing)
            import_module(self.deferred[cmd_name].module).mount(app)
            self.commands.update(get_group(app).commands)
        return self.commands[cmd_name]

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002  # as above
        """The commands' part of the help."""
        width = formatter.width - 6 - max(map(len, self.deferred))
        with formatter.section("Commands"):
            formatter.write_dl(
                [
                    (name, TyperCommand(name, help=one.short_help).get_short_help_str(width))
                    for name, one in self.deferred.items()
                ]
            )


def _nothing() -> None: ...
