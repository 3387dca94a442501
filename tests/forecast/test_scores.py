"""Learning curves and what is told of them: expected values are computed by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.core.record import Record, Score
from bench.forecast import scores
from bench.forecast.curves import Curve, Point, by_last_value, by_power_law, by_rectified_law, curves, fit
from bench.forecast.scores import WAYS, forecast, record, refusal, seed_variance

EVEN = scores.Record(dict.fromkeys(WAYS, 1.0), dict.fromkeys(WAYS, 1))


def curve(points: dict[int, Sequence[float]], metric: str = "accuracy", method: str = "lora") -> Curve:
    return Curve("m", "mail", method, metric, tuple(Point(size, tuple(of)) for size, of in sorted(points.items())))


def test_a_power_law_is_found_again() -> None:
    law = fit([1, 4, 16], [0.9, 0.5, 0.3])  # 0.1 + 0.8 / sqrt(size)
    assert (law.offset, law.gain, law.exponent) == pytest.approx((0.1, 0.2, 0.5), abs=1e-6)
    assert law.loss(64) == pytest.approx(0.2)
    accuracy = curve({1: [0.1], 4: [0.5], 16: [0.7]})
    assert by_power_law(accuracy, 64) == pytest.approx(0.8)
    bits = curve({1: [0.9], 4: [0.5], 16: [0.3]}, metric="bits_per_byte")  # of which less is better
    assert by_power_law(bits, 64) == pytest.approx(0.2)


@given(st.floats(0.0, 0.5), st.floats(0.05, 0.5), st.sampled_from([0.1, 0.25, 0.5, 1.0]))
def test_any_power_law_within_the_grid_is_found_again(offset: float, gain: float, exponent: float) -> None:
    sizes = [8, 16, 32, 64]
    law = fit(sizes, [offset + gain * (size / 64) ** -exponent for size in sizes])
    assert law.loss(256) == pytest.approx(offset + gain * 4**-exponent, abs=5e-3)


def test_a_power_law_neither_falls_below_nothing_nor_gets_worse() -> None:
    law = fit([1, 2, 4], [0.1, 0.2, 0.4])  # worse with more items
    assert law.loss(64) <= 0.4
    assert fit([1, 2, 4], [0.4, 0.1, 0.0]).loss(10**6) >= 0


def test_odds_that_double_with_the_items_go_on_doubling() -> None:
    odds_doubling = curve({10: [1 / 3], 20: [1 / 2], 40: [2 / 3]})  # odds 1/2, 1, 2
    assert by_rectified_law(odds_doubling, 160) == pytest.approx(8 / 9)
    in_hundredths = curve({10: [100 / 3], 20: [50.0], 40: [200 / 3]}, metric="bleu")
    assert by_rectified_law(in_hundredths, 160) == pytest.approx(800 / 9)
    earlier = curve({5: [0.9], 10: [1 / 3], 20: [1 / 2], 40: [2 / 3]})  # another phase, before the last three
    assert by_rectified_law(earlier, 160) == pytest.approx(8 / 9)


def test_the_rectified_law_is_level_where_a_curve_falls() -> None:
    assert by_rectified_law(curve({10: [0.5], 20: [0.4], 40: [0.3]}), 160) <= 0.5
    with pytest.raises(ValueError, match="bounded"):
        by_rectified_law(curve({10: [2.0], 20: [1.5]}, metric="bits_per_byte"), 40)


def cell(method: str, size: int | None, seed: int, value: float, status: str = "ok") -> Record:
    label = f"{method}, {size} items"
    found = {"accuracy": Score(value)} if status == "ok" else {}
    return Record(
        f"{method}{size}{seed}", "m", "mail", label, seed, "ok" if status == "ok" else "failed", "2026-01-01T00:00:00Z",
        suite_method=method, train_size=size, scores=found,
    )  # fmt: skip


@given(st.permutations(range(6)))
def test_curves_do_not_depend_on_the_order_of_records(order: list[int]) -> None:
    cells = [cell("lora", size, seed, (size + seed) / 100) for size in (10, 20, 40) for seed in (0, 1)]
    cells += [cell("lora", 80, 0, 0.0, status="failed")]
    (found,) = curves((cells[place], cells[place].train_size) for place in (*order, 6))
    assert [point.size for point in found.points] == [10, 20, 40]
    assert [sorted(point.scores) for point in found.points] == [[0.1, 0.11], [0.2, 0.21], [0.4, 0.41]]


def test_ways_weigh_as_the_inverse_of_their_squared_errors() -> None:
    known = scores.Record({"last value": 0.08, "power law": 0.02, "rectified law": 0.04}, dict.fromkeys(WAYS, 2))
    assert known.weights(("last value", "power law")) == pytest.approx({"last value": 0.2, "power law": 0.8})
    twice = known.joined(known)
    assert twice.squares["last value"] == pytest.approx(0.16)
    assert twice.cases["last value"] == 4


def test_the_record_is_of_the_largest_size_held_out() -> None:
    known = record([curve({1: [0.1], 4: [0.5], 16: [0.7], 64: [0.8]}), curve({1: [0.1], 4: [0.5], 16: [0.7]})])
    assert known.cases["power law"] == 1  # the other has no size to spare
    assert known.squares["last value"] == pytest.approx((0.7 - 0.8) ** 2)
    assert known.squares["power law"] == pytest.approx(0.0, abs=1e-6)


def test_the_variance_of_seeds_is_pooled_within_sizes() -> None:
    several = curve({10: [0.1, 0.3], 20: [0.5, 0.5], 40: [0.9]})
    assert seed_variance([several]) == pytest.approx((2 * 0.1**2 + 0) / 2)  # two degrees of freedom
    assert seed_variance([curve({10: [0.1], 20: [0.2]})]) is None


def test_a_level_curve_is_carried_forward_within_its_noise() -> None:
    found = forecast(curve({10: [0.5, 0.5], 20: [0.5, 0.5], 40: [0.5, 0.5]}), 160, 0.0004, EVEN, seeds=2)
    assert found.value == pytest.approx(0.5)
    sd = math.sqrt(0.0004 * (1 / 2 + 1 / 2) + 0.03**2)
    assert (found.low, found.high) == pytest.approx((0.5 - 1.2816 * sd, 0.5 + 1.2816 * sd), abs=1e-4)


@given(st.floats(0.0, 0.05), st.floats(0.001, 0.05), st.integers(1, 5))
def test_intervals_widen_with_noise_and_narrow_with_seeds(variance: float, more: float, seeds: int) -> None:
    rising = curve({10: [0.3], 20: [0.4], 40: [0.5]})
    narrow, wide = (forecast(rising, 160, each, EVEN, seeds) for each in (variance, variance + more))
    assert wide.sd > narrow.sd
    assert wide.high - wide.low >= narrow.high - narrow.low
    assert wide.value == narrow.value
    assert forecast(rising, 160, variance + more, EVEN, seeds + 1).sd < wide.sd


def test_an_interval_keeps_within_the_scale_and_widens_where_the_ways_lie_apart() -> None:
    steep = forecast(curve({10: [0.5], 20: [0.75], 40: [0.9]}), 160, 0.01, EVEN)
    assert 0 <= steep.low < steep.high <= 1
    assert steep.sd > forecast(curve({10: [0.9], 20: [0.9], 40: [0.9]}), 160, 0.01, EVEN).sd
    assert steep.low < by_last_value(curve({40: [0.9]})) + 0.1


@pytest.mark.parametrize(
    ("points", "size", "variance", "why"),
    [
        ({10: [0.1], 20: [0.2]}, 40, 0.001, "too few sizes: 2 training sizes measured (10, 20); a curve needs 3"),
        ({10: [0.1]}, 40, 0.001, "too few sizes: 1 training size measured"),
        (
            {10: [0.1], 20: [0.2], 40: [0.3]},
            170,
            0.001,
            "too far: 170 items are 4.25 times the largest pilot",
        ),
        ({10: [0.1], 20: [0.2], 40: [0.3]}, 1000, 0.001, "too far: 1,000 items are 25 times"),
        ({10: [0.1], 20: [0.2], 40: [0.3]}, 160, None, "no seeds to tell noise by"),
        ({10: [0.3], 20: [0.6], 40: [0.4]}, 160, 0.001, "not monotone: it gets worse from 20 to 40 items"),
    ],
)
def test_what_cannot_be_told_is_refused_by_name(
    points: dict[int, Sequence[float]], size: int, variance: float | None, why: str
) -> None:
    assert why in (refusal(curve(points), size, variance) or "")


def test_a_fall_within_noise_is_no_reason_to_refuse() -> None:
    assert refusal(curve({10: [0.3], 20: [0.42], 40: [0.4]}), 160, 0.001) is None
    falling = curve({10: [2.0], 20: [1.0], 40: [1.5]}, metric="bits_per_byte")  # of which less is better
    assert "from 20 to 40" in (refusal(falling, 160, 0.001) or "")
