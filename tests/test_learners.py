"""A weights part names how it learns, and what learns by it asks nothing else of the part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import methods
from bench.adapt.adapt import LEARNERS
from bench.core.errors import NotApplicableError
from bench.core.method import FROZEN, LearnerKind, WeightsPart
from methods.frozen import Frozen
from tests.toy import adapted, choice_task, predictions


class Shifted(Frozen):
    """Answers with weights that it brings: nothing is learnt, yet they are not the base's."""

    name = "shifted"
    learner = LearnerKind(FROZEN.name, reads_train=False, uses_seed=False, moves_weights=True)

    def finish(self, model: Any) -> Any:
        with torch.no_grad():
            for parameter in model.parameters():
                parameter += 0.05
        return model


class Strange(Frozen):
    name = "strange"
    learner = LearnerKind("gradients", reads_train=True, uses_seed=True, moves_weights=True)


def test_every_part_names_a_learner_that_there_is() -> None:
    weights = [part for part in methods.own().values() if issubclass(part, WeightsPart)]
    assert {part.learner.name for part in weights} == set(LEARNERS)


def test_a_part_may_bring_its_weights(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(methods.own(), Shifted.name, Shifted)
    task = choice_task()
    made = adapted(task, "shifted", {}, tiny_model)
    assert (made.training, made.parameters.trained) == (None, 0)
    shifted, plain = (predictions(task, name, {}, tiny_model) for name in ("shifted", "zero-shot"))
    assert [p.scores for p in shifted] != [p.scores for p in plain]
    tuned = adapted(task, "shifted+few-shot", {"k": [1, 2]}, tiny_model).tuning
    assert tuned is not None
    assert tuned.criterion == "accuracy"


def test_an_unknown_learner_is_one_line(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(methods.own(), Strange.name, Strange)
    with pytest.raises(NotApplicableError, match=r'learner of method strange: "gradients".*"gradient"') as caught:
        adapted(choice_task(), "strange", {}, tiny_model)
    assert "\n" not in str(caught.value)
