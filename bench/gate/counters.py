"""Counters that vary, item by item where the predictions hold them: a rise is tested as a fall of a score is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bench.analysis.answers import summed
from bench.core.errors import NotComparableError, UsageError
from bench.core.record import Record
from bench.gate import costs
from bench.store.lines import Line

Array = NDArray[np.float64]
Cells = Sequence[tuple[Record, Sequence[Line]]]  # each seed's record and lines
_TOKENS = ("prompt_tokens", "context_tokens", "output_tokens")


def figures(counter: str, new: Cells, old: Cells) -> tuple[Array, Array]:
    """A counter of both runs, [seeds, items] each; [seeds, 1] where either does not hold it for each item.

    Items of one group are summed, as in `answers.by_unit`.

    Raises:
        NotComparableError: the runs did not answer the same items.
        UsageError: a record and its predictions that do not agree.
    """
    ids = [line["id"] for line in old[0][1]]
    if any([line["id"] for line in lines] != ids for _, lines in (*new, *old)):
        raise NotComparableError("not the same items")
    both = [_by_item(counter, cells) for cells in (new, old)]
    if both[0] is None or both[1] is None:
        return _totals(counter, new), _totals(counter, old)
    groups = [line.get("group") or f"\0{line['id']}" for line in old[0][1]]
    return summed(both[0], groups), summed(both[1], groups)


def of_run(counter: str, cells: Cells) -> Array:
    """The same of one run."""
    return figures(counter, cells, cells)[0]


def _totals(counter: str, cells: Cells) -> Array:
    return np.array([[costs.ALL[counter].read(record)] for record, _ in cells], dtype=np.float64)


def _by_item(counter: str, cells: Cells) -> Array | None:
    if counter in _TOKENS:
        return _tokens(counter, cells)
    prompts, outputs = (_tokens(name, cells) for name in ("prompt_tokens", "output_tokens"))
    if counter != "predict_flops" or prompts is None or outputs is None:
        return None
    return _spread(_totals(counter, cells), prompts, outputs)


def _tokens(name: str, cells: Cells) -> Array | None:
    seeds: list[Sequence[Mapping[str, object]]] = [lines for _, lines in cells]
    if not all(name in line for lines in seeds for line in lines):
        return None
    found = np.array([[line[name] for line in lines] for lines in seeds], dtype=np.float64)
    for (record, _), total in zip(cells, found.sum(axis=1), strict=True):
        if record.tokens.get(name) != total:
            raise UsageError(
                f"the record of seed {record.seed} says {record.tokens.get(name)} {name}, its predictions {total:.0f}"
            )
    return found


def _spread(means: Array, prompts: Array, outputs: Array) -> Array:
    """FLOPs of each item, [seeds, items], whose means are those of the records, [seeds, 1].

    In proportion to what is an item's own: tokens written, and read beyond those of the shortest prompt, which as a
    shared prefix may be read once. If it was read for each, items differ by less than is said here, which is safe.
    """
    own = prompts - prompts.min(axis=1, keepdims=True) + outputs
    sums = own.mean(axis=1, keepdims=True)
    return np.asarray(means * np.where(sums > 0, own / np.where(sums > 0, sums, 1.0), 1.0))
