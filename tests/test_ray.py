"""Cells as tasks of Ray; files that travel by content; skipped where Ray is not installed."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench import __version__
from bench.core.errors import CellError, UsageError
from bench.executors import content, ray_task
from bench.executors.cluster import RaySettings
from bench.executors.content import Content
from bench.executors.ray import Files, RaySubmission, RayTasks
from bench.executors.ray_task import Sent
from bench.runs.executor import Ended, Progress

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}


def read(file: str, offset: int, size: int) -> bytes:
    return Path(file).read_bytes()[offset : offset + size]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "driver" / "model"
    (folder / "sub").mkdir(parents=True)
    (folder / "weights").write_bytes(bytes(range(256)) * 5)
    (folder / "sub" / "config.json").write_text("{}")
    (folder / "empty").touch()
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ADAPTBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(content, "PIECE", 100)
    return tmp_path / "cache"


def never(*which: Any) -> bytes:
    raise AssertionError("nothing was to be read")


def moved(model: Path) -> tuple[Content, content.Read]:
    """A description of content that is elsewhere now, and what reads it from there."""
    said, other = content.described(str(model)), model.with_name("other")
    model.rename(other)
    return said, lambda file, *which: read(file.replace(str(model), str(other)), *which)


def test_what_a_machine_sees_is_taken_from_its_place(model: Path) -> None:
    assert content.here(content.described(str(model)), never) == model


def test_what_it_does_not_see_is_read_once_into_its_cache(model: Path, cache: Path) -> None:
    said, reading = moved(model)
    got = content.here(said, reading)
    assert got == cache / "content" / said.digest / "model"
    names = ("weights", "sub/config.json", "empty")
    assert [(got / name).read_bytes() for name in names] == [bytes(range(256)) * 5, b"{}", b""]
    assert content.here(said, never) == got
    model.mkdir()
    (model / "weights").write_bytes(b"others")  # at the place there, but another file
    assert content.here(said, never) == got


def test_a_single_file_keeps_its_name(model: Path) -> None:
    said = content.described(str(model / "weights"))
    (model / "weights").rename(model / "moved")
    got = content.here(said, lambda file, *which: read(str(model / "moved"), *which))
    assert (got.name, got.read_bytes()) == ("weights", bytes(range(256)) * 5)


def test_what_changed_on_its_way_is_refused(model: Path, cache: Path) -> None:
    said, reading = moved(model)
    with pytest.raises(CellError, match="changed while it was sent"):
        content.here(said, lambda *which: reading(*which)[::-1])
    assert list((cache / "content").iterdir()) == []


def test_paths_of_a_job_become_those_of_the_machine(model: Path, tmp_path: Path) -> None:
    (tmp_path / "paint").mkdir()
    job = {
        "model": {"folder": str(model), "name": str(model)}, "teacher": None, "task": str(tmp_path / "paint"),
        "probes": ["reading"], "unlabelled": None, "embedder": "auto", "options": {"path": None, "text": "a/b"},
    }  # fmt: skip
    writes = {**job, "model": {"folder": ""}, "reflector": {"folder": str(model)}}
    assert str(model) in [each.name for each in content.contents(writes)]
    found = content.contents(job)
    assert [each.name for each in found] == sorted([str(model), str(tmp_path / "paint")])
    placed = content.placed(job, {str(model): "/there"})
    assert (placed["model"], placed["task"]) == ({"folder": "/there", "name": "/there"}, job["task"])


def test_only_what_a_job_names_can_be_read(model: Path) -> None:
    files = Files()
    files.allow([str(model / "sub")])
    assert files.read(str(model / "sub" / "config.json"), 1, 5) == b"}"
    for secret in (model / "weights", model / "subtle", model / "sub" / ".." / "weights"):
        with pytest.raises(PermissionError):
            files.read(str(secret), 0, 1)


def test_another_version_is_refused_by_name() -> None:
    said = list(ray_task.measure(Sent("9.9", {}, (), None), never))
    submission = RaySubmission(RayTasks(Path(), RaySettings()), Path("job.json"), {})
    assert submission.heard(said[0]) is None
    with pytest.raises(UsageError, match=r"has adaptbench .*, this run 9.9; install one version on both$"):
        submission.heard(said[1])
    assert len(said) == 2


def test_a_cell_comes_back_as_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the task says, from its process on; the process is one that writes a file and ends badly."""
    code = "import sys, pathlib; print('a library speaks'); print('{\"progress\": [\"train\", 1, 2]}', flush=True); "
    code += "pathlib.Path(sys.argv[1]).parent.joinpath('cell', 'record.json').write_text('{}'); sys.exit(3)"
    monkeypatch.setattr(ray_task, "_WORKER", ["-c", code])
    job = {"model": {"folder": ""}, "teacher": None, "task": "reading"}
    said = list(ray_task.measure(Sent(__version__, job, (), 60.0), never))
    (tmp_path / "cell").mkdir()
    submission = RaySubmission(RayTasks(tmp_path / "run", RaySettings()), tmp_path / "cell" / "job.json", {})
    events = [event for message in said if (event := submission.heard(message))]
    assert events[0] == Progress("train", 1, 2)
    [_, end] = events
    assert isinstance(end, Ended)
    assert str(end.failure) == "the cell's process ended with code 3"
    assert (tmp_path / "cell" / "record.json").read_text() == "{}"
    assert (tmp_path / "cell" / "log.txt").read_text() == "a library speaks\n"
    assert sorted(file.name for file in (tmp_path / "cell").iterdir()) == ["log.txt", "record.json"]


def test_bytes_that_were_damaged_are_no_result(tmp_path: Path) -> None:
    submission = RaySubmission(RayTasks(tmp_path, RaySettings()), tmp_path / "job.json", {})
    assert submission.heard(b"half") is None
    end = submission.heard({"folder": "0" * 64})
    assert isinstance(end, Ended)
    assert str(end.failure) == "what came back is not what was sent"


@pytest.mark.parametrize("way", ["dots", "absolute", "link", "hard link", "device"])
def test_what_comes_back_stays_in_the_cell_s_folder(way: str, tmp_path: Path) -> None:
    """A tar of a machine that was taken over: refused, and nothing of it stands outside."""
    secret = tmp_path / "secret"
    secret.write_text("theirs")
    member = tarfile.TarInfo({"dots": "../../out", "absolute": str(tmp_path / "out")}.get(way, "cell/record.json"))
    member.type, member.linkname = {
        "link": (tarfile.SYMTYPE, str(secret)), "hard link": (tarfile.LNKTYPE, "../../secret"),
        "device": (tarfile.CHRTYPE, ""),
    }.get(way, (tarfile.REGTYPE, ""))  # fmt: skip
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        archive.addfile(member)
    (tmp_path / "run" / "cell").mkdir(parents=True)
    submission = RaySubmission(RayTasks(tmp_path / "run", RaySettings()), tmp_path / "run" / "cell" / "job.json", {})
    assert submission.heard(written.getvalue()) is None
    end = submission.heard({"folder": hashlib.sha256(written.getvalue()).hexdigest()})
    assert isinstance(end, Ended)
    assert str(end.failure).startswith("what came back cannot be unpacked: ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "secret"]
    assert not [
        path for path in tmp_path.rglob("*") if path.is_symlink() or (path.stat().st_nlink > 1 and path.is_file())
    ]


def test_a_worker_by_hand_ends_with_its_input() -> None:
    code = "from bench.cell import elsewhere; import time; elsewhere.watch_input(); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, env=ENVIRONMENT) as process:
        assert process.stdin
        process.stdin.write(b"x")
        process.stdin.close()
        assert process.wait(timeout=60) == 1
    code = "from bench.cell import elsewhere; elsewhere.watch_input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, env=ENVIRONMENT) as process:
        assert process.wait(timeout=60) == 0  # the watch does not hold up, or spoil, the end of its work


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    """Ray's own cluster of two nodes on this machine."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    os.environ.setdefault("RAY_worker_niceness", "0")  # else nothing comes of it on a busy machine
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    made.add_node(num_cpus=1)
    made.wait_for_nodes()
    yield made
    import ray

    ray.shutdown()
    made.shutdown()


@pytest.mark.timeout(600)
def test_on_a_ray_cluster(nodes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell without a model: it fails for a reason that comes back, also after its node was lost once."""
    (tmp_path / "cell").mkdir()
    job: dict[str, Any] = {
        "key": "k",
        "label": "x",
        "model": {"folder": ""},
        "teacher": None,
        "device": "cpu",
        "task": "reading",
    }
    job |= {"probes": [], "unlabelled": None, "embedder": "none", "options": {}}
    (tmp_path / "cell" / "job.json").write_text(json.dumps(job))
    tasks = RayTasks(tmp_path, RaySettings(address=nodes.address, cpus=1, at_once=1))
    submission = tasks.submit(tmp_path / "cell" / "job.json", tmp_path / "cell" / "log.txt")
    deadline = time.monotonic() + 500
    found: list[Any] = []
    while not found:
        assert time.monotonic() < deadline
        found = [event for _, event in tasks.wait(1.0)]
    submission.cancel()
    [end] = found
    assert str(end.failure) == "the cell's process ended with code 1"  # such a job is none
    assert "validation error" in (tmp_path / "cell" / "log.txt").read_text()
    assert list(tasks._running) == []
