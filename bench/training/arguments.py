"""How a training is set, and what the library's trainer is told of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

import torch
from transformers import TrainingArguments

from bench.training.epochs import RANK
from methods.options import TrainingOptions


@dataclass(frozen=True)
class Setting:
    """One training: a rate out of the options, a seed, and the device's limits."""

    options: TrainingOptions
    rate: float
    seed: int
    pad: int
    micro_batch: int
    bf16: bool
    share: float = 1.0  # of the full length
    padded: bool = False  # rows, also where the model would take them in one line
    checkpointing: bool = False
    ranks: int = 1  # processes that share it
    held: dict[str, int] = field(default_factory=dict)  # what memory was found to hold, told to later trainings

    @property
    def most_rows(self) -> int:
        """Rows of a step that one process has."""
        return self.options.batch_size // self.ranks


@dataclass
class OneDeviceArguments(TrainingArguments):
    """Arguments of a training that stays where its model is: by itself the Trainer takes every card that it sees."""

    model_device: str = "cpu"

    @cached_property
    def _setup_devices(self) -> torch.device:
        cast(Any, TrainingArguments._setup_devices).func(self)
        self._n_gpu = min(self._n_gpu, 1)  # more than one: DataParallel
        return torch.device(self.model_device)


def arguments(
    folder: str,
    examples: int,
    judged_by: str | None,
    setting: Setting,
    device: torch.device,
    kind: type[OneDeviceArguments] = OneDeviceArguments,
) -> OneDeviceArguments:
    """What the library's trainer is told; `judged_by`: what the kept epoch is chosen by, None where none is."""
    options, validates = setting.options, judged_by is not None
    on_disk = validates and setting.ranks == 1  # ranks keep the best epoch's weights themselves
    micro = min(setting.micro_batch, setting.most_rows)
    steps = options.steps(examples, setting.share)
    return kind(
        model_device=str(device),
        output_dir=folder,
        max_steps=steps,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=max(1, setting.most_rows // micro),
        learning_rate=setting.rate,
        lr_scheduler_type=options.schedule,
        warmup_steps=int(options.warmup * steps),
        weight_decay=options.weight_decay,
        max_grad_norm=options.max_grad_norm or 0.0,  # the Trainer does not clip to 0
        adam_beta2=options.beta2,
        optim="adamw_torch_fused",
        bf16=setting.bf16,
        use_cpu=device.type == "cpu",
        seed=setting.seed % 2**32,  # numpy's range
        remove_unused_columns=False,
        dataloader_pin_memory=device.type == "cuda",
        logging_steps=10,
        logging_nan_inf_filter=False,  # its default hides a diverging loss
        eval_strategy="epoch" if validates else "no",
        save_strategy="best" if on_disk else "no",
        save_only_model=True,
        save_total_limit=1,
        load_best_model_at_end=on_disk,
        metric_for_best_model=judged_by,
        greater_is_better=judged_by == RANK if validates else None,
        disable_tqdm=True,
        report_to="none",
    )
