"""Words and their forms for skill `prose`: nouns, verbs with their frames, and adjectives, from bank `words`."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache, cached_property

from scripts.mini.corpus.document import bank

_VOWELS = "aeiou"
_AN = ("hour", "honest", "honour", "heir")
_A = ("uni", "use", "euro", "one-", "ukulele", "ewe", "utility", "usual")
_THINGS = (
    "clothing",
    "furniture",
    "tool",
    "container",
    "toy",
    "instrument",
    "household",
    "small_thing",
    "gift",
    "food",
)


def word_group(name: str) -> frozenset[str]:
    """Words that the sentences treat alike, from bank `prose_phrases`."""
    return frozenset(bank("prose_phrases")["groups"][name].split())


# The only one of its kind, or taken so: never "a sun" or "her weather".
_UNIQUE = word_group("unique")


@dataclass(frozen=True)
class Noun:
    """A noun; `plural` is empty where there is none, `base` is where there is no singular."""

    base: str
    plural: str

    @property
    def counts(self) -> bool:
        """Whether it has both numbers."""
        return bool(self.base and self.plural)

    @property
    def unique(self) -> bool:
        """Whether it takes no article but "the"."""
        return (self.base or self.plural) in _UNIQUE


@dataclass(frozen=True)
class Verb:
    """The five forms of a verb."""

    base: str
    third: str
    past: str
    participle: str
    ing: str


@dataclass(frozen=True)
class Frame:
    """A verb with what can stand beside it; "person" among the subjects is anyone."""

    verb: Verb
    kind: str
    subjects: tuple[str | Noun, ...]
    objects: tuple[Noun, ...]
    adjectives: tuple[str, ...]
    places: tuple[str, ...]
    manners: tuple[str, ...]


def a(word: str) -> str:
    """`word` with "a" or "an" in front of it."""
    vowel = word[0].lower() in _VOWELS and not word.lower().startswith(_A)
    return f"an {word}" if vowel or word.startswith(_AN) else f"a {word}"


def plural(noun: str) -> str:
    """The regular plural."""
    if noun.endswith(("s", "x", "z", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in _VOWELS:
        return noun[:-1] + "ies"
    return noun + "s"


def regular(base: str) -> Verb:
    """The forms of a regular verb that doubles no letter."""
    hissing = base.endswith(("s", "x", "z", "ch", "sh", "o"))
    if base.endswith("y") and base[-2] not in _VOWELS:
        return Verb(base, base[:-1] + "ies", base[:-1] + "ied", base[:-1] + "ied", base + "ing")
    stem = base[:-1] if base.endswith("e") else base
    ing = stem if base.endswith("e") and not base.endswith(("ee", "oe", "ye")) else base
    return Verb(base, base + ("es" if hissing else "s"), stem + "ed", stem + "ed", ing + "ing")


def noun(entry: str) -> Noun:
    """A noun as banks write it: "dog", "mouse/mice", "rice/-" or "scissors/="."""
    base, slash, many = entry.partition("/")
    if not slash:
        return Noun(base, plural(base))
    return Noun("" if many == "=" else base, {"-": "", "=": base}.get(many, many))


@cache
def verbs() -> dict[str, Verb]:
    """All verbs by base form, those of bank `prose_phrases` among them."""
    found = {base: Verb(*entry["forms"]) for base, entry in bank("words")["verbs"].items()}
    for line in bank("prose_phrases")["irregular"]:
        forms = line.split()
        found.setdefault(forms[0], Verb(*forms))
    return found


def verb(base: str) -> Verb:
    """The verb of a base form; one that no bank has is regular."""
    return verbs().get(base) or regular(base)


@cache
def _entries() -> dict[str, tuple[Noun, ...]]:
    words = bank("words")
    first: dict[str, Noun] = {}
    found = {}
    for name, entries in (words["nouns"] | words["sets"]).items():
        nouns = [noun(entry) for entry in entries]
        found[name] = tuple(first.setdefault(n.base or n.plural, n) for n in nouns)
    return found


@cache
def _known() -> dict[str, tuple[Noun, bool]]:
    """Each noun of the bank by its singular, and whether it is reserved: every tenth."""
    found: dict[str, tuple[Noun, bool]] = {}
    for entries in _entries().values():
        for entry in entries:
            name = entry.base or entry.plural
            found.setdefault(name, (entry, len(found) % 10 == 9))
    return found


def is_reserved(name: str) -> bool:
    """Whether a noun (its singular) is kept for `held_out`."""
    known = _known().get(name)
    return bool(known and known[1])


class Words:
    """What a document may be made of: the reserved words, or all the others."""

    def __init__(self, held_out: bool) -> None:
        self.held_out = held_out
        self.women = self._share(bank("words")["women"])
        self.men = self._share(bank("words")["men"])
        self.cities = self._share(bank("words")["cities"])
        self._adjectives = {
            k: v for i, (k, v) in enumerate(bank("words")["adjectives"].items()) if (i % 10 == 9) == held_out
        }

    def _share(self, entries: list[str]) -> list[str]:
        return [entry for i, entry in enumerate(entries) if (i % 10 == 9) == self.held_out]

    @cached_property
    def classes(self) -> dict[str, tuple[Noun, ...]]:
        """The nouns of each class and set."""
        return {
            name: tuple(n for n in entries if is_reserved(n.base or n.plural) == self.held_out)
            for name, entries in _entries().items()
        }

    def nouns(self, spec: str) -> tuple[Noun, ...]:
        """Nouns of a list such as "@fruit, bread, life/lives"."""
        found: dict[Noun, None] = {}
        for entry in filter(None, map(str.strip, spec.split(","))):
            if entry.startswith("@"):
                found.update(dict.fromkeys(self.classes[entry[1:]]))
                continue
            known, kept = _known().get(entry, (noun(entry), False))
            if kept == self.held_out:
                found[known] = None
        return tuple(found)

    @cached_property
    def frames(self) -> dict[str, list[Frame]]:
        """All frames of verbs that can be filled, by kind."""
        found: dict[str, list[Frame]] = {}
        for base, entry in bank("words")["verbs"].items():
            for line in entry.get("frames", ()):
                frame = self._frame(verbs()[base], line)
                if frame:
                    found.setdefault(frame.kind, []).append(frame)
        return found

    def _frame(self, verb: Verb, line: str) -> Frame | None:
        kind, _, rest = line.partition(": ")
        arguments, places, manners = ([part.strip() for part in rest.split("|")] + ["", ""])[:3]
        subject, _, thing = arguments.partition(" > ")
        subjects: list[str | Noun] = []
        if "person" in subject.split(", "):
            subjects.append("person")
        subjects += self.nouns(", ".join(entry for entry in subject.split(", ") if entry != "person"))
        objects = () if kind == "adjective" else self.nouns(thing)
        if not subjects or (thing and kind != "adjective" and not objects):
            return None
        return Frame(
            verb,
            kind,
            tuple(subjects),
            objects,
            tuple(thing.split(", ")) if kind == "adjective" else (),
            tuple(filter(None, places.split(", "))),
            tuple(adverb for group in manners.split(", ") if group for adverb in bank("words")["manner"][group]),
        )

    @cached_property
    def suited(self) -> dict[str, list[str]]:
        """The adjectives that suit a noun."""
        found: dict[str, list[str]] = {}
        for adjective, line in self._adjectives.items():
            for n in self.nouns(line.split("|")[1]):
                found.setdefault(n.base or n.plural, []).append(adjective)
        return found

    @cached_property
    def graded(self) -> list[tuple[str, str, str, tuple[Noun, ...]]]:
        """Adjectives with comparative, superlative and the nouns that they suit."""
        found = []
        for adjective, line in self._adjectives.items():
            forms, of = line.split("|")
            suits = tuple(n for n in self.nouns(of) if n.counts)
            if forms.strip() != "-" and suits:
                words = forms.split()
                half = len(words) // 2
                found.append((adjective, " ".join(words[:half]), " ".join(words[half:]), suits))
        return found

    def has_adjective(self, adjective: str) -> bool:
        """Whether an adjective belongs to this share."""
        return adjective in self._adjectives

    def pick(self, rng: random.Random, name: str) -> Noun:
        """A noun of a class or set; of a class without a reserved one, any."""
        return rng.choice(self.classes[name] or words(False).classes[name])

    @cached_property
    def concrete(self) -> list[tuple[Frame, tuple[Noun, ...]]]:
        """Transitive frames of people with those of their objects that are things to hold, to wear or to eat."""
        found = []
        things = {n for name in _THINGS for n in self.classes[name]}
        for frame in self.frames["transitive"]:
            objects = tuple(n for n in frame.objects if n in things)
            if objects and frame.subjects[0] == "person":
                found.append((frame, objects))
        return found


@cache
def words(held_out: bool) -> Words:
    """The reserved words, or all the others."""
    return Words(held_out)
