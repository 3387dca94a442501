"""How the choices of a question are laid side by side in one row, so that its cache is copied once and not for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

Ids = Sequence[int]

NARROWEST = 128  # tokens; narrower rows copy more cache, wider ones compute more attention that is masked


class Pack(NamedTuple):
    """Choices of one query that are scored side by side in one row."""

    row: int  # of the batch: whose cache they stand on
    pairs: list[int]  # which (query, choice) pairs
    width: int  # tokens


def packs_of(pairs: Sequence[tuple[int, Ids]], width: int) -> list[Pack]:
    """Choices of more than one token, packed by query into rows of at most `width` tokens; widest packs last."""
    packs: list[Pack] = []
    for pair, (row, choice) in enumerate(pairs):
        needed = len(choice) - 1
        if needed == 0:
            continue
        last = packs[-1] if packs else None
        if last and last.row == row and last.width + needed <= width:
            packs[-1] = Pack(row, [*last.pairs, pair], last.width + needed)
        else:
            packs.append(Pack(row, [pair], needed))
    return sorted(packs, key=lambda pack: pack.width)
