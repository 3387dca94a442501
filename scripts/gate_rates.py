"""How often the gate is wrong: unchanged candidates that fail, true drops that are missed. docs/gate.md quotes it.

    python -m scripts.gate_rates [RUN ...]

Of each RUN (folder or archive with several seeds of a method) all splits of its seeds into baseline and candidate are
gated by the bundled policy. Then runs are simulated: methods with and without training, with and without spread between
seeds. Prints shares of exit codes. About ten minutes on one core.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.analysis.answers import Answers
from bench.core.record import Run
from bench.gate import tails
from bench.gate.expand import Planned, expand
from bench.gate.measure import Measured, measure
from bench.gate.policy import Policy, load
from bench.gate.power import chance_of_means
from bench.gate.verdict import judge
from bench.store.run_folder import read_run

Array = NDArray[np.float64]
SPLITS = ((1, 1), (2, 2), (2, 3))  # seeds of the baseline, of the candidate
SPREADS = (0.0, 0.02, 0.05, 0.1)  # standard deviation of a seed's mean score


def splits(run: Run, baseline: int, candidate: int) -> Iterator[tuple[Run, Run]]:
    """Every split of a run's seeds into two runs; methods with one seed are in both."""
    cells = Counter((record.model, record.task, record.method) for record in run.records)
    seeds = sorted({record.seed for record in run.records})

    def part(chosen: Sequence[int]) -> Run:
        kept = (r for r in run.records if cells[r.model, r.task, r.method] == 1 or r.seed in chosen)
        return replace(run, records=tuple(kept))

    for old in combinations(seeds, baseline):
        for new in combinations([seed for seed in seeds if seed not in old], candidate):
            yield part(old), part(new)


def codes_of_splits(run: Run, baseline: int, candidate: int, policy: Policy) -> Counter[int]:
    """Exit codes over all splits."""
    found: Counter[int] = Counter()
    for old, new in splits(run, baseline, candidate):
        planned = expand(policy, old, "the policy")
        measured = list(measure(planned, old, new, policy, lambda run, task: None))
        found[judge(measured, policy).exit_code] += 1
    return found


def trained(rng: np.random.Generator, seeds: int, hard: Array, spread: float, drop: float = 0.0) -> Array:
    """0 and 1 of a trained method, [seeds, items]: mean about 0.6, items of their own difficulty `hard`."""
    level = 0.6 - drop + rng.normal(0.0, spread, (seeds, 1))
    return np.asarray(rng.random((seeds, len(hard))) < np.clip(level + hard, 0, 1), dtype=np.float64)


def written(rng: np.random.Generator, seeds: int, long: Array, spread: float) -> Array:
    """Tokens written, [seeds, items]: seeds differ by four times their spread of scores."""
    return np.asarray(
        np.round(np.exp(long + rng.normal(0, 4 * spread, (seeds, 1)) + rng.normal(0, 0.3, (seeds, len(long)))))
    )


def scored(values: Array) -> Answers:
    """Scores as the gate reads them."""
    ids = tuple(map(str, range(values.shape[1])))
    seeds = tuple(range(len(values)))
    means = tuple(map(float, values.mean(axis=1)))
    return Answers(
        "m", "m", "t", "accuracy", "", "", seeds, True, ids, ("",) * len(ids), ((),) * len(seeds), means, values
    )


def check(new: Array, old: Array, method: str, policy: Policy) -> Measured:
    """A check of quality by the first entry of a policy."""
    entry = policy.quality[0]
    detect = entry.detect.of(1.0) if entry.detect else None
    planned = Planned("quality", "m", "t", method, "accuracy", entry.tier, entry.margin.of(1.0), detect)
    found = tails.of_scores(scored(new), scored(old), 1, 2_000)
    return Measured(planned, float(old.mean()), float(new.mean()), found, seeds=(len(new), len(old)), resampled=True)


def check_of_tokens(new: Array, old: Array, method: str, policy: Policy) -> Measured:
    """A check of the tokens written, by the policy's limit."""
    limit = next(entry.limit for entry in policy.cost if entry.counter == "output_tokens")
    planned = Planned("cost", "m", "t", method, "output_tokens", "critical", limit.of(1.0))
    found = tails.of_counter(new, old, 2_000)
    return Measured(planned, float(old.mean()), float(new.mean()), found, seeds=(len(new), len(old)), resampled=True)


def unchanged(
    rng: np.random.Generator, seeds: tuple[int, int], items: int, spread: float, methods: int, policy: Policy
) -> int:
    """The exit code for a candidate that differs from its baseline by its seeds alone."""
    measured = []
    for place in range(methods):
        hard, long = rng.normal(0, 0.25, items), rng.normal(3, 0.5, items)
        old, new = (trained(rng, count, hard, spread) for count in seeds)
        measured.append(check(new, old, str(place), policy))
        old, new = (written(rng, count, long, spread) for count in seeds)
        measured.append(check_of_tokens(new, old, str(place), policy))
    return judge(measured, policy).exit_code


def dropped(rng: np.random.Generator, spread: float, methods: int, policy: Policy, drop: float = 0.1) -> str:
    """What becomes of a true drop with 3 seeds and 300 items among `methods` checks: found, refused by plan, or missed.

    The plan sees the baseline alone, as `--plan` does.
    """
    hard = rng.normal(0, 0.25, (methods, 300))
    old = [trained(rng, 3, one, spread) for one in hard]
    new = [trained(rng, 3, one, spread, drop if place == 0 else 0.0) for place, one in enumerate(hard)]
    checks = [check(a, b, str(place), policy) for place, (a, b) in enumerate(zip(new, old, strict=True))]
    planned = checks[0].planned
    assert planned.detect is not None
    chance = chance_of_means(policy, old[0], True, planned.margin, planned.detect, policy.alpha / methods)
    if chance(300) < policy.power:
        return "refused"
    return "found" if judge(checks, policy).findings[0].status == "regression" else "missed"


def main() -> None:
    """Print every rate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="*", type=Path)
    parser.add_argument("--times", type=int, default=500, help="simulated candidates for each figure")
    given = parser.parse_args()
    policy = load(None)
    for path in given.run:
        for seeds in SPLITS:
            codes = codes_of_splits(read_run(path), *seeds, policy)
            print(f"{path.name}: {seeds[0]} v {seeds[1]}: {_shares(codes)}", flush=True)
    rng = np.random.default_rng(0)
    for seeds in ((2, 2), (2, 3), (3, 3)):  # with one seed each the rule itself rules failing out
        for methods, items in ((1, 40), (5, 100)):
            for spread in SPREADS:
                drawn = Counter(unchanged(rng, seeds, items, spread, methods, policy) for _ in range(given.times))
                named = f"{seeds[0]} v {seeds[1]}, {2 * methods} checks, {items} items, seeds' sd {spread:g}"
                print(f"unchanged, {named}: {_shares(drawn)}", flush=True)
    ten = Policy.model_validate({"quality": [{"margin": "2%", "detect": "10%"}]})
    for methods in (1, 3, 10):
        for spread in SPREADS:
            ends = Counter(dropped(rng, spread, methods, ten) for _ in range(given.times))
            print(f"drop of 10 points, 1 of {methods} checks, seeds' sd {spread:g}: {_shares(ends)}", flush=True)


def _shares(counted: Counter[int] | Counter[str]) -> str:
    total = sum(counted.values())
    ends = ((f"exit {end}" if isinstance(end, int) else end, count / total) for end, count in counted.items())
    return ", ".join(f"{end} {share:.1%}" for end, share in sorted(ends)) + f" of {total}"


if __name__ == "__main__":
    main()
