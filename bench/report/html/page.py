"""Blocks through the template: the page's markup, its look and its little script, under a strict content policy."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bench import __version__
from bench.analysis.answers import reading_once
from bench.core.record import Run
from bench.metrics.formats import clean
from bench.report.cases import cases
from bench.report.charts import css
from bench.report.html import summary
from bench.report.html.blocks import Questions, Section
from bench.report.html.sections import sections
from bench.report.tables import notes

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Live:
    """What makes a page a served one: it says how far its run is, and asks for more."""

    says: str
    version: str  # of what it shows


@reading_once()
def html(runs: Sequence[Run], *, whole: bool = False, live: Live | None = None) -> str:
    """The report of some runs as one file; the same records give the same bytes.

    It prints its summary of two sheets; `whole`: all of it. `live`: it is served, see `bench.report.live`.

    Raises:
        UsageError: no run has a record.
    """
    title = ", ".join(dict.fromkeys(clean(run.suite) for run in runs))
    return write(
        title,
        "which way of adapting",
        _facts(runs),
        summary.mark(sections(cases(runs))),
        skip="Skip to the verdict",
        warnings=notes.warnings(runs),
        prints="whole" if whole else "summary",
        live=live,
    )


def write(
    title: str,
    about: str,
    facts: Sequence[str],
    found: Sequence[Section],
    *,
    skip: str,
    warnings: Sequence[str] = (),
    prints: Literal["whole", "summary"] = "whole",
    live: Live | None = None,
) -> str:
    """A page of sections, those without blocks left out; `skip` is the link to the first, for who reads by ear.

    `warnings` stand above all of them. `prints`: what goes on paper.
    """
    style, script = f"{css()}\n{_text('page.css')}", f"{_script()}{_text('live.js') if live else ''}"
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            title=title,
            about=about,
            facts=facts,
            skip=skip,
            warnings=warnings,
            prints=prints,
            live=live,
            policy=_policy(style, script, found) + ("; connect-src 'self'" if live else ""),
            style=Markup(style),  # ours; what comes from records is escaped
            script=Markup(script),
            sections=[section for section in found if section.blocks],
            version=__version__,
        )
    )


def _facts(runs: Sequence[Run]) -> list[str]:
    """What was measured, in a few words each."""
    records = [record for run in runs for record in run.records]
    missing = sum(len(run.missing) for run in runs)
    failed = sum(record.status != "ok" for record in records)
    facts = [
        _some(len({record.model for record in records}), "model"),
        _some(len({record.task for record in records}), "task"),
        _some(len({record.method for record in records}), "method"),
        f"{_some(len(records), 'cell')}, {failed} failed, {missing} not run",
    ]
    facts += [f"shard {clean(run.shard)} of {clean(run.suite)}" for run in runs if run.shard]
    days = sorted(record.created[:10] for record in records)
    if days:
        facts.append(f"measured {clean(days[0])}" + (f" to {clean(days[-1])}" if days[-1] != days[0] else ""))
    return facts


def _some(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _policy(style: str, script: str, found: Sequence[Section]) -> str:
    """Nothing may be loaded, and no style or script may run but the page's own; pictures stand in the page itself."""
    blocks = (block for section in found for block in section.blocks if isinstance(block, Questions))
    pictures = "img-src data:; " if any(one.picture for block in blocks for one in block.questions) else ""
    return (
        f"default-src 'none'; {pictures}style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _script() -> str:
    return f"{_text('costs.js')}{_text('page.js')}"


@cache
def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["lines"] = lambda text: str(text).split("\n")
    environment.globals["unique"] = _unique
    return environment


def _unique(seen: dict[str, int], text: str) -> str:
    """`text`, or with a number behind it where it was seen before: regions of a page have names of their own."""
    seen[text] = seen.get(text, 0) + 1
    return text if seen[text] == 1 else f"{text} ({seen[text]})"
