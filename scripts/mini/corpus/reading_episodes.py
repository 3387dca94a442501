"""Passages of `reading` put together, and what is asked about them: plainly, in vain, or by way of another passage."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from scripts.mini.corpus.reading_frames import Frame, Item, Scene, frames, link_slot, linked, scene
from scripts.mini.corpus.reading_questions import Question, ask, check, count, stand_in, which
from scripts.mini.corpus.reading_styles import Style, form
from scripts.mini.corpus.reading_text import capital, fill, slots
from scripts.mini.corpus.reading_values import Source

_MARK = "\0"  # where the description of a value goes


@dataclass
class Episode:
    """Passages and the questions about them."""

    scenes: list[Scene]
    questions: list[Question]


def episode(source: Source, style: Style, passages: int, questions: int, like: Frame | None = None) -> Episode | None:
    """So many passages, the first of the kind `like`, and up to so many questions; None where there is no question."""
    rng = source.rng
    pool = frames(source.held_out)
    main = like or rng.choice(pool)
    scenes: list[Scene] = []
    for i in range(passages):
        frame = main if i == 0 or rng.random() < 0.5 else rng.choice(pool)
        _add(scenes, scene(frame, source, titled=style.titled))
    rng.shuffle(scenes)
    asked = _questions(source, style, scenes, questions)
    return Episode(scenes, asked) if asked else None


def two_hops(source: Source, style: Style) -> Episode | None:
    """A question that speaks of something by what another passage says of it."""
    rng = source.rng
    ways, about = linked(source.held_out)
    frame, number, slot = rng.choice(ways)
    target = rng.choice(about[frame.kinds[slot]])
    if target is frame:
        return None
    first = scene(frame, source, must=number, titled=style.titled)
    told = rng.choice([item for item in first.items if item.sentence and item.fact is frame.facts[number]])
    second = scene(target, source, {link_slot(target): told.values[slot]}, titled=style.titled)
    question = _linked_question(rng, told.values[slot], stand_in(told, slot, rng), second)
    if question is None:
        return None
    scenes = [first, second]
    for _ in range(rng.choice((0, 0, 0, 1, 1, 2))):
        other = rng.choice((frame, target, rng.choice(frames(source.held_out))))
        _add(scenes, scene(other, source, titled=style.titled))
    rng.shuffle(scenes)
    more = _questions(source, style, scenes, rng.choice((0, 0, 1, 2, 3))) if style.layout != "before" else []
    asked = [question, *more]
    rng.shuffle(asked)
    return Episode(scenes, asked)


def _add(scenes: list[Scene], one: Scene) -> None:
    """Take the passage, unless another is about the same."""
    if all(one.key.lower() not in other.text.lower() + other.key.lower() for other in scenes):
        scenes.append(one)


def _questions(source: Source, style: Style, scenes: Sequence[Scene], number: int) -> list[Question]:
    rng = source.rng
    found: list[Question] = []
    for _ in range(number * 4):
        one = scenes[int(rng.random() * len(scenes))]
        in_vain = style.none and rng.random() < 0.42
        question = (_in_vain if in_vain else _question)(source, style, scenes, one)
        if question is not None and all(question.text != other.text for other in found):
            found.append(question)
        if len(found) == number:
            break
    return found


def _question(source: Source, style: Style, scenes: Sequence[Scene], one: Scene) -> Question | None:
    rng, keyed = source.rng, len(scenes) > 1
    stated = [item for item in one.items if item.sentence]
    item = stated[int(rng.random() * len(stated))]
    way = rng.random()
    if not style.quote:
        checked = [each for each in stated if each.fact.check] if way < 0.03 else []
        if checked:
            item = rng.choice(checked)
            return check(one, item, rng.choice(list(item.fact.check)), source, keyed)
        if 0.03 < way < 0.06 and one.frame.count:
            return count(one, rng)
        if 0.06 < way < 0.075:
            return _which_sentence(source, scenes, item)
    if way > 0.88:
        return which(one, scenes, rng)
    slot = rng.choice(list(item.fact.ask))
    if (item.sentence, slot) in one.asked:
        return None
    question = ask(one, item, slot, rng, keyed)
    if question is not None:
        one.asked.add((item.sentence, slot))
    return question


def _which_sentence(source: Source, scenes: Sequence[Scene], item: Item) -> Question | None:
    value = item.values[source.rng.choice(list(item.fact.ask))]
    shown = "\n".join(other.text for other in scenes).lower()
    if len(value) < 4 or shown.count(value.lower()) != 1 or value.lower() not in item.sentence.lower():
        return None
    return Question(form("which", source).replace("<value>", value), item.sentence, item.sentence)


def _in_vain(source: Source, style: Style, scenes: Sequence[Scene], one: Scene) -> Question | None:
    """A question that none of the passages answers."""
    rng = source.rng
    shown = "\n".join(f"{other.title}\n{other.text}" for other in scenes).lower()
    left_out = [item for item in one.items if not item.sentence]
    if left_out and rng.random() < 0.6:
        item = rng.choice(left_out)
    else:
        one = scene(one.frame, source)
        item = rng.choice(one.items)
        if one.key.lower() in shown:
            return None
        left_out = []
    slot = rng.choice(list(item.fact.ask))
    question = ask(one, item, slot, rng, keyed=not left_out or len(scenes) > 1)
    if question is None or (left_out and not one.frame.rows and question.answer.lower() in shown):
        return None
    return Question(question.text, style.none)


def _linked_question(rng: random.Random, value: str, description: str, second: Scene) -> Question | None:
    """A question about `value` in the second passage that puts a description in its place."""
    link = link_slot(second.frame)
    ways = [
        (item, wanted, text)
        for item in second.items
        if item.sentence and item.values[link] == value
        for wanted, texts in item.fact.ask.items()
        if wanted != link
        for text in texts
        if link in slots(text, certain=True)
    ]
    if not ways:
        return None
    item, wanted, text = rng.choice(ways)
    said = fill(text, {**item.values, link: _MARK}, rng, keyed=True)
    if said.count(_MARK) != 1 or f"{_MARK}'" in said:
        return None
    return Question(capital(said.replace(_MARK, description)), item.values[wanted], item.sentence)
