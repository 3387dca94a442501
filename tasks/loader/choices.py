"""The choices that all items of a task share: listed, in a file, or the labels that occur in train."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.core.json_text import parse
from bench.core.quoting import listed, shown
from tasks.loader.examples import shown_labels, skeleton
from tasks.loader.manifest import spec_file
from tasks.loader.paths import resolve
from tasks.loader.problems import Problems
from tasks.loader.rows import Table, decode, text_of
from tasks.loader.spec import TaskSpec, labels_of


@dataclass(frozen=True, slots=True)
class Choices:
    """`labels` maps stored to shown; None where each item has its own choices, or the task has none."""

    labels: Mapping[str, str] | None = None
    known: bool = True  # False where they could not be found, so that no row can be read
    notes: tuple[str, ...] = ()


def find_choices(folder: Path, spec: TaskSpec, train: Table | None, problems: Problems) -> Choices:
    """The choices that all items share, distinct as shown; problems where they are wrong or missing."""
    if spec.kind != "choice" or spec.choices_field:
        return Choices()
    file, notes = spec_file(folder), tuple[str, ...]()
    if spec.choices is not None:
        stored: Mapping[str, str] | None = spec.choices
    elif spec.choices_file:
        path, file = resolve(folder, spec.choices_file)
        stored = _from_file(path, file, problems)
    else:
        stored = _from_train(spec, train, file, problems)
        notes = (f"choices: the {len(stored)} labels that occur in train, sorted",) if stored else ()
    if stored is None:
        return Choices(known=False)
    labels = shown_labels(stored, spec.choice_words)
    _check_distinct(labels, file, problems)
    return Choices(labels, known=True, notes=notes)


def _from_file(path: Path, file: str, problems: Problems) -> dict[str, str] | None:
    if not path.is_file():
        problems.add(file, "no such file, which choices_file names", "correct the path or put the file there")
        return None
    text = decode(path.read_bytes(), file, problems)
    if text is None:
        return None
    try:
        is_json = text.lstrip().startswith(("[", "{"))
        lines = [line for line in text.split("\n") if line.strip()]
        labels = labels_of(parse(text) if is_json else lines)
    except ValueError as error:
        problems.add(file, f"no list of choices ({error})", "write a JSON list, or one choice on each line")
        return None
    if len(labels) < 2:
        problems.add(file, f"{len(labels)} choices", "a choice needs two or more")
    return labels


def _from_train(spec: TaskSpec, train: Table | None, file: str, problems: Problems) -> dict[str, str] | None:
    if train is None:
        if spec.sources.train is None:
            problems.add(file, "no choices, and no train split to take them from", "add choices")
        return None
    if spec.answer not in train.columns or not train.rows:
        return None  # reported with the other missing columns, or as an empty split
    found = set()
    for row in train.rows:
        try:
            label = text_of(row.get(spec.answer))
        except TypeError:
            continue  # reported with its row
        if label is not None:
            found.add(label.strip())
    if len(found) < 2:
        what = f"{len(found)} distinct label in column {shown(spec.answer)}"
        problems.add(train.file, what, "a choice needs two or more: add choices")
    return {label: label for label in sorted(found)}


def _check_distinct(labels: Mapping[str, str], file: str, problems: Problems) -> None:
    for alike in look_alikes(labels).values():
        same = len({labels[key] for key in alike}) == 1
        ends = f"are both shown as {shown(labels[alike[0]])}" if same else "look alike"
        problems.add(file, f"{_told_apart(alike)} {ends}", "show each choice differently: choices: {stored: shown}")


def look_alikes(labels: Mapping[str, str]) -> dict[str, list[str]]:
    """Skeleton -> stored labels, of those that differ by nothing, or by case, width or invisible signs alone."""
    groups: dict[str, list[str]] = {}
    for stored, label in labels.items():
        groups.setdefault(skeleton(label), []).append(stored)
    return {seen: alike for seen, alike in groups.items() if len(alike) > 1}


def _told_apart(labels: Sequence[str]) -> str:
    """The labels in a line, in ASCII where two would be printed alike."""
    composed = {unicodedata.normalize("NFC", label) for label in labels}
    return listed(labels if len(composed) == len(labels) else [ascii(label)[1:-1] for label in labels])
