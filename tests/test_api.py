"""adaptbench in Python: what a run answers, and the page docs/python.md, executed."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, cast
from urllib.request import urlopen

import pytest
from rich.console import Console

import bench
from bench.config.suite import Suite
from bench.core.errors import UsageError
from bench.core.record import Run
from bench.executors import named
from bench.executors.cluster import Cluster
from bench.runs import cell_process, progress
from tests.dummy_run import Dummy
from tests.history.made import made, right
from tests.small import write_suite

ROOT = Path(__file__).parent.parent
BASELINE = ROOT / "baselines/mini.run.zip"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def trial(tmp_path: Path) -> Run:
    """Two methods on 40 items: 30 and 20 correct answers."""
    return made(tmp_path, 1, {"full": right(30), "zero-shot": right(20)})


def test_frames_hold_what_the_records_do(trial: Run) -> None:
    run = bench.load(trial.path)
    assert run.suite == "trial"
    scores = run.scores()
    assert list(scores.query("primary").method) == ["full", "zero-shot"]
    assert [(record.method, record.status) for record in run.records] == [("full", "ok"), ("zero-shot", "ok")]
    assert list(run.cells().status) == ["ok", "ok"]
    predictions = run.predictions(method="full")
    assert len(predictions) == 40
    assert predictions.accuracy.sum() == 30
    assert len(run.predictions()) == 80
    assert run.predictions(task="no such task").empty
    assert run.retention().empty  # nothing was probed


def test_a_comparison_is_that_of_the_items(trial: Run) -> None:
    """10 of 40 items are right with one method alone: 0.25, and 2 x 0.5^10 by McNemar's exact test."""
    row = bench.load(trial.path).compare().frame().iloc[0]
    assert len(repr(bench.load(trial.path).compare())) < 2000  # a notebook shows it
    assert (row.a, row.b, row["items"]) == ("full", "zero-shot", 40)
    assert row.difference == pytest.approx(0.25)
    assert row.p == pytest.approx(2 * 0.5**10)
    assert row.low < 0.25 < row.high


def test_against_an_older_run(trial: Run, tmp_path: Path) -> None:
    other = made(tmp_path, 2, {"full": right(24), "zero-shot": right(20)})
    frame = bench.load(other.path).compare(bench.load(trial.path), methods=["full"]).frame()
    assert list(frame.difference) == pytest.approx([-0.15])


def test_a_reference_run_tells_costs_and_what_was_forgotten() -> None:
    run = bench.load(BASELINE)
    costs, retention = run.costs(), run.retention()
    assert len(costs) == len(run.records)
    by_hand = {record.key: record.phases["predict"].wall_s for record in run.records}
    assert list(costs.time_predict_s) == list(by_hand.values())
    assert (costs.money_thousand_queries > 0).all()
    lora = retention.query("method == 'lora'")
    assert set(lora.probe) <= {"world-facts"}
    assert all(math.isclose(row.after - row.before, row.difference) for row in lora.itertuples())
    assert "<table" in run._repr_html_()


def test_a_notebook_shows_comparisons_and_decisions_and_names_are_inert(tmp_path: Path) -> None:
    run = bench.load(made(tmp_path, 1, {"<b>full": right(30), "zero-shot": right(20)}).path)
    assert run.compare()._repr_html_().count("<tr") == 2  # the head and one difference
    for shown in (run.compare()._repr_html_(), run.decide()._repr_html_()):
        assert "&lt;b&gt;full" in shown
        assert "<b>full" not in shown
    files = run.report(tmp_path / "page.html")
    assert [file.name for file in files] == ["page.html", "page.json"]
    assert "<!doctype html>" in files[0].read_text(encoding="utf-8")


def test_a_live_page_begins_before_its_run(tmp_path: Path) -> None:
    report = bench.live(tmp_path / "run1")
    try:
        assert report.url in report._repr_html_()
        made(tmp_path, 1, {"zero-shot": right(20)})
        with urlopen(report.url, timeout=10) as answer:
            assert "zero-shot" in answer.read().decode()
    finally:
        report.stop()


def test_decisions_and_gates_are_typed() -> None:
    run = bench.load(BASELINE)
    decision = run.decide(queries_per_month=1_000)
    assert decision.currency == "USD"
    assert {verdict.assumed.queries_per_month for verdict in decision.verdicts} == {1_000}
    assert decision.sentences()[0] in repr(decision)
    with pytest.raises(UsageError, match="queries_per_mont"):
        run.decide(queries_per_mont=1_000)
    with pytest.raises(UsageError, match="both baseline and candidate"):
        run.gate(run)


def test_a_run_that_is_not_there_is_told_at_once(trial: Run) -> None:
    with pytest.raises(UsageError, match=r'did you mean "run1"'):
        bench.load(trial.path.with_name("run11"))


def test_names_are_found_and_others_are_no_attributes() -> None:
    assert {"run", "load", "MeasuredRun"} <= set(dir(bench))
    with pytest.raises(AttributeError, match="no attribute 'rum'"):
        _ = bench.rum


def test_importing_it_loads_neither_pandas_nor_torch() -> None:
    code = f"import sys, bench; bench.load({str(BASELINE)!r}); print({{'pandas', 'torch'}} & set(sys.modules))"
    assert python("-c", code, cwd=ROOT).stdout == "set()\n"


@pytest.mark.parametrize(("widgets", "display"), [(True, progress.BarDisplay), (False, progress.PlainDisplay)])
def test_a_notebook_shows_bars_where_it_can_draw_them(
    monkeypatch: pytest.MonkeyPatch, widgets: bool, display: type
) -> None:
    monkeypatch.setattr(progress, "find_spec", lambda name: object() if widgets else None)
    console = Console(force_jupyter=True, force_terminal=False)
    assert isinstance(progress.display_for(console, {}), display)


def test_the_page_runs_as_a_script_without_a_guard(tmp_path: Path) -> None:
    blocks = _BLOCK.findall((ROOT / "docs" / "python.md").read_text(encoding="utf-8"))
    (tmp_path / "suite.yaml").write_text(next(text for kind, text in blocks if kind == "yaml"))
    (tmp_path / "page.py").write_text("\n".join(text for kind, text in blocks if kind == "python"))
    out = python("page.py", cwd=tmp_path).stdout
    assert re.search(r"support-intents +full +\d\.\d", out)
    assert "world-facts" in out
    assert out.count("[1/3]") == 1  # no cell's process ran the script again, and the second run printed nothing
    assert 'is no run directory (no run.json) (did you mean "suite"?)' in out


def python(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_cells_are_measured_where_on_says(
    task_folder: Path, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_suite(tmp_path, tiny_model, methods=["zero-shot", {"few-shot": {"k": 2}}])
    (tmp_path / "cluster.yaml").write_text("slurm: {at_once: 7}\n")

    def jobs(cluster: Cluster, run: Path, suite: Suite) -> Dummy:
        assert suite.engine.device == "cpu"
        return Dummy(cluster.slurm.at_once, run / "submitted.txt", 0.0)

    monkeypatch.setitem(cast(dict[str, Any], named._OWN), "rehearsal", jobs)
    monkeypatch.setattr(cell_process, "prepare", lambda: pytest.fail("nothing is measured here"))
    run = bench.run(file, out=tmp_path / "run", on="rehearsal", progress=False)
    assert list(run.cells().status) == ["ok", "ok"]
    assert len((tmp_path / "run" / "submitted.txt").read_text().split()) == 2


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"on": "slurn"}, 'executor "slurn"'),
        ({"on": "slurm", "device": "cpu"}, "device is about this machine; with on='slurm'"),
        ({"on": "slurm", "cluster": "no.yaml"}, 'there is no file "no.yaml"'),
        ({"cluster": "cluster.yaml"}, "cluster has the settings of on"),
    ],
)
def test_what_is_wrong_about_where_is_one_line(
    how: dict[str, Any], words: str, task_folder: Path, tmp_path: Path, tiny_model: Path
) -> None:
    with pytest.raises(UsageError) as refused:
        bench.run(write_suite(tmp_path, tiny_model), out=tmp_path / "run", **how)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
