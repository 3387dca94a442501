"""Small made-up tasks and a cell run in this process, for tests of the harness."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

import methods
from bench.adapt.adapt import adapt
from bench.adapt.learner import Adapted, Observer
from bench.adapt.session import AdaptSession, Limits
from bench.core.item import Example, Item, Passage
from bench.core.method import Context, Evidence, Material, Method
from bench.core.prompt import Block, Prompt
from bench.core.record import Prediction
from bench.core.search import Search
from bench.core.task import History, Task
from bench.meters.phases import Meter
from bench.model.load import load_base
from bench.model.resolve import ModelSpec, resolve
from bench.retrieval.index import build

COLOURS = ("red", "green", "dark blue")
QUICK = {"max_steps": 3, "batch_size": 4, "learning_rate": 1e-3}


@dataclasses.dataclass(frozen=True)
class Given(Context):
    """A context that always shows the same."""

    own: tuple[Block, ...] = ()

    def find(self, items: Sequence[Item]) -> list[Evidence]:
        return [Evidence(self.own)] * len(items)


def choice_task(train: int = 12, validation: int = 4, test: int = 6) -> Task:
    """Which colour is named; every label occurs."""
    prompt = Prompt("Name the colour.", "Thing {number} is painted {colour}.\nColour:")

    def split(name: str, count: int) -> tuple[Example, ...]:
        return tuple(_coloured(name, i) for i in range(count))

    return Task("colours", "choice", prompt, split("train", train), split("validation", validation),
                split("test", test), metrics=("accuracy", "macro_f1"), digest="colours")  # fmt: skip


def text_task(train: int = 12, validation: int = 4, test: int = 6, corpus: bool = True) -> Task:
    """Repeat a word that a passage holds."""
    prompt = Prompt("Answer.", "What is in box {number}?\nAnswer:")

    def split(name: str, count: int) -> tuple[Example, ...]:
        return tuple(
            Example(f"{name}/{i}", {"number": f"{name}{i}"}, (), (f"stone {i}",), (f"p{i}",)) for i in range(count)
        )

    passages = tuple(Passage(f"p{i}", f"In box test{i} lies stone {i}.", f"Box {i}") for i in range(8))
    return Task("boxes", "text", prompt, split("train", train), split("validation", validation),
                split("test", test), corpus=passages if corpus else (), metrics=("exact_match", "token_f1"),
                max_new_tokens=6, digest="boxes")  # fmt: skip


def _coloured(split: str, index: int) -> Example:
    colour = COLOURS[index % 3]
    return Example(f"{split}/{index}", {"number": f"{split} {index}", "colour": colour}, COLOURS, (colour,))


def blind(examples: Sequence[Example]) -> list[Item]:
    """The items without their answers."""
    return [Item(e.id, e.fields, e.choices, picture=e.picture) for e in examples]


def session_of(
    task: Task,
    method: str,
    options: dict[str, Any],
    model: Path,
    seed: int = 0,
    dtype: str | None = None,
    **limits: Any,
) -> tuple[AdaptSession, Method]:
    """A session of this process on the CPU, with lexical retrieval, and the method; `limits` in place of the usual."""
    made = methods.create(method, options)

    def index(retriever: str, documents: Sequence[str]) -> Search:
        return build("lexical", documents, embedder=None)

    gold = {e.id: e.gold for e in task.test} if made.context.sees_gold else {}
    material = Material(task.name, task.prompt, task.train, task.validation, task.corpus, seed, index, gold)
    device = torch.device("cpu")
    spec = ModelSpec.model_validate({"path": str(model), **({"dtype": dtype} if dtype else {})})
    base = load_base(resolve(spec), device).behind(made.weights.virtual_tokens)
    usual = {"batch_tokens": 4096, "train_tokens": 4096, "batch_size": None, "bf16": False}
    nothing = dataclasses.replace(task, test=())
    session = AdaptSession(
        base, nothing, material, Limits(**usual | limits), Meter(device), lambda phase, done, total: None
    )
    return session, made


def adapted(
    task: Task,
    method: str,
    options: dict[str, Any],
    model: Path,
    seed: int = 0,
    observer: Observer | None = None,
    **limits: Any,
) -> Adapted:
    """`method` adapted to `task` in this process, see `session_of`."""
    session, made = session_of(task, method, options, model, seed, **limits)
    return adapt(made, session, observer=observer)


def predictions(task: Task, method: str, options: dict[str, Any], model: Path, **kwargs: Any) -> list[Prediction]:
    """What `method` answers to the task's test items."""
    return adapted(task, method, options, model, **kwargs).predictor.predict(blind(task.test))


def shop_task(train: int = 12, validation: int = 4, test: int = 6) -> Task:
    """Which product is bought next; who has bought one thing of a pair buys the other."""
    pairs = (("kettle", "tea"), ("saw", "saw file"), ("lamp", "oil"))
    prompt = Prompt("Name the product.", "Bought: {history}\nItems: {choices}\nNext:")

    def customer(split: str, index: int) -> Example:
        had, bought = pairs[index % 3][:: 1 if index % 2 else -1]
        offer = (pairs[(index + 1) % 3][0], bought, pairs[(index + 2) % 3][1])
        history = f"{split} customer {index}: a {had.title()} in May, {pairs[(index + 1) % 3][1]} before"
        return Example(f"{split}/{index}", {"history": history}, offer, (bought,))

    def split(name: str, count: int) -> tuple[Example, ...]:
        return tuple(customer(name, i) for i in range(count))

    return Task("shop", "choice", prompt, split("train", train), split("validation", validation),
                split("test", test), metrics=("accuracy", "mrr"), digest="shop",
                history=History("history"))  # fmt: skip
