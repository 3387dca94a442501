"""The whole suite against the same by hand: nothing is searched, and both sides write the same prompts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import methods
from bench.config import suite as suites
from bench.config.search_space import grid
from bench.core.method import Material
from bench.model.resolve import MINI
from scripts.peers import cases, whole_suite
from scripts.peers.cases import CASES
from tasks.loader.splits import sample

ASKED = {"dtype": "float32", "train_batch": 16, "items": 24, "threads": 1}
NAMES = [name for name, case in CASES.items() if case.kind == "suite"]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_left_to_choose(name: str, tmp_path: Path) -> None:
    file = tmp_path / "suite.yaml"
    file.write_text(yaml.safe_dump(whole_suite.suite(CASES[name], MINI, ASKED)))
    asked = suites.labelled_methods(suites.load(file))
    assert [each.method.name for each in asked.values()] == [*whole_suite.PROMPTED, *whole_suite.TRAINED]
    assert not any(grid(each.method) for each in asked.values())


@pytest.mark.parametrize("name", NAMES)
def test_worked_examples_by_hand_are_ours(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole_suite, "embedder_folder", lambda: tmp_path)
    case, items = CASES[name], 24
    known = whole_suite.material(case, MINI, tmp_path, items)
    task = case.task()
    train = sample(task.train, items, 0)
    context = methods.create("few-shot", {"k": case.shots}).context.build(
        Material(task.name, task.prompt, train, (), (), seed=0, index=cases.never)
    )
    shared = [block.written for block in context.shared]
    assert [known["train"][i]["solved"] for i in known["shots"]] == shared
    assert len(shared) == case.shots
    assert len(known["train"]) == len(known["test"]) == items


def test_arms_are_compared() -> None:
    def side(steps: int, *answers: str) -> dict[str, Any]:
        prompted = {arm: {"answers": answers, "scores": [[-1.0], [-2.0 - steps]]} for arm in whole_suite.PROMPTED}
        trained = {arm: {"steps": steps} for arm in whole_suite.TRAINED}
        return {"answers": {**prompted, **trained}}

    equal, apart = whole_suite.compared(side(6, "a", "b"), side(6, "a", "c"))
    assert equal == dict.fromkeys(whole_suite.PROMPTED, 0.5)
    assert apart == 0
    with pytest.raises(SystemExit, match="6 steps here, 5 there"):
        whole_suite.compared(side(6, "a"), side(5, "a"))
