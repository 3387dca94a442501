"""Random changes of pictures while a model is trained on them, drawn from torch's generator."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

_LEAST_AREA, _LEAST_ASPECT = 0.6, 3 / 4  # of a crop, of the whole
_JITTER = 0.2  # share by which brightness, contrast and saturation change at most


def augmented(pictures: Tensor, changes: Collection[str]) -> Tensor:
    """Pictures [rows, channels, height, width], each changed in its own way.

    flip: mirrored left to right, every second one. crop: a part of 60% to 100% of the area, its sides stretched by up
    to 4/3, at the size of the whole. colour: brightness, contrast and saturation by up to a fifth.
    """
    if {"flip", "crop"} & set(changes):
        pictures = _moved(pictures, "flip" in changes, "crop" in changes)
    return _coloured(pictures) if "colour" in changes else pictures


def _moved(pictures: Tensor, flips: bool, crops: bool) -> Tensor:
    rows = len(pictures)
    sides, middle = torch.ones(rows, 2), torch.zeros(rows, 2)
    if crops:
        side = torch.empty(rows).uniform_(_LEAST_AREA, 1).sqrt()
        aspect = torch.empty(rows).uniform_(_LEAST_ASPECT, 1 / _LEAST_ASPECT).sqrt()
        sides = torch.stack([side * aspect, side / aspect], 1).clamp(max=1)
        middle = (1 - sides) * torch.empty(rows, 2).uniform_(-1, 1)
    if flips:
        sides[:, 0] *= torch.where(torch.rand(rows) < 0.5, -1.0, 1.0)
    places = torch.cat([torch.diag_embed(sides), middle[:, :, None]], 2).to(pictures)
    grid = affine_grid(places, list(pictures.shape), align_corners=False)
    return grid_sample(pictures, grid, padding_mode="border", align_corners=False)


def _coloured(pictures: Tensor) -> Tensor:
    light, contrast, saturation = (
        torch.empty(len(pictures), 1, 1, 1).uniform_(-_JITTER, _JITTER).to(pictures) for _ in range(3)
    )
    spread = pictures.std(dim=(1, 2, 3), keepdim=True)
    middle = pictures.mean(dim=(1, 2, 3), keepdim=True)
    contrasted = middle + (pictures - middle) * (1 + contrast) + light * spread
    grey = contrasted.mean(dim=1, keepdim=True)
    return grey + (contrasted - grey) * (1 + saturation)
