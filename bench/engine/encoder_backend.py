"""The back end of an encoder with a classification head: a pass gives the likelihoods of all labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from bench.core.errors import NotApplicableError
from bench.engine.backend import Done, Written
from bench.engine.prompts import Encoded
from bench.engine.trial import Reading, Writing
from bench.model.memory import in_batches

_ROWS = "rows read at once"  # in `EncoderBackend.held`
_REFUSAL = "an encoder writes no text"


@dataclass(frozen=True)
class EncoderBackend:
    """A classifier over labels. Texts of about equal length are read together, padded on the right and masked."""

    model: Any
    pad: int
    batch_tokens: int  # rows × tokens of a batch
    batch_size: int | None = None
    held: dict[str, int] = field(default_factory=dict)  # what memory was found to hold
    is_local: bool = True
    reading: Reading = Reading.TREE  # every text is read once, whatever the number of labels
    writing: Writing = Writing.PICKED

    def score(self, prompts: Sequence[Encoded], done: Done) -> list[list[float]]:
        """Log-likelihood in nats of each label, in the order of the labels."""
        scores: list[list[float]] = self._logits(prompts, done).log_softmax(-1).tolist()
        return scores

    def generate(
        self, prompts: Sequence[Encoded], stop: Sequence[str], max_new_tokens: int, done: Done
    ) -> list[Written]:
        raise NotApplicableError(_REFUSAL)

    def next_token(self, prompt: Encoded) -> Tensor:
        raise NotApplicableError(_REFUSAL)

    def outputs(self, prompts: Sequence[Encoded]) -> Tensor:
        """Logits of labels [prompts, labels]; sentence embeddings [prompts, width] of a model without a layer."""
        return self._logits(prompts, lambda count: None)

    def forget(self) -> None:
        """Nothing is kept."""

    def one_at_a_time(self) -> EncoderBackend:
        return replace(self, batch_size=1)

    def _logits(self, prompts: Sequence[Encoded], done: Done) -> Tensor:
        order = sorted(range(len(prompts)), key=lambda place: -len(prompts[place].query))
        rows: dict[int, Tensor] = {}

        def size(start: int) -> int:
            most = self.batch_tokens // max(1, len(prompts[order[start]].query))
            return max(1, min(most, self.batch_size or most, self.held.get(_ROWS, most)))

        def read(places: Sequence[int]) -> None:
            rows.update(zip(places, self._read([prompts[place].query for place in places]), strict=True))
            done(len(places))

        def shrink(start: int, half: int) -> None:
            self.held[_ROWS] = half

        in_batches(order, size, read, shrink)
        return torch.stack([rows[place] for place in range(len(prompts))])

    @torch.inference_mode()
    def _read(self, texts: Sequence[Sequence[int]]) -> Tensor:
        ids = [torch.tensor(text) for text in texts]
        padded = pad_sequence(ids, batch_first=True, padding_value=self.pad).to(self.model.device)
        mask = pad_sequence([torch.ones_like(row) for row in ids], batch_first=True).to(self.model.device)
        logits: Tensor = self.model(input_ids=padded, attention_mask=mask).logits.float().cpu()
        return logits
