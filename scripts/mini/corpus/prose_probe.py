"""Right sentences and the same with one grammatical error, from words that the corpus keeps back."""

from __future__ import annotations

import random
from collections.abc import Callable

from scripts.mini.corpus.document import bank
from scripts.mini.corpus.prose_clause import Phrase, act, doing, filled, negated, pronoun, sentence
from scripts.mini.corpus.prose_compare import forms_of
from scripts.mini.corpus.prose_fill import Filler
from scripts.mini.corpus.prose_sentences import activity, between, filler
from scripts.mini.corpus.prose_words import Noun, a, verb, word_group

Pair = tuple[str, str]
_HE, _THEY = Phrase("he", "he", True), Phrase("they", "they", True)


_GRADED = word_group("graded")


def probe_grammar(rng: random.Random) -> tuple[str, str]:
    """A right sentence and a wrong one, of a phenomenon drawn at random."""
    return PHENOMENA[rng.choice(tuple(PHENOMENA))](filler(rng, True))


def _both(right: str, wrong: str, end: str = ".") -> Pair:
    return sentence(right, end), sentence(wrong, end)


def _person(f: Filler) -> Noun:
    return f.rng.choice([n for n in f.words.classes["person"] if n.counts])


def _named(f: Filler) -> Phrase:
    woman = f.rng.random() < 0.5
    return Phrase(f.rng.choice(f.words.women if woman else f.words.men), "she" if woman else "he", True)


def _doer(f: Filler) -> str:
    while True:
        found = activity(f)
        if "{" not in found:
            return found


def agreement(f: Filler) -> Pair:
    """The subject is singular or plural, and so is the verb."""
    n, many, doer = _person(f), f.rng.random() < 0.5, _doer(f)
    tense = f.rng.choice(("present", "progressive", "perfect", "past_progressive"))
    right, wrong = (_THEY, _HE) if many else (_HE, _THEY)
    start = f"the {n.plural if many else n.base}"
    return _both(f"{start} {act(doer, right, tense)}", f"{start} {act(doer, wrong, tense)}")


def distance(f: Filler) -> Pair:
    """Another noun of the other number stands between the subject and the verb."""
    many = f.rng.random() < 0.5
    head, _ = between(f, many, not many)
    is_, are, rest = f.rng.choice((("is", "are", "not here"), ("was", "were", "in the way"), ("has", "have", "gone")))
    return _both(f"{head} {are if many else is_} {rest}", f"{head} {is_ if many else are} {rest}")


def relative(f: Filler) -> Pair:
    """The verb agrees with the head of a relative clause."""
    n, other, many = _person(f), _person(f), f.rng.random() < 0.5
    inner = f.rng.choice(("helped", "met", "called", "invited", "saw"))
    head = f"the {n.plural if many else n.base} who {inner} the {other.base if many else other.plural}"
    is_, are = f.rng.choice((("is", "are"), ("was", "were")))
    rest = f.rng.choice(("tired", "happy", "at home", "in a hurry"))
    return _both(f"{head} {are if many else is_} {rest}", f"{head} {is_ if many else are} {rest}")


def determiner(f: Filler) -> Pair:
    """this and these, each and many, much and many."""
    n = f.rng.choice([n for n in f.words.classes[f.rng.choice(("tool", "animal"))] if n.counts and n.base != n.plural])
    who = _named(f).text
    if f.rng.random() < 0.5:
        one, many = f.rng.choice((("this", "these"), ("that", "those")))
        right, wrong = f.rng.choice(
            ((f"{one} {n.base}", f"{many} {n.base}"), (f"{many} {n.plural}", f"{one} {n.plural}"))
        )
        return _both(f"{who} saw {right}", f"{who} saw {wrong}")
    right, wrong = f.rng.choice(
        (("every {0}", "every {1}"), ("many {1}", "many {0}"), ("two {1}", "two {0}"), ("one {0}", "one {1}"))
    )
    return _both(f"{who} saw {right.format(n.base, n.plural)}", f"{who} saw {wrong.format(n.base, n.plural)}")


def reflexive(f: Filler) -> Pair:
    """himself, herself, themselves."""
    who = _named(f)
    did = f.rng.choice(("hurt", "looked at", "washed", "introduced", "blamed", "taught", "laughed at"))
    wrong = "herself" if who.pronoun == "he" else "himself"
    if f.rng.random() < 0.4:
        n = _person(f)
        return _both(f"the {n.plural} {did} themselves", f"the {n.plural} {did} {wrong}")
    return _both(f"{who.text} {did} {who.himself}", f"{who.text} {did} {wrong}")


def case(f: Filler) -> Pair:
    """he and him."""
    who, other = _named(f), _named(f)
    did = f.rng.choice(("met", "saw", "helped", "thanked", "called", "waited for", "talked to"))
    if f.rng.random() < 0.5:
        return _both(f"{who.text} {did} {other.him}", f"{who.text} {did} {other.pronoun}")
    return _both(f"{who.pronoun} {did} {other.text}", f"{who.him} {did} {other.text}")


def support(f: Filler) -> Pair:
    """After did, does, can and will the verb is bare."""
    who, doer = _named(f), _doer(f)
    base, _, rest = doer.partition(" ")
    aux = f.rng.choice(("did", "does", "can", "will"))
    bad = verb(base).past if aux == "did" and verb(base).past != base else verb(base).third
    start = negated(aux, aux != "will")
    return _both(f"{who.text} {start} {base} {rest}".strip(), f"{who.text} {start} {bad} {rest}".strip())


def participle(f: Filler) -> Pair:
    """has eaten, not has ate; ate, not eaten."""
    who = _named(f)
    base, _, rest = f.rng.choice(bank("prose_phrases")["participles"].splitlines()).partition(" ")
    v = verb(base)
    if f.rng.random() < 0.5:
        return _both(f"{who.text} has {v.participle} {rest}", f"{who.text} has {v.past} {rest}")
    return _both(f"{who.text} {v.past} {rest}", f"{who.text} {v.participle} {rest}")


def polarity(f: Filler) -> Pair:
    """ever, anybody and any need a negation or a question."""
    who, doer = _named(f), _doer(f)
    has = act(doer, _HE, "past_perfect")[4:]
    return f.rng.choice((
        _both(f"nobody has ever {has}", f"somebody has ever {has}"),
        _both(f"{who.text} has never {has}", f"{who.text} has ever {has}"),
        _both("nobody saw anything", "somebody saw anything"),
        _both(f"{who.text} has not said anything", f"{who.text} has said anything"),
    ))  # fmt: skip


def article(f: Filler) -> Pair:
    """a before consonants, an before vowels."""
    n = f.rng.choice([n for n in (*f.words.classes["animal"], *f.words.classes["food"]) if n.counts])
    right = a(n.base)
    wrong = f"a {n.base}" if right.startswith("an ") else f"an {n.base}"
    who = _named(f).text
    return _both(f"{who} saw {right}", f"{who} saw {wrong}")


def order(f: Filler) -> Pair:
    """Questions put the auxiliary before the subject."""
    who, doer = _named(f), _doer(f)
    word = f.rng.choice(("why", "when", "where"))
    tense, aux = f.rng.choice((("progressive", "is"), ("future", "will"), ("perfect", "has")))
    rest = act(doer, _HE, tense).split(" ", 1)[1]
    return _both(f"{word} {aux} {who.text} {rest}", f"{word} {who.text} {aux} {rest}", "?")


def comparison(f: Filler) -> Pair:
    """bigger, not more bigger and not more big."""
    base, more, most = f.rng.choice(
        [g for g in forms_of() if not g[1].startswith("more") and g[0] not in ("good", "bad")]
    )
    n = f.rng.choice([n for n in f.words.classes["animal"] if n.counts])
    bad = f.rng.choice((f"more {more}", base))
    if f.rng.random() < 0.3:
        return _both(f"this is the {most} of all", f"this is the {base} of all")
    return _both(f"this {n.base} is {more} than that one", f"this {n.base} is {bad} than that one")


def complement(f: Filler) -> Pair:
    """wants to swim, enjoys swimming."""
    who, doer = _named(f), activity(f)
    to, ing, bare = f"to {filled(doer, who)}", doing(doer, who), filled(doer, who)
    start, right, wrong = f.rng.choice((
        ("wants", to, ing), ("enjoys", ing, to), ("decided", to, ing), ("must", bare, to), ("finished", ing, bare),
        ("hopes", to, bare), ("stopped", ing, bare),
    ))  # fmt: skip
    return _both(f"{who.text} {start} {right}", f"{who.text} {start} {wrong}")


def tense(f: Filler) -> Pair:
    """Yesterday goes with the past, tomorrow with the future."""
    who, doer = _named(f), activity(f)
    he = pronoun(who)
    when, right, wrong = f.rng.choice((
        ("yesterday", "past", "future"), ("tomorrow", "future", "past"), ("last week", "past", "future"),
        ("next year", "future", "past"), ("two days ago", "past", "future"),
        ("at the moment", "progressive", "past_perfect"),
    ))  # fmt: skip
    return _both(f"{when} {who.text} {act(doer, he, right)}", f"{when} {who.text} {act(doer, he, wrong)}")


def who_which(f: Filler) -> Pair:
    """who for people, which for things."""
    if f.rng.random() < 0.5:
        n = _person(f)
        return _both(f"the {n.base} who lives here is kind", f"the {n.base} which lives here is kind")
    n = f.rng.choice([n for n in (*f.words.classes["tool"], *f.words.classes["furniture"]) if n.counts])
    return _both(f"the {n.base} which lay there was old", f"the {n.base} who lay there was old")


PHENOMENA: dict[str, Callable[[Filler], Pair]] = {
    function.__name__: function
    for function in (
        agreement, distance, relative, determiner, reflexive, case, support, participle, polarity, article, order,
        comparison, complement, tense, who_which,
    )
}  # fmt: skip
