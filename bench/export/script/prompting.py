"""Items to prompts and token ids, exactly as the method was measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blocks import Block, plain, turns
from template import fill, question


@dataclass
class Written:
    """A prompt, and what each choice adds to it."""

    ids: list[int]
    choices: list[list[int]]


class Prompting:
    """Writes the prompts of one task and method for one model."""

    def __init__(self, settings: dict[str, Any], tokenizer: Any, folder: Path) -> None:
        self.settings, self.tokenizer, self.chat = settings["prompt"], tokenizer, settings["prompt"]["chat"]
        self.dropped, self.decoder = settings["generation"]["dropped_ids"], settings["decoder"]
        self.retriever = None
        if self.settings["retrieval"]:
            from retrieval import Retriever

            self.retriever = Retriever(self.settings["retrieval"], folder)

    def text(self, item: dict[str, Any], choices: list[str] | None = None) -> str | None:
        """The text of a prompt; None where it does not fit."""
        written = self.write(item, choices, choices if self.settings["ranks"] else None)
        return str(self.tokenizer.decode(written.ids, skip_special_tokens=False)) if written else None

    def write(
        self,
        item: dict[str, Any],
        choices: list[str] | None = None,
        ranked: list[str] | None = None,
        bare: bool = False,
    ) -> Written | None:
        """The prompt of an item, `bare` without it; None where it does not fit into the model's context.

        `ranked`: the choices that are ranked behind it.
        """
        settings, found = self.settings, []
        if self.retriever and not bare:
            found = self.retriever.find(fill(settings["query"], item).strip())
        asked = settings["cue"] if bare else question(settings, item, choices)
        text, ids = self.encoded(settings["examples"], found, asked)
        reserve = max((len(self.behind(text, ids, each)[1]) for each in ranked or ()), default=settings["reserve"])
        room, budget = self.room(reserve), settings["token_budget"]
        if len(ids) > room or (budget is not None and found):
            if not settings["examples"] and not found:
                return None
            from fitting import fitted

            kept: tuple[list[Block], list[Block]] | None = fitted(self, found, asked, room, budget)
            if kept is None:
                return None
            text, ids = self.encoded(*kept, asked)
        joined = [self.behind(text, ids, choice) for choice in ranked or ()]
        begun = min((n for n, _ in joined), default=len(ids))
        return Written(ids[:begun], [ids[begun:n] + more for n, more in joined])

    def room(self, reserve: int) -> int:
        """Tokens that the prompt may have, where so many are kept for the answer."""
        return int(self.settings["context_length"]) - reserve

    def encoded(self, shared: list[Block], own: list[Block], question: str) -> tuple[str, list[int]]:
        """A prompt as text and ids; the best of an item's own blocks stands nearest to it."""
        blocks = [*shared, *reversed(own)]
        text = (
            self.conversation(blocks, question) if self.chat else plain(self.settings["instruction"], blocks, question)
        )
        return text, self.ids(text)

    def conversation(self, blocks: list[Block], question: str) -> str:
        """A prompt as the chat template renders it."""
        chat = self.chat
        told = turns(self.settings["instruction"], blocks, question, chat["single_turn"])
        if told[0][0] == "system" and not chat["system"]:  # the first turn begins with the instruction
            told[:2] = [("user", f"{told[0][1]}\n\n{told[1][1]}")]
        messages = [
            {"role": role, "content": [{"type": "text", "text": text}] if chat["parts"] else text}
            for role, text in told
        ]
        text = self.tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=False, **chat["options"]
        )
        return str(text + chat["lead"]).rstrip(" \t")

    def behind(self, text: str, ids: list[int], answer: str) -> tuple[int, list[int]]:
        """What an answer adds to a prompt, as (n, more): the whole has the ids `ids[:n] + more`."""
        follows = self.settings["before_answer"] + (answer.strip() if self.chat else answer)
        whole, parted = self.split(text, follows)
        if parted:
            return len(ids), whole[parted:]
        whole = self.settings["begin"] + whole
        n = next((i for i, (a, b) in enumerate(zip(ids, whole, strict=False)) if a != b), min(len(ids), len(whole)))
        return n, whole[n:]

    def split(self, text: str, follows: str) -> tuple[list[int], int]:
        """Ids of `text + follows`, and how many are of `text`; 0 where a token has a part in both, or nobody says."""
        if not self.tokenizer.is_fast:
            return self.tokens(text + follows), 0
        encoded = self.tokenizer(text + follows, add_special_tokens=False, return_offsets_mapping=True)
        ends = [end for _, end in encoded["offset_mapping"]]
        count = sum(end <= len(text) for end in ends)
        return list(encoded["input_ids"]), count if ends[count - 1 : count] == [len(text)] else 0

    def ids(self, text: str) -> list[int]:
        """Ids of a whole prompt."""
        return list(self.settings["begin"] + self.ahead(text))

    def ahead(self, text: str) -> list[int]:
        """Ids of a text; of plain text that ends in white space, as it stands in front of a word."""
        if not self.chat and text[-1:].isspace():
            whole, parted = self.split(text, "A")
            if parted:
                return whole[:parted]
        return self.tokens(text)

    def tokens(self, text: str) -> list[int]:
        """Ids of a text alone."""
        return list(self.tokenizer.encode(text, add_special_tokens=False)) if text else []

    def decode(self, ids: list[int]) -> str:
        """Text of generated ids."""
        kept = [token for token in ids if token not in self.dropped]
        return str(self.tokenizer.decode(kept, skip_special_tokens=False, clean_up_tokenization_spaces=False))


def prompting_of(settings: dict[str, Any], tokenizer: Any, folder: Path) -> Prompting:
    """What writes the prompts of a decoder, or of an encoder-decoder model."""
    if settings["decoder"]:
        from seq2seq_prompting import Seq2SeqPrompting

        return Seq2SeqPrompting(settings, tokenizer, folder)  # type: ignore[no-any-return]
    return Prompting(settings, tokenizer, folder)
