"""The rule by which choices are ranked: the same for every method on a task."""

from __future__ import annotations

from collections.abc import Sequence

from bench.core.item import Item
from bench.core.task import Rule
from bench.engine.backend import Backend
from bench.engine.prompts import Encoded
from bench.model.tokenizer import Ids


def ranked(
    rule: Rule, item: Item, tokens: Sequence[int], scores: Sequence[float], priors: Sequence[float]
) -> list[float]:
    """What the choices of an item are ranked by, from their log-likelihoods in nats; the highest is the answer.

    `none`: the log-likelihood; `tokens`, `chars`: for each of its `tokens` or characters; `pmi`: less `priors`, the
    choice's log-likelihood without the item (pointwise mutual information: Holtzman et al. 2021, arXiv:2104.08315).
    """
    if rule == "tokens":
        return [score / count for score, count in zip(scores, tokens, strict=True)]
    if rule == "chars":
        return [score / len(text) for score, text in zip(scores, item.choices, strict=True)]
    if rule == "pmi":
        return [score - prior for score, prior in zip(scores, priors, strict=True)]
    return list(scores)


class Priors:
    """Log-likelihoods of choices without the item. Items with the same choices share them: they are computed once."""

    def __init__(self) -> None:
        self._known: dict[tuple[Ids, Ids, tuple[Ids, ...]], tuple[Encoded, list[float]]] = {}

    @property
    def prompts(self) -> list[Encoded]:
        """Those that were read, each once."""
        return [prompt for prompt, _ in self._known.values()]

    def of(self, backend: Backend, prompts: Sequence[Encoded]) -> list[list[float]]:
        """For each of `prompts`, which stand without their items, the log-likelihoods of its choices."""
        fresh = {_key(prompt): prompt for prompt in prompts if _key(prompt) not in self._known}
        found = backend.score(list(fresh.values()), lambda done: None) if fresh else []
        self._known |= {key: (prompt, scores) for (key, prompt), scores in zip(fresh.items(), found, strict=True)}
        return [self._known[_key(prompt)][1] for prompt in prompts]

    def forget(self) -> None:
        """Drop them: they are of other weights."""
        self._known.clear()


def _key(prompt: Encoded) -> tuple[Ids, Ids, tuple[Ids, ...]]:
    return prompt.prefix, prompt.query, prompt.choices
