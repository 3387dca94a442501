"""The history as people see it: terminal, Markdown, JSON and one page; and as a command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bench.analysis.history.tracks import dated, panels
from bench.cli import cli
from bench.core.measured import Environment
from bench.core.record import Run
from bench.report.cases import cases
from bench.report.html import history as pages
from bench.report.tables import history as tables
from bench.store import run_folder
from tests.history.made import made, right
from tests.report.test_html import HOSTILE, Parsed, refuse_anything_live

OTHERS = [{"id": f"test/x{i}", "metrics": {"accuracy": 1.0}, "output": "x"} for i in range(12)]


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    """A step down at the third of four runs, for one of two methods; the fourth has other items for the other."""
    return [
        made(tmp_path, 1, {"full": right(30), "rag": right(20)}),
        made(tmp_path, 2, {"full": right(30), "rag": right(21)}),
        made(tmp_path, 3, {"full": right(18), "rag": right(21)}, environment=Environment(packages={"torch": "2.10"})),
        made(tmp_path, 4, {"full": right(18), "rag": OTHERS}),
    ]


def command(*arguments: object) -> tuple[int, str, str]:
    ended = CliRunner(env={"COLUMNS": "140"}).invoke(cli, ["history", *map(str, arguments)])
    return ended.exit_code, ended.stdout, ended.stderr


def test_a_line_for_each_method_and_the_steps_behind_it(runs: list[Run]) -> None:
    found = dated(runs)
    [_, (heading, [overview, changed, scores])] = tables.chapters(found, panels(found))
    assert heading == "mail, Accuracy, with m"
    assert [[cell.text for cell in row] for row in overview.rows] == [
        ["full", overview.rows[0][1].text, "0.750", "0.450", "0.307 to 0.602", "run 3: -0.300"],
        ["rag", overview.rows[1][1].text, "0.500", "0.525", "0.375 to 0.671", "none"],
        ["rag, from run 4", overview.rows[2][1].text, "1.000", "1.000", "0.758 to 1.000", "none"],
    ]  # fmt: skip
    assert overview.notes == (
        "steps: neighbouring runs on the same items, p at most 0.05 after Holm's correction over the 4 pairs of runs "
        "between which any item's score changed",  # full 2 to 3 and 1 to 4, rag 1 to 2 and 1 to 3
        "set apart: rag was asked other items, or scored in another way, in run 4; a change between the two kinds of "
        "runs says nothing of the method",
    )
    [row] = changed.rows
    assert [cell.text for cell in row] == [
        "full", "2 to 3", "-0.300", row[3].text, "0.002", "torch none → 2.10",  # 4 × 2 × 0.5^12 = 0.00195
    ]  # fmt: skip
    assert [row[0].text for row in scores.rows] == [f"{i}\n2026-03-0{i}" for i in (1, 2, 3, 4)]
    assert [cell.text for cell in scores.rows[3][1:]] == ["0.450\n0.307 to 0.602", "–", "1.000\n0.758 to 1.000"]


def test_bars_go_from_the_lowest_limit_to_the_highest(tmp_path: Path) -> None:
    # Wilson's limits of 0, 20 and 40 right of 40: 0 to 0.088, 0.352 to 0.648, 0.912 to 1
    found = dated([made(tmp_path, i + 1, {"full": right(count)}) for i, count in enumerate((0, 20, 40))])
    [panel] = panels(found)
    assert tables.sparkline(found, panel.tracks[0]) == "▁▅█"
    same = dated([made(tmp_path / "same", i, {"full": right(40)}) for i in range(1, 4)])
    for file in (tmp_path / "same").rglob("predictions.jsonl"):
        file.unlink()
    [panel] = panels(same)
    assert tables.sparkline(same, panel.tracks[0]) == "▅▅▅"  # no interval and no change: the middle


def test_of_many_runs_the_newest_are_drawn(tmp_path: Path) -> None:
    found = dated([made(tmp_path, i, {"full": right(0 if i < 20 else 40)}) for i in range(1, 25)])
    [panel] = panels(found)
    bars = tables.sparkline(found, panel.tracks[0])
    assert bars == "…" + "▁" * 14 + "█" * 5
    assert any("newest 19 of 24 runs" in note for note in tables.overview(found, panel, []).notes)


def test_the_command(runs: list[Run], tmp_path: Path) -> None:
    paths = [run.path for run in reversed(runs)]
    code, out, err = command(*paths)
    assert (code, err) == (0, "")
    assert "run 3: -0.300" in out
    code, out, _ = command(*paths, "--json", "--method", "full")
    content = json.loads(out)
    assert [one["number"] for one in content["runs"]] == [1, 2, 3, 4]
    [panel] = content["panels"]
    [track] = panel["tracks"]
    assert [point["score"] for point in track["points"]] == [0.75, 0.75, 0.45, 0.45]
    assert [(c["kind"], c["before"], c["after"], c["found"]) for c in track["changes"]] == [
        ("step", 2, 3, True), ("drift", 1, 4, False),
    ]  # fmt: skip
    assert "### Course" in command(*paths, "--markdown")[1]
    code, out, _ = command(*paths, "--html", tmp_path / "h.html")
    assert out.splitlines() == [str(tmp_path / "h.html"), str(tmp_path / "h.json")]
    assert json.loads((tmp_path / "h.json").read_text())["schema"] == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "RUNS"),
        (["nowhere"], '"nowhere" is no run directory'),
        (["RUN", "RUN"], "is given twice"),
        (["RUN", "--task", "mial"], 'unknown task "mial" (did you mean "mail"?)'),
        (["RUN", "--metric", "acc"], 'unknown metric "acc"'),
        (["RUN", "--html", "/proc/none/h.html"], "cannot write /proc/none"),
    ],
)
def test_a_wrong_command_is_one_line(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from bench.cli import main

    run = made(tmp_path, 1, {"full": right(3)})
    with pytest.raises(SystemExit) as stopped:
        main(["history", *(str(run.path) if one == "RUN" else one for one in arguments)])
    assert stopped.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert words in line


def test_the_page_says_what_changed_and_joins_like_with_like(runs: list[Run]) -> None:
    found = dated(runs)
    content = pages.html(found, panels(found))
    assert content == pages.html(found, panels(found))
    page = Parsed(content)
    refuse_anything_live(page)
    assert "full on mail with m became worse at run 3: by 0.300 Accuracy." in page.text
    assert "trial: history" in page.inside["title"]
    assert "which way of adapting" not in content
    lines = [one for one in page.named("path") if (one.get("class") or "").startswith("line ")]
    # two methods of several runs, and the bar of the one point that stands alone; for wide and for narrow screens
    assert len(lines) == 2 * (2 + 1)
    ids = [one["id"] for _, one in page.elements if "id" in one]
    assert len(ids) == len(set(ids))
    pointed = [name for _, one in page.elements for name in (one.get("aria-labelledby") or "").split()]
    pointed += [(one["href"] or "")[1:] for one in page.named("a")]
    assert set(pointed) <= set(ids)


def test_a_method_has_the_colour_that_it_has_in_the_report_of_the_newest_run(tmp_path: Path) -> None:
    made(tmp_path, 1, {"full": right(30), "rag": right(20)})
    newest = made(tmp_path, 2, {"zero-shot": right(9), "rag": right(21), "full": right(31)})
    found = dated([run_folder.read_run(tmp_path / name) for name in ("run2", "run1")])
    page = Parsed(pages.html(found, panels(found, methods=["full"])))
    [case] = cases([newest])
    assert case.marks["full"] == 2  # the third method of its suite
    lines = [one["class"] for one in page.named("path") if (one.get("class") or "").startswith("line ")]
    assert set(lines) == {"line s2"}


def test_nothing_changed_is_said_too(tmp_path: Path) -> None:
    found = dated([made(tmp_path, i, {"full": right(30)}) for i in (1, 2)])
    [panel] = panels(found)
    assert tables.overview(found, panel, []).notes == ("no item's score changed between any two runs",)
    assert "No score changed by more than chance." in Parsed(pages.html(found, panels(found))).text


@pytest.mark.parametrize("text", HOSTILE, ids=["script", "img", "template", "control", "svg", "long"])
def test_foreign_text_is_inert(tmp_path: Path, text: str) -> None:
    short = text[:60].replace("/", "∕").replace("\x00", "")  # a folder is named by the method
    changes: dict[str, Any] = {
        "model": text[:300],
        "task": text[:300],
        "environment": Environment(device_name=text[:99]),
    }
    found = dated(
        [
            made(tmp_path, 1, {short: right(30)}, **changes),
            made(tmp_path, 2, {short: right(3)}, **{**changes, "environment": Environment()}),
        ]
    )
    shown = panels(found)
    content = pages.html(found, shown)
    assert len(content.encode()) < 2**20
    refuse_anything_live(Parsed(content))
    assert not set(content) & {"\x1b", "\x00", "\u202e"}
    for style in ([], ["--markdown"]):
        _, out, _ = command(*(one.run.path for one in found), *style)
        assert not set(out) & {"\x1b", "\x00", "\u202e"}
    if "7*7" in text:
        assert "{{7*7}}" in Parsed(content).text
