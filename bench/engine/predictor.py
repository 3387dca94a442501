"""The predictor of every method: prompts from a writer, answers from an engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bench.core.item import Example, Item
from bench.core.record import Prediction
from bench.core.task import Task
from bench.engine.prompts import Encoded, Writer, by_prefix
from bench.engine.transformers_engine import Engine


@dataclass(frozen=True)
class ModelPredictor:
    """Answers items with an adapted model. One item's answer does not depend on the others asked with it."""

    engine: Engine
    writer: Writer
    task: Task
    progress: Callable[[int, int], None]

    def predict(self, items: Sequence[Item]) -> list[Prediction]:
        """A prediction for each item, in order; an item that cannot fit is a prediction with a failure."""
        return self.answer(items, self.writer.write(items))

    def answer(self, items: Sequence[Item], prompts: Sequence[Encoded]) -> list[Prediction]:
        """`predict` on prompts already written, one for each item."""
        answers: dict[int, Prediction] = {
            i: _failed(prompt) for i, prompt in enumerate(prompts) if prompt.failure is not None
        }
        done = len(answers)

        def report(count: int) -> None:
            nonlocal done
            done += count
            self.progress(done, len(items))

        self.engine.progress = report
        ask = self._write if self.task.kind == "text" else self._choose
        for prefix, members in by_prefix(prompts).items():
            found = ask(prefix, [items[i] for i in members], [prompts[i] for i in members])
            answers.update(zip(members, found, strict=True))
        return [answers[i] for i in range(len(items))]

    def _choose(self, prefix: tuple[int, ...], items: Sequence[Item], prompts: Sequence[Encoded]) -> list[Prediction]:
        scores = self.engine.score(prefix, [p.query for p in prompts], [p.choices for p in prompts])
        return [self._chosen(*each) for each in zip(items, prompts, scores, strict=True)]

    def _chosen(self, item: Item, prompt: Encoded, scores: Sequence[float]) -> Prediction:
        ranked = [score / self._length(item, prompt, i) for i, score in enumerate(scores)]
        order = tuple(sorted(range(len(ranked)), key=lambda i: -ranked[i]))  # ties go to the choice named first
        answer = item.choices[order[0]]
        return replace(_prediction(prompt, answer, len(prompt.choices[order[0]])), scores=tuple(scores), order=order)

    def _length(self, item: Item, prompt: Encoded, choice: int) -> int:
        """What a choice's log-likelihood is divided by, as the task asks."""
        lengths = {"none": 1, "tokens": len(prompt.choices[choice]), "chars": len(item.choices[choice])}
        return lengths[self.task.normalise]

    def _write(self, prefix: tuple[int, ...], items: Sequence[Item], prompts: Sequence[Encoded]) -> list[Prediction]:
        queries = [p.query for p in prompts]
        texts = self.engine.generate(prefix, queries, self._cut, self.task.max_new_tokens)
        return [_prediction(p, self._text(ids), len(ids)) for p, ids in zip(prompts, texts, strict=True)]

    def _text(self, ids: list[int]) -> str:
        text = self.writer.codec.decode(ids)
        ends = [at for at in map(text.find, self.task.stop) if at >= 0]
        return text[: min(ends, default=len(text))].strip()

    def _cut(self, ids: list[int]) -> int | None:
        """The fewest ids whose text holds a stop string, or None where none has come yet."""
        if not self._stopped(ids):
            return None
        low, high = 0, len(ids)  # stopped(low) is false, stopped(high) true
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._stopped(ids[:middle]) else (middle, high)
        return high

    def _stopped(self, ids: list[int]) -> bool:
        text = self.writer.codec.decode(ids)
        return any(stop in text for stop in self.task.stop)


def question(example: Example) -> Item:
    """The example without its answers: what a predictor is shown."""
    return Item(example.id, example.fields, example.choices)


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
