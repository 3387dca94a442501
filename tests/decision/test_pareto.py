"""The front of methods that nothing beats, by hand; and its chances."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bench.analysis.decision.pareto import chances, quality_draws


def front(points: np.ndarray) -> np.ndarray:
    """Which rows [methods, aims] are on the front: those with a chance of 1 in a single draw of the first aim."""
    found = chances(points[None, :, 0], points[:, 1:])
    assert set(found.tolist()) <= {0.0, 1.0}
    on: np.ndarray = found == 1.0
    return on


def test_the_front_by_hand() -> None:
    points = np.array([[0.9, -10.0], [0.8, -5.0], [0.8, -6.0], [0.7, -1.0], [0.7, -1.0]])
    assert front(points).tolist() == [True, True, False, True, True]  # the third costs more for as much


@given(arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 3)), elements=st.integers(0, 4).map(float)))
def test_who_is_off_the_front_is_beaten_by_one_who_is_on_it(points: np.ndarray) -> None:
    on = front(points)
    assert on.any()
    for point, kept in zip(points, on, strict=True):
        beaten = any((other >= point).all() and (other > point).any() for other in points[on])
        assert beaten == (not kept)


def test_chances_count_the_draws() -> None:
    draws = np.array([[0.9, 0.8], [0.7, 0.8], [0.9, 0.8], [0.6, 0.8]])
    assert chances(draws, np.array([[-2.0], [-1.0]])).tolist() == [0.5, 1.0]  # the dear one only where it is better


def test_draws_keep_what_belongs_to_an_item_together() -> None:
    rng = np.random.default_rng(1)
    one = rng.integers(0, 2, (1, 200)).astype(float)
    found = quality_draws([one, one, 1 - one], draws=500, seed=3)
    assert (found[:, 0] == found[:, 1]).all()
    assert found[:, 0] + found[:, 2] == pytest.approx(1.0)
    assert found[:, 0].std() == pytest.approx(one.std() / np.sqrt(200), rel=0.1)
    seeds = np.array([[0.0] * 50, [1.0] * 50])
    assert set(quality_draws([seeds], draws=800, seed=3)[:, 0].round(6)) == {0.5}  # the checkpoints are as they are


def test_what_is_unknown_beats_nothing_and_is_not_beaten() -> None:
    draws = np.array([[0.9, 0.8, 0.7]])
    assert chances(draws, np.array([[np.nan], [0.0], [0.0]])).tolist() == [1.0, 1.0, 0.0]  # the third by the second
    assert chances(draws, np.array([[0.0], [np.nan], [0.0]])).tolist() == [1.0, 1.0, 0.0]  # by the first alone
