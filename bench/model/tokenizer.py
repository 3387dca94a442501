"""Text to token ids and back, piece by piece, such that the pieces join to what the whole would give.

A prompt is made of pieces that each begin on a new line, and an answer that follows the last one. Encoding each
piece once, rather than each prompt whole, is what lets prompts share their beginnings. Three traps are avoided:
tokenizers that put a space before every text they are given (SentencePiece), tokenizers that merge over the boundary,
and tokenizers that look ahead: GPT-2's reads a blank line as one token at the end of a text and as two before a word.
They are handled by encoding a stub in front, or a letter behind, and cutting its tokens off again.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

_LETTER = "A"  # what follows a piece that ends in white space
_SENTINEL = "\u2e28adaptbench\u2e29"


class Codec:
    """A tokenizer as prompts need it.

    `head` and `tail` are the token ids that stand before the first piece (begin-of-text, chat header) and after
    the last (chat header of the reply). `end` closes an answer in training; `stops` are ids that end generation.
    """

    def __init__(self, tokenizer: Any, *, chat_template: bool, eos_ids: frozenset[int] = frozenset()) -> None:
        self.tokenizer = tokenizer
        self.chat = chat_template
        head, tail = self._chat_frame() if chat_template else ("", "")
        self.head = self._encode(head) if chat_template else self._bos()
        self.tail = self.piece(tail) if tail.startswith("\n") else self._encode(tail)
        eos = tokenizer.eos_token_id
        self.stops = eos_ids | ({eos} if eos is not None else frozenset())
        # A model without an end token learns to end its answers as worked examples end: with a blank line.
        self.end: tuple[int, ...] = (eos,) if eos is not None else self.piece("\n\n")
        self.pad = next((i for i in (tokenizer.pad_token_id, eos) if i is not None), 0)
        self.piece = lru_cache(maxsize=65536)(self.piece)  # type: ignore[method-assign]
        self._answer = lru_cache(maxsize=65536)(self._answer)  # type: ignore[method-assign]

    def first(self, text: str) -> tuple[int, ...]:
        """Ids of the piece that opens the prompt."""
        return self.piece(text) if self.chat else self._before(text)

    def piece(self, text: str) -> tuple[int, ...]:
        """Ids of a piece that begins on a new line."""
        return self._after("\n", text)

    def answer(self, question: str, answer: str) -> tuple[int, ...]:
        """Ids of `answer` as it follows `question` (its leading space included, where it has one)."""
        if self.chat:
            return self._answer("\n", answer.removeprefix(" "))
        cue = re.search(r"\S+\s*$", question)
        return self._answer(cue.group() if cue else "\n", answer)

    def decode(self, ids: list[int]) -> str:
        """Text of generated ids, special tokens left out."""
        return str(self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def _answer(self, cue: str, answer: str) -> tuple[int, ...]:
        return self._after(cue, answer)

    def _after(self, stub: str, text: str) -> tuple[int, ...]:
        lead, joined = self._encode(stub), self._before(stub + text)
        # Where the tokenizer merges over the boundary, the piece on its own is the honest second best.
        return joined[len(lead) :] if joined[: len(lead)] == lead else self._before(text)

    def _before(self, text: str) -> tuple[int, ...]:
        """Ids of `text` as it stands before the next piece, which begins with no white space."""
        if not text[-1:].isspace():
            return self._encode(text)
        line, joined = self._encode("\n"), self._encode(text + _LETTER)
        letter = self._encode("\n" + _LETTER)[len(line) :]
        return joined[: -len(letter)] if letter and joined[-len(letter) :] == letter else self._encode(text)

    def _encode(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer.encode(text, add_special_tokens=False)) if text else ()

    def _bos(self) -> tuple[int, ...]:
        bare = tuple(self.tokenizer.encode("a", add_special_tokens=False))
        full = tuple(self.tokenizer.encode("a"))
        at = next((i for i in range(len(full)) if full[i : i + len(bare)] == bare), 0)
        return full[:at]

    def _chat_frame(self) -> tuple[str, str]:
        turn = [{"role": "user", "content": _SENTINEL}]
        text = self.tokenizer.apply_chat_template(turn, add_generation_prompt=True, tokenize=False)
        head, _, tail = str(text).partition(_SENTINEL)
        return head, tail
