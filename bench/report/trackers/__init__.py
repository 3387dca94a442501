"""Runs in experiment trackers: a tracker's run for each cell, and one for the whole with the report as an artefact.

A module for each tracker, each with `log(runs, html, destination) -> str`, and each an extra of its own
(`pip install "adaptbench[mlflow]"`). `entries` says what is logged, so that every tracker is told the same. Logging
twice makes two sets of runs: a tracker keeps what it was given.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables that are not set for as long as the block lasts."""
    new = [name for name in variables if name not in os.environ]
    os.environ.update({name: variables[name] for name in new})
    try:
        yield
    finally:
        for name in new:
            os.environ.pop(name, None)
