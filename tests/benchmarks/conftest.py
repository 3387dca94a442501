"""How ratios are shown and kept: one second on paper is one time the kernel, and no host is named."""

from __future__ import annotations

from typing import Any


def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    """A file of ratios may be kept and shared, so that it says nothing of whose machine it was."""
    machine_info["node"] = "unknown"


def pytest_benchmark_scale_unit() -> tuple[str, float]:
    """No thousandths: they would be read as milliseconds."""
    return "", 1.0
