"""Sentences of skill `prose`, one construction after the other: statements, questions, passives, relative clauses."""

from __future__ import annotations

import random
from dataclasses import replace

from scripts.mini.corpus.document import bank
from scripts.mini.corpus.prose_clause import Phrase, act, group, pronoun, sentence
from scripts.mini.corpus.prose_fill import Filler, activities, timed
from scripts.mini.corpus.prose_frames import pattern
from scripts.mini.corpus.prose_words import Noun, word_group, words

_SINGLE = ("transitive", "transitive", "transitive", "intransitive", "intransitive", "with", "ditransitive")
_OBJECT = ("transitive", "transitive", "transitive", "with")
Half = tuple[str, str, str, bool]  # subject ("A" or words), base form, rest, whether the subject is a plural


def statement(f: Filler) -> str:
    """A plain sentence; times and places may stand in front."""
    c = f.clause()
    share = f.rng.random()
    if c.time and share < 0.35 and c.tense not in ("perfect", "past_perfect"):
        return sentence(f"{c.time}{',' if ' ' in c.time else ''} {replace(c, time='').say()}")
    if c.tail and share < 0.1 and " " in c.tail and not c.extra and not c.tail.split()[0].endswith("ly"):
        return sentence(f"{c.tail}, {replace(c, tail='').say()}")
    if share > 0.93:
        return sentence(f"{f.rng.choice(bank('words')['sentence_adverbs'][:10])} {c.say()}")
    return sentence(c.say())


def negative(f: Filler) -> str:
    """A negated sentence."""
    c = replace(f.clause(("transitive", "intransitive", "with", "more")), often="")
    return sentence(c.say(negative=True, short=f.rng.random() < 0.5))


def yes_no(f: Filler) -> str:
    """A question and a short answer, at times with a whole sentence after it."""
    c = replace(f.clause(_SINGLE), often="")
    yes = f.rng.random() < 0.5
    return f"{sentence(c.ask(), '?')} {c.short_answer(yes)}"


def asked(f: Filler) -> str:
    """A question with a question word, and its answer."""
    rng = f.rng
    while True:
        c = replace(f.clause(_OBJECT if rng.random() < 0.7 else ("intransitive",)), often="")
        who = pronoun(c.subject)
        kind = rng.random()
        brief = rng.random() < 0.4
        full = replace(c, subject=who)
        if kind < 0.25 and c.subject.live:
            rest = " ".join([*group(c.verb, c.tense, "he"), *c.after()])
            aux = group(c.verb, c.tense, c.subject.pronoun, support=True)[0]
            return f"{sentence('who ' + rest, '?')} {sentence(f'{c.subject.text} {aux}' if brief else c.say())}"
        if who.text in ("I", "we", "you"):
            continue
        if kind < 0.55 and c.object:
            question = c.ask("who" if c.object.live else "what", with_object=False)
            return f"{sentence(question, '?')} {sentence(c.object.object if brief else full.say())}"
        if c.time and c.tense in ("past", "future", "going"):
            return f"{sentence(c.ask('when', with_time=False), '?')} {sentence(c.time if brief else full.say())}"
        if c.tail.split(" ")[0] in _WHERE and not c.extra and not timed(c.tail):
            return f"{sentence(c.ask('where', with_tail=False), '?')} {sentence(c.tail if brief else full.say())}"


_WHERE = word_group("where")


def passive(f: Filler) -> str:
    """A passive, with or without the one who did it, or both voices."""
    c = f.clause(("transitive",), passive=True)
    agent = c.subject.text not in ("I", "you", "we", "he", "she", "they") and f.rng.random() < 0.6
    if c.tense in ("perfect_progressive", "past_progressive", "progressive") and f.rng.random() < 0.5:
        c = replace(c, tense="past", time="")
    return sentence(c.passive(agent))


def _relative(f: Filler) -> tuple[Phrase, str, str]:
    """A noun phrase with a relative clause, and what it is: one of the keys of what can be said about it."""
    rng = f.rng
    if rng.random() < 0.5:
        n = f.words.pick(rng, rng.choice(("worker", "kid", "person")))
        many = rng.random() < 0.4
        head = Phrase(f"the {n.plural if many else n.base}", "they" if many else f.gender(n), True)
        if rng.random() < 0.65:
            tense = rng.choice(("past", "progressive", "perfect", "past_progressive"))
            return head, f"{rng.choice(('who', 'who', 'that'))} {act(activity(f), head, tense)}", "people"
        by = f.someone()
        while by.text == head.text:
            by = f.someone()
        known = rng.choice(("met", "saw", "knew", "visited", "helped", "thanked", "looked for", "invited", "spoke to"))
        return head, f"{rng.choice(('whom ', 'that ', '', 'who '))}{by.text} {known}", "people"
    frame, objects = rng.choice(f.words.concrete)
    c = f.filled(frame, rng.choice(("past", "past", "perfect", "past_perfect")), objects)
    assert c.object is not None
    thing = c.object.text
    article, _, rest = thing.partition(" ")
    if article in _ARTICLES or article in _POSSESSIVES:
        thing = f"the {rest}"
    elif article not in _KEPT:
        thing = f"the {thing}"
    inner = replace(c, object=None, often="", time="", tail="" if timed(c.tail) else c.tail).say()
    food = objects[0] in f.words.classes["food"]
    return Phrase(thing, c.object.pronoun), rng.choice(("which ", "that ", "that ", "")) + inner, _KIND[food]


_ARTICLES = word_group("articles")
_KEPT = word_group("kept")
_POSSESSIVES = frozenset(("my", "your", "his", "her", "its", "our", "their"))
_KIND = ("things", "food")
_ABOUT_FOOD = (
    "{is} [cold|very good|too salty|fresh|on the table|not fresh|still warm|all gone]",
    "{was} [delicious|expensive|too sweet|better than expected|for the guests|from the market|enough for six people]",
    "taste{s} [good|strange|of lemon|better than ever|awful]",
)
_ABOUT_THINGS = (
    "{is} [lost|broken|new|old|beautiful|in the hall|on the table|not here|very good|rather strange]",
    "{was} [a present|expensive|very old|the best of all|wonderful|a surprise|not easy to find|too small]",
    "{has} disappeared",
    "{look} [nice|strange|new|different|good]",
    "belong{s} to [my sister|the school|our neighbours|nobody|the old man]",
)
_ABOUT_PEOPLE = (
    "{is} [very tired|from {city}|a friend of mine|late again|waiting outside|not at home|afraid of dogs|famous]",
    "{was} [surprised|very kind|happy|in a hurry|ill last week|born in {city}]",
    "{has} gone home",
    "{look} [tired|happy|pale|worried|proud]",
    "live{s} [next door|in {city}|near the park|in a small flat|on a boat]",
    "want{s} to [learn Spanish|buy a car|go home|see the sea|speak to you]",
)


_ABOUT = {"things": _ABOUT_THINGS, "food": _ABOUT_FOOD, "people": _ABOUT_PEOPLE}


def predicate(f: Filler, many: bool, about: str) -> str:
    """Something that can be said about people, things or food, in the right number."""
    text = f.rng.choice(_ABOUT[about])
    before, bracket, rest = text.partition("[")
    if bracket:
        choices, _, after = rest.partition("]")
        text = before + f.rng.choice(choices.split("|")) + after
    look = "look" if many else "looks"
    return (
        text.replace("{is}", "are" if many else "is").replace("{was}", "were" if many else "was")
        .replace("{has}", "have" if many else "has").replace("{s}", "" if many else "s").replace("{look}", look)
        .replace("{city}", f.rng.choice(f.words.cities))
    )  # fmt: skip


def relative(f: Filler) -> str:
    """A sentence about somebody or something that a relative clause tells apart."""
    head, clause, about = _relative(f)
    return sentence(f"{head.text} {clause} {predicate(f, head.many, about)}")


def between(f: Filler, many: bool, other_many: bool) -> tuple[str, str]:
    """A subject with another noun between it and its verb, in the numbers asked for, and what it is."""
    rng = f.rng
    if rng.random() < 0.4:
        link, about = rng.choice(("with", "next to", "near", "behind", "opposite")), "people"
        one, two = rng.choice((("worker", "kid"), ("worker", "worker"), ("kid", "worker")))
    else:
        about = "things"
        link, one, two = rng.choice(
            (("in", "small_thing", "case"), ("on", "household", "surface"), ("under", "toy", "surface"),
             ("near", "furniture", "part"), ("in", "furniture", "house_room"), ("beside", "tool", "case"))
        )  # fmt: skip
    first, second = _counted(f, one), _counted(f, two)
    other = second.plural if other_many else second.base
    return f"the {first.plural if many else first.base} {link} the {other}", about


def _counted(f: Filler, name: str) -> Noun:
    while True:
        n = f.words.pick(f.rng, name)
        if n.counts:
            return n


def attractor(f: Filler) -> str:
    """ "The keys to the cabinet are …": the verb agrees with the first noun."""
    many = f.rng.random() < 0.5
    head, about = between(f, many, f.rng.random() < 0.6)
    return sentence(f"{head} {predicate(f, many, about)}")


def actor(f: Filler) -> Phrase:
    """A person of the third person singular, mostly by name."""
    while True:
        found = f.name() if f.rng.random() < 0.6 else f.someone(plain=True)
        if found.pronoun in ("he", "she"):
            return found


def activity(f: Filler) -> str:
    """Something that people do, base form first."""
    return f.rng.choice(activities(f.words.held_out))


def more(f: Filler) -> str:
    """A sentence of the bank of patterns."""
    return pattern(f.rng, f.words.held_out)


def filler(rng: random.Random, held_out: bool) -> Filler:
    """A filler on a share of the words."""
    return Filler(rng, words(held_out))
