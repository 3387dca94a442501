"""Commands about a run under way: status, attach, cancel; and what `--on` and `cluster.yaml` say to mistakes."""

from __future__ import annotations

import threading
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench import cli
from bench.cli import driver
from bench.core.errors import UsageError
from bench.core.plugins import Plugin
from bench.executors import batch, cluster, named
from bench.executors.slurm import parameters
from bench.store import lease, run_folder
from tests.cluster import FolderCluster, drive
from tests.small import cells_of, write_suite


@pytest.fixture
def folder_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FolderCluster:
    monkeypatch.setattr(batch, "LOOK_EVERY_S", 0.005)
    (tmp_path / "cluster").mkdir()
    return FolderCluster(tmp_path / "cluster")


def said(*arguments: str, code: int = 0) -> str:
    done = CliRunner(env={"COLUMNS": "120"}).invoke(cli.cli, arguments)
    assert done.exit_code == code, done.output
    return done.output


def test_a_run_under_way_is_seen_and_ended_from_elsewhere(
    task_folder: Path, tmp_path: Path, tiny_model: Path, folder_cluster: FolderCluster
) -> None:
    suite_file, out = write_suite(tmp_path, tiny_model), tmp_path / "out"
    ended = threading.Event()

    def drives() -> None:
        with pytest.raises(KeyboardInterrupt):
            drive(suite_file, out, folder_cluster, 2)
        ended.set()

    thread = threading.Thread(target=drives)
    thread.start()
    while len(folder_cluster.jobs()) < 2:
        assert thread.is_alive()
    first, second = folder_cluster.jobs()
    folder_cluster.work(first)
    while not run_folder.cell_folders(out) or len(folder_cluster.jobs()) < 2:
        assert thread.is_alive()
    folder_cluster.say(second, {"start": {"host": "node7"}})
    folder_cluster.say(second, {"progress": ["train", 1200, 4000]})
    lines = said("status", str(out)).splitlines()
    assert lines[0] == "small: 1 of 3 cells measured, 0 failed, 2 under way, 0 left"
    assert lines[1].startswith(f"driver: {lease.holder(out / lease.FOLDER)}, last sign of life ")
    [running] = [line for line in lines if line.endswith(f"folder job {second} on node7, train 1,200 of 4,000")]
    assert running.startswith("  tiny · paint · ")
    assert sum(line.endswith(", waiting") for line in lines) == 1
    assert "it has ended; the same `adaptbench run` goes on" in said("cancel", str(out))
    assert ended.wait(10)
    assert folder_cluster.jobs() == []
    assert "no driver is running; there is nothing to end" in said("cancel", str(out))
    assert "driver: none; the same `adaptbench run` goes on" in said("status", str(out))


def test_the_log_of_a_run_under_way_is_left_as_it_is(tmp_path: Path) -> None:
    log = tmp_path / lease.FOLDER / driver.LOG
    with lease.hold(tmp_path / lease.FOLDER, lambda owner: UsageError("held")):
        log.write_text("[1/3] lora: accuracy 0.5\n")
        with pytest.raises(UsageError, match="another process is writing"):
            driver.detach(["run", "quickstart"], tmp_path)
    assert log.read_text() == "[1/3] lora: accuracy 0.5\n"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("slurm: {partion: gpu}", 'unknown key "slurm.partion" (did you mean "partition"?); allowed: at_once, '),
        ("slurm: {gpus: 4}", "slurm.gpus is 4; it must be less than or equal to 1"),
        ("ray: {resources: {a100: 0}}", "ray.resources.a100 is 0; it must be greater than 0"),
        ("- slurm", "a cluster file is a mapping of slurm: or ray: to settings"),
    ],
)
def test_what_is_wrong_in_a_cluster_file_is_one_line(tmp_path: Path, content: str, line: str) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text(content)
    with pytest.raises(UsageError) as error:
        cluster.read(file, tmp_path / "suite.yaml")
    assert str(error.value).startswith(f"{file}: {line}")
    assert len(str(error.value).splitlines()) == 1


def test_settings_become_what_slurm_is_told(tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text(
        "slurm: {partition: gpu, account: nlp, time: 90, gpus: 1, cpus: 8, memory_gib: 64, at_once: 12,\n"
        "        setup: [module load cuda], flags: {qos: long, constraint: a100}}"
    )
    told = parameters(cluster.read(None, tmp_path / "suite.yaml").slurm)
    flags = pytest.importorskip("submitit.slurm.slurm")
    assert told.keys() <= flags._get_default_parameters().keys()
    script = flags._make_sbatch_string("RUN", tmp_path, map_count=3, **told).splitlines()
    for flag in (
        "partition=gpu", "account=nlp", "time=90", "gpus-per-node=1", "cpus-per-task=8", "mem=65536M", "qos=long",
        "constraint=a100", "requeue", "array=0-2%3",
    ):  # fmt: skip
        assert f"#SBATCH --{flag}" in script
    assert script.index("module load cuda") < script.index("export PYTHONSAFEPATH=1")


def test_unknown_executors_and_options_of_this_machine_are_refused(
    task_folder: Path, tmp_path: Path, tiny_model: Path
) -> None:
    with pytest.raises(UsageError, match=r'unknown executor "slrum" \(did you mean "slurm"\?\); allowed: '):
        named.require("slrum")
    suite_file = str(write_suite(tmp_path, tiny_model))
    for option in (["--device", "cpu"], ["--workers", "2"]):
        done = CliRunner().invoke(cli.cli, ["run", suite_file, "--on", "slurm", *option])
        assert isinstance(done.exception, UsageError)
        assert f"{option[0]} is about this machine" in str(done.exception)


def test_an_executor_of_another_distribution(
    task_folder: Path, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    brought = [
        Plugin(EntryPoint("folder", f"tests.cluster:{value}", named.GROUP), f"clusters {number}")
        for number, value in enumerate(("entry", "missing"))
    ]
    suite_file = write_suite(tmp_path, tiny_model)
    (tmp_path / "cluster.yaml").write_text(f"others: {{folder: {{folder: {tmp_path}, at_once: 7}}}}")
    settings = cluster.read(None, suite_file)
    suite, _ = cells_of(suite_file)
    monkeypatch.setattr(named, "installed", lambda group: brought[:1])
    assert named.create("folder", settings, tmp_path / "run", suite).capacity == 7
    monkeypatch.setattr(named, "installed", lambda group: brought[1:])
    with pytest.raises(UsageError, match=r"^clusters 1: adaptbench\.executors folder = tests\.cluster:missing: "):
        named.create("folder", settings, tmp_path / "run", suite)
    monkeypatch.setattr(named, "installed", lambda group: brought)
    with pytest.raises(UsageError, match='executor "folder" is in clusters 0 and clusters 1; uninstall all but one'):
        named.create("folder", settings, tmp_path / "run", suite)
