"""Skill `prose` of mini's corpus, and the bank of words that all skills share."""

from __future__ import annotations

import random
import re
from itertools import pairwise

import pytest

from scripts.mini.corpus import prose, prose_frames, prose_meanings, prose_probe, prose_tasks
from scripts.mini.corpus.document import bank
from scripts.mini.corpus.prose_sentences import filler
from scripts.mini.corpus.prose_words import a, noun, regular, verbs, words

_PARTS = (prose.sentences, prose.stories, prose.texts, prose.lives, prose_tasks.draw, prose_meanings.draw)


@pytest.mark.parametrize("part", _PARTS)
@pytest.mark.parametrize("held_out", [False, True])
def test_texts_are_clean(part: prose.Part, held_out: bool) -> None:
    for seed in range(150):
        document = part(random.Random(seed), held_out)
        text = document.text
        assert text == text.strip()
        assert not re.search(r"  |[{}\[\]|]|\.\.|\?\.| [,.?!]|\ba [aeio]", text), text
        assert len(text) < 3000
        for _, (piece, answer) in pairwise(document.pieces):
            assert not answer or piece[0] in " \n", document.pieces


def test_same_seed_same_document() -> None:
    assert [prose.draw(random.Random(s)).pieces for s in range(40)] == [
        prose.draw(random.Random(s)).pieces for s in range(40)
    ]


def test_prose_counts_as_answer() -> None:
    for seed in range(60):
        for part in (prose.sentences, prose.lives):
            assert all(answer for _, answer in part(random.Random(seed), False).pieces)


def test_reserved_words_are_apart() -> None:
    one, other = words(False), words(True)
    for name in one.classes:
        assert not {n.base for n in one.classes[name] if n.base} & {n.base for n in other.classes[name] if n.base}
    assert not set(one.women + one.men) & set(other.women + other.men)
    assert not set(one.cities) & set(other.cities)
    assert not set(prose_meanings.meanings(False)) & set(prose_meanings.meanings(True))


def test_reserved_frames_and_meanings_never_occur() -> None:
    drawn = "\n".join(prose.draw(random.Random(seed)).text for seed in range(2500))
    for _, _, meaning in prose_meanings.meanings(True):
        assert f" {meaning}." not in drawn
    for name in ("prose_stories_1", "prose_stories_2", "prose_stories_3"):
        for frame in prose_frames.frames(name, "stories", True):
            plain = [text[0] for slot in frame.slots for text in slot if text and len(text) == 1]
            assert plain
            assert not any(isinstance(line, str) and len(line) > 25 and line in drawn for line in plain)


def test_kinds_and_odd_ones_out_are_right() -> None:
    nouns = bank("words")["nouns"]
    classes = {name: {n.split("/")[0] for n in entries} for name, entries in nouns.items()}
    task = next(task for task in prose_tasks.tasks() if "Find the odd one out." in task.instructions)
    for seed in range(100):
        given, odd = task.draw(filler(random.Random(seed), False))
        rest = set(given.split(", ")) - {odd}
        assert len(rest) == 3
        assert any(
            rest <= members | {n.split("/")[0] for n in bank("words")["sets"]["fruit"]} for members in classes.values()
        )


def test_verbs_are_inflected() -> None:
    assert len(verbs()) > 350
    for verb in verbs().values():
        head, third = verb.base.split(" ")[0], verb.third.split(" ")[0]
        assert verb.ing.split(" ")[0].endswith("ing")
        assert third.endswith("s") or verb.base == "be"
        assert third[0] == head[0] or head == "be"
    assert (regular("carry").third, regular("dance").ing, regular("fix").third) == ("carries", "dancing", "fixes")


def test_articles_and_plurals() -> None:
    assert [a(w) for w in ("apple", "hour", "uniform", "umbrella", "one-way street")] == [
        "an apple", "an hour", "a uniform", "an umbrella", "a one-way street",
    ]  # fmt: skip
    assert [noun(w).plural for w in ("box", "baby", "day", "mouse/mice", "rice/-", "scissors/=")] == [
        "boxes", "babies", "days", "mice", "", "scissors",
    ]  # fmt: skip


def test_probe_pairs_differ_in_little() -> None:
    assert len(prose_probe.PHENOMENA) >= 8
    for name, phenomenon in prose_probe.PHENOMENA.items():
        for seed in range(60):
            right, wrong = phenomenon(filler(random.Random(seed), True))
            assert right != wrong, name
            assert abs(len(right.split()) - len(wrong.split())) <= 1, (name, right, wrong)
    assert prose.probe_grammar(random.Random(1)) == prose.probe_grammar(random.Random(1))


def test_shared_bank_of_words() -> None:
    found = bank("words")
    plain = found["plain"]
    assert len(plain) >= 2500
    assert len(set(plain)) == len(plain)
    assert all(isinstance(word, str) and word.isalpha() and word.islower() for word in plain)
    assert len(found["verbs"]) >= 350
    assert all(len(entry["forms"]) == 5 for entry in found["verbs"].values())
    assert all(len(entries) >= 20 for entries in found["nouns"].values())
    assert len(found["women"] + found["men"]) >= 200
    assert len(found["cities"]) >= 120
    for key in ("cities", "women", "men", "degree", "frequency"):
        assert len(set(found[key])) == len(found[key]), key


def test_enough_is_written_by_hand() -> None:
    stories = [frame for i in (1, 2, 3) for frame in bank(f"prose_stories_{i}")["stories"]]
    assert len(stories) >= 60
    assert len(prose_meanings.meanings(False)) + len(prose_meanings.meanings(True)) >= 500
