"""What the tables of searched prompts say: what was found, how much better it is on validation, and what it took."""

from __future__ import annotations

from collections.abc import Iterator

from bench.core.prompt_search import PromptSearch
from bench.core.record import Record, Run
from bench.metrics import NAMES
from bench.metrics.formats import clean, duration, number, title
from bench.report.table import NOTHING, ReportTable, Text, cells

_HEADS = ("method", "task", "seed", "judged by", "first", "found", "tried", "answers", "tokens", "search")
_FOUND = ("method", "task", "seed", "examples", "instruction")
_LEGEND = (
    "first, found: on validation, of the prompt that the search began with and of the one that it chose, the best of "
    "those tried, which is too high by chance; answers: items of train and validation that were asked; tokens: of "
    "these and of instructions that a model wrote; search: the time, with that of a joined method's options"
)
_SHOWN = 8  # ids of examples; the rest is counted


def tables(run: Run, model: str) -> list[ReportTable]:
    """For a model the searches for prompts and the prompts that they found; no table where none was searched for."""
    found = [(r, r.prompt_search) for r in run.records if r.model == model and r.prompt_search]
    if not found:
        return []
    searches = tuple(cells(*_name(record), *_search(record, search)) for record, search in found)
    texts = tuple(_prompt(record, search) for record, search in found)
    reflectors = {clean(search.reflector.model): search.reflector for _, search in found if search.reflector}
    notes = (f"{name}: wrote instructions{_where(by.base_url, by.stays)}" for name, by in reflectors.items())
    return [
        ReportTable(f"{clean(model)}: searches for prompts", _HEADS, searches, (*notes, _LEGEND)),
        ReportTable(f"{clean(model)}: prompts found", _FOUND, texts),
    ]


def _name(record: Record) -> tuple[str, str, str]:
    return clean(record.method), clean(record.task), str(record.seed)


def _search(record: Record, search: PromptSearch) -> Iterator[str]:
    name, tried = search.criterion, search.found.tried
    yield f"{title(name)} of {search.found.judged}" if name in NAMES else clean(name) or "what fits"
    yield number(name, tried[0].value) if tried else NOTHING
    yield NOTHING if search.found.value is None else number(name, search.found.value)
    yield f"{len(tried)}"
    yield f"{search.answers:,}"
    yield f"{search.tokens:,}"
    yield duration(record.phases["tune"].wall_s) if "tune" in record.phases else NOTHING


def _prompt(record: Record, search: PromptSearch) -> tuple[Text, ...]:
    examples, instruction = search.found.examples, search.found.instruction
    ids = ", ".join(map(clean, examples[:_SHOWN])) + (f", +{len(examples) - _SHOWN}" if len(examples) > _SHOWN else "")
    text = Text("the task's own", "faint") if instruction is None else clean(instruction) or "none"
    return cells(*_name(record), f"{len(examples)}: {ids}" if examples else "none", text)


def _where(base_url: str, stays: bool) -> str:
    if not base_url:
        return ", on this machine"
    return f"; {clean(base_url)}; what it was shown {'stays on this machine' if stays else 'leaves this machine'}"
