"""Writes test.jsonl and train.jsonl of world-facts: python -m scripts.tasks.world_facts.generate [OUT_FOLDER]."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.tasks.choices import offered
from scripts.tasks.world import Fact, Relation, relations, say

PROBE = 600  # facts that the probe asks; the others are marked "rest"
FLOOR = 5  # of these at least this many of each relation, where it has as many
EXAMPLES = 48  # worked examples, about facts that the probe does not ask

Row = dict[str, Any]


def main(folder: Path) -> None:
    """Writes both files into `folder`."""
    every = list(relations())
    _check(every)
    probed = probe(every)
    _write(folder / "test.jsonl", test_rows(every, probed))
    _write(folder / "train.jsonl", train_rows(every, probed))


def probe(every: Sequence[Relation]) -> dict[str, set[str]]:
    """Relation -> subjects that the probe asks about: a fixed draw from each relation in its proportion."""
    shares = quotas([len(relation.rows) for relation in every], PROBE, FLOOR)
    found = {}
    for relation, share in zip(every, shares, strict=True):
        rng = random.Random(f"world-facts probe {relation.name}")
        found[relation.name] = {_key(fact) for fact in rng.sample(relation.rows, share)}
    return found


def quotas(sizes: Sequence[int], total: int, floor: int) -> list[int]:
    """How many of each part make `total`: at least `floor` (or all) of each, the rest in proportion to size.

    What rounding leaves over goes to the largest remainders, the earlier part first.
    """
    base = [min(size, floor) for size in sizes]
    spare = [size - least for size, least in zip(sizes, base, strict=True)]
    left = total - sum(base)
    exact = [left * one / sum(spare) for one in spare]
    whole = [int(one) for one in exact]
    order = sorted(range(len(sizes)), key=lambda part: (whole[part] - exact[part], part))
    for part in order[: left - sum(whole)]:
        whole[part] += 1
    return [least + one for least, one in zip(base, whole, strict=True)]


def test_rows(every: Sequence[Relation], probed: Mapping[str, set[str]]) -> list[Row]:
    """One row for each fact, with the question that no training corpus holds."""
    rows: list[Row] = []
    for relation in every:
        for fact in relation.rows:
            part = "probe" if _key(fact) in probed[relation.name] else "rest"
            rows.append(_row(f"test-{len(rows) + 1:04d}", relation, fact, relation.held_out) | {"part": part})
    return rows


def train_rows(every: Sequence[Relation], probed: Mapping[str, set[str]]) -> list[Row]:
    """Worked examples about other facts in other words: every relation once, then the larger ones again."""
    rng = random.Random("world-facts train")
    spare = {one.name: [fact for fact in one.rows if _key(fact) not in probed[one.name]] for one in every}
    largest = sorted(every, key=lambda one: -len(one.rows))
    chosen = ([one for one in every if spare[one.name]] + largest)[:EXAMPLES]
    rows: list[Row] = []
    for number, relation in enumerate(chosen, start=1):
        fact = spare[relation.name].pop(rng.randrange(len(spare[relation.name])))
        rows.append(_row(f"train-{number:04d}", relation, fact, rng.choice(relation.questions)))
    return rows


def _row(name: str, relation: Relation, fact: Fact, template: str) -> Row:
    choices = offered(f"world-facts {relation.name} {_key(fact)}", fact.object, relation.alternatives(fact))
    row = {"id": name, "question": say(template, fact), "choices": choices, "answer": fact.object}
    return row | {"relation": relation.name}


def _key(fact: Fact) -> str:
    """What tells a fact from the others of its relation: several units may stand in one whole."""
    return json.dumps(fact.values, ensure_ascii=False, sort_keys=True)


def _check(every: Sequence[Relation]) -> None:
    """Raises ValueError where one question would stand twice, or with two answers."""
    asked = [say(relation.held_out, fact) for relation in every for fact in relation.rows]
    twice = sorted({text for text in asked if asked.count(text) > 1})
    if twice:
        raise ValueError(f"asked twice: {twice}")


def _write(file: Path, rows: Iterable[Row]) -> None:
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    file.write_bytes(lines.encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[3] / "tasks" / "world-facts")
