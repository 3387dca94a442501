"""Thoughts before an answer: generated up to a budget of their own, closed, and left out of the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.engine.backend import Backend
from bench.engine.prompts import Encoded
from bench.model.chat import Thinking
from bench.model.tokenizer import Codec

CLOSING_TOKENS = 16  # of the context, for the text that closes a thought


@dataclass(frozen=True, slots=True)
class Thought:
    """A prompt with the thought that the model wrote behind it, closed; `cut`: it had come to no end."""

    prompt: Encoded
    tokens: int
    cut: bool


def think(backend: Backend, codec: Codec, thinking: Thinking, prompts: Sequence[Encoded], budget: int) -> list[Thought]:
    """A thought of at most `budget` tokens for each prompt. A model that opens none has thought nothing."""
    written = backend.generate(prompts, (thinking.close,), budget, lambda count: None)
    thoughts = []
    for prompt, text in zip(prompts, written, strict=True):
        end = codec.tokenizer.decode(prompt.query[-CLOSING_TOKENS:], skip_special_tokens=False)
        opened = end.rfind(thinking.open) > end.rfind(thinking.close)
        begins = opened or text.text.startswith(thinking.open)
        told = (text.text if begins else f"{thinking.open}\n") + thinking.ending
        asked = replace(prompt, query=prompt.query + codec.tokens(told))
        thoughts.append(Thought(asked, text.tokens, begins and not text.stopped))
    return thoughts
