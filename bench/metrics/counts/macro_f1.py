"""The counts that macro-F1 is made of.

Statistics of one item: a number for its true label and one for the predicted (-1 for none), hashed from their names so
that those of two methods agree. `additive` makes of them, for each label, three counts: hits, times true, times
predicted.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bench.core.errors import UsageError

_CRC_END = 2**32


def statistics(
    predictions: Sequence[str], references: Sequence[Sequence[str]], *, lowercase: bool = False
) -> NDArray[np.int64]:
    """The two numbers named above, [n, 2]; labels are names, so that `lowercase` changes nothing."""
    truth = [only(texts, position) for position, texts in enumerate(references)]
    numbers = [(_number(right), _number(said) if said else -1) for right, said in zip(truth, predictions, strict=True)]
    return np.array(numbers, dtype=np.int64).reshape(-1, 2)


def additive(*rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """[n, 3 L] counts for each of `rows` [n, 2], over the L labels that occur in any: hits, true, predicted."""
    if any(one.max(initial=-1) < _CRC_END for one in rows):  # counts of an older version are CRCs
        rows = tuple(np.where(one < 0, one, one % _CRC_END) for one in rows)
    labels = np.unique(np.concatenate([one.ravel() for one in rows]))
    labels = labels[labels >= 0]
    found = []
    for one in rows:
        true, said = one[:, :1] == labels, one[:, 1:] == labels
        found.append(np.concatenate([true & said, true, said], axis=1).astype(np.int64))
    return found


def from_statistics(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Macro-F1 of each row of summed counts, [m, 3 L] to [m]; a label that occurs nowhere in a row is no class."""
    hits, true, said = np.split(rows, 3, axis=1)
    both = true + said
    each = np.divide(2 * hits, both, out=np.zeros_like(both), where=both > 0)
    return np.asarray(each.sum(axis=1) / np.maximum((both > 0).sum(axis=1), 1))


def _number(label: str) -> int:
    """63 bits of the label's sha256, whose last 32 are its CRC: as much as older files of counts hold."""
    high = int.from_bytes(hashlib.sha256(label.encode()).digest()[:4], "big") >> 1
    return max(high, 1) << 32 | zlib.crc32(label.encode())


def only(texts: Sequence[str], position: int) -> str:
    """The one label of an item; raises UsageError where it has several."""
    if len(set(texts)) > 1:
        raise UsageError(
            f"metric macro_f1: item {position} has {len(set(texts))} different references; "
            "a label is needed, use exact_match for several accepted answers"
        )
    return texts[0]
