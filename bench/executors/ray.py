"""Cells as tasks of a Ray cluster; no disk has to be shared.

Files that a cell's machine does not see are read from the driver's by an actor on that one. Tasks end with the driver.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import __version__
from bench.core.errors import CrashedError, OutOfMemoryError, UsageError
from bench.executors import ray_task
from bench.executors.batch import MOST_STARTS
from bench.executors.cluster import RaySettings
from bench.executors.content import contents, described
from bench.executors.ray_task import CELL_HERE, TAUGHT_HERE, Sent
from bench.runs.executor import Ended, Event, event_of
from bench.store.run_folder import TAUGHT


class Files:
    """What tasks may read of this machine: an actor on it."""

    def __init__(self) -> None:
        self._allowed: set[str] = set()

    def allow(self, places: list[str]) -> None:
        self._allowed.update(places)

    def read(self, file: str, offset: int, size: int) -> bytes:
        asked = os.path.normpath(file)
        if not any(asked == place or asked.startswith(f"{place}/") for place in self._allowed):
            raise PermissionError(file)
        with open(file, "rb") as stream:
            stream.seek(offset)
            return stream.read(size)


def run_task(sent: Sent, files: Any) -> Iterator[ray_task.Said]:
    """What a task of Ray does."""
    import ray

    yield from ray_task.measure(sent, lambda *which: bytes(ray.get(files.read.remote(*which))))


@dataclass
class RayTasks:
    """Cells on a Ray cluster; an executor."""

    run: Path
    settings: RaySettings
    timeout_s: float | None = None  # of a cell
    ranks: int = 1  # of a cell
    _running: dict[Any, RaySubmission] = field(default_factory=dict)  # by the stream of what a task says
    _files: Any = None

    @property
    def capacity(self) -> int:
        return self.settings.at_once

    @property
    def per_machine(self) -> int:
        return self.settings.per_node

    def submit(self, job: Path, log: Path) -> RaySubmission:
        submission = RaySubmission(self, job, json.loads(job.read_text(encoding="utf-8")))
        self.start(submission)
        return submission

    def start(self, submission: RaySubmission) -> None:
        """Start a task for a cell, perhaps not the first one."""
        ray, job = self._connected(), submission.job
        taught = self.run.absolute() / TAUGHT
        known = described(str(taught)) if job["teacher"] and taught.is_dir() else None
        found = contents(job)
        ray.get(self._files.allow.remote([each.place for each in (*found, *([known] if known else []))]))
        options: dict[str, Any] = {"num_cpus": self.settings.cpus, "num_gpus": self.settings.gpus * self.ranks}
        if self.settings.memory_gib:
            options["memory"] = int(self.settings.memory_gib * 2**30)
        task = ray.remote(run_task).options(
            **options, resources=self.settings.resources, max_retries=0, num_returns="streaming", name=job["label"]
        )
        submission.stream = task.remote(Sent(__version__, job, tuple(found), self.timeout_s, known), self._files)
        submission.starts += 1
        submission.archive.unlink(missing_ok=True)
        self._running[submission.stream] = submission

    def wait(self, seconds: float) -> Iterator[tuple[RaySubmission, Event]]:
        ray = self._connected()
        ready, _ = ray.wait(list(self._running), num_returns=1, timeout=seconds, fetch_local=False)
        for stream in ready:
            submission = self._running[stream]
            event = self._heard(ray, submission)
            if event is not None:
                yield submission, event

    def _heard(self, ray: Any, submission: RaySubmission) -> Event | None:
        """What the next word of a task comes to; a task whose machine failed starts anew."""
        try:
            said = ray.get(next(submission.stream))
        except StopIteration:
            return Ended(CrashedError("its task ended without a result"))
        except ray.exceptions.OutOfMemoryError as error:
            return Ended(OutOfMemoryError(str(error).splitlines()[0]))
        except ray.exceptions.RayTaskError as error:
            return Ended(CrashedError(f"{type(error.cause).__name__}: {error.cause}"))
        except ray.exceptions.RayError as error:  # the machine, or Ray's process on it, is gone
            self.drop(submission)
            if submission.starts >= MOST_STARTS:
                return Ended(CrashedError(f"its task was lost {submission.starts} times: {type(error).__name__}"))
            self.start(submission)
            return None
        return submission.heard(said)

    def drop(self, submission: RaySubmission) -> None:
        self._running.pop(submission.stream, None)

    def _connected(self) -> Any:
        try:
            import ray
        except ModuleNotFoundError:
            raise UsageError("--on ray needs Ray: pip install 'adaptbench[ray]'") from None
        if self._files is not None:
            return ray
        address = self.settings.address
        if address.startswith("ray://"):
            raise UsageError(f"ray.address {address}: start the run on a machine of the cluster, with address: auto")
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            if not ray.is_initialized():
                ray.init(address=address, log_to_driver=False, configure_logging=False)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise UsageError(f"no Ray cluster at {address}: {str(error).splitlines()[0]}") from None
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self._files = ray.remote(Files).options(num_cpus=0, scheduling_strategy=here).remote()
        return ray


@dataclass(eq=False)
class RaySubmission:
    """A cell that was sent."""

    executor: RayTasks
    file: Path
    job: dict[str, Any]
    stream: Any = None
    starts: int = 0

    @property
    def archive(self) -> Path:
        return self.file.parent / ".folder.tar"

    def heard(self, said: ray_task.Said) -> Event | None:
        """What a task said, as an event.

        Raises:
            UsageError: it is of another version of adaptbench.
        """
        if isinstance(said, bytes):
            with self.archive.open("ab") as stream:
                stream.write(said)
            return None
        if "refused" in said:
            raise UsageError(f"{said['refused']}; install one version on both")
        if "folder" in said:
            return self._unpacked(said["folder"])
        return event_of(said) if said.keys() & {"progress", "done", "failure"} else None

    def _unpacked(self, digest: str) -> Ended | None:
        """Lay out what came back; the worker's last word follows."""
        with self.archive.open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != digest:
                return Ended(CrashedError("what came back is not what was sent"))
        back = self.file.parent / ".back"
        try:
            with tarfile.open(self.archive) as archive:
                archive.extractall(back, filter="data")  # plain files and folders inside of it alone
        except tarfile.TarError as error:
            return Ended(CrashedError(f"what came back cannot be unpacked: {error}"))
        self.archive.unlink()
        if not (back / CELL_HERE).is_dir():
            return Ended(CrashedError("what came back cannot be unpacked: it holds no cell"))
        for file in (back / CELL_HERE).iterdir():
            file.replace(self.file.parent / file.name)
        self._keep_taught(back / TAUGHT_HERE)
        shutil.rmtree(back)
        return None

    def _keep_taught(self, folder: Path) -> None:
        """What a teacher answered is for other cells too."""
        kept = self.executor.run / TAUGHT
        for file in (each for each in folder.rglob("*") if each.is_file()):
            target = kept / file.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                file.replace(target)

    def cancel(self) -> None:
        if self.executor._running.pop(self.stream, None) is None:
            return
        import ray

        ray.cancel(self.stream, force=True)
