"""Methods of adaptbench: what is done to the weights × what is put in the context.

One file is one part. A file that defines `PART` is found by itself: adding a method touches no other file. Other
distributions bring parts by entry points of the group `adaptbench.methods`. A name joins parts with `+`: `zero-shot`,
`lora`, `rag`, `lora+rag`, `full+few-shot`.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bench.core.errors import UsageError, unknown
from bench.core.explain import explain
from bench.core.method import ContextPart, Method, Options, Part, WeightsPart
from bench.core.plugins import Plugin, installed, only
from bench.core.quoting import quoted
from methods.frozen import Frozen
from methods.zero_shot import ZeroShot

GROUP = "adaptbench.methods"


@cache
def own() -> dict[str, type[Part]]:
    """The class of every part that comes with adaptbench, by its name."""
    files = (file for file in sorted(Path(__file__).parent.glob("*.py")) if "\nPART = " in file.read_text("utf-8"))
    found: list[type[Part]] = [importlib.import_module(f"methods.{file.stem}").PART for file in files]
    return {part.name: part for part in sorted(found, key=lambda part: part.name)}


def parts() -> dict[str, type[Part]]:
    """Every part's class by its name, also of other distributions, as far as they can be used."""
    return own() | {plugin.entry.name: part for plugin, part in plugins().items() if not isinstance(part, UsageError)}


def plugins() -> dict[Plugin, type[Part] | UsageError]:
    """What each entry point of another distribution brings, or why it cannot be used."""
    found: dict[Plugin, type[Part] | UsageError] = {}
    for plugin in installed(GROUP):
        try:
            only("method", plugin.entry.name, _claims(plugin.entry.name))
            found[plugin] = _loaded(plugin)
        except UsageError as error:
            found[plugin] = error
    return found


def origin(part: Part) -> str:
    """The distribution and version that brings a part; "" for adaptbench's own."""
    return "" if part.name in own() else _claims(part.name)[0].origin


def available() -> dict[str, str]:
    """Name -> what the part is, of what a suite may name (joins aside)."""
    named = {name: part for name, part in parts().items() if part is not Frozen}
    return {name: (part.__doc__ or "").partition("\n")[0] for name, part in named.items()}


def create(name: str, options: Mapping[str, Any] | None = None) -> Method:
    """The method `name` (parts joined by `+`) with `options`, each handed to the part that has it.

    Raises:
        UsageError: an unknown part or option, two parts of one kind or with one option, or a value out of range.
    """
    weights, context = classes(name)
    _refuse_unknown(name, options or {}, weights, context)
    canonical = "+".join(c.name for c in (weights, context) if c not in (Frozen, ZeroShot)) or ZeroShot.name
    return Method(canonical, _build(name, weights, options), _build(name, context, options))


def classes(name: str) -> tuple[type[WeightsPart], type[ContextPart]]:
    """The (weights part, context part) classes that `name` joins; what it leaves out is the neutral part."""
    found = [_part(piece.strip()) for piece in name.split("+")]
    weights = [c for c in found if issubclass(c, WeightsPart)] or [Frozen]
    contexts = [c for c in found if issubclass(c, ContextPart)] or [ZeroShot]
    if len(weights) > 1 or len(contexts) > 1:
        kind = "weights" if len(weights) > 1 else "context"
        raise UsageError(f"method {quoted(name)} joins two {kind} parts; join one weights part with one context part")
    shared = option_names(weights[0]) & option_names(contexts[0])
    if shared:
        listed = ", ".join(sorted(shared))
        raise UsageError(
            f"method {quoted(name)} cannot be joined: {weights[0].name} and {contexts[0].name} both have {listed}"
        )
    return weights[0], contexts[0]


def option_names(part: type[Part]) -> set[str]:
    """The options that a part's class takes."""
    return set(part.Options.model_fields)


def _part(name: str) -> type[Part]:
    if name in own() and name != Frozen.name:
        return own()[name]
    plugin = only("method", name, _claims(name))
    if plugin and name != Frozen.name:
        return _loaded(plugin)
    known = {*own(), *(plugin.entry.name for plugin in installed(GROUP))} - {Frozen.name}
    raise UsageError(unknown("method", name, known))


def _claims(name: str) -> list[Plugin]:
    return [plugin for plugin in installed(GROUP) if plugin.entry.name == name]


@cache
def _loaded(plugin: Plugin) -> type[Part]:
    """The part of an entry point, which is imported here; raises UsageError where it is none."""
    name = plugin.entry.name
    if name in own():
        raise plugin.refused("adaptbench has a method of this name; choose another")
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise plugin.refused("a name is of lower-case letters, digits and single hyphens")
    part = plugin.guarded(plugin.entry.load)
    if not (isinstance(part, type) and issubclass(part, WeightsPart | ContextPart)):
        raise plugin.refused("not a class derived from WeightsPart or ContextPart of bench.core.method")
    if getattr(part, "name", None) != name:
        raise plugin.refused(f"the class calls itself {getattr(part, 'name', None)!r}; both names must be the same")
    return part


def _refuse_unknown(name: str, options: Mapping[str, Any], *classes: type[Part]) -> None:
    allowed = set().union(*(option_names(c) for c in classes))
    for option in options:
        if option not in allowed:
            raise UsageError(unknown(f"option of method {name}:", option, allowed))


def _build(name: str, part: type[Part], options: Mapping[str, Any] | None) -> Any:
    mine = {k: v for k, v in (options or {}).items() if k in option_names(part)}
    try:
        checked: Options = part.Options(**mine)
    except ValidationError as error:
        lines = explain(error, part.Options, grids=True)
        raise UsageError("\n".join(f"option of method {name}: {line}" for line in lines)) from None
    return part(checked)
