"""Differences between methods: the right statistic for what is there, and no comparison of what is not alike."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats  # type: ignore[import-untyped]  # scipy ships no types
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from sacrebleu.metrics.bleu import BLEU
from sklearn.metrics import f1_score

from bench import metrics
from bench.analysis.comparison import between, flips, within
from bench.analysis.statistics import two_questions
from bench.cli import cli
from bench.core.errors import NotComparableError, UsageError
from bench.core.identity import Identity
from bench.core.record import Failure, Prediction, Record, Run, Score
from bench.core.training import Training
from bench.report.tables.comparison import tables, to_json
from bench.store import run_folder
from bench.store.json_files import write_json
from bench.store.listing import RUN_FILE

HELD = [1.0] * 30 + [0.0] * 10


def answers(folder: Path, method: str, seed: int, lines: Sequence[dict[str, Any]], **changes: Any) -> Record:
    """A record with its predictions on disk."""
    metric = next(iter({**lines[0]["metrics"], **lines[0].get("counts", {})}))
    value = float(np.mean([line["metrics"].get(metric, 0.0) for line in lines]))
    record = Record(
        key=hashlib.sha256(f"{method}{seed}".encode()).hexdigest(),
        model="m", task="mail", method=method, seed=seed, status="ok", created="2026-01-01T00:00:00+00:00",
        scores={metric: Score(value, "v1")}, items=len(lines), questions="q",
    )  # fmt: skip
    record = replace(record, **changes)
    cell = folder / "cells" / f"{method}-{seed}-{record.key[:12]}"
    cell.mkdir(parents=True)
    predictions = [Prediction(line.get("id", f"test/{i}"), line.get("output", "")) for i, line in enumerate(lines)]
    run_folder.write_predictions(
        cell, predictions, lambda i: {k: v for k, v in lines[i].items() if k not in ("id", "output")}
    )
    return record


def scored(values: Sequence[float], metric: str = "accuracy") -> list[dict[str, Any]]:
    return [{"metrics": {metric: value}, "output": f"said {value}"} for value in values]


def run(folder: Path, *records: Record) -> Run:
    return Run(folder, "trial", records)


def test_single_seeds_of_right_and_wrong_are_mcnemars(tmp_path: Path) -> None:
    better, worse = [1.0] * 32 + [0.0] * 8, [1.0] * 20 + [0.0] * 16 + [1.0] * 4
    records = (answers(tmp_path, "few-shot", 0, scored(worse)), answers(tmp_path, "full", 0, scored(better)))
    [family] = within(run(tmp_path, *records))
    [one] = family.differences
    assert (one.a.label, one.b.label) == ("full", "few-shot")  # the better one first
    assert one.difference == pytest.approx((32 - 24) / 40)
    assert one.p == pytest.approx(scipy.stats.binomtest(4, 16, 0.5).pvalue)
    assert one.p_adjusted == one.p  # a family of one
    assert one.interval.low < one.difference < one.interval.high
    assert "McNemar" in one.method
    assert (one.differ, family.ties and family.ties.groups) == (False, (("full", "few-shot"),))


def test_p_values_of_a_task_are_adjusted_together(tmp_path: Path) -> None:
    values = {"a": HELD, "b": [1.0] * 18 + [0.0] * 22, "c": [1.0] * 17 + [0.0] * 23}
    [family] = within(run(tmp_path, *(answers(tmp_path, name, 0, scored(each)) for name, each in values.items())))
    p = [one.p for one in family.differences]
    assert [one.p_adjusted for one in family.differences] == pytest.approx(
        [max(min(3 * p[1], 1), min(2 * p[0], 1)), 3 * p[1], 1.0]
    )  # by hand: p[1] < p[0] < p[2] = 1
    assert family.ties is not None
    assert family.ties.groups == (("a",), ("b", "c"))


def test_items_that_belong_together_are_one_unit(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = rng.random((2, 40))
    groups = [f"doc {i // 4}" for i in range(39)] + [""]
    lines = [
        [{**line, "group": g} for line, g in zip(scored(v.tolist(), "token_f1"), groups, strict=True)] for v in values
    ]
    [family] = within(run(tmp_path, answers(tmp_path, "a", 0, lines[0]), answers(tmp_path, "b", 0, lines[1])))
    [one] = family.differences
    gaps = values[0] - values[1] if one.a.label == "a" else values[1] - values[0]
    sums = np.array([gaps[4 * i : 4 * i + 4].sum() for i in range(9)] + [gaps[36:39].sum(), gaps[39]]) * 11 / 40
    size = float(np.sqrt((sums**2).mean()))  # of the two that are added to the error
    error = np.std([*sums, size, -size], ddof=1) / math.sqrt(13)
    assert one.difference == pytest.approx(gaps.mean()) == sums.mean()
    reach = scipy.stats.t.ppf(0.975, 10) * error
    assert (one.interval.low, one.interval.high) == pytest.approx((sums.mean() - reach, sums.mean() + reach))
    assert one.p == pytest.approx(2 * scipy.stats.t.sf(abs(sums.mean() / error), 10))


def test_several_seeds_vary_with_the_items(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    full, zero = (rng.random((3, 30)) < 0.9).astype(float), (rng.random((1, 30)) < 0.5).astype(float)
    records = [answers(tmp_path, "full", i, scored(v), training=Training(steps=1)) for i, v in enumerate(full.tolist())]
    records.append(answers(tmp_path, "zero-shot", 0, scored(zero[0].tolist())))
    [family] = within(run(tmp_path, *records))
    [one] = family.differences
    gaps = np.array([*(full.mean(axis=0) - zero[0]), 1.0, -1.0])  # zero-shot has one seed of 0 and 1
    assert one.difference == pytest.approx(full.mean() - zero.mean())
    reach = scipy.stats.t.ppf(0.975, 29) * gaps.std(ddof=1) / math.sqrt(32)
    middle = full.mean() - zero.mean()
    assert (one.interval.low, one.interval.high) == pytest.approx((middle - reach, middle + reach))
    again = one.retraining
    assert again is not None
    assert again.interval is not None
    assert again.interval.low <= one.interval.low < one.interval.high <= again.interval.high
    assert again.p is not None
    assert again.p >= one.p


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_seeds_cannot_say_what_training_again_would_give(tmp_path: Path, count: int) -> None:
    rows = [HELD, HELD[::-1]][:count]
    records = [answers(tmp_path, "full", i, scored(row), training={"steps": 1}) for i, row in enumerate(rows)]
    records.append(answers(tmp_path, "zero-shot", 0, scored([0.0] * 39 + [1.0])))
    [family] = within(run(tmp_path, *records))
    [one] = family.differences
    assert one.differ  # these checkpoints are better
    assert one.retraining is not None
    assert (one.retraining.interval, one.retraining.differ, one.retraining.fewest) == (None, None, count)
    [table] = tables([family])
    assert table.rows[0][7].text == ["one seed cannot say", "two seeds cannot say"][count - 1]
    assert ("seeds: full 0.750, 0.750" in table.notes) == (count == 2)
    said = to_json([family])["families"][0]["differences"][0]
    assert said["retraining"]["reason"] == table.rows[0][7].text
    assert said["a"]["seed_scores"] == [0.75] * count


def test_methods_without_seeds_have_one_question(tmp_path: Path) -> None:
    records = (answers(tmp_path, "rag", 0, scored(HELD)), answers(tmp_path, "zero-shot", 0, scored([0.0] * 40)))
    [family] = within(run(tmp_path, *records))
    assert family.differences[0].retraining is None
    assert len(tables([family])[0].columns) == 7


def test_a_fit_without_anything_random_has_one_question_too(tmp_path: Path) -> None:
    """Its key holds no seed: another one would measure the same again."""
    fitted = {"training": Training(examples=20), "identity": Identity(stage=1, seed=None)}
    drawn = {"training": Training(examples=20), "identity": Identity(stage=1, seed=0)}
    zero_shot = answers(tmp_path, "zero-shot", 0, scored([0.0] * 40))
    for method, changes, questions in (("tf-idf", fitted, 1), ("lora", drawn, 2)):
        [family] = within(run(tmp_path, answers(tmp_path, method, 0, scored(HELD), **changes), zero_shot))
        assert (family.differences[0].retraining is None) == (questions == 1)


def test_seeds_of_grouped_items_are_compared_by_group(tmp_path: Path) -> None:
    """Every item three times in one group is the same evidence as every item once."""
    rng = np.random.default_rng(2)
    once = {name: (rng.random((2, 12)) < 0.6).astype(float) for name in ("a", "b")}
    records = []
    for name, values in once.items():
        for seed, row in enumerate(values.tolist()):
            lines = [{**line, "group": f"g{i}"} for i, line in enumerate(scored(row)) for _ in range(3)]
            records.append(answers(tmp_path, name, seed, lines))
    [family] = within(run(tmp_path, *records))
    [one] = family.differences
    alone = two_questions.difference(once[one.a.label], once[one.b.label], 1.0)
    assert one.interval.low == pytest.approx(alone.interval.low)
    assert one.interval.high == pytest.approx(alone.interval.high)


TEXTS = ["the cat sat on the mat today", "we leave at ten in the morning", "no bread is left in the shop"] * 4
SAID = {"a": [t.replace("today", "now") for t in TEXTS], "b": [t.replace("the", "a") for t in TEXTS]}


@pytest.mark.parametrize("seeds", [1, 2])
def test_bleu_is_compared_by_its_counts(tmp_path: Path, seeds: int) -> None:
    references = [[text] for text in TEXTS]
    records = []
    for name, said in SAID.items():
        counts = metrics.statistics("bleu", said, references).tolist()
        lines = [
            {"metrics": {}, "counts": {"bleu": row}, "output": text} for row, text in zip(counts, said, strict=True)
        ]
        value = BLEU().corpus_score(said, [TEXTS]).score
        records += [answers(tmp_path, name, i, lines, scores={"bleu": Score(value, "v1")}) for i in range(seeds)]
    [family] = within(run(tmp_path, *records))
    [one] = family.differences
    assert one.difference == pytest.approx(
        BLEU().corpus_score(SAID["a"], [TEXTS]).score - BLEU().corpus_score(SAID["b"], [TEXTS]).score
    )
    assert one.interval.covers(one.difference)
    assert one.differ
    assert flips(one) == []  # a corpus metric has no score of one item


@given(
    st.lists(
        st.tuples(*[st.sampled_from("abcd")] * 2, st.sampled_from(["a", "b", "c", "d", ""])), min_size=1, max_size=30
    )
)
def test_macro_f1_of_counts_is_scikit_learns(rows: list[tuple[str, str, str]]) -> None:
    truth = [row[0] for row in rows]
    said = [[row[column] for row in rows] for column in (1, 2)]
    counts = metrics.additive("macro_f1", *(metrics.statistics("macro_f1", one, [[t] for t in truth]) for one in said))
    for one, found in zip(said, counts, strict=True):
        labels = sorted({*truth, *one} - {""})
        expected = f1_score(truth, one, labels=labels, average="macro", zero_division=0.0)
        assert metrics.from_statistics("macro_f1", found.sum(axis=0, keepdims=True)) == pytest.approx(expected)


def test_runs_are_compared_method_by_method(tmp_path: Path) -> None:
    new, old = tmp_path / "new", tmp_path / "old"
    now = run(new, answers(new, "full", 0, scored(HELD)), answers(new, "lora", 0, scored(HELD)))
    before = run(old, answers(old, "full", 0, scored(HELD[::-1])), answers(old, "rag", 0, scored(HELD)))
    [family] = between(now, before)
    [one] = family.differences
    assert (one.a.label, one.b.label, one.difference) == ("full", "full", 0.0)
    assert [text.split(":")[0] for text in family.left_out] == ["lora", "rag"]
    changed = flips(one)
    assert len(changed) == 20
    assert changed[0].gain in (1.0, -1.0)
    with pytest.raises(UsageError, match="no model, task and method in common"):
        between(now, run(old, before.records[1]))


@pytest.mark.parametrize(
    ("change", "lines", "message"),
    [
        ({"questions": "other"}, scored(HELD), "prompts or texts differ"),
        ({"scores": {"accuracy": Score(0.7, "v2")}}, scored(HELD), "computed in two ways: v1, v2"),
        ({}, scored(HELD[1:]), r"not the same items \(40 and 39\)"),
        ({}, [{**line, "id": f"test/x{i}"} for i, line in enumerate(scored(HELD))], "not the same items"),
    ],
)  # fmt: skip
def test_what_is_not_alike_is_refused(
    tmp_path: Path, change: dict[str, Any], lines: list[dict[str, Any]], message: str
) -> None:
    new, old = tmp_path / "new", tmp_path / "old"
    now, before = run(new, answers(new, "full", 0, scored(HELD))), run(old, answers(old, "full", 0, lines, **change))
    with pytest.raises(NotComparableError, match=message):
        between(now, before)
    assert NotComparableError.exit_code == 5


def test_a_failed_method_is_left_out_and_said(tmp_path: Path) -> None:
    broken = replace(answers(tmp_path, "lora", 0, scored(HELD)), status="failed", scores={})
    records = (answers(tmp_path, "full", 0, scored(HELD)), answers(tmp_path, "rag", 0, scored(HELD)), broken)
    [family] = within(run(tmp_path, *records))
    assert [(one.a.label, one.b.label) for one in family.differences] == [("full", "rag")]
    [table] = tables([family])
    assert "left out: lora: not measured" in table.notes


def test_sheets_say_what_holds(tmp_path: Path) -> None:
    few = [1.0] * 5 + [0.0] * 35
    methods = {"full": HELD, "lora": HELD, "few-shot": few}
    records = [
        answers(tmp_path, name, 0, scored(each), training=Training(steps=1) if name != "few-shot" else None)
        for name, each in methods.items()
    ]
    families = within(run(tmp_path, *records))
    table, against = tables(families, shown_flips=2)[0], tables(families, shown_flips=2)[1:]
    assert [row[0].text for row in table.rows] == [
        "full\nagainst lora",
        "full\nagainst few-shot",
        "lora\nagainst few-shot",
    ]
    assert [row[3].style for row in table.rows] == ["", "best", "best"]
    assert "40 items; seeds: 1 each" in table.notes
    assert "not significantly different: full, lora" in table.notes
    assert [row[7].text for row in table.rows] == ["one seed cannot say"] * 3
    assert [len(table.rows) for table in against] == [2, 2]  # full and lora answer alike
    assert against[0].notes == ("25 of 40 items changed: a better on 25, b on 0",)
    found = to_json(families, 1)["families"][0]
    assert [one["differ"] for one in found["differences"]] == [False, True, True]
    assert json.dumps(found, allow_nan=False)


def test_a_run_without_a_measured_cell_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no cell is measured yet"):
        within(run(tmp_path))
    failed = Record("k", "m", "t", "rag", 0, "failed", "now", Failure("timeout", "too slow"))
    with pytest.raises(UsageError, match=r"the only cell failed \(timeout\)"):
        within(run(tmp_path, failed))
    with pytest.raises(UsageError, match=r"all 2 cells failed \(timeout\)"):
        within(run(tmp_path, failed, replace(failed, seed=1)))


def test_the_command_compares_and_names_what_is_unknown(tmp_path: Path) -> None:
    record = answers(tmp_path, "full", 0, scored(HELD))
    other = answers(tmp_path, "rag", 0, scored(HELD[::-1]))
    for one in (record, other):
        run_folder.write_record(next((tmp_path / "cells").glob(f"*-{one.key[:12]}")), one)
    cells = [
        {"key": r.key, "name": r.method, **{n: getattr(r, n) for n in ("model", "task", "method", "seed")}}
        for r in (record, other)
    ]
    write_json(tmp_path / RUN_FILE, {"schema": 1, "suite": "trial", "cells": cells})
    shown = CliRunner().invoke(cli, ["compare", str(tmp_path), "--flips", "1"])
    assert shown.exit_code == 0, shown.output
    assert "against rag" in shown.output
    as_json = CliRunner().invoke(cli, ["compare", str(tmp_path), "--json"])
    assert json.loads(as_json.stdout)["families"][0]["differences"][0]["difference"] == 0.0
    assert "| full; against rag |" in CliRunner().invoke(cli, ["compare", str(tmp_path), "--markdown"]).output
    for option, value, near in (
        ("--task", "mial", '"mail"'),
        ("--method", "rga", '"rag"'),
        ("--metric", "acuracy", '"accuracy"'),
    ):
        wrong = CliRunner().invoke(cli, ["compare", str(tmp_path), option, value])
        assert isinstance(wrong.exception, UsageError)
        assert f"did you mean {near}" in str(wrong.exception)
