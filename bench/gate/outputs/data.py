"""gate.json: all of a verdict, described by `schema-1.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import __version__
from bench.gate.flips import Flips
from bench.gate.outputs.words import headline, unit
from bench.gate.verdict import GateFinding, GateVerdict

SCHEMA = 1
SCHEMA_FILE = Path(__file__).with_name(f"schema-{SCHEMA}.json")
Shown = Mapping[int, Flips]  # place of a finding -> its changed items


def to_json(verdict: GateVerdict, paths: Mapping[str, str], shown: Shown) -> dict[str, Any]:
    """The content of gate.json; `paths`: of baseline, candidate and policy as they were named."""
    return {
        "schema": SCHEMA,
        "adaptbench": __version__,
        "verdict": verdict.word,
        "exit_code": verdict.exit_code,
        "headline": headline(verdict),
        "mode": verdict.mode,
        "alpha": verdict.alpha,
        "family": verdict.family,
        **{name: paths.get(name) for name in ("baseline", "candidate", "policy")},
        "checks": [_check(finding, shown.get(place)) for place, finding in enumerate(verdict.findings)],
        "problems": list(verdict.problems),
        "notes": list(verdict.notes),
    }


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of what `to_json` gives."""
    found = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def _check(finding: GateFinding, flips: Flips | None) -> dict[str, Any]:
    planned, measured = finding.planned, finding.measured
    interval = finding.interval
    both = measured.baseline is not None and measured.candidate is not None
    return {
        "kind": planned.kind,
        "model": planned.model,
        "task": planned.task,
        "method": planned.method,
        "probe": planned.probe or None,
        "name": planned.name,
        "unit": unit(finding) or None,
        "tier": planned.tier,
        "status": finding.status,
        "decides": finding.decides,
        "reason": finding.reason,
        "baseline": measured.baseline,
        "candidate": measured.candidate,
        "difference": (measured.candidate or 0.0) - (measured.baseline or 0.0) if both else None,
        "interval": asdict(interval) if interval else None,
        "p": finding.p,
        "p_adjusted": finding.p_adjusted,
        "margin": finding.margin,
        "detect": planned.detect,
        "power": finding.power,
        "noise_floor": finding.floor,
        "items": len(measured.answers[0].ids) if measured.answers else None,
        "seeds": {"candidate": measured.seeds[0], "baseline": measured.seeds[1]} if measured.answers else None,
        "this_checkpoint_only": measured.one_checkpoint,
        "statistic": measured.tails.method if measured.tails else None,
        "flips": _flips(flips) if flips else None,
    }


def _flips(flips: Flips) -> dict[str, Any]:
    return {
        "lost": flips.lost,
        "gained": flips.gained,
        "shown": [asdict(one) for one in flips.shown],
        "why_no_text": flips.why_no_text,
    }
