"""What a learner does: one for each way in which a method's weights part learns.

A weights part names its learner (`bench.core.method.LearnerKind`); everything that differs between training, fitting a
classifier and leaving the weights alone stands in that learner's file.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from bench.adapt.session import AdaptSession
from bench.core.adapter_part import AdapterPart
from bench.core.measured import FlopCheck, Parameters, SideMeasure
from bench.core.method import Method
from bench.core.prompt_search import PromptSearch
from bench.core.training import Judged, Options, Training, Tuning
from bench.engine.predictor import ModelPredictor
from bench.engine.prompts import Writer
from bench.training.checkpoints import CheckpointCallback

T = TypeVar("T")
_MOST_LEARNT, _FEWEST_LEARNT, _OF_LEARNT = 100, 16, 8
Scaled = Callable[[float], AbstractContextManager[None]]  # share of an adapter's update -> the model uses that share


@dataclass(frozen=True)
class Adapted:
    """An adapted model as a predictor, with what adapting it took."""

    predictor: ModelPredictor
    training: Training | None  # None where nothing was learnt
    parameters: Parameters
    flop_check: FlopCheck | None = None  # of a training batch
    release: Callable[[], None] = lambda: None  # lets the predictor's model answer other tasks than its own
    tuning: Tuning | None = None  # None where there was nothing to choose, or it had been chosen
    prompt_search: PromptSearch | None = None  # None where the context part looks for no prompt, or it had been found


@dataclass(frozen=True)
class Observer:
    """What looks at a model while it is adapted."""

    # while an adapter stands beside the weights
    apart: Callable[[ModelPredictor, Scaled, AdapterPart], None] = lambda predictor, scaled, part: None
    checkpoints: CheckpointCallback | None = None
    at_checkpoint: Callable[[int, ModelPredictor], None] = lambda step, predictor: None
    turned_off: Collection[SideMeasure] = ()  # what is not to be measured
    weights: Path | None = None  # an empty folder for what is trained; None: it is not kept
    written: Callable[[Writer], None] = lambda writer: None  # before anything is learnt: what writes the prompts


Judge = Callable[[int, int, Options, Method], Judged]  # trial, of how many, its options, the method with them


@dataclass(frozen=True)
class Judgement:
    """How the trials of a search are judged."""

    criterion: str  # "validation loss", or the task's primary metric
    higher_is_better: bool
    items: int  # of the validation split, that each trial is judged on
    judge: Judge


class Learner(Protocol):
    """One way of learning."""

    def adapt(self, method: Method, session: AdaptSession, writer: Writer, observer: Observer) -> Adapted:
        """Adapt the session's base model by a method with one value for each option.

        Raises:
            CellError: the method cannot work here, training diverged, or memory ran out.
        """

    def judgement(self, method: Method, session: AdaptSession) -> Judgement:
        """How trials of the options that `method` leaves open are judged, on the validation split alone."""


def once_for_each_context(make: Callable[[Method], T]) -> Callable[[Method], T]:
    """`make`, called once for all methods whose context parts have the same options: trials share what it gives."""
    made: dict[str, T] = {}

    def of(method: Method) -> T:
        context = method.context.options.model_dump_json()
        if context not in made:
            made[context] = make(method)
        return made[context]

    return of


def training_sample(examples: int) -> int:
    """How many of the training examples are asked or read again once they are learnt."""
    return min(_MOST_LEARNT, max(_FEWEST_LEARNT, examples // _OF_LEARNT))


def parameters(total: int, trained: int, session: AdaptSession, beside: int = 0) -> Parameters:
    """Counts, and the bytes that have to be kept of what was trained: in the precision it answers with, and `beside`
    each number.
    """
    return Parameters(total, trained, trained * (session.base.dtype.itemsize + beside))
