"""Hashes: of a text, of a file, and one over everything of a task that decides predictions and scores."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, fields
from operator import attrgetter

from bench.core.hashing import canonical, sha256
from bench.core.item import Example
from bench.core.task import Task

# Of a prompt. A field that is added later belongs to a digest only where a task sets it, so that other digests stay.
_ALWAYS = ("instruction", "template", "passage_template", "query_template")


def task_digest(task: Task) -> str:
    """sha256 over prompt, kind, decoding, and all rows and passages, in any order of rows.

    Name, metrics, and where the files lie are not in it: they change no prediction. The order of an
    item's references is: the first one is trained on and shown.
    """
    parts = {
        **_asked(task),
        "train": _rows(task.train),
        "validation": _rows(task.validation),
        "corpus": _lines(canonical([one.id, one.title, one.text]) for one in sorted(task.corpus, key=attrgetter("id"))),
    }
    return sha256(canonical(parts))


def question_digest(task: Task) -> str:
    """sha256 over prompt, kind, decoding and test rows: two cells with the same one were asked the same.

    What a method learns or looks up from may differ between them.
    """
    return sha256(canonical(_asked(task)))


def item_digest(task: Task) -> str:
    """sha256 over the test rows alone: whether two prompts were tried on the same items with the same answers."""
    return sha256(canonical({"kind": task.kind, "test": _rows(task.test)}))


def _asked(task: Task) -> dict[str, object]:
    prompt = asdict(task.prompt)
    return {
        "prompt": {
            field.name: prompt[field.name]
            for field in fields(task.prompt)
            if field.name in _ALWAYS or prompt[field.name] != field.default
        },
        "kind": task.kind,
        "normalise": task.rules or task.normalise,
        "stop": task.stop,
        "max_new_tokens": task.max_new_tokens,
        **({"extract": asdict(task.extract)} if task.extract else {}),
        "test": _rows(task.test),
    }


def _rows(examples: Iterable[Example]) -> str:
    known: dict[tuple[str, ...], str] = {}  # items share their choices: hash each list once
    return _lines(sorted(_row(example, known) for example in examples))


def _row(example: Example, known: dict[tuple[str, ...], str]) -> str:
    if example.choices not in known:
        known[example.choices] = sha256(canonical(example.choices))
    choices = known[example.choices]
    return canonical([example.id, dict(example.fields), choices, example.references, example.gold])


def _lines(lines: Iterable[str]) -> str:
    return sha256("\n".join(lines))
