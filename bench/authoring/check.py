"""What `adaptbench check TASK` says: every problem at once, or what a person should know of the data.

Everything from the data is shown as plain text: no markup is read from it, no control character passes.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.authoring.metric_choice import UNSEEN, for_any_script, unseen_share
from bench.core.errors import TaskError
from bench.core.item import Example, Passage
from bench.core.picture import size_of
from bench.core.quoting import plain, shown
from bench.core.spans import Gold, Span, document_of
from bench.core.task import Task
from bench.metrics import refuse_unfit
from tasks import find
from tasks.loader.manifest import spec_file
from tasks.loader.read import Loaded, read_task
from tasks.loader.spec import SPLITS

if TYPE_CHECKING:
    from bench.core.prompt import Prompt

MAX_LABELS = 12  # rows of the balance table; of more labels the most and least frequent are shown
_SKEWED = 0.8  # share of the most frequent test label from which accuracy alone misleads


@dataclass(frozen=True, slots=True)
class Lengths:
    """Nearest-rank percentiles of text lengths, in characters and in words split at spaces."""

    texts: int
    chars: tuple[int, int, int]  # p50, p95, max
    words: tuple[int, int, int]


def report(task: str | Path) -> tuple[RenderableType, list[str]]:
    """(what to show, the problems) of a task given by name or folder; no problems means the task is sound.

    Raises UsageError where there is no such task.
    """
    folder = find(task)
    try:
        loaded = read_task(folder, decodes=True)
        refuse_unfit(loaded.task.metrics, loaded.task.kind, spec_file(folder))
    except TaskError as error:
        lines = [Text(f"✗ {plain(line)}", style="red") for line in error.problems]
        return Group(Text(f"{folder}: not usable", style="bold"), *lines), error.problems
    return Group(*_sections(loaded)), []


def lengths(texts: Iterable[str]) -> Lengths | None:
    """Lengths of `texts`; None where there is none."""
    texts = list(texts)
    if not texts:
        return None
    chars = _percentiles([len(text) for text in texts])
    return Lengths(len(texts), chars, _percentiles([len(text.split()) for text in texts]))


def normalised(text: str) -> str:
    """`text` less what makes no difference: case, punctuation, spaces and compatibility forms."""
    words = re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(words) or text


def near_duplicates(
    earlier: Sequence[Example], later: Sequence[Example], prompt: Prompt
) -> list[tuple[Example, Example]]:
    """(earlier, later) pairs whose questions differ, but only in case, punctuation or spaces."""
    known: dict[str, Example] = {}
    for example in earlier:
        known.setdefault(normalised(prompt.ask(example)), example)
    pairs = ((known.get(normalised(prompt.ask(example))), example) for example in later)
    return [(old, new) for old, new in pairs if old is not None and prompt.ask(old) != prompt.ask(new)]


def repeated(examples: Sequence[Example], prompt: Prompt) -> tuple[int, int]:
    """(items whose question stood before in the split, questions that stand with different answers)."""
    answers: dict[str, set[str]] = {}
    for example in examples:
        answers.setdefault(prompt.ask(example), set()).add(example.references[0])
    return len(examples) - len(answers), sum(len(found) > 1 for found in answers.values())


def label_counts(task: Task) -> dict[str, dict[str, int]]:
    """Label -> split -> items, most frequent test label first; empty where choices are not shared."""
    examples = {split: getattr(task, split) for split in SPLITS}
    choices = {example.choices for found in examples.values() for example in found}
    if task.kind != "choice" or len(choices) != 1:
        return {}
    counts = {split: Counter(example.references[0] for example in found) for split, found in examples.items()}
    by_label = {label: {split: counts[split][label] for split in SPLITS} for label in choices.pop()}
    return dict(sorted(by_label.items(), key=lambda one: (-one[1]["test"], -one[1]["train"], one[0])))


def gold_coverage(task: Task) -> dict[str, float]:
    """Shares of the test items: with gold passages, and with a reference in the text of one of them."""
    documents = {passage.id: passage for passage in task.corpus}
    held = sum(
        any(
            reference.casefold() in _gold_text(documents, place)
            for reference in example.references
            for place in example.gold
        )
        for example in task.test
    )
    given = sum(bool(example.gold) for example in task.test)
    return {"with gold passages": given / len(task.test), "answer in a gold passage": held / len(task.test)}


def _gold_text(documents: Mapping[str, Passage], place: Gold) -> str:
    document = documents[document_of(place)]
    if isinstance(place, Span):
        return document.text[place.start : place.end].casefold()
    return f"{document.title}\n{document.text}".casefold()


def warnings(loaded: Loaded) -> Iterator[str]:
    """What is no error but may mislead."""
    task = loaded.task
    yield from loaded.warnings
    for split in ("train", "validation"):
        pairs = near_duplicates(getattr(task, split), task.test, task.prompt)
        if pairs:
            ids = ", ".join(f"{new.id} ~ {old.id}" for old, new in pairs[:3])
            differ = "differ only in case, punctuation or spaces"
            yield f"near duplicates: {len(pairs)} test questions and one of {split} {differ} ({ids})"
    for split in SPLITS:
        _, contradictory = repeated(getattr(task, split), task.prompt)
        if contradictory and split != "train":
            yield f"{split}: questions that stand twice or more with different answers: {contradictory}"
    yield from _missing_splits(task)
    yield from _label_warnings(task)
    yield from _unseen_scripts(task)


def _missing_splits(task: Task) -> Iterator[str]:
    if not task.train:
        yield "no train split: methods that train, and few-shot, do not apply"
    elif not task.validation:
        yield "no validation split: methods that train have nothing to choose a learning rate by"


def _label_warnings(task: Task) -> Iterator[str]:
    counts = label_counts(task)
    if not counts:
        return
    label, most = next((label, found["test"]) for label, found in counts.items())
    if most / len(task.test) >= _SKEWED:
        yield f"{shown(label)} is the answer to {most / len(task.test):.0%} of the test items"
    unseen = [shown(label) for label, found in counts.items() if found["test"] and not found["train"]]
    if task.train and unseen:
        yield f"{len(unseen)} labels of the test split never occur in train: {', '.join(unseen[:5])}"


def _unseen_scripts(task: Task) -> Iterator[str]:
    """Metrics that see no word in half or more of the test split's references."""
    texts = [text for example in task.test for text in example.references]
    for name in task.metrics if task.kind == "text" else ():
        share = unseen_share(name, texts)
        if share >= UNSEEN:
            use = for_any_script(name)
            yield f"metric {name} cannot tell the words of {share:.0%} of the references apart; use {use}"


def _percentiles(values: list[int]) -> tuple[int, int, int]:
    values = sorted(values)
    p50, p95 = (values[math.ceil(share * len(values)) - 1] for share in (0.50, 0.95))
    return p50, p95, values[-1]


def _sections(loaded: Loaded) -> Iterator[RenderableType]:
    task, spec = loaded.task, loaded.spec
    yield Text(plain(f"✓ {task.name}: kind {task.kind}, version {spec.version}"), style="bold")
    for key in ("description", "licence", "source"):
        if getattr(spec, key):
            yield Text(plain(f"{key}: {getattr(spec, key)}"))
    yield _counts_table(task)
    yield _sizes(task) if task.picture_field else _lengths_table(task)
    yield from _balance(task)
    if spec.gold:
        shares = ", ".join(f"{what} {share:.1%}" for what, share in gold_coverage(task).items())
        yield Text(f"gold passages, share of test items: {shares}")
    yield from (Text(plain(f"derived: {note}")) for note in loaded.notes)
    yield from (Text(plain(f"! {line}"), style="yellow") for line in warnings(loaded))


def _counts_table(task: Task) -> Table:
    table = Table("split", title="items", title_justify="left")
    for name in ("items", "repeated questions", "references", "most for one item"):
        table.add_column(name, justify="right")
    for split in SPLITS:
        found: tuple[Example, ...] = getattr(task, split)
        references = [len(example.references) for example in found]
        cells = (len(found), repeated(found, task.prompt)[0], sum(references), max(references, default=0))
        table.add_row(split, *(f"{cell:,}" for cell in cells))
    return table


def _sizes(task: Task) -> Text:
    """Of all pictures: sides in pixels."""
    every = (example.picture for split in SPLITS for example in getattr(task, split))
    sizes = [size_of(picture.read()) for picture in every if picture is not None]
    (least, most), (lowest, highest) = (_range(side) for side in zip(*sizes, strict=True))
    return Text(f"pictures: {len(sizes):,}, {least} to {most} pixels wide and {lowest} to {highest} high")


def _range(values: Iterable[int]) -> tuple[int, int]:
    values = list(values)
    return min(values), max(values)


def _texts(task: Task) -> Iterator[tuple[str, Iterable[str]]]:
    for split in SPLITS:
        found: tuple[Example, ...] = getattr(task, split)
        yield f"{split} question", (task.prompt.ask(example) for example in found)
        yield f"{split} answer", (text for example in found for text in example.references)
    yield "passage", (task.prompt.passage(passage).rstrip() for passage in task.corpus)


def _lengths_table(task: Task) -> Table:
    table = Table("p50 / p95 / max", title="lengths", title_justify="left")
    table.add_column("characters", justify="right")
    table.add_column("words", justify="right")
    for name, texts in _texts(task):
        found = lengths(texts)
        if found:
            table.add_row(name, *(" / ".join(f"{n:,}" for n in three) for three in (found.chars, found.words)))
    return table


def _balance(task: Task) -> Iterator[RenderableType]:
    counts = label_counts(task)
    if not counts:
        return
    title = f"labels: {len(counts)}"
    if len(counts) > MAX_LABELS:
        title += f", the {MAX_LABELS // 2} most and least frequent"
        labels = list(counts)
        counts = {label: counts[label] for label in labels[: MAX_LABELS // 2] + labels[-MAX_LABELS // 2 :]}
    table = Table("label", title=title, title_justify="left")
    for split in SPLITS:
        table.add_column(split, justify="right")
    for label, found in counts.items():
        table.add_row(Text(plain(label)), *(_share(found, split, task) for split in SPLITS))
    yield table


def _share(found: Mapping[str, int], split: str, task: Task) -> str:
    total = len(getattr(task, split))
    return f"{found[split]:,} ({found[split] / total:.1%})" if total else "-"
