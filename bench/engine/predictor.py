"""The predictor of every method: prompts from a writer, answers from a back end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from bench.core.citation import without_citations
from bench.core.item import Example, Item
from bench.core.record import Prediction
from bench.core.task import Task
from bench.engine.backend import Backend, Done
from bench.engine.prompts import Encoded, Writer
from bench.engine.ranking import Priors, ranked
from bench.engine.thinking import Thought, think
from bench.engine.told_choices import NO_CHOICE, STOP, answer_tokens, named


@dataclass(frozen=True)
class ModelPredictor:
    """Answers items with an adapted model. One item's answer does not depend on the others asked with it."""

    backend: Backend
    writer: Writer
    task: Task
    progress: Callable[[int, int], None]
    priors: Priors = field(default_factory=Priors)  # of choices, where the task's rule asks for them
    thinking_tokens: int = 0  # that the model may think before it writes an answer
    writes_choices: bool = False  # a choice is the one that a written text names; else the likeliest

    def predict(self, items: Sequence[Item]) -> list[Prediction]:
        """A prediction for each item, in order; an item that cannot fit is a prediction with a failure."""
        return self.answer(items, self.writer.write(items))

    def answer(self, items: Sequence[Item], prompts: Sequence[Encoded]) -> list[Prediction]:
        """`predict` on prompts already written, one for each item."""
        fitting = [i for i, prompt in enumerate(prompts) if prompt.failure is None]
        done = len(prompts) - len(fitting)

        def report(count: int) -> None:
            nonlocal done
            done += count
            self.progress(done, len(prompts))

        ask = self._write if self.task.kind == "text" else self._choose
        answers = ask([items[i] for i in fitting], [prompts[i] for i in fitting], report)
        if self.writer.context.cites:
            answers = [_uncited(prediction) for prediction in answers]
        answered = dict(zip(fitting, answers, strict=True))
        return [answered[i] if i in answered else _failed(prompt) for i, prompt in enumerate(prompts)]

    def forget(self) -> None:
        """Drop what is kept of earlier prompts: the weights are no longer the same."""
        self.backend.forget()
        self.priors.forget()

    def one_at_a_time(self) -> ModelPredictor:
        """The same, asked one item after the other, with nothing kept of those asked so far."""
        return replace(self, backend=self.backend.one_at_a_time(), progress=lambda done, total: None)

    def shortened(self) -> ModelPredictor:
        """The same, which writes a token where an answer is a text."""
        return replace(self, task=replace(self.task, max_new_tokens=1), thinking_tokens=0)

    def _choose(self, items: Sequence[Item], prompts: Sequence[Encoded], report: Done) -> list[Prediction]:
        if self.writes_choices:
            return self._choose_by_writing(items, prompts, report)
        return self.choose(items, prompts, self.backend.score(prompts, report))

    def _choose_by_writing(self, items: Sequence[Item], prompts: Sequence[Encoded], report: Done) -> list[Prediction]:
        most = max((answer_tokens(item.choices) for item in items), default=0)
        texts = self.backend.generate(prompts, STOP, most, report)
        return [
            read_off(_prediction(prompt, text.text, text.tokens), item)
            for item, prompt, text in zip(items, prompts, texts, strict=True)
        ]

    def choose(
        self, items: Sequence[Item], prompts: Sequence[Encoded], scores: Sequence[Sequence[float]]
    ) -> list[Prediction]:
        """The choices of items whose log-likelihoods are known, ranked by the task's rule."""
        priors: Sequence[Sequence[float]] = [()] * len(items)
        if self.task.normalise == "pmi":
            priors = self.priors.of(self.backend, self.writer.write_bare(items))
        return [self._chosen(*each) for each in zip(items, prompts, scores, priors, strict=True)]

    def _chosen(self, item: Item, prompt: Encoded, scores: Sequence[float], priors: Sequence[float]) -> Prediction:
        values = ranked(self.task.normalise, item, [len(ids) for ids in prompt.choices], scores, priors)
        order = tuple(sorted(range(len(values)), key=lambda i: -values[i]))  # ties go to the choice named first
        answer = item.choices[order[0]]
        return replace(_prediction(prompt, answer, len(prompt.choices[order[0]])), scores=tuple(scores), order=order)

    def _write(self, items: Sequence[Item], prompts: Sequence[Encoded], report: Done) -> list[Prediction]:
        thoughts = self._think(prompts)
        asked = [thought.prompt for thought in thoughts]
        texts = self.backend.generate(asked, self.task.stop, self.task.max_new_tokens, report)
        return [
            replace(
                _prediction(prompt, text.text, thought.tokens + text.tokens),
                thinking_tokens=thought.tokens,
                thinking_truncated=int(thought.cut),
            )
            for prompt, thought, text in zip(prompts, thoughts, texts, strict=True)
        ]

    def _think(self, prompts: Sequence[Encoded]) -> Sequence[Thought]:
        codec = self.writer.codec
        if not self.thinking_tokens or codec.chat is None or codec.chat.thinking is None:
            return [Thought(prompt, 0, False) for prompt in prompts]
        return think(self.backend, codec, codec.chat.thinking, prompts, self.thinking_tokens)


def _uncited(prediction: Prediction) -> Prediction:
    """An answer without its citations, which are kept apart."""
    text, cited = without_citations(prediction.output)
    return replace(prediction, output=text, cited=cited)


def read_off(prediction: Prediction, item: Item) -> Prediction:
    """A written answer as the choice that it names; a failure where it names none, or several."""
    place = named(prediction.output, item.choices)
    if place is None:
        return replace(prediction, failure=NO_CHOICE)
    return replace(prediction, output=item.choices[place], order=first_of(place, len(item.choices)))


def first_of(place: int, count: int) -> tuple[int, ...]:
    """The places of `count` choices, of which one comes first."""
    return (place, *(other for other in range(count) if other != place))


def question(example: Example) -> Item:
    """The example without its answers: what a predictor is shown."""
    return Item(example.id, example.fields, example.choices, picture=example.picture)


def _failed(prompt: Encoded) -> Prediction:
    return Prediction(prompt.id, failure=prompt.failure, prompt_tokens=prompt.prompt_tokens, ranking=prompt.ranking)


def _prediction(prompt: Encoded, output: str, output_tokens: int) -> Prediction:
    return Prediction(
        prompt.id,
        output,
        prompt_tokens=prompt.prompt_tokens,
        context_tokens=prompt.context_tokens,
        output_tokens=output_tokens,
        examples_dropped=prompt.examples_dropped,
        passages_dropped=prompt.passages_dropped,
        passages_truncated=prompt.passages_truncated,
        ranking=prompt.ranking,
    )
