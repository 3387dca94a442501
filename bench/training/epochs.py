"""Which epoch of a training is kept: the one with the lowest validation loss, or with the best score of its answers."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.training.packed_attention import plain_attention

RANK = "eval_rank"  # what the library's trainer compares: it rises where an epoch is better than all before it


@dataclass(frozen=True)
class Scorer:
    """What a model's answers to validation items score: what the kept epoch is chosen by in place of the loss."""

    score: Callable[[Any], float]
    higher_is_better: bool
    tokens: Callable[[], int] = lambda: 0  # of prompts and answers, so far
    had_read: Callable[[int], None] = lambda tokens: None  # told of those of an earlier attempt

    def order(self, score: float, loss: float) -> tuple[float, float]:
        """Lower for the better epoch; of equal scores the one with the lower loss."""
        return (-score if self.higher_is_better else score, loss)


@dataclass
class ScoredEpochs:
    """The scores of the epochs so far."""

    scorer: Scorer
    seconds: float = 0.0  # that answering took
    _rank: float = 0.0
    _best: tuple[float, float] = field(default=(math.inf, math.inf))
    _read_before: int = field(init=False)  # tokens, in other trainings by the same scorer

    def __post_init__(self) -> None:
        self._read_before = self.scorer.tokens()

    def judge(self, model: Any, loss: float) -> dict[str, float]:
        """The score of the epoch that `model` is at the end of, and its rank."""
        start, was_training = time.perf_counter(), model.training
        with plain_attention(model):
            score = self.scorer.score(model)
        model.train(was_training)
        order = self.scorer.order(score, loss)
        if order < self._best:
            self._rank, self._best = self._rank + 1, order
        self.seconds += time.perf_counter() - start
        return {"eval_metric": score, RANK: self._rank}

    def so_far(self) -> dict[str, Any]:
        """The state of this, as a JSON value, for `go_on`."""
        read = self.scorer.tokens() - self._read_before
        return {"seconds": self.seconds, "rank": self._rank, "best": list(self._best), "tokens": read}

    def go_on(self, state: dict[str, Any]) -> None:
        """Go on from the state of an earlier attempt."""
        first, second = state["best"]
        self.seconds, self._rank, self._best = state["seconds"], state["rank"], (first, second)
        self.scorer.had_read(state["tokens"])


def kept_epoch(scorer: Scorer | None, losses: Sequence[float], scores: Sequence[float]) -> int | None:
    """The place of the best epoch, of equal ones the first; None where none was judged."""
    orders = map(scorer.order, scores, losses) if scorer else ((loss, 0.0) for loss in losses)
    ranked = sorted((order, place) for place, order in enumerate(orders))
    return ranked[0][1] if ranked else None
