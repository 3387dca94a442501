"""Answering from passages: titled or not, the right one among others, one question or several, some without an answer.

Half of the documents look as the harness writes them: instruction, solved examples, passages as title and text,
question with a cue at its end. The other half varies cues, labels and order.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from scripts.mini.corpus.document import Document
from scripts.mini.corpus.reading_episodes import Episode, episode, two_hops
from scripts.mini.corpus.reading_frames import Frame, Scene
from scripts.mini.corpus.reading_styles import Style, draw_style, form
from scripts.mini.corpus.reading_values import Source
from scripts.tasks.company.noise import careless, typo

LONGEST = 3000  # characters of a document
_ASKING = ("Who", "Whom", "Whose", "What", "When", "Where", "Which", "How", "Why", "On", "In", "At", "From", "To", "Is")


def draw(rng: random.Random, held_out: bool = False) -> Document:
    """A document; `held_out` has frames, wordings and words that others never have."""
    while True:
        document = _document(Source(rng, held_out))
        if document is not None and len(document.text) <= LONGEST:
            return document


def probe(rng: random.Random) -> tuple[Document, str]:
    """A held-out document with one question, in the harness's format, up to where the answer comes; the answer."""
    while True:
        source = Source(rng, True)
        style = Style(form("plain", source), "", "Question: {}", "\nAnswer:", "{title}\n{text}", True, "plain")
        found = episode(source, style, rng.randint(1, 3), 1)
        if found is not None:
            document = Document().given(style.instruction + "\n\n")
            _passages(document, style, found.scenes)
            document.given(style.ask.format(found.questions[0].text) + style.cue)
            return document, found.questions[0].answer


def _document(source: Source) -> Document | None:
    rng = source.rng
    style = draw_style(source)
    two = rng.random() < 0.16
    if two and not style.quote:
        found = two_hops(source, style)
    else:
        passages = rng.choice((1, 1, 1, 1, 2, 2, 3, 3, 4))
        found = episode(source, style, passages, 1 if style.layout == "before" else rng.choice((1, 2, 3, 4, 5, 6)))
    if found is None or (style.layout == "before" and len(found.questions) > 1):
        return None
    document = Document()
    if style.instruction and style.layout != "late":
        document.given(style.instruction + "\n\n")
    if rng.random() < 0.35 and style.layout not in ("before", "late"):
        _examples(document, source, style, found.scenes[0].frame)
    _write(document, source, style, found, last=True)
    return document


def _examples(document: Document, source: Source, style: Style, frame: Frame) -> None:
    """Solved questions in front: each with its passage, or all without, as where a retriever serves the last one."""
    rng = source.rng
    bare = rng.random() < 0.2 and not style.quote
    same = rng.random() < 0.4
    for _ in range(rng.choice((1, 1, 2, 2, 3))):
        found = episode(source, style, 1 if bare else rng.choice((1, 1, 1, 2)), 1, frame if same else None)
        if found is not None:
            _write(document, source, style, found, last=False, bare=bare)


def _write(document: Document, source: Source, style: Style, episode: Episode, last: bool, bare: bool = False) -> None:
    texts = [_spoken(question.text, source) for question in episode.questions]
    answers = [one.sentence if style.quote else one.answer for one in episode.questions]
    if style.layout == "before":
        document.given(style.ask.format(texts[0]) + "\n\n")
    if not bare:
        _passages(document, style, episode.scenes)
    if style.layout == "late":
        document.given(style.instruction + "\n\n")
    if style.layout == "before":
        document.given(style.cue.strip()).answer(_gap(style) + answers[0])
        return
    if style.layout == "listed" and last and len(texts) > 1:
        _listed(document, texts, answers)
        return
    for i, (text, answer) in enumerate(zip(texts, answers, strict=True)):
        end = "" if last and i == len(texts) - 1 else "\n\n"
        document.given(style.ask.format(text) + style.cue.rstrip("\n"))
        if bare:  # nothing tells this answer
            document.given(_gap(style) + answer + end)
        else:
            document.answer(_gap(style) + answer + end)


def _passages(document: Document, style: Style, scenes: Sequence[Scene]) -> None:
    for number, one in enumerate(scenes, start=1):
        document.given(style.shown(one).replace("{n}", str(number)) + "\n\n")


def _listed(document: Document, texts: Sequence[str], answers: Sequence[str]) -> None:
    document.given("\n".join(f"{i}. {text}" for i, text in enumerate(texts, start=1)) + "\n\nAnswers:")
    for i, answer in enumerate(answers, start=1):
        document.given(f"\n{i}.").answer(f" {answer}")


def _gap(style: Style) -> str:
    return "\n" if style.cue.endswith("\n") else " "


def _spoken(text: str, source: Source) -> str:
    """The question as people put it: with an opening, in a hurry, mistyped; mostly as it is."""
    roll = source.rng.random()
    if roll < 0.03:
        return typo(text, source.rng, 0.2)
    if roll < 0.06:
        return careless(text, source.rng)
    first = text.partition(" ")[0]
    if roll < 0.12 and first in _ASKING:
        return form("lead", source).replace("<question>", first.lower() + text[len(first) :])
    return text
