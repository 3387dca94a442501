"""Changes of pictures while training: what each does to pixels, and that only training sees them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import methods
from bench.core.errors import UsageError
from bench.model.augment import augmented
from tests.pictures import picture_task
from tests.toy import QUICK, adapted, blind, choice_task


def noise(rows: int = 16) -> torch.Tensor:
    return torch.randn(rows, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def test_a_flip_mirrors_some_and_leaves_the_others() -> None:
    torch.manual_seed(0)
    pictures = noise()
    found = augmented(pictures, ("flip",))
    mirrored = [torch.allclose(one, other.flip(-1), atol=1e-5) for one, other in zip(found, pictures, strict=True)]
    same = [torch.allclose(one, other, atol=1e-5) for one, other in zip(found, pictures, strict=True)]
    assert all(a != b for a, b in zip(mirrored, same, strict=True))
    assert 0 < sum(mirrored) < len(pictures)


def test_a_crop_is_a_part_at_the_size_of_the_whole() -> None:
    """Of a ramp from 0 to 1 it is a ramp over the share of the width that is kept, from 0.6^½·(3/4)^½ on."""
    torch.manual_seed(0)
    ramp = torch.linspace(0, 1, 64).expand(16, 3, 64, 64)
    found = augmented(ramp, ("crop",))
    shown = found[:, 0, 0, -1] - found[:, 0, 0, 0]
    assert found.shape == ramp.shape
    assert 0.6 < float(shown.min()) < 0.95
    assert float(shown.max()) <= 1 + 1e-5
    assert float(found.min()) >= 0
    flat = torch.full((4, 3, 8, 8), 0.3)
    torch.testing.assert_close(augmented(flat, ("crop", "flip")), flat)


def test_colours_move_and_shapes_stay() -> None:
    torch.manual_seed(0)
    pictures = noise()
    found = augmented(pictures, ("colour",))
    assert not torch.allclose(found, pictures, atol=0.05)
    for one, other in zip(found, pictures, strict=True):
        both = torch.stack([one.mean(0).flatten(), other.mean(0).flatten()])
        assert float(torch.corrcoef(both)[0, 1]) == pytest.approx(1, abs=1e-4)  # brightness and contrast are linear
    grey = noise()[:, :1].expand(-1, 3, -1, -1)
    changed = augmented(grey, ("colour",))
    torch.testing.assert_close(changed[:, 0], changed[:, 2])


@pytest.mark.parametrize(
    ("given", "kept"), [([], "none"), ("none", "none"), ("crop", "crop"), (["colour", "flip"], "flip+colour")]
)
def test_names_have_one_order(given: Any, kept: str) -> None:
    assert methods.create("full", {"augment": given}).weights.options.augment == kept


@pytest.mark.parametrize("given", ["turn", ["flip", "flip"], 3])
def test_other_names_are_refused(given: Any) -> None:
    with pytest.raises(UsageError, match=r"augment.*none, or a list of flip, crop, colour"):
        methods.create("full", {"augment": given})


def test_texts_have_none_of_it() -> None:
    made = methods.create("lora", {"augment": "flip"}).weights
    assert made.requires(choice_task()) == "lora with augment needs a task of pictures"
    assert made.requires(picture_task()) is None


@pytest.mark.parametrize("method", ["full", "lora"])
def test_training_sees_them_and_answering_does_not(method: str, seeing: Path) -> None:
    task = picture_task()
    plain, changed = (
        adapted(task, method, {**QUICK, "augment": each}, seeing) for each in ("none", ["crop", "colour"])
    )
    first, again = (changed.predictor.predict(blind(task.test)) for _ in range(2))
    assert [one.scores for one in first] == [one.scores for one in again]
    assert first[0].scores != plain.predictor.predict(blind(task.test))[0].scores
