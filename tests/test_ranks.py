"""A training in two processes is the one of a single process, and none of them is left when it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from bench.config import prices
from bench.core.errors import CellError, CrashedError, DivergedError, OutOfMemoryError, UsageError
from bench.core.measured import Environment
from bench.core.training import RankCosts
from bench.executors import slurm
from bench.executors.cluster import Cluster, SlurmSettings
from bench.executors.named import place
from bench.model import devices
from bench.model.visible import visible_device
from bench.runs import workers
from bench.training.arguments import Setting
from bench.training.batches import LengthGroups
from bench.training.ranks import RankBatches, train_on_ranks
from bench.training.trainer import train
from methods.full import FullOptions
from tests.small import cells_of, write_suite
from tests.test_training import drawn

CPU = torch.device("cpu")


def made(model: str, adapter: bool) -> Any:
    """Without dropout; called by ranks too, in processes of their own."""
    torch.manual_seed(5)
    base = AutoModelForCausalLM.from_pretrained(model)
    if not adapter:
        return base
    return get_peft_model(base, LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM"))


def setting(**changes: Any) -> Setting:
    options = {"batch_size": 4, "max_steps": 20, "patience": None, "warmup": 0.1, "learning_rate": 1e-3}
    return Setting(FullOptions(**options), 1e-3, 1, 0, 2, False, **changes)


@pytest.mark.parametrize("adapter", [pytest.param(False, marks=pytest.mark.slow), True])
def test_two_ranks_take_the_steps_of_one(adapter: bool, tiny_model: Path) -> None:
    """Full weights and LoRA: 20 steps of four rows, of which the last of each epoch has one."""
    pairs = drawn(17)
    make = partial(made, str(tiny_model), adapter)
    told: list[tuple[int, int]] = []
    model, alone = train(make, pairs[:13], pairs[13:], setting(), lambda done, steps: None)
    both, shared = train_on_ranks(
        make, pairs[:13], pairs[13:], setting(ranks=2), lambda *step: told.append(step), CPU, make
    )
    assert (shared.steps, told) == (20, [(step, 20) for step in range(1, 21)])
    for name in ("train_loss", "validation_loss"):
        expected, found = getattr(alone, name), getattr(shared, name)
        assert [step for step, _ in found] == [step for step, _ in expected]
        assert [loss for _, loss in found] == pytest.approx([loss for _, loss in expected], rel=1e-4)
    assert shared.best_step == alone.best_step
    assert (shared.work, shared.examples, shared.micro_batch) == (alone.work, 13, 2)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(both.state_dict()[name], value, rtol=0, atol=1e-4)
    assert shared.ranks
    assert shared.ranks.count == 2
    assert shared.ranks.host_bytes < shared.ranks.host_bytes_in_all <= 2 * shared.ranks.host_bytes


@given(st.integers(1, 40), st.sampled_from([(4, 2, 2), (8, 2, 2), (6, 1, 3), (4, 4, 1), (8, 2, 4)]), st.integers(0, 5))
def test_every_row_is_read_by_one_rank_in_the_step_it_belongs_to(
    count: int, shape: tuple[int, int, int], seed: int
) -> None:
    """And all ranks have as many micro-batches, which make as many steps as those of a single rank."""
    batch, micro, ranks = shape
    options = FullOptions(batch_size=batch, learning_rate=1e-3, epochs=1)
    shared = Setting(options, 1e-3, seed, 0, micro, False, ranks=ranks)
    lengths = [index % 7 for index in range(count)]
    rows = list(LengthGroups(lengths, batch, seed))
    dealt = [list(RankBatches(LengthGroups(lengths, batch, seed), shared, rank)) for rank in range(ranks)]
    assert {len(of_rank) for of_rank in dealt} == {len(RankBatches(LengthGroups(lengths, batch, seed), shared, 0))}
    each = batch // (micro * ranks)  # micro-batches of a rank in a step
    for step in range(-(-count // batch)):
        read = [row for of_rank in dealt for rows_ in of_rank[step * each : (step + 1) * each] for row in rows_]
        assert sorted(row for row in read if row >= 0) == sorted(rows[step * batch : (step + 1) * batch])


def failing(how: str, first: str) -> Any:
    """The model of the first rank that asks; the other one fails while that waits for it."""
    try:
        os.close(os.open(first, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        if how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        raise {"memory": MemoryError("no more"), "loss": DivergedError("loss became nan")}[how] from None
    return made(first.removesuffix(".first"), adapter=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "kind", "words"),
    [
        ("killed", CrashedError, r"^rank \d of 2 ended without a result"),
        ("memory", OutOfMemoryError, "^training does not fit into memory"),
        ("loss", DivergedError, r"^rank \d of 2: loss became nan$"),
    ],
)
def test_a_rank_that_fails_ends_the_others(
    how: str, kind: type[CellError], words: str, tiny_model: Path, tmp_path: Path
) -> None:
    link = tmp_path / "model"
    link.symlink_to(tiny_model)
    make = partial(failing, how, f"{link}.first")
    shared = Setting(setting().options, 1e-3, 1, 0, 1, False, ranks=2, checkpointing=True)
    with pytest.raises(kind, match=words):
        train_on_ranks(make, drawn(4), [], shared, lambda done, steps: None, CPU, make)
    assert spawned(psutil.Process()) == []


def spawned(process: psutil.Process) -> list[psutil.Process]:
    return [child for child in process.children() if "spawn_main" in " ".join(child.cmdline())]


@pytest.mark.slow
def test_ranks_end_with_the_cell(tmp_path: Path) -> None:
    script = """
if __name__ == "__main__":  # which ranks import, too
    from tests.test_ranks import *
    train_on_ranks(partial(time.sleep, 100), drawn(4), [], setting(ranks=2), print, CPU, print)
"""
    file = tmp_path / "cell.py"
    file.write_text(script)
    root = str(Path(__file__).parent.parent)
    with subprocess.Popen([sys.executable, str(file)], env={**os.environ, "PYTHONPATH": root}) as cell:
        ranks: list[psutil.Process] = []
        while len(ranks) < 2:
            time.sleep(0.5)
            ranks = spawned(psutil.Process(cell.pid))
        time.sleep(5)  # they are loading torch
        cell.kill()
    _, alive = psutil.wait_procs(ranks, timeout=2)
    assert not alive


def test_costs_are_of_all_ranks() -> None:
    one, other = RankCosts(1, 10, 10, 5), RankCosts(1, 20, 20, 4)
    assert RankCosts.of([one, other]) == RankCosts(2, 20, 30, 5, 9)
    assert RankCosts.of([RankCosts(1, 10, 10)] * 2) == RankCosts(2, 10, 20)
    known = prices.replaced({"gpu_hour": {"other": 3.0}}, "here")
    assert known.hour(Environment(device="cuda", device_name="unknown", gpus=4)) == 12.0


@pytest.mark.parametrize(
    ("engine", "changes", "words"),
    [
        ({"ranks": 3}, {}, "engine.ranks: 3: full: batch_size 4 cannot be dealt out evenly"),
        ({"ranks": 2}, {"checkpoints": 2}, "engine.ranks: 2: checkpoints need one rank; take 0"),
        ({"ranks": 2, "device": "cuda:1"}, {}, "engine.ranks: 2: device cuda:1 is one GPU; take cuda"),
        ({"ranks": 2}, {"methods": [{"lora": {"criterion": "metric"}}]}, "lora: criterion metric needs one rank"),
        ({"ranks": 2}, {"methods": ["qlora"]}, "qlora: a base in 4 bits (NF4) cannot be sharded"),
    ],
)
def test_what_ranks_cannot_do_is_refused_by_name(
    engine: dict[str, Any], changes: dict[str, Any], words: str, task_folder: Path, tmp_path: Path, tiny_model: Path
) -> None:
    with pytest.raises(UsageError) as refused:
        cells_of(write_suite(tmp_path, tiny_model, engine=engine, **changes))
    assert words in str(refused.value)


def test_ranks_leave_the_keys_of_cells_alone(task_folder: Path, tmp_path: Path, tiny_model: Path) -> None:
    keys = [
        [cell.key for cell in cells_of(write_suite(tmp_path, tiny_model, engine={"ranks": ranks}))[1]]
        for ranks in (1, 2)
    ]
    assert keys[0] == keys[1]


@pytest.fixture
def four_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """As torch would say; each has 10 GB free."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (10_000, 20_000))


@pytest.mark.usefixtures("four_gpus")
def test_every_rank_gets_a_gpu(
    task_folder: Path, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def suite(**engine: Any) -> Any:
        changes = {"device": "cuda", "auto_dtype": "float32", **engine}
        return cells_of(write_suite(tmp_path, tiny_model, engine=changes, methods=["zero-shot"]))[0]

    assert list(workers.executor(suite(ranks=2), 2).devices) == ["0,1", "2,3"]
    assert list(workers.executor(suite(), 2).devices) == ["0", "1"]
    with pytest.raises(UsageError, match=r"^engine.ranks: 8 ranks need a GPU each; allowed here: 1 to 4$"):
        workers.executor(suite(ranks=8), 1)
    with pytest.raises(UsageError, match=r"workers: 3 cells at once need 2 GPUs each; allowed here: 1 to 2$"):
        workers.executor(suite(ranks=2, workers=3), 3)
    assert visible_device("cuda:2", "5,6,7,8", 2) == "7,8"


@pytest.mark.usefixtures("four_gpus")
def test_a_model_too_large_for_a_gpu_is_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = torch.device("cuda", 0)
    assert devices.device_map(cuda, 7_000) == {"": cuda}
    assert devices.device_map(cuda, 9_000) == "balanced"
    assert devices.device_map(CPU, 9_000) is None
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)  # which then says that memory ran out
    assert devices.device_map(cuda, 9_000) == {"": cuda}


def test_a_cluster_gives_a_gpu_to_each_rank() -> None:
    settings = SlurmSettings(gpus=1, gpu_memory_gib=80)
    assert slurm.parameters(settings, 4)["gpus_per_node"] == 4
    assert "gpus_per_node" not in slurm.parameters(SlurmSettings(), 4)
    assert place("slurm", Cluster(slurm=settings)).of(4).memory_gib == 320
    assert place("slurm", Cluster(slurm=SlurmSettings(memory_gib=64))).of(4).memory_gib == 64
