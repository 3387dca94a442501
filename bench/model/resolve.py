"""From what a suite calls a model to a folder with a digest. No torch: planning and listing must stay fast.

A model is a local folder, a GGUF file or a folder with one, a Hub id whose revision is resolved to a commit before
anything is hashed, or a name from `BUILT_IN`. Weights are safetensors; a GGUF file is dequantised into the cache once.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bench.core.errors import UsageError, nearest
from bench.core.identity import Nature
from bench.core.model_kind import ModelKind
from bench.core.quoting import quoted
from bench.model import card, checkpoint, efficientnet_lite, gguf, minilm
from bench.model.endpoint import EndpointSpec, Reader
from bench.model.fetch import SOURCES, fetched
from bench.model.foreign_code import refuse_code
from bench.model.prepared import file_digest

BUILT_IN = {
    "mini": "a small Llama that knows facts, reads and follows examples; comes with adaptbench",
    "tiny-random": "a Llama shape of 115,200 random weights that reads bytes; made on this machine",
    **{name: source.description for name, source in SOURCES.items()},
    "minilm": "all-MiniLM-L6-v2, a sentence encoder of 22.7 million parameters; comes with the extra offline-embedder",
    efficientnet_lite.NAME: "a model of pictures, 4.7 million parameters, trained on ImageNet; comes with the extra "
    "offline-images",
    "classical": "no language model: for tf-idf, nearest-answer, popularity and matrix-factorisation",
}
MINI = Path(__file__).parent / "mini"
_LOCAL_READERS = ("auto", "likelihood", "generation")
_REMOTE_READERS = ("decisions", "echo", "schema", "generation")
_OF_ENDPOINTS = {"endpoint", "name", "reader", "chat_examples", "contamination", "unlabelled"}
HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_HUB_FILES = ["*.safetensors", "*.json", "*.txt", "*.model", "*.jinja", "*.py"]
_IDENTITY_SUFFIXES = {".safetensors", ".json", ".txt", ".model", ".jinja", ".py"}


class ModelSpec(BaseModel):
    """One entry of a suite's `models`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(
        "", description="local folder, GGUF file, Hub id or built-in name; environment variables are expanded"
    )
    endpoint: EndpointSpec | None = Field(None, description="in place of a path: where a served model is asked")
    name: str = Field(
        "",
        pattern=r"^[^/\\\x00-\x1f\x7f]*$",
        max_length=100,
        description="how reports call it, up to 100 characters but slashes; default: the last part of the path",
    )
    revision: str | None = Field(None, description="Hub branch, tag or commit; default: main, resolved to its commit")
    kind: Literal["auto", "causal", "seq2seq", "encoder", "image", "decision"] = Field(
        "auto", description="what it is used as; auto: what its configuration says that it was saved as"
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="auto: bfloat16 where the device multiplies it itself and clearly faster, else float32"
    )
    chat_template: Literal["auto", "on", "off"] = Field("auto", description="auto: used where the model has one")
    chat_template_kwargs: dict[str, Any] = Field({}, description="handed to the chat template, e.g. enable_thinking")
    chat_examples: Literal["turns", "text"] = Field(
        "turns", description="few-shot examples in a conversation: turns of it, or text in its one user turn"
    )
    thinking_tokens: int = Field(
        0, ge=0, description="that a model may think before it writes an answer; 0: thinking is closed"
    )
    picture_size: int | None = Field(
        None, ge=16, le=4096, description="pixels of a side that pictures are scaled to; default: as the model's own"
    )
    trust_remote_code: bool = Field(False, description="whether code that comes with the model may run")
    digest: str = Field("", description="refuse any other content: the model's digest, as records give it")
    contamination: str = Field("", description="what it is known to have seen of the tasks; the report shows it")
    reader: Reader = Field(
        "auto", description="how an answer is read among choices; auto: likelihood, or the best that an endpoint has"
    )

    @model_validator(mode="after")
    def _one_place(self) -> ModelSpec:
        if self.endpoint is None:
            if not self.path:
                raise ValueError("names no model; give path, or endpoint")
            if self.reader not in _LOCAL_READERS:
                raise ValueError(f"reader {self.reader} is for endpoints; allowed: {', '.join(_LOCAL_READERS)}")
            return self
        for name in self.model_fields_set - _OF_ENDPOINTS:
            raise ValueError(f"{name} is not for endpoints; leave it out")
        if self.reader == "likelihood":
            raise ValueError(f"reader likelihood is not for endpoints; allowed: auto, {', '.join(_REMOTE_READERS)}")
        return self

    @property
    def called(self) -> str:
        """How reports call it; "" for the folder itself, ".", which is known where it is found."""
        if self.endpoint is not None:
            return self.name or self.endpoint.model.rstrip("/").rpartition("/")[2]
        return self.name or Path(os.path.expandvars(os.path.expanduser(self.path))).name.removesuffix(".gguf")


@dataclass(frozen=True)
class ResolvedModel:
    """A model on this disk, with the digest of everything that decides what it answers."""

    name: str
    folder: Path
    digest: str
    dtype: str
    chat_template: str
    trust_remote_code: bool
    chat_template_kwargs: Mapping[str, Any] = field(default_factory=dict)
    chat_examples: str = "turns"
    thinking_tokens: int = 0
    picture_size: int | None = None
    commit: str | None = None
    parameters: int = 0  # each weight once, counted from the safetensors headers
    layers: int = 1
    width: int = 1  # of the MLP
    nature: Nature = ""  # toy, or random weights; as its card says
    kind: ModelKind = "causal"
    contamination: str = ""  # what it is known to have seen of the tasks
    reader: str = "auto"
    endpoint: Mapping[str, Any] = field(default_factory=dict)  # of a served model, whose folder says nothing

    @property
    def served_at(self) -> EndpointSpec | None:
        """Where the model is asked; None for one on this disk."""
        return EndpointSpec.model_validate(self.endpoint) if self.endpoint else None


def resolve(spec: ModelSpec, base: Path = Path()) -> ResolvedModel:
    """The folder, digest and commit of a model; `base` is what relative paths are relative to.

    Raises:
        UsageError: no such folder, built-in or Hub id; no safetensors; an unset environment variable.
    """
    if spec.endpoint is not None:
        return _served(spec, spec.endpoint)
    text = os.path.expandvars(os.path.expanduser(spec.path))
    if "$" in text:
        raise UsageError(f'model path "{spec.path}" names an environment variable that is not set; set it to a folder')
    if text == "classical":
        return _classical(spec)
    folder, commit = _locate(text, spec, base)
    sizes = checkpoint.read(folder)
    if not spec.trust_remote_code:
        refuse_code(folder)
    digest = folder_digest(folder)
    if spec.digest not in ("", digest):
        raise UsageError(f'model "{spec.path}" is another than the suite asks for: its digest is {digest}')
    kind = checkpoint.kind(folder) if spec.kind == "auto" else spec.kind
    if spec.picture_size is not None and kind != "image":
        raise UsageError(f"model {spec.called}: picture_size is for models of pictures; leave it out")
    return ResolvedModel(
        name=spec.called or folder.name,
        folder=folder,
        digest=digest,
        dtype=spec.dtype,
        chat_template=spec.chat_template,
        chat_template_kwargs=spec.chat_template_kwargs,
        chat_examples=spec.chat_examples,
        thinking_tokens=spec.thinking_tokens,
        picture_size=spec.picture_size,
        trust_remote_code=spec.trust_remote_code,
        commit=commit,
        nature=card.nature(folder),
        contamination=spec.contamination,
        kind=kind,
        reader=spec.reader,
        **asdict(sizes),
    )


def without_key(spec: ModelSpec) -> ModelSpec:
    """A served model that is not to be asked, so that the environment need not hold its key."""
    assert spec.endpoint is not None
    return spec.model_copy(update={"endpoint": spec.endpoint.model_copy(update={"key_env": ""})})


def _classical(spec: ModelSpec) -> ResolvedModel:
    """What stands for a model where a method uses none."""
    if unused := sorted(spec.model_fields_set - {"path", "name"}):
        raise UsageError(f'model "classical" is no language model; {", ".join(unused)} cannot be set of it')
    return ResolvedModel(
        name=spec.name or "classical",
        folder=Path(),
        digest=hashlib.sha256(b"no language model").hexdigest(),
        dtype=spec.dtype,
        chat_template=spec.chat_template,
        trust_remote_code=False,
        kind="classical",
    )


def _served(spec: ModelSpec, endpoint: EndpointSpec) -> ResolvedModel:
    name = spec.called
    if endpoint.key_env and not os.environ.get(endpoint.key_env):
        raise UsageError(f"model {name}: key_env names {endpoint.key_env}, an environment variable that is not set")
    return ResolvedModel(
        name=name,
        folder=Path(),
        digest=endpoint.digest,
        dtype=spec.dtype,
        chat_template=spec.chat_template,
        trust_remote_code=False,
        chat_examples=spec.chat_examples,
        kind="served",
        contamination=spec.contamination,
        reader=spec.reader,
        endpoint=endpoint.model_dump(mode="json", by_alias=True),
    )


def identity_files(folder: Path) -> list[Path]:
    """The weights, configuration and tokenizer in `folder`: what decides the answers of its model."""
    return sorted(file for file in folder.iterdir() if file.suffix in _IDENTITY_SUFFIXES and file.is_file())


def folder_digest(folder: Path) -> str:
    """sha256 over the names and contents of the weights, configuration and tokenizer in `folder`.

    Raises:
        UsageError: a file of the Hub's cache has another content than its name says.
    """
    digest = hashlib.sha256()
    for file in identity_files(folder):
        content = file_digest(file)
        blob = file.resolve()  # the Hub's cache names large files by their sha256
        if blob.parent.name == "blobs" and _SHA256.fullmatch(blob.name) and blob.name != content:
            raise UsageError(f"{file} is damaged in the Hub's cache; delete {blob} and run again with the Hub in reach")
        digest.update(f"{file.name}\0{content}\n".encode())
    return digest.hexdigest()


def _locate(text: str, spec: ModelSpec, base: Path) -> tuple[Path, str | None]:
    if text == "mini":
        if not (MINI / "config.json").is_file():
            raise UsageError(f"{MINI} holds no model: the installation is incomplete; install adaptbench again")
        return MINI, None
    if text == "minilm":
        return minilm.folder(), None
    if text == efficientnet_lite.NAME:
        return efficientnet_lite.folder(), None
    if text in SOURCES:
        return fetched(text), None
    if text in BUILT_IN:
        from bench.model import tiny_random

        return tiny_random.build(tiny_random.DEFAULT_FOLDER), None
    local = base / text
    if os.path.isdir(local):
        return _from_gguf(local) or local.resolve(), None
    if os.path.isfile(local):
        return _from_file(local), None
    looks_local = text.startswith((".", "/", "~")) or text.count("/") > 1 or not HUB_ID.fullmatch(text)
    if looks_local or "/" not in text:
        hint = nearest(text, BUILT_IN) or nearest(local.name, _siblings(local))
        raise UsageError(
            f"no model folder {quoted(text)}{hint}; "
            f"give a folder, a GGUF file, a Hub id (owner/name) or one of: {', '.join(BUILT_IN)}"
        )
    return from_hub(text, spec.revision)


def _from_file(file: Path) -> Path:
    if file.suffix != ".gguf":
        raise UsageError(f'"{file}" is a file; give its folder, or a GGUF file')
    if re.search(r"-\d{5}-of-\d{5}$", file.stem):
        raise UsageError(f"{file} is a part of a split GGUF file; join the parts with llama.cpp's gguf-split --merge")
    try:
        digest = file_digest(file)
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror or error}") from None
    if not gguf.is_converted(digest):
        print(f"converting {file.name} into the cache, once", file=sys.stderr)
    return gguf.convert(file, digest)


def _from_gguf(folder: Path) -> Path | None:
    """The converted GGUF file of a folder that holds one and no checkpoint; None for any other folder."""
    files = sorted(folder.glob("*.gguf"))
    if not files or (folder / "config.json").is_file() or (folder / "adapter_config.json").is_file():
        return None
    if len(files) > 1:
        raise UsageError(f"{folder} holds {len(files)} GGUF files; name one of them, such as {files[0]}")
    return _from_file(files[0])


def _siblings(path: Path) -> list[str]:
    return [p.name for p in path.parent.iterdir() if p.is_dir()] if os.path.isdir(path.parent) else []


def from_hub(repository: str, revision: str | None) -> tuple[Path, str]:
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
