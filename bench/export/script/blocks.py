"""Instruction, examples, passages and an item as one text, or as the turns of a conversation."""

from __future__ import annotations

Block = dict[str, str]  # kind, source, text and, of an example, answer


def written(block: Block) -> str:
    """A block as plain text."""
    return block["text"] if block["kind"] == "passage" else f"{block['text']}{block['answer']}\n\n"


def plain(instruction: str, blocks: list[Block], question: str) -> str:
    """A prompt as plain text."""
    return (f"{instruction}\n\n" if instruction else "") + "".join(map(written, blocks)) + question


def turns(instruction: str, blocks: list[Block], question: str, single_turn: bool) -> list[tuple[str, str]]:
    """A prompt as roles and texts; `single_turn`: examples are text of the user's one turn."""
    told, before = [("system", instruction)] if instruction else [], ""
    for block in blocks:
        if single_turn or block["kind"] == "passage":
            before += written(block)
            continue
        told += [("user", before + block["text"]), ("assistant", block["answer"].strip())]
        before = ""
    return [*told, ("user", before + question)]
