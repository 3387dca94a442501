"""What a page is built from. Each kind of block has a macro of its name in the template."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from bench.report.charts.chart import About, Chart
from bench.report.table import ReportTable


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading below the section's own."""

    text: str
    kind: ClassVar[str] = "heading"


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Plain text."""

    text: str
    kind: ClassVar[str] = "paragraph"


@dataclass(frozen=True, slots=True)
class Points:
    """A list of sentences."""

    texts: tuple[str, ...]
    kind: ClassVar[str] = "points"


@dataclass(frozen=True, slots=True)
class Table:
    """A table; its notes stand below it."""

    table: ReportTable
    kind: ClassVar[str] = "table"


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart, with its data as a table that can be opened; `narrow` stands in for it on phones."""

    chart: Chart
    narrow: Chart
    summary: bool = False  # whether it is printed with the summary
    kind: ClassVar[str] = "figure"


def figure(draw: Callable[..., Chart], about: About, *given: Any, **options: Any) -> Figure:
    """What `draw`, of a kind of chart, makes of the rest; for both widths."""
    return Figure(draw(about, *given, **options), draw(about.as_narrow(), *given, **options))


@dataclass(frozen=True, slots=True)
class More:
    """Blocks that are shown when asked for."""

    summary: str
    blocks: tuple[Block, ...]
    kind: ClassVar[str] = "more"


Tone = Literal["good", "open", "bad"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What a task's decision comes to; in a text, what stands between backticks is a command."""

    task: str
    choice: str
    tone: Tone
    facts: tuple[tuple[str, str], ...]  # term, text
    summary: bool = True  # printed in the summary


@dataclass(frozen=True, slots=True)
class Decisions:
    """The decisions of all tasks; narrow screens show the choices as a list first."""

    decisions: tuple[Decision, ...]
    kind: ClassVar[str] = "decisions"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one method answered to an item."""

    method: str
    text: str
    score: str
    wrong: bool
    passages: tuple[tuple[str, str], ...] = ()  # title or id, text; as retrieved, the best first


@dataclass(frozen=True, slots=True)
class SeedAnswers:
    """What methods answered with a seed: with the first all, with another those whose answers are others.

    `wrong`: the methods below the best with this seed; one that was not measured with it counts with its first.
    """

    seed: int
    answers: tuple[Answer, ...]
    wrong: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """An item with every method's answers."""

    id: str
    fields: tuple[tuple[str, str], ...]
    references: tuple[str, ...]
    seeds: tuple[SeedAnswers, ...]  # at least one
    kinds: tuple[str, ...]  # of `KINDS`
    picture: str = ""  # base64 of a small JPEG; "": the item has none, or it cannot be read
    alt: str = ""


KINDS = {"differ": "methods differ", "fail": "no method scores", "seeds": "seeds differ"}


@dataclass(frozen=True, slots=True)
class Questions:
    """Items that can be filtered by words, by seed, by who was wrong and by how scores lie."""

    id: str
    methods: tuple[str, ...]
    questions: tuple[Question, ...]
    kinds: ClassVar[dict[str, str]] = KINDS
    kind: ClassVar[str] = "questions"


@dataclass(frozen=True, slots=True)
class ScenarioRow:
    """A method with its cost as assumed, and the figures from which the page's script works out another."""

    method: str
    score: str
    cost: str
    figures: str  # JSON
    chosen: bool


@dataclass(frozen=True, slots=True)
class Scenario:
    """Costs of methods, the best first, under assumptions that can be changed."""

    id: str
    title: str
    metric: str
    cost: str
    currency: str
    queries: str  # a number, as it is typed
    updates: str
    months: float
    most: str  # money a month that is allowed; "": any
    rule: bool  # whether the rule that takes the cheapest of equals applies
    rows: tuple[ScenarioRow, ...]
    kind: ClassVar[str] = "scenario"


Block = Heading | Paragraph | Points | Decisions | Table | Figure | More | Questions | Scenario


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page. One without blocks is left out."""

    id: str
    title: str
    lead: str
    blocks: tuple[Block, ...] = field(default=())


def as_blocks(tables: Iterable[ReportTable]) -> Iterator[Block]:
    """Each table as a table; one of notes alone as a heading and points."""
    for table in tables:
        if table.rows:
            yield Table(table)
        elif table.notes:
            yield Heading(table.title)
            yield Points(table.notes)
