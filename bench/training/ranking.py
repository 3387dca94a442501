"""Training of a sentence encoder to rank: a question is drawn to its passage, away from all others of the batch.

The loss is the cross-entropy of the passage among those of the batch, hard negatives among them
(MultipleNegativesRankingLoss of sentence-transformers; Henderson et al. 2017, arXiv:1705.00652). Where memory holds
fewer pairs at once, the batch stays as large (GradCache: Gao et al. 2021, arXiv:2101.06983).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from transformers import TrainerCallback

from bench.core.training import BatchWork, Training
from bench.training.arguments import Setting
from bench.training.contrast import fit
from bench.training.trainer import Progress, Watch, within_memory

QUESTION, PASSAGE = "question", "passage"  # columns; those of negatives follow
Score = Callable[[Any], float]  # of an encoder, the higher the better
_AT_ONCE = 512  # texts that are cut into tokens together


class BestEpoch(TrainerCallback):
    """Scores an encoder before it learns and after each epoch, and remembers the best weights (ties: the first)."""

    def __init__(self, body: Any, score: Score, every: int) -> None:
        self.curve: list[tuple[int, float]] = []
        self.seconds = 0.0
        self._body, self._score, self._every = body, score, every
        self._weights: Mapping[str, torch.Tensor] = {}
        self._judge(0)

    @property
    def best(self) -> tuple[int, float]:
        """The step whose weights are kept, and its score."""
        return max(self.curve, key=lambda point: point[1])

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step % self._every == 0 or state.global_step == state.max_steps:
            self._judge(state.global_step)

    def restore(self) -> None:
        """Give the encoder the best weights back."""
        self._body.load_state_dict(self._weights)

    def _judge(self, step: int) -> None:
        start = time.perf_counter()
        training = self._body.training
        value = self._score(self._body.eval())
        self._body.train(training)
        if not self.curve or value > self.best[1]:
            self._weights = {name: tensor.detach().clone() for name, tensor in self._body.state_dict().items()}
        self.curve.append((step, value))
        self.seconds += time.perf_counter() - start


def draw_to_passages(
    make: Callable[[], Any],
    columns: Mapping[str, Sequence[str]],
    setting: Setting,
    progress: Progress,
    score: Score | None,
) -> tuple[Any, Training]:
    """Train the `SentenceTransformer` that `make` gives on questions, their passages and columns of hard negatives.

    `score` chooses the epoch that is kept, the encoder as it was among them; without it the last is.

    Raises:
        DivergedError: a loss or gradient norm is not finite.
        OutOfMemoryError: one pair at a time does not fit.
    """
    return within_memory(setting, lambda tried: _once(make(), columns, tried, progress, score))


def _once(
    body: Any, columns: Mapping[str, Sequence[str]], setting: Setting, progress: Progress, score: Score | None
) -> tuple[Any, Training]:
    from sentence_transformers.base.sampler import BatchSamplers
    from sentence_transformers.sentence_transformer import losses

    size, rows = setting.options.batch_size, len(columns[QUESTION])
    cached = setting.micro_batch < size
    loss = (
        losses.CachedMultipleNegativesRankingLoss(body, mini_batch_size=setting.micro_batch)
        if cached
        else losses.MultipleNegativesRankingLoss(body)
    )
    epochs = BestEpoch(body, score, -(-rows // size)) if score else None
    prompts = {name: body.prompts.get("query" if name == QUESTION else "document") or "" for name in columns}
    trainer = fit(
        body,
        columns,
        loss,
        replace(setting, micro_batch=size),
        [Watch(progress), *([epochs] if epochs else [])],
        batch_sampler=BatchSamplers.NO_DUPLICATES,  # the passage of a pair is no negative of another
        prompts=prompts if any(prompts.values()) else None,
    )
    if epochs:
        epochs.restore()
    return body.eval(), _outcome(body, trainer, columns, setting, epochs, cached)


def _outcome(
    body: Any,
    trainer: Any,
    columns: Mapping[str, Sequence[str]],
    setting: Setting,
    epochs: BestEpoch | None,
    cached: bool,
) -> Training:
    state, rows = trainer.state, len(columns[QUESTION])
    lengths = [length for texts in columns.values() for length in token_lengths(body, texts)]
    passes = state.global_step * setting.options.batch_size / rows
    work = BatchWork(
        round(passes * sum(lengths)), round(passes * len(lengths)), round(passes * sum(n**2 for n in lengths))
    )
    log = [entry for entry in state.log_history if "step" in entry and "loss" in entry]
    return Training(
        rate=setting.rate,
        steps=state.global_step,
        epochs=passes,
        tokens=work.tokens,
        train_loss=tuple((int(entry["step"]), float(entry["loss"])) for entry in log),
        best_step=epochs.best[0] if epochs else None,
        micro_batch=setting.micro_batch,
        checkpointing=setting.checkpointing or cached,
        work=work,
        examples=rows,
        validation_metric=tuple(epochs.curve) if epochs else (),
        best_validation_metric=epochs.best[1] if epochs else None,
        metric_s=epochs.seconds if epochs else None,
    )


def token_lengths(body: Any, texts: Sequence[str]) -> list[int]:
    """Tokens of each text as an encoder sees it, cut at its longest input; 0 for a model without a transformer."""
    lengths: list[int] = []
    for start in range(0, len(texts), _AT_ONCE):
        batch = list(texts[start : start + _AT_ONCE])
        mask = body.preprocess(batch).get("attention_mask")
        lengths += [0] * len(batch) if mask is None else mask.sum(dim=1).tolist()
    return lengths
