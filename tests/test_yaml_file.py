"""The reader of YAML: the core schema of YAML 1.2, and a line for what is refused, whatever the file holds."""

from __future__ import annotations

import json
import math
import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bench.core import yaml_file
from bench.core.errors import UsageError
from bench.core.yaml_file import DEEPEST, LARGEST, YamlError, means_text, parse, read_mapping


@pytest.fixture(params=["CSafeLoader", "SafeLoader"], autouse=True)
def _parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both parsers of PyYAML: libyaml's is not in every build of it."""
    if not hasattr(yaml, request.param):
        pytest.skip("PyYAML was built without libyaml")
    monkeypatch.setattr(yaml_file, "_PARSER", getattr(yaml, request.param))


# YAML 1.2.2, section 10.3.2, "Tag Resolution", and the lists of values in 10.2.1.
CORE: list[tuple[str, Any]] = [
    *((text, None) for text in ("null", "Null", "NULL", "~", "")),
    *((text, True) for text in ("true", "True", "TRUE")),
    *((text, False) for text in ("false", "False", "FALSE")),
    *(("0", 0), ("-19", -19), ("+12", 12), ("007", 7), ("0o14", 12), ("0x3A", 58)),
    *(("0.", 0.0), ("-0.0", 0.0), (".5", 0.5), ("+12e03", 12000.0), ("-2E+05", -200000.0), ("1e-3", 0.001)),
    *((".inf", math.inf), ("-.Inf", -math.inf), ("+.INF", math.inf)),
]
TEXTS = [
    *("yes", "no", "on", "off", "y", "n", "Yes", "OFF", "tRUE", "nULL", "12:30", "190:20:30", "2026-01-31", "1_000"),
    *("2020-13-45", "0b101", "1e", "e3", ".", "-", "0x", "0o8", "++1", "1 000", "=", "٣", "-0x10", "1.5.2", "2%"),
]


@pytest.mark.parametrize(("text", "value"), CORE)
def test_plain_scalars_are_those_of_the_core_schema(text: str, value: Any) -> None:
    read = parse(f"a: {text}")["a"]
    assert read == value
    assert type(read) is type(value)
    assert not means_text(text)
    assert parse(f"a: '{text}'") == {"a": text}


@pytest.mark.parametrize("text", TEXTS)
def test_everything_else_is_text(text: str) -> None:
    assert means_text(text)
    assert yaml_file.scalar(text) == text


def test_nan() -> None:
    assert all(math.isnan(value) for value in parse("[.nan, .NaN, .NAN]"))


_texts = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=30)
_leaves = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
_values = st.recursive(_leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_texts, inner, max_size=4))


@given(_values)
def test_json_is_read_as_what_it_is(value: Any) -> None:
    """JSON is a subset of YAML 1.2, so that Python's reader of JSON is a second implementation."""
    assert parse(json.dumps(value, ensure_ascii=False)) == value
    assert parse(json.dumps(value, ensure_ascii=False, indent=2)) == value


def test_merge_keys() -> None:
    text = "base: &base {a: 1, b: 2}\nmore: &more {b: 3, c: 4}\none: {<<: *base, b: 9}\nboth: {<<: [*base, *more]}\n"
    read = parse(text)
    assert read["one"] == {"a": 1, "b": 9}
    assert read["both"] == {"a": 1, "b": 2, "c": 4}
    assert parse('"<<": 1') == {"<<": 1}


def test_an_anchor_can_be_given_again() -> None:
    assert parse("[&a 1, *a, &a 2, *a]") == [1, 1, 2, 2]


NINE = {name: ",".join([f"*{before}"] * 9) for before, name in pairwise("abcdefghijk")}
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(f"{name}: &{name} [{nine}]\n" for name, nine in NINE.items())
MERGES = "a: &a {x: 1}\n" + "".join(f"{name}: &{name} {{<<: [{nine}], {name}: 1}}\n" for name, nine in NINE.items())
REFUSED = [
    ("a: 1\nb: 2\na: 3", "3", "the key 'a' stands twice"),
    ("{1: a, true: b}", "1", 'the key "true" stands twice'),
    ("<<: {a: 1}\n<<: {b: 1}", "2", 'the key "<<" stands twice'),
    ("<<: 3", "1", "the merge key << needs a mapping"),
    ("<<: [3]", "1", "the merge key << needs a mapping"),
    ("? [a]\n: b", "1", "used as a key"),
    ("a: !!timestamp 2020-01-01", "1", "the tag"),
    ("!!bool", "1", "the tag"),
    ("a: !!str b", "1", "the tag"),
    ("a: ! b", "1", "the tag"),
    ("a: !!python/object/apply:os.system [ls]", "1", "the tag"),
    ("- a\n- *b", "2", "stands before the end of its anchor"),
    ("&a [*a]", "1", "stands before the end of its anchor"),
    ("a: 1\n---\nb: 2", "2", "a second document begins"),
    ("a: 9223372036854775808", "1", "is too large"),
    ("a: 5" + "9" * 5000, "1", "is too large"),
    ("a: 1e999", "1", "is too large"),
    ("a: b: c", "1", "not valid YAML (mapping values are not allowed"),
    ("a: [", "", "not valid YAML"),
    ("a: \x07", "", "not valid YAML"),
    ('a: "\\ud800"', "", "not valid YAML"),
    ("\t- a", "1", "not valid YAML"),
    ("[" * 200_000, "1", f"nested deeper than {DEEPEST} levels"),
    ("{a: " * 200_000, "1", f"nested deeper than {DEEPEST} levels"),
    ("- " * 200_000, "1", f"nested deeper than {DEEPEST} levels"),
    (BOMB, "", "aliases repeat too much"),
    (MERGES, "", "aliases repeat too much"),
    (f"a: &a {'x' * 9000}\nb: [*a, *a, *a, *a]", "2", "aliases repeat too much"),
]


@pytest.mark.parametrize(("text", "line", "words"), REFUSED, ids=[words for *_, words in REFUSED])
def test_what_is_refused_is_one_short_line_at_once(text: str, line: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(text)
    start = time.perf_counter()
    with pytest.raises(UsageError) as caught:
        read_mapping(file, "x.yaml", "a mapping")
    assert time.perf_counter() - start < 2
    message = str(caught.value)
    assert message.startswith(f"x.yaml:{line}")
    assert words.replace("'", '"') in message
    assert message.isprintable()
    assert len(message) < 300


@given(st.text(st.sampled_from("ab:-[]{}&*<!|>'\"#%,? \n\t1.~0x"), max_size=40))
def test_any_text_is_a_value_or_refused(text: str) -> None:
    with suppress(YamlError):
        json.dumps(parse(text))  # nothing but what JSON knows


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    def said(data: bytes) -> str:
        (tmp_path / "x.yaml").write_bytes(data)
        with pytest.raises(UsageError) as caught:
            read_mapping(tmp_path / "x.yaml", "x.yaml", "it must be a mapping")
        return str(caught.value)

    assert said(b"a: \xff") == "x.yaml: not UTF-8 at byte 3; save the file as UTF-8"
    assert said(b"a: " + b"b" * LARGEST) == "x.yaml: larger than 1 MiB; keep data in files of their own"
    assert said(b"- a") == said(b"") == said(b"# nothing") == "x.yaml: it must be a mapping"
    with pytest.raises(UsageError, match=r"x: cannot be read \(Is a directory\)"):
        read_mapping(tmp_path, "x", "")


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read_mapping(tmp_path / "x.yaml", "x.yaml", "") == {"a": 1}
