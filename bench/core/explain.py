"""From a pydantic ValidationError to lines: where, what is wrong, what is allowed and the nearest match."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from bench.core.errors import nearest
from bench.core.quoting import plain, shown

MOST = 20  # lines; the rest is counted
_HINT = re.compile(r' \(did you mean "[^"]*"\?\)(?=; allowed: $)')
_PARSER = re.compile(r", (unable to (parse|interpret)|got a number with) .*$")  # how pydantic reads what it is given
_CONSIDERED = 1000  # errors; of a file with more, the rest is only counted


@dataclass(frozen=True)
class _Place:
    """Where an error is: the path that a user wrote, and the model and field that it leads to."""

    path: tuple[str, ...]
    fields: Mapping[str, FieldInfo]  # of the model that owns the last key, by the name in the file
    is_branch: bool  # of a union: the other branches may have lines of their own

    @property
    def field(self) -> FieldInfo | None:
        return self.fields.get(self.path[-1]) if self.path else None


def explain(
    error: ValidationError,
    model: type[BaseModel],
    at: Sequence[str] = (),
    described: bool = False,
    grids: bool = False,
) -> list[str]:
    """A line for each thing that is wrong, at most `MOST` and a count of the rest.

    `at`: the keys that lead to the model in the file. `described`: the fields' descriptions say what a value must be.
    `grids`: a list of values may be written as one value, so that a place in a list is not named.
    """
    first = error.errors(include_url=False)[:_CONSIDERED]
    errors = [(one, _place(one["loc"], model, at, grids)) for one in first]
    paths = {place.path[:length] for _, place in errors for length in range(len(place.path))}
    lines: dict[tuple[tuple[str, ...], str], list[str]] = {}  # path, beginning -> what it must be
    for one, place in errors:
        outer = place.is_branch and place.path in paths  # another branch got further
        if not outer and not _is_misspelt(one, errors):
            beginning, end = _line(one, place, described)
            lines.setdefault((place.path, beginning), []).append(end)
    for path, start in list(lines):  # branches of a union that say "allowed" and "must be"
        unhinted = _HINT.sub("", start)
        merged = path, unhinted.replace("; allowed: ", "; it must be ")
        if merged[1] == start or merged not in lines:
            continue
        if unhinted != start:  # what was meant is named: the other branches were not
            del lines[merged]
        else:
            lines[merged] = [*lines.pop((path, start)), *lines[merged]]
    written = [plain(start + " or ".join(dict.fromkeys(ends))) for (_, start), ends in lines.items()]
    more = len(written) - MOST + error.error_count() - len(first)
    return written[:MOST] + ([f"(+{more} more)"] if more > 0 else [])


def _line(error: Any, place: _Place, described: bool) -> tuple[str, str]:
    """The beginning of a line and, where it says what is asked for, the end: branches of a union share a beginning."""
    path, field, given = ".".join(place.path), place.field, error["input"]
    description = field.description if field else None
    match error["type"]:
        case "extra_forbidden":
            names = ", ".join(place.fields) or "none"
            return f"unknown key {shown(path)}{nearest(place.path[-1], place.fields)}; allowed: {names}", ""
        case "missing":
            examples = field.examples if field else None
            return f"missing key {shown(path)}" + (f"; add it, for example {examples[0]}" if examples else ""), ""
        case "value_error":
            what, _, remedy = str(error["ctx"]["error"]).partition("; ")
            return f"{path}: {what}; {remedy or 'got ' + shown(given)}".removeprefix(": "), ""
        case "literal_error":
            allowed = error["ctx"]["expected"].replace("'' or ", "").replace("'", "")
            hint = nearest(given, allowed.replace(" or ", ", ").split(", ")) if isinstance(given, str) else ""
            return f"{path} is {shown(given)}{hint}; allowed: ", (described and description) or allowed
    asked = _PARSER.sub("", error["msg"].removeprefix("Input should be "))
    if description and (described or error["type"] in ("string_pattern_mismatch", "string_too_long")):
        return f"{path} is {shown(given)}; it must be {description}", ""
    if asked == error["msg"]:
        return f"{path}: {asked[0].lower()}{asked[1:]}; got {shown(given)}", ""
    asked = {"a valid number": "a number", "a valid integer": "a whole number", "a valid boolean": "true or false",
             "a valid string": "a text", "a valid dictionary": "a mapping", "a valid list": "a list",
             "a valid tuple": "a list"}.get(asked, asked)  # fmt: skip
    if error["type"] == "string_type" and isinstance(given, int | float):
        asked = "text (in quotes)"
    return f"{path} is {shown(given)}; it must be ", asked


def _is_misspelt(error: Any, errors: Sequence[tuple[Any, _Place]]) -> bool:
    """Whether a key is missing because it is misspelt: the misspelt one is a line already."""
    *above, name = error["loc"] or ("",)
    return error["type"] == "missing" and any(
        other["type"] == "extra_forbidden"
        and other["loc"][:-1] == tuple(above)
        and nearest(str(other["loc"][-1]), [str(name)])
        for other, _ in errors
    )


def _place(loc: Sequence[int | str], model: type[BaseModel], at: Sequence[str], grids: bool) -> _Place:
    """Follow a location through the model; what pydantic adds to it to name a branch of a union is left out."""
    hints: list[Any] = [model]
    path, fields, is_branch = list(at), _fields(hints), False
    for piece in loc:
        is_branch = len(hints) > 1
        if is_branch:
            hints = [hint for hint in hints if str(piece).lower().startswith(_name(hint))][:1] or hints[:1]
            continue
        fields = _fields(hints)
        hints = [hint for inner in _inside(hints[0], piece) for hint in _branches(inner)] if hints else []
        if not (grids and isinstance(piece, int)):
            path.append(str(piece))
    return _Place(tuple(path), fields, is_branch)


def _fields(hints: Sequence[Any]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for one in hints if _is_model(one) for name, field in one.model_fields.items()}


def _inside(hint: Any, piece: int | str) -> Iterator[Any]:
    """The types of what a value of type `hint` holds under `piece`."""
    if _is_model(hint):
        fields = {**hint.model_fields, **_fields([hint])}
        yield from (fields[name].annotation for name in [piece] if name in fields)
        return
    origin, arguments = get_origin(hint), [one for one in get_args(hint) if one is not Ellipsis]
    if isinstance(origin, type) and issubclass(origin, Mapping):
        yield from arguments[1:]
    elif isinstance(origin, type) and issubclass(origin, Sequence):
        yield from arguments[:1]


def _branches(hint: Any) -> list[Any]:
    """The types that a value of type `hint` may have, None aside: pydantic names a branch where there are several."""
    if get_origin(hint) is Annotated:
        return _branches(get_args(hint)[0])
    if get_origin(hint) in (Union, types.UnionType):
        return [one for branch in get_args(hint) if branch is not types.NoneType for one in _branches(branch)]
    return [hint]


def _name(hint: Any) -> str:
    """How pydantic's name of a branch of a union begins."""
    return str(getattr(get_origin(hint) or hint, "__name__", hint)).lower()


def _is_model(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, BaseModel)
