"""Clauses of skill `prose`: a subject, a verb in some tense, an object and circumstances, said in several ways."""

from __future__ import annotations

from dataclasses import dataclass, replace

from scripts.mini.corpus.prose_words import Verb, verb, word_group

# Of each pronoun: object, possessive, reflexive; "is", "was", "has", "does".
PRONOUNS = {
    "I": ("me", "my", "myself"),
    "you": ("you", "your", "yourself"),
    "he": ("him", "his", "himself"),
    "she": ("her", "her", "herself"),
    "it": ("it", "its", "itself"),
    "we": ("us", "our", "ourselves"),
    "they": ("them", "their", "themselves"),
}
_AM = {"I": "am", "he": "is", "she": "is", "it": "is"}
_WAS = {"I": "was", "he": "was", "she": "was", "it": "was"}
_THIRD = frozenset(("he", "she", "it"))
_MODALS = {word: word for word in ("would", "can", "could", "must", "may", "might", "should")} | {"future": "will"}
_BE = Verb("be", "is", "was", "been", "being")
_CONTRACTED = {
    "will": "won't", "can": "can't", "am": "am not", "may": "may not", "might": "might not", "would": "wouldn't",
    "could": "couldn't", "must": "mustn't", "should": "shouldn't",
}  # fmt: skip
STATIVE = word_group("stative")
NO_PASSIVE = word_group("no_passive")


@dataclass(frozen=True)
class Phrase:
    """A noun phrase and the pronoun that stands for it."""

    text: str
    pronoun: str = "it"
    live: bool = False  # whether it is a person, or an animal taken for one

    @property
    def object(self) -> str:
        """As it stands after a verb: pronouns change."""
        return PRONOUNS[self.text][0] if self.text in PRONOUNS else self.text

    @property
    def him(self) -> str:
        """The pronoun as an object."""
        return PRONOUNS[self.pronoun][0]

    @property
    def his(self) -> str:
        """The possessive."""
        return PRONOUNS[self.pronoun][1]

    @property
    def himself(self) -> str:
        """The reflexive."""
        return PRONOUNS[self.pronoun][2]

    @property
    def many(self) -> bool:
        """Whether it takes the verb of the plural."""
        return self.pronoun not in _THIRD

    @property
    def genitive(self) -> str:
        """With 's; the possessive of a pronoun."""
        if self.text in PRONOUNS:
            return PRONOUNS[self.text][1]
        return self.text + ("'" if self.many and self.text.endswith("s") else "'s")


def pronoun(who: Phrase) -> Phrase:
    """The pronoun for it."""
    return Phrase(who.pronoun, who.pronoun, who.live)


def is_(who: str) -> str:
    """The present of "be" for a pronoun."""
    return _AM.get(who, "are")


def was(who: str) -> str:
    """The past of "be" for a pronoun."""
    return _WAS.get(who, "were")


def group(v: Verb, tense: str, who: str, passive: bool = False, support: bool = False) -> list[str]:
    """The words of the verb, the finite one first; `support` asks for one that can be moved or negated ("does")."""
    core = _BE if passive else v
    rest = [v.participle] if passive else []
    if tense in ("present", "past"):
        if core.base == "be":
            return [(is_ if tense == "present" else was)(who), *rest]
        if support:
            return [("does" if who in _THIRD else "do") if tense == "present" else "did", core.base]
        return [core.past if tense == "past" else core.third if who in _THIRD else core.base]
    if tense in _MODALS:
        return [_MODALS[tense], core.base, *rest]
    if tense == "progressive":
        return [is_(who), core.ing, *rest]
    if tense == "past_progressive":
        return [was(who), core.ing, *rest]
    if tense == "going":
        return [is_(who), "going", "to", core.base, *rest]
    if tense == "past_perfect":
        return ["had", core.participle, *rest]
    if tense == "would_have":
        return ["would", "have", core.participle, *rest]
    if tense == "perfect_progressive":
        return ["has" if who in _THIRD else "have", "been", core.ing, *rest]
    return ["has" if who in _THIRD else "have", core.participle, *rest]


def negated(aux: str, short: bool) -> str:
    """ "does" -> "does not" or "doesn't"."""
    if not short:
        return "cannot" if aux == "can" else f"{aux} not"
    return _CONTRACTED.get(aux) or f"{aux}n't"


@dataclass(frozen=True)
class Clause:
    """Who does what, where and when."""

    subject: Phrase
    verb: Verb
    tense: str = "past"
    object: Phrase | None = None
    to: str = ""  # the preposition in front of the object
    extra: str = ""  # a second object, an adjective, an infinitive
    tail: str = ""  # manner and place, behind everything
    often: str = ""  # an adverb in the middle
    time: str = ""

    def after(self, with_object: bool = True, with_tail: bool = True, with_time: bool = True) -> list[str]:
        """What stands behind the verb."""
        found = []
        if with_object and self.object:
            found.append(f"{self.to} {self.object.object}" if self.to else self.object.object)
        elif self.to:
            found.append(self.to)
        found += [self.extra, self.tail if with_tail else "", self.time if with_time else ""]
        return [part for part in found if part]

    def say(self, negative: bool = False, short: bool = False, subject: str | None = None) -> str:
        """As a statement, without a capital and a full stop."""
        return _join([self.subject.text if subject is None else subject, *self.predicate(negative, short)])

    def predicate(self, negative: bool = False, short: bool = False) -> list[str]:
        """All but the subject."""
        words = group(self.verb, self.tense, self.subject.pronoun, support=negative)
        if negative:
            words[0] = negated(words[0], short)
        middle = [self.often] if self.often else []
        at = 1 if len(words) > 1 or self.verb.base == "be" else 0
        return [*words[:at], *middle, *words[at:], *self.after()]

    def ask(self, word: str = "", **without: bool) -> str:
        """As a question: "did she …" or, with a question word, "where did she …"; it lacks what the word asks for."""
        words = group(self.verb, self.tense, self.subject.pronoun, support=True)
        middle = [self.often] if self.often else []
        start = [word] if word else []
        return _join([*start, words[0], self.subject.text, *middle, *words[1:], *self.after(**without)])

    def short_answer(self, yes: bool) -> str:
        """ "Yes, she did." or "No, she didn't."."""
        words = group(self.verb, self.tense, self.subject.pronoun, support=True)
        who = self.subject.pronoun
        if who in ("I", "we"):
            who = "you"
        elif who == "you":
            who = "I"
        aux = group(self.verb, self.tense, who, support=True)[0] if who != self.subject.pronoun else words[0]
        return f"Yes, {who} {aux}." if yes else f"No, {who} {negated(aux, True)}."

    def passive(self, agent: bool = True) -> str:
        """ "The bread was baked by Anna in the kitchen"."""
        if not self.object:
            raise ValueError("only a clause with an object has a passive")
        thing = self.object
        words = group(self.verb, self.tense, thing.pronoun, passive=True)
        middle = [self.often] if self.often else []
        by = [f"by {self.subject.object}"] if agent else []
        rest = [part for part in (self.tail, self.time) if part]
        return _join([thing.text, words[0], *middle, *words[1:], *by, *rest])

    def into(self, tense: str, time: str = "", often: str = "") -> Clause:
        """The same in another tense."""
        return replace(self, tense=tense, time=time, often=often)


def _join(parts: list[str]) -> str:
    return " ".join(part for part in parts if part)


def sentence(text: str, end: str = ".") -> str:
    """With a capital and a full stop."""
    return text[0].upper() + text[1:] + ("" if text.endswith(("?", "!", ".", '."', '?"', '!"')) else end)


def act(text: str, who: Phrase, tense: str, negative: bool = False) -> str:
    """A verb phrase such as "brush {his} teeth" in a tense: "is brushing her teeth"."""
    base, _, rest = text.partition(" ")
    words = group(verb(base), tense, who.pronoun, support=negative)
    if negative:
        words[0] = negated(words[0], True)
    return _join([*words, filled(rest, who)])


def doing(text: str, who: Phrase) -> str:
    """A verb phrase in -ing."""
    base, _, rest = text.partition(" ")
    return _join([verb(base).ing, filled(rest, who)])


def filled(text: str, who: Phrase) -> str:
    """With the pronouns for {he}, {him}, {his} and {himself}."""
    if "{" not in text:
        return text
    return (
        text.replace("{his}", who.his)
        .replace("{him}", who.him)
        .replace("{he}", who.pronoun)
        .replace("{himself}", who.himself)
    )
