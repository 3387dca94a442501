"""Items whose score changed under a check, the largest losses first, with their texts where the task is at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.analysis.answers import spread
from bench.analysis.item_texts import asked, fields_of
from bench.core.item import Example
from bench.core.record import Record, Run
from bench.gate.expand import Planned
from bench.gate.verdict import GateFinding
from bench.metrics import NAMES

LONGEST = 600  # characters of a text


@dataclass(frozen=True, slots=True)
class ItemFlip:
    """One item."""

    id: str  # of the item
    gain: float  # of the candidate over the baseline, above 0 where it got better, whatever the metric's direction
    baseline: str  # answer of the first seed
    candidate: str  # answer of the first seed
    input: str = ""  # fields of the item; empty where the task is not at hand
    reference: str = ""  # accepted answers; empty where the task is not at hand


@dataclass(frozen=True, slots=True)
class Flips:
    """Of one check."""

    lost: int  # items that got worse; of a corpus metric by what each adds to it
    gained: int  # items that got better
    shown: tuple[ItemFlip, ...]  # the largest losses first, no more than 100
    why_no_text: str = ""  # why inputs and references are empty


class Texts:
    """Items of both runs' tasks by id, read once each."""

    def __init__(self, baseline: Run, candidate: Run) -> None:
        self._runs = (candidate, baseline)
        self._found: dict[tuple[str, str, bool], tuple[Mapping[str, Example], str]] = {}

    def of(self, planned: Planned) -> tuple[Mapping[str, Example], str]:
        """Items of the task or probe of a check, or none and why."""
        name = (planned.model, planned.probe or planned.task, bool(planned.probe))
        if name not in self._found:
            self._found[name] = _read(self._runs, *name)
        return self._found[name]


def flips(finding: GateFinding, texts: Texts, most: int) -> Flips:
    """At most `most` items of a check whose scores changed, by the first seeds of both runs."""
    answers = finding.measured.answers
    if answers is None:
        return Flips(0, 0, ())
    new, old = answers
    sign = 1 if NAMES[new.metric].higher_is_better else -1
    after, before = (values[0] for values in spread([new, old]))
    gains = sign * (after - before)
    gains[np.abs(gains) < 1e-9] = 0.0
    if new.values is None:  # what an item adds to a corpus metric moves with the others; its own answer did not
        gains[np.array([a == b for a, b in zip(new.outputs[0], old.outputs[0], strict=True)])] = 0.0
    order = np.argsort(gains, kind="stable")
    changed = [int(i) for i in order if gains[i] != 0]
    items, why = texts.of(finding.planned)
    shown = tuple(
        ItemFlip(
            new.ids[i],
            float(gains[i]),
            _short(old.outputs[0][i]),
            _short(new.outputs[0][i]),
            *_text(items.get(new.ids[i])),
        )
        for i in changed[:most]
    )
    return Flips(int((gains < 0).sum()), int((gains > 0).sum()), shown, why)


def _read(runs: Sequence[Run], model: str, name: str, probe: bool) -> tuple[Mapping[str, Example], str]:
    """Items by id, from whichever run still has its task at hand."""
    why = ""
    for run in runs:
        records = run.base if probe else run.records
        record = next((r for r in records if (r.model, r.task, r.status) == (model, name, "ok")), None)
        task, reason = asked(run, record) if isinstance(record, Record) else (None, "no record of it")
        if task is not None:
            return {one.id: replace(one, fields=fields_of(one, task)) for one in task.test}, ""
        why = why or reason
    return {}, why


def _text(example: Example | None) -> tuple[str, str]:
    if example is None:
        return "", ""
    fields = "; ".join(f"{name}: {text}" for name, text in example.fields.items())
    return _short(fields), _short(" | ".join(example.references))


def _short(text: str) -> str:
    """Cut, and without what UTF-8 has no bytes for."""
    text = text[: LONGEST + 1].encode("utf-8", "replace").decode()
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
