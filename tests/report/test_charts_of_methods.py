"""What charts hold to on phones, and what a method looks like in all of them."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from bench.report.charts import bars, dots, heatmap, lines, scatter
from tests.report.test_charts import ABOUT, BARS, DOTS, LABELS, LIGHT, MAYBE, POINTS, RULES, SPOTS, checked, texts

PHONE = ABOUT.as_narrow()


class TestNarrow:
    """The variant for phones holds to the same rules, and shows the values that the wide one shows."""

    @given(st.lists(DOTS, max_size=8), LABELS, MAYBE)
    @LIGHT
    def test_any_rows(self, rows: list[dots.DotRow], axis: str, reference: float | None) -> None:
        checked(dots.draw(PHONE, rows, axis, reference=None if reference is None else (reference, axis)))

    @given(st.lists(SPOTS, max_size=6), LABELS, LABELS)
    @LIGHT
    def test_any_points(self, points: list[scatter.ScatterPoint], x: str, y: str) -> None:
        checked(scatter.draw(PHONE, points, x, y))

    @given(st.lists(st.builds(lines.Series, LABELS, POINTS), max_size=6), LABELS, RULES, st.booleans())
    @LIGHT
    def test_any_curves(
        self, series: list[lines.Series], title: str, rules: list[tuple[float, str]], log: bool
    ) -> None:
        checked(lines.draw(PHONE, series, title, title, log_x=log, rules=rules))

    @given(st.lists(BARS, max_size=6), LABELS)
    @LIGHT
    def test_any_bars(self, rows: list[bars.BarRow], axis: str) -> None:
        checked(bars.draw(PHONE, rows, axis))

    @given(st.data(), st.lists(LABELS, max_size=5), st.lists(LABELS, max_size=8))
    @LIGHT
    def test_any_grid(self, data: st.DataObject, rows: list[str], columns: list[str]) -> None:
        line = st.lists(MAYBE, min_size=len(columns), max_size=len(columns)).map(tuple)
        values = tuple(data.draw(line) for _ in rows)
        checked(heatmap.draw(PHONE, heatmap.Grid(tuple(rows), tuple(columns), values), "difference"))

    def test_values_stand_under_their_labels(self) -> None:
        row = dots.DotRow("few-shot", 0.5, 0.25, 0.75)
        found = {text: box for text, box, _ in texts(checked(dots.draw(PHONE, [row], "accuracy")))}
        label, value = found["few-shot"], found["0.5 [0.25, 0.75]"]
        assert (label.left, label.bottom <= value.top + 2) == (value.left, True)
        point = scatter.ScatterPoint("few-shot", 3, 0.5)
        shown = [text for text, _, _ in texts(checked(scatter.draw(PHONE, [point], "USD a month, all", "accuracy")))]
        assert shown[shown.index("few-shot") + 1] == "accuracy 0.5; 3 USD a month"


def test_a_method_has_one_mark_and_colour_in_every_chart() -> None:
    """The sixth series, wherever it stands and whatever else is drawn."""
    at = (lines.At(1, 2), lines.At(2, 3))
    charts = [
        dots.draw(ABOUT, [dots.DotRow("lora", 1, 0, 2, index=5, best=True)], "x"),
        scatter.draw(ABOUT, [scatter.ScatterPoint("lora", 1, 1, True, index=5)], "x", "y"),
        lines.draw(ABOUT, [lines.Series("lora", at, 5)], "x", "y"),
        bars.draw(ABOUT, [bars.BarRow("lora", (("queries", 1.0),), index=5)], "x"),
    ]
    corners = set()
    for drawn in charts:
        coloured = [one for one in checked(drawn).iter("path") if " s" in f" {one.get('class')}"]
        assert {one.attrib["class"].split()[-1] for one in coloured} == {"s5"}
        corners.add(coloured[-1].attrib["d"].count("L"))
    assert len(corners) == 1


def test_a_border_is_drawn_only_where_it_is_asked_for() -> None:
    points = [scatter.ScatterPoint("a", 1, 1, True), scatter.ScatterPoint("b", 2, 2, True)]
    assert 'class="front"' in scatter.draw(ABOUT, points, "x", "y").svg
    assert 'class="front"' not in scatter.draw(ABOUT, points, "x", "y", border=False).svg
