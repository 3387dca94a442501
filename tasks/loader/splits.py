"""Which items stand in which split, and what they are called: by hash of content, never by place in a file.

Moving rows about in a file changes no id, no carved-out split, no sample and no limit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from bench.core.hashing import canonical, sha256
from bench.core.item import Example, Item
from bench.core.prompt import Prompt
from bench.core.quoting import shown
from tasks.loader.examples import Draft
from tasks.loader.problems import Problems

_ID_DIGITS = 12
TRIAL_ITEMS = 200  # of the validation split at most, that a trial of a method that does not train answers


def question(prompt: Prompt, item: Item) -> str:
    """The question as the model sees it: what makes two items the same."""
    return prompt.ask(item)


def named(split: str, found: Iterable[Draft], problems: Problems) -> list[Draft]:
    """The drafts with ids: `<split>/<the file's id or a hash>`, with #2, #3 for exact duplicates."""
    seen: Counter[str] = Counter()
    result = []
    for draft in found:
        key = draft.given.strip() or _content_hash(draft.example)
        seen[key] += 1
        if seen[key] > 1 and draft.given:
            problems.add(draft.file, f"id {shown(key)} stands twice", "make ids unique", draft.row)
        suffix = f"#{seen[key]}" if seen[key] > 1 else ""
        result.append(replace(draft, example=replace(draft.example, id=f"{split}/{key}{suffix}")))
    return result


def _content_hash(example: Example) -> str:
    content = [dict(example.fields), example.choices, sorted(example.references), sorted(example.gold)]
    return sha256(canonical(content))[:_ID_DIGITS]


def first_by_hash(found: Sequence[Draft], count: int) -> list[Draft]:
    """A fixed sample: the first `count` in order of a hash of their ids, in the order of the file."""
    chosen = sorted(found, key=lambda draft: sha256(draft.example.id))[:count]
    ids = {draft.example.id for draft in chosen}
    return [draft for draft in found if draft.example.id in ids]


def sample(train: Sequence[Example], count: int, seed: int) -> tuple[Example, ...]:
    """`count` training items drawn by seed, in their order; with one seed, fewer items are always among more."""
    order = sorted(train, key=lambda example: sha256(f"{seed}\0{example.id}"))
    ids = {example.id for example in order[:count]}
    return tuple(example for example in train if example.id in ids)


def carve(found: Sequence[Draft], size: int, prompt: Prompt, salt: str) -> tuple[list[Draft], list[Draft]]:
    """(rest, carved): about `size` drafts chosen by hash of their question.

    Items with the same question land on the same side; a group of them that would overshoot `size` is
    passed over, so the carved part never has more.
    """
    asked = [question(prompt, draft.example) for draft in found]
    left, chosen = size, set()
    for text, count in sorted(Counter(asked).items(), key=lambda group: sha256(f"{salt}\x1f{group[0]}")):
        if count <= left:
            chosen.add(text)
            left -= count
    rest = [draft for draft, text in zip(found, asked, strict=True) if text not in chosen]
    carved = [draft for draft, text in zip(found, asked, strict=True) if text in chosen]
    return rest, carved
