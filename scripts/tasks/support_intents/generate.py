"""Writes the splits of support-intents from its phrase banks.

`python -m scripts.tasks.support_intents.generate [OUT_FOLDER]`
"""

from __future__ import annotations

import json
import random
import re
import sys
from pathlib import Path
from typing import Any

import yaml

from scripts.tasks.company import facts
from scripts.tasks.company.noise import careless, typo

HERE = Path(__file__).resolve().parent
TASK = HERE.parents[2] / "tasks" / "support-intents"
ROWS = {"train": 40, "validation": 8, "test": 20}  # of each intent, each from a core of its own
MAX_WORDS = 60
GOODS = ("garden", "kitchen", "workshop", "house", "handled", "hard", "seeds")
Row = dict[str, str]
Banks = dict[str, dict[str, list[str]]]  # intent: split: cores


def generate(out: Path) -> None:
    """Writes train.jsonl, validation.jsonl and test.jsonl into `out`."""
    phrases = read_phrases()
    frame = phrases["frame"]
    check_facts(frame["slots"])
    banks = {intent: phrases[intent] for intent in read_intents()}
    check_banks(banks)
    written: set[str] = set()
    for split in ROWS:
        rows = split_rows(split, banks, frame, written)
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
        (out / f"{split}.jsonl").write_text("".join(lines), encoding="utf-8", newline="\n")


def read_phrases() -> dict[str, dict[str, Any]]:
    """What is said of each intent, and the frame around it."""
    loaded: dict[str, dict[str, Any]] = yaml.safe_load((HERE / "phrases.yaml").read_text(encoding="utf-8"))
    return loaded


def read_intents() -> list[str]:
    """The intents in the order of task.yaml, which is the order that rows are drawn in."""
    spec: dict[str, list[str]] = yaml.safe_load((TASK / "task.yaml").read_text(encoding="utf-8"))
    return spec["choices"]


def check_facts(slots: dict[str, dict[str, list[str]]]) -> None:
    """Raises ValueError where a slot names something that Quillmere does not have."""
    places = facts()["places"]
    known = {**dict.fromkeys(GOODS, facts()["products"]), "hive": places["hives"], "shop": places["shops"]}
    for fillings in slots.values():
        for slot, allowed in known.items():
            strangers = [value for value in fillings[slot] if value not in allowed]
            if strangers:
                raise ValueError(f"{slot}: {strangers} are not in tasks/company/facts.yaml")


def check_banks(banks: Banks) -> None:
    """Raises ValueError where a core stands in two places, or a split has not one for each of its rows."""
    seen: set[str] = set()
    for intent, bank in banks.items():
        for split, cores in bank.items():
            if len(cores) != ROWS[split]:
                raise ValueError(f"{intent}: {len(cores)} cores for {split}, not {ROWS[split]}")
            for core in cores:
                if core in seen:
                    raise ValueError(f"{intent}: {core!r} stands twice")
                seen.add(core)


def split_rows(split: str, banks: Banks, frame: dict[str, Any], written: set[str]) -> list[Row]:
    """A row for each of the split's cores, in a drawn order; their texts are new to `written` and are added to it."""
    rng = random.Random(f"support-intents {split} 1")
    side = "test" if split == "test" else "learn"
    drawn: list[tuple[str, str]] = []
    for intent, bank in banks.items():
        drawn += [(new_message(core, side, frame, rng, written), intent) for core in bank[split]]
    rng.shuffle(drawn)
    return [
        {"id": f"{split}-{at:04d}", "text": text, "intent": intent} for at, (text, intent) in enumerate(drawn, start=1)
    ]


def new_message(core: str, side: str, frame: dict[str, Any], rng: random.Random, written: set[str]) -> str:
    """A message that is not in `written` yet, nor over the limit of words; it is added to `written`."""
    for _ in range(100):
        text = message(core, side, frame, rng)
        if text.lower() not in written and len(text.split()) <= MAX_WORDS:
            written.add(text.lower())
            return text
    raise ValueError(f"no new message to be had from {core!r}")


def message(core: str, side: str, frame: dict[str, Any], rng: random.Random) -> str:
    """A core with its slots filled, often something before or after it, and at times slips of the pen."""
    text = fill(core, frame["slots"][side], rng)
    opener, closer = rng.random() < 0.4, rng.random() < 0.35
    if is_tidy(core):
        before = [rng.choice(frame["openers"][side])] if opener else []
        after = [rng.choice(frame["closers"][side])] if closer else []
        text = " ".join([*before, text, *after])
    if rng.random() < 0.25:
        text = typo(text, rng, 0.07)
    return careless(text, rng) if rng.random() < 0.2 else text


def is_tidy(core: str) -> bool:
    """Whether it begins and ends as a sentence does; what was dashed off bears no greeting."""
    return not core[0].islower() and core[-1] in ".?!"


def fill(core: str, slots: dict[str, list[str]], rng: random.Random) -> str:
    """`core` with each slot filled; an article before it follows its sound."""

    def value(found: re.Match[str]) -> str:
        article, slot = found[1] or "", found[2]
        text = slot_value(slot, slots, rng)
        return ("an " if article == "a " and text[0] in "aeiouAEIOU" else article) + text

    return re.sub(r"(\ba )?\{(\w+)\}", value, core)


def slot_value(slot: str, slots: dict[str, list[str]], rng: random.Random) -> str:
    """Something for one slot: an order number, a product or one of the slot's own values."""
    if slot == "order":
        # Now and then only the digits, as people do.
        return f"{'' if rng.random() < 0.15 else 'QM-'}{rng.randrange(20000, 80000)}"
    if slot == "product":
        slot = rng.choice(["garden", "kitchen", "workshop", "house"])
    name = rng.choice(slots[slot])
    if slot in GOODS and rng.random() < 0.6:
        return bare(name)
    return name


def bare(product: str) -> str:
    """A product without its line's name, as most people call it: "Pale Maud sweet pea seeds" -> "sweet pea seeds"."""
    return " ".join(word for word in product.split() if word[0].islower())


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else TASK
    folder.mkdir(parents=True, exist_ok=True)
    generate(folder)
