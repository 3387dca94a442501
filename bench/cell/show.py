"""One item's prompt as the model reads it: its parts, its tokens, and what may follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from rich.text import Text

from bench.adapt.session import reserve_of
from bench.cell.setup import material_of
from bench.config.search_space import candidates, grid, settle
from bench.core.errors import CellError, NotApplicableError, UsageError, nearest
from bench.core.item import Example
from bench.core.method import Method
from bench.core.model_kind import DESCRIPTIONS, LANGUAGE_MODELS, fits, unfit
from bench.core.prompt_search import FoundPrompt
from bench.core.quoting import plain
from bench.core.task import Task
from bench.engine.decision_backend import RequestWriter
from bench.engine.encoder_prompts import EncoderWriter
from bench.engine.predictor import question
from bench.engine.prompts import Encoded, Writer
from bench.meters.phases import Meter
from bench.model.base import EncoderBase, NoBase, PictureBase
from bench.model.decision import DecisionBase
from bench.model.load import load_base
from bench.model.resolve import ResolvedModel
from bench.model.tokenizer import Codec, Ids

_WINDOW = 8  # tokens that are decoded together: what one stands for may depend on those before it


@dataclass(frozen=True)
class ShownPrompt:
    """A prompt, what is ranked or trained on behind it, and the codec that reads both."""

    heading: str
    encoded: Encoded
    answer: Ids  # with the token that ends it; empty where the item has no answer that fits
    codec: Codec
    stop: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """The same for scripts."""
        encoded, decode = self.encoded, self.codec.tokenizer.decode
        ids = [*encoded.prefix, *encoded.query]
        return {
            "item": encoded.id,
            "text": decode(ids, skip_special_tokens=False),
            "prefix": list(encoded.prefix),
            "query": list(encoded.query),
            "choices": [list(choice) for choice in encoded.choices],
            "answer": list(self.answer),
            "failure": encoded.failure,
        }

    def lines(self) -> Text:
        """For people: `│` parts tokens, special ones stand in brackets, `⏎` is a line break of the prompt."""
        encoded = self.encoded
        shown = Text(f"{plain(self.heading)}\n")
        if encoded.failure:
            return shown.append(f"{encoded.failure}: the item alone does not fit into the model's context\n")
        before: list[int] = []
        parts = (("prefix, shared by all items", encoded.prefix), ("query, this item's", encoded.query))
        for name, ids in parts if encoded.prefix else parts[1:]:
            self._part(shown, name, before, ids)
            before += ids
        for number, choice in enumerate(encoded.choices, start=1):
            self._part(shown, f"choice {number}", before, choice)
        if self.answer:
            self._part(shown, "answer that is trained on", before, self.answer)
        stops = [str(self.codec.tokenizer.convert_ids_to_tokens(token)) for token in sorted(self.codec.stops)]
        ends = [*stops, *map(repr, self.stop)]
        return shown.append(f"\nan answer ends at: {', '.join(ends)}\n", "dim") if ends else shown

    def _part(self, shown: Text, name: str, before: Sequence[int], ids: Ids) -> None:
        shown.append(f"\n── {name}: {len(ids)} token{'s' * (len(ids) != 1)}\n", "bold")
        whole = [*before, *ids]
        for place in range(len(before), len(whole)):
            special = whole[place] in self.codec.specials
            text = "⏎\n".join(map(plain, self._piece(whole, place).split("\n")))
            shown.append(f"[{text}]" if special else text, "bold magenta" if special else "").append("│", "dim")
        shown.append("\n")

    def _piece(self, ids: Sequence[int], place: int) -> str:
        """What a token adds to the text of those before it."""
        window = ids[max(0, place - _WINDOW) : place + 1]
        decode = self.codec.tokenizer.decode
        text, known = (decode(part, clean_up_tokenization_spaces=False) for part in (window, window[:-1]))
        return str(text[len(known) :])


def show(
    task: Task,
    model: ResolvedModel,
    method: Method,
    item: str | None,
    seed: int,
    embedder: str,
    found: FoundPrompt | None = None,
) -> ShownPrompt:
    """The prompt of an item of `task`; of the options that `method` leaves open, the first values are taken.

    `found`: by the search of a run, for a method that searches for its prompt.

    Raises:
        UsageError: there is no such item, the method does not fit the task, or the model cannot be asked.
    """
    example, method, heading = settled(task, model, method, item, seed)
    device = torch.device("cpu")
    try:
        base = load_base(model, device).behind(method.weights.virtual_tokens)
        if isinstance(base, NoBase):
            raise UsageError(f"{model.name} is no language model: it gets the item's text and no prompt")
        if isinstance(base, PictureBase):
            raise UsageError(f"{model.name} is a model of pictures: it gets the item's picture and no prompt")
        material = material_of(task, method, seed, Meter(device), lambda *_: None, embedder=embedder)
        context = method.context.build(replace(material, found=found))
        prompt = context.worded(task.prompt)
        solved: list[tuple[Ids, Ids]] = []
        if isinstance(base, EncoderBase):
            written = EncoderWriter(base.codec, prompt, context, base.context_length, 0, labels=example.choices)
            (encoded,) = written.write([question(example)])
            encoded = replace(encoded, choices=())  # its labels are no tokens
        elif isinstance(base, DecisionBase):
            request = RequestWriter(base.codec, prompt, context, base.context_length, 0, written=base.written)
            (encoded,) = request.write([question(example)])
            encoded = replace(encoded, choices=())  # they stand in the prompt
        else:
            writer = Writer(base.codec, prompt, context, base.context_length, reserve_of(task))
            (encoded,) = writer.write([question(example)])
            solved = writer.write_solved([example])
    except (CellError, NotApplicableError) as error:
        raise UsageError(str(error)) from None
    return ShownPrompt(
        heading, encoded, solved[0][1] if solved else (), base.codec, task.stop if model.kind in LANGUAGE_MODELS else ()
    )


def settled(
    task: Task, model: ResolvedModel, method: Method, item: str | None, seed: int
) -> tuple[Example, Method, str]:
    """The item, the method with the first value of every option that it leaves open, and the heading of both."""
    reason = method.weights.requires(task) or method.context.requires(task)
    if not reason and not fits(method, model.kind):
        reason = f"it is not for {model.name}, which is {DESCRIPTIONS[model.kind]}"
    if reason or (reason := unfit(model.kind, task)):
        raise UsageError(f"{method.name}: {reason} (task {task.name})")
    example = _example(task, item)
    open_ = grid(method)
    taken = candidates(open_, 1)[0] if open_ else {}
    method = settle(method, taken)
    chosen = "".join(f", {name}={value}" for name, value in taken.items())
    heading = f"{model.name} · {task.name} · {method.name}{chosen} · seed {seed} · {example.id}"
    return example, method, heading


def _example(task: Task, item: str | None) -> Example:
    every = {example.id: example for example in (*task.test, *task.validation, *task.train)}
    if item is None:
        return task.test[0]
    found = every.get(item) or every.get(f"test/{item}")
    if found is None:
        raise UsageError(f'task {task.name} has no item "{item}"{nearest(item, every)}')
    return found
