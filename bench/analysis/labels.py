"""Which label was right and which was answered, item by item, of choice tasks whose items share their labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.core.record import Record, Run
from bench.store.lines import Line
from bench.store.run_folder import read_predictions

NO_ANSWER = "no answer"


@dataclass(frozen=True, slots=True)
class Confusion:
    """How often each label was answered where another was right, of all seeds of one method."""

    labels: tuple[str, ...]  # the most frequent first; one that no method ever answered has no known text
    counts: NDArray[np.int64]  # [right label, answered label]; the last column counts items without an answer

    def scores(self) -> NDArray[np.float64]:
        """Precision, recall and F1 of each label [labels, 3]; 0 where a label was neither answered nor right."""
        hits = np.diag(self.counts[:, :-1]).astype(np.float64)
        answered, right = self.counts[:, :-1].sum(axis=0), self.counts.sum(axis=1)
        parts = (_share(hits, answered), _share(hits, right), _share(2 * hits, answered + right))
        return np.column_stack(parts)


def _share(part: NDArray[np.float64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def right_labels(lines: Sequence[Line]) -> list[int] | None:
    """The label of each item; None where the choices are each item's own, or the lines do not say which is right."""
    counts = [line.get("counts", {}).get("macro_f1") for line in lines]
    labels = [count[0] for count in counts if count]  # macro-F1 counts the label of an item and that of its answer
    if len(labels) == len(lines):
        return labels
    places = [line["right"] for line in lines if "right" in line]
    return places if len(places) == len(lines) and _same_choices(lines) else None


def _same_choices(lines: Sequence[Line]) -> bool:
    """Whether a place among the choices is the same text for every item, as far as the answers show."""
    texts: dict[int, set[str]] = {}
    for line in lines:
        if line.get("order"):
            texts.setdefault(line["order"][0], set()).add(line["output"])
    return 0 < len(texts) < len(lines) and all(len(found) == 1 for found in texts.values())


def confusions(run: Run, methods: Mapping[str, Sequence[Record]]) -> dict[str, Confusion]:
    """The confusion of each method of one choice task, with the same labels in the same order; {} without such labels.

    Raises:
        UsageError: predictions that cannot be read.
    """
    files = {name: [read_predictions(run.path, one.key) for one in records] for name, records in methods.items()}
    every = [lines for own in files.values() for lines in own]
    rights = [right_labels(lines) for lines in every]
    if not every or any(right is None for right in rights):
        return {}
    frequent = Counter(label for right in rights for label in right or ())
    answers = {label: line["output"] for lines in every for line in lines if (label := _answered(line)) is not None}
    known = [label for label, _ in sorted(frequent.items(), key=lambda pair: (-pair[1], answers.get(pair[0], "")))]
    known += sorted(set(answers) - set(known), key=answers.__getitem__)  # answered, and never right
    places = {label: place for place, label in enumerate(known)}
    labels = tuple(answers.get(label, f"never answered {place + 1}") for label, place in places.items())
    return {name: Confusion(labels, _counts(own, places)) for name, own in files.items()}


def _answered(line: Line) -> int | None:
    count = line.get("counts", {}).get("macro_f1")
    if line.get("failure") or not (count or line.get("order")):
        return None
    return int(count[1] if count else line["order"][0])


def _counts(files: Sequence[Sequence[Line]], places: Mapping[int, int]) -> NDArray[np.int64]:
    found = np.zeros((len(places), len(places) + 1), dtype=np.int64)
    for lines in files:
        for right, line in zip(right_labels(lines) or (), lines, strict=True):
            answer = _answered(line)
            found[places[right], -1 if answer is None else places[answer]] += 1
    return found
