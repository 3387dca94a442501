"""lm-eval and TRL as one writes them: what `sides` and `suite_by_hand` have in common.

Nothing of adaptbench is imported here: a process that does the work by hand does not pay for loading it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

RATE = 1e-3  # learning rate of a training that is timed alone
BEST: Mapping[str, Any] = {"gradient_checkpointing": False, "train_sampling_strategy": "group_by_length"}
AT_ONCE = 4  # rows of a micro-batch at its best, where nothing else is asked: as many as adaptbench takes with mini


def harness(folder: Path, asked: Mapping[str, Any], adapter: Path | None = None) -> Any:
    """lm-eval's `hf` back end with the model in `folder`, and peft's adapter beside its weights where one is given."""
    import torch
    from lm_eval.models.huggingface import HFLM

    device = "cuda" if torch.cuda.is_available() else "cpu"
    beside = {"peft": str(adapter)} if adapter else {}
    return HFLM(pretrained=str(folder), device=device, dtype=asked["dtype"], batch_size=asked["peer_batch"], **beside)


def scored(model: Any, asked: Sequence[tuple[str, Sequence[str]]]) -> list[list[float]]:
    """Log-likelihoods in nats of the continuations of each (prompt, continuations), by lm-eval's `loglikelihood`."""
    from lm_eval.api.instance import Instance

    requests = [
        Instance("loglikelihood", {}, (prompt, choice), place)
        for prompt, choices in asked
        for place, choice in enumerate(choices)
    ]
    sums = iter(value for value, _ in model.loglikelihood(requests, disable_tqdm=True))
    return [[next(sums) for _ in choices] for _, choices in asked]


def written(model: Any, prompts: Sequence[str], stop: Sequence[str], tokens: int) -> list[str]:
    """Greedy texts of at most `tokens` tokens, up to a stop string, by lm-eval's `generate_until`."""
    from lm_eval.api.instance import Instance

    options = {"until": list(stop), "max_gen_toks": tokens, "do_sample": False}
    requests = [Instance("generate_until", {}, (prompt, dict(options)), i) for i, prompt in enumerate(prompts)]
    return [text.strip() for text in model.generate_until(requests, disable_tqdm=True)]


def trainer(
    model: Any, rows: Any, tokenizer: Any, out: str, asked: Mapping[str, Any], *, rate: float, epochs: float
) -> Any:
    """TRL's SFTTrainer: with its defaults, or with what is best for it here (`tuned`).

    `rows` is a `datasets.Dataset`, in text or in tokens. Rate, batch, schedule and warm-up are adaptbench's.
    """
    from transformers import PrinterCallback
    from trl import SFTConfig, SFTTrainer

    rows_at_once = min(asked.get("at_once", AT_ONCE), asked["train_batch"]) if asked["tuned"] else asked["train_batch"]
    steps = int(epochs * -(-len(rows) // asked["train_batch"]))
    found = SFTTrainer(
        model=model,
        args=SFTConfig(
            output_dir=out,
            num_train_epochs=epochs,
            per_device_train_batch_size=rows_at_once,
            gradient_accumulation_steps=asked["train_batch"] // rows_at_once,
            learning_rate=rate,
            lr_scheduler_type=asked["schedule"],
            warmup_steps=int(asked["warmup"] * steps),
            completion_only_loss=True,
            bf16=asked["dtype"] == "bfloat16",
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            **(BEST if asked["tuned"] else {}),
        ),
        train_dataset=rows,
        processing_class=tokenizer,
    )
    found.remove_callback(PrinterCallback)
    return found
