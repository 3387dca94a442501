"""How a classification is laid out: instruction, cues, separators, lists of options."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from scripts.mini.corpus.classify_texts import FORMS, Domain
from scripts.mini.corpus.document import reserved

CARDINAL = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_PLAIN_CUES = frozenset(FORMS["plain_cues"].split())
_GAPS = ("\n\n", "\n\n", "\n\n", "\n", "\n", "\n---\n", "\n\n\n")


@dataclass
class Layout:
    """What stands before and after each text, between the texts, and before the label."""

    cue: str
    front: str
    back: str
    gap: str = "\n\n"
    lead: str = " "
    options: str = ""
    intro: str = ""
    turn: str = ""
    numbered: bool = False

    def before(self, i: int) -> str:
        """Text before the message with index `i`."""
        return f"{i + 1}. {self.front}" if self.numbered else self.front

    @property
    def after(self) -> str:
        """Text after the message, the options included where each message has its own list."""
        return f"\n{self.options}{self.back}" if self.options else self.back


def layout(rng: random.Random, domain: Domain, plain: bool) -> Layout:
    """`plain` is "Message: ...", line break, "Intent:", with blank lines between; else something of the kind."""
    name = rng.choice(domain.fields)
    cue = rng.choice(domain.cues) if rng.random() < 0.75 else rng.choice(FORMS["cues"])
    if plain:
        return Layout(cue, f"{name}: ", f"\n{cue}:")
    how = rng.random()
    if how < 0.15:
        name, cue = name.lower(), cue.lower()
    elif how < 0.2:
        name, cue = name.upper(), cue.upper()
    form = Layout(cue, *_around(rng, name, cue, domain.what))
    form.gap = rng.choice(_GAPS)
    if "\n" not in form.front + form.back:
        form.gap = rng.choice(("\n", "\n", "\n\n"))
        form.numbered = rng.random() < 0.15
    if form.back.endswith("]") or (form.back.startswith("\n##")):
        form.lead = "\n"
    if rng.random() < 0.12:
        form.intro = rng.choice(FORMS["intro"])
    if rng.random() < 0.08:
        form.turn = rng.choice(FORMS["turn"])
    return form


def _around(rng: random.Random, name: str, cue: str, what: str) -> tuple[str, str]:
    how = rng.randrange(16)
    if how < 4:
        return f"{name}: ", f"\n{cue}:"
    if how == 4:
        question = rng.choice(FORMS["cue_questions"]).replace("{what}", what)
        return f"{name}: ", f"\n{question}" + rng.choice(("", "\nAnswer:", "\nA:"))
    if how == 5:
        return f'{name}: "', f'"\n{cue}:'
    shapes = (
        ("", f"\n{cue}:"),
        ("", " ->"),
        ("", " =>"),
        (f"{name}: ", f" {cue}:"),
        (f"{name}:\n", f"\n{cue}:"),
        (f"## {name}\n", f"\n## {cue}"),
        (f"[{name}]\n", f"\n[{cue}]"),
        (f"{name} = ", f"\n{cue} ="),
        ("Q: ", "\nA:"),
        ('"', '" ='),
    )
    return shapes[how - 6]


def instruction(rng: random.Random, domain: Domain, held_out: bool, cue: str, some: bool, shown: bool = False) -> str:
    """What is to be done; in one of seven cases nothing, unless there must be `some`; by the examples if `shown`."""
    how = rng.random()
    if how < 0.15:
        if not some:
            return ""
        how = 1.0
    own = reserved(FORMS["about_place"], held_out) if domain.place else domain.ask
    if not domain.kinds or (how < 0.3 and not some):
        among = "by_example" if shown and rng.random() < 0.4 else "anything"
        text = rng.choice(reserved(FORMS[among], held_out))
    elif how < 0.5 and cue.lower() in _PLAIN_CUES:
        text = rng.choice(reserved(FORMS["with_cue"], held_out)).replace("{cue}", cue.lower())
    else:
        text = rng.choice(own)
    text = str(text).replace("{what}", domain.what).replace("{place}", domain.place)
    return text.replace("{who}", domain.who).replace("{from}", _with_article(domain.who))


def listing(options: Sequence[str], between: str) -> str:
    """One line with the options."""
    return "Options: " + between.join(options)


def key(rng: random.Random, held_out: bool, pairs: Sequence[tuple[str, str]]) -> str:
    """What each label stands for."""
    form = rng.choice(reserved(FORMS["key"], held_out))
    lines = [form.replace("{k}", code).replace("{c}", name) for code, name in pairs]
    return rng.choice(("\n", "\n", " " if form.endswith(".") else "; ")).join(lines)


def _with_article(noun: str) -> str:
    return f"{'an' if noun[0].lower() in 'aeiou' and not noun.startswith('u') else 'a'} {noun}"
