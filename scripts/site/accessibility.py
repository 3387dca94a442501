"""What the HTML of a page tells of its accessibility; what only a browser sees, scripts/check_report.js looks at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise

_EMPTY = frozenset({"area", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"})
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_NAMED = frozenset({"a", "button", "summary", "title", *_HEADINGS})  # by the texts in them
_VERBATIM = frozenset({"code", "pre", "script", "style", "svg"})
_STRAY = ("|", "- ", "* ", "```")  # beginnings of lines of Markdown that did not become a table, a list, or code


def problems(html: str) -> list[str]:
    """A line for each thing that is wrong with language, title, headings, names of links and pictures, or ids."""
    page = _Page()
    page.feed(html)
    page.close()
    stray = [f"Markdown that stayed text: {line[:60]}" for line in page.stray[:1]]
    return [*page.problems, *_of_headings(page.levels), *_of_ids(page.ids), *stray]


def _of_headings(levels: list[int]) -> Iterator[str]:
    if levels.count(1) != 1:
        yield f"{levels.count(1)} headings of the first level"
    for before, level in pairwise(levels):
        if level > before + 1:
            yield f"h{level} follows h{before}"


def _of_ids(ids: Counter[str]) -> Iterator[str]:
    return (f'id "{name}" stands {number} times' for name, number in ids.items() if number > 1)


class _Page(HTMLParser):
    """Reads a page. `problems` holds what can be told of single elements."""

    def __init__(self) -> None:
        super().__init__()
        self.problems: list[str] = []
        self.levels: list[int] = []  # of headings, in their order
        self.ids: Counter[str] = Counter()
        self.stray: list[str] = []
        self.open: list[tuple[str, list[str]]] = []  # elements not closed yet, and the texts that name them
        self.has_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {key: value or "" for key, value in attrs}
        self.ids.update([values["id"]] if values.get("id") else [])
        if tag == "html" and not values.get("lang"):
            self.problems.append("the page names no language")
        if tag == "img" and "alt" not in values:
            self.problems.append(f"a picture without a text: {values.get('src', '')[:80]}")
        if tag in _EMPTY:
            self._say(values.get("alt", ""))
            return
        unheard = "hidden" in values or values.get("aria-hidden") == "true" or (tag == "a" and "href" not in values)
        names = (values.get("aria-label"), values.get("aria-labelledby"), values.get("title"), "-" if unheard else "")
        self.open.append((tag, [name for name in names if name]))

    def handle_endtag(self, tag: str) -> None:
        while any(tag == name for name, _ in self.open):
            name, texts = self.open.pop()
            self._closed(name, bool("".join(texts).strip()))
            if name == tag:
                break

    def handle_data(self, data: str) -> None:
        self._say(data)
        if not _VERBATIM & {name for name, _ in self.open}:
            self.stray += [line for line in data.splitlines() if line.startswith(_STRAY)]

    def close(self) -> None:
        super().close()
        if not self.has_title:
            self.problems.append("the page has no title")

    def _say(self, text: str) -> None:
        for _, texts in self.open:
            texts.append(text)

    def _closed(self, name: str, is_named: bool) -> None:
        if name in _NAMED and not is_named:
            self.problems.append(f"<{name}> without a text")
        if name == "title" and not any(outer == "svg" for outer, _ in self.open):
            self.has_title = True
        if name in _HEADINGS:
            self.levels.append(_HEADINGS[name])
