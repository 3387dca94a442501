"""A folder of documents: every kind of file is read, and every file that is not is named once."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import tasks
from bench.authoring.check import report
from bench.authoring.init import init
from bench.config.suite import load as load_suite
from bench.core.errors import TaskError
from bench.runs import suite_run
from bench.runs.cells import expand
from tasks.loader.read import read_task
from tests.tasks.conftest import jsonl

Make = Callable[..., Path]
SPEC = {"kind": "text", "answer": "label", "corpus": {"path": "docs", "most_mb": 0.001}, "gold": "gold"}


def pdf(text: str) -> bytes:
    """A PDF of one page, as small as can be."""
    stream = f"BT /F1 12 Tf 20 100 Td ({text}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    data, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    return data + b"xref\n0 %d\n0000000000 65535 f \n%strailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        size,
        table,
        size,
        len(data),
    )


PAGE = """<html><head><title>Fees &amp; cards</title><style>p {color: red}</style></head>
<body><script>let x = 1</script>
<h2>Cash</h2><p>A withdrawal   costs
<b>two</b> euros.</p><ul><li>cards</li><li>coins</li></ul><pre>a  b</pre><!-- not shown --></body></html>"""
GERMAN = "Die Gebühr für die Überweisung beträgt zwei Euro, für Schüler ist sie natürlich kürzer und schöner."
FILES: dict[str, bytes] = {
    "plain.txt": "\ufeffPlain text.\r\nTwo lines.".encode(),
    "deep/er/guide.md": b"# Guide\n\nRead this.",
    "page.html": PAGE.encode(),
    "sheet.pdf": pdf("Two euros a month."),
    "old.txt": GERMAN.encode("latin-1"),
    "broken.pdf": b"%PDF-1.4\nnot a pdf at all",
    "empty.txt": b"",
    "blank.md": b" \n\n",
    "empty.pdf": b"",
    "binary.txt": bytes(range(256)) * 3,
    "large.txt": b"x" * 1001,
    "picture.png": b"\x89PNG",
    ".hidden": b"x",
}


@pytest.fixture
def folder(make_task: Make) -> Path:
    made = make_task(SPEC, {"test.jsonl": jsonl([{"text": "fee?", "label": "two", "gold": "page.html"}])})
    for name, content in FILES.items():
        file = made / "docs" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return made


def test_what_can_be_read_is_read(folder: Path) -> None:
    found = {passage.id: passage for passage in tasks.load(folder).corpus}
    assert {name: passage.text for name, passage in found.items()} == {
        "deep/er/guide.md": "# Guide\n\nRead this.",
        "old.txt": GERMAN,
        "page.html": "## Cash\n\nA withdrawal costs two euros.\n\ncards\n\ncoins\n\na  b",
        "plain.txt": "Plain text.\r\nTwo lines.",
        "sheet.pdf": "Two euros a month.",
    }
    assert {name: passage.title for name, passage in found.items() if passage.title} == {"page.html": "Fees & cards"}


def test_what_cannot_be_read_is_named_once(folder: Path) -> None:
    notes = tasks.load(folder).notes
    lines = {line.removeprefix("toy/docs").partition(": ")[0].lstrip("/"): line.partition(": ")[2] for line in notes}
    assert lines.pop("broken.pdf").startswith("left out: no PDF that can be read (")
    assert lines.pop("binary.txt").startswith("left out: not UTF-8 at byte 128")
    assert lines.pop("old.txt").startswith("not UTF-8 at byte 7; read as ")
    assert lines == {
        "blank.md": "left out: no text in it",
        "empty.pdf": "left out: no text in it",
        "empty.txt": "left out: no text in it",
        "large.txt": "left out: 0.001 MB, more than the 0.001 MB that corpus.most_mb allows",
        "": "left out as no .txt, .md, .markdown, .html, .htm, .pdf: .hidden, picture.png",
    }
    assert len(notes) == 8
    assert read_task(folder).warnings[:8] == notes


def test_the_digest_covers_the_documents_alone(folder: Path) -> None:
    before = tasks.load(folder).digest
    (folder / "docs" / "another.png").write_bytes(b"x")
    assert tasks.load(folder).digest == before
    (folder / "docs" / "plain.txt").write_text("Plain texts.")
    assert tasks.load(folder).digest != before


def test_check_and_run_say_what_is_left_out(folder: Path, tmp_path: Path) -> None:
    from rich.console import Console

    console = Console(record=True, width=300)
    shown, problems = report(folder)
    console.print(shown)
    assert problems == []
    assert console.export_text().count("toy/docs/broken.pdf: left out") == 1
    suite = tmp_path / "suite.yaml"
    suite.write_text(json.dumps({"models": ["tiny-random"], "tasks": [str(folder)], "methods": ["zero-shot"]}))
    cells = expand(load_suite(suite, {}), suite, suite_run.asked_surroundings)
    assert suite_run._notes(cells) == list(tasks.load(folder).notes)


def test_a_missing_package_is_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pypdf", None)
    with pytest.raises(TaskError) as caught:
        tasks.load(folder)
    line = 'toy/docs: "broken.pdf" needs the package pypdf; pip install "adaptbench[documents]"'
    assert caught.value.problems == [line]


def test_a_folder_without_documents_is_a_problem(make_task: Make) -> None:
    made = make_task(SPEC)
    (made / "docs").mkdir()
    (made / "docs" / "a.docx").write_bytes(b"x")
    with pytest.raises(TaskError) as caught:
        tasks.load(made)
    assert any(
        line.startswith("toy/docs: no document in the folder (1 left out); put files") for line in caught.value.problems
    )


def test_init_takes_a_folder(tmp_path: Path) -> None:
    docs = tmp_path / "handbook"
    docs.mkdir()
    for number in range(4):
        (docs / f"p{number}.md").write_text(f"# Part {number}\n\nThe code of part {number} is {number}{number}.")
    (docs / "none.pdf").write_bytes(b"")
    rows = (
        {"question": f"Code {i} of part {i % 4}?", "answer": f"{i % 4}{i % 4}", "source": f"p{i % 4}.md"}
        for i in range(40)
    )
    (tmp_path / "q.jsonl").write_text(jsonl(rows))
    said = init(tmp_path / "q.jsonl", tmp_path / "out", corpus=docs)
    assert "handbook/none.pdf: left out: no text in it" in said
    task = tasks.load(tmp_path / "out")
    assert {passage.id for passage in task.corpus} == {f"p{i}.md" for i in range(4)}
    assert all(example.gold for example in task.test)
