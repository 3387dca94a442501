"""Exercises of skill `prose`: sentences to rewrite, forms, opposites, kinds of things, and what words mean."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

from scripts.mini.corpus.document import Document, bank, reserved
from scripts.mini.corpus.prose_clause import Clause, Phrase, act, doing, filled, pronoun, sentence
from scripts.mini.corpus.prose_fill import Filler
from scripts.mini.corpus.prose_joined import halves, pairs
from scripts.mini.corpus.prose_sentences import activity, actor, filler
from scripts.mini.corpus.prose_words import Noun, Verb, verbs, words
from scripts.tasks.company.noise import careless, typo

Solved = tuple[str, str]  # what is given, what is asked for


@dataclass(frozen=True)
class Task:
    """An exercise: what to do, in several wordings, its cues, and how one is drawn."""

    instructions: tuple[str, ...]
    cues: tuple[tuple[str, str], ...]
    draw: Callable[[Filler], Solved]


def draw(rng: random.Random, held_out: bool = False) -> Document:
    """One to six solved exercises of one kind, in the form of a prompt with demonstrations."""
    f = filler(rng, held_out)
    task = rng.choice(tasks())
    instruction = rng.choice(task.instructions) if rng.random() < 0.75 else ""
    before, after = rng.choice(task.cues)
    between = "\n" if after.startswith(" ") and rng.random() < 0.7 else "\n\n"
    document = Document().given(instruction and instruction + "\n\n")
    for i in range(rng.randint(1, 6)):
        given, asked = task.draw(f)
        document.given((between if i else "") + before + given + after).answer(" " + asked)
    return document


def _doer(f: Filler) -> tuple[Phrase, str]:
    who = f.someone() if f.rng.random() < 0.6 else actor(f)
    return who, activity(f)


def _turned(one: str, two: str, negative: bool = False) -> Callable[[Filler], Solved]:
    """From one tense into another, or from a statement into its negation."""

    def solved(f: Filler) -> Solved:
        if f.rng.random() < 0.5:
            who, doer = _doer(f)
            return sentence(f"{who.text} {act(doer, who, one)}"), sentence(
                f"{who.text} {act(doer, who, two, negative)}"
            )
        c = replace(f.clause(("transitive", "intransitive", "with", "ditransitive"), tense=one), time="", often="")
        return sentence(c.say()), sentence(replace(c, tense=two).say(negative=negative, short=True))

    return solved


def _question(f: Filler) -> Solved:
    tense = f.rng.choice(("past", "past", "present", "future", "progressive", "perfect", "can"))
    while True:
        c = replace(f.clause(("transitive", "intransitive", "with"), tense=tense), often="")
        if c.subject.text not in ("I", "we", "you"):
            return sentence(c.say()), sentence(c.ask(), "?")


def _number(to_plural: bool) -> Callable[[Filler], Solved]:
    def solved(f: Filler) -> Solved:
        n = f.words.pick(f.rng, f.rng.choice(("worker", "worker", "kid")))
        det, dets = f.rng.choice((("the", "the"), ("this", "these"), ("that", "those"), ("my", "my")))
        tense = f.rng.choice(("present", "progressive", "past", "perfect"))
        doer = _own(f)
        one = sentence(f"{det} {n.base} {act(doer, Phrase('', 'he'), tense)}")
        many = sentence(f"{dets} {n.plural} {act(doer, Phrase('', 'they'), tense)}")
        return (one, many) if to_plural else (many, one)

    return solved


def _own(f: Filler) -> str:
    while True:
        found = activity(f)
        if "{" not in found:
            return found


def _passive(f: Filler) -> Solved:
    while True:
        c = f.clause(
            ("transitive",), tense=f.rng.choice(("past", "past", "present", "future", "perfect")), passive=True
        )
        if c.subject.text not in ("I", "we", "you", "he", "she", "they") and c.object and not _owned(c):
            c = replace(c, often="", time="")
            return sentence(c.say()), sentence(c.passive())


def _owned(c: Clause) -> bool:
    return c.object is not None and c.object.text.split(" ")[0] in ("his", "her", "their", "its", "our", "your", "my")


def _reported(f: Filler) -> Solved:
    who, doer = actor(f), activity(f)
    tense, back = f.rng.choice(
        (("progressive", "past_progressive"), ("perfect", "past_perfect"), ("future", "would"), ("can", "could"))
    )
    said = f"I {act(doer, Phrase('I', 'I'), tense)}"
    given = f'"{said}," said {who.text}.' if f.rng.random() < 0.5 else f'{who.text} said, "{said}."'
    return given[0].upper() + given[1:], sentence(f"{who.text} said that {who.pronoun} {act(doer, pronoun(who), back)}")


def _joined(link: str) -> Callable[[Filler], Solved]:
    def solved(f: Filler) -> Solved:
        kind = "contrasts" if link in ("although", "but") else "causes"
        one, two = f.rng.choice(pairs(kind, f.words.held_out))
        x, y = halves(one, two, actor(f), "past", "past", False)
        if link in ("because", "although"):
            return f"{sentence(x)} {sentence(y)}", sentence(f"{link} {x}, {y}")
        return f"{sentence(x)} {sentence(y)}", sentence(f"{x}, {link} {y}")

    return solved


def _condition(f: Filler) -> Solved:
    one, two = f.rng.choice(pairs("causes", f.words.held_out))
    who = actor(f)
    x, y = halves(one, two, who, "present", "present", False)
    asked = halves(one, two, who, "present", "future", False)
    return f"{sentence(x)} {sentence(y)}", sentence(f"if {asked[0]}, {asked[1]}")


def _by_pronoun(f: Filler) -> Solved:
    who, other = actor(f), f.name()
    what = f.rng.choice(("helped", "met", "saw", "thanked", "invited", "visited", "knows", "likes", "phoned"))
    if f.rng.random() < 0.5:
        doer = activity(f)
        tense = f.rng.choice(("past", "present", "future"))
        return sentence(f"{who.text} {act(doer, who, tense)}"), sentence(f"{who.pronoun} {act(doer, who, tense)}")
    return sentence(f"{who.text} {what} {other.text}"), sentence(f"{who.pronoun} {what} {other.him}")


def _first_person(f: Filler) -> Solved:
    who, doer = actor(f), activity(f)
    tense = f.rng.choice(("past", "present", "progressive", "perfect", "future"))
    return sentence(f"{who.text} {act(doer, who, tense)}"), sentence(f"I {act(doer, Phrase('I', 'I'), tense)}")


def _spelling(f: Filler) -> Solved:
    """Typing errors everywhere but in the subject, since nobody could guess a name."""
    who, doer = _doer(f)
    rest = act(doer, who, f.rng.choice(("past", "present", "future", "perfect"))) + "."
    wrong = sentence(f"{who.text} {typo(rest, f.rng, 0.6)}")
    return careless(wrong, f.rng) if f.rng.random() < 0.2 else wrong, sentence(f"{who.text} {rest}")


def _tidied(f: Filler) -> Solved:
    who, doer = _doer(f)
    right = sentence(f"{who.text} {act(doer, who, f.rng.choice(('past', 'present', 'progressive', 'future')))}")
    return right.lower().rstrip("."), right


def _order(f: Filler) -> Solved:
    who = actor(f)
    right = f"{who.text} {act(_own(f), who, f.rng.choice(('past', 'future', 'progressive')))}"
    mixed = right.split(" ")
    f.rng.shuffle(mixed)
    return " / ".join(mixed), sentence(right)


def _plural(f: Filler) -> Solved:
    while True:
        n = f.rng.choice(f.words.classes[f.rng.choice(("animal", "person", "food", "tool", "plant", "body"))])
        if n.counts:
            return n.base, n.plural


def _grade(degree: int) -> Callable[[Filler], Solved]:
    def solved(f: Filler) -> Solved:
        graded = f.rng.choice(f.words.graded)
        return graded[0], graded[1] if degree == 1 else graded[2]

    return solved


@cache
def _verbs(held_out: bool) -> list[Verb]:
    return [v for i, v in enumerate(verbs().values()) if (i % 10 == 9) == held_out and " " not in v.base]


def _form(kind: str) -> Callable[[Filler], Solved]:
    def solved(f: Filler) -> Solved:
        v = f.rng.choice(_verbs(f.words.held_out))
        form: str = getattr(v, kind)
        return v.base, form

    return solved


def _pair(name: str) -> Callable[[Filler], Solved]:
    def solved(f: Filler) -> Solved:
        one, two = f.rng.choice(reserved(bank("words")[name], f.words.held_out)).split(" ")
        return (one, two) if f.rng.random() < 0.5 or name == "synonyms" else (two, one)

    return solved


def _in_sentence(name: str) -> Callable[[Filler], Solved]:
    def solved(f: Filler) -> Solved:
        line = f.rng.choice(reserved(bank("prose_definitions")[name].splitlines(), f.words.held_out))
        one, _, two = line.split(" = ")
        return (one, two) if f.rng.random() < 0.6 else (two, one)

    return solved


_KINDS = {
    "animal": "animal", "drink": "drink", "furniture": "piece of furniture", "clothing": "piece of clothing",
    "tool": "tool", "vehicle": "vehicle", "building": "building", "plant": "plant", "body": "part of the body",
    "instrument": "musical instrument", "sport": "sport", "feeling": "feeling", "room": "room", "fruit": "fruit",
    "vegetable": "vegetable", "family": "member of the family", "bird": "bird", "insect": "insect",
}  # fmt: skip


def _name(n: Noun) -> str:
    return n.base or n.plural


def _kind_of(f: Filler) -> Solved:
    kind = f.rng.choice(list(_KINDS))
    return _name(f.words.pick(f.rng, kind)), _KINDS[kind]


def _odd(f: Filler) -> Solved:
    kinds = ("animal", "furniture", "clothing", "vehicle", "instrument", "fruit", "building", "feeling", "body")
    kind, other = f.rng.sample(kinds, 2)
    share = f.words if not f.words.held_out else words(False)
    rows = [_name(n) for n in f.rng.sample(share.classes[kind], 3)]
    odd = _name(f.words.pick(f.rng, other))
    shown = [*rows, odd]
    f.rng.shuffle(shown)
    return ", ".join(shown), odd


def _complement(f: Filler) -> Solved:
    who, doer = actor(f), activity(f)
    start, form = f.rng.choice(
        (("wants", f"to {filled(doer, who)}"), ("enjoys", doing(doer, who)), ("must", filled(doer, who)),
         ("decided", f"to {filled(doer, who)}"), ("finished", doing(doer, who)), ("can", filled(doer, who)))
    )  # fmt: skip
    return sentence(f"{who.text} {start} ({filled(doer, who)})")[:-1], sentence(f"{who.text} {start} {form}")


_DRAWS: dict[str, Callable[[Filler], Solved]] = {
    "past": _turned("present", "past"),
    "present": _turned("past", "present"),
    "future": _turned("past", "future"),
    "now": _turned("past", "progressive"),
    "perfect": _turned("past", "perfect"),
    "negative": _turned("past", "past", True),
    "negative_present": _turned("present", "present", True),
    "question": _question,
    "statement": lambda f: _question(f)[::-1],
    "plural": _number(True),
    "singular": _number(False),
    "passive": _passive,
    "active": lambda f: _passive(f)[::-1],
    "reported": _reported,
    "because": _joined("because"),
    "although": _joined("although"),
    "so": _joined("so"),
    "but": _joined("but"),
    "condition": _condition,
    "pronoun": _by_pronoun,
    "first_person": _first_person,
    "spelling": _spelling,
    "tidied": _tidied,
    "order": _order,
    "complement": _complement,
    "opposite": _in_sentence("pairs"),
    "same": _in_sentence("synonyms"),
    "plural_of": _plural,
    "past_of": _form("past"),
    "participle_of": _form("participle"),
    "ing_of": _form("ing"),
    "third_of": _form("third"),
    "comparative": _grade(1),
    "superlative": _grade(2),
    "opposites": _pair("opposites"),
    "synonyms": _pair("synonyms"),
    "kind": _kind_of,
    "odd": _odd,
}


_FIRSTS = {
    "sentences": ("Sentence: ", "Sentence: ", "Text: ", ""),
    "words": ("Word: ", "Word: ", ""),
    "odd": ("Words: ", "Words: ", ""),
}


@cache
def tasks() -> tuple[Task, ...]:
    """All exercises with their wordings from bank `prose_tasks`."""
    found = []
    for group, entries in bank("prose_tasks").items():
        for name, entry in entries.items():
            say, cues = entry["say"].split("|"), entry["cues"].split("|")
            firsts = _FIRSTS["odd" if name == "odd" else group]
            pairs_of_cues = [(first, f"\n{cue}:") for first in firsts for cue in cues]
            if group == "sentences":
                pairs_of_cues += [("Sentence: ", f"\n{say[0].rstrip('.')}:")] * 3
            found.append(Task(tuple(say), (*pairs_of_cues, ("", " ->"), ("", " =")), _DRAWS[name]))
    return tuple(found)
