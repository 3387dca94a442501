"""Draw the pictures of the task parcel-marks: python -m scripts.tasks.parcel_marks.generate [OUT_FOLDER]"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.random import RandomState
from PIL import ImageDraw

from scripts.tasks.pictures import FINE, SIDE, clutter, colour, ground, photographed, photographs, points, write

TASK = Path(__file__).parents[3] / "tasks" / "parcel-marks"
COUNTS = {"train": 20, "validation": 8, "test": 25}  # pictures of each mark
Outline = list[tuple[float, float]]


def arc(x: float, y: float, wide: float, high: float, first: float = 0, last: float = 360) -> Outline:
    """Points of an ellipse from an angle to another, in degrees."""
    return [(x + wide * np.cos(a), y + high * np.sin(a)) for a in np.deg2rad(np.linspace(first, last, 24))]


def box(left: float, top: float, right: float, bottom: float) -> Outline:
    """Corners of a rectangle."""
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


# What a mark consists of, in a square from -1 to 1; what overlaps, is drawn over each other.
MARKS: dict[str, list[Outline]] = {
    "acorn": [arc(0, 0.25, 0.5, 0.7), arc(0, -0.2, 0.65, 0.4, 180, 360), box(-0.08, -0.9, 0.08, -0.55)],
    "bell": [[*arc(0, -0.25, 0.45, 0.6, 180, 360), (0.75, 0.55), (-0.75, 0.55)], arc(0, 0.7, 0.16, 0.16)],
    "boat": [[(-0.95, 0.35), (0.95, 0.35), (0.6, 0.8), (-0.6, 0.8)], [(-0.05, -0.9), (-0.05, 0.25), (-0.75, 0.25)],
             [(0.08, -0.7), (0.08, 0.25), (0.65, 0.25)]],
    "hive": [arc(0, -0.6, 0.35, 0.22), arc(0, -0.2, 0.55, 0.24), arc(0, 0.2, 0.7, 0.26), arc(0, 0.6, 0.75, 0.26)],
    "kettle": [arc(0, 0.25, 0.6, 0.55), [(0.45, 0.2), (0.95, -0.35), (0.98, -0.1), (0.55, 0.5)],
               [*arc(0, -0.2, 0.5, 0.6, 180, 360), *reversed(arc(0, -0.2, 0.36, 0.46, 180, 360))]],
    "key": [[*arc(-0.5, 0, 0.42, 0.42), *reversed(arc(-0.5, 0, 0.2, 0.2))], box(-0.1, -0.1, 0.95, 0.1),
            box(0.45, 0.1, 0.6, 0.45), box(0.75, 0.1, 0.9, 0.38)],
    "lantern": [box(-0.4, -0.45, 0.4, 0.55), [(-0.55, -0.45), (0, -0.95), (0.55, -0.45)], box(-0.55, 0.55, 0.55, 0.75)],
    "leaf": [[*arc(-0.6, 0, 1.1, 1.1, -50, 50), *arc(0.6, 0, 1.1, 1.1, 130, 230)], box(-0.06, 0.7, 0.06, 1.0)],
    "quill": [[(-0.75, 0.95), (-0.65, 0.9), (0.1, 0.15), (0.85, -0.95), (-0.15, -0.5), (-0.4, 0.1), (-0.55, 0.55)]],
    "spool": [box(-0.65, -0.85, 0.65, -0.55), box(-0.4, -0.55, 0.4, 0.55), box(-0.65, 0.55, 0.65, 0.85)],
}  # fmt: skip


def main(folder: Path) -> None:
    """Write `pictures.parquet` into `folder`."""
    rng = RandomState(20260101)
    write(folder, {split: list(photographs(MARKS, count, mark, rng)) for split, count in COUNTS.items()})


def mark(label: str, rng: RandomState) -> bytes:
    """A mark as stamped on a parcel: turned, worn, among other ink."""
    picture, edge = ground(rng), SIDE * FINE
    clutter(picture, rng, int(rng.randint(0, 5)))
    ink, pen = colour(rng, 0, 150), ImageDraw.Draw(picture)
    size, turn = edge * rng.uniform(0.2, 0.36), rng.uniform(-40, 40)
    middle = (edge * rng.uniform(0.38, 0.62), edge * rng.uniform(0.38, 0.62))
    outlined = rng.rand() < 0.35
    for outline in MARKS[label]:
        corners = points(outline, turn, size, middle)
        if outlined:
            pen.line([*corners, *corners[:2]], fill=ink, width=int(rng.randint(FINE, 2 * FINE + 1)))
        else:
            pen.polygon(corners, fill=ink)
    clutter(picture, rng, int(rng.randint(0, 4)))
    return photographed(picture, rng)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else TASK)
