"""The type of arguments and options that name a run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click


class _RunPath(click.Path):
    """A run's folder or archive; the archive `<name>.run.zip` is found by its bare name too."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        from bench.store.archive import as_named

        return as_named(Path(os.fsdecode(super().convert(value, param, ctx))))


RUN = _RunPath(path_type=Path)
