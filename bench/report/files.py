"""The report as files: the HTML page, its data as JSON, and the page on paper."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.core.atomic import write_atomically
from bench.core.errors import UsageError
from bench.core.record import Run
from bench.report import data
from bench.report.html import page
from bench.report.pdf import browser, print_pdf
from bench.store.listing import RUN_FILE

_OF_RUNS = {RUN_FILE, "baseline.json", "noise.json"}  # files in the folder of a run or of a baseline


def write(runs: Sequence[Run], html: Path | None, pdf: Path | None, pdf_full: Path | None = None) -> list[Path]:
    """Write what is asked for; the files written. Beside `html` stands the full data, under its name with .json.

    `pdf` is the summary of two sheets, `pdf_full` the whole page.

    Raises:
        UsageError: a folder that cannot be written, or no browser to print with.
    """
    if pdf or pdf_full:
        browser()  # said before anything is worked out
    written = write_page(html, page.html(runs), data.to_json(runs)) if html is not None else []
    for file, whole in ((pdf, False), (pdf_full, True)):
        if file is not None:
            _print(page.html(runs, whole=whole), file)
            written.append(file)
    return written


def _print(text: str, pdf: Path) -> None:
    try:
        with tempfile.TemporaryDirectory(prefix="adaptbench-html-") as folder:
            page_file = Path(folder) / "report.html"
            page_file.write_text(text, encoding="utf-8")
            print_pdf(page_file, pdf)
    except OSError as error:
        raise UsageError(f"cannot write {error.filename or pdf}: {error.strerror}") from None


def write_page(html: Path, text: str, content: object) -> list[Path]:
    """Write a page to `html`, and its data under the same name with .json; the files written.

    Raises:
        UsageError: a folder that cannot be written, or a name by which the data would replace something else.
    """
    json_file = html.with_suffix(".json")
    if json_file == html or json_file.name in _OF_RUNS:
        raise UsageError(
            f"{html}: its data would replace {json_file.name}; give the page another name, such as report.html"
        )
    try:
        write_atomically(html, text)
        write_atomically(json_file, json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n")
    except OSError as error:
        raise UsageError(f"cannot write {error.filename or html}: {error.strerror}") from None
    return [html, json_file]
