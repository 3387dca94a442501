"""Which part of a generated text is the answer."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.core.item import Example
from bench.core.prompt import Prompt
from bench.core.record import Prediction
from bench.core.task import Extract, Task
from bench.metrics.extract import extract
from bench.metrics.scoring import score

FIRST, NUMBER, JSON = Extract("first_line"), Extract("last_number"), Extract("json")
CASES = [
    (FIRST, "\n  Paris \nIt is in France.", "Paris"),
    (FIRST, " \n", ""),
    (NUMBER, "2 and 2 make 4.", "4"),
    (NUMBER, "It costs 1,184.50 euros", "1184.50"),
    (NUMBER, "from 3 down to -7", "-7"),
    (NUMBER, "in 1999-2005", "2005"),
    (NUMBER, "The answer is 12.", "12"),
    (NUMBER, "none", ""),
    (JSON, 'Sure: {"a": [1, 2]} and {"b": 3}', '{"a": [1, 2]}'),
    (JSON, "a {word} then [1]", "[1]"),
    (JSON, "{" * 50, ""),
    (Extract("regex", r"[Aa]nswer is (\w+)"), "The answer is two days", "two"),
    (Extract("regex", r"\d+ days"), "in 2 days or 3 days", "2 days"),
    (Extract("regex", r"(x)?y"), "y", ""),
    (Extract("regex", "z"), "y", ""),
]


@pytest.mark.parametrize(("rule", "text", "answer"), CASES)
def test_by_hand(rule: Extract, text: str, answer: str) -> None:
    assert extract(rule, text) == answer


@given(st.sampled_from([FIRST, NUMBER, JSON, Extract("regex", r"\w+")]), st.text())
def test_what_is_extracted_stands_in_the_text(rule: Extract, text: str) -> None:
    found = extract(rule, text)
    assert found in text.replace(",", "") if rule is NUMBER else found in text
    assert extract(rule, found) == found


def test_the_extracted_part_is_scored() -> None:
    task = Task("t", "text", Prompt("", "{q}:"), (), (), (Example("test/1", {"q": "2 + 2"}, references=("4",)),),
                metrics=("exact_match",))  # fmt: skip
    said = [Prediction("test/1", "2 + 2 is 4")]
    assert score(task, said).scores["exact_match"].value == 0
    assert score(replace(task, extract=NUMBER), said).scores["exact_match"].value == 1
