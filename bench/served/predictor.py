"""The predictor of a served model: answers with what the endpoint says they took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from bench.core.item import Item
from bench.core.record import Prediction
from bench.engine.backend import Done
from bench.engine.predictor import ModelPredictor, first_of, read_off
from bench.engine.prompts import Encoded
from bench.engine.ranking import ranked
from bench.served.backend import Answer, ServedBackend
from bench.served.prompts import Asked


@dataclass(frozen=True)
class ServedPredictor(ModelPredictor):
    """Answers items with a served model. `took` holds the seconds of each item, in the order asked."""

    backend: ServedBackend
    took: list[float] = field(default_factory=list)

    def again(self) -> ServedPredictor:
        """The same, which asks anew what was asked before."""
        return replace(
            self, backend=replace(self.backend, repeat=self.backend.repeat + 1), took=[], progress=lambda done, of: None
        )

    def _write(self, items: Sequence[Item], prompts: Sequence[Encoded], report: Done) -> list[Prediction]:
        answers = self.backend.write(prompts, self.task.stop, self.task.max_new_tokens, report)
        return [self._predicted(prompt, answer) for prompt, answer in zip(prompts, answers, strict=True)]

    def _choose(self, items: Sequence[Item], prompts: Sequence[Encoded], report: Done) -> list[Prediction]:
        answers = self.backend.choose(prompts, [item.choices for item in items], report)
        predictions = [self._predicted(prompt, answer) for prompt, answer in zip(prompts, answers, strict=True)]
        if self.backend.rung.name == "echo":
            return self._by_likelihood(items, predictions, answers)
        return [self._chosen_by(*each) for each in zip(items, predictions, answers, strict=True)]

    def _chosen_by(self, item: Item, prediction: Prediction, answer: Answer) -> Prediction:
        if prediction.failure is not None:
            return prediction
        if self.backend.rung.name == "generation":
            return read_off(prediction, item)
        order = answer.order or first_of(item.choices.index(answer.read.text), len(item.choices))
        return replace(prediction, output=item.choices[order[0]], scores=answer.read.values, order=order)

    def _by_likelihood(
        self, items: Sequence[Item], predictions: Sequence[Prediction], answers: Sequence[Answer]
    ) -> list[Prediction]:
        rule = self.task.normalise
        bare = self.writer.write_bare(items) if rule == "pmi" else []
        priors = (
            self.backend.choose(bare, [()] * len(bare), lambda count: None)
            if bare
            else [Answer(a.read) for a in answers]
        )
        chosen = []
        for item, prediction, answer, prior in zip(items, predictions, answers, priors, strict=True):
            failure = prediction.failure or prior.read.failure
            if failure is not None:
                chosen.append(replace(prediction, failure=failure))
                continue
            values = ranked(rule, item, answer.read.tokens, answer.read.values, prior.read.values)
            order = tuple(sorted(range(len(values)), key=lambda i: -values[i]))
            chosen.append(replace(prediction, output=item.choices[order[0]], scores=answer.read.values, order=order))
        return chosen

    def _predicted(self, prompt: Encoded, answer: Answer) -> Prediction:
        assert isinstance(prompt, Asked)
        self.took.append(answer.seconds)
        return Prediction(
            prompt.id,
            answer.read.text,
            failure=answer.read.failure,
            prompt_tokens=answer.usage.prompt,
            context_tokens=round(answer.usage.prompt * prompt.context_share),
            output_tokens=answer.usage.output,
            examples_dropped=prompt.examples_dropped,
            passages_dropped=prompt.passages_dropped,
            passages_truncated=prompt.passages_truncated,
            ranking=prompt.ranking,
        )


def unsteady(first: Sequence[Prediction], second: Sequence[Prediction]) -> int:
    """How many answers to the same prompts are others the second time, or failures of another type."""
    return sum((a.output, a.failure) != (b.output, b.failure) for a, b in zip(first, second, strict=True))
