"""Write bench/runs/known_settings.json, which the keys of cells rest on: python -m scripts.known_settings

Run it after a setting was added, or after `STAGE_VERSION` was raised. It refuses what would change the meaning of keys.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

import methods
from bench.config.suite import Suite
from bench.core.hashing import STAGE_VERSION
from bench.model.resolve import ModelSpec
from bench.runs.identity import ELSEWHERE, KNOWN, MODEL, SUITE

Settings = Mapping[str, Mapping[str, Any]]  # group -> setting -> default, as a JSON value
RAISE = "raise STAGE_VERSION in bench/core/hashing.py, then run: python -m scripts.known_settings"
ADD = "run: python -m scripts.known_settings; what decides no prediction stands in ELSEWHERE of bench/runs/identity.py"


def defaults() -> dict[str, dict[str, Any]]:
    """Every setting that belongs to keys, with its default; parts of other packages aside."""
    groups: dict[str, type[BaseModel]] = {MODEL: ModelSpec, SUITE: Suite}
    found: dict[str, dict[str, Any]] = {}
    for name, part in methods.own().items():
        if part.__module__.startswith("methods."):
            groups[name] = part.Options
            if standard := getattr(part.Options, "standard", None):
                found[f"{name}: standard"] = dict(standard)
    return {**{name: _defaults(name, model) for name, model in groups.items()}, **found}


def _defaults(group: str, model: type[BaseModel]) -> dict[str, Any]:
    names = [name for name in model.model_fields if name not in ELSEWHERE.get(group, ())]
    values: dict[str, Any] = {name: model.model_fields[name].get_default(call_default_factory=True) for name in names}
    dumped: dict[str, Any] = model.model_construct(**values).model_dump(mode="json", include=set(names))
    return {name: dumped[name] for name in names}


def problems(listed: Mapping[str, Any], now: Settings, stage: int = STAGE_VERSION) -> Iterator[str]:
    """What the file and the code disagree on, a line each with what to do."""
    if listed["stage"] != stage:
        yield f"STAGE_VERSION is {stage}, the file is of {listed['stage']}: run python -m scripts.known_settings"
        return
    for group in dict.fromkeys([*listed["always"], *listed["added"], *now]):
        before = {**listed["always"].get(group, {}), **listed["added"].get(group, {})}
        after = now.get(group, {})
        for name, default in before.items():
            if name not in after:
                yield f"{group}: {name} is gone: {RAISE}"
            elif after[name] != default:
                yield f"{group}: the default of {name} was {default!r} and is {after[name]!r}: {RAISE}"
        for name in after:
            if name not in before:
                yield f"{group}: {name} is new: {ADD}"


def updated(listed: Mapping[str, Any], now: Settings, stage: int = STAGE_VERSION) -> dict[str, Any]:
    """The file's new content: of a new stage everything is part of every key, else what is new is added."""
    if listed["stage"] != stage:
        return {"stage": stage, "always": dict(now), "added": {}}
    added = {
        group: {name: default for name, default in options.items() if name not in listed["always"].get(group, {})}
        for group, options in now.items()
    }
    # What was added before keeps its place: keys rest on the order.
    ordered = {group: {**listed["added"].get(group, {}), **options} for group, options in added.items() if options}
    return {"stage": stage, "always": listed["always"], "added": ordered}


def written(content: Mapping[str, Any]) -> str:
    """The file's text, a group a line."""
    blocks = [
        f'"{kind}": {{'
        + ",".join(f"\n  {json.dumps(group)}: {json.dumps(options)}" for group, options in content[kind].items())
        + "\n}"
        for kind in ("always", "added")
    ]
    return f'{{"stage": {content["stage"]},\n' + ",\n".join(blocks) + "}\n"


def main() -> None:
    """Write the file, or say why not."""
    listed = json.loads(KNOWN.read_text(encoding="utf-8"))
    refused = [line for line in problems(listed, defaults()) if RAISE in line]
    if refused:
        sys.exit("\n".join(refused))
    KNOWN.write_text(written(updated(listed, defaults())), encoding="utf-8")


if __name__ == "__main__":
    main()
