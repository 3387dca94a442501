"""Cells as jobs of Slurm, through submitit; and the same on this machine, to rehearse it."""

from __future__ import annotations

import contextlib
import re
import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from bench import __version__
from bench.cell import elsewhere
from bench.core import own_packages
from bench.core.errors import CellTimeoutError, CrashedError, OutOfMemoryError, UsageError
from bench.executors.batch import State
from bench.executors.cluster import SlurmSettings

FOLDER = ".jobs"  # of a run: what submitit keeps of jobs
_THERE = {
    "PENDING", "RUNNING", "CONFIGURING", "COMPLETING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESIZING",
    "RESV_DEL_HOLD", "SIGNALING", "SPECIAL_EXIT", "STAGE_OUT", "STOPPED", "SUSPENDED",
}  # fmt: skip
_LOST = {"PREEMPTED", "NODE_FAIL", "BOOT_FAIL", "REVOKED"}
_BUSY = re.compile(r"unable to contact|timed out|temporarily|try again", re.IGNORECASE)
_ERROR = "sbatch: error: "
_WAITS_S = (5.0, 15.0, 45.0)  # before a controller that is busy is asked again


@dataclass
class Slurm:
    """The scheduler of a Slurm cluster, see `bench.executors.batch`."""

    run: Path  # on a disk that all nodes share
    settings: SlurmSettings
    timeout_s: float | None = None  # of a cell, as the suite says
    ranks: int = 1  # of a cell
    name: str = "slurm"

    def submit(self, folders: Sequence[Path]) -> list[str]:
        """One job array, or a job where it is one cell."""
        executor = _submitit().SlurmExecutor(folder=_folder(self.run))
        try:
            executor.update_parameters(**parameters(self.settings, self.ranks))
            tasks = [_task(folder, self.timeout_s) for folder in folders]
            jobs = [executor.submit(tasks[0])] if len(tasks) == 1 else _tried(lambda: executor.submit_array(tasks))
        except (ValueError, RuntimeError, subprocess.SubprocessError, OSError) as error:
            raise UsageError(f"slurm does not take the jobs: {_line(error)}") from None
        return [str(job.job_id) for job in jobs]

    def states(self, ids: Sequence[str]) -> Mapping[str, State]:
        """By one call of squeue, which knows a job for some minutes after its end, also where nothing is accounted."""
        command = ["squeue", "--me", "--array", "--noheader", "--states=all", "--format=%i|%T"]
        try:
            told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
        except (OSError, subprocess.SubprocessError):
            return {}  # a controller that is away says nothing of jobs
        words = dict(line.strip().split("|", 1) for line in told.splitlines() if "|" in line)
        return {job_id: state_of(words.get(job_id, "")) for job_id in ids}

    def cancel(self, ids: Sequence[str]) -> None:
        with contextlib.suppress(OSError, subprocess.SubprocessError):  # the job notices that its folder is gone
            subprocess.run(["scancel", *ids], capture_output=True, timeout=60, check=False)

    def forget(self, job_id: str) -> None:
        _forget(self.run, job_id)


@dataclass
class Rehearsal:
    """submitit's processes of this machine in place of a cluster: to try settings and kills where there is no Slurm."""

    run: Path
    settings: SlurmSettings
    timeout_s: float | None = None
    name: str = "rehearsal"

    def submit(self, folders: Sequence[Path]) -> list[str]:
        executor = _submitit().LocalExecutor(folder=_folder(self.run))
        executor.update_parameters(timeout_min=self.settings.time, setup=_setup(self.settings))
        return [str(executor.submit(_task(folder, self.timeout_s)).job_id) for folder in folders]

    def states(self, ids: Sequence[str]) -> Mapping[str, State]:
        return {job_id: "there" if _alive(int(job_id)) else _ended("its process is gone") for job_id in ids}

    def cancel(self, ids: Sequence[str]) -> None:
        for job_id in ids:
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(int(job_id))
                for each in (process, *process.children(recursive=True)):
                    with contextlib.suppress(psutil.Error):
                        each.kill()

    def forget(self, job_id: str) -> None:
        _forget(self.run, job_id)


def parameters(settings: SlurmSettings, ranks: int = 1) -> dict[str, Any]:
    """What submitit is told of a cell's job."""
    found: dict[str, Any] = {
        "job_name": "adaptbench",
        "time": settings.time,
        "cpus_per_task": settings.cpus,
        "array_parallelism": settings.at_once,
        "setup": _setup(settings),
        "stderr_to_stdout": True,
        "signal_delay_s": 60,
        "wckey": None,
        "additional_parameters": {"requeue": True, **settings.flags},
    }
    if settings.gpus:
        found["gpus_per_node"] = settings.gpus * ranks
    if settings.memory_gib:
        found["mem"] = f"{round(settings.memory_gib * 1024)}M"
    named = {"partition": settings.partition, "account": settings.account}
    return {**found, **{name: value for name, value in named.items() if value}}


def state_of(word: str) -> State:
    """A state as squeue names it; "": it knows the job no more."""
    if word in _THERE:
        return "there"
    if word in _LOST or not word:
        return "lost"
    if word == "CANCELLED":
        return "cancelled"
    if word in ("TIMEOUT", "DEADLINE"):
        return CellTimeoutError("its job ran longer than `time` in cluster.yaml allows")
    if word == "OUT_OF_MEMORY":
        return OutOfMemoryError("its job used more memory than `memory_gib` in cluster.yaml gives")
    return _ended(f"slurm says {word}")


def _ended(why: str) -> CrashedError:
    return CrashedError(f"its job ended without a result: {why}")


def _setup(settings: SlurmSettings) -> list[str]:
    """Shell lines that let a job find this adaptbench, and no module of the folder it was submitted from."""
    root = shlex.quote(str(own_packages.ROOT))
    ours = ["export PYTHONSAFEPATH=1", f"export PYTHONPATH={root}${{PYTHONPATH:+:$PYTHONPATH}}"]
    return [*settings.setup, *ours, f"export OMP_NUM_THREADS={settings.cpus}"]


def _task(folder: Path, timeout_s: float | None) -> partial[None]:
    return partial(elsewhere.measure, folder.absolute(), __version__, timeout_s)


def _folder(run: Path) -> Path:
    return run.absolute() / FOLDER


def _submitit() -> Any:
    try:
        import submitit
    except ModuleNotFoundError:
        raise UsageError("--on slurm needs submitit: pip install 'adaptbench[slurm]'") from None
    return submitit


def _tried(submit: Any) -> Any:
    """What `submit` gives, a few times where the controller is busy."""
    for wait in _WAITS_S:
        try:
            return submit()
        except Exception as error:
            if not _BUSY.search(str(error)):
                raise
            time.sleep(wait)
    return submit()


def _line(error: Exception) -> str:
    """What sbatch said first, which submitit puts into its error; the more general comes last."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = [line.removeprefix(_ERROR) for line in lines if line.startswith(_ERROR)]
    return (said or lines or [type(error).__name__])[0]


def _forget(run: Path, job_id: str) -> None:
    for file in _folder(run).glob(f"{job_id}_*"):
        file.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
