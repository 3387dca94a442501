"""The reading corpus: answers stand in the text, held-out wordings stay apart, and every frame can be asked about."""

from __future__ import annotations

import random

import pytest

from scripts.mini.corpus import reading
from scripts.mini.corpus.document import Document, bank
from scripts.mini.corpus.reading_frames import BANKS, Frame, frames, linked, scene
from scripts.mini.corpus.reading_questions import ask
from scripts.mini.corpus.reading_styles import form
from scripts.mini.corpus.reading_text import Choice, Parts, article, fill, parse, slots
from scripts.mini.corpus.reading_values import Source

EVERY = [*frames(False), *frames(True)]
NONE = set(bank("reading_forms")["none"].splitlines())


def many(held_out: bool, number: int = 400) -> list[Document]:
    rng = random.Random(11)
    return [reading.draw(rng, held_out) for _ in range(number)]


def plain(parts: Parts) -> set[str]:
    """The stretches of a phrasing that are the same whatever fills it, long enough to know it by."""
    found = {part.strip() for part in parts if isinstance(part, str) and len(part) > 20}
    options = [option for part in parts if isinstance(part, Choice) for option in part.options]
    return found.union(*map(plain, options)) if options else found


def wordings(frame: Frame) -> set[str]:
    asks = [text for fact in frame.facts for texts in fact.ask.values() for text in texts]
    says = [text for fact in frame.facts for text in fact.say]
    return set().union(*map(plain, [*frame.titles, *frame.open, *says, *asks]))


@pytest.mark.parametrize("held_out", [False, True])
def test_answers_stand_in_the_text(held_out: bool) -> None:
    for document in many(held_out):
        before = ""
        for text, answered in document.pieces:
            if answered:
                answer = text.strip()
                assert answer.lower() in before.lower() or answer in {"yes", "no"} or answer.isdigit(), document.text
            before += text


@pytest.mark.parametrize("held_out", [False, True])
def test_documents_are_clean(held_out: bool) -> None:
    for document in many(held_out):
        text = document.text
        assert not any(sign in text for sign in ("  ", "{", "}", "\0", "<none>", "<value>", "\n\n\n\n"))
        assert text == text.rstrip(" ")
        assert len(text) <= reading.LONGEST
        assert any(answered for _, answered in document.pieces)
        assert all(piece[0] in " \n" for piece, answered in document.pieces if answered)


def test_the_same_seed_gives_the_same_documents() -> None:
    assert [d.pieces for d in many(False, 30)] == [d.pieces for d in many(False, 30)]


def test_about_an_eighth_of_the_answers_say_that_there_is_none() -> None:
    answers = [text.strip() for document in many(False) for text, answered in document.pieces if answered]
    assert 0.06 < sum(answer in NONE for answer in answers) / len(answers) < 0.18


def test_held_out_frames_and_wordings_stay_apart() -> None:
    usual = set().union(*map(wordings, frames(False)))
    reserved = {text for frame in frames(True) for text in wordings(frame) if not any(text in own for own in usual)}
    assert len(reserved) > 50
    seen = "\n".join(document.text for document in many(False, 1500))
    assert not {text for text in reserved if text in seen}


@pytest.mark.parametrize("name", ["plain", "unless", "quote", "cues", "titled", "untitled", "lead", "which", "none"])
def test_held_out_forms_stay_apart(name: str) -> None:
    rng = random.Random(3)
    drawn = [{form(name, Source(rng, held_out)) for _ in range(600)} for held_out in (False, True)]
    assert drawn[1]
    assert not (drawn[0] & drawn[1]) - {"Question: {} || \\nAnswer:", "Q: {} || \\nA:"}  # these stand there repeatedly


def test_a_tenth_of_the_frames_is_held_out() -> None:
    assert len(EVERY) >= 120
    assert 0.08 < len(frames(True)) / len(EVERY) < 0.12
    assert len({frame.name for frame in EVERY}) == len(EVERY) == sum(len(bank(f"reading_{b}")) for b in BANKS)
    assert linked(True)[0]


@pytest.mark.parametrize("frame", EVERY, ids=lambda frame: frame.name)
def test_frame_is_whole(frame: Frame) -> None:
    """Sentences state what is asked, questions do not give the answer away, and each can name its passage."""
    assert all(frame.key in slots(text, certain=True) for text in frame.open)
    for fact in frame.facts:
        for slot, texts in fact.ask.items():
            assert all(slot in slots(text, certain=True) for text in fact.say)
            assert not any(slot in slots(text) for text in texts)
            assert any(frame.key in slots(text, certain=True) for text in texts)
        for texts in fact.stands_for.values():
            assert all(frame.key in slots(text, certain=True) for text in texts)
    for text in frame.which:
        assert frame.key not in slots(text)


@pytest.mark.parametrize("frame", EVERY, ids=lambda frame: frame.name)
def test_stated_facts_have_their_answer_in_their_sentence(frame: Frame) -> None:
    rng = random.Random(5)
    for _ in range(6):
        one = scene(frame, Source(rng, frame.held))
        for item in one.items:
            for slot in item.fact.ask if item.sentence else ():
                question = ask(one, item, slot, rng, keyed=True)
                if question is not None:
                    assert question.answer.lower() in item.sentence.lower()
                    assert item.sentence in one.text


def test_a_probe_ends_at_its_cue() -> None:
    rng = random.Random(7)
    for _ in range(40):
        document, answer = reading.probe(rng)
        assert document.text.endswith("\nAnswer:")
        assert answer.lower() in document.text.lower() or answer in {"yes", "no"} or answer.isdigit()


@pytest.mark.parametrize(
    ("text", "keyed", "expected"),
    [
        ("{Who} has {a pet}.", False, {"Ada Bell has an owl."}),
        ("Ask {first who}(/ or me).", False, {"Ask Ada.", "Ask Ada or me."}),
        ("Who has [the {pet}|it]?", True, {"Who has the owl?"}),
        ("Who sings[ with {who}]?", False, {"Who sings?", "Who sings with Ada Bell?"}),
        ("An {pet} (old).", False, {"An owl (old)."}),
    ],
)
def test_phrasings(text: str, keyed: bool, expected: set[str]) -> None:
    values = {"who": "Ada Bell", "pet": "owl"}
    rng = random.Random(1)
    assert {fill(parse(text), values, rng, keyed) for _ in range(40)} == expected


@pytest.mark.parametrize(
    ("word", "expected"), [("hour", "an"), ("uniform", "a"), ("egg", "an"), ("18 plates", "an"), ("one", "a")]
)
def test_article(word: str, expected: str) -> None:
    assert article(word) == expected


def test_an_open_bracket_is_an_error() -> None:
    with pytest.raises(ValueError, match="missing"):
        parse("Who (sings/plays?")
