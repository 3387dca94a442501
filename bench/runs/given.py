"""Weights that a suite brings along: where their files lie, their digest, and which model they are for.

They are those of a model, or of the cross-encoder of a second stage.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

from bench.core.errors import UsageError, nearest
from bench.core.hashing import sha256_of_files
from bench.core.method import ContextPart, Method
from bench.core.quoting import quoted
from bench.core.search import NONE
from bench.model import checkpoint
from bench.model.foreign_code import refuse_code
from bench.model.resolve import HUB_ID, ResolvedModel, from_hub
from methods.adapter import Adapter
from methods.given import Given
from methods.rag import Rag

EXPORT = "export.json"  # what an export says of itself, the digest of its base among it


def located(method: Method, here: Path) -> Method:
    """The method, the files of its weights and cross-encoders found from the folder `here`, and the digest filled in.

    Raises:
        UsageError: there are no such files, or they have another digest than asked for.
    """
    method = replace(method, context=_reranking(method.context, here))
    part = method.weights
    if not isinstance(part, Given):
        return method
    folder = _folder(part, here)
    found = type(part)(part.options.model_copy(update={"path": str(folder)}))
    digest = sha256_of_files(found.files())
    if part.options.digest not in ("", digest):
        raise UsageError(f"{part.name} {quoted(part.options.path)} is another than asked for: its digest is {digest}")
    return replace(method, weights=type(part)(found.options.model_copy(update={"digest": digest})))


def reranker_digests(method: Method) -> tuple[str, ...]:
    """The digest of each cross-encoder that a located method chooses from, "" for none; () where it names none.

    Raises:
        UsageError: a folder holds no cross-encoder.
    """
    named = method.context.options.rerank if isinstance(method.context, Rag) else ()
    if set(named) <= {NONE}:
        return ()
    from bench.retrieval.reranker import find_reranker  # which loads torch

    return tuple("" if each == NONE else find_reranker(each).digest for each in named)


def _reranking(part: ContextPart, here: Path) -> ContextPart:
    """A part with its cross-encoders' folders found from the folder `here`; a Hub id stays as it is."""
    if not isinstance(part, Rag):
        return part
    near = [here / os.path.expanduser(each) for each in part.options.rerank]
    named = zip(part.options.rerank, near, strict=True)
    places = tuple(str(folder.resolve()) if each != NONE and folder.is_dir() else each for each, folder in named)
    return Rag(part.options.model_copy(update={"rerank": places}))


def other_base(method: Method, model: ResolvedModel) -> str:
    """Why the weights that a located method brings along are not for a model; "" where they may be."""
    part = method.weights
    if not isinstance(part, Given):
        return ""
    folder = Path(part.options.path)
    if not isinstance(part, Adapter):
        setting = checkpoint.unlike(folder, model.folder)
        said = f"checkpoint: {folder} is no tuned form of model {model.name}: {setting} of their config.json differs"
        return said if setting else ""
    base = _trained_on(folder)
    if form := _form(folder):
        return f"adapter: {folder} was trained on its base in {form} and is not for it as loaded; measure it as qlora"
    if part.options.any_base or base in ("", model.digest):
        return ""
    if len(base) != 64 and base.rstrip("/").rpartition("/")[2].lower() in _names(model):
        return ""
    of = f"a model of digest {base[:12]}" if len(base) == 64 else quoted(base)
    return (
        f"adapter: {folder} was trained on {of}, not on {model.name} (digest {model.digest[:12]}); "
        "where both are one model, set any_base: true"
    )


def _folder(part: Given, here: Path) -> Path:
    """The folder that the option `path` names, with the file that such a folder has to hold."""
    text = os.path.expandvars(os.path.expanduser(part.options.path))
    if not text:
        raise UsageError(f"{part.name} needs path: a folder with {part.needed}, or a Hub id")
    folder = (here / text).resolve()
    if not folder.is_dir():
        name, _, revision = text.partition("@")
        if text.startswith((".", "/", "~")) or not HUB_ID.fullmatch(name) or "/" not in name:
            beside = [one.name for one in folder.parent.iterdir()] if folder.parent.is_dir() else []
            raise UsageError(f"{part.name}: no folder {quoted(text)}{nearest(folder.name, beside)}")
        folder, _ = from_hub(name, revision or None)
    for needed in (part.needed, "*.safetensors"):
        if not any(folder.glob(needed)):
            raise UsageError(f"{part.name}: {folder} holds no {needed}; only safetensors are read")
    refuse_code(folder)
    return folder


def _trained_on(folder: Path) -> str:
    """The digest of an adapter's base where an export says it, else the base's name; "" where neither is known."""
    try:
        if (folder / EXPORT).is_file():
            return str(json.loads((folder / EXPORT).read_text(encoding="utf-8"))["base"]["digest"])
        return str(json.loads((folder / Adapter.needed).read_text("utf-8")).get("base_model_name_or_path") or "")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"adapter: {folder} is damaged: {error}") from None


def _form(folder: Path) -> str:
    """What an export's base is turned into before the adapter is put on it; "" for the base as it is loaded."""
    said = json.loads((folder / EXPORT).read_text(encoding="utf-8")) if (folder / EXPORT).is_file() else {}
    return str(said.get("base", {}).get("form", ""))


def _names(model: ResolvedModel) -> set[str]:
    """What a model may be called: as in the suite, and as its folder or its repository on the Hub."""
    repository = re.search(r"models--.*?--([^/]+)/snapshots", str(model.folder))
    return {name.lower() for name in (model.name, model.folder.name, repository[1] if repository else "") if name}
