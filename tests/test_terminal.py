"""What a terminal, a log and a spreadsheet are handed of foreign text: nothing that moves, hides or runs there."""

from __future__ import annotations

import io
import json
import re
import unicodedata
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from rich.console import Console

from bench.api.measured import load
from bench.cli.driver import LOG
from bench.runs.progress import BarDisplay, PlainDisplay
from bench.store import lease
from bench.store.json_files import write_json
from bench.store.listing import RUN_FILE
from tests.gate.made import Made
from tests.gate.test_gate_cli import ended

FOREIGN = "\x1b]0;owned\x07\x1b[8mhid\x9b31m\u202egnp.exe\u2066[bold]x[/bold][/]\rnext\u200b"


def harmless(text: str) -> bool:
    """Whether no sign of it moves a cursor, sets a colour, hides, or turns the direction of text."""
    return not [sign for sign in text if unicodedata.category(sign) in ("Cc", "Cf") and sign not in "\n\t"]


def foreign_run(folder: Path, right: int = 12, text: str = FOREIGN) -> Path:
    """A run whose every text is foreign: names, reasons, answers."""
    made = Made(folder)
    for method, good in (("zero-shot", right), ("lora", 16)):
        answers = [f"{text}{i}" for i in range(20)]
        made.cell(method, [1.0] * good + [0.0] * (20 - good), outputs=answers)
    made.cell("full", [1.0] * 20)
    run = made.done()
    named = {name: f"{name} {text}" for name in ("model", "task")}
    for file in run.glob("cells/*/record.json"):
        content = json.loads(file.read_text())
        named["method"] = content["method"] + ("" if content["method"] == "zero-shot" else text)
        content |= named
        content["environment"] |= {"device_name": text, "packages": {"torch": text}}
        if content["method"].startswith("full"):
            content |= {"status": "failed", "scores": {}, "failure": {"kind": "crashed", "message": text}}
        write_json(file, content)
    listing = json.loads((run / RUN_FILE).read_text())
    listing["suite"] = f"trial {text}"
    for cell in listing["cells"]:
        cell |= {
            **named,
            "method": cell["method"] + ("" if cell["method"] == "zero-shot" else text),
            "name": text,
        }
    write_json(run / RUN_FILE, listing)
    (run / lease.FOLDER).mkdir()
    (run / lease.FOLDER / LOG).write_text(f"a library says: {text}\n" * 3, newline="")
    return run


COMMANDS: dict[str, Callable[[Path, Path, Path], list[object]]] = {
    "report": lambda run, old, out: ["report", run],
    "report --full": lambda run, old, out: ["report", run, "--full"],
    "report --json": lambda run, old, out: ["report", run, "--json"],
    "report --markdown": lambda run, old, out: ["report", run, "--markdown"],
    "report --csv": lambda run, old, out: ["report", run, "--csv"],
    "report --latex": lambda run, old, out: ["report", run, "--latex"],
    "compare": lambda run, old, out: ["compare", run, "--full", "--flips", 3],
    "compare --json": lambda run, old, out: ["compare", run, old, "--json", "--flips", 3],
    "decide": lambda run, old, out: ["decide", run, "--full"],
    "decide --json": lambda run, old, out: ["decide", run, "--json"],
    "history": lambda run, old, out: ["history", run, old],
    "gate": lambda run, old, out: ["gate", "--baseline", old, "--candidate", run],
    "gate --json": lambda run, old, out: ["gate", "--baseline", old, "--candidate", run, "--json"],
    "gate --markdown": lambda run, old, out: ["gate", "--baseline", old, "--candidate", run, "--markdown"],
    "calibrate": lambda run, old, out: ["calibrate", run, run, "--out", out / "noise.json"],
    "status": lambda run, old, out: ["status", run],
    "push": lambda run, old, out: ["push", run, "owner/name"],
    "merge": lambda run, old, out: ["merge", run, old, "--out", out / "merged"],
    "pack": lambda run, old, out: ["pack", run, "--out", out / "x.run.zip"],
    "attach": lambda run, old, out: ["attach", run],
    "an unknown task": lambda run, old, out: ["decide", run, "--task", FOREIGN],
    "an unknown command": lambda run, old, out: [FOREIGN],
    "a path": lambda run, old, out: ["report", f"{run}{FOREIGN}"],
    "check": lambda run, old, out: ["check", out / "task"],
    "init": lambda run, old, out: ["init", out / "table.csv", "--out", out / "made"],
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("runs")
    return foreign_run(folder / "new"), foreign_run(folder / "old", 15)


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_prints_what_a_terminal_obeys(
    command: str, runs: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _foreign_task(tmp_path)
    code, out, err = ended(capsys, *COMMANDS[command](*runs, tmp_path))
    out = out.replace("\r\n", "\n")  # the line ends of CSV
    assert harmless(out), [line for line in out.splitlines() if not harmless(line)][:3]
    assert harmless(err), err
    assert code != 70, err
    if command.endswith("--json"):
        assert FOREIGN in json.dumps(json.loads(out), ensure_ascii=False) or "owned" in out  # escaped, not lost


def test_the_lines_of_a_run_are_harmless(tmp_path: Path) -> None:
    written = io.StringIO()
    for display in (PlainDisplay(Console(file=written), {}), BarDisplay(Console(file=written), {})):
        display.say(f"lora on mail: failed (crashed): {FOREIGN}")
    assert written.getvalue().count(r"\x1b]0;owned\x07\x1b[8mhid\x9b31m\u202egnp.exe\u2066[bold]x[/bold][/]") == 2
    assert harmless(written.getvalue())


MARKUP = "<img src=x onerror=alert(1)></td><script>alert(2)</script>[y](javascript:alert(3)) http://evil.example @you"


class Tags(HTMLParser):
    """The tags of a text, with what their attributes hold."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: Sequence[tuple[str, str | None]]) -> None:
        self.found |= {tag, *(f"{name}={value}" for name, value in attributes)}


def test_a_notebook_shows_foreign_text_as_text(tmp_path: Path) -> None:
    measured = load(foreign_run(tmp_path / "run", text=MARKUP))
    shown: tuple[Any, ...] = (measured.compare(), measured.decide(), measured)
    for text in (each._repr_html_() for each in shown):
        assert not {tag for tag in Tags(text).found if re.match(r"img|script|a$|src|href|on\w+=", tag)}
        assert "&lt;img src=x onerror" in text


def test_markdown_of_foreign_text_holds_no_markup_and_no_link(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As another program renders it, with HTML allowed."""
    code, out, _ = ended(capsys, "report", foreign_run(tmp_path / "run", text=MARKUP), "--markdown")
    assert code == 0
    page = MarkdownIt("commonmark", {"html": True}).enable("table").render(out)
    assert Tags(page).found <= {"h2", "h3", "p", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "strong",
                                "style=text-align:right"}  # fmt: skip
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert "http://" not in out
    assert not re.search(r"(?<!\w)@\w", out)


def _foreign_task(folder: Path) -> None:
    """A task, and a table, with foreign text in every place that takes some."""
    (folder / "task").mkdir()
    rows = [{"text": f"{FOREIGN}{i}", f"col{FOREIGN}": f"{FOREIGN}{i % 2}"} for i in range(12)]
    (folder / "task" / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    spec = {"name": "foreign", "kind": "choice", "template": "{text}\n:", "answer": f"col{FOREIGN}",
            "choices": [f"{FOREIGN}0", f"{FOREIGN}1"], "description": FOREIGN, "licence": FOREIGN,
            "splits": {"test": "test.jsonl"}}  # fmt: skip
    (folder / "task" / "task.yaml").write_text(json.dumps(spec))
    lines = [f'"text{FOREIGN}","label"', *(f'"a question {i} {FOREIGN}?","{FOREIGN}{i % 2}"' for i in range(40))]
    (folder / "table.csv").write_text("\n".join(lines) + "\n", newline="")
