"""Hooks of mkdocs: pages that are made from code, from runs and from files outside `docs/`, and the links between them.

A link of a page is written as it works in the repository; here it becomes one that works on the site. Nothing of a page
may be loaded from another machine: what would be is a warning, which `mkdocs build --strict` turns into a failure.
"""

from __future__ import annotations

import hashlib
import json
import logging
import posixpath
import re
import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # for `scripts`, which is no part of the package

from scripts.site import accessibility, command_line, gallery, reference, schemas  # noqa: E402

PAGES = {  # file of the repository -> page of the site
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "reporting.md",
    "bench/model/mini/README.md": "mini.md",
}
PYTHON = "# Python\n\nA tour with examples is in [adaptbench in Python](../python.md).\n\n" + "\n\n".join(
    f"::: bench.api.{name}"
    for name in ("running.run", "measured.load", "measured.live", "measured.MeasuredRun", "measured.Comparison",
                 "measured.Decision")
)  # fmt: skip
DIAGRAMS = "diagrams"
_LINK = re.compile(r"(?<=\]\()(?P<target>[^)#\s]*)(?P<anchor>#[^)\s]*)?(?=\))")
_MERMAID = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LOADED = re.compile(r"""<(?:script|img|iframe|link)\b[^>]*\b(?:src|href)=["']?(?:https?:)?//[^>]*>""")
_NOT_LOADED = re.compile(r"""<link\b[^>]*\brel=["']?(?:canonical|next|prev|edit)\b""")
log = logging.getLogger("mkdocs.hooks")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what is not in `docs/`."""
    made = {
        **{page: (ROOT / file).read_text(encoding="utf-8") for file, page in PAGES.items() if (ROOT / file).is_file()},
        "reference/command-line.md": command_line.page(),
        "reference/python.md": PYTHON,
        "reference/keys.md": reference.keys_page(),
        "reference/methods.md": reference.methods_page(),
        "reference/records.md": reference.records_page(),
        "gallery.md": gallery.page(),
    }
    made |= {f"schemas/{name}": json.dumps(schema, indent=1) for name, schema in schemas.published().items()}
    for place, content in made.items():
        files.append(File.generated(config, place, content=content))
    for place, report in gallery.reports().items():
        files.append(File.generated(config, place, content=report))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links as the site has them, and pictures in place of diagrams."""
    place = page.file.src_uri
    source = next((file for file, twin in PAGES.items() if twin == place), f"docs/{place}")
    if not place.startswith(("reference/", "gallery")):
        markdown = _LINK.sub(lambda link: _on_site(link, source, place, config, files), markdown)
    return _MERMAID.sub(lambda fence: _picture(fence[1], place), markdown)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Warn of what a page would load from another machine, and of what a screen reader would stumble over."""
    for tag in from_elsewhere(output):
        log.warning(f"{page.file.src_uri} loads from another machine: {tag}")
    for problem in accessibility.problems(output):
        log.warning(f"{page.file.src_uri}: {problem}")
    return output


def from_elsewhere(html: str) -> list[str]:
    """Tags that load something from another machine."""
    return [tag for tag in _LOADED.findall(html) if not _NOT_LOADED.match(tag)]


def diagram(source: str) -> str:
    """The file in `docs/diagrams/` that shows a Mermaid diagram: its name tells whether it is that of this source."""
    return f"{hashlib.sha256(source.encode()).hexdigest()[:12]}.svg"


def _picture(source: str, place: str) -> str:
    file = f"{DIAGRAMS}/{diagram(source)}"
    if not (ROOT / "docs" / file).is_file():
        log.warning(f"docs/{place}: docs/{file} is missing; CONTRIBUTING.md says how a diagram is drawn")
    target = posixpath.relpath(file, posixpath.dirname(place) or ".")
    return f"[![Diagram, as a picture of its own: its text is in docs/{place}]({target})]({target})"  # to enlarge it


def _on_site(link: re.Match[str], source: str, place: str, config: MkDocsConfig, files: Files) -> str:
    """The target of a link in `source`, a file of the repository, as seen from `place`, the page that shows it."""
    target, anchor = link["target"], link["anchor"] or ""
    if not target or ":" in target.partition("/")[0]:
        return link[0]
    file = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
    on_site = PAGES.get(file) or gallery.place(file)
    on_site = on_site or (file.removeprefix("docs/") if file.startswith("docs/") else f"files/{file}")
    if on_site.startswith("files/") and files.get_file_from_path(on_site) is None and (ROOT / file).is_file():
        files.append(File.generated(config, on_site, abs_src_path=str(ROOT / file)))
    return posixpath.relpath(on_site, posixpath.dirname(place) or ".") + anchor
