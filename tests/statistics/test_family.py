"""Holm and groups that are not significantly different: published examples, brute force as second implementation."""

from __future__ import annotations

from itertools import combinations

import pytest

from bench.analysis.statistics.family import TieGroups, different_pairs, holm, tie_groups


def differ(*pairs: str) -> frozenset[frozenset[str]]:
    return frozenset(frozenset(pair) for pair in pairs)


@pytest.mark.parametrize(
    ("p", "adjusted"),
    [
        ([0.50, 0.003, 0.32, 0.054, 0.0003], [0.64, 0.012, 0.64, 0.162, 0.0015]),
        ([0.319, 0.201, 0.4, 0.374, 0.113], [0.957, 0.804, 0.957, 0.957, 0.565]),
        ([0.01, 0.04, 0.20, 0.03, 0.005, 0.07], [0.05, 0.12, 0.20, 0.12, 0.03, 0.14]),
        ([0.01, 0.01, 0.01], [0.03, 0.03, 0.03]),
        ([0.7], [0.7]),
        ([0.0, 1.0], [0.0, 1.0]),
    ],
    ids=["pingouin's documentation", "stdlib's documentation", "by hand", "ties", "one", "limits"],
)
def test_holm(p: list[float], adjusted: list[float]) -> None:
    assert holm(p) == pytest.approx(adjusted)


def rejects(p: list[float], alpha: float) -> set[int]:
    """Holm's own words (1979): take them from the smallest on, compare with alpha / (m - i), stop at the first miss."""
    rejected: set[int] = set()
    for step, place in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        if p[place] > alpha / (len(p) - step):
            break
        rejected.add(place)
    return rejected


@pytest.mark.parametrize("alpha", [0.001, 0.01, 0.05, 0.2, 0.9])
def test_holm_is_the_sequential_test(alpha: float) -> None:
    p = [0.013, 0.0004, 0.3, 0.021, 0.04, 0.0071, 0.9, 0.012]
    assert {place for place, value in enumerate(holm(p)) if value <= alpha} == rejects(p, alpha)


def test_different_pairs_by_hand() -> None:
    """0.01 x 3 and 0.02 x 2 are at most 0.05; 0.06 is not."""
    p = {("a", "b"): 0.06, ("a", "c"): 0.01, ("b", "c"): 0.02}
    assert different_pairs(p) == differ("ac", "bc")
    assert different_pairs(p, alpha=0.035) == differ("ac")


def test_all_alike_are_one_group() -> None:
    assert tie_groups(["x", "y", "z"], differ()) == TieGroups((("x", "y", "z"),), ())


def test_all_different_are_groups_of_one() -> None:
    found = tie_groups(["x", "y", "z"], differ("xy", "xz", "yz"))
    assert found == TieGroups((("x",), ("y",), ("z",)), ())


def test_underlined_means_of_emmeans() -> None:
    """The example of its vignette "Re-engineering CLDs": trt1 ctrl trt3 trt2 trt4, lines under 1-2 and under 2-4."""
    different = frozenset(
        frozenset(pair)
        for pair in [("trt4", "trt2"), ("trt4", "trt3"), ("trt4", "ctrl"), ("trt4", "trt1"), ("trt1", "trt3")]
    ) | {frozenset(("trt1", "trt2"))}
    found = tie_groups(["trt4", "trt2", "trt3", "ctrl", "trt1"], different)
    assert found.groups == (("trt4",), ("trt2", "trt3", "ctrl"), ("ctrl", "trt1"))
    assert found.intransitive == (("trt2", "ctrl", "trt1"), ("trt3", "ctrl", "trt1"))


def test_groups_need_not_be_neighbours() -> None:
    """With tests of unequal sharpness the best and the worst may tie while the middle one differs from the best."""
    found = tie_groups(["x", "y", "z"], differ("xy"))
    assert found.groups == (("x", "z"), ("y", "z"))
    assert found.intransitive == (("x", "z", "y"),)


def brute(ranked: str, different: frozenset[frozenset[str]]) -> set[frozenset[str]]:
    """Every set without a differing pair that no other such set contains."""
    sets = [
        frozenset(chosen)
        for size in range(1, len(ranked) + 1)
        for chosen in combinations(ranked, size)
        if not any(frozenset(pair) in different for pair in combinations(chosen, 2))
    ]
    return {one for one in sets if not any(one < other for other in sets)}


@pytest.mark.parametrize("number", range(0, 1024, 7))
def test_groups_are_those_of_brute_force(number: int) -> None:
    """Of the 1,024 ways in which five methods may differ."""
    pairs = [frozenset(pair) for pair in combinations("vwxyz", 2)]
    different = frozenset(pair for bit, pair in enumerate(pairs) if number >> bit & 1)
    found = tie_groups(list("vwxyz"), different)
    assert {frozenset(group) for group in found.groups} == brute("vwxyz", different)
    assert len(set(found.groups)) == len(found.groups)
    for one, other in combinations("vwxyz", 2):
        share = any({one, other} <= set(group) for group in found.groups)
        assert share == (frozenset((one, other)) not in different)


class TestRefusals:
    @pytest.mark.parametrize("p", [[], [-0.1], [1.1], [float("nan")], [[0.1, 0.2]]])
    def test_p(self, p: list[float]) -> None:
        with pytest.raises(ValueError, match="p h"):
            holm(p)

    @pytest.mark.parametrize("pairs", [{("a", "a"): 0.1}, {("a", "b"): 0.1, ("b", "a"): 0.2}])
    def test_pairs(self, pairs: dict[tuple[str, str], float]) -> None:
        with pytest.raises(ValueError, match="each pair"):
            different_pairs(pairs)

    def test_no_pair_and_no_alpha(self) -> None:
        with pytest.raises(ValueError, match="at least 1"):
            different_pairs({})
        with pytest.raises(ValueError, match="alpha"):
            different_pairs({("a", "b"): 0.1}, alpha=0.0)

    @pytest.mark.parametrize("ranked", [[], ["x", "x"]])
    def test_ranked(self, ranked: list[str]) -> None:
        with pytest.raises(ValueError, match="ranked must name"):
            tie_groups(ranked, frozenset())

    def test_unknown_method(self) -> None:
        with pytest.raises(ValueError, match="not among the ranked methods: q"):
            tie_groups(["x"], differ("xq"))
