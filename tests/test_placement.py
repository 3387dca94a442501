"""What fits the machines of `--on`, and what it takes there; all figures by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bench import cli
from bench.core.errors import UsageError
from bench.runs import placement
from bench.runs.placement import Place
from bench.runs.plan import Estimate, memory_bytes
from tests.small import cells_of, write_suite


@pytest.fixture
def estimates(task_folder: Path, tmp_path: Path, tiny_model: Path) -> list[Estimate]:
    """An hour for a search, half an hour each for the two seeds that wait for it and for a prompt."""
    searched: list[Any] = [{"full": {"learning_rate": [1e-3, 1e-2], "max_steps": 1}}, "zero-shot"]
    _, cells = cells_of(write_suite(tmp_path, tiny_model, methods=searched, seeds=[0, 1, 2]))
    hours = {("full", 0): 3600.0}
    return [
        Estimate(cell, "to do", 1.0, hours.get((cell.label, cell.seed), 1800.0), memory_bytes(cell), ())
        for cell in cells
    ]


def test_hours_chain_and_money(estimates: list[Estimate]) -> None:
    other = Place("small", 0.1, 1.0, speed=0.5)
    found = placement.lines(estimates, 2, Place("slurm", 80.0, 2.0), [Place("fast", 80.0, 3.0, speed=2.0), other])
    assert found == [
        "slurm: all cells to do fit 80 GiB",
        "2 h 30 min in all, 1 h 30 min with 2 at once; the longest chain takes 1 h 30 min; 5.00 at 2 an hour",
        "on fast: all cells to do fit 80 GiB; 1 h 15 min in all; 3.75 at 3 an hour",
        "on small: too large for 0.1 GiB: full on paint with tiny, zero-shot on paint with tiny; "
        "5 h 00 min in all; 5.00 at 1 an hour",
    ]


def test_what_is_not_known_is_said(estimates: list[Estimate]) -> None:
    unknown = [replace(each, seconds=None) for each in estimates]
    assert placement.lines(unknown, 2, Place("slurm", None, None)) == [
        "slurm: memory is not checked", "hours are known once a cell of each model is measured there",
    ]  # fmt: skip
    done = [replace(each, state="done") for each in estimates]
    assert placement.lines(done, 2, Place("slurm", None, None)) == ["slurm: nothing is left to measure"]


def test_what_cannot_fit_is_refused_before_anything_is_queued(estimates: list[Estimate]) -> None:
    cells = [each.cell for each in estimates]
    placement.refuse_unfitting(cells, Place("slurm", None, None))
    most = max(map(memory_bytes, cells)) / 2**30
    placement.refuse_unfitting(cells, Place("slurm", most, None))
    large = [replace(cells[0], model=replace(cells[0].model, parameters=70 * 10**9)), *cells[1:]]
    with pytest.raises(UsageError, match=r"^too large for slurm, where a cell gets 80 GiB: full on paint"):
        placement.refuse_unfitting(large, Place("slurm", 80.0, None))


def test_plan_and_run_on_a_cluster(task_folder: Path, tmp_path: Path, tiny_model: Path) -> None:
    suite_file = str(write_suite(tmp_path, tiny_model, methods=["zero-shot"]))
    (tmp_path / "cluster.yaml").write_text("slurm: {gpus: 1, gpu_memory_gib: 0.5, at_once: 3}")
    out = str(tmp_path / "out")
    done = CliRunner(env={"COLUMNS": "120"}).invoke(cli.cli, ["plan", suite_file, "--on", "slurm", "--out", out])
    assert "slurm: too large for 0.5 GiB: zero-shot on paint with tiny" in done.output
    assert "hours are known once a cell of each model is measured there" in done.output
    run = CliRunner().invoke(cli.cli, ["run", suite_file, "--on", "slurm", "--out", out])
    assert isinstance(run.exception, UsageError)
    assert "too large for slurm, where a cell gets 0.5 GiB: zero-shot on paint with tiny" in str(run.exception)
    assert not Path(out).exists()
