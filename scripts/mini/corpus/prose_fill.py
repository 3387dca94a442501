"""Noun phrases and whole clauses drawn for skill `prose`: words that go together, in the number the sentence needs."""

from __future__ import annotations

import random
from functools import cache

from scripts.mini.corpus import names
from scripts.mini.corpus.document import bank, reserved
from scripts.mini.corpus.prose_clause import NO_PASSIVE, STATIVE, Clause, Phrase, doing, filled
from scripts.mini.corpus.prose_words import Frame, Noun, Words, a, word_group

_MALE = word_group("male")
_FEMALE = word_group("female")
_FEW = ("two", "two", "three", "three", "four", "five", "six", "seven", "ten", "a dozen")
_MANY = ("some", "some", "several", "many", "a few", "both", "most of the", "all the", "a lot of")
_DEFINITE = word_group("definite")
_SECOND = word_group("second")
_OWNERS = ("my", "my", "my", "our", "our", "your", "her", "his", "their")
_KINDS = ("transitive",) * 11 + ("intransitive",) * 7 + ("with",) * 2 + ("ditransitive",) * 2 + ("more",) * 3
_TENSES = (
    ("past",) * 12 + ("present",) * 6 + ("progressive",) * 4 + ("past_progressive",) * 2 + ("perfect",) * 4
    + ("future",) * 3 + ("going", "going", "past_perfect", "can", "must", "must", "should", "might", "may")
)  # fmt: skip
_END = frozenset(["well", "badly", "hard", "together", "alone", "poorly", "perfectly"])
_FREQUENCY = frozenset(["suddenly", "often", "sometimes", "usually", "rarely"])
_TIMES = word_group("times")  # a phrase of place that has one of these leaves no room for a time
_SIBLINGS = word_group("siblings")
# Mostly in the plural: what comes in pairs or in numbers, and what stands after these verbs.
_PAIRS = word_group("pairs")
_PLURAL_AFTER = word_group("plural_after")
_GENERIC = frozenset(["like", "love", "hate", "prefer"])


class Filler:
    """Draws phrases and clauses from one share of the words."""

    def __init__(self, rng: random.Random, words: Words) -> None:
        self.rng = rng
        self.words = words

    def name(self) -> Phrase:
        """A person by name; a sixth of them have names never seen."""
        rng = self.rng
        woman = rng.random() < 0.5
        text = names.person(rng) if rng.random() < 0.15 else rng.choice(self.words.women if woman else self.words.men)
        return Phrase(text, "she" if woman else "he", True)

    def someone(self, plain: bool = False) -> Phrase:
        """Anyone who can act; `plain` leaves out pronouns and "I"."""
        rng = self.rng
        share = rng.random()
        if share < 0.33:
            return self.name()
        if share < 0.5 and not plain:
            word = rng.choice(("he", "she", "he", "she", "we", "they", "I", "I", "you"))
            return Phrase(word, word, True)
        if share < 0.55:
            first, second = self.name(), self.name()
            if first.text != second.text:
                return Phrase(f"{first.text} and {second.text}", "they", True)
        if share < 0.7:
            n = self.words.pick(rng, "family")
            owner = self.name().genitive if rng.random() < 0.25 else rng.choice(_OWNERS[:6] if plain else _OWNERS)
            if n.base in _SIBLINGS and rng.random() < 0.2:
                return Phrase(f"{owner} {rng.choice(('', 'two ', 'three '))}{n.plural}", "they", True)
            return Phrase(f"{owner} {n.base}", self.gender(n), True)
        return self.animate(self.words.pick(rng, rng.choice(("worker", "worker", "worker", "adult", "kid"))))

    def gender(self, n: Noun) -> str:
        """ "he" or "she" for a person."""
        if n.base in _MALE:
            return "he"
        return "she" if n.base in _FEMALE or self.rng.random() < 0.5 else "he"

    def animate(self, n: Noun) -> Phrase:
        """A person named by a noun: "the old baker", "two nurses"."""
        if n in self.words.classes["family"]:
            return Phrase(f"{self.rng.choice(_OWNERS)} {n.base}", self.gender(n), True)
        thing = self.thing(n, subject=True)
        return Phrase(thing.text, "they" if thing.many else self.gender(n), True)

    def subject(self, frame: Frame) -> Phrase:
        """A subject that suits the frame."""
        rng = self.rng
        found = rng.choice(frame.subjects)
        if isinstance(found, Noun):
            persons = found in self.words.classes["person"] or found in self.words.classes["family"]
            return self.animate(found) if persons else self.thing(found, subject=True)
        return self.someone()

    def thing(self, n: Noun, owner: Phrase | None = None, subject: bool = False, share_many: float = 0.22) -> Phrase:
        """A noun with an article or the like and, at times, an adjective."""
        rng = self.rng
        if n.base in _PAIRS:
            share_many = max(share_many, 0.8)
        many = not n.base or (bool(n.plural) and rng.random() < share_many)
        if n.unique:
            return Phrase(f"the {n.base or n.plural}", "it" if n.base else "they")
        word = n.plural if many else n.base
        adjective = self.adjective(n) if rng.random() < 0.26 else ""
        if adjective in _DEFINITE:
            if many or not n.counts:
                adjective = ""
            else:
                poss = owner.his if owner and owner.live else rng.choice(("my", "his", "her"))
                return Phrase(f"{poss if adjective == 'favourite' else 'the'} {adjective} {word}", "it")
        if adjective:
            word = f"{adjective} {word}"
        if owner and owner.live and rng.random() < 0.18:
            return Phrase(f"{owner.his} {word}", "they" if many else "it")
        share = rng.random()
        if many:
            return Phrase(self._several(word, share, subject, bool(n.base)), "they")
        if not n.plural:
            return Phrase(word if share < 0.35 else f"some {word}" if share < 0.6 and not subject else f"the {word}")
        if share < (0.65 if subject else 0.42):
            return Phrase(f"the {word}")
        if share < 0.95:
            return Phrase(a(word))
        return Phrase(f"{rng.choice(('this', 'that', 'another'))} {word}")

    def _several(self, word: str, share: float, subject: bool, counts: bool) -> str:
        rng = self.rng
        if share < (0.6 if subject else 0.35):
            return f"the {word}"
        if share < (0.75 if subject else 0.55) and counts:
            return f"{rng.choice(_FEW)} {word}"
        if share < 0.85:
            return f"{rng.choice(_MANY) if counts else 'some'} {word}"
        return f"{rng.choice(('these', 'those'))} {word}" if share < 0.95 or subject else word

    def adjective(self, n: Noun) -> str:
        """An adjective that suits the noun, now and then two; "" where none is known."""
        rng = self.rng
        suited = self.words.suited.get(n.base or n.plural)
        if not suited:
            return ""
        first = rng.choice(suited)
        if rng.random() < 0.2:
            second = rng.choice(suited)
            if second in _SECOND and first not in _SECOND and first not in _DEFINITE:
                return f"{first} {second}"
        return first

    def tense(self, frame: Frame) -> str:
        """A tense that the verb can have."""
        tense = self.rng.choice(_TENSES)
        if frame.verb.base in STATIVE and tense not in ("past", "present", "future"):
            return "past" if tense.startswith("past") else "present"
        if tense in ("can", "must", "should", "might", "may") and frame.subjects[0] != "person":
            return "past"
        return tense

    def clause(self, kinds: tuple[str, ...] = _KINDS, tense: str = "", passive: bool = False) -> Clause:
        """A clause of one of the kinds; with `passive` one that has a passive."""
        rng = self.rng
        while True:
            kind = rng.choice(kinds)
            if kind == "with":
                kind = rng.choice([name for name in self.words.frames if name.startswith("with")])
            elif kind == "more":
                kind = rng.choice(("adjective", "infinitive", "infinitive", "gerund", "person_infinitive"))
            frames = self.words.frames.get(kind)
            if not frames:
                continue
            frame = rng.choice(frames)
            if passive and (frame.verb.base in NO_PASSIVE or not frame.objects):
                continue
            return self.filled(frame, tense)

    def filled(self, frame: Frame, tense: str = "", objects: tuple[Noun, ...] = ()) -> Clause:
        """A clause from a frame; `objects` narrows what its object may be."""
        rng = self.rng
        subject = self.subject(frame)
        tense = tense or self.tense(frame)
        thing, extra, to = None, "", ""
        if frame.kind == "ditransitive":
            given = self.thing(rng.choice(frame.objects), subject)
            other = self.other(subject)
            if rng.random() < 0.35 and frame.verb.base not in ("buy", "tell"):
                thing, extra = given, f"to {other.object}"
            else:
                thing, extra = other, given.text
        elif frame.kind == "adjective":
            extra = rng.choice(("", "", "very ", "rather ", "quite ")) + rng.choice(frame.adjectives)
        elif frame.kind in ("infinitive", "gerund"):
            activity = rng.choice(activities(self.words.held_out))
            extra = "to " + filled(activity, subject) if frame.kind == "infinitive" else doing(activity, subject)
        elif frame.kind == "person_infinitive":
            thing = self.other(subject)
            extra = "to " + filled(rng.choice(activities(self.words.held_out)), thing)
        elif frame.objects:
            thing = self.of(frame.verb.base, rng.choice(objects or frame.objects), subject)
            to = frame.kind[5:] if frame.kind.startswith("with ") else ""
        tail, often = self.circumstances(frame, tense)
        time, adverb = self.time(tense, frame.verb.base in STATIVE)
        if timed(tail):
            time = ""
        return Clause(
            subject, frame.verb, tense, thing, to, extra, tail, often or adverb, "" if often and tail else time
        )

    def of(self, base: str, n: Noun, subject: Phrase) -> Phrase:
        """The object of a verb: instruments have "the" when played, games and meals no article."""
        rng = self.rng
        if n in self.words.classes["meal"] or (base in ("pay",) and n.base == "tax"):
            return Phrase(n.base)
        if base in ("play", "practise") and n in self.words.classes["instrument"]:
            return Phrase(f"the {n.base or n.plural}", "it" if n.base else "they")
        if base in ("play", "like", "study", "teach", "learn", "speak") and not n.plural:
            return Phrase(n.base)
        many = 0.85 if base in _PLURAL_AFTER else 0.7 if subject.many and n in self.words.classes["clothing"] else 0.22
        if base in _GENERIC:
            return Phrase(n.plural or n.base, "they" if n.plural else "it")
        if n in self.words.classes["person"] or n in self.words.classes["family"]:
            return self.animate(n) if rng.random() < 0.7 or not subject.live else Phrase(f"{subject.his} {n.base}")
        return self.thing(n, subject, share_many=many)

    def other(self, than: Phrase) -> Phrase:
        """A second person."""
        rng = self.rng
        share = rng.random()
        if share < 0.4 and than.live:
            n = self.words.pick(rng, rng.choice(("family", "family", "known")))
            return Phrase(f"{than.his} {n.base}", self.gender(n), True)
        for _ in range(9):
            found = self.name() if share < 0.6 else self.someone(plain=share < 0.8)
            if found.text != than.text and found.pronoun not in ("I", "we", "you"):
                return found
        return Phrase("the others", "they", True)

    def circumstances(self, frame: Frame, tense: str) -> tuple[str, str]:
        """What stands behind the clause (manner, place) and in the middle of it."""
        rng = self.rng
        place = rng.choice(frame.places) if frame.places and rng.random() < 0.55 else ""
        manner = rng.choice(frame.manners) if frame.manners and rng.random() < 0.3 else ""
        if manner in _FREQUENCY:
            if tense not in ("present", "past") or (manner == "suddenly" and tense == "present"):
                return place, ""
            return place, manner
        if tense == "perfect" and timed(place):
            place = ""
        if manner and manner not in _END and rng.random() < 0.3 and tense in ("past", "present", "perfect"):
            return place, manner
        return f"{manner} {place}".strip(), ""

    def time(self, tense: str, stative: bool = False) -> tuple[str, str]:
        """A time that suits the tense, at the end or in the middle."""
        rng = self.rng
        if rng.random() < (0.5 if tense != "present" else 1 if stative else 0.1):
            return "", ""
        times = bank("words")["time"]
        if tense == "past":
            return rng.choice(times["past"]), ""
        if tense == "present":
            if rng.random() < 0.6:
                return "", rng.choice(bank("words")["frequency"])
            return rng.choice(times["present"]), ""
        if tense == "progressive":
            return rng.choice(times["now"]), ""
        if tense in ("future", "going", "might", "may", "must"):
            return rng.choice(times["future"]), ""
        if tense == "perfect":
            return ("", rng.choice(("already", "just", "never", "already"))) if rng.random() < 0.6 else ("today", "")
        if tense == "past_perfect":
            return "", rng.choice(("already", "just", "never"))
        return "", ""


@cache
def timed(tail: str) -> bool:
    """Whether a phrase behind the verb says when rather than where."""
    return any(word in tail for word in _TIMES)


@cache
def activities(held_out: bool, kind: str = "activities") -> list[str]:
    """What people do, base form first; as `mishaps`, what happens to them."""
    return list(reserved(bank("prose_phrases")[kind].splitlines(), held_out))
