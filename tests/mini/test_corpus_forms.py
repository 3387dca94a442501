"""Skill `forms` of mini's corpus: texts say what records hold, fields are what texts say, held-out parts stay apart."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date, datetime

import pytest

from scripts.mini.corpus import (
    forms,
    forms_fields,
    forms_mapping,
    forms_messy,
    forms_records,
    forms_styles,
    forms_writing,
)
from scripts.mini.corpus.document import Document
from scripts.mini.corpus.forms_lexicon import words
from scripts.mini.corpus.forms_rules import RULES
from scripts.mini.corpus.forms_text import Choice, Maybe, Parts, YesNo, article, fill, parse, resolve, slots
from scripts.mini.corpus.forms_values import Values, say_time

DRAWS: dict[str, Callable[[random.Random, bool], Document]] = {
    "all": forms.draw,
    "writing": forms_writing.writing,
    "fields": forms_fields.fields,
    "mapping": forms_mapping.mapping,
}
_SPELLED = "one two three four five six seven eight nine ten eleven twelve"
_SPELT = _SPELLED.split()


def literals(parts: Parts) -> Iterator[str]:
    """Every piece of text that a bank's line has."""
    for part in parts:
        if isinstance(part, str):
            yield part.strip()
        elif isinstance(part, Choice):
            for option in part.options:
                yield from literals(option)
        elif isinstance(part, Maybe):
            yield from literals(part.parts)
        elif isinstance(part, YesNo):
            yield from (*literals(part.yes), *literals(part.no))


def documents(name: str, number: int, held_out: bool = False) -> Iterator[Document]:
    return (DRAWS[name](random.Random(f"{name}/{i}"), held_out) for i in range(number))


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("held_out", [False, True])
def test_documents_are_well_formed(name: str, held_out: bool) -> None:
    for document in documents(name, 400, held_out):
        text = document.text
        assert "  " not in text
        assert text == text.rstrip()
        assert any(is_answer for _, is_answer in document.pieces)
        assert all(piece.strip() for piece, is_answer in document.pieces if is_answer)
        assert not re.search(r"[{}]", re.sub(r'\{"[^\n]*"\}', "", text)), text
        assert len(text) < 3200


def test_documents_do_not_hang_on_the_order_of_sets() -> None:
    code = "import random; from scripts.mini.corpus.forms import draw; "
    code += "print([draw(random.Random(i)).pieces for i in range(60)])"
    said = [
        subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True)
        for seed in ("1", "2")
    ]
    assert said[0].stdout
    assert said[0].stdout == said[1].stdout


def test_answers_begin_with_a_space_or_a_new_line() -> None:
    for document in documents("all", 400):
        before = ""
        for piece, is_answer in document.pieces:
            if is_answer:
                assert piece[0] in " \n" or before.endswith("\n")
            before = piece


def test_held_out_record_types_and_layouts_stay_apart() -> None:
    normal = "\n".join(document.text for document in documents("all", 3000)).lower()
    known, held = (
        {
            text
            for kind in forms_records.types(flag)
            for lines in (*kind.bodies.values(), *(one.say for one in kind.fields.values()))
            for parts in lines
            for text in literals(parts)
        }
        for flag in (False, True)
    )
    secret = [text for text in held - known if len(text) > 14]
    assert len(secret) > 30
    assert not [text for text in secret if text.lower() in normal and not any(text in other for other in known)]
    assert {layout.parts for layout in forms_fields._layouts(True)}.isdisjoint(
        layout.parts for layout in forms_fields._layouts(False)
    )


@pytest.mark.parametrize("name", ["formula_open", "formula_close", "write", "reply", "chatty_close"])
def test_held_out_phrasings_stay_apart(name: str) -> None:
    held, normal = (set(forms_styles.entries(name, flag)) for flag in (True, False))
    assert held
    assert held.isdisjoint(normal)


def every_type() -> list[forms_records.RecordType]:
    return [*forms_records.types(False), *forms_records.types(True)]


def test_there_are_enough_record_types_and_phrasings() -> None:
    assert len(every_type()) >= 24
    assert sum(len(kind.layouts) for kind in forms_messy.kinds().values()) >= 50
    assert len(forms_messy.kinds()) >= 12
    for kind in every_type():
        for register, bodies in kind.bodies.items():
            assert len({resolve(body, random.Random(i)) for body in bodies for i in range(40)}) >= 3, (
                kind.name,
                register,
            )


def test_every_phrasing_tells_every_field_that_is_always_there() -> None:
    for kind in every_type():
        always = {one.name for one in kind.fields.values() if not one.optional}
        for body in (body for bodies in kind.bodies.values() for body in bodies):
            for i in range(6):
                assert slots(resolve(body, random.Random(i)), optional=False) == always, (kind.name, body)
        for one in kind.fields.values():
            assert all(one.name in slots(parts) for parts in (*one.say, *one.short)), (kind.name, one.name)
            assert one.tell
            assert one.short


@pytest.mark.parametrize("style", forms_styles.KINDS)
def test_a_text_holds_every_value_of_its_record(style: str) -> None:
    for i in range(150):
        rng = random.Random(f"{style}/{i}")
        values, kind = Values(rng), rng.choice(every_type())
        record = kind.record(values)
        written = forms_styles.style(values, False, "reader", style)
        text = written.describe(forms_records.Wording(kind, written.register, rng), record, "Mrs Torawick").lower()
        for value in record.values():
            spelt = _SPELT[int(value) - 1] if value.isdigit() and 0 < int(value) < 13 else value
            assert value in ("yes", "no") or value.lower() in text or spelt in text, (kind.name, value, text)


def test_choices_that_may_be_empty_leave_no_space_and_yes_is_not_no() -> None:
    texts = {fill(resolve(parse("It is (very/) cold (today/)."), random.Random(i)), {}) for i in range(40)}
    assert fill(parse("Dogs {dogs?may|must not} come[ on {day}]."), {"dogs": "no", "day": "Monday"}) == (
        "Dogs must not come on Monday."
    )
    assert texts == {"It is cold.", "It is very cold.", "It is cold today.", "It is very cold today."}


def test_slots_with_articles_capitals_and_number_words() -> None:
    values = {"n": "3", "thing": "old map", "many": "40"}
    assert fill(parse("{A thing}, {Word n}, {word many}, {THING}, {Thing}"), values) == (
        "An old map, Three, 40, OLD MAP, Old map"
    )
    found = {text: article(text) for text in ("80 per cent", "hour", "unit", "X-ray", "one-way street", "apple", "18")}
    assert found == {
        "80 per cent": "an", "hour": "an", "unit": "a", "X-ray": "an", "one-way street": "a", "apple": "an", "18": "an",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("minute", "said"),
    [
        (0, ["00:00", "0.00", "12 am", "12.00 am", "12:00am", "twelve o'clock"]),
        (750, ["12:30", "12.30", "12.30 pm", "12.30 pm", "12:30pm", "half past twelve"]),
        (1170, ["19:30", "19.30", "7.30 pm", "7.30 pm", "7:30pm", "half past seven"]),
    ],
)
def test_times_of_day(minute: int, said: list[str]) -> None:
    assert [say_time(minute, way) for way in range(6)] == said


_PATTERNS = (
    "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%d/%m/%y", "%d %B %Y", "%d %b %Y", "%d-%b-%Y", "%B %d, %Y", "%b %d, %Y",
    "%a %d %b %Y", "%A, %d %B %Y", "%Y-%m-%d", "%Y/%m/%d",
)  # fmt: skip


def read_date(text: str) -> date:
    """The date that `text` gives, read by the standard library."""
    text = re.sub(r"^the ", "", re.sub(r"(\d)(st|nd|rd|th)\b( of)?", r"\1", text))
    for pattern in _PATTERNS:
        try:
            return datetime.strptime(text, pattern).date()
        except ValueError:
            continue
    raise AssertionError(text)


def every_reading(times: int) -> Iterator[tuple[forms_messy.Kind, forms_messy.Read]]:
    for kind in forms_messy.kinds().values():
        for number, layout in enumerate(kind.layouts):
            for i in range(times):
                yield kind, forms_messy.read(layout, random.Random(f"{layout.kind}/{number}/{i}"))


def test_values_stand_in_their_texts_and_normal_forms_are_right() -> None:
    dates = sums = 0
    for kind, found in every_reading(12):
        for name, (shown, normal) in found.fields.items():
            spec = kind.spec(name).split()[0] if name != "currency" else "currency"
            if spec == "currency":
                assert re.fullmatch("[A-Z]{3}", normal)
                continue
            assert shown in found.text, (name, found.text)
            if spec == "date":
                assert read_date(shown).isoformat() == normal
                dates += 1
            elif spec in ("amount", "sum", "less", "twice", "round"):
                digits = re.sub(r"[^\d.,]", "", shown).strip(".")
                if re.search(r",\d\d$", digits):
                    digits = digits.replace(",", ".")
                assert f"{float(digits.replace(',', '')):.2f}" == normal
                sums += 1
            else:
                assert shown == normal
    assert min(dates, sums) > 400


def test_totals_are_the_sums_of_their_parts() -> None:
    [kind] = [one for name, one in forms_messy.kinds().items() if name == "restaurant receipt"]
    for i in range(60):
        lines = forms_messy.read(kind.layouts[1], random.Random(i)).text.splitlines()[3:]  # below name, number and rule
        found = [re.findall(r"\d[\d.,]*", line) for line in lines]
        *parts, total, cash, change = [float(one[0].rstrip(".").replace(",", ".")) for one in found if one]
        assert len(parts) == 3
        assert total == pytest.approx(sum(parts))
        assert change == pytest.approx(cash - total)


def test_fields_in_json_are_those_of_the_text() -> None:
    seen = 0
    for document in documents("fields", 600):
        for piece, is_answer in document.pieces:
            if is_answer and piece.strip().startswith('{"'):
                values = json.loads(piece)
                assert all(isinstance(value, str) for value in values.values())
                seen += 1
    assert seen > 200


def test_inflections() -> None:
    known = {**dict(words(False).nouns), **dict(words(True).nouns)}
    plurals = {
        "city": "cities",
        "key": "keys",
        "box": "boxes",
        "church": "churches",
        "potato": "potatoes",
        "leaf": "leaves",
    }
    assert {noun: known[noun] for noun in plurals} == plurals
    verbs = {verb: (past, ing, she) for flag in (False, True) for verb, past, ing, she in words(flag).verbs}
    assert verbs["carry"] == ("carried", "carrying", "carries")
    assert verbs["stop"] == ("stopped", "stopping", "stops")
    assert verbs["dance"] == ("danced", "dancing", "dances")
    assert verbs["tie"] == ("tied", "tying", "ties")
    assert verbs["play"] == ("played", "playing", "plays")
    assert verbs["watch"] == ("watched", "watching", "watches")


@pytest.mark.parametrize(
    ("told", "right"),
    [
        ("Swap the two.", lambda x, y: sorted(x) == sorted(y)),
        ("Surname first.", lambda x, y: y == ", ".join(reversed(x.split()))),
        ("How many letters?", lambda x, y: len(x) == int(y)),
        ("Give the ordinal.", lambda x, y: y in (f"{x}th", f"{x}st", f"{x}nd", f"{x}rd")),
        ("Write the date as year-month-day.", lambda x, y: read_date(x).isoformat() == y),
        ("Write the date in words.", lambda x, y: read_date(y).isoformat() == x),
        ("Use the clock with am and pm.", lambda x, y: datetime.strptime(y, "%I:%M %p").strftime("%H:%M") == x),
    ],
)
def test_rules(told: str, right: Callable[[str, str], bool]) -> None:
    chosen = [rule for rule in RULES if rule.told == told]
    assert chosen
    for rule in chosen:
        for i in range(40):
            x, y = rule.make(words(False), random.Random(i))
            assert right(x, y), (x, y)


def test_probes_of_style_show_everything_but_the_record() -> None:
    for i in range(60):
        shown, text = forms.probe_style(random.Random(i), 3)
        bare, same = forms.probe_style(random.Random(i), 0)
        assert shown.text.count("\n\n") == 4
        assert bare.text.count("\n\n") == 1
        answers = [piece.strip() for piece, is_answer in shown.pieces if is_answer]
        assert len(answers) == 3
        openings = {each[:4] for each in (*answers, text)}
        closings = {each[-4:] for each in (*answers, text)}
        assert len(openings) == 1 or len(closings) == 1 or "," in text, (answers, text)
        assert same


def test_probes_of_fields_are_in_layouts_never_drawn() -> None:
    for i in range(60):
        document, text = forms.probe_fields(random.Random(i))
        asked = [json.loads(piece) for piece, is_answer in document.pieces if is_answer]
        assert document.text.endswith("JSON:")
        assert [list(one) for one in asked] == [list(json.loads(text))] * 2
