"""Contrastive training of a sentence encoder by sentence-transformers.

Texts with one label are drawn together, others apart (SetFit): pairs as Tunstall et al. 2022 (arXiv:2209.11055, section
3.1) draw them, on the square of the difference between their cosine and 1 or 0. Or questions are drawn to their
passages, away from those of other questions (`bench.training.ranking`).
"""

from __future__ import annotations

import random
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, cast

from transformers import PrinterCallback, TrainerCallback
from transformers.trainer_callback import ProgressCallback

from bench.core.hashing import derive_seed
from bench.core.training import BatchWork, Training
from bench.training.arguments import OneDeviceArguments, Setting, arguments
from bench.training.trainer import Progress, Watch, within_memory


@dataclass(frozen=True, slots=True)
class TextPair:
    """Two examples by their places, and whether they have one label."""

    first: int
    second: int
    alike: bool


def text_pairs(labels: Sequence[int], rounds: int, most: int, seed: int) -> list[TextPair]:
    """At most `most` pairs: in each round every example, in random order, with one of its label and one of another.

    An example is never paired with itself; of a label with one example there are no pairs that are alike.
    """
    return list(islice(_drawn(labels, rounds, random.Random(derive_seed("pairs", seed))), most))


def _drawn(labels: Sequence[int], rounds: int, rng: random.Random) -> Iterator[TextPair]:
    places: dict[int, list[int]] = defaultdict(list)
    for place, label in enumerate(labels):
        places[label].append(place)
    others = {label: [place for place, of in enumerate(labels) if of != label] for label in places}
    for _ in range(rounds):
        for place in rng.sample(range(len(labels)), len(labels)):
            same = places[labels[place]]
            if len(same) > 1:
                drawn = rng.choice(same[:-1])
                yield TextPair(place, same[-1] if drawn == place else drawn, True)
            if others[labels[place]]:
                yield TextPair(place, rng.choice(others[labels[place]]), False)


def draw_together(
    make: Callable[[], Any],
    texts: Sequence[str],
    lengths: Sequence[int],
    pairs: Sequence[TextPair],
    setting: Setting,
    progress: Progress,
) -> tuple[Any, Training]:
    """Train the `SentenceClassifier` that `make` gives on pairs of `texts`, which have `lengths` in tokens.

    Raises:
        DivergedError: a loss or gradient norm is not finite.
        OutOfMemoryError: one pair at a time does not fit.
    """
    return within_memory(setting, lambda tried: _once(make(), texts, lengths, pairs, tried, progress))


def _once(
    model: Any,
    texts: Sequence[str],
    lengths: Sequence[int],
    pairs: Sequence[TextPair],
    setting: Setting,
    progress: Progress,
) -> tuple[Any, Training]:
    from sentence_transformers.sentence_transformer.losses import CosineSimilarityLoss

    columns: dict[str, list[Any]] = {
        "first": [texts[pair.first] for pair in pairs],
        "second": [texts[pair.second] for pair in pairs],
        "label": [float(pair.alike) for pair in pairs],
    }
    trainer = fit(model.body, columns, CosineSimilarityLoss(model.body), setting, [Watch(progress)])
    return model.eval(), _outcome(trainer, lengths, pairs, setting)


def fit(
    body: Any,
    columns: Mapping[str, Sequence[Any]],
    loss: Any,
    setting: Setting,
    callbacks: Sequence[TrainerCallback],
    **more: Any,
) -> Any:
    """Train a `SentenceTransformer` on columns of texts; the library's trainer when it is done.

    `more`: arguments of the library in addition to those of every training here.
    """
    from datasets import Dataset
    from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments

    @dataclass
    class Arguments(OneDeviceArguments, SentenceTransformerTrainingArguments):
        """Those of texts, on one device."""

    class TextTrainer(SentenceTransformerTrainer):
        """Without a model card, for which texts would be counted and examples taken out."""

        def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
            """None is added."""

    if setting.checkpointing:
        body.gradient_checkpointing_enable()
    rows = len(next(iter(columns.values())))
    with tempfile.TemporaryDirectory(prefix="adaptbench-") as folder:
        told = cast(Arguments, arguments(folder, rows, None, setting, body.device, Arguments))
        for name, value in more.items():
            setattr(told, name, value)
        trainer = TextTrainer(
            model=body, args=told, train_dataset=Dataset.from_dict(columns), loss=loss, callbacks=list(callbacks)
        )
        for unwanted in (PrinterCallback, ProgressCallback):
            trainer.remove_callback(unwanted)
        trainer.train()
    return trainer


def _outcome(trainer: Any, lengths: Sequence[int], pairs: Sequence[TextPair], setting: Setting) -> Training:
    state = trainer.state
    read = [lengths[place] for pair in pairs for place in (pair.first, pair.second)]
    log = [entry for entry in state.log_history if "step" in entry and "loss" in entry]
    return Training(
        rate=setting.rate,
        steps=state.global_step,
        epochs=float(state.epoch or 0),
        tokens=sum(read),
        train_loss=tuple((int(entry["step"]), float(entry["loss"])) for entry in log),
        micro_batch=setting.micro_batch,
        checkpointing=setting.checkpointing,
        work=BatchWork(sum(read), len(read), sum(length**2 for length in read)),
        examples=len(lengths),
    )
