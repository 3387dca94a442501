"""Where methods differ: an item, its reference, and what every method answered to it."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from bench.analysis.comparison import Answers, spread
from bench.analysis.item_texts import asked, fields_of
from bench.core.picture import Picture, PictureError, thumbnail
from bench.core.spans import Span, document_of, place_of
from bench.core.task import Task
from bench.metrics import NAMES
from bench.metrics.formats import clean, number
from bench.report.cases import Case
from bench.report.html.blocks import (
    KINDS,
    Answer,
    Block,
    Heading,
    More,
    Paragraph,
    Points,
    Question,
    Questions,
    Section,
    SeedAnswers,
)
from bench.report.html.sections import prompts

_LEAD = (
    "Items on which the methods' scores lie furthest apart, then some that no method scores on and some where seeds "
    "differ. They show what kinds of questions a method gains or loses; how often, the intervals above say."
)
_ITEMS, _MORE = 16, 4  # of a case: that differ most, and of each other kind
_METHODS, _SEEDS = 8, 3  # the best ones, the first ones
_LONGEST, _LONGEST_PASSAGE = 600, 400  # characters
_PASSAGES = 3
_PICTURE, _PICTURE_BYTES = 96, 12_000  # pixels of a side, and bytes, at most


def section(cases: Sequence[Case]) -> Section:
    """The items of every case with at least two methods."""
    return Section("items", "Where the methods differ", _LEAD, tuple(_blocks(cases)))


def _blocks(cases: Sequence[Case]) -> Iterator[Block]:
    for case in cases:
        if len(case.answers) < 2:
            continue
        yield Heading(case.title)
        methods = case.answers[:_METHODS]
        scores = _Scores(methods)
        shown = scores.shown()
        if not shown:
            yield Paragraph("All methods score alike on every item.")
            continue
        task, reason = asked(case.run, case.records[0])
        if task is None:
            yield Paragraph(f"The items' texts are not shown: {reason}")
        found = tuple(_question(i, methods, scores, task) for i in shown)
        yield Questions(f"{case.id}-items", tuple(clean(one.label) for one in methods), found)
        differing, total = sum("differ" in scores.kinds(i) for i in range(scores.items)), scores.items
        yield Points((f"{len(found)} items of {total:,}; on {differing:,} the methods' scores differ",))
        commands = tuple(prompts.command(case.run, case.records, one.label) for one in methods)
        yield More("The exact prompt of an item, for each method", (Paragraph(prompts.NOTE), Points(commands)))


class _Scores:
    """Scores of methods by seed and item; a corpus metric is spread over items."""

    def __init__(self, methods: Sequence[Answers]) -> None:
        self._values = spread(methods)
        self._first = np.array([values[0] for values in self._values])
        self._higher = NAMES[methods[0].metric].higher_is_better
        self._apart = self._first.max(axis=0) - self._first.min(axis=0)
        self.seeds = sorted({seed for one in methods for seed in one.seeds})[:_SEEDS]
        self._methods = methods

    @property
    def items(self) -> int:
        return len(self._apart)

    def kinds(self, item: int) -> tuple[str, ...]:
        """Of `KINDS`."""
        none = self._higher and float(self._first[:, item].max()) <= 0
        seeds = any(values[:, item].min() < values[:, item].max() for values in self._values)
        holds = {"differ": self._apart[item] > 0, "fail": none, "seeds": seeds}
        return tuple(kind for kind in KINDS if holds[kind])

    def shown(self) -> list[int]:
        """The items that differ most, then the first of the other kinds."""
        order = np.lexsort((np.arange(self.items), -self._apart)).tolist()
        found = [item for item in order if self._apart[item] > 0][:_ITEMS]
        for kind in ("fail", "seeds"):
            found += [item for item in order if kind in self.kinds(item) and item not in found][:_MORE]
        return found

    def row(self, method: int, seed: int) -> int:
        """Of a seed among those of a method; the first where it has another."""
        known = self._methods[method].seeds
        return known.index(seed) if seed in known else 0

    def of(self, item: int, seed: int) -> list[float]:
        """Scores of every method."""
        return [float(values[self.row(at, seed), item]) for at, values in enumerate(self._values)]

    def best(self, scores: Sequence[float]) -> float:
        """The best of some."""
        return max(scores) if self._higher else min(scores)


def _question(place: int, methods: Sequence[Answers], scores: _Scores, task: Task | None) -> Question:
    name = methods[0].ids[place]
    example = next((one for one in task.test if one.id == name), None) if task else None
    passages = {one.id: (one.title or one.id, one.text) for one in task.corpus} if task else {}
    seeds: list[SeedAnswers] = []
    for seed in scores.seeds:
        answers = tuple(_answers(place, methods, scores, seed, {} if seeds else passages))
        wrong = tuple(one.method for one in answers if one.wrong)
        kept = [one for at, one in enumerate(answers) if not seeds or one.text != seeds[0].answers[at].text]
        seeds.append(SeedAnswers(seed, tuple(kept), wrong))
    shown = fields_of(example, task).items() if example and task else ()
    fields = tuple((clean(name), _short(text, _LONGEST)) for name, text in shown)
    references = tuple(_short(text, _LONGEST) for text in example.references) if example else ()
    picture = _picture(example.picture) if example and example.picture else ""
    alt = f"The picture {clean(example.picture.name)}" if picture and example and example.picture else ""
    return Question(clean(name), fields, references, tuple(seeds), scores.kinds(place), picture, alt)


def _picture(picture: Picture) -> str:
    """A small copy of a picture as base64; "" where it cannot be read."""
    try:
        small = thumbnail(picture.read(), _PICTURE)
    except (PictureError, ImportError):
        return ""
    return base64.b64encode(small).decode() if len(small) <= _PICTURE_BYTES else ""


def _answers(
    place: int, methods: Sequence[Answers], scores: _Scores, seed: int, passages: Mapping[str, tuple[str, str]]
) -> Iterator[Answer]:
    """Of every method; passages are known of the first seed alone."""
    given = scores.of(place, seed)
    for at, (one, score) in enumerate(zip(methods, given, strict=True)):
        text = _short(one.outputs[scores.row(at, seed)][place], _LONGEST)
        ranked = tuple(_passages(one, place, passages)) if seed == scores.seeds[0] else ()
        yield Answer(clean(one.label), text, number(one.metric, score), score != scores.best(given), ranked)


def _passages(one: Answers, place: int, known: Mapping[str, tuple[str, str]]) -> Iterator[tuple[str, str]]:
    ranking = one.rankings[place] if one.rankings else ()
    for name in ranking[:_PASSAGES]:
        found = place_of(name, known)
        title, text = known.get(document_of(found), (name, ""))
        if isinstance(found, Span):
            text = text[found.start : found.end]
        yield clean(title), _short(text, _LONGEST_PASSAGE)


def _short(text: str, most: int) -> str:
    """Cleaned line by line and cut; what is hidden in control characters is gone."""
    lines = [clean(line) for line in text[: 4 * most].splitlines()]
    kept = "\n".join(line for line in lines if line)
    return kept if len(kept) <= most and len(text) <= 4 * most else f"{kept[:most]}…"
