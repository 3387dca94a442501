"""Scores over runs: ordered by date, apart where the items or the scoring differ, with all that is left out said."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from bench.analysis.history.settings import differing
from bench.analysis.history.tracks import dated, panels
from bench.analysis.statistics.intervals import wilson
from bench.core.errors import UsageError
from bench.core.identity import Identity, ModelIdentity
from bench.core.measured import Environment
from bench.core.record import Failure, Record, Run, Score
from tests.history.made import day, made, right
from tests.test_comparison import answers, scored


def test_runs_stand_in_the_order_of_their_records(tmp_path: Path) -> None:
    late, early = made(tmp_path, 9, {"full": right(30)}), made(tmp_path, 2, {"full": right(20)})
    found = dated([late, early])
    assert [(one.number, one.run.path.name, one.date.day) for one in found] == [(1, "run2", 2), (2, "run9", 9)]
    [panel] = panels(found)
    [track] = panel.tracks
    assert [(p.number, p.score) for p in track.points] == [(1, 0.5), (2, 0.75)]
    assert [p.interval for p in track.points] == [wilson(20, 40), wilson(30, 40)]


def test_a_run_is_as_old_as_its_latest_record(tmp_path: Path) -> None:
    one = made(tmp_path, 3, {"full": right(30)})
    two = made(tmp_path, 1, {"full": right(20), "rag": right(10)})
    two = replace(two, records=(two.records[0], replace(two.records[1], created="2026-03-04T01:00:00+02:00")))
    assert [one.run.path.name for one in dated([two, one])] == ["run3", "run1"]  # the 3rd of March, 23:00 UTC


@pytest.mark.parametrize("text", ["yesterday", "", "2026-13-01"])
def test_a_date_that_is_none(tmp_path: Path, text: str) -> None:
    run = made(tmp_path, 1, {"full": right(30)})
    with pytest.raises(UsageError, match="which is no date"):
        dated([replace(run, records=(replace(run.records[0], created=text),))])


def test_a_run_that_is_empty_or_there_twice(tmp_path: Path) -> None:
    run = made(tmp_path, 1, {"full": right(30)})
    with pytest.raises(UsageError, match="is given twice"):
        dated([run, replace(run, path=tmp_path / "." / "run1")])
    with pytest.raises(UsageError, match="has no measured cell"):
        dated([Run(tmp_path, "trial", ())])


def test_other_items_and_other_scoring_are_set_apart(tmp_path: Path) -> None:
    other_items = [{**line, "id": f"test/x{i}"} for i, line in enumerate(scored(right(10)))]
    runs = [
        made(tmp_path, 1, {"full": right(30)}),
        made(tmp_path, 2, {"full": other_items}),
        made(tmp_path, 3, {"full": right(31)}),
        made(tmp_path, 4, {"full": right(29)}, scores={"accuracy": Score(0.1, "v2")}),
        made(tmp_path, 5, {"full": right(29)}, questions="asked in other words"),
        made(tmp_path, 6, {"full": right(29, of=39)}),
    ]
    [panel] = panels(dated(runs))
    assert [(t.part, [p.number for p in t.points]) for t in panel.tracks] == [
        (1, [1, 3]), (2, [2]), (3, [4]), (4, [5]), (5, [6]),
    ]  # fmt: skip
    assert panel.tracks[1].label == "full, from run 2"


def test_a_run_without_predictions_has_a_score_alone(tmp_path: Path) -> None:
    runs = [made(tmp_path, 1, {"full": right(30)}), made(tmp_path, 2, {"full": right(20)})]
    for file in (tmp_path / "run2").rglob("predictions.jsonl"):
        file.unlink()
    [panel] = panels(dated(runs))
    [track] = panel.tracks
    assert [(p.score, p.interval is None, p.answers is None) for p in track.points] == [
        (0.75, False, False), (0.5, True, True),
    ]  # fmt: skip


def test_seeds_are_one_point_and_what_failed_is_said(tmp_path: Path) -> None:
    records = [answers(tmp_path, "full", seed, scored(right(count))) for seed, count in ((0, 30), (1, 20))]
    broken = Record("f" * 64, "m", "mail", "full", 2, "failed", day(1), Failure("diverged", "nan"))
    lost = Record("e" * 64, "m", "mail", "lora", 0, "failed", day(1), Failure("timeout", "slow"))
    [panel] = panels(dated([Run(tmp_path, "trial", (*records, broken, lost))]))
    [track] = panel.tracks
    [point] = track.points
    assert (point.score, point.seeds) == (0.625, (0, 1))
    assert point.interval is not None
    assert panel.left_out == ("run 1: full, seed 2: diverged", "run 1: lora, seed 0: timeout")


def test_models_tasks_methods_and_metrics_are_chosen(tmp_path: Path) -> None:
    def both(i: int) -> list[dict[str, object]]:
        return [{"metrics": {"accuracy": float(j < i), "mrr": 0.5}} for j in range(40)]

    scores = {"accuracy": Score(0.1, "v1"), "mrr": Score(0.5, "v1")}
    run = made(tmp_path, 1, {"full": both(10), "rag": both(20)}, scores=scores)
    other = made(tmp_path / "more", 2, {"full": right(5)}, task="post")
    found = dated([run, other])
    assert [(p.task, p.metric, [t.method for t in p.tracks]) for p in panels(found)] == [
        ("mail", "accuracy", ["full", "rag"]), ("post", "accuracy", ["full"]),
    ]  # fmt: skip
    assert [(p.task, p.metric) for p in panels(found, metric="mrr")] == [("mail", "mrr")]
    assert [[t.method for t in p.tracks] for p in panels(found, methods=["rag"])] == [["rag"]]
    assert [p.task for p in panels(found, "post")] == ["post"]
    for asked, words in (
        ({"task": "pots"}, 'unknown task "pots" (did you mean "post"?)'),
        ({"methods": ["ful"]}, 'unknown method "ful" (did you mean "full"?)'),
        ({"metric": "acuracy"}, 'unknown metric "acuracy" (did you mean "accuracy"?)'),
        ({"task": "post", "metric": "mrr"}, 'unknown metric "mrr"; allowed: accuracy'),
    ):
        with pytest.raises(UsageError) as error:
            panels(found, **asked)
        assert words in str(error.value)


def test_damaged_predictions_are_no_missing_ones(tmp_path: Path) -> None:
    run = made(tmp_path, 1, {"full": right(30)})
    next((tmp_path / "run1").rglob("predictions.jsonl")).write_text("{")
    with pytest.raises(UsageError, match="Invalid JSON"):
        panels(dated([run]))
    shutil.rmtree(tmp_path / "run1")


def test_what_else_differs(tmp_path: Path) -> None:
    a = Record(
        "k", "m", "mail", "lora", 0, "ok", day(1),
        identity=Identity(2, ModelIdentity("a" * 64, {"dtype": "float32"}), seed=0,
                          method={"lora": {"rank": 8, "alpha": None}, "zero-shot": {}}),
        environment=Environment(packages={"torch": "2.9", "peft": "0.19"}, device_name="A CPU"),
    )  # fmt: skip
    b = replace(
        a,
        identity=Identity(3, ModelIdentity("b" * 64, {"dtype": "float32"}), seed=1,
                          method={"lora": {"rank": 16, "alpha": 4}, "rag": {"top_k": (1, 2)}}),
        environment=Environment(packages={"torch": "2.10", "peft": "0.19"}, device_name="A processor with a long name"),
    )  # fmt: skip
    assert differing(a, b) == (
        "lora.alpha none → 4", "lora.rank 8 → 16", "weights", "rag.top_k none → [1, 2]", "version of the stages",
        "device_name", "torch 2.9 → 2.10",
    )  # fmt: skip
    assert differing(a, a) == ()
