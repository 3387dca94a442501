"""Where a score changed from one run to the next, and not by chance.

Neighbouring runs of a track are compared item by item: McNemar's exact test for right and wrong with one seed each,
else the variance components of items and seeds (`bench.analysis.statistics.seeds`), a corpus metric spread over
its items.
Why this, and no search for change points such as PELT or e-divisive: those know a series by its scatter alone and need
about ten runs to see anything, while the runs here share their items, so that two runs are enough, a small change
shows, and the place of a change needs no search. What many small changes add up to, none of which is a step, one more
test sees: of the track's last run against its first.

All tests of a task with a model are one family (Holm), so that the chance of any false alarm in it is at most `ALPHA`.
Pairs with the same score on every item can show nothing and do not count (Tarone 1990, A modified Bonferroni method
for discrete data, Biometrics 46, 515-522): most runs of an unchanged project are such pairs, and would hide its step.
In simulations of chance alone (three methods, eight runs, 30 and 200 items) 1 to 4% of the histories had an alarm; a
drop of 10 points on 200 items at one of eight runs was found there in 73%, one of 15 points in 96%.

A method that was trained with one seed is judged for that seed's training alone: training again may give other answers
to more items than chance allows for, and does so at any two runs where it is not reproducible.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np

from bench.analysis.comparison import ALPHA, Answers, by_unit
from bench.analysis.history.settings import differing
from bench.analysis.history.tracks import Panel, Track, TrackPoint
from bench.analysis.statistics.family import holm
from bench.analysis.statistics.intervals import Interval
from bench.analysis.statistics.paired import PairedResult, paired_shares
from bench.analysis.statistics.seeds import crossed_means
from bench.metrics import NAMES


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """Two runs of a track against each other."""

    method: str
    part: int  # of the method's tracks
    kind: Literal["step", "drift"]  # neighbours, or the first and the last run
    before: int  # numbers of the runs
    after: int
    difference: float  # after less before, in the unit of the metric
    interval: Interval
    p: float
    p_adjusted: float  # Holm, over all that differ at all of the task and model
    better: bool  # whether the later score is
    how: str
    one_seed: bool  # trained with a single seed
    others: tuple[str, ...] = ()  # what else differs between the two runs

    @property
    def found(self) -> bool:
        """Whether it is more than chance."""
        return self.p_adjusted <= ALPHA


def changes(panel: Panel) -> list[ChangePoint]:
    """Every test of a panel's tracks in which any item's score changed, steps before the drift of each track."""
    found = [change for track in panel.tracks for change in _of(track, panel.metric)]
    if not found:
        return []
    adjusted = holm([one.p for one in found])
    return [replace(one, p_adjusted=float(p)) for one, p in zip(found, adjusted, strict=True)]


def shown(found: Sequence[ChangePoint]) -> list[ChangePoint]:
    """What is more than chance: the steps, and a drift where the track has no step."""
    steps = [one for one in found if one.found and one.kind == "step"]
    stepped = {(one.method, one.part) for one in steps}
    drifts = [one for one in found if one.found and one.kind == "drift" and (one.method, one.part) not in stepped]
    return steps + drifts


def _of(track: Track, metric: str) -> Iterator[ChangePoint]:
    known = [point for point in track.points if point.answers is not None]
    for before, after in pairwise(known):
        yield from _change(track, metric, "step", before, after)
    if len(known) > 2:
        yield from _change(track, metric, "drift", known[0], known[-1])


def _change(
    track: Track, metric: str, kind: Literal["step", "drift"], before: TrackPoint, after: TrackPoint
) -> Iterator[ChangePoint]:
    a, b = after.answers, before.answers
    assert a is not None
    assert b is not None
    if _same(a, b):
        return
    result = _compared(a, b)
    if result is None:
        return
    difference = a.score - b.score
    yield ChangePoint(
        method=track.method,
        part=track.part,
        kind=kind,
        before=before.number,
        after=after.number,
        difference=difference,
        interval=result.interval,
        p=result.p,
        p_adjusted=result.p,
        better=(difference > 0) == NAMES[metric].higher_is_better,
        how=result.method,
        one_seed=a.seeded and min(len(a.seeds), len(b.seeds)) == 1,
        others=differing(before.record, after.record),
    )


def _same(a: Answers, b: Answers) -> bool:
    """Whether both scored the same on every item, with every seed."""
    if a.values is not None and b.values is not None:
        return np.array_equal(a.values, b.values)
    return len(a.counts) == len(b.counts) and all(map(np.array_equal, a.counts, b.counts))


def _compared(a: Answers, b: Answers) -> PairedResult | None:
    """a less b; None where fewer than two items, or groups of them, leave no doubt to work out."""
    single = len(a.seeds) == len(b.seeds) == 1 and not any(a.groups)
    if single and a.values is not None and b.values is not None and np.isin([a.values, b.values], (0.0, 1.0)).all():
        return paired_shares(a.values[0], b.values[0])
    if len(a.ids) < 2:
        return None
    first, second = by_unit([a, b])
    return crossed_means(first, second) if first.shape[1] > 1 else None
