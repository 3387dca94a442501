"""A drafted policy as the YAML that a person reads, changes and commits."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TypeAlias

from bench.core.record import Run
from bench.core.yaml_file import means_text
from bench.gate.draft import KINDS, Draft
from bench.gate.expand import Planned, groups
from bench.gate.outputs.words import sees, takes
from bench.metrics import NAMES
from bench.metrics.formats import clean

Entry: TypeAlias = dict[str, str]
_PLAIN = re.compile(r"[A-Za-z](?:[\w.+/()= -]*[\w.)])?", re.ASCII)


def policy_file(draft: Draft, baseline: Run, whole: bool) -> str:
    """The file; `whole`: no task or method was left aside, so that one entry may stand for all of them."""
    models = {group[0] for group in groups(baseline)}
    return "\n".join(_lines(draft, models, whole)) + "\n"


def _lines(draft: Draft, models: set[str], whole: bool) -> Iterator[str]:
    policy = draft.policy
    yield "# What this baseline has the power for, by `adaptbench gate init`. docs/gate.md explains every key."
    yield f"mode: {policy.mode}"
    yield f"alpha: {policy.alpha:g}  # probability of failing an unchanged candidate, over all checks"
    yield f"power: {policy.power:g}  # probability of finding a drop of `detect`"
    wider = {need.planned.key: f"  # {takes(need)}" for need in draft.wider}
    for kind in KINDS:
        checks = [check for check in draft.checks if check.kind == kind]
        if checks:
            yield f"{kind}:"
        entries = _costs(draft, checks, whole) if kind == "cost" else ((_scored(one), one) for one in checks)
        for entry, check in entries:
            yield f"  - {_flow(entry, models)}{wider.get(check.key, '') if check else ''}"
        out = [need for need in draft.left_out if need.planned.kind == kind]
        if out:
            yield f"  # {kind}, left out{' of the verdict' if kind == 'cost' else ''}:"
            yield from (f"  #   {clean(need.planned.label)}: {sees(need)}" for need in out)


def _scored(check: Planned) -> Entry:
    scale = NAMES[check.name].scale
    amounts = {"margin": check.margin, "detect": check.detect or 2 * check.margin}
    return {
        **_where(check),
        **({"probe": check.probe} if check.probe else {}),
        "metric": check.name,
        **{name: f"{value / scale * 100:.4g}%" for name, value in amounts.items()},
        **({} if check.tier == "critical" else {"tier": check.tier}),
    }


def _costs(draft: Draft, checks: list[Planned], whole: bool) -> Iterator[tuple[Entry, Planned | None]]:
    """An entry for each counter, then those that differ from it; what is left out is shown and decides nothing."""
    others = [need.planned for need in draft.left_out if need.planned.kind == "cost"] + list(draft.of_controls)
    for usual in draft.policy.cost:
        limit = f"{usual.limit.value:.0%}"
        own = [check for check in checks if check.name == usual.counter]
        if own and whole:
            yield {"counter": usual.counter, "limit": limit}, None
        for check in own:
            if not whole or f"{check.margin:.0%}" != limit:
                yield _cost(check, f"{check.margin:.0%}"), check
        if own and whole:
            own = [check for check in others if check.name == usual.counter]
            yield from (({**_cost(check, limit), "tier": "advisory"}, None) for check in own)


def _cost(check: Planned, limit: str) -> Entry:
    return {**_where(check), "counter": check.name, "limit": limit}


def _where(check: Planned) -> Entry:
    return {"model": check.model, "task": check.task, "method": check.method}


def _flow(entry: Entry, models: set[str]) -> str:
    """One entry on a line; a model is named where there are several."""
    shown = (f"{key}: {_text(value)}" for key, value in entry.items() if key != "model" or len(models) > 1)
    return f"{{{', '.join(shown)}}}"


def _text(value: str) -> str:
    """As YAML 1.2 reads it; JSON is YAML."""
    plain = re.fullmatch(r"[0-9.]+%", value) or (_PLAIN.fullmatch(value) and means_text(value))
    return value if plain else json.dumps(value, ensure_ascii=False)
