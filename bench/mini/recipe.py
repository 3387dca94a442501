"""The numbers that make mini what it is. A change here makes another model: raise `VERSION` with it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any

VERSION = 1


@dataclass(frozen=True)
class Stage:
    """A stretch of the training: how many tokens, in batches of so many rows of so many tokens, of what."""

    tokens: int
    rows: int
    row_tokens: int
    random_ids: bool = False  # look-ups and repeats of random token ids instead of the corpus

    @property
    def batch_tokens(self) -> int:
        """Tokens of an optimizer step."""
        return self.rows * self.row_tokens

    @property
    def steps(self) -> int:
        """Optimizer steps of the stage."""
        return self.tokens // self.batch_tokens


@dataclass(frozen=True)
class Recipe:
    """Shape, corpus and optimizer of a pretraining. Lengths are in tokens."""

    vocabulary: int = 4096
    width: int = 192
    layers: int = 5
    heads: int = 6
    mlp: int = 512
    context: int = 1024
    stages: tuple[Stage, ...] = (
        Stage(1_000_000, 4, 256, random_ids=True),
        Stage(5_000_000, 8, 256),
        Stage(12_000_000, 16, 256),
        Stage(8_000_000, 8, 512),
        Stage(5_000_000, 4, 1024),
    )
    rate: float = 2.5e-3
    constant_share: float = 0.3  # of the training, until the rate begins to fall
    final_share: float = 0.02  # of the rate, at the end
    warmup_steps: int = 200
    weight_decay: float = 0.05  # of the matrices
    max_grad_norm: float = 1.0
    given_weight: float = 0.1  # of a token that is not an answer, against 1
    predicted_share: float = 0.4  # of a batch's tokens, for which the loss is worked out
    tokenizer_documents: int = 60_000
    seed: int = 0

    @cached_property
    def steps(self) -> int:
        """Optimizer steps in all."""
        return sum(stage.steps for stage in self.stages)

    @cached_property
    def tokens(self) -> int:
        """Tokens in all."""
        return sum(stage.steps * stage.batch_tokens for stage in self.stages)

    def at(self, step: int) -> tuple[Stage, float]:
        """The stage of a step, and how far the training is by then, from 0 to 1, in tokens."""
        before = 0
        for stage, last in zip(self.stages, accumulate(stage.steps for stage in self.stages), strict=True):
            if step < last:
                return stage, (before + (step - last + stage.steps) * stage.batch_tokens) / self.tokens
            before += stage.steps * stage.batch_tokens
        return self.stages[-1], 1.0

    def config(self) -> dict[str, Any]:
        """As keyword arguments of `transformers.LlamaConfig`."""
        return {
            "vocab_size": self.vocabulary,
            "hidden_size": self.width,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.heads,
            "intermediate_size": self.mlp,
            "max_position_embeddings": self.context,
            "tie_word_embeddings": True,
            "bos_token_id": None,
            "eos_token_id": 0,
            "pad_token_id": 0,
        }
