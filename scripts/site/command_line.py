"""The command line's help, as the program prints it."""

from __future__ import annotations

from collections.abc import Iterator

import click

from bench.cli import cli

_WIDTH = 100


def page() -> str:
    """`adaptbench --help`, and the help of every command under a heading of its own."""
    said = "What `adaptbench COMMAND --help` prints; [exit codes](../suite-format.md#exit-codes)."
    found = ["# Command line", "", said, ""]
    for context in contexts(click.Context(cli, info_name="adaptbench", terminal_width=_WIDTH, **cli.context_settings)):
        found += [f"## {context.command_path}", "", "```text", context.command.get_help(context), "```", ""]
    return "\n".join(found)


def contexts(context: click.Context) -> Iterator[click.Context]:
    """That of a command and of those below it, groups before what they hold."""
    yield context
    if isinstance(context.command, click.Group):
        for name, command in context.command.commands.items():
            yield from contexts(click.Context(command, parent=context, info_name=name))
