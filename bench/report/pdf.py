"""The HTML report on paper, by a headless Chromium where one is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from bench.core.errors import UsageError

VARIABLE = "ADAPTBENCH_CHROMIUM"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
_FLAGS = (
    "--headless",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-pdf-header-footer",
)
_LONGEST_S = 120


def browser() -> str:
    """The Chromium to print with: the variable ADAPTBENCH_CHROMIUM, else the first that PATH has.

    Raises:
        UsageError: there is none.
    """
    said = os.environ.get(VARIABLE)
    found = shutil.which(said) if said else next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        what = f"{VARIABLE} is {said}, which is no program" if said else "no Chromium, Chrome or Edge is on PATH"
        raise UsageError(f"{what}; install one, name it in {VARIABLE}, or print the HTML from a browser")
    return found


def print_pdf(page: Path, file: Path) -> None:
    """Print the HTML file `page` to `file`; paper size and margins are the page's own.

    Raises:
        UsageError: there is no browser, or it wrote nothing.
    """
    program = browser()
    with tempfile.TemporaryDirectory(prefix="adaptbench-pdf-") as folder:
        made = Path(folder) / "report.pdf"
        root = ("--no-sandbox",) if hasattr(os, "geteuid") and os.geteuid() == 0 else ()  # it refuses root with one
        command = [program, *_FLAGS, *root, f"--user-data-dir={folder}/profile", f"--print-to-pdf={made}"]
        try:
            done = subprocess.run(
                [*command, page.resolve().as_uri()], capture_output=True, text=True, timeout=_LONGEST_S, check=False
            )
        except subprocess.TimeoutExpired:
            raise UsageError(f"{program} did not print {page} within {_LONGEST_S} s") from None
        if not made.is_file():
            said = done.stderr.strip().splitlines() or ["nothing said"]
            raise UsageError(f"{program} printed nothing (exit {done.returncode}): {said[-1]}")
        shutil.copyfile(made, file)
