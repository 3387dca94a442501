"""export.json: the prompt, examples, decoding and index of a method, as bench/export/script reads them."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig

from bench import __version__
from bench.adapt.session import AdaptSession, answers_shown
from bench.cell.setup import session_for
from bench.core.errors import CellError, UsageError
from bench.core.hashing import sha256_of
from bench.core.item import Item
from bench.core.method import Context, Pool
from bench.core.prompt import CHOICES, Prompt, placeholders
from bench.engine.prompts import Writer
from bench.export.chosen import Chosen
from bench.export.weights import Form, place_of
from bench.meters.phases import Meter
from bench.retrieval.index import DenseSearch, HybridSearch
from bench.retrieval.lexical import LexicalSearch
from bench.runs.given import EXPORT
from bench.runs.jobs import job_of
from bench.store.run_folder import Store
from tasks.loader.splits import sample

DOCUMENTS = "documents.jsonl"


def session_of(chosen: Chosen, joined: bool) -> AdaptSession:
    """The session that the cell was measured in, on the CPU; `joined`: with the validation split to learn from.

    Raises:
        UsageError: the model's configuration or tokenizer cannot be loaded.
    """
    cell = chosen.cell
    job = replace(job_of(chosen.suite, cell, Store(Path()), Path(), chosen.chosen), vectors=None, found=chosen.found)
    task = chosen.task
    if cell.train_size is not None:
        task = replace(task, train=sample(task.train, cell.train_size, cell.seed))
    try:
        session = session_for(job, task, chosen.method, Meter(torch.device("cpu")), lambda *_: None)
    except CellError as error:
        raise UsageError(str(error)) from None
    return session.joined() if joined else session


def write(chosen: Chosen, session: AdaptSession, form: Form, folder: Path) -> dict[str, Any]:
    """Write export.json, the tokenizer and the index into `folder`; returns what export.json holds.

    Raises:
        UsageError: the method finds its context in a way that no export knows.
    """
    codec, task, model = session.base.codec, chosen.task, chosen.model
    try:
        writer = session.writer(chosen.method.context.build(session.material))
    except CellError as error:
        raise UsageError(str(error)) from None
    if codec.chat:
        codec.tokenizer.chat_template = codec.chat.source  # with the date that the method was measured with
    codec.tokenizer.save_pretrained(folder)
    choices = {example.choices for example in task.test}
    generation = _generation(session, chosen)
    found = {
        "adaptbench": __version__,
        "task": task.name,
        "kind": task.kind,
        "method": chosen.record.method,
        "seed": chosen.record.seed,
        "cell": chosen.record.key,
        "base": {
            "name": model.name,
            "path": place_of(chosen),
            "revision": model.commit,
            "digest": model.digest,
            "trust_remote_code": model.trust_remote_code,
            "form": chosen.record.parts.base_form,
        },
        "weights": form,
        "dtype": str(session.base.dtype).removeprefix("torch."),
        "choices": list(*choices) if len(choices) == 1 else None,
        "rule": chosen.record.ranked_by or "none",
        "prompt": {**prompt_settings(writer), "retrieval": _retrieval(chosen, writer.context, folder)},
        "generation": generation,
    }
    decoding = {name: generation[name] for name in ("eos_token_id", "pad_token_id", "max_new_tokens")}
    GenerationConfig(do_sample=False, **decoding).save_pretrained(folder)
    (folder / EXPORT).write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return found


def prompt_settings(writer: Writer) -> dict[str, Any]:
    """How prompts are written, as prompting.py reads it; what is searched for an item aside."""
    codec, prompt = writer.codec, writer.prompt
    chat = codec.chat.settings(thinks=writer.thinks) if codec.chat else None
    return {
        "instruction": prompt.instruction,
        "template": prompt.template,
        "cue": prompt.cue() if prompt.template else "",
        "query": _query(prompt),
        "before_answer": codec.chat.gap if codec.chat else prompt.answer(""),
        "examples": [asdict(block) for block in writer.context.shared],
        "chat": {**chat, "single_turn": codec.single_turn} if chat else None,
        "begin": list(codec.begin),
        "context_length": writer.context_length,
        "reserve": writer.reserve,
        "token_budget": writer.context.token_budget,
    }


def _query(prompt: Prompt) -> str:
    """What is searched for, as a template."""
    names = [name for name in placeholders(prompt.template) if name != CHOICES]
    return prompt.query_template or " ".join(f"{{{name}}}" for name in names)


def _generation(session: AdaptSession, chosen: Chosen) -> dict[str, Any]:
    codec, task = session.base.codec, chosen.task
    thinking = codec.chat.thinking if codec.chat and session.thinking_tokens else None
    shown = (*answers_shown(task, session.material), *(asdict(thinking).values() if thinking else ()))
    return {
        "stop": list(task.stop) if task.kind == "text" else [],
        "max_new_tokens": task.max_new_tokens,
        "eos_token_id": sorted(codec.stops) or None,
        "pad_token_id": codec.pad,
        "dropped_ids": sorted(codec.specials - (codec.specials_in(shown) - codec.stops)),
        "thinking": {**asdict(thinking), "tokens": session.thinking_tokens} if thinking else None,
    }


def _retrieval(chosen: Chosen, context: Context, folder: Path) -> dict[str, Any] | None:
    """Write what is searched; None where nothing is."""
    pool = context.pool()
    if pool is None:
        if type(context).find is not Context.find:
            name = chosen.method.context.name
            raise UsageError(f"{name} finds what it shows in a way of its own; it cannot be exported")
        return None
    if not isinstance(pool.index, DenseSearch | LexicalSearch | HybridSearch):
        raise UsageError(f"{chosen.method.context.name} searches an index of its own; it cannot be exported")
    said = pool.index.write(folder)
    measured, encoder = chosen.record.identity.surroundings.embedder or "", said.get("embedder")
    if isinstance(encoder, dict) and measured and not measured.startswith(encoder["digest"]):
        raise UsageError(f"another sentence encoder than was measured with: its digest is {encoder['digest'][:12]}")
    digest = _documents(pool, folder / DOCUMENTS)
    return {**said, "shown": pool.shown, "documents": len(pool.blocks), "digest": digest}


def _documents(pool: Pool, file: Path) -> str:
    """Write what is searched, a document on a line; returns the sha256 of the file."""
    pairs = zip(pool.texts, pool.blocks, strict=True)
    lines = ({"indexed": text, "block": asdict(block)} for text, block in pairs)
    file.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return sha256_of(file)


def as_line(item: Item) -> dict[str, Any]:
    """An item as predict.py reads it."""
    return {"id": item.id, **item.fields, **({"choices": list(item.choices)} if item.choices else {})}
