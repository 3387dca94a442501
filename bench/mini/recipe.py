"""The numbers that make mini what it is. A change here makes another model: raise `VERSION` with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

VERSION = 1


@dataclass(frozen=True)
class Recipe:
    """Shape, corpus and optimizer of a pretraining. Lengths are in tokens."""

    vocabulary: int = 4096
    width: int = 224
    layers: int = 5
    heads: int = 7
    mlp: int = 608
    context: int = 1024
    short_rows: int = 512  # rows are this long at first, which is faster, and of the whole context later
    short_until: float = 0.7  # share of the training
    tokens: int = 48_000_000
    batch_tokens: int = 4096
    rate: float = 3e-3
    final_share: float = 0.05  # of the rate, at the end of the cosine
    warmup_steps: int = 200
    weight_decay: float = 0.05  # of the matrices
    max_grad_norm: float = 1.0
    given_weight: float = 0.1  # of a token that is not an answer, against 1
    tokenizer_documents: int = 60_000
    seed: int = 0

    def row_tokens(self, step: int) -> int:
        """How long the rows of a step are."""
        return self.short_rows if step < self.short_until * self.steps else self.context

    @property
    def steps(self) -> int:
        """Optimizer steps in all."""
        return self.tokens // self.batch_tokens

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
