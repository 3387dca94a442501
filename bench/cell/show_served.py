"""The requests that a served model would be asked an item in. Nothing is sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from rich.text import Text

from bench.adapt.session import reserve_of
from bench.cell.reading import as_read
from bench.cell.setup import material_of
from bench.cell.show import settled
from bench.core.errors import NotApplicableError, UsageError
from bench.core.method import Method
from bench.core.prompt_search import FoundPrompt
from bench.core.quoting import json_text, plain
from bench.core.task import Task
from bench.engine.predictor import question
from bench.meters.phases import Meter
from bench.model.base import without_model
from bench.model.resolve import ResolvedModel
from bench.served.forms import OF_READER, Form, request
from bench.served.kept_answers import Request
from bench.served.prompts import Asked, TextWriter
from bench.served.wire import Dialect


@dataclass(frozen=True)
class ShownRequests:
    """The requests for an item, the one that is tried first in front; `failure` says why there is none."""

    heading: str
    item: str
    url: str
    requests: tuple[tuple[str, Request], ...]  # reader, request
    failure: str | None = None

    def as_json(self) -> dict[str, object]:
        """The same for scripts."""
        requests = [
            {"reader": reader, "url": self.url + sent.path, "body": dict(sent.body)} for reader, sent in self.requests
        ]
        return {"item": self.item, "requests": requests, "failure": self.failure}

    def lines(self) -> Text:
        """For people."""
        shown = Text(f"{plain(self.heading)}\n")
        if self.failure:
            return shown.append(f"{self.failure}: the item alone does not fit into the endpoint's context\n")
        for reader, sent in self.requests:
            shown.append(f"\n── {reader}: POST {self.url}{sent.path}\n", "bold")
            shown.append(json_text(dict(sent.body)) + "\n")
        of = "the first of these that the endpoint takes" if len(self.requests) > 1 else "this"
        return shown.append(f"\nNothing was sent. A run sends {of}.\n", "dim")


def show_served(
    task: Task,
    model: ResolvedModel,
    method: Method,
    item: str | None,
    seed: int,
    embedder: str,
    found: FoundPrompt | None = None,
) -> ShownRequests:
    """The requests for an item of `task`, by every reader that the suite allows; options as in `show`.

    Raises:
        UsageError: there is no such item, the method does not fit the task, or no reader does.
    """
    example, method, heading = settled(task, model, method, item, seed)
    spec = model.served_at
    assert spec is not None
    requests: list[tuple[str, Request]] = []
    try:
        for reader, form in _readers(task, model.reader, spec.api):
            told = as_read(task, reader)
            material = material_of(told, method, seed, Meter(torch.device("cpu")), lambda *_: None, embedder=embedder)
            context = method.context.build(replace(material, found=found))
            prompt, length = context.worded(told.prompt), spec.context_length or 0
            single, reserve = model.chat_examples == "text", reserve_of(task)
            writer = TextWriter(without_model().codec, prompt, context, length, reserve, single_turn=single)
            [asked] = writer.write([question(example)])
            assert isinstance(asked, Asked)
            if asked.failure:
                return ShownRequests(heading, example.id, spec.base_url, (), asked.failure)
            dialect = Dialect(spec.model, extra=spec.extra)
            requests.append((reader, request(form, dialect, asked, example.choices, task.stop, task.max_new_tokens)))
    except NotApplicableError as error:
        raise UsageError(str(error)) from None
    return ShownRequests(heading, example.id, spec.base_url, tuple(requests))


def _readers(task: Task, reader: str, api: str) -> Iterator[tuple[str, Form]]:
    """What is tried, the first first, with the forms of each."""
    names = ["generation"] if task.kind != "choice" else [*OF_READER] if reader == "auto" else [reader]
    left_out = {"chat": "completion", "completions": "chat"}.get(api)
    for name in names:
        yield from ((name, form) for form in OF_READER[name] if form != left_out)
