"""The option that lets tasks read files outside their own folders."""

from __future__ import annotations

import os
from pathlib import Path

import click


def _allow(context: click.Context, option: click.Parameter, folders: tuple[Path, ...]) -> None:
    """Add folders to the variable that readers of tasks look at, so that the processes of cells see them too."""
    from tasks.loader.paths import ALLOWED

    named = [os.environ.get(ALLOWED, ""), *(str(folder.absolute()) for folder in folders)]
    if any(os.pathsep in folder for folder in named[1:]):
        raise click.BadParameter(f'a folder with "{os.pathsep}" in its path cannot be allowed; give one without')
    if folders:
        os.environ[ALLOWED] = os.pathsep.join(filter(None, named))


allow_outside = click.option(
    "--allow-outside",
    metavar="FOLDER",
    multiple=True,
    expose_value=False,
    callback=_allow,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder outside a task's own from which its files may be read; repeatable.",
)
