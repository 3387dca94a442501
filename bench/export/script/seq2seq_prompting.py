"""Prompts of an encoder-decoder model: one text for the encoder, answers for the decoder."""

from __future__ import annotations

from prompting import Prompting


class Seq2SeqPrompting(Prompting):  # type: ignore[misc]
    """Writes prompts as the tokenizer does, special tokens included; an answer has its end."""

    def ids(self, text: str) -> list[int]:
        """Ids of a whole prompt; of a conversation, with the template's special tokens."""
        return self.tokens(text) if self.chat else list(self.tokenizer(text)["input_ids"])

    def behind(self, text: str, ids: list[int], answer: str) -> tuple[int, list[int]]:
        """The whole prompt, and the decoder's text with its end."""
        return len(ids), self.tokens(answer.strip()) + self.decoder["end"]

    def room(self, reserve: int) -> int:
        """Tokens that the prompt may have; none where the answer is too long for the decoder."""
        return int(self.settings["context_length"]) if reserve <= self.decoder["most"] else 0
