"""What of the examples and passages stands in a prompt where not all fit, as the method was measured."""

from __future__ import annotations

from typing import Any

_SHORTEST = 16  # tokens of a passage that is cut: fewer say nothing
Block = dict[str, str]


def fitted(
    prompting: Any, found: list[Block], question: str, room: int, budget: int | None
) -> tuple[list[Block], list[Block]] | None:
    """The examples that all items share, and the blocks of this one, that fit into `room` tokens; None: it does not.

    What was found for the item goes first, the worst first; then examples, the last first. `budget`: of what was found.
    """

    def size(shared: list[Block], own: list[Block]) -> int:
        return len(prompting.encoded(shared, own, question)[1])

    if size([], []) > room:
        return None
    every = prompting.settings["examples"]
    shared = next(every[:n] for n in range(len(every), -1, -1) if size(every[:n], []) <= room or not n)
    taken = size(shared, [])
    most = taken + min(room - taken, room if budget is None else budget)
    count = next(n for n in range(len(found), -1, -1) if size(shared, found[:n]) <= most or not n)
    own, rest = found[:count], found[count:]
    if rest and rest[0]["kind"] == "passage":
        own = own + cut(prompting, shared, own, rest[0], most, question)
    return shared, own


def cut(prompting: Any, shared: list[Block], own: list[Block], passage: Block, size: int, question: str) -> list[Block]:
    """As much of a passage as leaves the prompt at `size` tokens."""
    text = passage["text"].rstrip("\n")
    encoded = prompting.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ends = [end for _, end in encoded["offset_mapping"]]
    room = size - len(prompting.encoded(shared, own, question)[1])
    kept = min(room, len(ends))
    while kept > 0 and room >= _SHORTEST:
        piece = {**passage, "text": text[: ends[kept - 1]] + "\n\n"}
        over = len(prompting.encoded(shared, [*own, piece], question)[1]) - size
        if over <= 0:
            return [piece]
        kept -= over
    return []
