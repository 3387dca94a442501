"""The corpus as batches of packed token rows, drawn fresh; batch i is the same whenever it is asked for."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.mini.corpus import mixture
from bench.mini.corpus.document import Document
from bench.mini.recipe import Recipe


def encode(tokenizer: Any, document: Document, end: int, given_weight: float) -> tuple[list[int], list[float]]:
    """Token ids of a document with its end, and the loss weight of each.

    Pieces are encoded one by one, as prompts and answers are when the model is used.
    """
    ids: list[int] = []
    weights: list[float] = []
    for encoding, (_, is_answer) in zip(
        tokenizer.encode_batch([text for text, _ in document.pieces]), document.pieces, strict=True
    ):
        ids += encoding.ids
        weights += [1.0 if is_answer else given_weight] * len(encoding.ids)
    return [*ids, end], [*weights, 1.0]


def batch(tokenizer: Any, recipe: Recipe, step: int) -> tuple[Tensor, Tensor]:
    """Ids [rows, length + 1] and weights [rows, length] of optimizer step `step`: documents packed end to end."""
    rng = random.Random(f"{recipe.seed}/batch/{step}")
    length = recipe.row_tokens(step)
    rows, width = recipe.batch_tokens // length, length + 1
    ids = np.zeros((rows, width), dtype=np.int64)
    weights = np.zeros((rows, width), dtype=np.float32)
    for row in range(rows):
        filled = 0
        while filled < width:
            document = mixture.draw(rng, step / recipe.steps)
            found, weight = encode(tokenizer, document, 0, recipe.given_weight)
            room = min(len(found), width - filled)
            ids[row, filled : filled + room] = found[:room]
            weights[row, filled : filled + room] = weight[:room]
            filled += room
    return torch.from_numpy(ids), torch.from_numpy(weights[:, 1:])
