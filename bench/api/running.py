"""`bench.run`: measure a suite from Python."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from os import PathLike
from pathlib import Path
from typing import Literal

from bench.api.measured import MeasuredRun, load
from bench.config import suite as suites
from bench.core.errors import UsageError
from bench.executors import named
from bench.runs import suite_run
from bench.runs.cells import Cell
from bench.runs.progress import display_for
from bench.runs.runner import Display
from bench.runs.time_left import CellWork


def run(
    suite: str | PathLike[str] = "quickstart",
    *,
    out: str | PathLike[str] | None = None,
    limit: int | None = None,
    device: str | None = None,
    seeds: Sequence[int] | None = None,
    workers: int | Literal["auto"] | None = None,
    keep_failed: bool = False,
    on: str | None = None,
    cluster: str | PathLike[str] | None = None,
    progress: bool = True,
) -> MeasuredRun:
    """Measure every cell of a suite that has no record yet, and give the run.

    Args:
        suite: a YAML file, or the name of a bundled suite.
        out: the run's folder; None: `results/local/<suite name>`.
        limit: test items of each task at most.
        device: cpu, cuda or cuda:N; None: as the suite says.
        seeds: in place of the suite's.
        workers: cells measured at once, or "auto": several where a trial shows that to be faster; None: as the suite
            says.
        on: where cells are measured: "slurm", "ray", "rehearsal" or another executor; None: on this machine.
        cluster: the settings of `on`; None: cluster.yaml in the suite's folder or here.
        keep_failed: do not try failed cells of an earlier run again.
        progress: show bars, or a line for each cell where bars cannot be shown.

    A cell that fails is no exception: see `MeasuredRun.cells`.

    Raises:
        UsageError: something in the suite is wrong; the text has a line for each problem.
    """
    there = None
    if on is None and cluster is not None:
        raise UsageError('cluster has the settings of on, such as on="slurm"; name that too')
    if on is not None:
        for option, value in (("device", device), ("workers", workers)):
            if value is not None:
                raise UsageError(
                    f"{option} is about this machine; with on={on!r}, gpus and at_once in cluster.yaml count"
                )
        there, device = named.elsewhere(on, Path(cluster) if cluster is not None else None, suites.find(str(suite)))
    file, loaded = suite_run.read(str(suite), limit, device, seeds, keep_failed, workers)
    folder = Path(out) if out is not None else suite_run.default_folder(loaded.name)
    suite_run.measure(loaded, file, folder, None, _shown if progress else _silent, there)
    return load(folder)


def _shown(work: Mapping[str, CellWork]) -> AbstractContextManager[Display]:
    from rich import get_console  # that of the notebook, where there is one

    return display_for(get_console(), work)


@contextmanager
def _silent(work: Mapping[str, CellWork]) -> Iterator[Display]:
    yield _Silent()


class _Silent:
    """A display that shows nothing."""

    def say(self, text: str) -> None: ...

    def start(self, cell: Cell) -> None: ...

    def progress(self, cell: Cell, phase: str, done: int, total: int) -> None: ...

    def finish(self, cell: Cell, record: object, cached: bool) -> None: ...
