"""Charts: right places, no text clipped or on top of another, nothing that could run, colours anyone can tell apart."""

from __future__ import annotations

import itertools
import math
import re
import unicodedata
from collections.abc import Iterator
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench.report.charts import bars, css, dots, heatmap, lines, scatter
from bench.report.charts.chart import About, Chart
from bench.report.charts.labels import Anchor, Box, place, spread
from bench.report.charts.scale import fit, tick_texts
from bench.report.charts.svg import cut, el, num, width, wrap

HOSTILE = (
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\" onload='x' style=\"a",
    "\u202egnp.exe\u2066",
    "a\x00b\x1b[31mc\ufffe\uffff\ud800",
    "&lt;&#x41; ]]> <!-- --> 日本語テキスト",
)
LABELS = st.one_of(st.text(max_size=60), st.sampled_from(HOSTILE), st.sampled_from(["", "W" * 200, "日" * 99, "lora"]))
EDGES = (0.0, -0.0, 1e308, -1e308, 5e-324, 1e-300, 1.0, 1 + 1e-16, -1.0, math.nan, math.inf, -math.inf)
VALUES = st.one_of(st.floats(), st.sampled_from(EDGES), st.floats(0, 1), st.floats(1e-3, 1e6))
MAYBE = st.one_of(st.none(), VALUES)
ABOUT = About("c1", "A title", "What it shows.")
LIGHT = settings(max_examples=40, deadline=None)

TAGS = {"svg", "title", "desc", "text", "path", "rect", "circle"}
NUMBERS = {"x", "y", "width", "height", "cx", "cy", "r", "rx", "font-size"}
ATTRIBUTES = NUMBERS | {"id", "class", "role", "aria-labelledby", "viewBox", "direction", "fill", "d", "text-anchor"}


def estimate(text: str) -> float:
    """Width of text at 12 px: 0.6 em a character, 1 em a wide one, none for one that stands on another."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    none = sum(unicodedata.category(c) in ("Mn", "Me") for c in text)
    return 12 * (0.6 * (len(text) - wide - none) + wide)


def texts(root: ElementTree.Element) -> Iterator[tuple[str, Box, str]]:
    """Each text of a chart as it is shown, the box it takes, and its classes."""
    for element in root.iter("text"):
        shown = element.text or "".join(child.tail or "" for child in element)
        x, y, wide = float(element.attrib["x"]), float(element.attrib["y"]), estimate(shown)
        left = x - {"start": 0, "middle": wide / 2, "end": wide}[element.get("text-anchor", "start")]
        yield shown, Box(left, y - 10, left + wide, y + 3), element.get("class", "")


def checked(chart: Chart) -> ElementTree.Element:
    """A chart's picture, if it is one that can stand in any page: see the assertions."""
    root = ElementTree.fromstring(chart.svg)
    assert {element.tag for element in root.iter()} <= TAGS
    assert root.attrib["role"] == "img"
    name = root.attrib["id"]
    assert name in ("c1", "c1-narrow")
    assert root.attrib["aria-labelledby"] == f"{name}-title {name}-desc"
    assert [root[0].get("id"), root[1].get("id")] == [f"{name}-title", f"{name}-desc"]
    left, top, wide, high = map(float, root.attrib["viewBox"].split())
    assert (left, top, wide) == (0, 0, float(root.attrib["width"]))
    assert abs(high - float(root.attrib["height"])) <= 0.5
    assert float(root.attrib["font-size"]) >= 12
    for element in root.iter():
        assert set(element.attrib) <= ATTRIBUTES
        for name, value in element.attrib.items():
            found = re.findall(r"[^\sMLHVZv]+", value) if name == "d" else [value] if name in NUMBERS else []
            assert all(re.fullmatch(r"-?\d{1,5}(\.\d{1,2})?", one) for one in found), (name, value)
    boxes = list(texts(root))
    for text, box, _ in boxes:
        assert box.inside(Box(-0.02, 0, wide + 0.02, high)), text
    for (one, a, _), (other, b, _) in itertools.combinations(boxes, 2):
        assert not a.touches(b, -0.05), (one, other)
    assert not {c for c in chart.svg if unicodedata.category(c) in ("Cc", "Cf", "Cs")}
    return root


class TestScale:
    def test_linear(self) -> None:
        scale = fit([0.12, 0.87], 100, 500)
        assert scale.ticks == (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
        assert [scale(value) for value in (0, 0.5, 1, 7)] == [100, 300, 500, 500]
        assert tick_texts(scale) == ("0", "0.2", "0.4", "0.6", "0.8", "1.0")

    def test_upwards(self) -> None:
        scale = fit([-10, 10], 200, 0)
        assert [scale(value) for value in (-10, 0, 5)] == [200, 100, 50]
        assert tick_texts(scale) == ("−10", "−5", "0", "5", "10")

    def test_thousands(self) -> None:
        assert tick_texts(fit([0, 4200], 0, 1)) == ("0", "1k", "2k", "3k", "4k", "5k")
        assert tick_texts(fit([0, 2.1e6], 0, 1)) == ("0", "500k", "1M", "1.5M", "2M", "2.5M")
        assert tick_texts(fit([0, 0.00004], 0, 1)) == ("0", "1e−5", "2e−5", "3e−5", "4e−5")

    def test_logarithmic(self) -> None:
        scale = fit([1, 1000], 0, 300, log=True)
        assert [round(scale(value), 9) for value in (1, 10, 100, 1000)] == [0, 100, 200, 300]
        assert tick_texts(scale) == ("1", "2", "5", "10", "20", "50", "100", "200", "500", "1k")
        assert tick_texts(fit([0.03, 0.7], 0, 1, log=True)) == ("0.02", "0.05", "0.1", "0.2", "0.5", "1")
        assert fit([1, 1e6], 0, 1, log=True).ticks == (1, 100, 10_000, 1_000_000)

    def test_logarithmic_only_above_zero(self) -> None:
        assert not fit([0, 1000], 0, 300, log=True).log

    def test_tight(self) -> None:
        scale = fit([30, 3000], 0, 200, log=True, tight=True)
        assert scale.ticks == (50, 100, 200, 500, 1000, 2000)
        assert [round(scale(value), 9) for value in (30, 300, 3000)] == [0, 100, 200]

    @pytest.mark.parametrize(
        ("values", "ticks"),
        [
            ([1, 2], (1, 2)),
            ([1, 4], (1, 2, 3, 4)),
            ([1, 9], (2, 4, 6, 8)),
            ([3], (2, 3, 4)),
            ([1, 100], (20, 40, 60, 80, 100)),
        ],
    )
    def test_whole_numbers(self, values: list[float], ticks: tuple[float, ...]) -> None:
        assert fit(values, 0, 10, tight=True, whole=True).ticks == ticks

    @pytest.mark.parametrize(
        ("values", "ends"), [([], (0, 1)), ([0, 0], (0, 1)), ([5, 5], (4.4, 5.6)), ([None], (0, 1))]
    )
    def test_no_range(self, values: list[float | None], ends: tuple[float, float]) -> None:
        scale = fit(values, 0, 10)
        assert (scale.low, scale.high) == ends

    def test_in_the_middle_if_all_are_equal(self) -> None:
        assert fit([5, 5], 0, 10)(5) == pytest.approx(5)
        assert fit([5, 5], 0, 10, log=True)(5) == pytest.approx(10 * math.log(5 / 2) / math.log(10 / 2))  # from 2 to 10

    @given(st.lists(VALUES, max_size=6), st.booleans(), st.booleans(), st.booleans(), st.booleans())
    @settings(deadline=None)
    @example([1e300, 1e-300], True, False, True, False)
    def test_any_values(self, values: list[float], log: bool, zero: bool, tight: bool, whole: bool) -> None:
        scale = fit(values, 10, 90, log=log, zero=zero, tight=tight, whole=whole)
        assert scale.low < scale.high
        assert all(a < b for a, b in itertools.pairwise(scale.ticks))
        assert 2 <= len(scale.ticks) <= 13
        assert len(set(tick_texts(scale))) == len(scale.ticks)
        known = [value for value in values if math.isfinite(value)]
        assert all(10 <= scale(value) <= 90 for value in [*known, *scale.ticks])


class TestText:
    def test_width(self) -> None:
        assert width("ab") == pytest.approx(14.4)
        assert width("日本") == 24
        assert width("e\u0301") == pytest.approx(7.2)

    def test_cut(self) -> None:
        assert cut("abcdef", 43.2) == "abcdef"
        assert cut("abcdef", 40) == "abcd…"  # 28.8 px, and 10.8 for the ellipsis
        assert cut("abcdef", 5) == ""

    def test_wrap(self) -> None:
        assert wrap("one six three", 51, 3) == ["one six", "three"]  # at most seven characters of 7.2 px
        assert wrap("multilingual_nli", 100, 3) == ["multilingual_", "nli"]
        assert wrap("abcdefgh", 30, 3) == ["abcd", "efgh"]
        assert wrap("aa bb cc", 20, 2) == ["aa", "bb cc"]

    def test_numbers(self) -> None:
        assert [num(value) for value in (1, 1.5, -0.001, 2 / 3, 1e4)] == ["1", "1.5", "0", "0.67", "10000"]
        with pytest.raises(ValueError, match="nan"):
            num(math.nan)

    def test_escaped(self) -> None:
        made = str(el("text", "</text><script>", None, class_="a", text_anchor='"<&', x=None))
        assert made == '<text class="a" text-anchor="&quot;&lt;&amp;">&lt;/text&gt;&lt;script&gt;</text>'


class TestPlaces:
    def test_spread(self) -> None:
        assert spread([10, 50], 16, 0, 100) == [10, 50]
        assert spread([50, 50], 16, 0, 100) == [42, 58]
        assert spread([60, 50, 50], 10, 0, 100) == pytest.approx([53.33 + 10, 53.33 - 10, 53.33], abs=0.01)
        assert spread([0, 0], 16, 0, 100) == [0, 16]
        assert spread([100, 99], 16, 0, 100) == [100, 84]
        assert spread([5, 5, 5], 16, 0, 20) == [0, 10, 20]  # no room for three: evenly closer
        assert spread([], 16, 0, 100) == []

    def test_right_of_the_point_if_there_is_room(self) -> None:
        [box] = place([Anchor(50, 50, 40)], Box(0, 0, 200, 100), [], [])
        assert box == Box(58, 43, 98, 57)

    def test_left_of_a_point_at_the_edge(self) -> None:
        [box] = place([Anchor(195, 50, 40)], Box(0, 0, 200, 100), [], [])
        assert box == Box(147, 43, 187, 57)

    def test_none_without_room(self) -> None:
        assert place([Anchor(5, 5, 40)], Box(0, 0, 30, 30), [], []) == [None]


DOTS = st.builds(dots.DotRow, LABELS, VALUES, VALUES, VALUES, LABELS, st.booleans())


class TestDots:
    @given(st.lists(DOTS, max_size=8), LABELS, MAYBE)
    @LIGHT
    def test_any_rows(self, rows: list[dots.DotRow], axis: str, reference: float | None) -> None:
        drawn = dots.draw(ABOUT, rows, axis, reference=None if reference is None else (reference, axis))
        checked(drawn)
        assert len(drawn.table.rows) == len(rows)

    def test_places(self) -> None:
        # label "ab" 14.4 px + 14, then 6 to the plot; "5 [0, 10]" is 9 characters, 64.8 px, from 720 - 2 - 64.8
        root = checked(dots.draw(ABOUT, [dots.DotRow("ab", 5, 0, 10)], "score"))
        left, right = 34.4, 653.2 - 22
        [circle] = root.iter("circle")
        assert float(circle.attrib["cx"]) == pytest.approx((left + right) / 2, abs=0.01)
        assert [path.attrib["d"] for path in root.iter("path")][1].startswith("M34.4 16H631.2M34.4 12v8M631.2 12v8")

    def test_ties_and_the_best(self) -> None:
        rows = [
            dots.DotRow("x", 3, 2, 4, "a", best=True),
            dots.DotRow("y", 2, 1, 3, "ab"),
            dots.DotRow("z", 1, 0, 2, "b"),
        ]
        found = list(texts(checked(dots.draw(ABOUT, rows, "score"))))
        assert [text for text, _, _ in found if text in ("a", "b")] == ["a", "a", "b", "b"]
        columns = [box.left for text, box, _ in found if text in ("a", "b")]
        assert columns[0] == columns[1] < columns[2] == columns[3]
        assert [text for text, _, style in found if style == "strong"] == ["x", "3 [2, 4]"]

    def test_small(self) -> None:
        rows = [
            dots.DotRow(f"method {i} with LoRA r=16 & retrieval", i / 60, i / 70, i / 50, "ab", i == 3)
            for i in range(60)
        ]
        assert len(dots.draw(ABOUT, rows, "accuracy").svg.encode()) < 40_000


SPOTS = st.builds(scatter.ScatterPoint, LABELS, VALUES, VALUES, st.booleans(), MAYBE)
NEAR_SPOTS = st.builds(
    scatter.ScatterPoint,
    st.text("abcdefghij k=8", min_size=1, max_size=30).filter(str.strip),
    st.floats(1, 1.5) | st.floats(0.1, 100),
    st.floats(0.5, 0.52) | st.floats(0, 1),
    st.booleans(),
    st.none() | st.floats(0, 1),
)


class TestScatter:
    @given(st.lists(SPOTS, max_size=10), LABELS, LABELS)
    @LIGHT
    def test_any_points(self, points: list[scatter.ScatterPoint], x: str, y: str) -> None:
        assert len(scatter.draw(ABOUT, points, x, y).table.rows) == len(points)
        checked(scatter.draw(ABOUT, points, x, y))

    @given(st.lists(NEAR_SPOTS, min_size=1, max_size=15))
    @LIGHT
    @example([scatter.ScatterPoint(f"{i} a label of thirty characters", 1, 1, True, 0.5) for i in range(15)])
    def test_every_label_has_a_place_of_its_own_in_the_plot(self, points: list[scatter.ScatterPoint]) -> None:
        found = [box for _, box, style in texts(checked(scatter.draw(ABOUT, points, "x", "y"))) if style == "halo"]
        assert len(found) == len(points)
        assert all(box.inside(Box(0, 36, 696, 396)) for box in found)

    def test_front(self) -> None:
        # ticks 0.20 to 0.40 in steps of 0.05, whose labels take 28.8 px + 10; x from 1.0 to 2.0
        points = [
            scatter.ScatterPoint("b", 2, 0.4, True),
            scatter.ScatterPoint("c", 1.5, 0.2),
            scatter.ScatterPoint("a", 1, 0.2, True),
        ]
        root = checked(scatter.draw(ABOUT, points, "cost", "score"))
        [front] = [path.attrib["d"] for path in root.iter("path") if path.get("class") == "front"]
        assert front == "M38.8 396L696 396L696 36L696 36"
        assert [text for text, _, style in texts(root) if style == "halo"] == ["a", "b", "c"]

    @pytest.mark.parametrize(("most", "log"), [(31, False), (32, True)])
    def test_logarithmic_from_one_and_a_half_decades(self, most: float, log: bool) -> None:
        points = [scatter.ScatterPoint("a", 1, 1), scatter.ScatterPoint("b", most, 1)]
        assert ("x (log scale)" in scatter.draw(ABOUT, points, "x", "y").svg) == log


POINTS = st.lists(st.builds(lines.At, VALUES, VALUES, MAYBE, MAYBE), max_size=5).map(tuple)
RULES = st.lists(st.tuples(VALUES, LABELS), max_size=4)


class TestLines:
    @given(st.lists(st.builds(lines.Series, LABELS, POINTS), max_size=6), LABELS, RULES, st.booleans(), st.booleans())
    @LIGHT
    def test_any_curves(
        self, series: list[lines.Series], title: str, rules: list[tuple[float, str]], log_x: bool, log_y: bool
    ) -> None:
        drawn = lines.draw(ABOUT, series, title, title, log_x=log_x, log_y=log_y, rules=rules)
        checked(drawn)
        assert len(drawn.table.rows) == sum(len(one.points) for one in series) + len(rules)

    @given(st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=1, max_size=30), st.booleans())
    @LIGHT
    def test_every_curve_has_its_label(self, scores: list[list[float]], path: bool) -> None:
        xs = (1, 3, 2) if path else (1, 2, 3)
        series = [lines.Series(f"method {index}", tuple(map(lines.At, xs, ys))) for index, ys in enumerate(scores)]
        shown = [text for text, _, _ in texts(checked(lines.draw(ABOUT, series, "x", "y")))]
        assert {one.label for one in series} <= set(shown)

    def curve(self, *points: lines.At, **options: bool) -> list[str]:
        root = checked(lines.draw(ABOUT, [lines.Series("abc", points)], "x", "y", **options))  # type: ignore[arg-type]
        return [
            path.attrib["d"] for path in root.iter("path") if (path.get("class") or "").startswith(("line", "band"))
        ]

    def test_places(self) -> None:
        # y from 354 up to 34; ticks 0 to 10 by 2: "10" is 14.4 px + 10; at the right the label, 21.6 px, and 40
        left, right = 24.4, 720 - 61.6
        assert self.curve(lines.At(1, 0), lines.At(10, 5), lines.At(100, 10), log_x=True) == [
            f"M{left} 354L{(left + right) / 2:.1f} 194L{right} 34"
        ]

    def test_band(self) -> None:
        band, _ = self.curve(lines.At(0, 5, 0, 10), lines.At(10, 5, 5, 5))
        assert band == "M24.4 34L658.4 194L658.4 194L24.4 354Z"

    def test_points_are_joined_as_given_and_gaps_kept(self) -> None:
        [path] = self.curve(lines.At(0, 0), lines.At(10, 5), lines.At(5, 10))
        xs = [float(x) for x in re.findall(r"[ML]([\d.]+)", path)]
        assert xs[0] < xs[2] < xs[1]
        [path] = self.curve(*(lines.At(x, y) for x, y in enumerate([0, 1, math.nan, 2, 3])))
        assert [part.count("L") for part in path.split("M")] == [0, 1, 1]


BARS = st.builds(bars.BarRow, LABELS, st.lists(st.tuples(LABELS, VALUES), max_size=4).map(tuple), LABELS)


class TestBars:
    @given(st.lists(BARS, max_size=6), LABELS)
    @LIGHT
    def test_any_bars(self, rows: list[bars.BarRow], axis: str) -> None:
        drawn = bars.draw(ABOUT, rows, axis)
        checked(drawn)
        assert len(drawn.table.rows) == len(rows)

    def test_places(self) -> None:
        # from 14.4 + 14 to 720 - 10 - 14.4 for the total "10": 667.2 px for 10; a px is left between two parts
        root = checked(bars.draw(ABOUT, [bars.BarRow("ab", (("train", 5), ("serve", 5), ("lost", -3)))], "USD"))
        parts = [one for one in root.iter("rect") if float(one.attrib["height"]) == 18]
        assert [(one.attrib["x"], one.attrib["width"], one.attrib["class"]) for one in parts] == [
            ("28.4", "332.6", "part k0"),
            ("362", "332.6", "part k1"),
        ]
        assert [text for text, _, style in texts(root) if "strong" in style] == ["10"]


class TestHeatmap:
    @given(st.data(), st.lists(LABELS, max_size=5), st.lists(LABELS, max_size=16), MAYBE)
    @LIGHT
    def test_any_grid(self, data: st.DataObject, rows: list[str], columns: list[str], limit: float | None) -> None:
        line = st.lists(MAYBE, min_size=len(columns), max_size=len(columns)).map(tuple)
        values = tuple(data.draw(line) for _ in rows)
        checked(heatmap.draw(ABOUT, heatmap.Grid(tuple(rows), tuple(columns), values), "difference", limit=limit))

    def test_levels(self) -> None:
        # nine steps of 2/9 from -1 to 1: the middle one reaches from -1/9 to 1/9
        values = (-1.0, -0.5, -0.12, -0.1, 0.0, 0.1, 0.12, 0.5, 1.0, 7.0)
        levels = ["n4", "n2", "n1", "z", "z", "z", "p1", "p2", "p4", "p4"]
        assert [heatmap.level(value, 1) for value in values] == levels
        assert heatmap.level(0, 0) == "z"

    def test_cells(self) -> None:
        grid = heatmap.Grid(("m",), ("t", "u", "v"), ((-2, None, 1),))
        found = [(text, style) for text, _, style in texts(checked(heatmap.draw(ABOUT, grid, "points")))]
        assert [pair for pair in found if pair[1].startswith("on-")] == [
            ("−2", "on-n4"),
            ("–", "on-none"),
            ("1", "on-p2"),
        ]

    def test_shape(self) -> None:
        with pytest.raises(ValueError, match="1 rows of 2 columns"):
            heatmap.Grid(("m",), ("t", "u"), ((1.0,),))


def every_chart(label: str = "lora") -> list[Chart]:
    at = tuple(lines.At(x, y, y - 1, y + 1) for x, y in ((1, 2), (3, 5), (2, 4)))
    rows = [dots.DotRow(label, 1, 0, 2, label, best=True), dots.DotRow(label, 1, 0, 2)]
    series = [lines.Series(f"{label} {index}", at) for index in range(10)]
    return [
        dots.draw(ABOUT, rows, label, reference=(1, label)),
        scatter.draw(ABOUT, [scatter.ScatterPoint(label, i, i, i > 2, 0.5) for i in range(6)], label, label),
        lines.draw(ABOUT, series, label, label, rules=[(2, label)]),
        bars.draw(ABOUT, [bars.BarRow(label, ((label, 1.0), (f"{label} b", 2.0)), label)], label),
        heatmap.draw(ABOUT, heatmap.Grid((label,) * 9, (label,), tuple((v,) for v in [*range(-4, 4), None])), label),
        dots.draw(ABOUT, [], label),
    ]


@pytest.mark.parametrize("label", HOSTILE)
def test_labels_are_text_and_no_more(label: str) -> None:
    for chart in every_chart(label):
        checked(chart)
        assert "<script" not in chart.svg
        assert "<img" not in chart.svg


def test_cut_labels_have_the_whole_as_a_tooltip() -> None:
    label = "a label that is far longer than there ever could be room for in any chart " * 2
    for chart in every_chart(label)[:-1]:
        tips = [tip.text for text in checked(chart).iter("text") for tip in text.iter("title")]
        assert any((tip or "").startswith(label.strip()) for tip in tips)


def test_same_bytes() -> None:
    assert [chart.svg for chart in every_chart()] == [chart.svg for chart in every_chart()]


@pytest.mark.parametrize("wrong", ["", "1a", "a b", 'a"', "a\n"])
def test_ids_are_plain(wrong: str) -> None:
    with pytest.raises(ValueError, match="cannot be an id"):
        About(wrong, "title")


def themes() -> dict[str, dict[str, str]]:
    """The colours of the style sheet for each block that sets them all."""
    blocks = re.findall(r"([^{}]*\.chart) \{([^{}]*--s0[^{}]*)\}", css())
    return {head.split()[-2] if " " in head.strip() else "light": colours(body) for head, body in blocks}


def colours(body: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", body))


def linear(colour: str) -> list[float]:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]


def contrast(one: str, other: str) -> float:
    """WCAG 2: relative luminances, the lighter above the darker."""
    a, b = (sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear(x), strict=True)) for x in (one, other))
    return (max(a, b) + 0.05) / (min(a, b) + 0.05)


def test_contrast_by_hand() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


class TestColours:
    def test_themes(self) -> None:
        found = themes()
        assert len(found) == 3
        light, by_reader, by_page = found.values()
        assert by_reader == by_page
        assert (light["paper"], by_page["paper"]) == ("#ffffff", "#14181d")

    @pytest.mark.parametrize("theme", range(3))
    def test_contrast(self, theme: int) -> None:
        found = list(themes().values())[theme]
        for index in range(8):
            assert contrast(found[f"s{index}"], found["paper"]) >= 3
        for name in ("ink", "faint"):
            assert contrast(found[name], found["paper"]) >= 4.5
        assert contrast(found["ink"], found["highlight"]) >= 4.5
        assert contrast(found["rule"], found["paper"]) >= 3
        for level in (*heatmap.LEVELS, "none", *(f"k{tint}" for tint in range(6))):
            assert contrast(found[f"on-{level}"], found[level]) >= 4.5

    @pytest.mark.parametrize("theme", range(3))
    def test_series_differ_for_the_colour_blind(self, theme: int) -> None:
        found = list(themes().values())[theme]
        for matrix in BLIND:
            seen = [lab(seen_by(matrix, found[f"s{index}"])) for index in range(8)]
            assert min(math.dist(a, b) for a, b in itertools.combinations(seen, 2)) >= 15

    def test_classes_of_charts_are_in_the_style_sheet(self) -> None:
        known = set(re.findall(r"\.([a-z][\w-]*)", css())) | {"cell"}  # cells have the class of their level beside it
        used = {
            name
            for chart in every_chart()
            for group in re.findall(r'class="([^"]*)"', chart.svg)
            for name in group.split()
        }
        assert used <= known
        assert {f"s{index}" for index in range(8)} <= used

    def test_nothing_is_fetched(self) -> None:
        assert not re.search(r"url\(|@import|https?:", css() + "".join(chart.svg for chart in every_chart()))


BLIND = (  # what is seen without one kind of cone (Machado, Oliveira and Fernandes 2009, severity 1), and with all
    ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
)


def seen_by(matrix: tuple[tuple[float, ...], ...], colour: str) -> list[float]:
    return [sum(w * c for w, c in zip(row, linear(colour), strict=True)) for row in matrix]


def lab(rgb: list[float]) -> tuple[float, float, float]:
    """CIE L*a*b* of linear sRGB."""
    r, g, b = (min(1.0, max(0.0, c)) for c in rgb)
    xyz = (
        (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505,
        0.2126 * r + 0.7152 * g + 0.0722 * b,
        (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089,
    )
    x, y, z = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)
