"""Comparisons of skill `prose`: which of two is bigger, who is older, the best of all."""

from __future__ import annotations

from functools import cache

from scripts.mini.corpus.document import bank, reserved
from scripts.mini.corpus.prose_clause import sentence
from scripts.mini.corpus.prose_fill import Filler
from scripts.mini.corpus.prose_sentences import actor
from scripts.mini.corpus.prose_words import a, word_group

_PERSONAL = word_group("personal")


@cache
def scales(held_out: bool) -> list[tuple[str, list[str]]]:
    """Adjectives with things from the least to the most."""
    found = [(k, [w.strip() for w in v.split(",")]) for k, v in bank("prose_phrases")["scales"].items()]
    return list(reserved(found, held_out))


def scale(f: Filler) -> str:
    """Which of two or three things is bigger, heavier, faster … ."""
    rng = f.rng
    adjective, things = rng.choice(scales(f.words.held_out))
    more, most = next(g for g in forms_of() if g[0] == adjective)[1:]
    low, high = sorted(rng.sample(range(len(things)), 2))
    less, greater = things[low], things[high]
    two = [less, greater]
    rng.shuffle(two)
    mass = adjective in ("hot", "hard")
    x, y = (less, greater) if mass else (a(less), a(greater))
    share = rng.random()
    if share < 0.25:
        return sentence(f"{y} is {more} than {x}")
    if share < 0.4:
        return sentence(f"{x} is not as {adjective} as {y}")
    if share < 0.7:
        pair = " or ".join(two if mass else map(a, two))
        answer = y if rng.random() < 0.5 else f"{y} is {more} than {x}"
        return f"Which is {more}, {pair}? {sentence(answer)}"
    if share < 0.85 and len(things) > 3:
        three = sorted(rng.sample(range(len(things)), 3))
        named = [things[i] for i in three]
        shuffled = rng.sample(named, 3)
        listed = (
            ", ".join(w if mass else a(w) for w in shuffled[:2]) + f" and {shuffled[2] if mass else a(shuffled[2])}"
        )
        return f"Of {listed}, {named[2] if mass else 'the ' + named[2]} is the {most}."
    ask = rng.random() < 0.5
    q = f"Is {y if ask else x} {more} than {x if ask else y}?"
    return f"{q} {'Yes, it is.' if ask else 'No, it is not.'}"


@cache
def forms_of() -> list[tuple[str, str, str]]:
    found = []
    for adjective, line in bank("words")["adjectives"].items():
        forms = line.split("|")[0].split()
        if forms[0] != "-":
            half_ = len(forms) // 2
            found.append((adjective, " ".join(forms[:half_]), " ".join(forms[half_:])))
    return found


def compared(f: Filler) -> str:
    """Two people or two things compared."""
    rng = f.rng
    if rng.random() < 0.5:
        own = [g for g in forms_of() if g[0] in _PERSONAL and f.words.has_adjective(g[0])]
        adjective, more, most = rng.choice(own)
        who, other = actor(f), f.name()
        forms = (
            f"{who.text} is {more} than {other.text}", f"{who.text} is as {adjective} as {other.text}",
            f"{who.text} is not as {adjective} as {other.text}", f"{who.text} is the {most} of all",
            f"nobody is {more} than {who.text}", f"{who.text} is much {more} than {who.his} brother",
            f"{who.text} was the {most} person in the village", f"{who.text} is getting {more} and {more}"
            if not more.startswith("more") else f"{who.text} is becoming more and {more}",
        )  # fmt: skip
        return sentence(rng.choice(forms))
    adjective, more, most, nouns = rng.choice(f.words.graded)
    first, second = rng.choice(nouns), rng.choice(nouns)
    many = rng.random() < 0.4
    if many:
        return sentence(f"these {first.plural} are {more} than {rng.choice(('those', 'the others', 'yours', 'mine'))}")
    things = (
        f"this {first.base} is {more} than {'that one' if first == second else 'that ' + second.base}",
        f"it was the {most} {first.base} that {actor(f).text} had ever seen",
        f"my {first.base} is {more} than yours", f"we need {a(more + ' ' + first.base)}",
        f"the {second.base} is not as {adjective} as the {first.base}" if first != second
        else f"this {first.base} is as {adjective} as the other one",
        f"which {first.base} is the {most}", f"the {first.base} was too {adjective} for us",
    )  # fmt: skip
    live = first in f.words.classes["person"] or first in f.words.classes["animal"]
    text = rng.choice(things[:-2] if live else things)
    return sentence(text, "?") if text.startswith("which") else sentence(text)
