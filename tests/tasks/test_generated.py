"""Bundled data that a script made: the script still makes it, byte for byte; and what all bundled tasks owe."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import tasks
from bench.authoring.check import near_duplicates
from bench.metrics import refuse_unfit

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted((ROOT / "scripts" / "tasks").glob("*/generate.py"))
BUNDLED = [script.parent.name.replace("_", "-") for script in SCRIPTS]
SIZES = {"train": 400, "validation": 100, "test": 300}
FAMILY = ("support-intents", "support-replies", "invoice-fields", "next-purchase", "handbook-qa")


def bundled(script: Path) -> str:
    """The name of the task whose rows a script makes."""
    return script.parent.name.replace("_", "-")


def test_there_are_scripts() -> None:
    assert set(FAMILY) <= set(BUNDLED)


@pytest.mark.parametrize("script", SCRIPTS, ids=BUNDLED)
def test_the_script_still_makes_the_data(script: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7"}
    module = f"scripts.tasks.{script.parent.name}.generate"
    subprocess.run([sys.executable, "-m", module, str(tmp_path)], check=True, env=environment, timeout=60, cwd=ROOT)
    made = {file.name: file.read_bytes() for file in tmp_path.glob("*.jsonl")}
    assert made
    assert made == {file.name: file.read_bytes() for file in (ROOT / "tasks" / bundled(script)).glob("*.jsonl")}


@pytest.mark.parametrize("name", FAMILY)
def test_the_familys_tasks_are_large_enough_and_leak_nothing(name: str) -> None:
    task = tasks.load(name)
    refuse_unfit(task.metrics, task.kind, name)
    for split, least in SIZES.items():
        assert len(getattr(task, split)) >= least
    for split in ("train", "validation"):  # equal questions are refused when a task is loaded
        assert not near_duplicates(getattr(task, split), task.test, task.prompt)
