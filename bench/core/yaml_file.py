"""The one reader of YAML: the core schema of YAML 1.2.2 (section 10.3), with bounds on what a file may hold.

`yes`, `no`, `on`, `off`, `12:30` and `2026-01-31` are text; `1e-3` and `0o17` are numbers. Anchors, aliases and merge
keys (`<<`) work. Tags are refused, so that a file can only make mappings, lists, texts, numbers, booleans and nulls.
PyYAML parses the text into events; what they mean is decided here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import yaml

from bench.core.errors import UsageError
from bench.core.quoting import clipped, plain, shown

LARGEST = 2**20  # bytes of a file
DEEPEST = 32  # levels of lists and mappings
_ALIASED = 10_000  # values and characters that aliases may repeat, beyond those that are written
_QUOTES = 'put text that holds ": ", "#" or braces in quotes'
_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's parser is about 20 times as fast
_MERGE = object()  # a merge key, which is not the text "<<"
_WORDS: Mapping[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **{f"{sign}.{name}": float(f"{sign}inf") for sign in ("", "+", "-") for name in ("inf", "Inf", "INF")},
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


class YamlError(ValueError):
    """What is wrong with a text as YAML: `what`, the `remedy`, and the line, from 1, where it is known."""

    def __init__(self, what: str, remedy: str = _QUOTES, line: int | None = None) -> None:
        super().__init__(what)
        self.what, self.remedy, self.line = what, remedy, line


def read_mapping(file: Path, name: str, form: str, error: type[UsageError] = UsageError) -> dict[Any, Any]:
    """The mapping that `file` holds. Messages call the file `name` and say what it must be with `form`.

    Raises:
        UsageError: or `error`; the file cannot be read, is larger than `LARGEST`, is not UTF-8, not YAML, no mapping.
    """
    try:
        value = parse(_text(file))
    except OSError as problem:
        raise error(f"{name}: cannot be read ({problem.strerror})") from None
    except YamlError as problem:
        line = f":{problem.line}" if problem.line else ""
        raise error(plain(f"{name}{line}: {problem.what}; {problem.remedy}")) from None
    if not isinstance(value, dict):
        raise error(f"{name}: {form}")
    return value


def parse(text: str) -> Any:
    """The value of the one document in `text`; None where there is none. Raises YamlError."""
    try:
        return _Builder(text).document()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise YamlError(f"not valid YAML ({clipped(error.problem or 'no reason given', 120)})", line=line) from None
    except (yaml.YAMLError, UnicodeEncodeError) as error:
        reason = clipped(str(error).splitlines()[0], 120)
        raise YamlError(f"not valid YAML ({reason})", "remove what is not text") from None


def scalar(text: str) -> Any:
    """What `text` means where it stands without quotes. Raises YamlError for a number that no machine type holds."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        number: float = int(text, 0 if text[:2] in ("0o", "0x") else 10) if len(text) < 30 else 2**63
        held = -(2**63) <= number < 2**63
    elif _FLOAT.fullmatch(text):
        number = float(text)
        held = math.isfinite(number)
    else:
        return text
    if not held:
        raise YamlError(f"the number {clipped(text, 30)} is too large", "put it in quotes if it is text")
    return number


def means_text(text: str) -> bool:
    """Whether `text` is still text where it is written without quotes."""
    return text not in _WORDS and not _INTEGER.fullmatch(text) and not _FLOAT.fullmatch(text)


def _text(file: Path) -> str:
    with file.open("rb") as stream:
        data = stream.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise YamlError(f"larger than {LARGEST // 2**20} MiB", "keep data in files of their own")
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise YamlError(f"not UTF-8 at byte {error.start}", "save the file as UTF-8") from None


class _Builder:
    """Makes values of the events of one text."""

    def __init__(self, text: str) -> None:
        self._parser = _PARSER(text)
        self._event: Any = None  # the event that was read last
        self._anchors: dict[str, tuple[Any, int]] = {}  # name -> value, and its size
        self._size = 0  # values and characters so far, aliases counted as often as they stand
        self._largest = 2 * len(text) + _ALIASED

    def document(self) -> Any:
        value = None
        self._next()  # the start of the stream
        if isinstance(self._next(), yaml.DocumentStartEvent):
            self._next()
            value = self._value(0)
            self._next()  # the end of the document
            if not isinstance(self._next(), yaml.StreamEndEvent):
                self._refuse("a second document begins", "keep one document in a file")
        return value

    def _next(self) -> Any:
        self._event = self._parser.get_event()
        return self._event

    def _refuse(self, what: str, remedy: str = _QUOTES) -> NoReturn:
        raise YamlError(what, remedy, self._event.start_mark.line + 1)

    def _value(self, depth: int) -> Any:
        """The value that starts with the last event read; afterwards that is the event which ends it."""
        event = self._event
        if isinstance(event, yaml.AliasEvent):
            return self._alias(str(event.anchor))
        if event.tag is not None:
            self._refuse(f"the tag {shown(event.tag)} is not allowed", "remove it; to mean text, use quotes")
        if depth > DEEPEST:
            self._refuse(f"nested deeper than {DEEPEST} levels", "flatten it")
        before = self._size
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event)
        else:
            self._count(1)
            value = self._list(depth) if isinstance(event, yaml.SequenceStartEvent) else self._mapping(depth)
        if event.anchor:
            self._anchors[event.anchor] = value, self._size - before
        return value

    def _scalar(self, event: Any) -> Any:
        self._count(1 + len(event.value))
        event.value.encode()  # raises for half of a surrogate pair, which an escape can write
        if not event.implicit[0]:  # in quotes, or a block of text
            return event.value
        try:
            return scalar(event.value)
        except YamlError as error:
            self._refuse(error.what, error.remedy)

    def _alias(self, name: str) -> Any:
        if name not in self._anchors:
            self._refuse(f"the alias {shown('*' + name)} stands before the end of its anchor", "put the anchor first")
        value, size = self._anchors[name]
        self._count(size)
        return value

    def _count(self, size: int) -> None:
        self._size += size
        if self._size > self._largest:
            self._refuse("aliases repeat too much", "write out what is meant")

    def _list(self, depth: int) -> list[Any]:
        values = []
        while not isinstance(self._next(), yaml.SequenceEndEvent):
            values.append(self._value(depth + 1))
        return values

    def _mapping(self, depth: int) -> dict[Any, Any]:
        values: dict[Any, Any] = {}
        merged: dict[Any, Any] = {}
        seen: set[Any] = set()  # compared as Python compares keys, where 1 is the same as true
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._key(depth)
            merges = key == "<<" and isinstance(event, yaml.ScalarEvent) and event.implicit[0]
            written = _MERGE if merges else key
            if written in seen:
                name = event.value if isinstance(event, yaml.ScalarEvent) else str(key)
                self._refuse(f"the key {shown(name)} stands twice", "keep one of them")
            seen.add(written)
            self._next()
            value = self._value(depth + 1)
            if merges:
                merged = self._merged(value)
            else:
                values[key] = value
        return {**merged, **values}

    def _key(self, depth: int) -> Any:
        key = self._value(depth + 1)
        if isinstance(key, list | dict):
            self._refuse("a list or a mapping is used as a key", "a key is text or a number; put braces in quotes")
        return key

    def _merged(self, sources: Any) -> dict[Any, Any]:
        """What a merge key brings: of one mapping, or of a list of them, the first of which wins."""
        mappings = sources if isinstance(sources, list) else [sources]
        if not all(isinstance(mapping, dict) for mapping in mappings):
            self._refuse("the merge key << needs a mapping or a list of mappings", "name an anchor of a mapping")
        return {key: value for mapping in reversed(mappings) for key, value in mapping.items()}
