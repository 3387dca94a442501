"""A training that goes on where it was stopped: its weights, optimizer, random states, data order, losses, best epoch.

The state is taken before a step and given back before the same step, whatever the library drew or read in between, so
that what follows is the same to the last bit on the same machine.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from transformers import EarlyStoppingCallback, Trainer, TrainerCallback
from transformers.trainer_callback import TrainerState

from bench.core.hashing import canonical, sha256
from bench.core.training import BatchWork
from bench.core.unfinished import Unfinished
from bench.training.arguments import Setting
from bench.training.batches import Pair
from bench.training.checkpoints import put, trained

if TYPE_CHECKING:
    from bench.training.trainer import AnswerTrainer

_WEIGHTS, _STATE, _BEST = "weights.pt", "trainer_state.json", "best"
_SHAPE = ("micro_batch", "padded", "checkpointing")  # of a setting: what memory and a timed trial chose


@dataclass(frozen=True)
class Resume:
    """Where a training is kept, by what name, and who counts what it took."""

    unfinished: Unfinished
    name: str
    taken: Callable[[], dict[str, Any]]  # since the training began in this process, a JSON value
    take_over: Callable[[dict[str, Any]], float]  # count what an attempt before took; its seconds

    def of(self, setting: Setting, pairs: Sequence[Pair], validation: Sequence[Pair]) -> Resume:
        """The same under a name that says which training it is, however it is laid out."""
        content = {each.name: getattr(setting, each.name) for each in fields(setting) if each.name != "held"}
        told = {**{name: value for name, value in content.items() if name not in _SHAPE}, "as": self.name}
        told["options"] = setting.options.model_dump(mode="json")
        rows = [[list(map(list, pair)) for pair in split] for split in (pairs, validation)]
        return replace(self, name=sha256(canonical({**told, "rows": rows})))

    def found(self) -> tuple[Path, dict[str, Any]] | None:
        """The state that an attempt before has left, once: a training that runs out of memory begins anew."""
        return self.unfinished.training(self.name)


def in_shape_of(setting: Setting, about: Mapping[str, Any]) -> Setting:
    """The setting in the shape in which a training was begun."""
    return replace(setting, **{name: about["shape"][name] for name in _SHAPE})


class Keeper(TrainerCallback):
    """Keeps the state of a training from time to time, and gives back the one that was found."""

    def __init__(self, trainer: AnswerTrainer, resume: Resume, found: tuple[Path, dict[str, Any]] | None) -> None:
        self.trainer, self.resume, self.found = trainer, resume, found

    def on_train_begin(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
        if self.found is None:
            return
        folder, about = self.found
        trainer = self.trainer
        trainer._tr_loss += about["loss"]
        trainer._globalstep_last_logged = about["logged"]
        trainer.order.epoch = about["epoch"]
        trainer.work = BatchWork(**about["work"])
        trainer.validation_s = about["validation_s"]
        trainer.stopwatch.go_on(about["timed"])
        if trainer.scored:
            trainer.scored.go_on(about["scored"])
        for patience in self._patience():
            patience.early_stopping_patience_counter = about["patience"]
        if (folder / _BEST).is_dir():
            best = Path(args.output_dir) / f"checkpoint-{state.best_global_step}"
            shutil.copytree(folder / _BEST, best)
            state.best_model_checkpoint = str(best)
        seconds = self.resume.take_over(about["taken"])
        self.resume.unfinished.took_over(seconds, step=state.global_step)

    def on_step_begin(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
        if self.found is not None:
            Trainer._load_rng_state(self.trainer, str(self.found[0]))
            self.found = None
            return
        self.resume.unfinished.save_when_due(self._written)

    def _written(self, folder: Path) -> dict[str, Any]:
        trainer, state = self.trainer, self.trainer.state
        torch.save(trained(trainer.model), folder / _WEIGHTS)
        trainer._save_optimizer_and_scheduler(str(folder))
        trainer._save_rng_state(str(folder))
        best, state.best_model_checkpoint = state.best_model_checkpoint, None  # its place will be another
        state.save_to_json(str(folder / _STATE))
        state.best_model_checkpoint = best
        if best is not None:
            shutil.copytree(best, folder / _BEST)
        return {
            "name": self.resume.name,
            "shape": {name: getattr(trainer.setting, name) for name in _SHAPE},
            "loss": float(trainer._tr_loss),
            "logged": trainer._globalstep_last_logged,
            "epoch": trainer.order.epoch - 1,  # which the order counts on when it is begun
            "work": asdict(trainer.work),
            "validation_s": trainer.validation_s,
            "timed": trainer.stopwatch.so_far(),
            "scored": trainer.scored.so_far() if trainer.scored else None,
            "patience": next((each.early_stopping_patience_counter for each in self._patience()), 0),
            "taken": self.resume.taken(),
        }

    def _patience(self) -> list[EarlyStoppingCallback]:
        handler = cast(Any, self.trainer).callback_handler
        return [each for each in handler.callbacks if isinstance(each, EarlyStoppingCallback)]


def give_back(model: Any, folder: Path) -> None:
    """Give a model the weights of a state."""
    put(model, torch.load(folder / _WEIGHTS, map_location="cpu", weights_only=True))
