"""GGUF files as models: the weights, tokenizer and template that the file holds, or one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from bench.core.errors import UsageError
from bench.core.hashing import sha256_of
from bench.model import gguf
from scripts import gguf_file


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    written = tmp_path_factory.mktemp("gguf") / "tiny.Q8_0.gguf"
    gguf_file.write(written, tiny_model)
    return written


@pytest.fixture(scope="module")
def folder(file: Path) -> Path:
    return gguf.convert(file, sha256_of(file))


def test_weights_are_what_the_gguf_package_dequantises(folder: Path, tiny_model: Path) -> None:
    converted, expected = load_file(folder / "model.safetensors"), gguf_file.dequantised(tiny_model)
    assert converted.keys() == expected.keys()  # tied: no lm_head
    for name, weights in expected.items():
        np.testing.assert_array_equal(converted[name], weights)


def test_logits_are_those_of_the_dequantised_checkpoint(folder: Path, tiny_model: Path) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    plain = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(tiny_model, vocab_size=gguf_file.ROWS)).eval()
    state = {name: torch.from_numpy(w) for name, w in gguf_file.dequantised(tiny_model).items()}
    plain.load_state_dict(state, strict=False)  # the head is the embeddings
    converted = AutoModelForCausalLM.from_pretrained(folder)
    ids = torch.arange(40).reshape(1, -1)
    with torch.no_grad():
        torch.testing.assert_close(converted(ids).logits, plain(ids).logits)


def test_tokenizer_and_template_are_the_file_s(folder: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id) == (256, 257, 258)
    assert tokenizer.encode("aé\n<|end|>") == [97, 0xC3, 0xA9, 10, 257]  # the file says: no begin token
    turn = [{"role": "user", "content": "hi"}]
    assert tokenizer.apply_chat_template(turn, tokenize=False) == "user: hi\n"


@pytest.mark.parametrize(
    ("pre", "expected"),
    [
        ("smollm", ["a", "ĠĠ", "1", "2", "Ġ", "3"]),  # each digit alone, what stands between split as GPT-2 does
        ("gpt-2", ["a", "Ġ", "Ġ12", "Ġ3"]),
        ("llama-bpe", ["a", "Ġ", "Ġ", "12", "Ġ", "3"]),
    ],
)
def test_text_is_split_as_the_header_says(tmp_path: Path, tiny_model: Path, pre: str, expected: list[str]) -> None:
    gguf_file.write(tmp_path / "m.gguf", tiny_model, pre=pre)
    source = {"pretrained_model_name_or_path": str(tmp_path), "gguf_file": "m.gguf"}
    backend = gguf._tokenizer(tmp_path / "m.gguf", source).backend_tokenizer
    assert [piece for piece, _ in backend.pre_tokenizer.pre_tokenize_str("a  12 3")] == expected


def test_a_converted_file_is_not_converted_again(file: Path, folder: Path) -> None:
    before = (folder / "model.safetensors").stat().st_mtime_ns
    assert gguf.convert(file, sha256_of(file)) == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == before


def damage(file: Path, how: str) -> None:
    content = file.read_bytes()
    if how == "truncated":
        file.write_bytes(content[: len(content) - 1000])
    elif how == "header cut":
        file.write_bytes(content[:200])
    elif how == "version":
        file.write_bytes(content[:4] + b"\x09\0\0\0" + content[8:])
    elif how == "length":
        file.write_bytes(content[:24] + b"\xff" * 8 + content[32:])
    else:
        file.write_bytes(b"PK\x03\x04" + content[4:])


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("truncated", "cannot be converted"),
        ("header cut", "cannot be converted"),
        ("version", "cannot be converted"),
        ("length", "cannot be converted"),
        ("magic", "does not begin with GGUF"),
    ],
)
def test_a_damaged_file_is_one_line_and_leaves_nothing(tmp_path: Path, file: Path, how: str, says: str) -> None:
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(file.read_bytes())
    damage(damaged, how)
    digest = sha256_of(damaged)
    with pytest.raises(UsageError, match=says) as raised:
        gguf.convert(damaged, digest)
    assert "\n" not in str(raised.value)
    assert not gguf.folder_for(digest).exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"pre": "made-up"}, 'splits text by "made-up"'),
        ({"pre": None}, "tokenizer.ggml.pre"),
        ({"tokenizer": False}, "carries no tokenizer"),
        ({"without": "model.layers.1.mlp.up_proj.weight"}, "lacks model.layers.1.mlp.up_proj.weight"),
    ],
)
def test_what_the_file_lacks_is_named(tmp_path: Path, tiny_model: Path, options: dict[str, Any], says: str) -> None:
    gguf_file.write(tmp_path / "m.gguf", tiny_model, **options)
    with pytest.raises(UsageError, match=says):
        gguf.convert(tmp_path / "m.gguf", sha256_of(tmp_path / "m.gguf"))
