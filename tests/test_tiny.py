"""The built-in tiny model: loads offline, is the same everywhere, and appears whole or not at all."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.core.errors import UsageError
from bench.model import tiny_random
from bench.model.prepared import cache_folder


def load_tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> Any:
    return load_tokenizer(tiny_model)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_model_loads_without_missing_or_spare_weights(tiny_model: Path) -> None:
    from transformers import AutoModelForCausalLM

    loaded: Any = AutoModelForCausalLM.from_pretrained(tiny_model, output_loading_info=True)
    model, report = loaded
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    # By hand: 259 × 64 tied embeddings; each of 2 layers 64 × (64 + 32 + 32 + 64) attention,
    # 3 × 64 × 192 MLP and two norms; a last norm.
    by_hand = 259 * 64 + 2 * (64 * 192 + 3 * 64 * 192 + 2 * 64) + 64
    assert sum(p.numel() for p in model.parameters()) == by_hand == 115_200
    assert model.config.max_position_embeddings == 512
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight


def test_logits_differ_between_inputs(tiny_model: Path, tokenizer: Any) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    with torch.no_grad():
        one, other = (model(torch.tensor([tokenizer.encode(t)])).logits[0, -1] for t in ("ab", "bb"))
    assert torch.isfinite(one).all()
    # The last byte is the same: only attention to what stands before it can make this difference.
    assert (one - other).abs().max() > 0.1


def test_a_text_is_its_utf8_bytes_after_the_start_token(tokenizer: Any) -> None:
    assert tokenizer.encode("aé\n") == [256, 97, 0xC3, 0xA9, 10]
    assert tokenizer.encode("aé\n", add_special_tokens=False) == [97, 0xC3, 0xA9, 10]
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id) == (256, 257, 258)
    assert len(tokenizer) == 259


@given(st.text() | st.sampled_from(["<s>", "a</s>", "<pad> <pad>", " don 't . ", "\r\n\x00", "\u2028"]))
@settings(max_examples=200, deadline=None)
def test_any_text_round_trips(tokenizer: Any, text: str) -> None:
    ids = tokenizer.encode(text)
    assert ids == [256, *text.encode("utf-8")]
    assert tokenizer.decode(ids, skip_special_tokens=True) == text


def test_same_seed_same_bytes_other_seed_other_weights(tmp_path: Path) -> None:
    one, two, three = (tiny_random.build(tmp_path / str(i), seed=seed) for i, seed in enumerate((7, 7, 8)))
    assert contents(one) == contents(two)
    changed = {name for name, data in contents(one).items() if data != contents(three)[name]}
    assert changed == {"model.safetensors", "tiny-random.json"}


def test_weights_are_those_of_the_stream(tmp_path: Path) -> None:
    import numpy as np
    from safetensors.numpy import load_file

    folder = tiny_random.build(tmp_path / "m", seed=3)
    # The first rows of the stream, drawn here a second time, over the square root of the width.
    expected = (np.random.RandomState(3).standard_normal(259 * 64) / 8).astype(np.float32)
    found = load_file(folder / "model.safetensors")["model.embed_tokens.weight"]
    np.testing.assert_array_equal(found.ravel(), expected)


@pytest.mark.parametrize("without", ["bos", "eos", "pad"])
def test_special_tokens_can_be_left_out(tmp_path: Path, without: str) -> None:
    flags = {name: name != without for name in ("bos", "eos", "pad")}
    tokenizer = load_tokenizer(tiny_random.build(tmp_path / "m", **flags))
    ids = {"bos": 256, "eos": 257, "pad": 258}
    for name, number in ids.items():
        assert getattr(tokenizer, f"{name}_token_id") == (None if name == without else number)
    assert tokenizer.encode("a") == ([97] if without == "bos" else [256, 97])
    config = json.loads((tmp_path / "m" / "config.json").read_text())
    assert config[f"{without}_token_id"] is None


def test_chat_template(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(tiny_random.build(tmp_path / "m", chat_template=True))
    turn = [{"role": "user", "content": "hi"}]
    text = tokenizer.apply_chat_template(turn, add_generation_prompt=True, tokenize=False)
    assert text == "<s>[user]\nhi\n[assistant]\n"
    assert tokenizer.encode(text, add_special_tokens=False)[:2] == [256, ord("[")]


def test_no_chat_template_unless_asked(tokenizer: Any) -> None:
    assert not tokenizer.chat_template


def test_complete_folder_is_reused(tmp_path: Path) -> None:
    folder = tiny_random.build(tmp_path / "m")
    before = (folder / "model.safetensors").stat().st_mtime_ns
    assert tiny_random.build(folder) == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == before


@pytest.mark.parametrize("damage", ["truncate", "remove", "other recipe"])
def test_damaged_or_other_folder_is_made_again(tmp_path: Path, damage: str) -> None:
    sound = contents(tiny_random.build(tmp_path / "sound"))
    folder = tiny_random.build(tmp_path / "m", seed=5 if damage == "other recipe" else 0)
    if damage == "truncate":
        (folder / "model.safetensors").write_bytes(b"")
    elif damage == "remove":
        (folder / "tokenizer.json").unlink()
    tiny_random.build(folder)
    assert contents(folder) == sound
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m", "sound"]  # nothing left beside them


def test_a_folder_of_someone_else_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="something other than the tiny model"):
        tiny_random.build(tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_file_in_the_way_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is no folder"):
        tiny_random.build(tmp_path / "file")
    with pytest.raises(UsageError, match="ADAPTBENCH_CACHE"):
        tiny_random.build(tmp_path / "file" / "m")


def test_failure_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(recipe: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tiny_random, "_tokenizer", full_disk)
    with pytest.raises(UsageError, match="No space left"):
        tiny_random.build(tmp_path / "m")
    assert not list(tmp_path.iterdir())


def test_builders_at_the_same_time_agree(tmp_path: Path) -> None:
    folder, failures = tmp_path / "m", list[BaseException]()

    def work() -> None:
        try:
            tiny_random.build(folder)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert [p.name for p in tmp_path.iterdir()] == ["m"]
    assert contents(folder) == contents(tiny_random.build(tmp_path / "alone"))


def test_cache_folder_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADAPTBENCH_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("ADAPTBENCH_CACHE")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert cache_folder() == Path("/home/somebody/.cache/adaptbench")
