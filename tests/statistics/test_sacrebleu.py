"""BLEU and chrF compared between systems as sacrebleu's own PairedTest does: another implementation of the same idea.

Intervals are set against its bootstrap, which gives half of their width. Its bootstrap's p is not: it takes absolute
differences before it centres them, which is another test where two systems are close; its approximate randomization
is a test of the same hypothesis as ours.
"""

from __future__ import annotations

import random
from typing import Any

import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.significance import PairedTest

from bench import metrics
from bench.analysis.statistics.intervals import bootstrap_corpus
from bench.analysis.statistics.paired import paired_corpus

WORDS = (
    "the", "a", "red", "old", "small", "house", "river", "garden", "stands", "flows", "lies", "near", "under", "behind",
    "quiet", "bright", "tall", "road",
)  # fmt: skip
RESAMPLES = 2000


def corpus(items: int = 80) -> list[str]:
    rng = random.Random(7)
    return [" ".join(rng.choices(WORDS, k=rng.randint(8, 20))) for _ in range(items)]


def damaged(sentences: list[str], share: float, seed: int) -> list[str]:
    """Each word replaced by another with a chance of `share`."""
    rng = random.Random(seed)
    return [" ".join(rng.choice(WORDS) if rng.random() < share else word for word in s.split()) for s in sentences]


@pytest.mark.parametrize(("name", "metric"), [("bleu", BLEU()), ("chrf", CHRF())])
@pytest.mark.parametrize("shares", [(0.10, 0.30), (0.20, 0.22)])
def test_intervals_and_p_values_agree(name: str, metric: Any, shares: tuple[float, float]) -> None:
    truth = corpus()
    systems = [damaged(truth, share, seed) for seed, share in enumerate(shares)]
    named = [("one", systems[0]), ("other", systems[1])]
    theirs, randomized = (_theirs(kind, named, name, metric, truth) for kind in ("bs", "ar"))
    first, second = (metrics.statistics(name, system, [(t,) for t in truth]) for system in systems)

    def score(totals: Any) -> float:
        return metrics.from_statistics(name, totals)

    for result, own in zip(theirs, (first, second), strict=True):
        interval = bootstrap_corpus(own, score, draws=RESAMPLES, kind="percentile")
        assert score(own.sum(0)) == pytest.approx(result.score, abs=1e-9)
        assert (interval.high - interval.low) / 2 == pytest.approx(result.ci, rel=0.08)
        assert (interval.high + interval.low) / 2 == pytest.approx(result.mean, abs=0.3)
    ours = paired_corpus(first, second, score, draws=RESAMPLES, kind="percentile")
    assert ours.difference == pytest.approx(theirs[0].score - theirs[1].score, abs=1e-9)
    assert ours.p == pytest.approx(randomized[1].p_value, abs=0.05)


def _theirs(kind: str, named: Any, name: str, metric: Any, truth: list[str]) -> Any:
    """sacrebleu's results for the baseline and the other system."""
    _, found = PairedTest(named, {name: metric}, [truth], test_type=kind, n_samples=RESAMPLES)()
    return found[next(iter(found.keys() - {"System"}))]
