"""What became of the passages that hold an answer: not found, not shown, not used, used, or not needed.

Computed from what is recorded: rankings, scores of items, and the task as it lies. An answer is right where its score
in the primary metric is at least half of what a perfect one has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from bench.analysis.item_texts import asked
from bench.core.item import Example, Passage
from bench.core.record import Record, Run
from bench.core.spans import Gold, Span, document_of, place_of
from bench.core.task import Task
from bench.core.words import tokens_of
from bench.metrics import is_right
from bench.metrics.retrieval import rank_of
from bench.store.lines import Line
from bench.store.run_folder import read_predictions
from methods.frozen import Frozen

Fate = Literal["missed", "unshown", "unused", "used", "unneeded"]


@dataclass(frozen=True, slots=True)
class Citations:
    """How answers cite, of the questions whose right passages were shown, over all seeds."""

    questions: int
    cited: float  # share of these with a citation
    precision: float | None  # mean share of an answer's citations that hold gold, of those with any; None: none has
    recall: float  # mean share of the gold that is cited


@dataclass(frozen=True, slots=True)
class PassageUse:
    """Of one method: what became of the passages that hold the answers, over all its seeds."""

    questions: int  # with gold passages, each counted once for every seed
    shares: Mapping[Fate, float]  # of the questions; they add up to 1
    known: float | None  # of the right answers with the passage shown: right without passages too; None: not measured
    grounded: float | None  # mean share of an answer's words that stand in the passages shown; None: no texts
    citations: Citations | None = None  # None: the prompt does not ask for any


def passage_use(run: Run, records: Sequence[Record]) -> PassageUse | None:
    """Of the cells (seeds) of one method that retrieves; None where that cannot be said.

    That is so where no question has gold passages, where the primary metric has no value of an item, where neighbours
    of passages are shown, of which rankings do not say how many they were, and where the task is not at hand.
    """
    first = records[0]
    metric = next(iter(first.scores), "")
    shown = most_shown(first)
    task, _ = asked(run, first) if shown is not None else (None, "")
    if task is None or shown is None or not any(example.gold for example in task.test):
        return None
    lines = {record.key: read_predictions(run.path, record.key) for record in records}
    if any(metric not in each[0]["metrics"] for each in lines.values()):
        return None
    seen = [each for of_seed in lines.values() for each in _items(task, of_seed, metric, shown)]
    fates = Counter(each.fate for each in seen)
    return PassageUse(
        len(seen),
        {fate: fates[fate] / len(seen) for fate in ("missed", "unshown", "unused", "used", "unneeded")},
        _known(run, first, metric, [each.item for each in seen if each.fate == "used"]),
        _grounded(task, lines.values(), shown),
        _citations(task, lines.values(), shown) if _option(first, "cite") == "on" else None,
    )


@dataclass(frozen=True, slots=True)
class _Item:
    item: str
    fate: Fate


def _option(record: Record, name: str) -> object:
    """What an option of the context was, as it was set or chosen; None where it is open or unknown."""
    chosen = record.tuning.chosen if record.tuning is not None else {}
    value = chosen.get(name, record.parts.context.options.get(name))
    return value[0] if isinstance(value, tuple) and len(value) == 1 else value


def most_shown(record: Record) -> int | None:
    """How many passages a prompt holds at most; None where that is not known."""
    count = _option(record, "top_k")
    return count if isinstance(count, int) and not _option(record, "neighbours") else None


def _items(task: Task, lines: Sequence[Line], metric: str, shown: int) -> Iterator[_Item]:
    examples = {example.id: example for example in task.test if example.gold}
    documents = {passage.id for passage in task.corpus}
    for line in lines:
        example = examples.get(line["id"])
        if example is not None:
            places = [place_of(name, documents) for name in line.get("ranking", ())]
            yield _Item(
                example.id, _fate(example, places, _kept(line, shown), is_right(metric, line["metrics"][metric]))
            )


def _kept(line: Line, shown: int) -> int:
    """How many passages stood in the prompt of an item."""
    return max(0, shown - line.get("passages_dropped", 0))


def _fate(example: Example, places: Sequence[Gold], kept: int, right: bool) -> Fate:
    if _holds(places[:kept], example.gold):
        return "used" if right else "unused"
    if right:
        return "unneeded"
    return "unshown" if _holds(places, example.gold) else "missed"


def _holds(places: Sequence[Gold], gold: Sequence[Gold]) -> bool:
    return any(rank_of(places, wanted) <= len(places) for wanted in gold)


def _known(run: Run, record: Record, metric: str, items: Sequence[str]) -> float | None:
    """Of answers that are right with their passage: the share that the base model has right without any."""
    closed_book = next(
        (
            other
            for other in run.records
            if (other.model, other.task, other.status) == (record.model, record.task, "ok")
            and other.parts.weights.name == Frozen.name
            and other.parts.context.name == "zero-shot"
        ),
        None,
    )
    if closed_book is None or not items:
        return None
    right = {
        line["id"]
        for line in read_predictions(run.path, closed_book.key)
        if is_right(metric, line["metrics"].get(metric, 0.0))
    }
    return fmean(float(item in right) for item in items)


def _grounded(task: Task, files: Iterable[Sequence[Line]], shown: int) -> float | None:
    """Mean share of the words of an answer that stand in the passages of its prompt; None where no answer has words."""
    if task.kind != "text":
        return None
    corpus = {passage.id: passage for passage in task.corpus}
    shares = []
    for line in (line for lines in files for line in lines):
        words = tokens_of(line["output"])
        if words and line.get("ranking"):
            held = {word for text in texts_shown(task, corpus, line, shown) for word in tokens_of(text)}
            shares.append(fmean(float(word in held) for word in words))
    return fmean(shares) if shares else None


def texts_shown(task: Task, corpus: Mapping[str, Passage], line: Line, shown: int) -> list[str]:
    """The passages in the prompt of an item, the best first, as it shows them; `shown`: how many it holds at most."""
    places = [place_of(name, corpus) for name in line.get("ranking", ())[: _kept(line, shown)]]
    return [_text(task, corpus, place) for place in places]


def _text(task: Task, corpus: Mapping[str, Passage], place: Gold) -> str:
    """A passage as a prompt shows it."""
    whole = corpus.get(document_of(place))
    if whole is None:
        return ""
    text = whole.text[place.start : place.end] if isinstance(place, Span) else whole.text
    return task.prompt.passage(Passage(whole.id, text, whole.title))


def _citations(task: Task, files: Iterable[Sequence[Line]], shown: int) -> Citations | None:
    examples = {example.id: example for example in task.test if example.gold}
    documents = {passage.id for passage in task.corpus}
    precisions: list[float] = []
    recalls: list[float] = []
    for line in (line for lines in files for line in lines if line["id"] in examples):
        gold = examples[line["id"]].gold
        places = [place_of(name, documents) for name in line.get("ranking", ())][: _kept(line, shown)]
        if not _holds(places, gold):
            continue
        numbers = line.get("cited", ())
        cited = [places[number - 1] for number in numbers if 0 < number <= len(places)]
        recalls.append(fmean(float(_holds(cited, [wanted])) for wanted in gold))
        if numbers:  # a number that no passage has is a citation of nothing
            precisions.append(sum(_holds([place], gold) for place in cited) / len(numbers))
    if not recalls:
        return None
    precision = fmean(precisions) if precisions else None
    return Citations(len(recalls), len(precisions) / len(recalls), precision, fmean(recalls))
