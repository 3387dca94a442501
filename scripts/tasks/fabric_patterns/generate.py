"""Draw the pictures of the task fabric-patterns: python -m scripts.tasks.fabric_patterns.generate [OUT_FOLDER]"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray
from PIL import Image

from scripts.tasks.pictures import FINE, SIDE, colour, photographed, photographs, write

TASK = Path(__file__).parents[3] / "tasks" / "fabric-patterns"
COUNTS = {"train": 10, "test": 15}  # pictures of each pattern
Field = NDArray[Any]

# Where the second colour stands, of coordinates in units of the pattern.
PATTERNS: dict[str, Callable[[Field, Field], Field]] = {
    "checked": lambda x, y: (np.floor(x) + np.floor(y)) % 2,
    "dotted": lambda x, y: np.hypot(x % 1 - 0.5, y % 1 - 0.5) < 0.28,
    "striped": lambda x, y: x % 1 < 0.5,
    "wavy": lambda x, y: (x + 0.3 * np.sin(2 * np.pi * y / 2)) % 1 < 0.5,
    "zigzag": lambda x, y: (x + np.abs(y % 2 - 1)) % 1 < 0.5,
    "latticed": lambda x, y: (x % 1 < 0.18) | (y % 1 < 0.18),
    "ringed": lambda x, y: np.abs(np.hypot(x % 1 - 0.5, y % 1 - 0.5) - 0.32) < 0.1,
    "bricked": lambda x, y: (y % 1 < 0.14) | ((x / 2 + 0.5 * (np.floor(y) % 2)) % 1 < 0.08),
}


def main(folder: Path) -> None:
    """Write `pictures.parquet` into `folder`."""
    rng = RandomState(20260102)
    write(folder, {split: list(photographs(PATTERNS, count, fabric, rng)) for split, count in COUNTS.items()})


def fabric(label: str, rng: RandomState) -> bytes:
    """A piece of fabric, turned and at some distance."""
    y, x = np.mgrid[0 : SIDE * FINE, 0 : SIDE * FINE] / (FINE * rng.uniform(6, 13))
    angle, (right, down) = np.deg2rad(rng.uniform(-35, 35)), rng.uniform(0, 9, 2)
    turned = x * np.cos(angle) - y * np.sin(angle) + right, x * np.sin(angle) + y * np.cos(angle) + down
    share = np.asarray(PATTERNS[label](*turned), dtype=float)[..., None]
    first, second = np.array(colour(rng, 0, 140)), np.array(colour(rng, 120, 256))
    return photographed(Image.fromarray((first * share + second * (1 - share)).astype(np.uint8)), rng)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else TASK)
