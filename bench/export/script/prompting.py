"""Items to prompts and token ids, exactly as the method was measured."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}\n]+)\}")
_SHORTEST = 16  # tokens of a passage that is cut: fewer say nothing
Block = dict[str, str]  # kind, source, text and, of an example, answer


@dataclass
class Written:
    """A prompt, and what each choice adds to it."""

    ids: list[int]
    choices: list[list[int]]


def fill(template: str, item: dict[str, Any], choices: list[str] | None) -> str:
    """A template with the columns of an item in it."""
    values = {**item, **({"choices": "; ".join(choices)} if choices else {})}
    return _PLACEHOLDER.sub(lambda match: match[0][0] if match[1] is None else str(values[match[1]]), template)


class Prompting:
    """Writes the prompts of one task and method for one model."""

    def __init__(self, settings: dict[str, Any], generation: dict[str, Any], tokenizer: Any, folder: Path) -> None:
        self.settings, self.tokenizer, self.chat = settings, tokenizer, settings["chat"]
        self.dropped = generation["dropped_ids"]
        self.retriever = None
        if settings["retrieval"]:
            from retrieval import Retriever

            self.retriever = Retriever(settings["retrieval"], folder)

    def write(self, item: dict[str, Any], choices: list[str] | None, bare: bool = False) -> Written | None:
        """The prompt of an item, `bare` without it; None where it does not fit into the model's context.

        Where all does not fit, what was found for the item goes first, the worst first; then examples, the last first.
        """
        settings, found = self.settings, []
        if self.retriever and not bare:
            found = self.retriever.find(fill(settings["query"], item, None).strip())
        question = settings["cue"] if bare else fill(settings["template"], item, choices).rstrip(" \t")
        shared, own = settings["examples"], found
        text, ids = self.encoded(shared, own, question)
        reserve = max((len(self.behind(text, ids, each)[1]) for each in choices or ()), default=settings["reserve"])
        room, budget = settings["context_length"] - reserve, settings["token_budget"]

        def size(shared: list[Block], own: list[Block]) -> int:
            return len(self.encoded(shared, own, question)[1])

        if len(ids) > room or (budget is not None and own):
            if size([], []) > room:
                return None
            shared = next(shared[:n] for n in range(len(shared), -1, -1) if size(shared[:n], []) <= room or not n)
            taken = size(shared, [])
            most = taken + min(room - taken, room if budget is None else budget)
            count = next(n for n in range(len(own), -1, -1) if size(shared, own[:n]) <= most or not n)
            own, rest = own[:count], own[count:]
            if rest and rest[0]["kind"] == "passage":
                own = own + self.cut(shared, own, rest[0], most, question)
            text, ids = self.encoded(shared, own, question)
        joined = [self.behind(text, ids, choice) for choice in choices or ()]
        kept = min((n for n, _ in joined), default=len(ids))
        return Written(ids[:kept], [ids[kept:n] + more for n, more in joined])

    def encoded(self, shared: list[Block], own: list[Block], question: str) -> tuple[str, list[int]]:
        """A prompt as text and ids; the best of an item's own blocks stands nearest to it."""
        blocks = [*shared, *reversed(own)]
        text = self.conversation(blocks, question) if self.chat else self.plain(blocks, question)
        return text, self.settings["begin"] + self.ahead(text)

    def plain(self, blocks: list[Block], question: str) -> str:
        """A prompt as plain text."""
        instruction = self.settings["instruction"]
        return (f"{instruction}\n\n" if instruction else "") + "".join(map(written, blocks)) + question

    def conversation(self, blocks: list[Block], question: str) -> str:
        """A prompt as the chat template renders it."""
        chat, instruction, turns, before = self.chat, self.settings["instruction"], [], ""
        for block in blocks:
            if chat["single_turn"] or block["kind"] == "passage":
                before += written(block)
                continue
            turns += [("user", before + block["text"]), ("assistant", block["answer"].strip())]
            before = ""
        turns.append(("user", before + question))
        if instruction and chat["system"]:
            turns.insert(0, ("system", instruction))
        elif instruction:
            turns[0] = ("user", f"{instruction}\n\n{turns[0][1]}")
        messages = [
            {"role": role, "content": [{"type": "text", "text": text}] if chat["parts"] else text}
            for role, text in turns
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

    def ahead(self, text: str) -> list[int]:
        """Ids of a text; of plain text that ends in white space, as it stands in front of a word."""
        if not self.chat and text[-1:].isspace():
            whole, parted = self.split(text, "A")
            if parted:
                return whole[:parted]
        return self.tokens(text)

    def cut(self, shared: list[Block], own: list[Block], passage: Block, size: int, question: str) -> list[Block]:
        """As much of a passage as leaves the prompt at `size` tokens."""
        text = passage["text"].rstrip("\n")
        encoded = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        ends = [end for _, end in encoded["offset_mapping"]]
        room = size - len(self.encoded(shared, own, question)[1])
        kept = min(room, len(ends))
        while kept > 0 and room >= _SHORTEST:
            piece = {**passage, "text": text[: ends[kept - 1]] + "\n\n"}
            over = len(self.encoded(shared, [*own, piece], question)[1]) - size
            if over <= 0:
                return [piece]
            kept -= over
        return []

    def tokens(self, text: str) -> list[int]:
        """Ids of a text alone."""
        return list(self.tokenizer.encode(text, add_special_tokens=False)) if text else []

    def decode(self, ids: list[int]) -> str:
        """Text of generated ids."""
        kept = [token for token in ids if token not in self.dropped]
        return str(self.tokenizer.decode(kept, skip_special_tokens=False, clean_up_tokenization_spaces=False))


def written(block: Block) -> str:
    """A block as plain text."""
    return block["text"] if block["kind"] == "passage" else f"{block['text']}{block['answer']}\n\n"
