"""A verdict as Markdown that fits where it is shown: a step's summary, a comment on a pull request.

Names, answers and inputs come from data and models. They stand in `<code>` with every sign as a character reference: no
Markdown, no HTML, no link, and no mention of a person is made of them, on GitHub and on GitLab.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from bench.gate.flips import Flips, ItemFlip
from bench.gate.outputs.words import counted, figures, headline, label, ordered, unit
from bench.gate.verdict import GateFinding, GateVerdict
from bench.metrics.formats import clean

SUMMARY_BYTES = 1_000_000  # GitHub takes 1 MiB for a step's summary
COMMENT_BYTES = 64_000  # and 65,536 characters for a comment
_ROOM = 300  # bytes kept for the last line
_PLAIN = " ,.;()+-/%='?"  # ":" is not among them: no address becomes a link
_HEAD = ("check", "baseline", "candidate", "change", "interval", "tolerated", "p (Holm)", "outcome")
Shown = Mapping[int, Flips]


@dataclass(frozen=True, slots=True)
class _Most:
    """How much is shown."""

    checks: int
    remarks: int
    tables: int  # of items that changed, one of a check
    items: int  # of a table
    characters: int  # of a text


_MOST = {"summary": _Most(10**6, 10**6, 10**6, 10**6, 400), "comment": _Most(8, 4, 1, 5, 160)}


def summary(verdict: GateVerdict, shown: Shown, name: str) -> str:
    """Every check, then the items that changed under those that did not pass; at most `SUMMARY_BYTES`."""
    return _fitted(_blocks(verdict, shown, "summary", name), SUMMARY_BYTES)


def comment(verdict: GateVerdict, shown: Shown, name: str) -> str:
    """The gravest checks that did not pass, and items of the first; at most 40 lines, `marker` in front."""
    return _fitted(_blocks(verdict, shown, "comment", name), COMMENT_BYTES)


def marker(name: str) -> str:
    """A line nobody sees, by which a comment is found again to be replaced; `name` keeps two gates apart."""
    return f"<!-- adaptbench-gate: {re.sub(r'[^A-Za-z0-9_.]+', '-', name).strip('-') or 'gate'} -->"


def _blocks(verdict: GateVerdict, shown: Shown, style: str, name: str) -> Iterator[str]:
    """Lines, the most important first; what does not fit is cut from the end."""
    yield marker(name)
    yield f"## adaptbench gate: {verdict.word}\n"
    yield f"{_said(headline(verdict))}\n"
    yield f"{_said(counted(verdict))}; mode {verdict.mode}, alpha {verdict.alpha:g} over {verdict.family} tests\n"
    most = _MOST[style]
    rows = [f for f in ordered(verdict.findings) if style == "summary" or f.status != "pass"]
    if rows:
        yield f"| {' | '.join(_HEAD)} |"
        yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |"
        yield from (_row(finding) for finding in rows[: most.checks])
        yield from _more(len(rows) - most.checks, "checks that did not pass")
        yield ""
    remarks = (*verdict.problems, *verdict.notes)
    yield from (f"- {_said(line)}" for line in remarks[: most.remarks])
    yield from _more(len(remarks) - most.remarks, "remarks")
    places = {id(finding): place for place, finding in enumerate(verdict.findings)}
    with_items = [(one, shown.get(places[id(one)])) for one in ordered(verdict.findings)]
    changed = [(one, flips) for one, flips in with_items if flips and flips.shown]
    for finding, flips in changed[: most.tables]:
        yield from _items(finding, flips, most)


def _more(count: int, what: str) -> Iterator[str]:
    if count > 0:
        yield f"\n{count:,} more {what}: gate.json holds them all"


def _row(finding: GateFinding) -> str:
    outcome = f"**{finding.status.replace('_', ' ')}**" if finding.decides else finding.status.replace("_", " ")
    tier = "" if finding.planned.tier == "critical" else f" ({finding.planned.tier})"
    reason = f": {_said(finding.reason)}" if finding.reason else ""
    named = code(label(finding), 300) + (f" ({unit(finding)})" if unit(finding) else "")
    return f"| {' | '.join((named, *figures(finding), f'{outcome}{tier}{reason}'))} |"


def _items(finding: GateFinding, flips: Flips, most: _Most) -> Iterator[str]:
    yield f"\n### Changed items: {code(label(finding), 300)}\n"
    yield f"{flips.lost:,} got worse, {flips.gained:,} got better; first seed, the largest losses first"
    if flips.why_no_text:
        yield f"\nThe items' texts are not shown: {_said(flips.why_no_text)}"
    with_text = any(one.input or one.reference for one in flips.shown)
    head = ("item", *(("input", "reference") if with_text else ()), "baseline", "candidate", "change")
    yield f"\n| {' | '.join(head)} |\n|{' --- |' * (len(head) - 1)} ---: |"
    for one in flips.shown[: most.items]:
        yield f"| {' | '.join(_cells(one, with_text, most.characters))} |"


def _cells(one: ItemFlip, with_text: bool, longest: int) -> Iterable[str]:
    yield code(one.id, 100)
    if with_text:
        yield code(one.input, longest)
        yield code(one.reference, longest)
    yield code(one.baseline, longest)
    yield code(one.candidate, longest)
    yield f"{one.gain:+.3g}"


def code(text: str, longest: int) -> str:
    """Foreign text on one line in `<code>`; an empty one is a dash."""
    cleaned = clean(text[: 8 * longest])
    cut = cleaned if len(cleaned) <= longest else f"{cleaned[:longest]}…"
    return f"<code>{_escaped(cut)}</code>" if cut else "–"


def _escaped(text: str) -> str:
    """Every sign that Markdown or HTML could read as more than itself as a character reference."""
    made = (sign if sign.isalnum() or sign in _PLAIN or not sign.isascii() else f"&#{ord(sign)};" for sign in text)
    return "".join(made).replace("www.", "www&#46;")


def _said(text: str) -> str:
    """A sentence of ours that may name foreign things: signs as references, and no mention behind an @."""
    return _escaped(clean(text[:4000])).replace("&#64;", "&#64;&#8203;")


def _fitted(lines: Iterable[str], most: int) -> str:
    """Lines joined as long as they fit; a last one says that there was more. What does not fit is not even made."""
    kept, size = [], 0
    for line in lines:
        size += len(line.encode()) + 1
        if size > most - _ROOM:
            kept.append("\nMore does not fit here; gate.json holds every check.")
            break
        kept.append(line)
    return "\n".join(kept) + "\n"
