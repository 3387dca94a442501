"""A case through adaptbench (`ours`) and through its peer: seconds, peak memory, and what came out.

    python -m scripts.peers.sides '{"case": …, "model": …, "side": "ours", …}'

One process measures one side once and prints JSON: nothing of one side is warm, cached or still in memory for the
other. Imports and loading are not timed.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.model.memory import give_back, keep_freed
from scripts.peers import cases, theirs, whole_suite
from scripts.peers.theirs import RATE


def main(asked: dict[str, Any]) -> dict[str, Any]:
    """Measure what `asked` says; returns seconds, bytes, tokens and answers."""
    import torch

    torch.set_num_threads(asked["threads"])
    os.environ["HF_HUB_OFFLINE"] = "1"
    case = cases.CASES[asked["case"]]
    folder = cases.folder_of(asked["model"], Path(asked["cache"]))
    if case.kind == "suite":
        return whole_suite.measured(case, folder, asked)
    if asked["side"] == "ours":
        keep_freed()  # as in the process of a cell
    side: Callable[..., dict[str, Any]] = globals()[f"{case.kind}_{asked['side']}"]
    return side(case, folder, asked)


def measured(work: Callable[[], Any]) -> tuple[Any, dict[str, Any]]:
    """What `work` gives, its seconds, and how far it raised the process's memory, in bytes."""
    import torch

    before = _memory(reset=True)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    result = work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    seconds = time.perf_counter() - start
    peak = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else _memory() - before
    return result, {"seconds": seconds, "peak_bytes": peak}


def _memory(reset: bool = False) -> int:
    """Linux: the most that was resident since the last reset, in bytes; on a reset, what is resident now."""
    if reset:
        give_back()  # what loading freed is no memory of the work
        Path("/proc/self/clear_refs").write_text("5")
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) * 1024


def _questions(case: cases.Case, folder: Path, asked: dict[str, Any]) -> tuple[Any, Any, Any, Any]:
    """Base, task, writer and questions of a case; the peer's model is as transformers loads it."""
    import torch

    from bench.model.load import load_base
    from bench.model.resolve import ModelSpec, resolve

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    spec = ModelSpec(path=str(folder), dtype=asked["dtype"], chat_template="off")  # prompts are one text on both sides
    base = load_base(resolve(spec), device, quick=asked["side"] == "ours")
    task = case.task()
    return base, task, cases.writer(base, task, case.shots), task.test[: asked["items"]]


def _predicted(case: cases.Case, folder: Path, asked: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    from bench.engine.predictor import ModelPredictor, question
    from bench.engine.transformers_backend import TransformersBackend
    from bench.engine.transformers_engine import Engine
    from bench.model.budget import batch_tokens

    base, task, writer, items = _questions(case, folder, asked)
    model = base.load(False).eval()
    engine = Engine(model, base.codec.pad, base.codec.stops, batch_tokens(model))
    predictor = ModelPredictor(TransformersBackend(engine, base.codec.decode), writer, task, lambda done, of: None)
    return measured(lambda: predictor.predict([question(item) for item in items]))


def score_ours(case: cases.Case, folder: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """Choices ranked by adaptbench."""
    found, cost = _predicted(case, folder, asked)
    return {**cost, "answers": [one.output for one in found], "scores": [list(one.scores) for one in found]}


def write_ours(case: cases.Case, folder: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """Text by adaptbench."""
    found, cost = _predicted(case, folder, asked)
    return {**cost, "answers": [one.output for one in found], "tokens": sum(one.output_tokens for one in found)}


def score_theirs(case: cases.Case, folder: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """Choices by lm-eval's `loglikelihood`."""
    _, task, writer, items = _questions(case, folder, asked)
    model = theirs.harness(folder, asked)

    def work() -> Any:
        said = [
            (cases.text_of(writer, item), [writer.prompt.answer(choice) for choice in item.choices]) for item in items
        ]
        return theirs.scored(model, said)

    scores, cost = measured(work)
    best = [own.index(max(own)) for own in scores]  # the tasks divide by no length, so neither does this
    assert task.normalise == "none"
    return {**cost, "answers": [item.choices[i] for item, i in zip(items, best, strict=True)], "scores": scores}


def write_theirs(case: cases.Case, folder: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """Text by lm-eval's `generate_until`."""
    _, task, writer, items = _questions(case, folder, asked)
    model = theirs.harness(folder, asked)

    def work() -> Any:
        prompts = [cases.text_of(writer, item) for item in items]
        return theirs.written(model, prompts, task.stop, task.max_new_tokens)

    found, cost = measured(work)
    return {**cost, "answers": found}


def _rows(case: cases.Case, folder: Path, asked: dict[str, Any]) -> tuple[Any, Any, Any, int]:
    """Base, method, (prompt, answer) pairs, and the rows of a micro-batch, for both sides alike."""
    import torch

    import methods
    from bench.model.budget import train_tokens
    from bench.training.batches import micro_batch

    base, task, writer, _ = _questions(case, folder, asked)
    options = {"learning_rate": RATE, "epochs": 1, "batch_size": asked["train_batch"]}
    if case.weights == "lora":  # SFTTrainer cannot read an output matrix of which one row is trained
        options["train_end_token"] = False
    method = methods.create(case.weights, options)
    pairs = writer.write_solved(task.train[: asked["items"]])
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    tokens = train_tokens(device, base.numbers, method.weights.bytes_per_weight * base.parameters)
    return base, method, pairs, asked["rows"] or micro_batch(asked["train_batch"], pairs, tokens)


def _tokens(pairs: Any) -> int:
    return sum(len(prompt) + len(answer) for prompt, answer in pairs)


def train_ours(case: cases.Case, folder: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """Training by adaptbench."""
    from bench.training.arguments import Setting
    from bench.training.trainer import train

    base, method, pairs, rows = _rows(case, folder, asked)
    model = method.weights.start(base.load(True), 0)
    setting = Setting(method.weights.options, RATE, 0, base.codec.pad, rows, asked["dtype"] == "bfloat16")
    (trained, outcome), cost = measured(lambda: train(lambda: model, pairs, [], setting, lambda done, of: None))
    done = {"tokens": _tokens(pairs), "steps": outcome.steps, "micro_batch": outcome.micro_batch}
    return {**cost, **done, "loss": _loss(trained, base, pairs)}


def _loss(model: Any, base: Any, pairs: Any) -> float:
    """What the training left: nats for each answer token of its examples."""
    from bench.training.loss import mean_loss

    return mean_loss(model, pairs, pad=base.codec.pad, rows=8)


def train_theirs(case: cases.Case, folder: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """Training by TRL's SFTTrainer: with its defaults, or with what is best for it here (`tuned`)."""
    from datasets import Dataset
    from transformers import AutoTokenizer

    base, method, pairs, at_once = _rows(case, folder, asked)
    model = method.weights.start(base.load(True), 0)
    options = method.weights.options
    rows = {
        "input_ids": [[*prompt, *answer] for prompt, answer in pairs],
        "completion_mask": [[0] * len(prompt) + [1] * len(answer) for prompt, answer in pairs],
    }
    said = {**asked, "at_once": at_once, "schedule": options.schedule, "warmup": options.warmup}
    with tempfile.TemporaryDirectory() as out:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        trainer = theirs.trainer(model, Dataset.from_dict(rows), tokenizer, out, said, rate=RATE, epochs=1)
        _, cost = measured(trainer.train)
    done = {"tokens": _tokens(pairs), "steps": trainer.state.global_step}
    done["micro_batch"] = trainer.args.per_device_train_batch_size
    return {**cost, **done, "loss": _loss(model, base, pairs)}


if __name__ == "__main__":
    print("\n" + json.dumps(main(json.loads(sys.argv[1]))))
