"""The classification skill of mini's corpus: right labels, nothing reserved in normal draws, clean text."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

import pytest

from scripts.mini.corpus import classify
from scripts.mini.corpus.classify_texts import FILES, KEPT_EVERY
from scripts.mini.corpus.document import Document, bank

DRAWS = [classify.draw, classify.draw_mapping]


def _entries() -> dict[str, Any]:
    return {name: entry for file in FILES for name, entry in bank(f"classify_{file}").items()}


def _classes_of(text: str, among: dict[str, Any]) -> set[str]:
    """Every class that has a line of which `text` is a filled copy, greetings and the like around it."""
    found = set()
    for name, about in among.items():
        for line in about["says"].splitlines():
            pattern = ".+".join(re.escape(part) for part in re.split(r"\{\w+\}", line))
            if re.search(pattern, text):
                found.add(name)
    return found


def _sample(make: Callable[..., Document], count: int, **options: Any) -> list[Document]:
    rng = random.Random(7)
    return [make(rng, **options) for _ in range(count)]


def test_bank_is_large_and_every_class_has_enough() -> None:
    entries = _entries()
    classes = [about for entry in entries.values() for about in entry["classes"].values()]
    assert len(entries) >= 60
    assert sum(len(about["says"].splitlines()) for about in classes) >= 6000
    for about in classes:
        lines = about["says"].splitlines()
        assert len(lines) >= 12
        assert len(set(lines)) == len(lines)
        assert all(isinstance(other, str) for other in about["also"])


@pytest.mark.parametrize("make", DRAWS)
@pytest.mark.parametrize("held_out", [False, True])
def test_text_is_clean(make: Callable[..., Document], held_out: bool) -> None:
    for made in _sample(make, 600, held_out=held_out):
        text = made.text
        assert not re.search(r"[{}@]|  |None", text), text
        assert text == text.strip()
        assert len(text) <= classify.LIMIT
        assert any(is_answer for _, is_answer in made.pieces)
        for piece, is_answer in made.pieces:
            if is_answer:
                assert piece[0] in " \n", text
                assert piece.strip(), text
        assert made.pieces[-1][1]


@pytest.mark.parametrize("make", DRAWS)
def test_deterministic(make: Callable[..., Document]) -> None:
    assert _sample(make, 50) == _sample(make, 50)


def test_reserved_messages_never_occur_in_normal_draws() -> None:
    kept: list[str] = []
    used: list[str] = []
    for entry in _entries().values():
        for about in entry["classes"].values():
            for i, line in enumerate(about["says"].splitlines()):
                if len(line) > 30 and "{" not in line:
                    reserved = entry.get("reserved") or i % KEPT_EVERY == KEPT_EVERY - 1
                    (kept if reserved else used).append(line)
    normal = "\n".join(made.text for make in DRAWS for made in _sample(make, 1500))
    probes = "\n".join(made.text for make in DRAWS for made in _sample(make, 1500, held_out=True))
    assert not [line for line in kept if line in normal]
    assert not [line for line in used if line in probes]
    assert sum(line in normal for line in used) > 0.5 * len(used)
    assert sum(line in probes for line in kept) > 0.5 * len(kept)


@pytest.mark.parametrize(("make", "known"), [(classify.probe_known, True), (classify.probe_new, False)])
def test_probe_answers_are_right(make: Callable[..., Document], known: bool) -> None:
    for made in _sample(make, 150):
        given, (answer, _) = "".join(text for text, _ in made.pieces[:-1]), made.pieces[-1]
        label = answer.strip()
        options = given.split("Options: ", 1)[1].split("\n", 1)[0].split("; ")
        assert label in options
        homes = [entry for entry in _entries().values() if set(entry["classes"]) == set(options)]
        assert len(homes) == 1
        assert bool(homes[0].get("reserved")) != known
        assert label in _classes_of(given.split("\n\n", 1)[1], homes[0]["classes"])


@pytest.mark.parametrize("shots", [3, 8, 12])
def test_probe_of_mapping_can_be_answered_from_the_examples(shots: int) -> None:
    reserved = {name: entry for name, entry in _entries().items() if entry.get("reserved")}
    classes = {(name, key): about for name, entry in reserved.items() for key, about in entry["classes"].items()}
    for made in _sample(classify.probe_mapping, 60, shots=shots):
        blocks = made.text.split("\n\n")[-shots - 1 :]
        labels = [block.rsplit(": ", 1)[1] for block in blocks]
        kinds = [_classes_of(block.rsplit("\n", 1)[0], classes) for block in blocks]  # type: ignore[arg-type]
        assert made.pieces[-1] == (f" {labels[-1]}", True)
        assert labels[-1] in labels[:-1]
        assert any(kinds[i] & kinds[-1] for i in range(shots) if labels[i] == labels[-1])
        assert not any(kinds[i] == kinds[-1] and len(kinds[i]) == 1 for i in range(shots) if labels[i] != labels[-1])


def test_arbitrary_label_counts_only_once_it_has_been_seen() -> None:
    for made in _sample(classify.draw_mapping, 400):
        before = ""
        for piece, is_answer in made.pieces:
            if is_answer:
                assert piece.split("\n---")[0].strip() in before
            before += piece


def test_documents_with_one_question_and_with_many_examples_occur() -> None:
    sample = _sample(classify.draw, 1000)
    alone = sum(len(made.pieces) <= 3 for made in sample)
    many = sum(len(made.pieces) > 12 for made in sample)
    assert alone > 20
    assert many > 150


def test_probe_without_examples_still_ends_with_its_answer() -> None:
    assert all(made.pieces[-1][1] and len(made.pieces) == 3 for made in _sample(classify.probe_mapping, 20, shots=0))
