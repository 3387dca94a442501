"""The site: every page has its place, every diagram its picture; built whole, it has no warning and no dead link."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml

from tests.site.pages import PAGES, ROOT, blocks, name_of

pytest.importorskip("mkdocs")
from scripts.site import accessibility, gallery, hooks

CONFIG = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))


def listed(nav: object) -> set[str]:
    if isinstance(nav, str):
        return {nav}
    return {page for entry in (nav if isinstance(nav, list) else nav.values()) for page in listed(entry)}  # type: ignore[attr-defined]


def test_every_page_has_its_place() -> None:
    pages = {file.relative_to(ROOT / "docs").as_posix() for file in (ROOT / "docs").glob("*.md")}
    assert pages <= listed(CONFIG["nav"])
    made = {*hooks.PAGES.values(), "gallery.md", "decisions/README.md"}
    assert {page for page in listed(CONFIG["nav"]) if not page.startswith("reference/")} <= pages | made


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "mermaid")], ids=name_of)
def test_every_diagram_has_a_picture_of_its_source(page: Path) -> None:
    for source in blocks(page, "mermaid"):
        picture = ROOT / "docs" / hooks.DIAGRAMS / hooks.diagram(source)
        assert picture.is_file(), f"draw {picture.relative_to(ROOT)}, as CONTRIBUTING.md says"
        assert "foreignObject" not in picture.read_text(encoding="utf-8")  # which a picture in a page may not show


def test_the_gallery_shows_runs_that_are_there() -> None:
    assert all((gallery.RESULTS / f"{name}.run.zip").is_file() for name in gallery.SHOWN)


@pytest.mark.parametrize(
    ("tag", "loads"),
    [
        ('<script src="https://cdn.example.org/a.js"></script>', True),
        ('<link rel="stylesheet" href="//fonts.example.org/a.css">', True),
        ('<img alt="" src=http://example.org/a.png>', True),
        ('<link rel="canonical" href="https://example.org/">', False),
        ('<a href="https://example.org/">', False),
        ('<script src="assets/a.js"></script>', False),
    ],
)
def test_what_would_be_loaded_from_another_machine_is_noticed(tag: str, loads: bool) -> None:
    assert bool(hooks.from_elsewhere(f"<p>x</p>{tag}")) == loads


PAGE = '<html lang="en"><head><title>P</title></head><body><h1>P</h1><h2 id="a">A part</h2><p>{}</p></body></html>'


@pytest.mark.parametrize(
    ("inside", "problem"),
    [
        ('<a href="b.html"><img src="c.png" alt="Costs"></a>', None),
        ('<a href="b.html" title="Next"></a><button aria-label="Search"></button>', None),
        ("<svg><title>A curve</title></svg><pre>| a | b |</pre><code>- a</code>", None),
        ('<span aria-hidden="true"></span><a id="b"></a><img src="c.png" alt="">', None),
        ('<a href="b.html"></a>', "<a> without a text"),
        ('<a href="b.html"><img src="c.png" alt=""></a>', "<a> without a text"),
        ("<button><svg></svg></button>", "<button> without a text"),
        ('<img src="c.png">', "a picture without a text: c.png"),
        ("<h3> </h3>", "<h3> without a text"),
        ("<h4>Further down</h4>", "h4 follows h2"),
        ("<h1>Another page</h1>", "2 headings of the first level"),
        ('<b id="a">x</b>', 'id "a" stands 2 times'),
        ("Rows:\n| a | b |\n| 1 | 2 |", "Markdown that stayed text: | a | b |"),
        ("Three:\n- one\n- two", "Markdown that stayed text: - one"),
    ],
)
def test_what_a_screen_reader_would_stumble_over_is_noticed(inside: str, problem: str | None) -> None:
    assert accessibility.problems(PAGE.format(inside)) == ([problem] if problem else [])


def test_a_page_without_language_title_or_heading_is_noticed() -> None:
    found = accessibility.problems("<html><body><p>Text</p></body></html>")
    assert found == ["the page names no language", "the page has no title", "0 headings of the first level"]


@pytest.mark.parametrize("report", sorted((ROOT / "results").glob("*.html")), ids=lambda file: file.stem)
def test_committed_reports_can_be_read_aloud(report: Path) -> None:
    assert accessibility.problems(report.read_text(encoding="utf-8")) == []


@pytest.mark.slow
def test_it_builds_without_a_warning_and_no_link_is_dead(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    variables = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    texts = {file: file.read_text(encoding="utf-8") for file in tmp_path.rglob("*.html")}
    ids = {file: set(re.findall(r'\bid="([^"]+)"', text)) for file, text in texts.items()}
    reports = {file for file in texts if file.parent.name in ("gallery", "results")}
    for file in texts.keys() - reports - {tmp_path / "404.html"}:
        for target in re.findall(r'<(?:a|link|img|script)\b[^>]*\b(?:href|src)="([^"]+)"', texts[file]):
            if re.match(r"[a-z]+:", target):
                continue
            place, _, anchor = unquote(target).partition("#")
            to = (file.parent / place).resolve() if place else file
            assert to.exists(), f"{file}: {target}"
            assert not anchor or anchor in ids.get(to, {anchor}), f"{file}: {target}"
