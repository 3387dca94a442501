"""What a model is asked beside the test: how fast it answers, training items, probes of what it knew before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from torch import Tensor

from bench.adapt.learner import Scaled, training_sample
from bench.adapt.session import AdaptSession
from bench.cell import budget
from bench.cell.counterfactuals import changed
from bench.cell.divergence import divergence, next_tokens
from bench.cell.job import Job
from bench.cell.probes import ask
from bench.core.adapter_part import AdapterPart
from bench.core.measured import TAIL_ITEMS, Latency, Serving
from bench.core.method import WeightsPart
from bench.core.record import CheckpointScores, ScaledScores, Scores
from bench.core.task import Task
from bench.engine.backend import LocalBackend
from bench.engine.predictor import ModelPredictor, question
from bench.engine.prompts import Encoded, Writer
from bench.meters.latency import FEW, FEWEST, SAMPLE, latency
from bench.meters.optional import optional
from bench.meters.phases import Meter
from bench.metrics.scoring import score
from bench.model.base import Base
from bench.model.fingerprint import fingerprint
from tasks.loader.splits import sample

Progress = Callable[[str, int, int], None]
ITEMS = 100  # of the validation split, at most


@dataclass
class SideEvals:
    """Looks at a cell's model at several moments, and remembers what was seen."""

    job: Job
    task: Task
    base: Base
    meter: Meter
    progress: Progress
    latency: dict[Serving, Latency] = field(default_factory=dict)
    curve: list[CheckpointScores] = field(default_factory=list)
    scaled: list[ScaledScores] = field(default_factory=list)
    untrained: dict[str, Scores] = field(default_factory=dict)  # probe -> scores of what training started from
    left_out: list[str] = field(default_factory=list)  # what the budget has no seconds for
    flips: dict[str, dict[str, bool]] = field(default_factory=dict)  # slot -> item -> whether its answer changed
    writer: Writer | None = None  # of what the base was asked
    prompts: Sequence[Encoded] = ()  # of the test items, by that writer
    before: Tensor | None = None  # see `next_tokens`: what the base says to them

    def serve(self, way: Serving, predictor: ModelPredictor, cached: bool = True) -> None:
        """Measure the latency of a way of serving: of "served" the tail too, of others the median alone."""
        if "latency" in self.job.turned_off:
            return
        items = [question(example) for example in self.task.test]
        limit_s, tail = budget.for_latency(self.meter, way), way == "served"
        served = self.latency.get("served")
        if way == "uncached" and served and budget.is_spent(self.meter, served.p50):
            self.left_out.append("latency without the prefix cache")
            return
        fewest, most = TAIL_ITEMS if tail and self.job.times_tail else FEWEST if tail else 1, SAMPLE if tail else FEW
        measured = partial(latency, predictor, items, self.meter.device, cached)
        with self.meter.phase("serve"):
            timed = optional("latency", lambda: measured(fewest=fewest, most=most, limit_s=limit_s))
        if timed is not None:
            self.latency[way] = timed

    def counterfactuals(self, predictor: ModelPredictor, limit: int) -> None:
        """Ask both forms of pairs that ought to get the same answer."""
        items = [question(example) for example in self.task.test]
        with self.meter.phase("probe"):
            self.flips = changed(predictor, self.task.counterfactuals, items, limit)

    def ask_base(self, session: AdaptSession, writer: Writer) -> None:
        """Ask the base model the test's prompts while memory holds it, to compare the adapted one's answers with."""
        with self.meter.phase("retrieve"):
            self.writer, self.prompts = writer, writer.write([question(example) for example in self.task.test])
        with self.meter.phase("probe"):
            asked = partial(next_tokens, session.backend(session.untouched()), self.prompts)
            self.before = optional("divergence from the base", asked)

    def during(self, step: int, predictor: ModelPredictor) -> None:
        """Ask the model of a step of its training."""
        self.curve.append(CheckpointScores(step, *self._midway(predictor)))

    def apart(self, predictor: ModelPredictor, scaled: Scaled, part: AdapterPart) -> None:
        """Ask a model whose adapter stands beside the weights at shares of its update; serve it, if it gets merged."""
        if part.merges:
            self.serve("unmerged", predictor)
        if not part.starts_as_base:
            self._untrained(predictor, scaled)
        for scale in self.job.adapter_scales:
            predictor.forget()
            with scaled(scale):
                self.scaled.append(ScaledScores(scale, *self._midway(predictor)))

    def _untrained(self, predictor: ModelPredictor, scaled: Scaled) -> None:
        """Ask the probes of what the training started from."""
        predictor.forget()
        out, limit = Path(self.job.out), self.job.probe_limit
        with self.meter.phase("probe"), scaled(0.0):
            self.untrained |= dict(
                ask(path, limit, predictor.backend, self.base, out, self.progress, untrained=True)
                for path in self.job.probes
            )

    def _midway(self, predictor: ModelPredictor) -> tuple[Scores, dict[str, Scores]]:
        """Scores on validation items and probes; the answers are not kept."""
        examples = sample(self.task.validation, ITEMS, 0)
        with self.meter.phase("probe"):
            predictions = predictor.predict([question(example) for example in examples])
            scores = score(replace(self.task, test=examples), predictions).scores if examples else {}
            probes = dict(
                ask(path, self.job.probe_limit, predictor.backend, self.base, None, self.progress)
                for path in self.job.probes
            )
        return scores, probes


def on_training_items(predictor: ModelPredictor, task: Task) -> Scores:
    """The scores on a sample of the training split: what is above the test's is memorised."""
    examples = sample(task.train, min(len(task.test), training_sample(len(task.train))), 0)
    predictions = predictor.predict([question(example) for example in examples])
    return score(replace(task, test=examples), predictions).scores


def leaves_weights(part: WeightsPart) -> bool:
    """Whether a method answers with the weights of the base as they were loaded."""
    own = type(part)
    return not part.learner.moves_weights and own.start is WeightsPart.start and own.finish is WeightsPart.finish


def still_known(
    job: Job, adapted: LocalBackend, session: AdaptSession, first: str | None
) -> tuple[bool, dict[str, Scores]]:
    """Whether the weights are no longer those that were loaded, of fingerprint `first`; if so, what probes score."""
    if fingerprint(adapted.model, session.base.dtype) == first:
        return False, {}
    asked = (ask(each, job.probe_limit, adapted, session.base, Path(job.out), session.progress) for each in job.probes)
    return True, dict(asked)


def distance_from_base(adapted: LocalBackend, before: Tensor | None, prompts: Sequence[Encoded]) -> float | None:
    """See `divergence`; `before` is what the base says to the prompts."""

    def apart() -> float | None:
        moved = next_tokens(adapted, prompts)
        return None if moved is None or before is None else divergence(moved, before)

    return optional("divergence from the base", apart)
