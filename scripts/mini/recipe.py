"""The numbers that make mini what it is. A change here makes another model: raise `VERSION` with it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

VERSION = 2


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
class Cycle:
    """A run of the optimizers from their start to a low rate: stages, and the course of the rate over them."""

    stages: tuple[Stage, ...]
    rate: float
    constant_share: float = 0.3  # of the cycle, until the rate begins to fall
    final_share: float = 0.02  # of the rate, at the end
    warmup_steps: int = 200

    @cached_property
    def steps(self) -> int:
        """Optimizer steps of the cycle."""
        return sum(stage.steps for stage in self.stages)

    @cached_property
    def tokens(self) -> int:
        """Tokens of the cycle."""
        return sum(stage.steps * stage.batch_tokens for stage in self.stages)


@dataclass(frozen=True)
class Place:
    """Where in the training a step stands."""

    number: int  # of the cycle, from 0
    cycle: Cycle
    stage: Stage
    step: int  # of the cycle
    share: float  # of the cycle's tokens that come before, 0 to 1

    @property
    def progress(self) -> float:
        """Cycles that come before, with the share of this one: 1.5 is half way through the second."""
        return self.number + self.share


@dataclass(frozen=True)
class Recipe:
    """Shape, corpus and optimizer of a pretraining. Lengths are in tokens."""

    vocabulary: int = 4096
    width: int = 192
    layers: int = 5
    heads: int = 6
    mlp: int = 512
    context: int = 1024
    cycles: tuple[Cycle, ...] = (
        Cycle(
            (
                Stage(1_000_000, 4, 256, random_ids=True),
                Stage(5_000_000, 8, 256),
                Stage(12_000_000, 16, 256),
                Stage(8_000_000, 8, 512),
                Stage(5_000_000, 4, 1024),
            ),
            rate=2.5e-3,
        ),
        Cycle((Stage(5_000_000, 8, 512), Stage(5_000_000, 4, 1024)), rate=2e-3),
    )
    weight_decay: float = 0.05  # of the matrices
    max_grad_norm: float = 1.0
    given_weight: float = 0.1  # of a token that is not an answer, against 1
    predicted_share: float = 0.4  # of a batch's tokens, for which the loss is worked out
    tokenizer_documents: int = 60_000
    seed: int = 0

    @cached_property
    def steps(self) -> int:
        """Optimizer steps in all."""
        return sum(cycle.steps for cycle in self.cycles)

    @cached_property
    def tokens(self) -> int:
        """Tokens in all."""
        return sum(cycle.tokens for cycle in self.cycles)

    def at(self, step: int) -> Place:
        """The place of an optimizer step; of one past the end, the end."""
        for number, cycle in enumerate(self.cycles):
            if step < cycle.steps:
                stage, tokens = _within(cycle, step)
                return Place(number, cycle, stage, step, tokens / cycle.tokens)
            step -= cycle.steps
        last = self.cycles[-1]
        return Place(len(self.cycles) - 1, last, last.stages[-1], last.steps + step, 1.0)

    def tokens_before(self, step: int) -> float:
        """Tokens that a training has seen when it comes to a step."""
        place = self.at(step)
        return sum(cycle.tokens for cycle in self.cycles[: place.number]) + place.share * place.cycle.tokens

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


def _within(cycle: Cycle, step: int) -> tuple[Stage, int]:
    """The stage of a step of the cycle, and the cycle's tokens before it."""
    before = 0
    for stage in cycle.stages:
        if step < stage.steps:
            return stage, before + step * stage.batch_tokens
        step -= stage.steps
        before += stage.steps * stage.batch_tokens
    raise ValueError(f"the cycle has no step {step} past its end")
