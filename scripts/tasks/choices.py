"""Choices of an item: its answer among alternatives that a hash draws, in an order that a hash gives."""

from __future__ import annotations

from collections.abc import Iterable

from bench.core.hashing import sha256

COUNT = 4  # of choices, the answer among them


def offered(key: str, answer: str, *pools: Iterable[str], count: int = COUNT) -> list[str]:
    """`count` choices of the item called `key`: alternatives of the first pool as far as it reaches, then of the next.

    Raises ValueError where the pools hold too few.
    """
    drawn: list[str] = []
    for pool in pools:
        fresh = sorted({*pool} - {answer, *drawn}, key=lambda text: sha256(f"{key} draws {text}"))
        drawn += fresh[: count - 1 - len(drawn)]
    if len(drawn) < count - 1:
        raise ValueError(f"{key}: {answer!r} has {len(drawn)} alternatives, and {count - 1} are needed")
    return sorted([answer, *drawn], key=lambda text: sha256(f"{key} orders {text}"))
