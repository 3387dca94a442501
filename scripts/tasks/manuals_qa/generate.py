"""Writes corpus and splits of manuals-qa: python -m scripts.tasks.manuals_qa.generate [OUT_FOLDER].

A manual is a long Markdown text about one machine. It states some of its facts, each in one sentence among many that
state none, and is silent on the others: a fifth of the questions ask for those. Machines are dealt out to the splits.
"""

from __future__ import annotations

import itertools
import json
import random
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
TASK = HERE.parents[2] / "tasks" / "manuals-qa"
REFUSAL = "not in the manual"
SPLITS = {"train": (104, 480), "validation": (26, 120), "test": (78, 320)}  # split -> its machines, its questions
WORDS = (1050, 4600)  # of a manual, about
STATED = 20  # facts of a manual
UNANSWERABLE = 5  # of so many questions one
_SENTENCES = (4, 9)  # of a paragraph
_NUMERALS = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 7: "seven", 8: "eight", 9: "nine", 10: "ten"}


@dataclass(frozen=True, slots=True)
class Manual:
    """The manual of a machine; `facts` holds the value of each fact that it states, and from and to of its sentence."""

    machine: str
    text: str
    facts: Mapping[str, tuple[str, int, int]]

    @property
    def key(self) -> str:
        """Its id."""
        return self.machine.lower().replace(" ", "-")


def main(folder: Path) -> None:
    """Write corpus.jsonl and the three splits into `folder`."""
    bank: dict[str, Any] = yaml.safe_load((HERE / "bank.yaml").read_text(encoding="utf-8"))
    machines = [f"{name} {kind}" for name, kind in itertools.product(bank["names"], bank["kinds"])]
    manuals = [_manual(machine, bank) for machine in machines]
    folder.mkdir(parents=True, exist_ok=True)
    lines = ({"id": manual.key, "title": f"{manual.machine}: manual", "text": manual.text} for manual in manuals)
    _write(folder / "corpus.jsonl", lines)
    shuffled = random.Random("manuals-qa splits").sample(manuals, len(manuals))
    for split, (count, questions) in SPLITS.items():
        own, shuffled = shuffled[:count], shuffled[count:]
        _write(folder / f"{split}.jsonl", _rows(split, own, questions, bank["facts"]))


def _manual(machine: str, bank: Mapping[str, Any]) -> Manual:
    rng = random.Random(f"manuals-qa {machine}")
    stated = rng.sample(sorted(bank["facts"]), STATED)
    least, most = WORDS
    words = least * (most / least) ** rng.random()  # as many short ones as long ones
    values = {key: _value(bank["facts"][key], rng) for key in stated}
    pieces = [f"# {machine}: manual"]
    sentences: dict[str, str] = {}
    for section, things in bank["sections"].items():
        own = [key for key in stated if bank["facts"][key]["section"] == section]
        for key in own:
            said = rng.choice(bank["facts"][key]["says"]).format(n=values[key], machine=machine)
            sentences[key] = said[0].upper() + said[1:]
        body = _section(things, words / len(bank["sections"]), [sentences[key] for key in own], bank, rng)
        pieces.append(f"## {section}\n\n{body}")
    text = "\n\n".join(pieces) + "\n"
    places = {key: text.index(sentence) for key, sentence in sentences.items()}
    facts = {key: (values[key], at, at + len(sentences[key])) for key, at in places.items()}
    return Manual(machine, text, facts)


def _value(written: Mapping[str, Any], rng: random.Random) -> str:
    if "values" in written:
        chosen: str = rng.choice(written["values"])
        return chosen
    return str(rng.randint(written["from"], written["to"]))


def _section(
    things: Sequence[str], words: float, facts: Sequence[str], bank: Mapping[str, Any], rng: random.Random
) -> str:
    """Paragraphs of about so many words, with the sentences of facts at places of their own."""
    sentences: list[str] = []
    while sum(len(sentence.split()) for sentence in sentences) < words:
        sentences.append(_filler(things, bank, rng))
    for fact in facts:
        sentences.insert(rng.randint(0, len(sentences)), fact)
    paragraphs = []
    while sentences:
        count = rng.randint(*_SENTENCES)
        paragraphs.append(" ".join(sentences[:count]))
        sentences = sentences[count:]
    return "\n\n".join(paragraphs)


def _filler(things: Sequence[str], bank: Mapping[str, Any], rng: random.Random) -> str:
    """A sentence that states no fact."""
    thing, other = rng.sample(list(things), 2)
    reason = rng.choice(bank["reasons"])
    said: str = rng.choice(bank["filler"]).format(
        thing=_small(thing),
        other=_small(other),
        person=rng.choice(bank["people"]),
        action=rng.choice(bank["actions"]),
        time=rng.choice(bank["times"]),
        result=rng.choice(bank["results"]),
        reason=reason,
        reason_first=reason,
        warning=rng.choice(bank["warnings"]),
    )
    return said[0].upper() + said[1:]


def _small(thing: str) -> str:
    return thing[0].lower() + thing[1:]


def _rows(split: str, manuals: Sequence[Manual], count: int, facts: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """`count` rows in an order of their own; each asks for another fact of a machine."""
    rng = random.Random(f"manuals-qa {split}")
    stated = [(manual, key) for manual in manuals for key in sorted(manual.facts)]
    silent = [(manual, key) for manual in manuals for key in sorted(facts.keys() - manual.facts.keys())]
    without = count // UNANSWERABLE
    asked = rng.sample(stated, count - without) + rng.sample(silent, without)
    for number, (manual, key) in enumerate(rng.sample(asked, len(asked)), start=1):
        question = rng.choice(facts[key]["test" if split == "test" else "asks"])
        value, start, end = manual.facts.get(key, ("", 0, 0))
        span = {"document": manual.key, "start": start, "end": end}
        yield {
            "id": f"{split}-{number:04d}",
            "question": question.format(machine=manual.machine),
            "answer": _answers(facts[key]["answer"], value) if value else [REFUSAL],
            "gold": [span] if value else [],
            "manual": manual.key,
            "fact": key,
        }


def _answers(template: str, value: str) -> list[str]:
    """The answer with its unit, then its number alone, and small numbers in words."""
    spelt = [value, _NUMERALS[int(value)]] if value.isdigit() and int(value) in _NUMERALS else [value]
    return [*dict.fromkeys([template.format(n=value), *spelt, *(template.format(n=each) for each in spelt)])]


def _write(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text("".join(lines), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else TASK)
