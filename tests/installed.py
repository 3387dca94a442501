"""Distributions as pip leaves them, for tests of what other packages bring."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path

import methods
import tasks
from bench.core import plugins


def install(site: Path, distribution: str, files: Mapping[str, str], points: Mapping[str, Mapping[str, str]]) -> None:
    """Put `files` into `site`, and what says that `distribution` 1.0 brings them with these entry points."""
    info = f"{distribution.replace('-', '_')}-1.0.dist-info"
    lines = [
        line for group, found in points.items() for line in (f"[{group}]", *(f"{k} = {v}" for k, v in found.items()))
    ]
    described = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n",
        f"{info}/entry_points.txt": "\n".join(lines) + "\n",
    }
    for name, text in {**files, **described}.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text, encoding="utf-8")


def forget() -> None:
    """Look for entry points anew, and import anew what tests call acme."""
    importlib.invalidate_caches()
    for name in [name for name in sys.modules if name.startswith("acme")]:
        del sys.modules[name]
    for found in (plugins.installed, methods._loaded, tasks.plugins):
        found.cache_clear()
