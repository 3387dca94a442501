"""The plain forms: every answer can be told from what stands before it, and held-out draws are held out."""

from __future__ import annotations

import random
import re
import zlib

import pytest

from scripts.mini.corpus import basics
from scripts.mini.corpus.classify_texts import words
from scripts.mini.corpus.document import Document, bank

DRAWS = range(200)


def answers(document: Document) -> list[tuple[str, str]]:
    """(the text in front of it, the answer) of every answer."""
    found, before = [], ""
    for text, is_answer in document.pieces:
        if is_answer:
            found.append((before, text.strip()))
        before += text
    return found


@pytest.mark.parametrize("held_out", [False, True])
def test_every_reading_answer_stands_in_the_passage_or_is_said_to_be_missing(held_out: bool) -> None:
    missing = 0
    for seed in DRAWS:
        document = basics.reading(random.Random(seed), held_out)
        passage = document.pieces[0][0] if len(document.pieces[0][0]) > 120 else document.pieces[1][0]
        for before, answer in answers(document):
            question = before.rsplit("\n", 2)[-2] if before.endswith(":") else before
            if answer == "not said":
                missing += 1
                continue
            told = document.text[: document.text.index(question.strip()[-20:])] + passage
            assert answer.lower() in told.lower()  # a value that opens a sentence is written with a capital there
    assert missing > 0


def test_statements_and_questions_come_in_equal_parts() -> None:
    for about in ("person", "town", "thing"):
        for relation in bank("basics")[about]:
            assert len(relation["say"]) == len(relation["ask"]) == 3
            assert all(re.search(r"\bX\b", text) for text in (*relation["say"], *relation["ask"]))
            assert all(re.search(r"\bV\b", text) for text in relation["say"])
            assert not any(re.search(r"\bV\b", text) for text in relation["ask"])


def test_topics_are_told_by_a_word_of_theirs_and_are_listed() -> None:
    kinds = {kind.name: {line.parts[0].lower() for line in kind.lines} for kind in words(False).kinds}
    for seed in DRAWS:
        for before, answer in answers(basics.topics(random.Random(seed))):
            options = re.search(r"Options: (.*)", before)
            assert options is not None
            assert answer in options.group(1).split("; ")
            text = before.rsplit("\n", 2)[-2].lower()
            assert any(word in text for word in kinds[answer])


def test_a_style_is_one_template_over_the_records() -> None:
    for seed in DRAWS:
        found = answers(basics.style(random.Random(seed), examples=2))
        assert len(found) == 3
        templates = {template for template in bank("basics")["styles"] if all(_fits(template, b, a) for b, a in found)}
        assert templates


def _fits(template: str, before: str, answer: str) -> bool:
    record = re.sub(r"^.*: ", "", before.removesuffix(" ->").rsplit("\n", 1)[-1])
    if before.endswith(":"):
        record = re.sub(r"^\w+: ", "", before.rsplit("\n", 2)[-2])
    a, b, c = record.split(", ")
    return template.format(a=a, b=b, c=c) == answer


def test_names_and_sentences_held_out_are_never_drawn_in_training() -> None:
    def names(held_out: bool) -> set[str]:
        return {basics._name(random.Random(seed), "person", held_out) for seed in DRAWS}

    assert not names(True) & names(False)
    assert all(zlib.crc32(name.encode()) % 10 == 0 for name in names(True))


def test_an_article_fits_its_word() -> None:
    assert basics._fill("X works as a V.", "Kerilin", "engineer") == "Kerilin works as an engineer."
    assert basics._fill("X works as a V.", "Kerilin", "baker") == "Kerilin works as a baker."
    assert basics._fill("V makes X.", "Zelotron", "kado") == "Kado makes Zelotron."
