"""Methods of adaptbench: what is done to the weights × what is put in the context.

One file is one part. A file that defines `PART` is found by itself: adding a method touches no other
file. A name joins parts with `+`: `zero-shot`, `lora`, `rag`, `lora+rag`, `full+few-shot`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import ValidationError

from bench.core.errors import UsageError, unknown
from bench.core.explain import explain
from bench.core.method import Method, Options
from bench.core.quoting import quoted
from methods.frozen import Frozen
from methods.zero_shot import ZeroShot


@cache
def parts() -> dict[str, Any]:
    """Every part's class by its name."""
    modules = [importlib.import_module(f"methods.{m.name}") for m in pkgutil.iter_modules(__path__)]
    found = [module.PART for module in modules if hasattr(module, "PART")]
    return {part.name: part for part in sorted(found, key=lambda part: str(part.name))}


def changes_weights(part: Any) -> bool:
    """Whether a part's class is a weights part (names a learner) rather than a context part."""
    return hasattr(part, "learner")


def available() -> dict[str, str]:
    """Name -> first line of its file's docstring, of what a suite may name (joins aside)."""
    named = {name: part for name, part in parts().items() if part is not Frozen}
    return {
        name: (importlib.import_module(part.__module__).__doc__ or "").splitlines()[0].split(": ", 1)[-1]
        for name, part in named.items()
    }


def create(name: str, options: Mapping[str, Any] | None = None) -> Method:
    """The method `name` (parts joined by `+`) with `options`, each handed to the part that has it.

    Raises:
        UsageError: an unknown part or option, two parts of one kind, or a value out of range.
    """
    weights, context = classes(name)
    _refuse_unknown(name, options or {}, weights, context)
    canonical = "+".join(c.name for c in (weights, context) if c not in (Frozen, ZeroShot)) or ZeroShot.name
    return Method(canonical, _build(name, weights, options), _build(name, context, options))


def classes(name: str) -> tuple[Any, Any]:
    """The (weights part, context part) classes that `name` joins; what it leaves out is the neutral part."""
    found = [_part(piece.strip()) for piece in name.split("+")]
    weights = [c for c in found if changes_weights(c)] or [Frozen]
    contexts = [c for c in found if not changes_weights(c)] or [ZeroShot]
    if len(weights) > 1 or len(contexts) > 1:
        kind = "weights" if len(weights) > 1 else "context"
        raise UsageError(f"method {quoted(name)} joins two {kind} parts; join one weights part with one context part")
    return weights[0], contexts[0]


def option_names(part: Any) -> set[str]:
    """The options that a part's class takes."""
    return set(part.Options.model_fields)


def _part(name: str) -> Any:
    known = {n: c for n, c in parts().items() if c is not Frozen}
    if name not in known:
        raise UsageError(unknown("method", name, known))
    return known[name]


def _refuse_unknown(name: str, options: Mapping[str, Any], *classes: Any) -> None:
    allowed = set().union(*(option_names(c) for c in classes))
    for option in options:
        if option not in allowed:
            raise UsageError(unknown(f"option of method {name}:", option, allowed))


def _build(name: str, part: Any, options: Mapping[str, Any] | None) -> Any:
    mine = {k: v for k, v in (options or {}).items() if k in option_names(part)}
    try:
        checked: Options = part.Options(**mine)
    except ValidationError as error:
        lines = explain(error, part.Options, grids=True)
        raise UsageError("\n".join(f"option of method {name}: {line}" for line in lines)) from None
    return part(checked)
