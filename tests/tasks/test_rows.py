"""Tables from files: what is read, and the line for what cannot be."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.core.quoting import plain, shown
from tasks.loader import parquet
from tasks.loader.parquet import read_parquet
from tasks.loader.problems import MAX_LINES, Problems
from tasks.loader.rows import list_of, read_table, text_of


def read(path: Path, content: str | bytes, **options: Any) -> tuple[list[dict[str, Any]], list[int], list[str]]:
    """(rows, row numbers, problems) of a file with this content."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    problems = Problems()
    table = read_table(path, path.name, problems, **options)
    return (table.rows, table.numbers, problems.lines()) if table else ([], [], problems.lines())


def test_csv_with_quotes_line_breaks_and_byte_order_mark(tmp_path: Path) -> None:
    content = '\ufefftext,label\r\n"a, ""b""\nc",x\r\n\r\né,y\r\n'
    rows, numbers, problems = read(tmp_path / "a.csv", content)
    assert rows == [{"text": 'a, "b"\nc', "label": "x"}, {"text": "é", "label": "y"}]
    assert (numbers, problems) == ([1, 2], [])


def test_tsv_and_other_delimiters(tmp_path: Path) -> None:
    assert read(tmp_path / "a.tsv", "a\tb\n1,5\t2\n")[0] == [{"a": "1,5", "b": "2"}]
    assert read(tmp_path / "a.csv", "a;b\n1,5;2\n", delimiter=";")[0] == [{"a": "1,5", "b": "2"}]
    assert read(tmp_path / "b.tsv", 'a\tb\n"x\ty"\n', quotes=False)[0] == [{"a": '"x', "b": 'y"'}]


def test_cells_longer_than_the_csv_modules_limit(tmp_path: Path) -> None:
    rows, _, problems = read(tmp_path / "a.csv", "a,b\n" + "x" * 200_000 + ",y\n")
    assert (len(rows[0]["a"]), problems) == (200_000, [])


def test_jsonl_keeps_line_numbers_and_odd_separators(tmp_path: Path) -> None:
    content = '{"a": "one\u2028two"}\n\n{"a": 3, "b": [1]}\n'
    rows, numbers, problems = read(tmp_path / "a.jsonl", content)
    assert rows == [{"a": "one\u2028two"}, {"a": 3, "b": [1]}]
    assert (numbers, problems) == ([1, 3], [])


@pytest.mark.parametrize(
    "content",
    ["a;b\n1,5;2\n", "sep=;\na;b\n1,5;2\n", '"sep=;"\r\na;b\r\n1,5;2\r\n', "a|b\n1,5|2\n", "a\tb\n1,5\t2\n"],
    ids=["semicolon", "sep", "quoted sep", "bar", "tab"],
)
def test_the_delimiter_of_a_csv_file_is_recognised(tmp_path: Path, content: str) -> None:
    assert read(tmp_path / "a.csv", content)[0] == [{"a": "1,5", "b": "2"}]


def test_the_comma_comes_first_and_a_lone_column_stays_one(tmp_path: Path) -> None:
    assert read(tmp_path / "a.csv", "a,b;c\n1,2;3\n")[0] == [{"a": "1", "b;c": "2;3"}]
    assert read(tmp_path / "a.csv", "text\none; two\nthree\n")[0] == [{"text": "one; two"}, {"text": "three"}]
    assert read(tmp_path / "a.csv", "a,b\n1;2;3\n")[2] == [
        "a.csv:1: 1 cells where the header has 2; put a cell that holds the delimiter in quotes"
    ]


def test_parquet_reads_class_names_from_the_schema(tmp_path: Path) -> None:
    """As the Hub's library writes them: {"info": {"features": {column: {"names": [...], "_type": "ClassLabel"}}}}."""
    features = {"text": {"dtype": "string", "_type": "Value"}, "y": {"names": ["no", "yes"], "_type": "ClassLabel"}}
    table = pa.table({"text": ["a", "b", "c", "d"], "y": [1, 0, -1, None]})
    table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, tmp_path / "a.parquet")
    found = read_table(tmp_path / "a.parquet", "a.parquet", Problems())
    assert found is not None
    assert [row["y"] for row in found.rows] == ["yes", "no", None, None]


def test_parquet_with_metadata_of_another_program(tmp_path: Path) -> None:
    for metadata in (b"no JSON", b"[]", b'{"info": {"features": [1]}}'):
        table = pa.table({"y": [1]}).replace_schema_metadata({b"huggingface": metadata})
        pq.write_table(table, tmp_path / "a.parquet")
        found = read_table(tmp_path / "a.parquet", "a.parquet", Problems())
        assert found is not None
        assert found.rows == [{"y": 1}]


def test_a_column_that_stands_twice_is_named(tmp_path: Path) -> None:
    problems = Problems()
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"]), tmp_path / "a.parquet")
    assert read_table(tmp_path / "a.parquet", "a.parquet", problems) is None
    assert problems.lines() == ['a.parquet: column "a" stands twice; rename one of them']
    assert read(tmp_path / "a.jsonl", '{"a": 1, "a": 2}\n')[2] == [
        'a.jsonl:1: not JSON (the key "a" stands twice); write one JSON object on each line'
    ]


def test_fields_of_objects_are_columns(tmp_path: Path) -> None:
    content = '{"answers": {"text": ["x"], "start": [3]}}\n{"answers": null}\n'
    assert read(tmp_path / "a.jsonl", content)[0] == [
        {"answers": {"text": ["x"], "start": [3]}, "answers.text": ["x"], "answers.start": [3]},
        {"answers": None, "answers.text": None, "answers.start": None},
    ]


def test_decimals_are_written_out() -> None:
    assert text_of(Decimal("0E-8")) == "0.00000000"
    assert text_of(Decimal("1.50")) == "1.50"


def test_parquet(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": ["x", None], "n": [1, 2], "l": [["p"], []]}), tmp_path / "a.parquet")
    problems = Problems()
    table = read_table(tmp_path / "a.parquet", "a.parquet", problems)
    assert table is not None
    assert table.columns == ("a", "n", "l")
    assert table.rows == [{"a": "x", "n": 1, "l": ["p"]}, {"a": None, "n": 2, "l": []}]
    assert (table.numbers, problems.lines()) == ([1, 2], [])


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.csv", b"a,b\n\xe9,x\n", "a.csv: not UTF-8 at byte 4; save the file as UTF-8 (in Excel: CSV UTF-8)"),
        ("a.csv", b"\xef\xbb\xbfa\n\xe9\n", "a.csv: not UTF-8 at byte 5; save the file as UTF-8 (in Excel: CSV UTF-8)"),
        ("a.jsonl", "\x00\x00".encode("utf-16"), "a.jsonl: not UTF-8 at byte 0; save the file as UTF-8"),
        ("a.csv", "", "a.csv: no header line; write the column names in the first line"),
        ("a.csv", "a,a\n1,2\n", 'a.csv: column "a" stands twice; rename one of them'),
        (
            "a.csv",
            "a,b\n1,2\n1,2,3\n",
            "a.csv:2: 3 cells where the header has 2; put a cell that holds the delimiter in quotes",
        ),
        (
            "a.csv",
            'a,b\n1,2\n"open,2\n',
            "a.csv:2: quotes do not match (unexpected end of data);"
            " double the quotes inside a quoted cell, or set quotes: false",
        ),
        (
            "a.jsonl",
            '{"a": 1}\n{"a": \n',
            "a.jsonl:2: not JSON (Expecting value: line 1 column 7 (char 6)); write one JSON object on each line",
        ),
        ("a.jsonl", "[1]\n", "a.jsonl:1: not a JSON object; write one JSON object on each line"),
        ("a.xlsx", "", 'a.xlsx: ".xlsx" is no known format; allowed: .csv, .tsv, .jsonl, .parquet'),
    ],
)
def test_what_cannot_be_read_is_one_line(tmp_path: Path, name: str, content: str | bytes, line: str) -> None:
    assert read(tmp_path / name, content)[2] == [line]


def test_a_file_that_is_no_parquet(tmp_path: Path) -> None:
    (line,) = read(tmp_path / "a.parquet", "hello")[2]
    assert line.startswith("a.parquet: not a Parquet file (")


def test_a_missing_file_names_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "train.csv").touch()
    problems = Problems()
    assert read_table(tmp_path / "trian.csv", "toy/trian.csv", problems) is None
    remedy = "correct the path or put the file there"
    assert problems.lines() == [f'toy/trian.csv: no such file (did you mean "train.csv"?); {remedy}']


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a ", "a "),
        (" \n", None),
        ("", None),
        (None, None),
        (math.nan, None),
        (3, "3"),
        (2.5, "2.5"),
        (True, "true"),
        (False, "false"),
        (0, "0"),
    ],
)
def test_cells_as_text(value: object, text: str | None) -> None:
    assert text_of(value) == text


@pytest.mark.parametrize(
    ("value", "what"),
    [([1], "a list"), ({"a": 1}, "an object"), (b"x", "bytes"), ("\ud83d", "half of a surrogate pair")],
)
def test_cells_that_hold_no_text(value: object, what: str) -> None:
    with pytest.raises(TypeError, match=what):
        text_of(value)


@pytest.mark.parametrize("value", [["a", 1], '["a", 1]', ("a", "1 ")])
def test_cells_as_lists(value: object) -> None:
    assert list_of(value) == ["a", "1"]


@pytest.mark.parametrize("value", ["a", '"a"', None, ["a", ""], ["a", None], 3, "{}"])
def test_cells_that_hold_no_list(value: object) -> None:
    with pytest.raises(TypeError):
        list_of(value)


def test_one_problem_in_many_rows_is_one_line() -> None:
    problems = Problems()
    for row in (3, 5, 8, 9, 12, 40):
        problems.add("a.csv", 'column "x" is empty', "fill it in", row)
    assert problems.lines() == ['a.csv:3: column "x" is empty (also rows 5, 8, 9 and 2 more); fill it in']


def test_two_rows_are_named() -> None:
    problems = Problems()
    for row in (3, 5):
        problems.add("a.csv", "bad", "mend it", row)
    assert problems.lines() == ["a.csv:3: bad (also row 5); mend it"]


def test_a_long_list_is_capped_and_counted() -> None:
    problems = Problems()
    for row in range(25):
        problems.add("a.csv", f"problem {row}", "mend it", row + 1)
    lines = problems.lines()
    assert MAX_LINES == 20
    assert lines[19:] == ["a.csv:20: problem 19; mend it", "(+5 more)"]


@given(st.text())
def test_no_control_character_reaches_the_terminal(text: str) -> None:
    assert plain(text).isprintable()
    assert shown(text).isprintable()


def test_escape_sequences_are_shown_not_obeyed() -> None:
    assert plain("\x1b[31mred\x9b\u202e") == "\\x1b[31mred\\x9b\\u202e"
    assert shown("x" * 100) == '"' + "x" * 59 + '…"'


@pytest.mark.parametrize(
    "table",
    [
        pa.table({"text": ["x" * 100_000] * 100}),
        pa.table({"text": pa.array(["x" * 100_000] * 100).dictionary_encode()}),
        pa.table({"text": ["y" * 9_000_000]}),
        pa.table({"n": pa.nulls(80_000)}),
    ],
    ids=["one text repeated", "a dictionary", "one value", "nulls"],
)
def test_a_small_parquet_file_that_unfolds_is_refused(
    table: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has a few kilobytes, and its rows would take 9 MB or more."""
    monkeypatch.setattr(parquet, "_ALWAYS", 8_000_000)
    pq.write_table(table, tmp_path / "rows.parquet", compression="zstd")
    assert (tmp_path / "rows.parquet").stat().st_size < 20_000
    problems = Problems()
    assert read_parquet(tmp_path / "rows.parquet", "rows.parquet", problems) is None
    (line,) = problems.lines()
    assert "far larger than it looks" in line


def test_texts_that_repeat_are_read(tmp_path: Path) -> None:
    rows = {"text": ["a good day", "a bad day"] * 2_000, "tags": [["x", "y"], []] * 2_000, "n": list(range(4_000))}
    pq.write_table(pa.table(rows), tmp_path / "rows.parquet")
    table = read_parquet(tmp_path / "rows.parquet", "rows.parquet", Problems())
    assert table is not None
    assert {name: [row[name] for row in table.rows] for name in rows} == rows
