"""What export.json holds of a served model: the request that was sent for an item, and how its reply is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from typing import Any, cast

import torch

from bench.cell.reading import as_read
from bench.cell.setup import material_of
from bench.core.errors import UsageError
from bench.core.item import Example
from bench.core.measured import ServedBy
from bench.core.task import Task
from bench.engine.predictor import question
from bench.engine.told_choices import STOP, answer_tokens
from bench.export import weights
from bench.export.chosen import Chosen
from bench.export.prompts import question_settings, retrieval_settings
from bench.meters.phases import Meter
from bench.model.base import without_model
from bench.served import wire
from bench.served.forms import Form, request
from bench.served.kept_answers import KeptAnswers, Request
from bench.served.prompts import Asked, TextWriter
from bench.served.usage import CHARS_PER_TOKEN
from bench.served.wire import Dialect
from bench.store.run_folder import ANSWERS
from tasks.loader.splits import sample

FORM: weights.Form = ""
_OF_ITEM = {"messages", "prompt", "input", "state", "questions", "response_format"}  # fields that differ between items


def of_served(chosen: Chosen, folder: Path) -> dict[str, Any]:
    """Its part of export.json; the index is written into `folder`.

    Raises:
        UsageError: the run keeps no answer of the endpoint to the request, or choices were asked in rounds.
    """
    served, task = chosen.record.served, chosen.task
    assert served is not None
    spec = chosen.model.served_at
    assert spec is not None
    if chosen.cell.train_size is not None:
        task = replace(task, train=sample(task.train, chosen.cell.train_size, chosen.record.seed))
    task = as_read(task, served.reader)
    longest = max(task.test, key=lambda example: answer_tokens(example.choices) if example.choices else 0)
    if served.reader != "echo" and served.at_once and len(longest.choices) > served.at_once:
        raise UsageError(f"{chosen.record.model} was asked for its choices in rounds; that cannot be exported")
    if served.reader == "echo" and (len(longest.choices) > wire.ECHOED_AT_ONCE or chosen.record.ranked_by == "pmi"):
        raise UsageError(f"{chosen.record.model} was asked for its choices in several requests; that has no export")
    meter = Meter(torch.device("cpu"))
    embedder = chosen.suite.embedder
    material = material_of(task, chosen.method, chosen.record.seed, meter, lambda *_: None, embedder=embedder)
    material = replace(material, found=chosen.found)
    context, single = chosen.method.context.build(material), chosen.spec.chat_examples == "text"
    worded = context.worded(task.prompt)
    writer = TextWriter(without_model().codec, worded, context, 0, 0, single_turn=single)
    [prompt] = writer.write([question(longest)])
    assert isinstance(prompt, Asked)
    sent = _sent(chosen, served, prompt, longest, task)
    budget = context.token_budget
    return {
        "path": sent.path,
        "request": {name: value for name, value in sent.body.items() if name not in _OF_ITEM},
        "reader": _form(served),
        "rule": chosen.record.ranked_by or "none",
        "key_env": chosen.spec.endpoint.key_env if chosen.spec.endpoint else "",
        "stop": list(task.stop if task.kind == "text" else STOP),
        "prompt": {
            **question_settings(worded),
            "before_answer": worded.answer(""),
            "generic": wire.GENERIC,
            "examples": [asdict(block) for block in context.shared],
            "single_turn": single,
            "characters": None if budget is None else budget * CHARS_PER_TOKEN,
            "retrieval": retrieval_settings(chosen, context, folder),
        },
    }


def _form(served: ServedBy) -> Form:
    """Texts are asked for in two ways."""
    if served.reader == "generation":
        return "chat" if served.conversation else "completion"
    return cast(Form, served.reader)


def _sent(chosen: Chosen, served: ServedBy, prompt: Asked, example: Example, task: Task) -> Request:
    """The request that was sent for an item: of all that it can have been, the one whose answer the run keeps."""
    spec = chosen.model.served_at
    assert spec is not None
    file = chosen.run.path / ANSWERS / f"{spec.digest[:16]}.jsonl"
    kept = KeptAnswers(file) if file.is_file() else None
    try:
        for dialect in _dialects(Dialect(spec.model, extra=spec.extra)):
            sent = request(_form(served), dialect, prompt, example.choices, task.stop, task.max_new_tokens)
            if kept is not None and kept.get(sent.key(spec.base_url)) is not None:
                return sent
    finally:
        if kept is not None:
            kept.close()
    raise UsageError(
        f"the run keeps no answer of {chosen.record.model} to the request for {example.id}, so that its exact form is "
        "not known"
    )


def _dialects(plain: Dialect) -> Iterator[Dialect]:
    """The fields that endpoints take, those that most of them take first."""
    for limit, greedy, stops in product(("max_tokens", "max_completion_tokens"), (True, False), (True, False)):
        yield replace(plain, limit=limit, greedy=greedy, stops=stops)
