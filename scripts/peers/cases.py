"""What is timed: the models, and the questions and trainings that both sides are given.

Nothing here depends on what an answer is worth: labels need not fit, since only time and equality are looked at.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Literal

import methods
import tasks
from bench.core.hashing import derive_seed
from bench.core.item import Example
from bench.core.method import Material
from bench.core.search import Search
from bench.core.task import Task
from bench.engine.prompts import Writer
from bench.model.base import Base
from bench.model.resolve import ModelSpec, resolve

Kind = Literal["score", "write", "train", "suite"]
ROOT = Path(__file__).resolve().parents[3]
SHAPES = {
    "llama-100m": {"hidden_size": 768, "intermediate_size": 2048, "layers": 12, "heads": 12},
    "llama-384": {"hidden_size": 384, "intermediate_size": 1024, "layers": 12, "heads": 12},
    "llama-192": {"hidden_size": 192, "intermediate_size": 512, "layers": 12, "heads": 12},
}
_VERBS = (
    "change",
    "cancel",
    "find",
    "return",
    "pay for",
    "complain about",
    "insure",
    "repair",
    "gift",
    "split",
    "delay",
)
_NOUNS = ("my whole order", "a parcel", "the invoice", "one voucher", "the garden tools", "an account", "the delivery")


@dataclass(frozen=True)
class Case:
    """One row of the table."""

    name: str
    kind: Kind
    task: Callable[[], Task]
    shots: int = 0
    weights: str = ""  # of a training: full or lora


def four_choices() -> Task:
    """Short questions with four answers of several tokens, others for each; 25 of them fit into 1,024 tokens."""
    task = tasks.load("world-facts")
    answers = sorted({example.references[0] for example in (*task.train, *task.test)})

    def offered(example: Example) -> Example:
        rng = random.Random(derive_seed("peers", example.id))
        said = [f"that would be {answer}" for answer in (example.references[0], *rng.sample(answers, 3))]
        return replace(example, choices=tuple(said), references=(said[0],))

    train, test = tuple(map(offered, task.train)), tuple(map(offered, task.test))
    return replace(task, kind="choice", train=train, test=(*test, *train[100:]))


def short_answers() -> Task:
    """The questions of `reading`, answered in writing."""
    task = tasks.load("reading")
    train, test = (tuple(replace(each, choices=()) for each in split) for split in (task.train, task.test))
    return replace(task, kind="text", train=train, test=test, metrics=("exact_match",), stop=("\n",), max_new_tokens=24)


def many_labels() -> Task:
    """A customer's message and 77 labels of two to five words, as many as Banking77 has."""
    task = tasks.load("support-intents")
    labels = tuple(f"{verb} {noun}" for verb, noun in product(_VERBS, _NOUNS))
    asked = tuple(replace(each, choices=labels, references=(labels[0],)) for each in (*task.test, *task.train))
    return replace(task, test=asked)


CASES = {
    case.name: case
    for case in (
        *(Case(f"4 choices, {shots} shots", "score", four_choices, shots) for shots in (0, 5, 10, 25)),
        Case("77 labels, 0 shots", "score", many_labels),
        Case("short answers", "write", short_answers),
        Case("replies, 2 shots", "write", lambda: tasks.load("support-replies"), 2),
        Case("full", "train", lambda: tasks.load("support-replies"), weights="full"),
        Case("lora", "train", lambda: tasks.load("support-replies"), weights="lora"),
        Case("whole suite, intents", "suite", lambda: tasks.load("support-intents"), 4),
        Case("whole suite, replies", "suite", lambda: tasks.load("support-replies"), 4),
    )
}


def folder_of(model: str, cache: Path) -> Path:
    """Where a model lies: a bundled one or a folder as `ModelSpec` finds it, a shape with random weights in `cache`."""
    if model not in SHAPES:
        return resolve(ModelSpec(path=model)).folder
    folder = cache / model
    if not (folder / "config.json").is_file():
        _random(SHAPES[model], folder)
    return folder


def _random(shape: dict[str, int], folder: Path) -> None:
    """A Llama of the given shape with mini's tokenizer."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(resolve(ModelSpec(path="mini")).folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape["hidden_size"],
        intermediate_size=shape["intermediate_size"],
        num_hidden_layers=shape["layers"],
        num_attention_heads=shape["heads"],
        num_key_value_heads=shape["heads"],
        max_position_embeddings=2048,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def writer(base: Base, task: Task, shots: int) -> Writer:
    """Writes the prompts of a case."""
    method = methods.create("few-shot", {"k": shots}) if shots else methods.create("zero-shot", {})
    reserve = task.max_new_tokens if task.kind == "text" else 0
    context = method.context.build(
        Material(task.name, task.prompt, task.train, task.validation, (), seed=0, index=never)
    )
    return Writer(base.codec, task.prompt, context, base.context_length, reserve)


def never(retriever: str, documents: Sequence[str]) -> Search:
    """The index of a context that retrieves nothing."""
    raise AssertionError("nothing is retrieved here")


def text_of(written: Writer, example: Example) -> str:
    """The prompt as one text, for a harness that tokenises by itself."""
    return written.prompt.text(written.context.shared, written.prompt.ask(example))
