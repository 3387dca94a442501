"""Three splits that share no question, no document and no sentence to learn by heart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from bench.authoring.column_guess import Guess, Row, answers_of
from bench.core.errors import UsageError
from bench.core.hashing import sha256
from bench.core.quoting import listed, shown
from tasks.loader.rows import text_or_none

SPLITS = ("train", "validation", "test")
_SHARES = {"test": 0.2, "validation": 0.1}  # the rest is train
_LARGEST = 0.5  # share of all questions that may hang together before rows are kept together by less
_FEWEST = 3  # groups that three splits need

Keys = Callable[[Row], tuple[str, ...]]


def question_of(row: Row, guessed: Guess) -> str:
    """What the prompt asks of a row: the same text is the same item."""
    columns = (guessed.passage, guessed.question)
    return "\n".join((text_or_none(row.get(name)) or "").rstrip(" \t") for name in columns if name)


def divided(splits: dict[str, list[Row]], guessed: Guess) -> dict[str, list[Row]]:
    """Three splits without a common question; what is missing is taken out of train by hash, in groups of rows.

    Raises UsageError where rows are too few for three splits.
    """
    given = [split for split in ("train", "test") if split in splits]
    if len(given) == 2:
        _say_shared(splits, guessed)
    missing = [split for split in _SHARES if split not in splits]
    if missing:
        total = len({question_of(row, guessed) for row in splits["train"]})
        groups = _settled_groups(splits["train"], guessed)
        for split in missing:
            count = max(1, round(_SHARES[split] * total))
            splits["train"], splits[split] = _taken(splits["train"], groups, count, guessed, split)
    _without_leaks(splits, guessed)
    how = f" ({' and '.join(missing)} taken out by hash of the question)" if missing else ""
    guessed.notes.append(f"rows: {', '.join(f'{split} {len(splits[split])}' for split in SPLITS)}{how}")
    short = [split for split in SPLITS if not splits[split]]
    if short:
        needs = "three splits need three distinct questions or more"
        raise UsageError(f"too few rows: nothing is left for {' and '.join(short)}; {needs}")
    return {split: splits[split] for split in SPLITS}


def _ways(guessed: Guess) -> list[tuple[str, Keys]]:
    """What rows may be kept together by, in addition to their question: (in words, the row's values)."""
    ways: list[tuple[str, Keys]] = []
    if guessed.gold:
        ways.append(("document", lambda row: tuple(row.get(guessed.gold) or ())))
    elif guessed.passage:
        ways.append((shown(guessed.passage), lambda row: (text_or_none(row.get(guessed.passage)) or "",)))
    if guessed.sentences:
        ways.append((shown(guessed.answer), lambda row: tuple(answers_of(row, guessed))))
    return ways


def _settled_groups(rows: Sequence[Row], guessed: Guess) -> dict[str, str]:
    """Question -> its group: rows that share a document, or an answer of a sentence, are in one.

    Where that would tie most rows together, or leave too few groups, the last way is given up, and said.
    """
    ways = _ways(guessed)
    while True:
        groups = _groups(rows, guessed, [keys for _, keys in ways])
        sizes = Counter(groups.values())
        tied = len(sizes) < _FEWEST or max(sizes.values()) > max(_LARGEST * len(groups), 1)
        if not ways or not tied:
            break
        lost, _ = ways.pop()
        guessed.notes.append(f"splits: rows of one {lost} may stand on two sides, as it ties too many rows together")
    if ways and len(sizes) < len(groups):
        names = listed(name for name, _ in ways)
        advice = "; give files of splits to measure answers that are learnt" if guessed.sentences else ""
        guessed.notes.append(f"splits: rows with the same {names} stay on one side, so that none leaks{advice}")
    return groups


def _groups(rows: Sequence[Row], guessed: Guess, ways: Sequence[Keys]) -> dict[str, str]:
    """Question -> the first question, in order of text, that it hangs together with."""
    parent: dict[object, object] = {}

    def root(key: object) -> object:
        while parent.setdefault(key, key) != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    questions = sorted({question_of(row, guessed) for row in rows})
    for row in rows:
        own = question_of(row, guessed)
        for number, keys in enumerate(ways):
            for key in filter(None, keys(row)):
                parent[root((number, key))] = root(own)
    first: dict[object, str] = {}
    return {question: first.setdefault(root(question), question) for question in questions}


def _taken(
    rows: list[Row], groups: dict[str, str], count: int, guessed: Guess, split: str
) -> tuple[list[Row], list[Row]]:
    """(rest, the rows of about `count` distinct questions, in whole groups).

    A group that would overshoot, or take a label's last rows, is passed over while another can be taken.
    """
    members: dict[str, list[Row]] = {}
    for row in rows:
        members.setdefault(groups[question_of(row, guessed)], []).append(row)
    sizes = {name: len({question_of(row, guessed) for row in found}) for name, found in members.items()}
    order = sorted(members, key=lambda name: sha256(f"{split}\x1f{name}"))
    labels = Counter(label for row in rows for label in _labels(row, guessed))
    chosen: list[str] = []
    left = count
    for name in order:
        own = Counter(label for row in members[name] for label in _labels(row, guessed))
        if sizes[name] <= left and all(labels[label] > found for label, found in own.items()):
            chosen.append(name)
            left -= sizes[name]
            labels -= own
    if not chosen and len(order) > 1:
        chosen = [min(order, key=lambda name: sizes[name])]  # of groups of one size, the first by hash
    inside = {id(row) for name in chosen for row in members[name]}
    return [row for row in rows if id(row) not in inside], [row for row in rows if id(row) in inside]


def _labels(row: Row, guessed: Guess) -> list[str]:
    return answers_of(row, guessed) if guessed.kind == "choice" and not guessed.choices_field else []


def _say_shared(splits: dict[str, list[Row]], guessed: Guess) -> None:
    """Note what given splits share beyond questions; they are left as they are."""
    for name, keys in _ways(guessed):
        known = {key for row in splits["train"] for key in filter(None, keys(row))}
        shared = sum(not known.isdisjoint(keys(row)) for row in splits["test"])
        if shared:
            guessed.notes.append(f"test: rows whose {name} stands in train too: {shared}; the given splits are kept")


def _without_leaks(splits: dict[str, list[Row]], guessed: Guess) -> None:
    """Remove from train, then from validation, what also stands in a later split."""
    for split, later in (("validation", ("test",)), ("train", ("validation", "test"))):
        known = {question_of(row, guessed) for name in later for row in splits[name]}
        kept = [row for row in splits[split] if question_of(row, guessed) not in known]
        if len(kept) < len(splits[split]):
            lost = len(splits[split]) - len(kept)
            guessed.notes.append(f"{split}: rows left out because their question stands in a later split: {lost}")
        splits[split] = kept
