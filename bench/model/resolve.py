"""From what a suite calls a model to a folder with a digest. No torch: planning and listing must stay fast.

A model is a local folder, a Hub id whose revision is resolved to a commit before anything is hashed, or a name from
`BUILT_IN`. Weights are safetensors only.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from bench.core.errors import UsageError, nearest
from bench.core.quoting import quoted
from bench.model.fetch import SOURCES, fetched

BUILT_IN = {
    "mini": "a small Llama that knows facts, reads and follows examples; comes with adaptbench",
    "tiny-random": "a Llama shape of 115,200 random weights that reads bytes; made on this machine",
    **{name: source.description for name, source in SOURCES.items()},
}
MINI = Path(__file__).parent / "mini"
_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
_HUB_FILES = ["*.safetensors", "*.json", "*.txt", "*.model", "*.jinja", "*.py"]
_IDENTITY_SUFFIXES = {".safetensors", ".json", ".txt", ".model", ".jinja", ".py"}


class ModelSpec(BaseModel):
    """One entry of a suite's `models`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(description="local folder, Hub id or built-in name; environment variables are expanded")
    name: str = Field(
        "",
        pattern=r"^[^/\\\x00-\x1f\x7f]*$",
        max_length=100,
        description="how reports call it, up to 100 characters but slashes; default: the last part of the path",
    )
    revision: str | None = Field(None, description="Hub branch, tag or commit; default: main, resolved to its commit")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    chat_template: Literal["auto", "on", "off"] = "auto"
    trust_remote_code: bool = False


@dataclass(frozen=True)
class ResolvedModel:
    """A model on this disk, with the digest of everything that decides what it answers."""

    name: str
    folder: Path
    digest: str
    dtype: str
    chat_template: str
    trust_remote_code: bool
    commit: str | None = None
    parameters: int = 0  # counted from the safetensors headers


def resolve(spec: ModelSpec, base: Path = Path()) -> ResolvedModel:
    """The folder, digest and commit of a model; `base` is what relative paths are relative to.

    Raises:
        UsageError: no such folder, built-in or Hub id; no safetensors; an unset environment variable.
    """
    text = os.path.expandvars(os.path.expanduser(spec.path))
    if "$" in text:
        raise UsageError(f'model path "{spec.path}" names an environment variable that is not set; set it to a folder')
    folder, commit = _locate(text, spec, base)
    _require_files(folder)
    return ResolvedModel(
        name=spec.name or Path(text).name,
        folder=folder,
        digest=folder_digest(folder),
        dtype=spec.dtype,
        chat_template=spec.chat_template,
        trust_remote_code=spec.trust_remote_code,
        commit=commit,
        parameters=sum(count_parameters(file) for file in folder.glob("*.safetensors")),
    )


def folder_digest(folder: Path) -> str:
    """sha256 over the names and contents of the weights, configuration and tokenizer in `folder`."""
    digest = hashlib.sha256()
    for file in sorted(f for f in folder.iterdir() if f.suffix in _IDENTITY_SUFFIXES and f.is_file()):
        with file.open("rb") as stream:
            digest.update(f"{file.name}\0{hashlib.file_digest(stream, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()


def count_parameters(file: Path) -> int:
    """Number of values stored in a safetensors file, read from its header alone."""
    with file.open("rb") as stream:
        (size,) = struct.unpack("<Q", stream.read(8))
        header = json.loads(stream.read(size))
    shapes = (entry["shape"] for name, entry in header.items() if name != "__metadata__")
    return sum(_product(shape) for shape in shapes)


def _product(shape: list[int]) -> int:
    result = 1
    for size in shape:
        result *= size
    return result


def _locate(text: str, spec: ModelSpec, base: Path) -> tuple[Path, str | None]:
    if text == "mini":
        if not (MINI / "config.json").is_file():
            raise UsageError(f"{MINI} holds no model: the installation is incomplete; install adaptbench again")
        return MINI, None
    if text in SOURCES:
        return fetched(text), None
    if text in BUILT_IN:
        from bench.model import tiny_random

        return tiny_random.build(tiny_random.DEFAULT_FOLDER), None
    local = base / text
    if os.path.isdir(local):
        return local.resolve(), None
    looks_local = text.startswith((".", "/", "~")) or text.count("/") > 1 or not _HUB_ID.fullmatch(text)
    if looks_local or "/" not in text:
        hint = nearest(text, BUILT_IN) or nearest(local.name, _siblings(local))
        raise UsageError(
            f"no model folder {quoted(text)}{hint}; "
            f"give a folder, a Hub id (owner/name) or one of: {', '.join(BUILT_IN)}"
        )
    return _from_hub(text, spec.revision)


def _siblings(path: Path) -> list[str]:
    return [p.name for p in path.parent.iterdir() if p.is_dir()] if os.path.isdir(path.parent) else []


def _from_hub(repository: str, revision: str | None) -> tuple[Path, str]:
    """Download (or find in the local cache) one commit; its id is the snapshot folder's name."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(repository, revision=revision, allow_patterns=_HUB_FILES))
    except LocalEntryNotFoundError:
        raise UsageError(
            f'model "{repository}" is neither a folder nor in the local Hub cache, and the Hub cannot be reached'
        ) from None
    except (HfHubHTTPError, OSError, ValueError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UsageError(f'model "{repository}" could not be fetched from the Hub: {first}') from None
    return folder, folder.name


def _require_files(folder: Path) -> None:
    if not (folder / "config.json").is_file():
        raise UsageError(f"{folder} has no config.json; a model folder is what save_pretrained writes")
    if any(folder.glob("*.safetensors")):
        return
    if any(folder.glob("*.bin")):
        raise UsageError(
            f"{folder} holds pickled weights (*.bin); only safetensors are loaded: save_pretrained writes them"
        )
    raise UsageError(f"{folder} has no *.safetensors file")
