"""export.json: what the scripts of bench/export/script read of a method, whatever kind of model it is of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import torch
from transformers import GenerationConfig

from bench import __version__
from bench.adapt.recommending import WORDS
from bench.adapt.session import AdaptSession
from bench.cell.setup import session_for
from bench.core.errors import CellError, UsageError
from bench.core.words import IS_PAIRED, RUN
from bench.export import pictures
from bench.export.chosen import Chosen
from bench.export.prompts import of_language_model, question_settings
from bench.export.weights import Form, place_of
from bench.meters.phases import Meter
from bench.model.base import PictureBase
from bench.runs.given import EXPORT
from bench.runs.jobs import job_of
from bench.store.run_folder import Store
from tasks.loader.splits import sample


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


def write(chosen: Chosen, form: Form, dtype: str, of_kind: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Write export.json into `folder`; returns what it holds. `of_kind`: what differs between kinds of models."""
    choices, model = {example.choices for example in chosen.task.test}, chosen.model
    found = {
        "adaptbench": __version__,
        "task": chosen.task.name,
        "kind": chosen.task.kind,
        "method": chosen.record.method,
        "seed": chosen.record.seed,
        "cell": chosen.record.key,
        "base": {
            "name": model.name,
            "kind": model.kind,
            "path": place_of(chosen),
            "revision": model.commit,
            "digest": model.digest,
            "trust_remote_code": model.trust_remote_code,
            "form": chosen.record.parts.base_form,
        },
        "weights": form,
        "dtype": dtype,
        "choices": (list(*choices) or None) if len(choices) == 1 else None,
        **of_kind,
    }
    if "generation" in found:
        decoding = {name: found["generation"][name] for name in ("eos_token_id", "pad_token_id", "max_new_tokens")}
        GenerationConfig(do_sample=False, **decoding).save_pretrained(folder)
    (folder / EXPORT).write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return found


def of_kind(chosen: Chosen, session: AdaptSession, folder: Path) -> dict[str, Any]:
    """What export.json holds of a model on this disk; the tokenizer and the index are written into `folder`.

    Raises:
        UsageError: the method finds its context in a way that no export knows.
    """
    prompt = session.task.prompt
    match chosen.model.kind:
        case "classical":
            words = {"run": RUN.pattern, "paired": IS_PAIRED.pattern}
            history = asdict(chosen.task.history) | {"words": WORDS} if chosen.task.history else None
            return {"columns": list(chosen.task.test[0].fields), "words": words, "history": history}
        case "decision":
            return question_settings(prompt)
        case "image":
            return pictures.settings(chosen, cast(PictureBase, session.base), folder)
        case "encoder":
            session.base.codec.tokenizer.save_pretrained(folder)
            return {"template": prompt.template, "context_length": session.base.context_length}
    return of_language_model(chosen, session, folder)
