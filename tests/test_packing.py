"""Choices as trees: by hand, and what holds for any choices."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bench.engine.choice_tree import PlacedTree, TokenRead, Tree, place_trees, trees_of, with_ancestors
from tests.test_engine import engine, plain_score

CHOICES = ((7, 8, 9), (7, 8, 4), (7, 5), (3,))


def test_a_tree_by_hand() -> None:
    # in order of their tokens: 3 (no tree), 7 5, 7 8 4, 7 8 9; the tree holds 7 and the 8 after it
    [tree] = trees_of(CHOICES, 128)
    assert tree == Tree(
        [7, 8],
        [0, 0],
        [0, 1],
        [TokenRead(0, 5, 2), TokenRead(0, 8, 1), TokenRead(1, 4, 1), TokenRead(0, 8, 0), TokenRead(1, 9, 0)],
    )


def test_each_question_has_rows_of_its_own() -> None:
    pairs = [(0, (1, 2)), (0, (1, 3)), (2, (5,)), (2, (6, 7))]
    assert list(place_trees(pairs, 128)) == [
        PlacedTree(0, 0, Tree([1], [0], [0], [TokenRead(0, 2, 0), TokenRead(0, 3, 1)])),
        PlacedTree(2, 2, Tree([6], [0], [0], [TokenRead(0, 7, 1)])),
    ]


def test_what_each_place_sees_by_hand() -> None:
    # 0 <- 1 <- 2, and 3 alone
    assert with_ancestors(torch.tensor([[0, 0, 1, 3]]), 2).int().tolist() == [
        [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 0, 1]]
    ]


IDS = st.lists(st.integers(0, 3), min_size=1, max_size=6)


@given(st.lists(IDS, min_size=1, max_size=12), st.integers(1, 10))
def test_every_token_but_the_first_is_read_once_after_those_before_it(drawn: list[list[int]], width: int) -> None:
    choices = tuple(tuple(choice) for choice in drawn)
    read: dict[int, list[tuple[int, int]]] = {}
    for tree in trees_of(choices, width):
        assert len(tree.tokens) <= max(width, max(map(len, choices)) - 1)
        for place, token, choice in tree.reads:
            path = [place]
            while tree.parents[path[0]] != path[0]:
                path.insert(0, tree.parents[path[0]])
            assert tuple(tree.tokens[at] for at in path) == choices[choice][: len(path)]
            assert [tree.depths[at] for at in path] == list(range(len(path)))
            assert path == sorted(path)
            read.setdefault(choice, []).append((len(path), token))
        beginnings = [(tree.parents[at] if tree.depths[at] else -1, tree.tokens[at]) for at in range(len(tree.tokens))]
        assert len(set(beginnings)) == len(beginnings)  # what choices have in common stands there once
    for number, whole in enumerate(choices):
        assert sorted(read.get(number, [])) == [(at, token) for at, token in enumerate(whole) if at]


@pytest.mark.parametrize("batch_tokens", [300, 2048])
def test_choices_that_begin_alike_score_as_alone(tiny_model: Path, batch_tokens: int) -> None:
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(tiny_model).eval()
    rng = random.Random(0)
    words = [[rng.randrange(3, 250) for _ in range(rng.randint(1, 3))] for _ in range(12)]
    choices = [[*rng.choice(words), *rng.choice(words), *rng.choice(words)] for _ in range(90)]
    choices += choices[:2]  # the same choice twice
    queries = [[rng.randrange(3, 250) for _ in range(n)] for n in (3, 17, 40)]
    found = engine(model, batch_tokens=batch_tokens).score([9, 8, 7], queries, [choices] * 3)
    for query, own in zip(queries, found, strict=True):
        assert own == pytest.approx([plain_score(model, [9, 8, 7, *query], choice) for choice in choices], abs=1e-4)
