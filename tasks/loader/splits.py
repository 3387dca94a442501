"""Which items are in which split, what they are called, and which are in two.

Ids come from a hash of the content, never from the place in a file. Moving rows about in a file changes no id, no
carved-out split, no sample and no limit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from bench.core.hashing import canonical, sha256
from bench.core.item import Example
from bench.core.prompt import Prompt
from bench.core.quoting import shown
from tasks.loader.examples import Draft
from tasks.loader.problems import Problems

_ID_DIGITS = 12
_EXAMPLES = 3  # of overlapping rows that a message names
TRIAL_ITEMS = 200  # of the validation split at most, that a trial of a method that does not train answers


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
    content = [dict(example.fields), example.choices, sorted(example.references), sorted(example.gold, key=str)]
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


def folds(
    examples: Sequence[Example], count: int, prompt: Prompt
) -> list[tuple[tuple[Example, ...], tuple[Example, ...]]]:
    """`count` times (rest, held out), or fewer where there are fewer questions: every item is held out once.

    Items with the same question, and items of one group, are never parted. Which fold an item is in depends on a hash
    of the questions alone: it is the same for every seed and method.
    """
    units = [example.group or prompt.ask(example) for example in examples]
    order = sorted(set(units), key=lambda unit: sha256(f"fold\x1f{unit}"))
    place = {unit: i % count for i, unit in enumerate(order)}
    of = [place[unit] for unit in units]
    return [
        (
            tuple(example for example, fold in zip(examples, of, strict=True) if fold != held),
            tuple(example for example, fold in zip(examples, of, strict=True) if fold == held),
        )
        for held in range(min(count, len(order)))
    ]


def carve(found: Sequence[Draft], size: int, prompt: Prompt, salt: str) -> tuple[list[Draft], list[Draft]]:
    """(rest, carved): about `size` drafts chosen by hash of their question.

    Items with the same question land on the same side; a group of them that would overshoot `size` is
    passed over, so the carved part never has more.
    """
    asked = [prompt.ask(draft.example) for draft in found]
    left, chosen = size, set()
    for text, count in sorted(Counter(asked).items(), key=lambda group: sha256(f"{salt}\x1f{group[0]}")):
        if count <= left:
            chosen.add(text)
            left -= count
    rest = [draft for draft, text in zip(found, asked, strict=True) if text not in chosen]
    carved = [draft for draft, text in zip(found, asked, strict=True) if text in chosen]
    return rest, carved


def find_overlaps(splits: dict[str, list[Draft]], prompt: Prompt) -> dict[tuple[str, str], list[tuple[Draft, Draft]]]:
    """For each pair of splits, the (earlier, later) drafts whose question the model sees as the same."""
    asked = {name: [prompt.ask(draft.example) for draft in found] for name, found in splits.items()}
    pairs = [("train", "test"), ("validation", "test"), ("train", "validation")]
    found = {}
    for earlier, later in pairs:
        known = dict(zip(reversed(asked[earlier]), reversed(splits[earlier]), strict=True))
        paired = zip(asked[later], splits[later], strict=True)
        both = [(known[text], draft) for text, draft in paired if text in known]
        if both:
            found[earlier, later] = both
    return found


def report_overlaps(splits: dict[str, list[Draft]], prompt: Prompt, allowed: bool, problems: Problems) -> list[str]:
    """The overlaps that are only worth a warning; a leak of test items not `allowed` is a problem."""
    warnings = []
    for (earlier, later), both in find_overlaps(splits, prompt).items():
        items = f"{later} item also stands" if len(both) == 1 else f"{later} items also stand"
        what = f"{len(both)} {items} in {earlier} ({_examples(both)})"
        if later == "test" and not allowed:
            remedy = "remove them, or set allow_overlap: true where the published split has them"
            problems.add(both[0][1].file, what, remedy, both[0][1].row)
        else:
            warnings.append(f"{both[0][1].file}:{both[0][1].row}: {what}")
    return warnings


def _examples(both: Sequence[tuple[Draft, Draft]]) -> str:
    rows = [f"row {later.row} = {earlier.file}:{earlier.row}" for earlier, later in both[:_EXAMPLES]]
    return ", ".join(rows) + (", …" if len(both) > _EXAMPLES else "")
