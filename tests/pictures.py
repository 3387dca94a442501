"""Tiny models of pictures with random weights, and a task of pictures of one colour each."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

from PIL import Image

from bench.core.item import Example
from bench.core.picture import Picture
from bench.core.prompt import Prompt
from bench.core.task import Task

COLOURS = {"red": (200, 30, 30), "green": (30, 200, 30), "dark blue": (10, 10, 120)}
SIDE = 16


def png(colour: tuple[int, int, int], side: int = SIDE) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(file, "PNG")
    return file.getvalue()


def picture(name: str, colour: tuple[int, int, int]) -> Picture:
    data = png(colour)
    return Picture(f"{name}.png", hashlib.sha256(data).hexdigest(), None, data)


def picture_task(train: int = 12, validation: int = 4, test: int = 6) -> Task:
    """Which of three colours a picture has; all pictures differ a little, and every label occurs."""

    def split(name: str, count: int, shade: int) -> tuple[Example, ...]:
        return tuple(_example(name, number, shade + number) for number in range(count))

    splits = split("train", train, 0), split("validation", validation, 20), split("test", test, 30)
    return Task("painted", "choice", Prompt("", "{file}"), *splits, metrics=("accuracy",),
                picture_field="file", digest="painted")  # fmt: skip


def _example(split: str, number: int, shade: int) -> Example:
    label = list(COLOURS)[number % 3]
    red, green, blue = COLOURS[label]
    seen = picture(f"{split}{number}", (red + shade, green + shade, blue + shade))
    return Example(f"{split}/{number}", {"file": seen.digest}, tuple(COLOURS), (label,), picture=seen)


def write_processor(folder: Path, side: int = SIDE) -> None:
    """How pictures are made for a model: squeezed to side × side, from -1 to 1."""
    settings = {
        "image_processor_type": "ViTImageProcessor", "size": {"height": side, "width": side},
        "do_normalize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "do_rescale": True,
        "rescale_factor": 1 / 255, "do_resize": True, "resample": 2,
    }  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))


def build_transformer(folder: Path) -> Path:
    """A vision transformer of two blocks and 32 numbers for each of four patches."""
    import torch
    from transformers import ViTConfig, ViTForImageClassification

    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, image_size=SIDE,
        patch_size=8, initializer_range=0.2,
    )  # fmt: skip
    ViTForImageClassification(config).save_pretrained(folder)
    write_processor(folder)
    return folder


def build_convolutional(folder: Path) -> Path:
    """A residual network with batch normalisation."""
    import torch
    from transformers import ResNetConfig, ResNetForImageClassification

    torch.manual_seed(0)
    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
    ResNetForImageClassification(config).save_pretrained(folder)
    write_processor(folder, 32)
    return folder
