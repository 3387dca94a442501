"""Executors by name: adaptbench's own, and those of other distributions (entry points `adaptbench.executors`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from bench.config.suite import Suite
from bench.core.errors import UsageError, unknown
from bench.core.plugins import installed, only
from bench.executors import cluster as clusters
from bench.executors.batch import BatchJobs
from bench.executors.cluster import Cluster, NodeSettings
from bench.executors.ray import RayTasks
from bench.executors.slurm import Rehearsal, Slurm
from bench.runs.executor import Executor
from bench.runs.placement import Place
from bench.runs.suite_run import Elsewhere

GROUP = "adaptbench.executors"


def _slurm(cluster: Cluster, run: Path, suite: Suite) -> Executor:
    settings = cluster.slurm
    scheduler = Slurm(run, settings, suite.cell_timeout_s, suite.engine.ranks)
    return BatchJobs(scheduler, settings.at_once, settings.per_node)


def _rehearsal(cluster: Cluster, run: Path, suite: Suite) -> Executor:
    settings = cluster.slurm
    at_once = min(settings.at_once, settings.per_node)  # on one machine
    return BatchJobs(Rehearsal(run, settings, suite.cell_timeout_s), at_once, at_once, ask_every_s=2.0)


def _ray(cluster: Cluster, run: Path, suite: Suite) -> Executor:
    return RayTasks(run, cluster.ray, suite.cell_timeout_s, suite.engine.ranks)


_OWN: Mapping[str, Callable[[Cluster, Path, Suite], Executor]] = {
    "slurm": _slurm,
    "ray": _ray,
    "rehearsal": _rehearsal,
}


def available() -> list[str]:
    """Names that `--on` takes."""
    return sorted({*_OWN, *(plugin.entry.name for plugin in installed(GROUP))})


def require(name: str) -> None:
    """Raise UsageError where no executor has that name."""
    if name not in available():
        raise UsageError(unknown("executor", name, available()))


def create(name: str, cluster: Cluster, run: Path, suite: Suite) -> Executor:
    """The executor of that name for the run folder `run`.

    Raises:
        UsageError: there is none, what it needs is not installed, or another distribution's cannot be made.
    """
    require(name)
    if name in _OWN:
        return _OWN[name](cluster, run, suite)
    plugin = only("executor", name, [each for each in installed(GROUP) if each.entry.name == name])
    assert plugin is not None
    made: Executor = plugin.guarded(lambda: plugin.entry.load()(cluster.others.get(name, {}), run, suite))
    return made


def elsewhere(name: str, cluster: Path | None, suite_file: Path) -> tuple[Elsewhere, str]:
    """The machines that `--on` names, and the device that cells have there: cuda or cpu. `cluster`: a file of settings.

    Raises:
        UsageError: there is no such executor, or something in the settings is wrong.
    """
    require(name)
    settings = clusters.read(cluster, suite_file)
    there = nodes(name, settings)
    others = tuple(other_places(settings))
    made = Elsewhere(partial(create, name, settings), there.bfloat16, place(name, settings), there.at_once, others)
    return made, "cuda" if there.gpus else "cpu"


def place(name: str, cluster: Cluster) -> Place:
    """The memory of a cell there and what an hour costs."""
    found = nodes(name, cluster)
    memory = found.gpu_memory_gib if found.gpus else found.memory_gib
    return Place(name, memory, found.per_hour, each_rank=found.gpus > 0)


def other_places(cluster: Cluster) -> list[Place]:
    """Other kinds of GPU to compare with."""
    kinds = cluster.other_gpus.items()
    return [Place(name, kind.memory_gib, kind.per_hour, kind.speed, each_rank=True) for name, kind in kinds]


def nodes(name: str, cluster: Cluster) -> NodeSettings:
    """What a cell gets from the executor of that name."""
    return {"slurm": cluster.slurm, "rehearsal": cluster.slurm, "ray": cluster.ray}.get(name, NodeSettings())
