"""Figures of the README stand in a committed run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import bench
from bench.api.measured import MeasuredRun

ROOT = Path(__file__).resolve().parents[2]
LABELS = {  # as the README calls methods: their labels in the run
    "zero-shot": "zero-shot",
    "few-shot, 4 examples": "few-shot, 192 items",
    "few-shot, 4 similar examples": "few-shot (similar), 192 items",
    "head": "head, 192 items",
    "LoRA": "lora, 192 items",
    "full fine-tuning": "full, 192 items",
}
PROBES = ("world-facts", "reading", "grammar-pairs")


@pytest.fixture(scope="module")
def run() -> MeasuredRun:
    return bench.load(ROOT / "results" / "smollm2.run.zip")


@pytest.fixture(scope="module")
def intervals(run: MeasuredRun) -> dict[str, tuple[float, float]]:
    """Of the score of each method that can be chosen."""
    [verdict] = run.decide().verdicts
    return {one.label: (one.interval.low, one.interval.high) for one in verdict.standings}


def rows() -> dict[str, list[str]]:
    """Cells of the table of findings, by method."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("## Found on a real model")[1].split("\n## ")[0]
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if "|" in line]
    return {name: cells for name, *cells in table[2:]}


@pytest.mark.parametrize(("name", "label"), LABELS.items())
def test_scores_and_what_was_forgotten(
    name: str, label: str, run: MeasuredRun, intervals: dict[str, tuple[float, float]]
) -> None:
    score, *after = rows()[name]
    scores = run.scores().query("task == 'support-intents' and metric == 'accuracy' and method == @label")
    assert float(score.split()[0]) == pytest.approx(scores.value.mean(), abs=0.0006)
    limits = tuple(float(limit) for limit in re.findall(r"\d\.\d+", score)[1:])
    assert limits == pytest.approx(intervals[label], abs=0.0006)
    kept = run.retention().query("method == @label").groupby("probe").after.mean()
    assert [float(each) for each in after] == pytest.approx([kept[probe] for probe in PROBES], abs=0.006)


def test_every_method_of_the_table_is_checked() -> None:
    assert set(rows()) == {*LABELS, "majority class"}
