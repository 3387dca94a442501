"""One measurement on a Llama shape of about 1B parameters with grouped-query attention, random weights.

    python -m scripts.gpu_check.measures score|generate|lora|full|memory FILE [--dry]

Tokens a second, share of the card's peak (MFU, of floating-point operations worked out from the shape), peak memory
and energy; `memory` asks for far more at once than fits.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

import methods
from bench.core.phases import Phase
from bench.engine.transformers_engine import Engine
from bench.meters import flops
from bench.meters.environment import describe
from bench.meters.phases import Meter
from bench.model.budget import batch_tokens, train_tokens
from bench.model.memory import prepare_allocator
from bench.model.precision import multiplies_bf16
from bench.training.arguments import Setting
from bench.training.batches import Pair, micro_batch
from bench.training.trainer import train

# of Llama 3.2 1B: 1.24 billion parameters, 32 heads that share 8 of keys and values
LARGE = {"hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16, "num_attention_heads": 32,
         "num_key_value_heads": 8, "head_dim": 64, "vocab_size": 128256}  # fmt: skip
TINY = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 8,
        "num_key_value_heads": 2, "head_dim": 8, "vocab_size": 512}  # fmt: skip
# dense bfloat16, operations a second, by the makers' data sheets; part of a card's name
PEAKS = {"H200": 989e12, "H100 PCIe": 756e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "L4": 121e12}
_COUNTS = {False: {"queries": 256, "prefix": 1024, "query": 64, "tokens": 128, "examples": 256, "length": 512},
           True: {"queries": 6, "prefix": 12, "query": 5, "tokens": 9, "examples": 8, "length": 12}}  # fmt: skip


class Check:
    """A device, a shape and texts of random tokens."""

    def __init__(self, dry: bool) -> None:
        self.device = torch.device("cpu") if dry else torch.device("cuda", 0)
        self.count = _COUNTS[dry]
        self.config = LlamaConfig(**(TINY if dry else LARGE), tie_word_embeddings=True, max_position_embeddings=8192)  # type: ignore[arg-type]
        self.bf16 = multiplies_bf16(self.device)
        self.meter = Meter(self.device)
        self._random = random.Random(0)

    def model(self, dtype: torch.dtype | None = None) -> Any:
        torch.manual_seed(0)
        with self.device:
            model: Any = LlamaForCausalLM(self.config)
        return model.to(dtype or (torch.bfloat16 if self.bf16 else torch.float32)).eval()

    def ids(self, length: int) -> list[int]:
        return [self._random.randrange(10, self.config.vocab_size) for _ in range(length)]

    def engine(self, tokens: int | None = None) -> Engine:
        model = self.model()
        return Engine(model, 0, frozenset(), tokens or batch_tokens(model))

    def pairs(self) -> list[Pair]:
        length = self.count["length"]
        return [(self.ids(length - 4 - i % 8), self.ids(4)) for i in range(self.count["examples"])]


def score(check: Check) -> Mapping[str, Any]:
    """Four choices of four tokens for each question, behind a beginning as long as few-shot's."""
    engine, count = check.engine(), check.count
    prefix = check.ids(count["prefix"])
    queries = [check.ids(count["query"] - i % 3) for i in range(count["queries"])]
    choices = [[check.ids(4) for _ in range(4)] for _ in queries]
    engine.score(prefix, queries[:1], choices[:1])  # trials, kernels
    with check.meter.phase("predict"):
        engine.score(prefix, queries, choices)
    return _rate(check.meter.phases["predict"], questions=len(queries), tokens=sum(len(q) + 16 for q in queries))


def generate(check: Check) -> Mapping[str, Any]:
    """Greedy texts that end at their longest."""
    engine, count = check.engine(), check.count
    prefix, queries = check.ids(count["prefix"]), [check.ids(count["query"] - i % 3) for i in range(count["queries"])]
    engine.generate(prefix, queries[:1], lambda ids: None, 2)
    with check.meter.phase("predict"):
        texts = engine.generate(prefix, queries, lambda ids: None, count["tokens"])
    return _rate(check.meter.phases["predict"], texts=len(texts), tokens=sum(map(len, texts)))


def training(name: str, check: Check) -> Mapping[str, Any]:
    """One epoch; the share of the peak counts what multiplies, without what is recomputed."""
    method, pairs = methods.create(name, {"learning_rate": 1e-4, "epochs": 1, "batch_size": 16}), check.pairs()
    part: Any = method.weights
    state = part.bytes_per_weight * sum(p.numel() for p in _shapes(check.config).parameters())
    numbers = check.config.num_hidden_layers * check.config.hidden_size
    rows = micro_batch(16, pairs, train_tokens(check.device, numbers, state))
    setting = Setting(part.options, 1e-4, 0, 0, rows, check.bf16)
    dtype = torch.float32 if part.full_precision else None
    with check.meter.phase("train"):
        model, result = train(lambda: part.start(check.model(dtype), 0), pairs, [], setting, lambda done, steps: None)
    shape, seconds = flops.shape_of(model), result.step_seconds
    done = flops.training(shape, result.work) if shape and result.work else None
    rate = _rate(check.meter.phases["train"], tokens=result.tokens, steps=result.steps)
    step_s = sum(v for k, v in asdict(seconds).items() if k != "steps") if seconds else None
    speed = done / (result.steps or 1) / step_s if done and step_s else None
    peak = next((of for part, of in PEAKS.items() if part in describe(check.device).device_name), None)
    return {
        **rate, "micro_batch": result.micro_batch, "checkpointing": result.checkpointing, "flops": done,
        "step_seconds": asdict(seconds) if seconds else None, "flops_per_s": speed,
        "mfu": speed / peak if speed and peak else None,
        "mfu_missing": "" if speed and peak else "no steady steps" if peak else "the card's peak is not known here",
    }  # fmt: skip


def memory(check: Check) -> Mapping[str, Any]:
    """All questions in one batch whose cache is larger than the card's memory; on a CPU an error stands for it."""
    engine, fails = check.engine(2**30), 0
    original = engine._generate_batch
    copies = 1 if check.device.type == "cpu" else 64  # a card has room for a few

    def watched(prefix: Any, batch: Any, *rest: Any) -> Any:
        nonlocal fails
        try:
            if check.device.type == "cpu" and len(batch) > 2:
                raise torch.OutOfMemoryError("stands for a card that is full")
            return original(prefix, batch, *rest)
        except Exception:
            fails += 1
            raise

    engine._generate_batch = watched  # type: ignore[method-assign,assignment]
    queries = [check.ids(check.count["query"]) for _ in range(check.count["queries"] * copies)]
    with check.meter.phase("predict"):
        texts = engine.generate(check.ids(check.count["prefix"]), queries, lambda ids: None, 2)
    if not fails:
        raise SystemExit("memory did not run out")
    return {
        **_rate(check.meter.phases["predict"], texts=len(texts)),
        "failures": fails,
        "held_tokens": engine.held["generate"],
    }


def _shapes(config: Any) -> Any:
    with torch.device("meta"):
        return LlamaForCausalLM(config)


def _rate(phase: Phase, **amounts: int | None) -> dict[str, Any]:
    rates = {f"{name}_per_s": value / phase.wall_s for name, value in amounts.items() if value}
    return {**amounts, **rates, "phase": asdict(phase)}


MEASURES: Mapping[str, Callable[[Check], Mapping[str, Any]]] = {
    "score": score, "generate": generate, "lora": partial(training, "lora"), "full": partial(training, "full"),
    "memory": memory,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=sorted(MEASURES))
    parser.add_argument("file", type=Path)
    parser.add_argument("--dry", action="store_true")
    asked = parser.parse_args()
    prepare_allocator()
    check = Check(asked.dry)
    found = {**MEASURES[asked.name](check), "environment": asdict(describe(check.device))}
    asked.file.write_text(json.dumps(found, indent=1, default=dict) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
