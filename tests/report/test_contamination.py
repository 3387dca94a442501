"""A model that is known to have seen a task: a suite or a task says so, and reports show it, as text and in no key."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bench.report.html.page import html
from bench.report.tables import notes
from bench.runs.cells import contamination
from bench.store.run_folder import open_run, read_run
from tests.report.test_brief import printed, several
from tests.small import cells_of, write_suite

NOTE = 'its card lists <b onclick="x">Banking77</b>'


def test_the_notes_of_models_and_tasks_reach_the_run_and_change_no_key(
    tmp_path: Path, tiny_model: Path, task_folder: Path
) -> None:
    plain = write_suite(tmp_path, tiny_model, methods=["zero-shot"])
    _, before = cells_of(plain)
    manifest = task_folder / "task.yaml"
    manifest.write_text(f"{manifest.read_text(encoding='utf-8')}\ncontamination: public since 2020\n", encoding="utf-8")
    noted = {"path": str(tiny_model), "contamination": NOTE}
    suite, cells = cells_of(write_suite(tmp_path, tiny_model, models=[noted], methods=["zero-shot"]))
    assert [cell.key for cell in cells] == [cell.key for cell in before]
    [task] = {cell.task.name for cell in cells}
    found = contamination(cells)
    assert found == {"model": {cells[0].model.name: NOTE}, "task": {task: "public since 2020"}}
    with open_run(tmp_path / "run", plain, suite.name, [cell.ref for cell in cells], contamination=found):
        pass
    assert read_run(tmp_path / "run").contamination == found


def test_reports_show_them_above_all_figures_and_beside_what_they_are_of(tmp_path: Path) -> None:
    found = several(tmp_path, 2)
    notes_of = {"model": {"m": NOTE}, "task": {"customer-messages-1": "public since 2020"}}
    found = replace(found, contamination=notes_of)  # type: ignore[arg-type]
    text = " ".join(printed(found, 200).split())
    assert text.index("Contamination of m: its card") < text.index("customer-messages-0: choose")
    assert "Contamination of customer-messages-1: public since 2020" in text
    assert list(notes.contamination(found, "m", "customer-messages-0")) == [f"m: {NOTE}"]
    assert list(notes.contamination(found, "other", "customer-messages-1")) == [
        "customer-messages-1: public since 2020"
    ]
    page = html([found])
    assert "<b onclick" not in page
    assert page.count("m: its card lists &lt;b") >= 3  # the banner, and the cards of both tasks
