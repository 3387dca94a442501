"""What a terminal shows at first: verdicts, one table that fits, nothing of what nobody sees."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from bench.core.record import CellRef, Run
from bench.report import brief, tables
from bench.report.cases import cases
from bench.report.tables import overview
from bench.report.terminal import show
from bench.report.terminal import terminal as laid_out
from tests.decision.test_verdict import method
from tests.test_comparison import answers, run


def several(folder: Path, tasks: int, seeds: int = 2) -> Run:
    """Two methods on some tasks, one of which is far better."""
    records = []
    (folder / "cells").mkdir(parents=True)
    for i in range(tasks):
        for label, right in (("few-shot", 5), ("full", 34)):
            for seed in range(seeds):
                key = f"{i}{label}{seed}".encode().hex().ljust(64, "0")
                own = folder / key
                records.append(method(own, label, right + seed, 40, seed=seed, key=key, task=f"customer-messages-{i}"))
                [cell] = (own / "cells").iterdir()
                cell.rename(folder / "cells" / f"{i}-{cell.name}")
    return run(folder, *records)


def printed(found: Run, width: int = 80, *, terminal: bool = False) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=terminal, color_system=None)
    show(*brief.overviews([found], console), console=console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("tasks", [1, 3, 7])
def test_verdicts_first_then_one_table_within_the_width(tasks: int, tmp_path: Path) -> None:
    text = printed(several(tmp_path, tasks))
    lines = text.splitlines()
    assert max(map(cell_len, lines)) <= 80
    assert sum(line.startswith("method ") for line in lines) == 1
    assert [line for line in lines if line != line.rstrip()] == []
    assert lines[1].startswith("customer-messages-0: choose full, Accuracy 0.8")
    assert text.index("customer-messages-0: ") < text.index("m: scores")
    assert ("more tasks with --full" in text) == (tasks == 7)


def test_a_long_label_is_cut_only_where_room_is_short(tmp_path: Path) -> None:
    label = "few-shot (similar), 192 items"
    found = run(tmp_path, method(tmp_path, label, 5, 40), method(tmp_path, "full", 34, 40))
    assert label in [row[0].text for row in overview.table(found, "m", cases([found]), 80).rows]
    [first, _] = overview.table(found, "m", cases([found]), 35).rows
    assert first[0].text == "few-shot (similar), 192…"


def test_a_task_of_which_nothing_is_measured_yet_has_its_next_step(tmp_path: Path) -> None:
    found = run(tmp_path, method(tmp_path, "few-shot", 5, 40))
    text = printed(replace(found, missing=(CellRef("f" * 64, "m", "letters", "few-shot", 0),)))
    assert "\nletters: not measured yet; next: measure the cell that is missing (about " in text


def test_spreads_are_shown_where_they_fit(tmp_path: Path) -> None:
    assert "0.863 ± 0.018" in printed(several(tmp_path / "a", 1))  # 34 and 35 of 40
    assert "±" not in printed(several(tmp_path / "b", 3), 60)


def test_bold_is_explained_to_those_who_see_it(tmp_path: Path) -> None:
    found = several(tmp_path, 1)
    assert "bold:" in printed(found, terminal=True)
    assert "bold:" not in printed(found)
    for watched in (True, False):
        console = Console(file=io.StringIO(), width=80, force_terminal=watched, color_system=None)
        show(laid_out(tables.chapters([found])), console=console)
        assert isinstance(console.file, io.StringIO)
        assert ("bold:" in console.file.getvalue()) == watched


def test_the_reference_line_is_the_last_row(tmp_path: Path) -> None:
    lines = [{"metrics": {"accuracy": 1.0}, "counts": {"macro_f1": [i % 4, i % 4]}} for i in range(8)]
    found = run(tmp_path, answers(tmp_path, "lora", 0, lines))
    table = overview.table(found, "m", cases([found]), 80)
    assert [cell.text for cell in table.rows[-1]] == ["majority class", "0.250"]


def test_blanks_at_the_ends_of_lines_are_left_to_terminals() -> None:
    for watched, expected in ((True, "a   \n"), (False, "a\n")):
        console = Console(file=io.StringIO(), width=20, force_terminal=watched, color_system=None)
        show(Text("a   "), console=console)
        assert isinstance(console.file, io.StringIO)
        assert console.file.getvalue() == expected
