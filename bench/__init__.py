"""adaptbench: should you fine-tune, or will a prompt or retrieval do? Measured, not guessed."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bench.core import own_packages

if TYPE_CHECKING:
    from bench.api.measured import Comparison as Comparison
    from bench.api.measured import Decision as Decision
    from bench.api.measured import MeasuredRun as MeasuredRun
    from bench.api.measured import live as live
    from bench.api.measured import load as load
    from bench.api.running import run as run

__version__ = "1.0.0rc1"
_API = {"run": "running", **dict.fromkeys(("Comparison", "Decision", "MeasuredRun", "live", "load"), "measured")}

own_packages.pin()


def __getattr__(name: str) -> Any:
    """What `bench.api` offers, imported once it is used."""
    if name in _API:
        return getattr(import_module(f"bench.api.{_API[name]}"), name)
    raise AttributeError(f"module 'bench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_API})
