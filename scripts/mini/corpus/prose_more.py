"""More constructions of skill `prose`: habits, rows of actions, pronouns, small exchanges; and the list of all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from scripts.mini.corpus import prose_joined as joined
from scripts.mini.corpus import prose_sentences as one
from scripts.mini.corpus.document import bank
from scripts.mini.corpus.prose_clause import Phrase, act, doing, filled, group, is_, negated, pronoun, sentence, was
from scripts.mini.corpus.prose_compare import compared, scale
from scripts.mini.corpus.prose_fill import Filler, activities
from scripts.mini.corpus.prose_joined import half, pairs
from scripts.mini.corpus.prose_sentences import activity, actor
from scripts.mini.corpus.prose_words import a, noun, verb


def row(f: Filler) -> str:
    """What somebody did, one thing after the other."""
    rng = f.rng
    who = actor(f)
    he = pronoun(who)
    first, second, third = (activity(f) for _ in range(3))
    tense = rng.choice(("past", "past", "past", "present", "future"))
    short = act(second, he, tense)
    bare = filled(second, he) if tense == "future" else short
    last = filled(third, he) if tense == "future" else act(third, he, tense)
    forms = (
        f"{who.text} {act(first, who, tense)} and {bare}",
        f"first {who.text} {act(first, who, tense)}, then {he.text} {short}, and finally {he.text} "
        f"{act(third, he, tense)}",
        f"{who.text} {act(first, who, tense)}. Then {he.text} {short}",
        f"before {he.text} {act(second, he, 'past')}, {who.text} {act(first, who, 'past')}",
        f"after {he.text} {act(first, he, 'past_perfect')}, {who.text} {act(second, who, 'past')}",
        f"after {doing(first, who)}, {who.text} {act(second, who, 'past')}",
        f"before {doing(second, who)}, {who.text} {act(first, who, 'past')}",
        f"having {act(first, he, 'past_perfect')[4:]}, {who.text} {act(second, who, 'past')}",
        f"while {who.text} {act(first, who, 'past_progressive')}, {f.name().text} {act(second, he, 'past_progressive')}"
        if "{" not in second else f"{who.text} {act(first, who, tense)}, and then {he.text} {short}",
        f"{who.text} {act(first, who, tense)}, {bare} and {last}",
        f"when {who.text} {act(first, who, 'past_progressive')}, the telephone rang",
        f"as soon as {who.text} {act(first, who, 'past_perfect')}, {he.text} {act(second, he, 'past')}",
    )  # fmt: skip
    parts = rng.choice(forms).split(". ")
    return " ".join(map(sentence, parts))


def habit(f: Filler) -> str:
    """What somebody does as a rule, and what else they are doing now or did once."""
    rng = f.rng
    who = actor(f)
    he = pronoun(who)
    first, second = activity(f), activity(f)
    skill = rng.choice(activities(f.words.held_out, "skills"))
    mishap = rng.choice(activities(f.words.held_out, "mishaps"))
    times = bank("words")["time"]
    when = rng.choice(times["present"])
    forms = (
        f"{who.text} usually {act(first, who, 'present')} {when}, but today {he.text} {act(second, he, 'progressive')}",
        f"{who.text} {act(first, who, 'present')} {when}",
        f"{when}, {who.text} {act(first, who, 'present')} and {act(second, he, 'present')}",
        f"{who.text} used to {filled(first, who)}, but now {he.text} does not any more",
        f"yesterday {who.text} {act(first, who, 'past')}. Today {he.text} {act(second, he, 'progressive')}. "
        f"Tomorrow {he.text} {act(activity(f), he, 'future')}",
        f"{who.text} {rng.choice(('has never learned', 'is learning', 'wants to learn'))} to {filled(skill, who)}",
        f"{who.text} can {filled(skill, who)} very well",
        f"{who.text} has been able to {filled(skill, who)} since {he.text} was {rng.choice(('six', 'ten', 'four'))}",
        f"{who.text} {act(first, who, 'past', True)} yesterday, so {he.text} must {filled(first, he)} today",
        f"{rng.choice(times['future'])} {who.text} {act(first, who, rng.choice(('future', 'going')))}",
        f"{rng.choice(times['past'])} {who.text} {act(first, who, 'past')}",
        f"{rng.choice(times['past'])} {who.text} {act(mishap, who, 'past')}",
        f"{who.text} {act(mishap, who, 'past')}, and so {he.text} {act(first, he, 'past', True)}",
        f"while {who.text} {act(first, who, 'past_progressive')}, {he.text} {act(mishap, he, 'past')}",
        f"{who.text} {act(mishap, who, 'perfect')}, so {he.text} {act(first, he, 'future', True)} today",
        f"right now {who.text} {act(first, who, 'progressive')}",
        f"{who.text} has already {act(first, he, 'past_perfect')[4:]}, but {he.text} has not "
        f"{act(second, he, 'past_perfect')[4:]} yet",
    )  # fmt: skip
    parts = rng.choice(forms).split(". ")
    return " ".join(map(sentence, parts))


def wish(f: Filler) -> str:
    """Verbs with an infinitive or a gerund, and what one wants others to do."""
    rng = f.rng
    who, other = actor(f), f.name()
    doer = activity(f)
    to = filled(doer, who)
    forms = (
        f"{who.text} {rng.choice(('wants', 'wanted', 'hopes', 'would like', 'decided', 'forgot', 'tried'))} to {to}",
        f"{who.text} {rng.choice(('enjoys', 'likes', 'hates', 'finished', 'stopped'))} {doing(doer, who)}",
        f"{who.text} is {rng.choice(('good at', 'fond of', 'used to', 'afraid of'))} {doing(doer, who)}",
        f"{who.text} wants {other.text} to {filled(doer, other)}",
        f"{who.text} {rng.choice(('helped', 'made', 'let', 'saw', 'heard'))} {other.text} {filled(doer, other)}",
        f"{who.text} saw {other.text} {doing(doer, other)}",
        f"{doing(doer, who)} is {rng.choice(('fun', 'hard work', 'not easy', 'good for you'))}"
        if "{" not in doer else f"{who.text} would rather {to} than {filled(activity(f), who)}",
        f"it is {rng.choice(('easy', 'difficult', 'important', 'fun', 'time'))} to {doer}"
        if "{" not in doer else f"it is time for {who.text} to {to}",
        f"{who.text} is too {rng.choice(('tired', 'young', 'busy', 'ill', 'lazy'))} to {to}",
        f"{who.text} is {rng.choice(('old', 'strong', 'clever', 'careful'))} enough to {to}",
        f"{who.text} had better {to}",
        f"{who.text} wishes {who.pronoun} could {to}",
        f"{who.text} {rng.choice(('must', 'has to', 'should', 'ought to', 'need not', 'may'))} {to}",
        f"{who.text} went out to {to}" if rng.random() < 0.2 else f"{who.text} asked {other.text} not to "
        f"{filled(doer, other)}",
        f"without {doing(doer, who)}, {who.text} {negated('could', False)} sleep",
    )  # fmt: skip
    return sentence(rng.choice(forms))


def together(f: Filler) -> str:
    """Two subjects or two verbs: and, or, both, neither, not only."""
    rng = f.rng
    x, y = f.name(), f.name()
    first, second = _plain(f), _plain(f)
    they, he = Phrase("they", "they", True), Phrase("he", "he", True)
    forms = (
        f"{x.text} and {y.text} {act(first, they, rng.choice(('past', 'progressive', 'future', 'perfect')))}",
        f"both {x.text} and {y.text} {act(first, they, rng.choice(('past', 'progressive', 'perfect')))}",
        f"neither {x.text} nor {y.text} {act(first, he, rng.choice(('past', 'progressive', 'perfect')))}",
        f"either {x.text} or {y.text} {act(first, he, rng.choice(('past', 'future', 'must')))}",
        f"{x.text} {act(first, he, 'past')}, but {y.text} {act(first, he, 'past', True).split(' ')[0]}",
        f"{x.text} {act(first, he, 'future')}, and so will {y.text}",
        f"{x.text} {act(first, he, 'progressive')}, and so is {y.text}",
        f"{x.text} {act(first, he, 'past')}, and so did {y.text}",
        f"{x.text} {act(first, he, 'past', True)}, and neither did {y.text}",
        f"{x.text} not only {act(first, he, 'past')} but also {act(second, he, 'past')}",
        f"{x.text} would like to {first}, and {y.text} would like to {second}",
        f"{x.text} {act(first, he, 'past_progressive')} while {y.text} {act(second, he, 'past_progressive')}",
        f"everybody {act(first, he, 'past')}, except {x.text}",
        f"nobody {act(first, he, rng.choice(('past', 'perfect')))}",
        f"each of the children {act(first, he, rng.choice(('past', 'perfect', 'progressive')))}",
        f"all of us {act(first, they, rng.choice(('past', 'perfect', 'progressive')))}",
        f"shall we {first}, or would you rather {second}",
        f"let's {first}", f"don't {first} now", f"please {first} before you {second}",
    )  # fmt: skip
    text = rng.choice(forms)
    return sentence(text, "?" if text.startswith("shall") else "!" if text.startswith("don't") else ".")


def _plain(f: Filler) -> str:
    """An activity without a pronoun in it."""
    while True:
        found = activity(f)
        if "{" not in found:
            return found


def pronouns(f: Filler) -> str:
    """Two or three sentences in which pronouns stand for what was named first."""
    rng = f.rng
    frame, objects = rng.choice(f.words.concrete)
    one_object = (rng.choice(objects),)
    c = replace(f.filled(frame, "past", one_object), often="")
    if c.object is None or not c.subject.live or c.subject.text in ("I", "you", "we", "they", "he", "she"):
        return agree(f)
    he, it = pronoun(c.subject), pronoun(c.object)
    if one_object[0] in f.words.classes["food"]:
        after = rng.choice((
            f"{it.text} {was(it.text)} {rng.choice(('delicious', 'very good', 'not fresh', 'better than last time'))}",
            f"{it.text} came from the market", f"{he.text} gave half of {it.object} to {he.his} {rng.choice(KIN)}",
            f"{he.text} had never liked {it.object} before", f"nobody else wanted {it.object}",
        ))  # fmt: skip
    else:
        after = rng.choice((
            f"{it.text} {was(it.text)} {rng.choice(('expensive', 'new', 'old', 'very good', 'not easy to find'))}",
            f"{he.text} had looked for {it.object} everywhere", f"{it.text} had belonged to {he.his} {rng.choice(KIN)}",
            f"then {he.text} showed {it.object} to {he.his} {rng.choice(KIN)}",
            f"{he.text} {was(he.text)} very proud of {it.object}", f"{he.text} {was(he.text)} happy about {it.object}",
        ))  # fmt: skip
    return f"{sentence(c.say())} {sentence(after)}"


KIN = ("sister", "brother", "mother", "father", "friend", "neighbour", "uncle", "grandmother")
_HAVE = ("dog", "cat", "house", "car", "garden", "bicycle", "boat", "parrot", "guitar", "camera", "farm", "shop")


def agree(f: Filler) -> str:
    """Somebody has something; then pronouns for both."""
    rng = f.rng
    who = actor(f)
    he = pronoun(who)
    thing = noun(rng.choice(_HAVE))
    many = rng.random() < 0.4
    it = "they" if many else "it"
    number = rng.choice(("two", "three", "four", "several"))
    adjective = f.adjective(thing) if rng.random() < 0.5 else ""
    phrase = f"{number} {adjective} {thing.plural}" if many else a(f"{adjective} {thing.base}".strip())
    start = f"{who.text} has {phrase}".replace("  ", " ")
    them = "them" if many else "it"
    after = rng.choice((
        f"{it} {is_(it)} {rng.choice(('very old', 'quite new', 'not for sale', 'famous in the whole street'))}",
        f"{he.text} loves {them}", f"{he.text} looks after {them} {he.himself}",
        f"{he.text} got {them} from {he.his} {rng.choice(KIN)}", f"{it} once belonged to {he.his} {rng.choice(KIN)}",
        f"{he.text} would never sell {them}",
    ))  # fmt: skip
    return f"{sentence(start)} {sentence(after)}"


def tagged(f: Filler) -> str:
    """A statement with a question tag, and perhaps an answer."""
    rng = f.rng
    who = actor(f)
    he = pronoun(who)
    doer = activity(f)
    tense = rng.choice(("past", "present", "progressive", "perfect", "future", "can"))
    aux = group(verb(doer.split(" ")[0]), tense, he.text, support=True)[0]
    positive = rng.random() < 0.5
    start = f"{who.text} {act(doer, who, tense, not positive)}"
    tag = f"{negated(aux, True)} {he.text}" if positive else f"{aux} {he.text}"
    yes = rng.random() < 0.5
    answer = f"Yes, {he.text} {aux}." if yes else f"No, {he.text} {negated(aux, True)}."
    return f"{sentence(start + ', ' + tag, '?')}{' ' + answer if rng.random() < 0.6 else ''}"


_LONG = frozenset(("every", "months", "want", "love", "hate", "speak", "all"))
_WHEN = ("Yesterday", "Last week", "One day", "This morning", "On Sunday", "Last summer", "The other day")


def story(f: Filler) -> str:
    """Three sentences: a cause, what comes of it, and how it ended."""
    rng = f.rng
    first, second = rng.choice(pairs("causes", f.words.held_out))
    who = actor(f)
    long = not _LONG.isdisjoint((first[1], *first[2].split()))
    when = rng.choice(("Last year", "For a while", "In those days") if long else _WHEN)
    begin = half(first, who, first[0] == "A", "past")
    then = half(second, who, first[0] != "A", "past")
    ends = ["nobody was surprised", "in the end everything was all right", "it was not the first time"]
    if first[0] == "A" or second[0] == "A":
        ends = [
            f"{who.pronoun} will never forget it", f"{who.his} {rng.choice(KIN)} laughed about it",
            "nobody was surprised", f"next time {who.pronoun} will know better",
            f"{who.pronoun} told everybody about it",
            f"{who.pronoun} told {who.his} {rng.choice(KIN)} about it", f"{who.pronoun} was not surprised",
            f"afterwards {who.pronoun} {act(activity(f), pronoun(who), 'past')}",
        ]  # fmt: skip
    return f"{when} {begin}. {sentence(then)} {sentence(rng.choice(ends))}"


CONSTRUCTIONS: tuple[tuple[Callable[[Filler], str], int], ...] = (
    (one.statement, 12), (one.negative, 4), (one.yes_no, 4), (one.asked, 6), (one.passive, 5), (one.relative, 6),
    (one.attractor, 4), (joined.cause, 6), (joined.contrast, 4), (joined.condition, 6), (joined.reported, 6),
    (one.more, 30),
    (scale, 3), (compared, 5), (row, 6), (habit, 6), (wish, 7), (together, 6), (pronouns, 4), (agree, 2), (tagged, 3),
    (story, 5),
)  # fmt: skip
