"""What differs between two records of one method: settings, weights, libraries, hardware; a change may come from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from bench.core.record import Record

_LONGEST = 24  # characters of a value that is shown
_NAMES = {"model.digest": "weights", "task.digest": "task", "stage": "version of the stages"}
_LEFT_OUT = {"seed", "boot"}  # several seeds are one point; a machine started anew is no other machine


def differing(a: Record, b: Record) -> tuple[str, ...]:
    """What is not the same in two records, as "lora.rank 8 → 16"; digests and other long values by name alone.

    Of its key's content and of what was there when it was measured; sorted by name, the content first.
    """
    found = []
    for one, other in ((a.identity.content(), b.identity.content()), (asdict(a.environment), asdict(b.environment))):
        before, after = dict(_flat(one)), dict(_flat(other))
        found += [
            _said(name, before.get(name), after.get(name))
            for name in sorted(before.keys() | after.keys())
            if before.get(name) != after.get(name) and name not in _LEFT_OUT
        ]
    return tuple(found)


def _flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, "" if name in ("method", "packages", "surroundings") else f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _text(value: object) -> str:
    if value is None or value == "":
        return "none"
    return str(list(value) if isinstance(value, tuple) else value)


def _said(name: str, before: Any, after: Any) -> str:
    shown = _NAMES.get(name, name)
    texts = [_text(value) for value in (before, after)]
    if shown != name or max(map(len, texts)) > _LONGEST:
        return shown
    return f"{shown} {texts[0]} → {texts[1]}"
