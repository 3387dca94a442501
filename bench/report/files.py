"""The report as files: the HTML page with its data beside it, and the page on paper."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.core.errors import UsageError
from bench.core.record import Run
from bench.report import data
from bench.report.html import page
from bench.report.pdf import browser, print_pdf
from bench.store.atomic import write_atomically


def write(runs: Sequence[Run], html: Path | None, pdf: Path | None) -> list[Path]:
    """Write what is asked for; the files written. Beside `html` stands the full data, under its name with .json.

    Raises:
        UsageError: a folder that cannot be written, or no browser to print with.
    """
    if pdf is not None:
        browser()  # said before anything is worked out
    text = page.html(runs)
    written = []
    try:
        if html is not None:
            beside = html.with_suffix(".json")
            write_atomically(html, text)
            write_atomically(beside, json.dumps(data.to_json(runs), ensure_ascii=False, allow_nan=False) + "\n")
            written += [html, beside]
        if pdf is not None:
            with tempfile.TemporaryDirectory(prefix="adaptbench-html-") as folder:
                page_file = Path(folder) / "report.html"
                page_file.write_text(text, encoding="utf-8")
                print_pdf(page_file, pdf)
            written.append(pdf)
    except OSError as error:
        raise UsageError(f"cannot write {error.filename or html or pdf}: {error.strerror}") from None
    return written
