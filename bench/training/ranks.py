"""One training in several processes (ranks), its weights sharded over them by FSDP2: a step is that of one process.

The rows of a step are dealt out in the order of one process, a micro-batch to each rank in turn. A rank's loss is the
sum over its answer tokens, divided as ever; gradients are added over ranks and clipped by the norm of them all. So
losses and weights are those of one rank up to rounding, without dropout, whose random numbers are each rank's own.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import resource
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from multiprocessing import connection
from multiprocessing.connection import Connection
from operator import add
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.utils.data import DataLoader, Sampler

from bench.core.errors import AdaptbenchError, CrashedError, DivergedError, OutOfMemoryError
from bench.core.training import RankCosts, Training
from bench.model.memory import is_out_of_memory, prepare_allocator
from bench.training import rank_process
from bench.training.arguments import Setting
from bench.training.batches import IGNORED, Arrangement, LengthGroups, Pair, Pairs, collate
from bench.training.checkpoints import put
from bench.training.loss import arrangement_of
from bench.training.trainer import AnswerTrainer, Progress, outcome, prepared, trainer_for, within_memory

_WEIGHTS = "weights.safetensors"


@dataclass(frozen=True)
class Work:
    """What every rank is told. `make` gives the model to train, on the host; it is called in another process."""

    make: Callable[[], Any]
    pairs: Sequence[Pair]
    validation: Sequence[Pair]
    setting: Setting
    device: str  # cpu or cuda
    threads: int  # of a rank
    folder: str  # where ranks meet, and the first leaves the weights


def train_on_ranks(
    make: Callable[[], Any],
    pairs: Sequence[Pair],
    validation: Sequence[Pair],
    setting: Setting,
    progress: Progress,
    device: torch.device,
    start: Callable[[], Any],
) -> tuple[Any, Training]:
    """As `bench.training.trainer.train`, by `setting.ranks` processes; `start` gives the model that gets the weights.

    Raises:
        DivergedError: a loss or gradient norm is not finite.
        OutOfMemoryError: one example at a time, with activation checkpointing, does not fit on a rank.
        CrashedError: a rank ended without a result.
    """
    threads = max(1, torch.get_num_threads() // setting.ranks)

    def once(tried: Setting) -> tuple[dict[str, Tensor], Training]:
        with tempfile.TemporaryDirectory(prefix="adaptbench-") as folder:
            work = Work(make, pairs, validation, tried, device.type, threads, folder)
            training = _followed(work, progress)
            return load_file(Path(folder) / _WEIGHTS), training

    weights, training = within_memory(setting, once)
    model = start()
    put(model, weights)
    return model.eval(), training


def _followed(work: Work, progress: Progress) -> Training:
    """What the ranks report; when one fails, or however this is left, none of them is there any more."""
    context, count = multiprocessing.get_context("spawn"), work.setting.ranks
    told = pickle.dumps(work)
    lines: dict[Any, int] = {}
    processes: list[Any] = []
    ended: dict[int, tuple[Training, RankCosts]] = {}
    try:
        for rank in range(count):
            ours, theirs = context.Pipe()
            processes.append(context.Process(target=rank_process.run, args=(rank, told, theirs), daemon=True))
            processes[-1].start()
            theirs.close()
            lines[ours] = rank
        while len(ended) < count:
            for line in connection.wait(list(lines)):
                said = _received(line, lines[line], count)
                if said[0] == "progress":
                    progress(*said[1:])
                else:
                    ended[lines.pop(line)] = said[1:]
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.join()
    return replace(ended[0][0], ranks=RankCosts.of([costs for _, costs in ended.values()]))


def _received(line: Any, rank: int, count: int) -> Any:
    """The next message of a rank; what ended it is raised."""
    try:
        said = line.recv()
    except (EOFError, ConnectionResetError):
        raise CrashedError(f"rank {rank} of {count} ended without a result; its last words are in the log") from None
    if said[0] != "failed":
        return said
    kinds: dict[str, type[Exception]] = {DivergedError.kind: DivergedError, OutOfMemoryError.kind: MemoryError}
    raise kinds.get(said[1], CrashedError)(f"rank {rank} of {count}: {said[2]}")


def take_part(rank: int, work: Work, line: Connection) -> None:
    """Train as a rank, and say on `line` what comes of it."""
    try:
        prepare_allocator()
        torch.set_num_threads(work.threads)
        line.send(("ended", *_trained(rank, work, line)))
        line.recv()  # until all have ended: who leaves early takes the others' connections away
    except EOFError:
        pass
    except BaseException as error:  # whatever it is, the cell must learn of it and end the other ranks
        traceback.print_exc()
        kind = error.kind if isinstance(error, AdaptbenchError) else "crashed"
        kind = OutOfMemoryError.kind if is_out_of_memory(error) else kind
        said = str(error).strip().splitlines()
        line.send(("failed", kind, said[0] if said else type(error).__name__))
        sys.stderr.flush()
        os._exit(1)


def _trained(rank: int, work: Work, line: Connection) -> tuple[Training, RankCosts]:
    count, cuda = work.setting.ranks, work.device == "cuda"
    device = torch.device("cuda", rank) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    meeting = f"file://{work.folder}/meeting"
    dist.init_process_group("nccl" if cuda else "gloo", init_method=meeting, rank=rank, world_size=count)
    model = prepared(work.make(), work.setting)
    arrangement = arrangement_of(model)  # while it is whole: what it finds is kept for the model
    _shard(model, work.device, count)

    def progress(done: int, steps: int) -> None:
        if rank == 0:
            line.send(("progress", done, steps))

    def one(*args: Any, **kwargs: Any) -> RankTrainer:
        return RankTrainer(*args, rank=rank, arrangement=arrangement, **kwargs)

    with trainer_for(one, model, work.pairs, work.validation, work.setting, progress, (), None) as trainer:
        trainer.train()
    trainer.restore()
    trainer.work = reduce(add, _gathered(trainer.work))
    weights = {name: _whole(p).cpu().contiguous() for name, p in model.named_parameters() if p.requires_grad}
    if rank == 0:
        save_file(weights, Path(work.folder) / _WEIGHTS)
    dist.barrier()
    host = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    most = torch.cuda.max_memory_allocated(device) if cuda else None
    return outcome(trainer, work.pairs, work.setting, arrangement is Arrangement.PACKED), RankCosts(1, host, host, most)


def _shard(model: Any, device: str, count: int) -> None:
    """Shard each of a model's blocks, and the rest of it, over the ranks."""
    mesh = init_device_mesh(device, (count,))
    blocks = set(getattr(model, "_no_split_modules", None) or ())
    for module in reversed(list(model.modules())):
        if type(module).__name__ in blocks:
            fully_shard(module, mesh=mesh)
    fully_shard(model, mesh=mesh)


def _whole(value: Tensor) -> Tensor:
    return value.full_tensor().detach() if isinstance(value, DTensor) else value.detach()


def _gathered(value: Any) -> list[Any]:
    found = [None] * dist.get_world_size()
    dist.all_gather_object(found, value)
    return found


class RankRows(Pairs):
    """Rows; one at a place below 0 is fed where a rank has none, so that all ranks do the same, and does not count."""

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.rows[index] if index >= 0 else {**self.rows[~index], "idle": True}


class RankBatches(Sampler[list[int]]):
    """The micro-batches of a rank: of the rows of each step, in their order, every one in turn."""

    def __init__(self, order: LengthGroups, setting: Setting, rank: int) -> None:
        self.order, self.setting, self.rank = order, setting, rank

    def __len__(self) -> int:
        return sum(len(dealt) for dealt in self._dealt(range(len(self.order))))

    def __iter__(self) -> Iterator[list[int]]:
        for dealt in self._dealt(list(self.order)):
            yield from dealt

    def _dealt(self, rows: Sequence[int]) -> Iterator[list[list[int]]]:
        size, micro, ranks = self.setting.options.batch_size, self.setting.micro_batch, self.setting.ranks
        for start in range(0, len(rows), size):
            step = rows[start : start + size]
            batches = [list(step[i : i + micro]) for i in range(0, len(step), micro)]
            batches += [[~step[0]]] * (-len(batches) % ranks)
            yield batches[self.rank :: ranks]


class RankTrainer(AnswerTrainer):
    """The trainer of a rank."""

    def __init__(self, *args: Any, rank: int, arrangement: Arrangement, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rank, self.arrangement = rank, arrangement
        self.best: tuple[float, int, list[Tensor]] | None = None  # loss, step, this rank's part of the weights

    def get_train_dataloader(self) -> DataLoader[Any]:
        rows = RankRows(())
        rows.rows = self.train_dataset.rows  # type: ignore[union-attr]
        batches = RankBatches(self.order, self.setting, self.rank)
        return DataLoader(rows, batch_sampler=batches, collate_fn=self._collated)

    def _collated(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        batch = collate(rows, self.setting.pad, self.arrangement)
        if rows[0].get("idle"):
            batch["labels"].fill_(IGNORED)
            batch["idle"] = True
        return batch

    def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Tensor:
        work, idle = self.work, inputs.pop("idle", False)
        loss = super().compute_loss(model, inputs, *args, **kwargs)
        if idle:
            self.work = work
        return loss * self.setting.ranks  # gradients are averaged over ranks

    def training_step(self, *args: Any, **kwargs: Any) -> Tensor:
        loss = super().training_step(*args, **kwargs) / self.setting.ranks
        dist.all_reduce(loss)
        return loss

    def _clip_grad_norm(self, model: Any) -> Tensor:
        norm: Tensor = torch.nn.utils.clip_grad_norm_(model.parameters(), self.args.max_grad_norm)
        return _whole(norm)

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        if grad_norm is not None:
            return grad_norm
        return _whole(torch.nn.utils.get_total_norm(p.grad for p in model.parameters() if p.grad is not None))

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Every rank reads all validation examples: all need the same number of passes."""
        metrics = super().evaluate(*args, **kwargs)
        if self.best is None or metrics["eval_loss"] < self.best[0]:
            self.best = metrics["eval_loss"], self.state.global_step, [p.cpu().clone() for p in self._parts()]
        return metrics

    @torch.no_grad()
    def restore(self) -> None:
        """Give the model the weights of the best epoch back."""
        if self.best is not None and self.best[1] != self.state.global_step:
            for part, kept in zip(self._parts(), self.best[2], strict=True):
                part.copy_(kept)

    def _parts(self) -> list[Tensor]:
        trained = (p.detach() for p in self.model.parameters() if p.requires_grad)  # type: ignore[union-attr]
        return [p.to_local() if isinstance(p, DTensor) else p for p in trained]
