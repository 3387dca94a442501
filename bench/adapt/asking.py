"""Prompts that are found by asking a model: the search of a context part, metered and counted as tuning.

The part proposes candidates (`ContextPart.search`); what stands here asks the model, scores its answers on training and
validation items, and keeps what was found in the session, from which every context is built. The model that is asked
is the one that answers in the end; where its weights are still to be trained, the base model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from bench.adapt.served import ServedSession
from bench.adapt.session import AdaptSession
from bench.adapt.validation import ValidationItems
from bench.core.errors import CellError
from bench.core.item import Example, Item
from bench.core.measured import TokensUsed
from bench.core.method import GRADIENT, Context, Method
from bench.core.prompt import Prompt
from bench.core.prompt_search import Answered, PromptSearch, ReflectedBy
from bench.core.record import Prediction
from bench.core.task import Task
from bench.engine.predictor import ModelPredictor
from bench.metrics import NAMES
from bench.metrics.scoring import score
from tasks.loader.splits import TRIAL_ITEMS, sample

_LONGEST = 8  # items, the longest of train and validation, beside which shared blocks have to fit
_REFLECTION_TOKENS = 512
# What a reflecting model is asked: one text, answered at length
REFLECTION = Task("reflection", "text", Prompt("", "{text}"), (), (), (), metrics=("exact_match",), stop=(),
                  max_new_tokens=_REFLECTION_TOKENS)  # fmt: skip


@dataclass
class Reflector:
    """A model that writes, in a session whose task is `REFLECTION`."""

    session: AdaptSession
    model: Any
    named: ReflectedBy | None = None  # None: the model that answers

    @classmethod
    def within(cls, session: AdaptSession, model: Any) -> Reflector:
        """The model of a session on another task."""
        material = replace(session.material, prompt=REFLECTION.prompt, train=(), validation=())
        return cls(replace(session, task=REFLECTION, material=material, writes_choices=False), model)

    def write(self, text: str, number: int) -> tuple[str, int]:
        """What the model writes, "" where the text does not fit, and the tokens of both."""
        items = ValidationItems(self.session, (Example(f"reflection/{number}", {"text": text}, (), ("",)),))
        predictor = self._predictor
        (written,) = items.predicted(predictor, items.written(predictor))
        return "" if written.failure else written.output, items.tokens

    @property
    def by(self) -> ReflectedBy | None:
        """The model, with the tokens that its endpoint has counted so far; None: it is the one that answers."""
        if self.named is None or not isinstance(self.session, ServedSession):
            return self.named
        return replace(self.named, used=self.session.served.client.used.get("tune", TokensUsed()))

    @cached_property
    def _predictor(self) -> ModelPredictor:
        return self.session.predictor(self.model, self.session.writer(Context()))


@dataclass
class ModelAsker:
    """Asks a model for a context part; see `bench.core.prompt_search.Asker`."""

    session: AdaptSession
    model: Any
    trials: int
    reflector: Reflector
    answers: int = 0
    tokens: int = 0
    reflections: int = 0
    _asked: Context | None = field(default=None, repr=False)

    @cached_property
    def validation(self) -> tuple[Example, ...]:
        return sample(self.session.material.validation, TRIAL_ITEMS, 0)

    def answer(self, context: Context, examples: Sequence[Example]) -> Answered:
        if context != self._asked:
            self._predictor.forget()
            self._asked = context
        predictor = replace(self._predictor, writer=self.session.writer(context))
        items = ValidationItems(self.session, tuple(examples))
        predictions = items.predicted(predictor, items.written(predictor))
        self.answers += len(examples)
        self.tokens += items.tokens
        value = items.score(predictions)
        outputs = tuple("" if each.failure else each.output for each in predictions)
        return Answered(outputs, merits(self.session.task, examples, predictions), value, merit(items.criterion, value))

    def fitting(self, context: Context) -> int:
        writer, material = self.session.writer(context), self.session.material
        if not writer.context_length:
            raise CellError("the endpoint does not say how long its model's context is, so that nothing can fill it")
        # without its id, an item of the training split is shown itself too: a test item is shown all
        asked = [Item("", each.fields, each.choices) for each in (*material.train, *material.validation)]
        asked = sorted(asked, key=lambda item: -len(writer.prompt.ask(item)))[:_LONGEST]
        fits = len(context.shared)
        for item in asked:
            (prompt,) = replace(writer, context=replace(context, shared=context.shared[:fits])).write([item])
            fits = 0 if prompt.failure else fits - prompt.examples_dropped
        return fits

    def reflect(self, text: str) -> str:
        self.reflections += 1
        written, tokens = self.reflector.write(text, self.reflections)
        self.tokens += tokens
        return written

    @cached_property
    def _predictor(self) -> ModelPredictor:
        return self.session.predictor(self.model, self.session.writer(Context()))


def with_prompt(
    method: Method, session: AdaptSession, trials: int, reflector: Reflector | None = None
) -> tuple[AdaptSession, PromptSearch | None]:
    """The session with the prompt that the method's context part finds, and its search; None where it has none to do.

    Raises:
        CellError: there are no validation items to choose on, or the endpoint of the model or its budget fails.
    """
    context, material = method.context, session.material
    if not context.searches or material.found is not None:
        return session, None
    model = session.untouched() if method.weights.learner == GRADIENT else session.answering(method)
    asker = ModelAsker(session, model, trials, reflector or Reflector.within(session, model))
    found = context.search(material, asker)
    criterion = session.task.metrics[0] if found.tried else ""
    by = asker.reflector.by if asker.reflections else None
    search = PromptSearch(found, criterion, asker.answers, asker.tokens, asker.reflections, by)
    return replace(session, material=replace(material, found=found)), search


def merit(criterion: str, value: float) -> float:
    """A metric's value where more is better: 1 for a perfect prediction."""
    info = NAMES[criterion]
    if info.higher_is_better:
        return value / info.scale
    return 1 - value / info.scale if info.bounded else -value


def merits(task: Task, examples: Sequence[Example], predictions: Sequence[Prediction]) -> tuple[float, ...]:
    """The merit of each answer; of a metric that is no mean over items, that of the item alone."""
    name = task.metrics[0]
    asked = replace(task, metrics=(name,))
    if NAMES[name].per_item:
        values = score(replace(asked, test=tuple(examples)), predictions).per_item[name]
    else:
        alone = zip(examples, predictions, strict=True)
        values = [score(replace(asked, test=(each,)), [answer]).scores[name].value for each, answer in alone]
    return tuple(merit(name, value) for value in values)
