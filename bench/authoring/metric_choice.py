"""Which metrics fit the answers of a text task, and how many items they need to tell methods apart."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bench.core.quoting import listed
from bench.metrics.registry import NAMES
from bench.metrics.scripts import hidden

UNSEEN = 0.5  # share of references from which a metric that cannot see them is no choice
_FOR_ANY_SCRIPT = {
    "rouge1": "rouge1_unicode",
    "rouge2": "rouge2_unicode",
    "rouge": "rouge_l_unicode",
    "bleu": "bleu_zh",
    "token": "char_f1",
}
# Two methods often give different answers to three items of ten; scores of sentences often differ by a quarter.
_DISCORDANCE = 0.3
_DEVIATION = 0.25
_ALPHA, _POWER = 0.05, 0.8
_WORTH_FINDING = 0.1  # a difference that a comparison should be able to show


def unseen_share(metric: str, references: Sequence[str]) -> float:
    """Share of `references` in which `metric` cannot tell words apart."""
    return sum(hidden(text, NAMES[metric].sees) for text in references) / len(references)


def for_any_script(metric: str) -> str:
    """The metric of the same family that sees every script."""
    return _FOR_ANY_SCRIPT.get(metric.split("_")[0], "chrf")


def text_metrics(references: Sequence[str], sentences: bool) -> tuple[str, ...]:
    """Metrics of a text task, the primary one first: of the words of sentences, of the whole of short answers."""
    wanted = ("rouge_l", "bleu", "contains") if sentences else ("exact_match", "token_f1", "contains")
    return tuple(name if unseen_share(name, references) < UNSEEN else for_any_script(name) for name in wanted)


def why(metrics: Sequence[str], sentences: bool) -> str:
    """The line that says which metrics were chosen, and for what."""
    answers = "the answers are sentences" if sentences else "the answers are short"
    return f"metrics: {listed(metrics)}, because {answers}; the first one decides (change them in task.yaml)"


def power_note(metric: str, items: int) -> str:
    """What `items` test items can show in a paired comparison by `metric`: found at two-sided p of .05, power 0.8."""
    from bench.analysis.statistics.drops import items_needed

    if metric in ("accuracy", "exact_match"):
        chance, assumed = _found_share, f"two methods differ on {_DISCORDANCE:.0%} of the items or more"
    else:
        chance, assumed = _found_mean, f"their scores of an item differ by {_DEVIATION}, in the standard deviation"
    smallest = next((step / 100 for step in range(1, 101) if chance(items, step / 100) >= _POWER), None)
    needed = items_needed(lambda n: chance(n, _WORTH_FINDING), _POWER, most=1000)
    what = f"which show a difference of {smallest:.2f} or more" if smallest else "too few to tell anything"
    more = f"; one of {_WORTH_FINDING:.2f} takes about {needed}" if needed and items < needed else ""
    return f"test items: {items}, {what}{more} (assumed: {assumed}; power {_POWER:.0%})"


def _found_share(items: int, difference: float) -> float:
    from bench.analysis.statistics.drops import found_shares

    return found_shares(items, max(_DISCORDANCE, difference), difference, alpha=_ALPHA / 2)


def _found_mean(items: int, difference: float) -> float:
    from bench.analysis.statistics.distributions import t_quantile
    from bench.analysis.statistics.drops import found_means

    if items < 2:
        return 0.0
    error = _DEVIATION / math.sqrt(items)
    return found_means(error, t_quantile(1 - _ALPHA / 2, items - 1) * error, difference)
