"""What a model says of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.core.identity import Identity, ModelIdentity
from bench.model import card
from bench.model.resolve import MINI, ModelSpec, resolve


@pytest.mark.parametrize(
    ("text", "nature"),
    [
        ("---\ntags: [text-generation, toy-model]\n---\n# x\n", "toy"),
        ("---\ntags:\n- random-weights\n---\n", "random"),
        ("---\nlicense: mit\n---\n", ""),
        ("---\ntags: toy-model of mine\n---\n", ""),
        ("---\ntags: [{a: b}, 7]\n---\n", ""),
        ("---\ntags: [\n---\n", ""),
        ("# no front matter, toy-model\n", ""),
    ],
)
def test_tags_of_a_card(text: str, nature: str, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(text)
    assert card.nature(tmp_path) == nature


def test_a_folder_without_a_card_says_nothing(tmp_path: Path) -> None:
    assert card.nature(tmp_path) == ""


def test_the_models_that_come_along_say_what_they_are() -> None:
    assert resolve(ModelSpec(path="mini")).nature == "toy"
    assert resolve(ModelSpec(path=str(MINI))).nature == "toy"  # whatever it is called
    assert resolve(ModelSpec(path="tiny-random")).nature == "random"


def test_it_is_no_part_of_a_key() -> None:
    assert Identity(model=ModelIdentity("a", nature="toy")).content() == Identity(model=ModelIdentity("a")).content()


def test_a_model_that_is_the_folder_at_hand_is_called_as_it(tiny_model: Path) -> None:
    assert resolve(ModelSpec(path="."), tiny_model).name == tiny_model.name
