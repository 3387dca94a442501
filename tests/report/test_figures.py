"""Figures of README and docs stand in a committed file, or beside the command that makes them.

A section (from one heading to the next) names its source: a file of `results/`, or a command. A section without one has
that of its page's beginning. What stands in a file is computed from it again here.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest

from tests.report.figures import (
    ROOT,
    Section,
    differences,
    figures_of,
    label_of,
    missing,
    of_cell,
    of_json,
    of_run,
    plain,
    run_of,
    sections,
)

SETTINGS = {
    "architecture",
    "extending",
    "judging",
    "python",
    "reports",
    "scale",
    "security",
    "stability",
    "suite-format",
    "task-format",
}  # pages without results
PAGES = [ROOT / "README.md", *sorted(one for one in (ROOT / "docs").glob("*.md") if one.stem not in SETTINGS)]
COMMAND = re.compile(r"(?:^|`)(?:ADAPTBENCH_DATA=\S+ )?(?:adaptbench|python|pytest|scripts/\w+\.sh)\b", re.MULTILINE)
PUBLISHED = {
    65.9,
    0.8,
    0.931,
}  # TGen on E2E NLG (Dušek et al. 2020); encoders on Banking77 (real-data.md has the sources)
Table = list[list[str]]


def with_tables() -> list[tuple[Section, Table]]:
    return [(section, table) for page in PAGES for section in sections(page) for table in section.tables()]


def name_of(value: Section | Table) -> str:
    return value[0][1] if isinstance(value, list) else f"{value.page}: {value.heading}"


@pytest.mark.parametrize(("section", "table"), with_tables(), ids=name_of)
def test_a_table_names_its_file_which_holds_its_figures_or_a_command(section: Section, table: Table) -> None:
    command = COMMAND.search("\n".join([*section.lines, *section.code]))
    assert section.files or command, f"{section.page}, {section.heading}: no file and no command for {table[0]}"
    heads, *rows = table
    if not section.files or heads[0] == "interval" or heads[1] == "a less b":  # the latter two are checked below
        return
    file = section.files[0]
    for method, *cells in rows:
        labels = method.split(", ") if label_of(file, method) is None else [method]
        for head, cell in zip(heads[1:], cells, strict=True):
            if file.endswith(".json"):
                known = of_json(file)
            else:
                known = {value for each in labels for value in of_cell(file, each, head, cell)}
                known |= of_cell(file, method, head, cell)
            assert not missing(cell, known), f"{section.page}: {method}, {head}: {cell} is not in {file}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_figures_of_sentences_stand_in_a_table_or_in_the_run(page: Path) -> None:
    """Decimals of sections with files: those of the page's tables, or scores, differences and chances of a run."""
    with_files = [one for one in sections(page) if one.files]
    cells = [cell for section in with_files for table in section.tables() for row in table[1:] for cell in row[1:]]
    shown = {value for cell in cells for _, value, _ in figures_of(cell)}
    for section in with_files:
        in_files = (of_json(file) if file.endswith(".json") else of_run(file) for file in section.files)
        known = shown.union(PUBLISHED, *in_files)
        for figure in re.findall(r"[+-]?\d+\.\d+", plain(section.prose())):
            if missing(figure, known):
                apart = {value for file in section.files if file.endswith(".zip") for value in differences(file)}
                assert not missing(figure, apart), f"{section.heading}: {figure} is in none of {section.files}"


def test_coverages_are_the_lowest_and_highest_of_the_grid() -> None:
    [table] = [table for one in sections(ROOT / "docs" / "statistics.md") for table in one.tables() if len(table) > 6]
    cells = json.loads((ROOT / "results" / "coverage.json").read_text(encoding="utf-8"))["cells"]
    heads, *rows = table
    for interval, *shown in rows:
        for kind, text in zip(heads[1:], shown, strict=True):
            found = [cell["coverage"][interval] for cell in cells[kind] if interval in cell["coverage"]]
            (_, low, _), (_, high, _) = figures_of(text.replace("%", ""))
            assert low == math.floor(1000 * min(found)) / 10  # never more than was found
            assert high == pytest.approx(100 * max(found), abs=0.0501)


@pytest.mark.parametrize("page", [pytest.param("reference", marks=pytest.mark.slow), "selection", "images"])
def test_differences_of_a_run(page: str) -> None:
    [table] = [table for one in sections(ROOT / "docs" / f"{page}.md") for table in one.tables()
               if table[0][1] == "a less b"]  # fmt: skip
    file = f"results/{page}.run.zip"
    found = {(family.task, one.a.label, one.b.label): one
             for family in run_of(file).compare().families for one in family.differences}  # fmt: skip
    task = ""
    for named, pair, *cells in table[1:]:
        task = named.split(",")[0] or task
        a, b = (label_of(file, name) or "" for name in pair.split(" - "))
        one = found.get((task, a, b)) or found[task, b, a]
        again = one.retraining
        known = {one.difference, one.interval.low, one.interval.high, one.p_adjusted}
        if again is not None and again.interval is not None and again.p_adjusted is not None:
            known |= {again.interval.low, again.interval.high, again.p_adjusted}
        known |= {-value for value in known}
        for cell in cells:
            assert not missing(cell, known), f"{task}: {pair}: {cell}"
