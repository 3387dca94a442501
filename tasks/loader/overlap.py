"""Test items that also stand in train or validation: a leak, unless the published split has it."""

from __future__ import annotations

from collections.abc import Sequence

from bench.core.prompt import Prompt
from tasks.loader.examples import Draft
from tasks.loader.problems import Problems
from tasks.loader.splits import question

Pairs = dict[tuple[str, str], list[tuple[Draft, Draft]]]
_EXAMPLES = 3


def find_overlaps(splits: dict[str, list[Draft]], prompt: Prompt) -> Pairs:
    """For each pair of splits, the (earlier, later) drafts whose question the model sees as the same."""
    asked = {name: [question(prompt, draft.example) for draft in found] for name, found in splits.items()}
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
