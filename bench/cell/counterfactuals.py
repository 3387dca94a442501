"""Whether a model answers differently once an item is changed in a way that ought not to matter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.core.counterfactual import Slot, pairs
from bench.core.item import Item

if TYPE_CHECKING:  # readers of records never load torch
    from bench.engine.predictor import ModelPredictor


def changed(
    predictor: ModelPredictor, slots: Sequence[Slot], items: Sequence[Item], limit: int
) -> dict[str, dict[str, bool]]:
    """{slot: {item: whether its two forms got different answers}} of at most `limit` pairs for each slot.

    A pair of which a form cannot be answered is left out.
    """
    changes: dict[str, dict[str, bool]] = {}
    for slot in slots:
        forms = pairs(slot, items, limit)
        first, second = (predictor.predict([pair[form] for pair in forms]) for form in (0, 1))
        changes[slot.name] = {
            pair[0].id: not slot.same(pair[0], a.output, b.output)
            for pair, a, b in zip(forms, first, second, strict=True)
            if a.failure is None and b.failure is None
        }
    return changes
