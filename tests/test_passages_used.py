"""What became of the right passages, on a case worked by hand: six questions, two passages shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from bench.analysis import passages_used
from bench.analysis.passages_used import passage_use
from bench.core.identity import MethodParts, PartSettings
from bench.core.item import Example, Passage
from bench.core.prompt import Prompt
from bench.core.record import Record, Run, Score
from bench.core.spans import Span
from bench.core.task import Task

CORPUS = tuple(Passage(name, f"the {name} is blue and heavy") for name in ("cup", "pan", "jug", "mug"))
# item -> gold, ranking, what was answered and its score
CASES: dict[str, tuple[tuple[Any, ...], tuple[str, ...], str, float]] = {
    "test/used": (("cup",), ("cup", "pan", "jug"), "cup blue", 1.0),
    "test/second": (("pan",), ("cup", "pan", "jug"), "pan green", 0.5),  # half of a perfect score is right
    "test/unused": (("jug",), ("jug", "pan", "cup"), "quite green", 0.0),
    "test/unshown": (("jug",), ("cup", "pan", "jug"), "", 0.0),
    "test/missed": (("mug",), ("cup", "pan", "jug"), "heavy green", 0.4),
    "test/unneeded": (("mug",), ("cup", "pan", "jug"), "heavy pan", 1.0),
    "test/no-gold": ((), ("cup", "pan", "jug"), "pan", 1.0),
}


def task() -> Task:
    test = tuple(Example(name, {"q": name}, references=("x",), gold=gold) for name, (gold, _, _, _) in CASES.items())
    return Task("cups", "text", Prompt("", "{q}"), (), (), test, CORPUS, ("token_f1",))


def record(key: str, context: str, **options: Any) -> Record:
    parts = MethodParts(PartSettings("frozen", {}), PartSettings(context, options), context == "rag", False, False, "")
    return Record(
        key, "m", "cups", context, 0, "ok", "2026-01-01T00:00:00+00:00", scores={"token_f1": Score(0.5)}, parts=parts
    )


def use(
    monkeypatch: pytest.MonkeyPatch,
    asked: Task,
    dropped: int = 0,
    cited: Mapping[str, tuple[int, ...]] = MappingProxyType({}),
    **options: Any,
) -> Any:
    rag, closed = record("r", "rag", **{"top_k": 2, "neighbours": 0, **options}), record("c", "zero-shot")
    lines = {
        "r": [
            {
                "id": name,
                "output": text,
                "metrics": {"token_f1": value},
                "ranking": ranking,
                "passages_dropped": dropped,
                "cited": cited.get(name, ()),
            }
            for name, (_, ranking, text, value) in CASES.items()
        ],
        "c": [{"id": name, "output": "", "metrics": {"token_f1": float(name == "test/used")}} for name in CASES],
    }
    monkeypatch.setattr(passages_used, "asked", lambda run, record: (asked, ""))
    monkeypatch.setattr(passages_used, "read_predictions", lambda path, key: lines[key])
    run: Any = replace(Run(Path(), "s", (rag, closed), ()))
    return passage_use(run, [rag])


def test_every_question_has_one_fate(monkeypatch: pytest.MonkeyPatch) -> None:
    found = use(monkeypatch, task())
    assert found.questions == 6
    assert found.shares == pytest.approx(
        {"missed": 1 / 6, "unshown": 1 / 6, "unused": 1 / 6, "used": 2 / 6, "unneeded": 1 / 6}
    )
    assert sum(found.shares.values()) == pytest.approx(1)


def test_what_was_known_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the two that are right with their passage, the base model has one right without."""
    assert use(monkeypatch, task()).known == 0.5


def test_words_that_stand_in_the_passages(monkeypatch: pytest.MonkeyPatch) -> None:
    """cup blue 2/2, pan green 1/2, quite green 0/2, heavy green 1/2, heavy pan 2/2, pan 1/1; one has no words."""
    assert use(monkeypatch, task()).grounded == pytest.approx((1 + 0.5 + 0 + 0.5 + 1 + 1) / 6)


def test_a_passage_that_was_dropped_was_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one of two dropped, the second passage was found and not shown: its right answer needed none."""
    found = use(monkeypatch, task(), dropped=1)
    assert found.shares["used"] == pytest.approx(1 / 6)
    assert found.shares["unneeded"] == pytest.approx(2 / 6)


def test_chunks_count_where_they_hold_the_span(monkeypatch: pytest.MonkeyPatch) -> None:
    """The span is characters 4 to 7 of its document; half of it in what is shown is enough."""
    asked = task()
    spans = tuple(
        replace(example, gold=(Span("cup", 4, 8),) if example.id == "test/used" else ()) for example in asked.test
    )
    monkeypatch.setitem(CASES, "test/used", ((), ("cup#0-5", "cup#5-6", "pan"), "cup", 1.0))
    assert use(monkeypatch, replace(asked, test=spans)).shares["used"] == 1
    monkeypatch.setitem(CASES, "test/used", ((), ("cup#0-5", "pan", "cup#5-6"), "cup", 0.0))
    assert use(monkeypatch, replace(asked, test=spans)).shares["unshown"] == 1


def test_nothing_is_said_where_it_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    assert use(monkeypatch, task(), neighbours=1) is None
    bare = task()
    assert use(monkeypatch, replace(bare, test=tuple(replace(one, gold=()) for one in bare.test))) is None
