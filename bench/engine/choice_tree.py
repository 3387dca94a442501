"""How the choices of a question are laid side by side in one row, so that its cache is copied once and not for each.

Choices that begin alike share their first tokens: a row is a tree, in which a token sees the question, the tokens that
lead to it and itself. What 77 labels of the form "change my address", "change my name" have in common is computed once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

import torch
from torch import Tensor

Ids = Sequence[int]

NARROWEST = 128  # tokens; narrower rows copy more cache, wider ones compute more attention that is masked


class TokenRead(NamedTuple):
    """A likelihood that is read off a row: of `token`, after the token at `place`, for a choice."""

    place: int
    token: int
    choice: int


class Tree(NamedTuple):
    """Choices laid in one row. Lists are by place in it, from the left; a token stands right of those it follows."""

    tokens: list[int]
    parents: list[int]  # place of the token before; a first token is its own parent
    depths: list[int]  # tokens before it
    reads: list[TokenRead]


class PlacedTree(NamedTuple):
    """A tree of a question's choices, in a row of its own."""

    row: int  # of the batch: whose cache it stands on
    first: int  # place of the question's first choice among all pairs
    tree: Tree


def place_trees(pairs: Sequence[tuple[int, Ids]], width: int) -> Iterator[PlacedTree]:
    """The trees of every (question, choice) pair; those of a question stand together."""
    first = 0
    for row, own in groupby(pairs, key=lambda pair: pair[0]):
        choices = tuple(tuple(choice) for _, choice in own)
        yield from (PlacedTree(row, first, tree) for tree in trees_of(choices, width))
        first += len(choices)


@lru_cache(maxsize=4096)
def trees_of(choices: tuple[tuple[int, ...], ...], width: int) -> tuple[Tree, ...]:
    """The choices of one question in trees of at most `width` tokens, or of one choice that is longer.

    A choice's last token is only read, and so is its first, off the question's own row: choices of one token are in no
    tree. Each of the other tokens of a choice is read once.
    """
    trees: list[Tree] = []
    known: dict[tuple[int, ...], int] = {}  # beginnings of choices in the last tree -> place of their last token
    for number in sorted(range(len(choices)), key=choices.__getitem__):  # those that begin alike stand together
        choice = choices[number]
        begun = [choice[:end] for end in range(1, len(choice))]
        new = sum(beginning not in known for beginning in begun)
        if begun and (not trees or len(trees[-1].tokens) + new > width):
            trees.append(Tree([], [], [], []))
            known = {}
        for depth, beginning in enumerate(begun):
            _grow(trees[-1], known, beginning, depth)
            trees[-1].reads.append(TokenRead(known[beginning], choice[depth + 1], number))
    return tuple(trees)


def _grow(tree: Tree, known: dict[tuple[int, ...], int], beginning: tuple[int, ...], depth: int) -> None:
    """Put the last token of a beginning into a tree, unless it is there."""
    if beginning in known:
        return
    place = known[beginning] = len(tree.tokens)
    tree.tokens.append(beginning[-1])
    tree.parents.append(known[beginning[:-1]] if depth else place)
    tree.depths.append(depth)


def filled(values: Sequence[int], width: int) -> list[int]:
    """The values, with zeros on the right up to `width`."""
    return [*values, *[0] * (width - len(values))]


def with_ancestors(above: Tensor, depth: int) -> Tensor:
    """Which places each place sees: itself and all above it. [rows, n] places above -> [rows, n, n] true or false.

    `depth`: the most that stand above one.
    """
    rows, n = above.shape
    seen = torch.eye(n, dtype=torch.bool, device=above.device).repeat(rows, 1, 1)
    up = above
    for _ in range(depth):
        seen.scatter_(2, up[..., None], True)
        up = above.gather(1, up)
    return seen
