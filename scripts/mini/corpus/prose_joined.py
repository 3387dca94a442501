"""Two clauses in one sentence of skill `prose`: causes, contrasts, conditions, and what somebody said."""

from __future__ import annotations

from functools import cache

from scripts.mini.corpus.document import bank, reserved
from scripts.mini.corpus.prose_clause import Clause, Phrase, act, filled, group, negated, pronoun, sentence
from scripts.mini.corpus.prose_fill import Filler
from scripts.mini.corpus.prose_sentences import activity, actor
from scripts.mini.corpus.prose_words import verb

Half = tuple[str, str, str, bool]  # subject ("A" or words), base form, rest, whether the subject is a plural


@cache
def pairs(name: str, held_out: bool) -> list[tuple[Half, Half]]:
    """Causes with effects, or contrasts, of bank `prose_phrases`."""
    found = []
    for line in reserved(bank("prose_phrases")[name].splitlines(), held_out):
        one, _, two = line.partition(" > ")
        found.append((_half(one), _half(two)))
    return found


def _half(text: str) -> Half:
    mark = text.find("_") if "_" in text else text.find("=")
    base, _, rest = text[mark + 1 :].partition(" ")
    return text[:mark].strip(), base, rest, text[mark] == "="


def half(h: Half, who: Phrase, named: bool, tense: str, negative: bool = False) -> str:
    """One half of a pair in a tense; `named` says A by name, otherwise a pronoun."""
    subject, base, rest, many = h
    number = "they" if many else "it"
    if subject == "A":
        subject, number = who.text if named else who.pronoun, who.pronoun
    elif subject.endswith("verybody") or subject == "nobody":
        number = "it"
    verb_words = group(verb(base), tense, number, support=negative)
    if negative:
        verb_words[0] = negated(verb_words[0], True)
    return " ".join(filter(None, (filled(subject, who), *verb_words, filled(rest, who))))


def cause(f: Filler) -> str:
    """Cause and effect, joined in one of many ways, or a question why."""
    rng = f.rng
    one, two = rng.choice(pairs("causes", f.words.held_out))
    who = actor(f)
    tense = "past" if rng.random() < 0.8 else "present"
    forms = (
        "{1} because {0}", "{1} because {0}", "because {0}, {1}", "{0}, so {1}", "{0}, so {1}", "as {0}, {1}",
        "since {0}, {1}", "{0}. That is why {1}", "{0}. Therefore {1}", "{0}, and so {1}", "why? {0}. Q",
    )  # fmt: skip
    form = rng.choice(forms)
    if form.endswith("Q") and two[0] == "A":
        question = Clause(who, verb(two[1]), tense, extra=filled(two[2], who)).ask("why")
        return f"{sentence(question, '?')} Because {half(one, who, False, tense)}."
    if form.endswith("Q"):
        form = "{0}, and so {1}"
    if form.startswith("{1}") and points_back(two):
        form = "because {0}, {1}"
    return _two(form, *halves(one, two, who, tense, tense, form.startswith("{1}")))


def halves(one: Half, two: Half, who: Phrase, first: str, second: str, two_first: bool) -> tuple[str, str]:
    """Both halves in their tenses; the one that stands first says A by name, the other has the pronoun."""
    named_one = one[0] == "A" and not (two_first and two[0] == "A")
    named_two = two[0] == "A" and not (not two_first and one[0] == "A")
    return half(one, who, named_one, first), half(two, who, named_two, second)


def points_back(h: Half) -> bool:
    """Whether a half has a pronoun for something in the half before it."""
    return h[0] in ("it", "they") or any(f" {word} " in f" {h[2]} " for word in ("it", "them", "its"))


def _two(form: str, one: str, two: str) -> str:
    parts = form.format(one, two).split(". ")
    return " ".join(sentence(part) for part in parts)


def contrast(f: Filler) -> str:
    """What happens against expectation: although, but, even though, still, all the same."""
    one, two = f.rng.choice(pairs("contrasts", f.words.held_out))
    who = actor(f)
    form = f.rng.choice((
        "although {0}, {1}", "although {0}, {1}", "{0}, but {1}", "{0}, but {1}", "{1} although {0}",
        "even though {0}, {1}", "though {0}, {1}", "{0}. All the same, {1}", "{0}. Nevertheless {1}",
        "{0}, and yet {1}",
    ))  # fmt: skip
    tense = "past" if f.rng.random() < 0.7 else "present"
    if form.startswith("{1}") and points_back(two):
        form = "although {0}, {1}"
    return _two(form, *halves(one, two, who, tense, tense, form.startswith("{1}")))


def condition(f: Filler) -> str:
    """A condition with its consequence in one of four grades, or a time clause."""
    rng = f.rng
    one, two = rng.choice(pairs("causes", f.words.held_out))
    who = actor(f)
    grade = rng.randrange(5)
    tenses = (("present", "future"), ("past", "would"), ("past_perfect", "would_have"), ("present", "present"))
    tense_one, tense_two = tenses[min(grade, 3)]
    link = "if" if grade < 4 else rng.choice(("when", "whenever", "every time"))
    if grade == 2 and rng.random() < 0.4:
        one_text, two_text = half(one, who, True, tense_one, True), half(two, who, False, tense_two, True)
        return sentence(f"if {one_text}, {two_text}")
    two_first = rng.random() < 0.35 and not points_back(two)
    one_text, two_text = halves(one, two, who, tense_one, tense_two, two_first)
    return sentence(f"{two_text} {link} {one_text}" if two_first else f"{link} {one_text}, {two_text}")


_BACK = {
    "present": "past", "progressive": "past_progressive", "perfect": "past_perfect", "past": "past_perfect",
    "future": "would", "can": "could", "may": "might", "must": "must", "going": "going_past", "should": "should",
}  # fmt: skip


def reported(f: Filler) -> str:
    """What somebody said or asked, directly or reported."""
    rng = f.rng
    who = actor(f)
    doer = activity(f)
    tense = rng.choice(("progressive", "perfect", "past", "future", "can", "must", "past", "future"))
    back = _BACK[tense]
    kind = rng.random()
    me, him = Phrase("I", "I", True), pronoun(who)
    if kind < 0.25:
        said = f'"{sentence("I " + act(doer, me, tense))[:-1]}," {rng.choice(("said", "said", "answered", "replied"))}'
        return f"{said} {who.text}."
    if kind < 0.5:
        that = rng.choice(("that ", "that ", ""))
        told = rng.choice(("said", "told us", "told me", "answered", "explained", "thought"))
        return sentence(f"{who.text} {told} {that}{him.text} {act(doer, him, back)}")
    other = f.name()
    while other.text == who.text:
        other = f.name()
    if kind < 0.7:
        order = rng.choice(("told {} to", "asked {} to", "asked {} to", "told {} not to", "wanted {} to"))
        return sentence(f"{who.text} {order.format(other.text)} {filled(doer, other)}")
    if kind < 0.85:
        ask = rng.choice(("asked {} if", "asked {} whether"))
        return sentence(f"{who.text} {ask.format(other.text)} {pronoun(other).text} {act(doer, pronoun(other), back)}")
    you = Phrase("you", "you", True)
    words_ = group(verb(doer.split(" ")[0]), tense, "you", support=True)
    rest = filled(doer.partition(" ")[2], you)
    question = " ".join(filter(None, (words_[0], "you", *words_[1:], rest)))
    return f'"{sentence(question, "?")}" asked {who.text}.'
