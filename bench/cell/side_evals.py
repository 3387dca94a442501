"""What a model is asked beside the test: how fast it answers, training items, probes of what it knew before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.adapt.learner import Scaled
from bench.adapt.session import AdaptSession
from bench.cell.counterfactuals import changed
from bench.cell.divergence import divergence, next_tokens
from bench.cell.probes import ask
from bench.core.measured import Latency, Serving
from bench.core.record import CheckpointScores, ScaledScores, Scores
from bench.core.task import Task
from bench.engine.backend import LocalBackend
from bench.engine.predictor import ModelPredictor, question
from bench.engine.prompts import Encoded
from bench.meters.latency import FEWEST, SAMPLE, latency
from bench.meters.optional import optional
from bench.meters.phases import Meter
from bench.metrics.scoring import score
from bench.model.base import Base
from bench.model.fingerprint import fingerprint
from bench.model.memory import free_cached
from tasks.loader.splits import sample

Progress = Callable[[str, int, int], None]
ITEMS = 100  # of the training or validation split, at most


@dataclass
class SideEvals:
    """Looks at a cell's model at several moments, and remembers what was seen."""

    probes: Sequence[str]
    limit: int | None
    scales: Sequence[float]  # shares of an adapter's update at which it is asked too
    task: Task
    base: Base
    meter: Meter
    progress: Progress
    latency: dict[Serving, Latency] = field(default_factory=dict)
    curve: list[CheckpointScores] = field(default_factory=list)
    scaled: list[ScaledScores] = field(default_factory=list)
    flips: dict[str, dict[str, bool]] = field(default_factory=dict)  # slot -> item -> whether its answer changed

    def serve(self, way: Serving, predictor: ModelPredictor, cached: bool = True) -> None:
        """Measure the latency of a way of serving: of "served" the tail too, of others the median alone."""
        items = [question(example) for example in self.task.test]
        most = SAMPLE if way == "served" else FEWEST
        with self.meter.phase("serve"):
            timed = optional("latency", lambda: latency(predictor, items, self.meter.device, cached, most))
        if timed is not None:
            self.latency[way] = timed

    def counterfactuals(self, predictor: ModelPredictor, limit: int) -> None:
        """Ask both forms of pairs that ought to get the same answer."""
        items = [question(example) for example in self.task.test]
        with self.meter.phase("probe"):
            self.flips = changed(predictor, self.task.counterfactuals, items, limit)

    def during(self, step: int, predictor: ModelPredictor) -> None:
        """Ask the model of a step of its training."""
        self.curve.append(CheckpointScores(step, *self._midway(predictor)))

    def unmerged(self, predictor: ModelPredictor, scaled: Scaled) -> None:
        """Serve, and ask at shares of its update, a model whose adapter stands beside the weights."""
        self.serve("unmerged", predictor)
        for scale in self.scales:
            predictor.forget()
            with scaled(scale):
                self.scaled.append(ScaledScores(scale, *self._midway(predictor)))

    def _midway(self, predictor: ModelPredictor) -> tuple[Scores, dict[str, Scores]]:
        """Scores on validation items and probes; the answers are not kept."""
        examples = sample(self.task.validation, ITEMS, 0)
        with self.meter.phase("probe"):
            predictions = predictor.predict([question(example) for example in examples])
            scores = score(replace(self.task, test=examples), predictions).scores if examples else {}
            probes = dict(
                ask(path, self.limit, predictor.backend, self.base, None, self.progress) for path in self.probes
            )
        return scores, probes


def on_training_items(predictor: ModelPredictor, task: Task) -> Scores:
    """The scores on items of the training split, no more than the test has: what is above the test's is memorised."""
    examples = sample(task.train, min(len(task.test), ITEMS), 0)
    predictions = predictor.predict([question(example) for example in examples])
    return score(replace(task, test=examples), predictions).scores


def after(
    probes: Sequence[str],
    limit: int | None,
    adapted: LocalBackend,
    session: AdaptSession,
    prompts: Sequence[Encoded],
    out: Path,
    first: str | None,
) -> tuple[bool, float | None, dict[str, Scores]]:
    """Whether the weights are no longer the base's; if so how far they are from it, and what they answer to probes.

    `first`: fingerprint of the weights that were loaded. Memory holds one model at a time: the adapted one is emptied
    before its base is loaded again.
    """
    if fingerprint(adapted.model, session.base.dtype) == first:
        return False, 0.0, {}
    scores = dict(ask(path, limit, adapted, session.base, out, session.progress) for path in probes)

    def apart() -> float | None:
        moved = next_tokens(adapted, prompts)
        adapted.forget()
        adapted.model.to("meta")
        free_cached()
        before = None if moved is None else next_tokens(session.backend(session.base.load(False)), prompts)
        return None if moved is None or before is None else divergence(moved, before)

    return True, optional("divergence from the base", apart), scores
