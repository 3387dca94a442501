"""Short texts of skill `prose` about one person, put together from what people do: a portrait, a day."""

from __future__ import annotations

from scripts.mini.corpus.document import bank
from scripts.mini.corpus.prose_clause import Phrase, act, doing, filled, pronoun, sentence
from scripts.mini.corpus.prose_fill import Filler, activities
from scripts.mini.corpus.prose_sentences import activity
from scripts.mini.corpus.prose_words import a

_PARTS = (
    ("In the morning", "In the afternoon", "In the evening", "At night"),
    ("First", "Then", "After that", "In the end"),
    ("After breakfast", "Before lunch", "At three o'clock", "After supper"),
    ("At seven o'clock", "At ten o'clock", "At noon", "Later"),
    ("On Monday", "On Tuesday", "On Thursday", "At the weekend"),
)


def portrait(f: Filler) -> str:
    """Who somebody is, what they have, like and do."""
    rng = f.rng
    who = f.name()
    he = pronoun(who)
    job = f.words.pick(rng, "worker")
    pet, game = f.words.pick(rng, "pet"), f.words.pick(rng, "game")
    food = f.words.pick(rng, "snack")
    times = bank("words")["time"]
    skills = rng.sample(activities(f.words.held_out, "skills"), 3)
    kin = rng.choice(("brother", "sister", "cousin", "uncle", "aunt"))
    first = rng.choice((
        f"{who.text} is {rng.randint(19, 70)} years old",
        f"{who.text} is {a(job.base)} in {rng.choice(f.words.cities)}",
        f"{who.text} comes from {rng.choice(f.words.cities)}", f"{who.text} lives in {rng.choice(f.words.cities)}",
    ))  # fmt: skip
    rest = [
        f"{he.text} works as {a(job.base)}" if " is a" not in first else f"{he.text} likes {he.his} work",
        f"{he.text} has {rng.choice(('a child', 'two children', 'three children'))}" if rng.random() < 0.5
        else f"{he.text} lives with {he.his} {kin}",
        f"{he.text} has {a(pet.base)} which is called {rng.choice(('Max', 'Bella', 'Smudge', 'Tiger', 'Fluffy'))}",
        f"{he.text} {rng.choice(('likes', 'loves', 'hates', 'cannot stand'))} {food.plural}",
        f"{he.text} {rng.choice(('plays', 'enjoys', 'is good at'))} {game.base}",
        f"{rng.choice(times['present'])}, {he.text} {act(activity(f), he, 'present')}",
        f"{rng.choice(times['past'])}, {he.text} {act(activity(f), he, 'past')}",
        f"right now {he.text} {act(activity(f), he, 'progressive')}",
        f"{rng.choice(times['future'])} {he.text} {act(activity(f), he, 'future')}",
        f"{he.text} has never learned to {filled(skills[0], he)}",
        f"{he.text} would like to {filled(skills[1], he)} one day",
        f"{he.text} can {filled(skills[2], he)}",
        f"{he.text} is afraid of {f.words.pick(rng, 'animal').plural}",
        f"{he.his} favourite colour is {rng.choice(bank('words')['colours'][:11])}",
        f"{he.text} was born in {rng.choice(bank('words')['months'])}",
        f"{he.text} often talks to {he.his} {kin}, who lives in {rng.choice(f.words.cities)}",
    ]  # fmt: skip
    chosen = rng.sample(rest, rng.randint(3, 7))
    return " ".join(map(sentence, [first, *chosen]))


def day(f: Filler) -> str:
    """What somebody, or I, did on one day, or will do, part after part."""
    rng = f.rng
    me = rng.random() < 0.5
    who = Phrase("I", "I", True) if me else f.name()
    he = pronoun(who)
    tense = rng.choice(("past", "past", "past", "future", "present"))
    start = {
        "past": ("yesterday was a long day", "it was an ordinary Saturday", "on Sunday it rained",
                 "today was a good day"),
        "future": ("tomorrow is a holiday", "next week everything will be different", "tomorrow will be a busy day"),
        "present": (f"every Saturday {who.text} {act(activity(f), who, 'present')}", "most days are alike"),
    }[tense]  # fmt: skip
    parts = rng.choice(_PARTS)
    sentences = [rng.choice(start)] if rng.random() < 0.7 else []
    chosen = rng.sample(activities(f.words.held_out), len(parts))
    for i, part in enumerate(parts):
        subject = who if i == 0 else he
        text = f"{part} {subject.text} {act(chosen[i], subject, tense)}"
        share = rng.random()
        if share < 0.2 and tense == "past":
            text += f" and {act(activity(f), he, tense)}"
        elif share < 0.3 and tense == "past":
            text += f" instead of {doing(activity(f), he)}"
        sentences.append(text)
    ends = {
        "past": (f"{he.text} fell asleep at ten o'clock", f"{he.text} went to bed early", "it was a good day",
                 f"{he.text} told nobody about it", f"in the end {he.text} {act('be', he, 'past')} very tired"),
        "future": (f"{he.text} {act('be', he, 'present')} looking forward to it", "that is the plan"),
        "present": (f"{he.text} {act('like', he, 'present')} it that way", "nothing ever changes"),
    }[tense]  # fmt: skip
    if rng.random() < 0.7:
        sentences.append(rng.choice(ends))
    return " ".join(map(sentence, sentences))
