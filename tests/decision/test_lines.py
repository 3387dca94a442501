"""Lines and where they cross, by hand and against a look at many points."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis.decision.lines import BreakEven, Line, below, highest, lowest, rounded

numbers = st.integers(0, 20).map(float)
some_lines = st.dictionaries(st.sampled_from("abcde"), st.builds(Line, numbers, numbers), min_size=1, max_size=5)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (Line(10, 1), Line(100, 1), BreakEven("always")),
        (Line(10, 1), Line(10, 1), BreakEven("equal")),
        (Line(100, 2), Line(10, 1), BreakEven("never")),
        (Line(100, 1), Line(10, 4), BreakEven("from", 30.0)),  # 90 more at first, 3 less each
        (Line(10, 4), Line(100, 1), BreakEven("up to", 30.0)),
        (Line(10, 1), Line(10, 2), BreakEven("always")),
        (Line(10, 1), Line(9, 1), BreakEven("never")),
    ],
)
def test_break_even_by_hand(a: Line, b: Line, expected: BreakEven) -> None:
    assert below(a, b) == expected


def test_the_cheapest_by_hand() -> None:
    lines = {"prompt": Line(0, 3), "lora": Line(60, 1), "full": Line(100, 0.5), "worse": Line(90, 2)}
    assert lowest(lines) == [(0.0, "prompt"), (30.0, "lora"), (80.0, "full")]


@given(some_lines, st.floats(0, 60))
def test_the_lowest_is_lowest_everywhere(lines: dict[str, Line], x: float) -> None:
    found = lowest(lines)
    starts = [start for start, _ in found]
    assert starts[0] == 0.0
    assert starts == sorted(starts)
    name = [label for start, label in found if start <= x][-1]
    assert lines[name].at(x) == pytest.approx(min(line.at(x) for line in lines.values()))


@given(some_lines, st.floats(0, 60))
def test_the_highest_is_highest_everywhere(lines: dict[str, Line], x: float) -> None:
    name = [label for start, label in highest(lines) if start <= x][-1]
    assert lines[name].at(x) == pytest.approx(max(line.at(x) for line in lines.values()))


@given(st.builds(Line, numbers, numbers), st.builds(Line, numbers, numbers), st.floats(0, 60))
def test_break_even_is_where_one_line_is_below(a: Line, b: Line, x: float) -> None:
    found = below(a, b)
    less = a.at(x) < b.at(x) - 1e-9
    at = found.x if found.x is not None else -1.0
    expected = {"always": None, "equal": False, "never": False, "from": x > at, "up to": x < at}[found.kind]
    if expected is None:
        assert a.at(x) <= b.at(x) + 1e-9
    elif abs(x - at) > 1e-6:
        assert less == expected


def test_rounding_keeps_two_digits() -> None:
    assert [rounded(x) for x in (0, 41234.0, 0.001234, 9.96, 1.0)] == [0, 41000, 0.0012, 10.0, 1.0]
