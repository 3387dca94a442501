"""Where methods differ: an item, its reference, and what every method answered to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bench.analysis.comparison import Answers, spread
from bench.analysis.item_texts import asked
from bench.core.task import Task
from bench.metrics import NAMES
from bench.metrics.formats import clean, number
from bench.report.cases import Case
from bench.report.html.blocks import Answer, Block, Heading, Paragraph, Points, Question, Questions, Section

_LEAD = (
    "Items on which the methods' scores lie furthest apart, answers of the first seed. They show what kinds of "
    "questions a method gains or loses; how often, the intervals above say."
)
_ITEMS = 24  # of a case
_METHODS = 8  # the best ones
_LONGEST, _LONGEST_PASSAGE = 600, 400  # characters
_PASSAGES = 3


def section(cases: Sequence[Case]) -> Section:
    """The items of every case with at least two methods."""
    return Section("items", "Where the methods differ", _LEAD, tuple(_blocks(cases)))


def _blocks(cases: Sequence[Case]) -> Iterator[Block]:
    for case in cases:
        if len(case.answers) < 2:
            continue
        yield Heading(case.title)
        methods = case.answers[:_METHODS]
        scores = np.array([values[0] for values in spread(methods)])  # of the first seed; a corpus metric is spread
        apart = scores.max(axis=0) - scores.min(axis=0)
        order = [i for i in np.lexsort((np.arange(len(apart)), -apart)).tolist() if apart[i] > 0]
        if not order:
            yield Paragraph("All methods score alike on every item.")
            continue
        task, reason = asked(case.run, case.records[0])
        if task is None:
            yield Paragraph(f"The items' texts are not shown: {reason}")
        found = tuple(_question(case, i, methods, scores, task) for i in order[:_ITEMS])
        yield Questions(f"{case.id}-items", tuple(clean(one.label) for one in methods), found)
        yield Points((f"{len(found)} of {len(order):,} items on which scores differ, of {len(apart):,} in all",))


def _question(
    case: Case, place: int, methods: Sequence[Answers], scores: NDArray[np.float64], task: Task | None
) -> Question:
    name = methods[0].ids[place]
    example = next((one for one in task.test if one.id == name), None) if task else None
    passages = {one.id: (one.title or one.id, one.text) for one in task.corpus} if task else {}
    metric = methods[0].metric
    best = scores[:, place].max() if NAMES[metric].higher_is_better else scores[:, place].min()
    answers = tuple(
        Answer(
            clean(one.label),
            _short(one.outputs[0][place], _LONGEST),
            number(metric, float(score)),
            bool(score != best),
            tuple(_passages(one, place, passages)),
        )
        for one, score in zip(methods, scores[:, place], strict=True)
    )
    fields = tuple((clean(name), _short(text, _LONGEST)) for name, text in example.fields.items()) if example else ()
    references = tuple(_short(text, _LONGEST) for text in example.references) if example else ()
    return Question(clean(name), fields, references, answers)


def _passages(one: Answers, place: int, known: Mapping[str, tuple[str, str]]) -> Iterator[tuple[str, str]]:
    ranking = one.rankings[place] if one.rankings else ()
    for name in ranking[:_PASSAGES]:
        title, text = known.get(name, (name, ""))
        yield clean(title), _short(text, _LONGEST_PASSAGE)


def _short(text: str, most: int) -> str:
    """Cleaned line by line and cut; what is hidden in control characters is gone."""
    lines = [clean(line) for line in text[: 4 * most].splitlines()]
    kept = "\n".join(line for line in lines if line)
    return kept if len(kept) <= most and len(text) <= 4 * most else f"{kept[:most]}…"
