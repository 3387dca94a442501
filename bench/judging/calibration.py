"""Whether a model may judge: how it agrees with people, with itself when the order is swapped, and how it likes length.

Judges prefer what stands first and what is longer (Zheng et al. 2023, arXiv:2306.05685, sections 3.3 and 3.4). A pair
is therefore judged in both orders, and judged a tie where the two do not agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bench.analysis.statistics import two_questions
from bench.analysis.statistics.agreement import jackknifed, kappa
from bench.analysis.statistics.intervals import Interval, wilson
from bench.core.errors import UsageError
from bench.judging.questions import FIRST, SECOND, Comparison
from bench.store.judged import Bounds, Calibration
from tasks.loader.judgements import BETTER, FEWEST, Judgement
from tasks.loader.spec import Judging

Array = NDArray[np.float64]
Answered: TypeAlias = Mapping[str, str]  # id of a comparison in one order -> the choice, where there is one
_TIE = BETTER.index("tie")
_HALF = 0.5


def preferred(comparison: Comparison, answered: Answered) -> tuple[int, ...] | None:
    """The place of the preferred of two answers as said in each order, `_TIE` for none; None where one is unread."""
    votes = [answered.get(order.id) for order in comparison.orders]
    if None in votes:
        return None
    there, swapped = ({FIRST: 0, SECOND: 1}.get(vote or "", _TIE) for vote in votes)
    return there, swapped if swapped == _TIE else 1 - swapped


def joined(votes: Sequence[int]) -> int:
    """The preference of both orders: that of either where they agree, else a tie."""
    return votes[0] if len(set(votes)) == 1 else _TIE


def calibrate(
    judging: Judging, judgements: Sequence[Judgement], comparisons: Sequence[Comparison], answered: Answered
) -> Calibration:
    """How a judge stands to `judgements`, and why it is refused if it is.

    Raises:
        UsageError: it read too few of the labels, or the labels cannot tell judges apart.
    """
    read = sum(all(order.id in answered for order in comparison.orders) for comparison in comparisons)
    if read < FEWEST:
        raise UsageError(f"the judge gave a judgement on {read} of {len(judgements)} labels; it has to on {FEWEST}")
    of = _of_pairs if judging.form == "pairs" else _of_grades
    try:
        return of(judging, judgements, comparisons, answered)
    except ValueError as error:
        raise UsageError(f"{judging.labels}: nothing is known of the judge from these labels: {error}") from None


def _of_pairs(
    judging: Judging, judgements: Sequence[Judgement], comparisons: Sequence[Comparison], answered: Answered
) -> Calibration:
    votes = [preferred(comparison, answered) for comparison in comparisons]
    read = [(each, vote) for each, vote in zip(judgements, votes, strict=True) if vote is not None]
    people = [BETTER.index(each.label) for each, _ in read]
    judge = [joined(vote) for _, vote in read]
    agreement = kappa(people, judge, len(BETTER), groups=_groups([each for each, _ in read]))
    same = sum(len(set(vote)) == 1 for _, vote in read)
    order = _bounds(same / len(read), wilson(same, len(read)))
    firsts = [vote == place for _, both in read for place, vote in enumerate(both) if vote != _TIE]
    longer = [_longer(each) for each, _ in read]
    length = _pair_length_bias(longer, people, judge)
    found = Calibration(
        labels=len(judgements),
        kappa=_bounds(agreement.kappa, agreement.interval),
        agrees=agreement.share,
        same_order=order,
        first=sum(firsts) / len(firsts) if firsts else None,
        length_bias=length,
        unread=len(judgements) - len(read),
    )
    return _with_verdict(judging, found)


def _of_grades(
    judging: Judging, judgements: Sequence[Judgement], comparisons: Sequence[Comparison], answered: Answered
) -> Calibration:
    scale = list(judging.grades.values())
    given = [answered.get(comparison.id) for comparison in comparisons]
    read = [(each, grade) for each, grade in zip(judgements, given, strict=True) if grade is not None]
    people, judge = [scale.index(each.label) for each, _ in read], [scale.index(grade) for _, grade in read]
    agreement = kappa(people, judge, len(scale), weights="quadratic", groups=_groups([each for each, _ in read]))
    lengths = np.array([len(each.answers[0]) for each, _ in read])
    above = (np.array(judge) - np.array(people)) / (len(scale) - 1)
    found = Calibration(
        labels=len(judgements),
        kappa=_bounds(agreement.kappa, agreement.interval),
        agrees=agreement.share,
        same_order=None,
        first=None,
        length_bias=_grade_length_bias(lengths > np.median(lengths), above),
        unread=len(judgements) - len(read),
    )
    return _with_verdict(judging, found)


def _groups(judgements: Sequence[Judgement]) -> list[str] | None:
    """Judgements of one question belong together; None where each has its own."""
    questions = [each.question for each in judgements]
    return questions if len(set(questions)) < len(questions) else None


def _longer(judgement: Judgement) -> int:
    """The place of the longer of two answers; `_TIE` where they are as long."""
    first, second = map(len, judgement.answers)
    return _TIE if first == second else int(second > first)


def _pair_length_bias(longer: Sequence[int], people: Sequence[int], judge: Sequence[int]) -> Bounds | None:
    """How much more often than people the judge prefers the longer of two answers; a tie counts half."""
    rows = [row for row in zip(longer, people, judge, strict=True) if row[0] != _TIE]
    if len(rows) < 2:
        return None
    by_people, by_judge = (
        np.array([[_HALF if row[who] == _TIE else float(row[who] == row[0]) for row in rows]]) for who in (1, 2)
    )
    found = two_questions.difference(by_judge, by_people, 1.0)
    return _bounds(found.difference, found.interval)


def _grade_length_bias(longer: NDArray[np.bool_], above: Array) -> Bounds | None:
    """How much further above people the judge grades the longer half of the answers, in shares of the scale."""
    if longer.all() or not longer.any():
        return None
    rows = np.stack([longer, above * longer, ~longer, above * ~longer], axis=1).astype(np.float64)
    # each half as if it had one more grade that agrees, so that none is ever empty
    return _bounds(
        float(above[longer].mean() - above[~longer].mean()),
        jackknifed(rows, lambda sums: sums[:, 1] / (sums[:, 0] + 1) - sums[:, 3] / (sums[:, 2] + 1)),
    )


def _with_verdict(judging: Judging, found: Calibration) -> Calibration:
    return replace(found, refused=tuple(_reasons(judging, found)))


def _reasons(judging: Judging, found: Calibration) -> list[str]:
    """Why a judge does not count; the whole interval of kappa has to lie above the bound."""
    reasons = []
    if found.kappa.low < judging.least_kappa:
        reasons.append(
            f"it agrees too little with people: kappa {_said(found.kappa)}, and all of its interval must lie above "
            f"{judging.least_kappa:g}"
        )
    if found.same_order is not None and found.same_order.value < judging.least_same_order:
        first = f"; {found.first:.0%} of its preferences are for the answer that stands first" if found.first else ""
        reasons.append(
            f"it contradicts itself when the order is swapped: the same in {found.same_order.value:.0%} of the pairs, "
            f"and at least {judging.least_same_order:.0%} must be{first}"
        )
    if found.length_bias is not None and found.length_bias.low > judging.most_length_bias:
        reasons.append(
            f"it favours the longer answer: {_said(found.length_bias, '+')} more than people do, and the interval must "
            f"reach down to {judging.most_length_bias:g}"
        )
    return reasons


def _said(bounds: Bounds, sign: str = "") -> str:
    return f"{bounds.value:{sign}.2f} [{bounds.low:{sign}.2f}, {bounds.high:{sign}.2f}]"


def _bounds(value: float, interval: Interval) -> Bounds:
    return Bounds(value, interval.low, interval.high)
