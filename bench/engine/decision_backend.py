"""Items as a decision model reads them, and the back end that answers them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from bench.core.item import Item
from bench.engine.backend import Done, Written
from bench.engine.prompts import TOO_LONG, Encoded, Writer
from bench.model.decision import Decider
from bench.model.tokenizer import Ids


@dataclass(frozen=True, slots=True)
class Request(Encoded):
    """A question with its options; the ids are those that the model reads."""

    state: str = ""
    instructions: str = ""
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class RequestWriter(Writer):
    """Writes items as requests: the task's instruction, the filled template as the state, the choices as options.

    `written`: see `DecisionBase`.
    """

    written: Callable[[str, str, Sequence[str]], Ids] = field(kw_only=True)

    def write(self, items: Sequence[Item]) -> list[Encoded]:
        return [self._request(item) for item in items]

    def _request(self, item: Item) -> Request:
        state, instructions = self.prompt.ask(item), self.prompt.instruction
        ids = self.written(state, instructions, item.choices)
        failure = TOO_LONG if len(ids) > self.context_length else None
        numbers = tuple((number,) for number in range(len(item.choices)))
        return Request(item.id, (), ids, numbers, failure, state=state, instructions=instructions, options=item.choices)


@dataclass(frozen=True)
class DecisionBackend:
    """Answers requests one by one, as transformers' pipeline does: nothing is shared, nothing kept."""

    decider: Decider
    is_local: bool = False  # its weights answer nothing but requests

    def score(self, prompts: Sequence[Encoded], done: Done) -> list[list[float]]:
        scores = []
        for prompt in cast(Sequence[Request], prompts):
            scores.append(self.decider.likelihoods(prompt.state, prompt.instructions, prompt.options).tolist())
            done(1)
        return scores

    def generate(
        self, prompts: Sequence[Encoded], stop: Sequence[str], max_new_tokens: int, done: Done
    ) -> list[Written]:
        raise AssertionError("a decision model writes no text")

    def forget(self) -> None:
        """Nothing is kept."""

    def one_at_a_time(self) -> DecisionBackend:
        return replace(self)
