"""Recommendation without a language model: counts worked out by hand, factors by numpy's dense decomposition."""

from __future__ import annotations

import dataclasses
import json
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import methods
from bench.adapt.recommending import WORDS, by_counts, by_factors
from bench.core.errors import CellError
from bench.core.item import Example
from bench.core.purchases import Products
from bench.core.task import History
from methods.matrix_factorisation import MatrixFactorisationOptions
from methods.popularity import PopularityOptions
from tests.small import cells_of, measure, write_suite
from tests.toy import adapted, choice_task, shop_task

COLUMN = History("history")
OFFER = ("cup", "tea", "pot")
TRAIN = tuple(
    Example(f"train/{i}", {"history": history}, OFFER, (bought,))
    for i, (history, bought) in enumerate(
        [("Tea, then a CUP (twice: cup)", "pot"), ("a cup", "pot"), ("nothing but a pot", "tea")]
    )
)


def write_shop(folder: Path, **spec: Any) -> None:
    """`shop_task` as a task's folder."""
    task = shop_task()
    (folder / "shop").mkdir()
    for name in ("train", "validation", "test"):
        rows = (
            {"id": e.id, **e.fields, "items": list(e.choices), "next": e.references[0]} for e in getattr(task, name)
        )
        (folder / "shop" / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    content = {
        "name": "shop", "kind": "choice", "template": task.prompt.template, "answer": "next",
        "choices_field": "items", "history": "history", **spec,
        "splits": {split: f"{split}.jsonl" for split in ("train", "validation", "test")},
    }  # fmt: skip
    (folder / "shop" / "task.yaml").write_text(yaml.safe_dump(content))


@pytest.mark.parametrize(
    ("history", "bought"),
    [
        ("A Saw  File in May; oil", ["saw file", "oil"]),  # the longest name, whatever case and spaces
        ("sawfile, saws, boil", []),  # no parts of words
        ("saw, saw file, saw", ["saw", "saw file"]),
        ("1. Vim-oil 2. C# and C++", ["oil", "C#", "C++"]),
        ("买了茶壶和茶", ["茶壶", "茶"]),
        ("", []),
    ],
)
def test_products_are_found_by_name(history: str, bought: list[str]) -> None:
    names = ["oil", "saw", "saw file", "C", "C#", "C++", "茶", "茶壶"]
    found = Products(names, WORDS).bought(history)
    assert [names[column] for column in found] == sorted(bought, key=names.index)


def test_a_separator_takes_whole_names() -> None:
    products = Products(["saw", "saw file"], WORDS, "|")
    assert products.bought("SAW | saw of oak | saw  file") == [0, 1]
    assert products.bought("a saw file") == []


def test_with_a_separator_products_that_were_never_on_offer_count() -> None:
    train = [Example("a", {"history": "jug| cup"}, OFFER, ("pot",)), Example("b", {"history": "JUG"}, OFFER, ("tea",))]
    options = PopularityOptions.model_validate({"counts": "purchases"})
    found = by_counts(train, History("history", "|"), options).likelihoods("", ("jug", "cup", "tea"))
    assert found == pytest.approx([math.log(share / 7) for share in (3, 2, 2)])  # bought by 2, 1 and 1, each 1 more
    without = by_counts(train, COLUMN, options).likelihoods("", ("jug", "cup", "tea"))
    assert without == pytest.approx([math.log(share / 5) for share in (1, 2, 2)])  # nobody offered a jug


@given(st.lists(st.text("ab ", min_size=1).filter(str.strip), min_size=1, unique_by=lambda name: tuple(name.split())),
       st.randoms())  # fmt: skip
def test_every_product_of_a_list_is_found(names: list[str], rng: random.Random) -> None:
    bought = rng.sample(range(len(names)), rng.randint(1, len(names)))
    text = " ; ".join(names[column].upper() for column in bought)
    assert Products(names, WORDS).bought(text) == sorted(bought)
    assert Products(names, WORDS, ";").bought(text) == sorted(bought)


@pytest.mark.parametrize(("counts", "shares"), [("answers", (1, 2, 3, 1)), ("purchases", (3, 3, 4, 1))])
def test_popularity_is_counted_by_hand(counts: str, shares: tuple[int, ...]) -> None:
    """Answers: pot twice, tea once. Customers who bought it: cup 2, tea 2, pot 3. Each has 1 more; the jug is new."""
    fitted = by_counts(TRAIN, COLUMN, PopularityOptions.model_validate({"counts": counts}))
    found = fitted.likelihoods("whatever was bought", (*OFFER, "jug"))
    assert found == pytest.approx([math.log(share / sum(shares)) for share in shares])


def bought_at_random(customers: int, products: int) -> tuple[list[Example], np.ndarray[Any, Any]]:
    """Customers, and 1 in a dense matrix where one bought a product."""
    rng, names = random.Random(0), tuple(f"thing {number}" for number in range(products))
    matrix, train = np.zeros((customers, products)), []
    for row in range(customers):
        *had, bought = rng.sample(range(products), 4)
        matrix[row, [*had, bought]] = 1
        history = {"history": "; ".join(names[column] for column in had)}
        train.append(Example(f"train/{row}", history, names, (names[bought],)))
    return train, matrix


@pytest.mark.parametrize("factors", [1, 5, 11])
def test_factors_are_those_of_a_dense_decomposition(factors: int) -> None:
    train, matrix = bought_at_random(40, 12)
    rows = np.linalg.svd(matrix)[2][:factors]
    fitted = by_factors(train, COLUMN, MatrixFactorisationOptions.model_validate({"factors": factors}))
    for history in ([2], [0, 7, 11]):
        worths = rows[:, history].sum(axis=1) @ rows
        found = fitted.likelihoods(", ".join(f"Thing {column}" for column in history), train[0].choices)
        assert found == pytest.approx(worths - np.log(np.exp(worths).sum()))


def test_more_factors_than_there_are_is_all_there_are() -> None:
    train, _ = bought_at_random(5, 12)
    fitted = by_factors(train, COLUMN, MatrixFactorisationOptions.model_validate({"factors": 99}))
    assert fitted.factors is not None
    assert fitted.factors.shape == (4, 12)


def test_who_bought_nothing_that_is_known_is_offered_what_is_popular() -> None:
    by_answers = by_counts(TRAIN, COLUMN, PopularityOptions.model_validate({"counts": "answers"}))
    fitted = by_factors(TRAIN, COLUMN, MatrixFactorisationOptions.model_validate({"factors": 2}))
    assert fitted.likelihoods("a jug", OFFER) == by_answers.likelihoods("a jug", OFFER)
    assert fitted.likelihoods("tea", OFFER) != by_answers.likelihoods("tea", OFFER)


def test_factors_need_histories() -> None:
    silent = [dataclasses.replace(example, fields={"history": "-"}) for example in TRAIN]
    for train in (silent, TRAIN[:1]):
        with pytest.raises(CellError, match="needs two training items at least, and histories that name products"):
            by_factors(train, COLUMN, MatrixFactorisationOptions.model_validate({"factors": 2}))


def test_options_are_chosen_by_the_metric() -> None:
    task = shop_task(train=30, validation=9)
    made = adapted(task, "popularity", {}, Path("classical"))
    assert made.tuning is not None
    assert (made.tuning.criterion, made.tuning.items) == ("accuracy", 9)
    for trial in made.tuning.trials:
        fitted = by_counts(task.train, COLUMN, PopularityOptions.model_validate(trial.options))
        chosen = [e.choices[int(np.argmax(fitted.likelihoods("", e.choices)))] for e in task.validation]
        right = [choice == e.references[0] for choice, e in zip(chosen, task.validation, strict=True)]
        assert trial.value == pytest.approx(sum(right) / 9)


def test_other_tasks_are_refused() -> None:
    for name in ("popularity", "matrix-factorisation"):
        part = methods.create(name).weights
        assert (
            part.requires(choice_task()) == f"{name} needs a task that says where purchases stand: history in task.yaml"
        )
        assert part.requires(dataclasses.replace(shop_task(), train=())) == f"{name} needs a train split"
        assert part.requires(shop_task()) is None


def test_a_run_has_them_as_rows_with_their_cost(tmp_path: Path, tiny_model: Path) -> None:
    write_shop(tmp_path)
    asked = ["zero-shot", {"popularity": {"counts": "answers"}}, {"matrix-factorisation": {"factors": 3}}]
    models = [str(tiny_model), "classical"]
    outcome, _, run = measure(
        write_suite(tmp_path, tiny_model, models=models, methods=asked, tasks=["shop"]), tmp_path / "run"
    )
    assert outcome.failed == 0
    records = {record.method: record for record in run.records}
    assert records.keys() == {"zero-shot", "popularity", "matrix-factorisation"}
    for name, numbers in (("popularity", 6), ("matrix-factorisation", 6 + 3 * 6)):  # of six products
        assert records[name].phases["train"].wall_s > 0
        assert records[name].phases["train"].flops is None  # unknown, not 0
        assert records[name].latency["served"].p50 > 0
        parameters = records[name].parameters
        assert parameters is not None
        assert parameters.trained == numbers
    assert records["matrix-factorisation"].scores["accuracy"].value == 1.0  # what goes together can be learnt
    assert records["popularity"].scores["accuracy"].value < 1.0


def test_where_purchases_stand_is_part_of_the_keys_of_what_reads_them_alone(tmp_path: Path, tiny_model: Path) -> None:
    keys = []
    for number, history in enumerate(("history", {"column": "history", "separator": ","})):
        folder = tmp_path / str(number)
        folder.mkdir()
        write_shop(folder, history=history)
        models, asked = [str(tiny_model), "classical"], ["zero-shot", "popularity", "matrix-factorisation"]
        _, cells = cells_of(write_suite(folder, tiny_model, models=models, methods=asked, tasks=["shop"]))
        keys.append({cell.label: cell.key for cell in cells})
    same = [label for label in keys[0] if keys[0][label] == keys[1][label]]
    assert same == ["zero-shot"]
