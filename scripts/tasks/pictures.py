"""Pictures that a script draws: from a shape to a photograph of it, and into one Parquet file."""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.random import RandomState
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from pyarrow import parquet

SIDE, FINE = 64, 4  # pixels of a side, and how many times finer a shape is drawn
Colour = tuple[int, int, int]


def colour(rng: RandomState, low: int = 0, high: int = 256) -> Colour:
    """A colour whose channels lie in [low, high)."""
    red, green, blue = (int(value) for value in rng.randint(low, high, 3))
    return red, green, blue


def photographs(
    kinds: Collection[str], count: int, photograph: Callable[[str, RandomState], bytes], rng: RandomState
) -> Iterator[tuple[str, bytes]]:
    """(kind, a photograph of it), so many of each kind, in mixed order."""
    for kind in rng.permutation(np.repeat(sorted(kinds), count)):
        yield str(kind), photograph(str(kind), rng)


def ground(rng: RandomState, low: int = 90, high: int = 245) -> Image.Image:
    """A background that goes over from one colour to another."""
    ends = np.array([colour(rng, low, high), colour(rng, low, high)], dtype=float)
    share = np.linspace(0, 1, SIDE * FINE)[None, :, None]
    row = ends[0] * (1 - share) + ends[1] * share
    wide = np.repeat(row, SIDE * FINE, axis=0).astype(np.uint8)
    return Image.fromarray(wide).rotate(int(rng.randint(4)) * 90)


def clutter(picture: Image.Image, rng: RandomState, count: int) -> None:
    """Draw so many lines and blots across a picture."""
    pen, edge = ImageDraw.Draw(picture), picture.size[0]
    for _ in range(count):
        x, y, a, b = (int(value) for value in rng.randint(0, edge, 4))
        if rng.rand() < 0.6:
            pen.line((x, y, a, b), fill=colour(rng), width=int(rng.randint(2, 3 * FINE)))
        else:
            size = int(rng.randint(FINE, 5 * FINE))
            pen.ellipse((x, y, x + size, y + size), fill=colour(rng))


def photographed(picture: Image.Image, rng: RandomState) -> bytes:
    """A picture at its size, a little blurred, with the noise of a sensor, as JPEG."""
    small = picture.resize((SIDE, SIDE), Image.Resampling.BOX)
    small = small.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.2, 0.9))))
    light = np.asarray(small, dtype=float) * rng.uniform(0.75, 1.15) + rng.normal(
        0, rng.uniform(3, 14), (SIDE, SIDE, 3)
    )
    file = io.BytesIO()
    Image.fromarray(light.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=78)
    return file.getvalue()


def write(folder: Path, splits: Mapping[str, Sequence[tuple[str, bytes]]]) -> None:
    """Write the (label, picture) pairs of each split as `pictures.parquet`."""
    rows = [(f"{split}-{number:03d}", split, label, data)
            for split, pairs in splits.items() for number, (label, data) in enumerate(pairs)]  # fmt: skip
    names, of_split, labels, data = zip(*rows, strict=True)
    pictures = [{"bytes": one, "path": f"{name}.jpg"} for name, one in zip(names, data, strict=True)]
    table = pa.table({"id": names, "split": of_split, "picture": pictures, "label": labels})
    parquet.write_table(table, folder / "pictures.parquet", compression="none")


def points(
    outline: Sequence[tuple[float, float]], turn: float, size: float, middle: tuple[float, float]
) -> list[float]:
    """Corners in [-1, 1] as pixels: turned by degrees, scaled, moved."""
    angle = np.deg2rad(turn)
    turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved: NDArray[np.float64] = np.array(outline) @ turned.T * size + np.array(middle)
    return [float(value) for value in moved.ravel()]
