"""Classification: natural labels with or without examples, and labels that only the examples explain."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from scripts.mini.corpus.classify_episodes import ALL, Lines, Maker, codes_for, keywords, names_of
from scripts.mini.corpus.classify_layout import CARDINAL, Layout, instruction, key, layout, listing
from scripts.mini.corpus.classify_texts import (
    FORMS,
    Domain,
    Kind,
    Line,
    alike,
    domains,
    near,
    say,
    senders,
    told,
    words,
)
from scripts.mini.corpus.document import Document, reserved

LIMIT = 2800  # characters of a document, which is well below 900 tokens
_NO_DOMAIN = Domain((), cues=tuple(FORMS["cues"]), fields=tuple(FORMS["any_fields"]))
_LEVELS = ("copy", "keyword", "across", "few lines", "fresh")


@dataclass(frozen=True)
class Case:
    """A text and its class."""

    text: str
    kind: Kind


def draw(rng: random.Random, held_out: bool = False) -> Document:
    """Natural labels (45%), other names for the classes (20%) or arbitrary labels (35%)."""
    while True:
        how = rng.random()
        made = _named(rng, held_out, other=how >= 0.45) if how < 0.65 else _arbitrary(rng, held_out)
        if len(made.text) <= LIMIT:
            return made


def draw_mapping(rng: random.Random, held_out: bool = False) -> Document:
    """Arbitrary labels only: two to four classes, eight to sixteen demonstrations, more easy ones than hard ones."""
    while True:
        level = rng.choices(_LEVELS, (32, 20, 20, 18, 10))[0]
        classes = rng.choices((2, 3, 4), (60, 25, 15))[0]
        made = _by_demonstrations(rng, held_out, level, classes, rng.randint(8, 16))
        if len(made.text) <= LIMIT:
            return made


def probe_known(rng: random.Random) -> Document:
    """One held-out message of known classes, natural labels, all of them listed, no demonstration."""
    return _probe(rng, domains(True))


def probe_new(rng: random.Random) -> Document:
    """As `probe_known`, but of classes never met in training."""
    return _probe(rng, domains(True, reserved=True))


def _probe(rng: random.Random, among: Sequence[Domain]) -> Document:
    domain = rng.choice([one for one in among if len(one.kinds) > 2])
    kind = rng.choice(domain.kinds)
    labels = {one: one.name for one in domain.kinds}
    form = layout(rng, domain, plain=True)
    head = f"{instruction(rng, domain, True, form.cue, some=True)}\n{listing(list(labels.values()), '; ')}"
    return _written(form, head, [Case(say(rng.choice(kind.lines), rng), kind)], labels, shown=0)


def probe_mapping(rng: random.Random, shots: int) -> Document:
    """Three or four classes never met in training, arbitrary labels, `shots` demonstrations in all, one question."""
    domain = rng.choice([one for one in domains(True, reserved=True) if len(one.kinds) > 3])
    kinds = rng.sample(domain.kinds, rng.choice((3, 4)))
    labels = dict(zip(kinds, codes_for(rng, len(kinds), True), strict=True))
    order = [kinds[i % len(kinds)] for i in range(shots)]
    rng.shuffle(order)
    question = rng.choice(order or kinds)
    form = layout(rng, domain, plain=True)
    head = instruction(rng, domain, True, form.cue, some=True)
    return _written(form, head, _fresh(rng, domain, [*order, question], tidy=True), labels, shown=shots, codes=True)


def _named(rng: random.Random, held_out: bool, other: bool) -> Document:
    """Labels that say what the class is."""
    how = rng.random()
    if how < 0.18:
        return _similar(rng, held_out, codes=False, other=other)
    shots = 0 if how < 0.58 else rng.randint(1, 12)
    domain = _domain(rng, held_out, many=shots > 2)
    top = len(domain.kinds)
    count = top if top <= 10 and rng.random() < 0.4 else rng.randint(2, min(10, top))
    kinds = rng.sample(domain.kinds, count)
    labels = names_of(rng, kinds, other)
    asked = rng.randint(1, 4) if shots == 0 else rng.randint(1, 3)
    if shots == 0 and rng.random() < 0.3:
        return rng.choice((_lettered, _fits, _keyed))(rng, held_out, domain, labels, asked)
    listed = rng.random() < (0.85 if shots == 0 else 0.4) or (other and shots < 3)
    cases = _fresh(rng, domain, [rng.choice(kinds) for _ in range(shots + asked)])
    return _assembled(rng, held_out, domain, cases, labels, shots, listed)


def _arbitrary(rng: random.Random, held_out: bool) -> Document:
    """Labels that only the demonstrations explain, from easy to hard."""
    how = rng.random()
    if how < 0.15:
        return _similar(rng, held_out, codes=True, other=False)
    level = rng.choices(_LEVELS, (25, 18, 22, 20, 15))[0]
    if level in ("copy", "keyword"):
        return _by_demonstrations(rng, held_out, level, rng.choice((2, 2, 2, 3)), rng.randint(4, 10))
    if level == "fresh":
        return _by_demonstrations(rng, held_out, level, rng.randint(2, 6), rng.randint(8, 12))
    return _by_demonstrations(rng, held_out, level, rng.choice((2, 2, 3, 4)), rng.randint(5, 12))


def _by_demonstrations(rng: random.Random, held_out: bool, level: str, count: int, shots: int) -> Document:
    """One episode with arbitrary labels; every question's label is among the demonstrations."""
    domain = _NO_DOMAIN
    make: Maker
    if level == "keyword":
        kinds, make = keywords(rng, held_out, count)
    elif level == "across" or (level == "copy" and rng.random() < 0.4):
        homes = dict(_across(rng, held_out, count))
        kinds = list(homes)
        make = Lines(rng, kinds, 1 if level == "copy" else ALL, homes)
    else:
        domain = _domain(rng, held_out, many=True)
        kinds = rng.sample(domain.kinds, min(count, len(domain.kinds)))
        lines = {"copy": 1, "few lines": rng.randint(2, 3), "fresh": ALL}[level]
        make = Lines(rng, kinds, lines, dict.fromkeys(kinds, domain))
    order = [kinds[i % len(kinds)] for i in range(shots)]
    if rng.random() < 0.3 and shots > 2 * len(kinds):
        order = kinds + [rng.choice(kinds) for _ in range(shots - len(kinds))]
    rng.shuffle(order)
    order += [rng.choice(order) for _ in range(rng.randint(1, 3))]
    labels = dict(zip(kinds, codes_for(rng, len(kinds), held_out), strict=True))
    cases = [Case(make(kind), kind) for kind in order]
    return _assembled(rng, held_out, domain, cases, labels, shots, rng.random() < 0.25, codes=True)


def _similar(rng: random.Random, held_out: bool, codes: bool, other: bool) -> Document:
    """Demonstrations as a search would find them: all like the question, the most alike of the right class."""
    joined = not held_out and rng.random() < 0.3
    domain = _joined(rng) if joined else _domain(rng, held_out, many=True)
    kind = rng.choice(domain.kinds)
    line = rng.choice(kind.lines)
    others = alike(domain, kind, line)
    likest = next((one for one in others if one[1] is kind), (0.0, kind, line))
    if likest[0] < 0.05 or rng.random() < 0.35:  # nothing is alike, or somebody wrote nearly the same
        first, most = Case(near(line, domain, rng), kind), 1e9
    else:
        first, most = Case(say(likest[2], rng), kind), likest[0]
    count = rng.randint(2, 7)
    less = [one for one in others if one[0] < most and one[2] is not likest[2]]
    rest = [one for one in less[:count] if one[0] > 0]
    if len(rest) < count:  # the others have nothing in common with the question
        rest += rng.sample(less[len(rest) :], min(count, len(less)) - len(rest))
    cases = [first, *(Case(told(of, found, domain, rng), of) for _, of, found in rest)]
    how = rng.random()
    if how < 0.4:
        cases.reverse()
    elif how < 0.8:
        rng.shuffle(cases)
    cases.append(Case(near(line, domain, rng), kind))
    kinds = list(dict.fromkeys(case.kind for case in cases))
    labels = (
        dict(zip(kinds, codes_for(rng, len(kinds), held_out), strict=True)) if codes else names_of(rng, kinds, other)
    )
    return _assembled(rng, held_out, domain, cases, labels, len(cases) - 1, not joined and rng.random() < 0.2, codes)


def _assembled(
    rng: random.Random,
    held_out: bool,
    domain: Domain,
    cases: Sequence[Case],
    labels: dict[Kind, str],
    shown: int,
    listed: bool,
    codes: bool = False,
) -> Document:
    """The document, with an instruction or without, and the labels listed or not."""
    form = layout(rng, domain, plain=rng.random() < 0.5)
    head = instruction(rng, domain, held_out, form.cue, some=shown == 0 and not listed, shown=shown > 1)
    options = list(labels.values())
    rng.shuffle(options)
    if listed and shown + len(labels) < 7 and rng.random() < 0.25:
        form.options = listing(options, rng.choice(("; ", ", ", " / ")))
    elif listed:
        text = rng.choice(reserved(FORMS["options"], held_out))
        if rng.random() < 0.2:
            mark = rng.choice(("- ", "* ", ""))
            head += "\n" + rng.choice(FORMS["list_heads"]) + "".join(f"\n{mark}{one}" for one in options)
        else:
            joined = rng.choice(("; ", "; ", ", ", " | ", " / ")).join(options)
            head += rng.choice((" ", "\n", "\n")) + text.replace("{o}", joined).replace("{n}", CARDINAL[len(options)])
    return _written(form, head.strip(), cases, labels, shown, codes)


def _written(
    form: Layout, head: str, cases: Sequence[Case], labels: dict[Kind, str], shown: int, codes: bool = False
) -> Document:
    """Pieces in order; an arbitrary label is an answer only once it has been seen, as nobody could guess it before."""
    made = Document().given(head + form.gap if head else "")
    if shown and form.intro:
        made.given(form.intro + form.gap)
    seen: set[Kind] = set()
    for i, case in enumerate(cases):
        if i == shown and form.turn:
            made.given(form.turn + form.gap)
        made.given(form.before(i) + case.text + form.after)
        end = form.gap if i < len(cases) - 1 else ""
        label = form.lead + labels[case.kind] + end
        if codes and case.kind not in seen and i < len(cases) - 1:
            made.given(label)
        else:
            made.answer(label)
        seen.add(case.kind)
    return made


def _lettered(rng: random.Random, held_out: bool, domain: Domain, labels: dict[Kind, str], asked: int) -> Document:
    """Options by letter, written anew under each text."""
    form = layout(rng, domain, plain=rng.random() < 0.5)
    made = Document().given(instruction(rng, domain, held_out, form.cue, some=True) + form.gap)
    kinds = list(labels)[:6]
    mark = rng.choice((")", ".", ":"))
    letters = rng.choice(("ABCDEF", "abcdef", "123456"))
    for i, case in enumerate(_fresh(rng, domain, [rng.choice(kinds) for _ in range(asked)])):
        rng.shuffle(kinds)
        options = "".join(f"\n{letters[j]}{mark} {labels[kind]}" for j, kind in enumerate(kinds))
        answer = letters[kinds.index(case.kind)]
        made.given(f"{form.before(i)}{case.text}{options}{form.after}")
        made.answer(f"{form.lead}{answer}{form.gap if i < asked - 1 else ''}")
    return made


def _fits(rng: random.Random, held_out: bool, domain: Domain, labels: dict[Kind, str], asked: int) -> Document:
    """A label is suggested; does it fit?"""
    form = layout(rng, domain, plain=rng.random() < 0.5)
    yes, no = rng.choice(FORMS["yes_no"])
    ask = rng.choice(reserved(FORMS["fits_ask"], held_out)).replace("{what}", domain.what)
    made = Document().given(f"{ask.replace('{y}', yes.strip()).replace('{n}', no.strip())}{form.gap}")
    question = rng.choice(reserved(FORMS["fits"], held_out))
    cue = rng.choice(("\nAnswer:", "\nA:", "\n->", ""))
    kinds = list(labels)
    asked += rng.randint(0, 3)
    quote = '"' if form.front.endswith('"') else ""
    for i, case in enumerate(_fresh(rng, domain, [rng.choice(kinds) for _ in range(asked)])):
        fits = rng.random() < 0.5
        guess = case.kind if fits else rng.choice([kind for kind in kinds if kind is not case.kind])
        made.given(f"{form.before(i)}{case.text}{quote}\n{question.replace('{l}', labels[guess])}{cue}")
        made.answer((yes if fits else no) + (form.gap if i < asked - 1 else ""))
    return made


def _keyed(rng: random.Random, held_out: bool, domain: Domain, labels: dict[Kind, str], asked: int) -> Document:
    """Arbitrary labels whose meaning the instruction tells."""
    kinds = list(labels)[:6]
    codes = dict(zip(kinds, codes_for(rng, len(kinds), held_out), strict=True))
    form = layout(rng, domain, plain=rng.random() < 0.5)
    head = f"{instruction(rng, domain, held_out, form.cue, some=True)}\n"
    head += key(rng, held_out, [(codes[kind], labels[kind]) for kind in kinds])
    return _written(form, head, _fresh(rng, domain, [rng.choice(kinds) for _ in range(asked)]), codes, shown=0)


def _domain(rng: random.Random, held_out: bool, many: bool) -> Domain:
    """A domain to ask about; where many texts of a class are needed, the held-out ones are those never met."""
    how = rng.random()
    if how < 0.13:
        return words(held_out)
    if how < 0.2 and not many:
        return senders(held_out)
    return rng.choice(domains(held_out, reserved=held_out and many))


def _joined(rng: random.Random) -> Domain:
    """Several domains taken together, so that there are some dozens of classes."""
    homes = rng.sample([one for one in domains(False) if one.place], rng.randint(2, 6))
    kinds = tuple(kind for one in homes for kind in one.kinds)
    return Domain(kinds, fields=homes[0].fields, cues=homes[0].cues, what="message", ask=tuple(FORMS["anything"]))


def _across(rng: random.Random, held_out: bool, count: int) -> list[tuple[Kind, Domain]]:
    """Classes of different domains, or a few categories of words."""
    if rng.random() < 0.25:
        home = words(held_out)
        return [(kind, home) for kind in rng.sample(home.kinds, count)]
    return [(rng.choice(one.kinds), one) for one in rng.sample(domains(held_out, reserved=held_out), count)]


def _fresh(rng: random.Random, domain: Domain, order: Sequence[Kind], tidy: bool = False) -> list[Case]:
    """A text for each class in turn, none twice as long as there are others; `tidy` adds nothing and has no slips."""
    left: dict[Kind, list[Line]] = {}
    cases = []
    for kind in order:
        if not left.get(kind):
            left[kind] = rng.sample(kind.lines, len(kind.lines))
        line = left[kind].pop()
        cases.append(Case(say(line, rng) if tidy else told(kind, line, domain, rng), kind))
    return cases
