"""The corpus as batches of packed token rows, drawn fresh; batch i is the same whenever it is asked for."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scripts.mini import induction
from scripts.mini.corpus import mixture
from scripts.mini.corpus.document import Document
from scripts.mini.recipe import Place, Recipe, Stage

Encoded = tuple[list[int], list[float]]  # token ids, and the loss weight of each


def encode(tokenizer: Any, document: Document, end: int, given_weight: float) -> Encoded:
    """Token ids of a document with its end, and the loss weight of each.

    Pieces are encoded one by one, as prompts and answers are when the model is used.
    """
    ids: list[int] = []
    weights: list[float] = []
    for encoding, (_, is_answer) in zip(
        tokenizer.encode_batch([text for text, _ in document.pieces]), document.pieces, strict=True
    ):
        ids += encoding.ids
        weights += [document.weight if is_answer else given_weight] * len(encoding.ids)
    return [*ids, end], [*weights, 1.0]


def batch(tokenizer: Any, recipe: Recipe, step: int) -> tuple[Tensor, Tensor, Tensor]:
    """What optimizer step `step` learns from.

    Returns ids [rows, row_tokens + 1]; places [predicted], the flat indices into [rows, row_tokens] of
    the tokens to predict from; and their weights [predicted]. Every answer is among the places, unless there is
    no room for all; the rest is drawn from the other tokens, which weigh as much as all of them would.
    """
    rng = random.Random(f"{recipe.seed}/batch/{step}")
    place = recipe.at(step)
    ids, weights = _packed(rng, place.stage, _drawer(tokenizer, recipe, place))
    places, chosen = _places(rng, weights[:, 1:].ravel(), recipe.predicted_share)
    return torch.from_numpy(ids), torch.from_numpy(places), torch.from_numpy(chosen)


def _drawer(tokenizer: Any, recipe: Recipe, place: Place) -> Callable[[random.Random], Encoded]:
    if place.stage.random_ids:
        half = place.stage.tokens / 2 / place.cycle.tokens
        longest = 1 if place.share < half else 3
        return lambda rng: induction.draw(rng, tokenizer, recipe.vocabulary, longest)
    return lambda rng: encode(tokenizer, mixture.draw(rng, place.progress), 0, recipe.given_weight)


def _packed(
    rng: random.Random, stage: Stage, draw: Callable[[random.Random], Encoded]
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Whole documents in rows, the longest first, each where it fits; what is left of a row counts nothing."""
    width = stage.row_tokens + 1
    drawn: list[Encoded] = []
    room = stage.rows * width
    while room > 0:
        document = draw(rng)
        if len(document[0]) <= width:
            drawn.append(document)
            room -= len(document[0])
    rows: list[list[Encoded]] = [[] for _ in range(stage.rows)]
    left = [width] * stage.rows
    for document in sorted(drawn, key=lambda one: -len(one[0])):
        row = next((i for i in range(stage.rows) if left[i] >= len(document[0])), None)
        if row is not None:
            rows[row].append(document)
            left[row] -= len(document[0])
    ids = np.zeros((stage.rows, width), dtype=np.int64)
    weights = np.zeros((stage.rows, width), dtype=np.float32)
    for i, documents in enumerate(rows):
        rng.shuffle(documents)
        flat = [token for one, _ in documents for token in one]
        ids[i, : len(flat)] = flat
        weights[i, : len(flat)] = [weight for _, ones in documents for weight in ones]
    return ids, weights


def _places(
    rng: random.Random, weights: np.ndarray[Any, Any], share: float
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The indices of `share` of the tokens, and weights that add up to those of all."""
    count = int(share * len(weights))
    by_chance = np.random.default_rng(rng.getrandbits(64))
    order = by_chance.permutation(len(weights))
    answers = order[weights[order] >= 1.0][:count]
    others = order[weights[order] < 1.0]
    chosen = others[: count - len(answers)]
    found = weights.copy()
    if weights[chosen].sum() > 0:
        found[chosen] *= weights[others].sum() / weights[chosen].sum()
    places = np.sort(np.concatenate([answers, chosen]))
    return places, found[places]
