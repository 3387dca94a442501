"""The back end of a transformers model that writes text: prompts grouped by their prefix for the engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from bench.engine.backend import Done, Written
from bench.engine.prompts import Encoded, by_prefix
from bench.engine.transformers_engine import Engine
from bench.engine.trial import Reading, Writing
from bench.model.tokenizer import Codec, Ids

T = TypeVar("T")


@dataclass(frozen=True)
class TransformersBackend:
    """An engine, and how its token ids read as text."""

    engine: Engine
    decode: Callable[[list[int]], str]
    is_local: bool = True

    @classmethod
    def of(cls, model: Any, codec: Codec, batch_tokens: int) -> TransformersBackend:
        """The back end of a causal model as it is loaded; batches hold `batch_tokens` at most."""
        return cls(Engine(model.eval(), codec.pad, codec.stops, batch_tokens), codec.decode)

    @property
    def model(self) -> Any:
        return self.engine.model

    @property
    def reading(self) -> Reading:
        return self.engine.reading

    @property
    def writing(self) -> Writing:
        return self.engine.writing

    def score(self, prompts: Sequence[Encoded], done: Done) -> list[list[float]]:
        def of_group(prefix: Ids, group: Sequence[Encoded]) -> Sequence[list[float]]:
            return self.engine.score(prefix, [p.query for p in group], [p.choices for p in group])

        return self._by_prefix(prompts, done, of_group)

    def generate(
        self, prompts: Sequence[Encoded], stop: Sequence[str], max_new_tokens: int, done: Done
    ) -> list[Written]:
        return [
            Written(self._text(ids, stop), len(ids), self._stopped(ids, stop))
            for ids in self.generate_ids(prompts, stop, max_new_tokens, done)
        ]

    def generate_ids(
        self, prompts: Sequence[Encoded], stop: Sequence[str], max_new_tokens: int, done: Done
    ) -> list[list[int]]:
        """The token ids of what `generate` writes, those of a stop string or the EOS token included."""

        def of_group(prefix: Ids, group: Sequence[Encoded]) -> Sequence[list[int]]:
            return self.engine.generate(
                prefix, [p.query for p in group], lambda ids: self._cut(ids, stop), max_new_tokens
            )

        return self._by_prefix(prompts, done, of_group)

    def next_token(self, prompt: Encoded) -> Tensor:
        return self.engine.next_token(prompt.prefix, prompt.query)

    def outputs(self, prompts: Sequence[Encoded]) -> Tensor:
        def of_group(prefix: Ids, group: Sequence[Encoded]) -> Sequence[Tensor]:
            return list(self.engine.outputs(prefix, [p.query for p in group]))

        return torch.stack(self._by_prefix(prompts, lambda count: None, of_group))

    def forget(self) -> None:
        self.engine.forget()

    def one_at_a_time(self) -> TransformersBackend:
        return replace(self, engine=replace(self.engine, batch_size=1, progress=lambda done: None, held={}))

    def _by_prefix(
        self, prompts: Sequence[Encoded], done: Done, of_group: Callable[[Ids, Sequence[Encoded]], Sequence[T]]
    ) -> list[T]:
        """What `of_group` gives for the prompts of each prefix, in the order of all prompts."""
        self.engine.progress = done
        results: dict[int, T] = {}
        for prefix, members in by_prefix(prompts).items():
            results.update(zip(members, of_group(prefix, [prompts[i] for i in members]), strict=True))
        return [results[i] for i in range(len(prompts))]

    def _text(self, ids: list[int], stop: Sequence[str]) -> str:
        text = self.decode(ids)
        ends = [at for at in map(text.find, stop) if at >= 0]
        return text[: min(ends, default=len(text))].strip()

    def _cut(self, ids: list[int], stop: Sequence[str]) -> int | None:
        """The fewest ids whose text holds a stop string, or None where none has come yet."""
        if not self._stopped(ids, stop):
            return None
        low, high = 0, len(ids)  # stopped(low) is false, stopped(high) true
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._stopped(ids[:middle], stop) else (middle, high)
        return high

    def _stopped(self, ids: list[int], stop: Sequence[str]) -> bool:
        text = self.decode(ids)
        return any(string in text for string in stop)
