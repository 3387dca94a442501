"""What trivial rules and the ideal recommender reach on the test rows.

`python -m scripts.tasks.next_purchase.baselines`

The ideal recommender knows the rules and all that a row shows, and so the exact probability of each item; nothing can
do better on average. Its weaker brothers each lack one rule.
"""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from scripts.tasks.next_purchase.customers import HISTORY_RULES, Shop, read_bank
from scripts.tasks.next_purchase.generate import splits
from scripts.tasks.next_purchase.offers import Row

Scorer = Callable[[Row], Sequence[float]]  # a score for each item on offer
Score = tuple[float, float]


def hits(row: Row, scores: Sequence[float]) -> Score:
    """(chance that the best-scored item is right, expected reciprocal rank of the right one); ties fall by lot."""
    right = scores[row.offered.index(row.bought)]
    better = sum(score > right for score in scores)
    tied = sum(score == right for score in scores)
    ranks = [1 / (better + place) for place in range(1, tied + 1)]
    return (0.0 if better else 1 / tied), math.fsum(ranks) / tied


def accuracy_and_mrr(scorer: Scorer, rows: Sequence[Row]) -> Score:
    """Means of `hits`."""
    found = [hits(row, scorer(row)) for row in rows]
    return math.fsum(one for one, _ in found) / len(rows), math.fsum(rank for _, rank in found) / len(rows)


def expected(rows: Sequence[Row]) -> Score:
    """What the ideal recommender may expect on these rows, whatever was bought in the end."""
    best = [max(row.chances) for row in rows]
    ranked = [sorted(row.chances, reverse=True) for row in rows]
    ranks = [math.fsum(one / place for place, one in enumerate(chances, start=1)) for chances in ranked]
    return math.fsum(best) / len(rows), math.fsum(ranks) / len(rows)


def trivial(shop: Shop, train: Sequence[Row]) -> dict[str, Scorer]:
    """Rules that look at one thing only."""
    products = shop.products
    popular = Counter(row.bought for row in train)
    following: Counter[tuple[int, int]] = Counter()
    for row in train:
        bought = [one.product for one in row.history] + [row.bought]
        following.update(pairwise(bought))

    def alike(key: str) -> Scorer:
        def scores(row: Row) -> list[float]:
            last = getattr(products[row.history[-1].product], key)
            return [float(last == getattr(products[place], key)) for place in row.offered]

        return scores

    return {
        "random": lambda row: [0.0 for _ in row.offered],
        "most often bought in train": lambda row: [popular[place] for place in row.offered],
        "same group as the last purchase": alike("group"),
        "same brand as the last purchase": alike("brand"),
        "stands in the history": lambda row: [float(place in row.products) for place in row.offered],
        "does not stand in the history": lambda row: [float(place not in row.products) for place in row.offered],
        "most often bought right after the last purchase in train": lambda row: [
            following[row.history[-1].product, place] for place in row.offered
        ],
        "matrix factorisation of train": factorised(train, len(products)),
        "naive Bayes on train": naive_bayes(train),
    }


def factorised(train: Sequence[Row], products: int, rank: int = 8) -> Scorer:
    """Customers x products by a truncated SVD: an item is worth what the factors of a history make of it.

    `rank`: of 4, 8, 16 and 32 the most accurate on validation.
    """
    import numpy as np
    from sklearn.decomposition import TruncatedSVD

    bought = np.zeros((len(train), products))
    for place, row in enumerate(train):
        bought[place, [*row.products, row.bought]] = 1.0
    factors = TruncatedSVD(rank, random_state=0).fit(bought)

    def scores(row: Row) -> list[float]:
        history = np.zeros((1, products))
        history[0, list(row.products)] = 1.0
        found = factors.inverse_transform(factors.transform(history))[0]
        return [float(found[place]) for place in row.offered]

    return scores


def naive_bayes(train: Sequence[Row], weight: float = 2.0) -> Scorer:
    """How often an item on offer was bought beside each product of the history, the last one, and the month."""
    shown: Counter[tuple[object, ...]] = Counter()
    bought: Counter[tuple[object, ...]] = Counter()
    for row in train:
        for clue in _clues(row):
            shown.update((*clue, place) for place in row.offered)
            bought[(*clue, row.bought)] += 1

    def score(row: Row, place: int) -> float:
        rate = (bought["", 0, place] + 1) / (shown["", 0, place] + len(row.offered))
        keys = [(*clue, place) for clue in _clues(row)]
        rates = [(bought[key] + weight * rate) / (shown[key] + weight) for key in keys]
        return math.fsum(math.log(one / rate) for one in rates) + math.log(rate)

    return lambda row: [score(row, place) for place in row.offered]


def _clues(row: Row) -> list[tuple[str, int]]:
    had = [("had", product) for product in sorted(row.products)]
    return [("", 0), ("last", row.history[-1].product), ("month", row.month % 12), *had]


def ideal(rules: dict[str, Any]) -> Scorer:
    """The exact probabilities under `rules`."""
    shop = Shop(rules)
    return lambda row: shop.chances(row.history, row.month, row.offered)


def without(rules: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Copies of the rules that each know nothing of one of them."""
    found = {name: copy.deepcopy(rules) for name in (*HISTORY_RULES, "seasons", "types", "purses", "gifts")}
    for name in HISTORY_RULES:
        found[name]["factors"][name] = dict.fromkeys(rules["factors"][name], 1)
    found["seasons"]["seasons"] = {}
    found["gifts"]["gifts_are_owned"] = True
    for kind in found["types"]["types"].values():
        kind.update(dict.fromkeys(read_bank("catalogue"), 1))
    for purse in found["purses"]["purses"].values():
        purse["bands"] = [1, 1, 1]
    return found


def baselines() -> dict[str, Score]:
    """(accuracy, mean reciprocal rank) on the test rows by name of the rule."""
    rules = read_bank("rules")
    shop = Shop(rules)
    rows = splits(shop)
    scorers = trivial(shop, rows["train"]) | {"ideal": ideal(rules)}
    scorers |= {f"ideal, without {name}": ideal(less) for name, less in without(rules).items()}
    found = {name: accuracy_and_mrr(scorer, rows["test"]) for name, scorer in scorers.items()}
    found["ideal, expected"] = expected(rows["test"])
    return found


def new_pairs() -> tuple[int, int]:
    """(test rows whose last and next purchase follow each other nowhere in train, test rows)."""
    rows = splits(Shop(read_bank("rules")))
    bought = [[one.product for one in row.history] + [row.bought] for row in rows["train"]]
    known = {pair for products in bought for pair in pairwise(products)}
    return sum((row.history[-1].product, row.bought) not in known for row in rows["test"]), len(rows["test"])


if __name__ == "__main__":
    print("accuracy  mrr    rule")
    for name, (accuracy, mrr) in baselines().items():
        print(f"{accuracy:8.3f}  {mrr:.3f}  {name}")
    print(
        "{} of {} test rows have a last and next purchase that follow each other nowhere in train".format(*new_pairs())
    )
