"""The pages of the documentation, and what stands in them: links, headings, blocks of code, commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "SECURITY.md",
        *(ROOT / "docs").rglob("*.md"),
        ROOT / "bench/model/mini/README.md",
    ]
)
_COMMAND = re.compile(r"^(?:[\w./]*/)?adaptbench (?P<words>.*)$")
_EXPRESSION = re.compile(r"\$\{\{.*?\}\}")  # of a workflow
_SHELL = re.compile(r"\s*(?:&&|\|\||[;|>]|\bdo\b)\s*")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@cache
def tokens(page: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))


def inline(page: Path) -> Iterator[Token]:
    for token in tokens(page):
        yield from token.children or ()


def links(page: Path) -> list[str]:
    """Targets of links and pictures."""
    found = (token.attrGet("href") or token.attrGet("src") for token in inline(page))
    return [str(target) for target in found if target]


@cache
def anchors(page: Path) -> set[str]:
    """Of each heading, as GitHub and mkdocs make them."""
    found: set[str] = set()
    for before, token in zip(tokens(page), tokens(page)[1:], strict=False):
        if before.type == "heading_open":
            text = "".join(child.content for child in token.children or () if child.type in ("text", "code_inline"))
            found.add(re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", text.lower()).strip()))
    return found


def blocks(page: Path, language: str) -> list[str]:
    return [token.content for token in tokens(page) if token.type == "fence" and token.info == language]


def commands(page: Path) -> list[list[str]]:
    """The words behind `adaptbench` of every command in blocks of shell lines."""
    lines = [line for block in blocks(page, "bash") for line in block.replace("\\\n", " ").splitlines()]
    return [words for line in lines for words in commands_of(line)]


def mentions(page: Path) -> list[list[str]]:
    """The same of code within sentences, where arguments may be left out."""
    return [words for token in inline(page) if token.type == "code_inline" for words in commands_of(token.content)]


def commands_of(line: str) -> Iterator[list[str]]:
    """The words behind `adaptbench` of the commands in a line of shell."""
    for part in _SHELL.split(_EXPRESSION.sub("1", line.partition(" #")[0].strip())):
        found = _COMMAND.match(part.strip())
        if found:
            yield shlex.split(found["words"])
