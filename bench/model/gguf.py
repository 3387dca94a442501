"""GGUF files as models: dequantised once into a folder of the cache that transformers loads like any other.

The folder is named after the file's digest. It holds the weights in fp32 (exact: a block is a scale, an offset and
small integers), the configuration, and the tokenizer and chat template that the file carries.
Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import contextlib
import copy
import errno
import io
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.core.errors import UsageError
from bench.model.prepared import cache_folder, is_complete, prepare, write_json

_RECIPE = 1  # raise it when the same file would give other bytes than before
_SEAL = "gguf.json"
# How a byte-level vocabulary splits text, by the name in `tokenizer.ggml.pre`: llama.cpp's names (llama-vocab.cpp)
# for GPT-2's expression, and for the same after each digit stands alone. transformers knows the other names.
_GPT2 = {"gpt-2", "phi-2", "gigachat", "a.x-4.0", "mellum", "exaone4", "mpt", "olmo", "jais", "trillion"}
_DIGITS = {"starcoder", "refact", "command-r", "smollm", "codeshell", "exaone", "minerva-7b", "mellum2"}
# vocabularies whose words come before their merges, and whose texts begin with the begin token unless the file says no
_WORDS_FIRST = {"llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "tekken"}
_SAMPLE = "The year 1969:  it's 384,400 km away!\n\tif x == 10:\n  é, 数学, 🙂 don't\n\n"


def folder_for(digest: str) -> Path:
    """Where the file with this sha256 is kept dequantised."""
    return cache_folder() / "gguf" / f"{digest[:32]}-{_RECIPE}"


def is_converted(digest: str) -> bool:
    """Whether the file with this sha256 stands in the cache, whole and unchanged."""
    return is_complete(folder_for(digest), _SEAL, _recipe(digest))


def convert(file: Path, digest: str) -> Path:
    """The folder of `file`, whose sha256 is `digest`; written now unless it is in the cache.

    Raises:
        UsageError: the file is no GGUF file, is damaged, or holds what transformers cannot load; no room in the cache.
    """
    return prepare(folder_for(digest), _SEAL, _recipe(digest), lambda staging: _write(file, staging), file.name)


def _recipe(digest: str) -> dict[str, Any]:
    return {"recipe": _RECIPE, "gguf": digest}


def _write(file: Path, staging: Path) -> None:
    with file.open("rb") as stream:
        if stream.read(4) != b"GGUF":
            raise UsageError(f"{file} is no GGUF file: it does not begin with GGUF")
    try:
        with _quiet():
            _save(file, staging)
    except (UsageError, OSError):
        raise
    except Exception as error:  # whatever a damaged file makes the readers raise
        first = (str(error).strip().splitlines() or [""])[0]
        if f"os error {errno.ENOSPC}" in first:  # safetensors has an error of its own for a full disk
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from None
        raise UsageError(f"{file} cannot be converted: {type(error).__name__}: {first[:300]}") from None


def _save(file: Path, staging: Path) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    source: dict[str, Any] = {"pretrained_model_name_or_path": str(file.parent), "gguf_file": file.name}
    tokenizer = _tokenizer(file, source)
    config = AutoConfig.from_pretrained(**source)
    with_report: Any = AutoModelForCausalLM.from_pretrained(
        **source, config=copy.deepcopy(config), dtype=torch.float32, output_loading_info=True
    )
    loaded, report = with_report
    wrong = sorted({*report["missing_keys"], *(name for name, *_ in report["mismatched_keys"])})
    if wrong:
        raise UsageError(f"{file} lacks {wrong[0]}, or holds it in another shape; the file does not fit its own header")
    with torch.device("meta"):  # the loaded model is marked as quantised, which cannot be saved: the same without
        plain = AutoModelForCausalLM.from_config(config)
    plain.load_state_dict(loaded.state_dict(), assign=True)
    plain.tie_weights()
    plain.generation_config = loaded.generation_config
    plain.save_pretrained(staging)
    tokenizer.save_pretrained(staging)
    _leave_out(staging / "config.json", "transformers_version")
    _leave_out(staging / "generation_config.json", "transformers_version")
    _leave_out(staging / "tokenizer_config.json", "is_local", "local_files_only")
    _drop_added(staging / "tokenizer.json", plain.get_input_embeddings().num_embeddings)
    _check_tokenizer(tokenizer, staging, file, plain.get_input_embeddings().num_embeddings)


def _tokenizer(file: Path, source: dict[str, Any]) -> Any:
    """The tokenizer that the file describes, splitting text as the name in its header says.

    Raises:
        UsageError: the header does not say how text is split, or by a name that nobody here knows.
    """
    from tokenizers import pre_tokenizers
    from transformers import AutoTokenizer
    from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS
    from transformers.integrations.gguf.reader import read_gguf_metadata

    header, _ = read_gguf_metadata(str(file))
    if "tokenizer.ggml.tokens" not in header:
        raise UsageError(f"{file} carries no tokenizer; give the folder that it was made from")
    byte_level, split = header.get("tokenizer.ggml.model") == "gpt2", header.get("tokenizer.ggml.pre")
    if byte_level and split not in {*_GPT2, *_DIGITS, *GGUF_PRE_TOKENIZER_SPLITS}:
        says = f'by "{split}", which is not known here' if split else "in no way that it names"
        raise UsageError(f"{file} splits text {says} (tokenizer.ggml.pre); give the folder that it was made from")
    begins = {"add_bos_token": True} if split in _WORDS_FIRST and "tokenizer.ggml.add_bos_token" not in header else {}
    tokenizer: Any = AutoTokenizer.from_pretrained(**source, **begins)
    backend = tokenizer.backend_tokenizer
    if byte_level and split in _DIGITS:
        parts = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        backend.pre_tokenizer = pre_tokenizers.Sequence(parts)
    if byte_level and split in _WORDS_FIRST:
        backend.model.ignore_merges = True
    return tokenizer


def _check_tokenizer(tokenizer: Any, folder: Path, file: Path, rows: int) -> None:
    """What was saved reads texts as the file's tokenizer does, and every id has a row of the embeddings."""
    from transformers import AutoTokenizer

    saved: Any = AutoTokenizer.from_pretrained(folder)
    same = saved.encode(_SAMPLE) == tokenizer.encode(_SAMPLE) and saved.chat_template == tokenizer.chat_template
    names = ("bos_token_id", "eos_token_id", "pad_token_id")
    if not same or any(getattr(saved, name) != getattr(tokenizer, name) for name in names):
        raise UsageError(f"the tokenizer of {file} does not survive being saved; give the folder that it was made from")
    if len(saved) > rows:
        raise UsageError(f"{file} has a vocabulary of {len(saved)} and embeddings of {rows} rows; the file is damaged")


def _drop_added(file: Path, rows: int) -> None:
    """Without tokens that transformers' class adds behind the vocabulary: the model has no row for them."""
    content = json.loads(file.read_text(encoding="utf-8"))
    content["added_tokens"] = [token for token in content["added_tokens"] if token["id"] < rows]
    file.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _leave_out(file: Path, *keys: str) -> None:
    """Without what changes with versions and places, so that a file gives the same bytes everywhere."""
    if file.is_file():
        content = json.loads(file.read_text(encoding="utf-8"))
        write_json(file, {key: value for key, value in content.items() if key not in keys})


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the libraries' bars and notes, which tell a user nothing to act on."""
    from transformers.utils import logging as notes

    level = notes.get_verbosity()
    notes.set_verbosity(logging.CRITICAL)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        notes.set_verbosity(level)
