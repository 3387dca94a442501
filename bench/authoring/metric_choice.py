"""Which metrics fit the answers of a text task, and how many items they need to tell methods apart."""

from __future__ import annotations

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
    """What `items` test items can show in a paired comparison by `metric` (power 0.8, alpha .05)."""
    from bench.analysis.statistics.power import mdd_means, required_n_means, required_n_shares

    if metric in ("accuracy", "exact_match"):
        smallest, needed = _smallest_of_shares(items), required_n_shares(_WORTH_FINDING, _DISCORDANCE)
        assumed = f"two methods differ on {_DISCORDANCE:.0%} of the items or more"
    else:
        smallest = mdd_means(items, _DEVIATION) if items > 1 else None
        needed = required_n_means(_WORTH_FINDING, _DEVIATION)
        assumed = f"their scores of an item differ by {_DEVIATION}, in the standard deviation"
    if smallest is None or smallest > 1:
        what = f"test items: {items}, too few to tell anything"
    else:
        what = f"test items: {items}, which show a difference of {smallest:.2f} or more"
    more = f"; one of {_WORTH_FINDING:.2f} takes about {needed}" if items < needed else ""
    return f"{what}{more} (assumed: {assumed}; power 80%)"


def _smallest_of_shares(items: int) -> float | None:
    """The smallest difference of two shares that can be found; few items need methods that differ on more of them."""
    from bench.analysis.statistics.power import mdd_shares

    shares = (round(_DISCORDANCE + step / 20, 2) for step in range(15))  # to 1
    return next((found for share in shares if (found := mdd_shares(items, share)) is not None), None)
