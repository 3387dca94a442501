"""A checkpoint is measured as it is, or refused in one line: never with other weights than the files hold."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from bench.core.errors import CellError, UsageError
from bench.core.hashing import sha256_of
from bench.model import checkpoint
from bench.model.load import load_base
from bench.model.resolve import ModelSpec, folder_digest, resolve
from scripts import gguf_file
from tests.mutations import CHANGES, mutate
from tests.toy import choice_task, predictions

MUTATIONS = 300
DEFAULT = 2 * len(CHANGES)  # of them, in a default run: two of each kind


def scores_of(folder: Path) -> list[tuple[float, ...]]:
    return [p.scores for p in predictions(choice_task(test=2), "zero-shot", {}, folder)]


@pytest.fixture(scope="module")
def sound(tiny_model: Path) -> list[tuple[float, ...]]:
    return scores_of(tiny_model)


@pytest.fixture
def copy(tmp_path: Path, tiny_model: Path) -> Path:
    """A copy of the tiny checkpoint, to be damaged."""
    return shutil.copytree(tiny_model, tmp_path / "model")


def edit(folder: Path, name: str = "config.json", **changes: Any) -> Path:
    content = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps({**content, **changes}))
    return folder


def rewrite(folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def loaded(folder: Path) -> Any:
    return load_base(resolve(ModelSpec(path=str(folder))), torch.device("cpu")).load(False)


@pytest.mark.parametrize(
    "number",
    [n if n < DEFAULT else pytest.param(n, marks=pytest.mark.slow) for n in range(MUTATIONS)],
)
def test_a_mutation_gives_the_right_scores_or_one_line(
    number: int, tiny_model: Path, tmp_path: Path, sound: list[tuple[float, ...]]
) -> None:
    mutation = mutate(tiny_model, tmp_path / "model", number)
    if mutation.pinned:
        spec = ModelSpec(path=str(mutation.folder), digest=folder_digest(tiny_model))
        with pytest.raises(UsageError, match="another than the suite asks for"):
            resolve(spec)
        return
    refusal, found = "", sound
    try:
        found = scores_of(mutation.folder)
    except (UsageError, CellError) as error:
        refusal = str(error)
    assert "\n" not in refusal, mutation.what
    assert found == sound, mutation.what


def test_most_mutations_are_refused_and_some_change_nothing(tiny_model: Path, tmp_path: Path) -> None:
    """The generator makes what it says: the test above would pass on mutations that leave everything as it was."""
    same = {
        number
        for number in range(3 * len(CHANGES))
        if folder_digest(mutate(tiny_model, tmp_path / str(number), number).folder) == folder_digest(tiny_model)
    }
    assert len(same) <= 3  # of a key that was absent, removed


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.pop("model.layers.1.mlp.down_proj.weight"), "lacks model.layers.1.mlp.down_proj.weight;"),
        (lambda t: [t.pop(f"model.layers.1.mlp.{p}_proj.weight") for p in ("up", "down")], "weight and 1 more;"),
        (
            lambda t: t.update({n.replace("layers.1", "layers.2"): w for n, w in t.items() if "layers.1.mlp" in n}),
            "has no use for model.layers.2.mlp.down_proj.weight and 2 more",
        ),
        (lambda t: t.update({"model.layers.0.self_attn.q_proj.bias": np.ones(64, np.float32)}), "has no use for"),
        (
            lambda t: t.update({"model.norm.weight": np.ones(32, np.float32)}),
            r"model.norm.weight is \[32\] in the file and \[64\] by config.json",
        ),
        (lambda t: t["model.norm.weight"].fill(np.nan), "model.norm.weight holds NaN or infinity in float32"),
        (lambda t: t["model.embed_tokens.weight"].__setitem__((258, 63), np.inf), "embed_tokens.weight holds NaN"),
    ],
)
def test_weights_that_do_not_fit_are_named(copy: Path, change: Callable[[dict[str, Any]], None], says: str) -> None:
    with pytest.raises(CellError, match=says):
        loaded(rewrite(copy, change))


def test_values_beyond_half_precision_are_refused_there_alone(copy: Path) -> None:
    rewrite(copy, lambda t: t["model.norm.weight"].__setitem__(0, 1e5))
    loaded(copy)
    spec = ModelSpec(path=str(copy), dtype="float16")
    with pytest.raises(CellError, match="NaN or infinity in float16"):
        load_base(resolve(spec), torch.device("cpu")).load(False)


def test_parts_of_their_own_and_old_masks_are_left_out(copy: Path, sound: list[tuple[float, ...]]) -> None:
    extra = ("vision_tower.layers.0.weight", "v_head.weight", "model.layers.0.self_attn.rotary_emb.inv_freq")
    rewrite(copy, lambda t: t.update({name: np.ones(8, np.float32) for name in extra}))
    assert scores_of(copy) == sound


def test_a_checkpoint_of_the_bare_model_with_a_layer_more_is_refused(tmp_path: Path, tiny_model: Path) -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(vocab_size=259, n_embd=32, n_layer=2, n_head=2, n_positions=64)
    GPT2LMHeadModel(config).save_pretrained(tmp_path)
    shutil.copy(tiny_model / "tokenizer.json", tmp_path)
    shutil.copy(tiny_model / "tokenizer_config.json", tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    bare = {name.removeprefix("transformer."): weights for name, weights in tensors.items() if "lm_head" not in name}
    bare["h.0.attn.bias"] = np.ones((1, 1, 64, 64), np.float32)  # a mask, as GPT-2's first checkpoints hold
    save_file(bare, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert loaded(tmp_path).config.n_layer == 2
    edit(tmp_path, n_layer=1)
    with pytest.raises(CellError, match=r"has no use for h\.1\."):
        loaded(tmp_path)


def lfs(folder: Path) -> None:
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n")


def only(folder: Path, name: str) -> None:
    (folder / "model.safetensors").rename(folder / name)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lfs, "is a Git LFS pointer, not the file; fetch it with git lfs pull"),
        (lambda f: only(f, "pytorch_model.bin"), r"pickled weights \(pytorch_model.bin\); only safetensors are loaded"),
        (lambda f: only(f, "consolidated.safetensors"), "neither model.safetensors nor .* only consolidated"),
        (lambda f: (f / "model.safetensors").write_bytes(b""), "is damaged or not whole: .*header too small"),
        (lambda f: (f / "model.safetensors").unlink(), "has no model.safetensors"),
        (lambda f: (f / "config.json").unlink(), "has no config.json"),
        (lambda f: (f / "config.json").write_text("{"), "config.json is no JSON"),
        (lambda f: (f / "generation_config.json").write_text("[]"), "generation_config.json holds no JSON object"),
        (lambda f: (f / "adapter_config.json").write_text('{"base_model_name_or_path": "x/y"}'), 'adapter of "x/y"'),
        (lambda f: edit(f, quantization_config={"quant_method": "gptq"}), r"is quantised \(gptq\)"),
        (lambda f: (f / "quantize_config.json").write_text("{}"), r"is quantised \(by quantize_config.json\)"),
        (lambda f: edit(f, num_hidden_layers="2"), 'num_hidden_layers is "2"; it has to be a whole number'),
        (lambda f: edit(f, n_inner="4"), 'n_inner is "4"; it has to be a whole number'),
        (lambda f: edit(f, hidden_size=65), "hidden_size is 65, which does not fit the weights"),
        (lambda f: edit(f, vocab_size=10**9), "vocab_size is 1000000000, which does not fit the weights"),
        (lambda f: edit(f, model_type=None), 'names no "model_type"'),
        (
            lambda f: rewrite(f, lambda t: t.update({"model.norm.weight": np.ones(64, np.int8)})),
            "holds model.norm.weight as I8: quantised or damaged",
        ),
    ],
)
def test_what_a_folder_is_shows_before_torch_is_loaded(copy: Path, change: Callable[[Path], None], says: str) -> None:
    change(copy)
    with pytest.raises(UsageError, match=says) as raised:
        resolve(ModelSpec(path=str(copy)))
    assert "\n" not in str(raised.value)


def sharded(folder: Path, places: dict[str, str] | None = None) -> Path:
    """The checkpoint in two files, every weight once."""
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    files = {name: f"part-{int('layers.1' in name)}.safetensors" for name in tensors}
    for file in set(files.values()):
        save_file({n: w for n, w in tensors.items() if files[n] == file}, folder / file, metadata={"format": "pt"})
    index = {"metadata": {"total_size": 0}, "weight_map": {**files, **(places or {})}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def test_weights_are_counted_once_whether_sharded_tied_or_repeated(copy: Path, sound: list[tuple[float, ...]]) -> None:
    assert resolve(ModelSpec(path=str(copy))).parameters == 115_200
    rewrite(copy, lambda t: t.update({"lm_head.weight": t["model.embed_tokens.weight"]}))  # tied, stored twice
    assert checkpoint.read(copy) == checkpoint.Checkpoint(parameters=115_200, layers=2, width=192)
    sharded(copy)
    shutil.copy(copy / "part-0.safetensors", copy / "consolidated.safetensors")  # which nobody reads
    assert resolve(ModelSpec(path=str(copy))).parameters == 115_200
    assert scores_of(copy) == sound
    edit(copy, tie_word_embeddings=False)  # now the output matrix is a weight of its own: 259 x 64
    assert resolve(ModelSpec(path=str(copy))).parameters == 115_200 + 259 * 64


@pytest.mark.parametrize(
    ("places", "says"),
    [
        ({"model.norm.weight": "part-2.safetensors"}, "names part-2.safetensors, which is not there"),
        ({"model.norm.weight": "part-1.safetensors"}, "looks for model.norm.weight in part-1.safetensors"),
        ({"model.norm.weight": "../other.safetensors"}, "has no weight_map"),
        ({"model.none.weight": "part-0.safetensors"}, "looks for model.none.weight"),
    ],
)
def test_an_index_that_does_not_fit_its_files_is_one_line(copy: Path, places: dict[str, str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        resolve(ModelSpec(path=str(sharded(copy, places))))


def test_sizes_are_those_of_the_text_part(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    nested = {"model_type": "wrapped", "vision_config": {"hidden_size": 7}, "text_config": config}
    (copy / "config.json").write_text(json.dumps(nested))
    assert checkpoint.read(copy) == checkpoint.Checkpoint(parameters=115_200, layers=2, width=192)


def test_a_blob_of_the_hub_cache_is_compared_with_its_name(copy: Path, tmp_path: Path) -> None:
    file, blobs = copy / "model.safetensors", tmp_path / "blobs"
    blobs.mkdir()
    blob = file.rename(blobs / sha256_of(file))
    file.symlink_to(blob)
    assert resolve(ModelSpec(path=str(copy))).parameters == 115_200
    blob.write_bytes(blob.read_bytes()[:-1] + b"\x01")
    with pytest.raises(UsageError, match="is damaged in the Hub's cache"):
        resolve(ModelSpec(path=str(copy)))


def ids_of(copy: Path) -> Any:
    return load_base(resolve(ModelSpec(path=str(copy))), torch.device("cpu"))


def test_padding_beyond_the_embeddings_is_measured_as_any_other(copy: Path, sound: list[tuple[float, ...]]) -> None:
    edit(copy, "tokenizer_config.json", pad_token="<new>")  # a token of its own, behind the 259 rows
    edit(copy, pad_token_id=259)
    base = ids_of(copy)
    assert base.codec.tokenizer.pad_token_id == 259
    assert base.codec.pad < 259
    assert scores_of(copy) == sound


def test_the_end_token_that_is_trained_closes_answers_and_has_a_row(copy: Path) -> None:
    edit(copy, eos_token_id=99_999)  # beyond the vocabulary; the tokenizer's is 257
    edit(copy, "generation_config.json", eos_token_id=[7, 99_999])
    base = ids_of(copy)
    assert base.codec.end == (257,)
    assert base.codec.stops == {7, 257}
    assert base.load(False).config.eos_token_id == [7, 257]
    assert predictions(choice_task(), "lora", {"max_steps": 1, "batch_size": 4, "learning_rate": 1e-3}, copy)


def test_an_end_token_beyond_the_embeddings_ends_nothing(copy: Path) -> None:
    edit(copy, "tokenizer_config.json", eos_token="<new>")
    for file in ("config.json", "generation_config.json"):
        edit(copy, file, eos_token_id=259)
    codec = ids_of(copy).codec
    assert codec.tokenizer.eos_token_id == 259
    assert (codec.end, codec.stops) == ((10, 10), frozenset())  # two line breaks, as few-shot examples end


def test_a_tokenizer_of_another_model_is_refused(copy: Path) -> None:
    edit(copy, vocab_size=200)
    rewrite(copy, lambda t: t.update({"model.embed_tokens.weight": t["model.embed_tokens.weight"][:200]}))
    with pytest.raises(CellError, match="the tokenizer has 256 tokens, the model 200"):
        loaded(copy)


@pytest.fixture(scope="module")
def gguf_model(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    file = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    gguf_file.write(file, tiny_model)
    return file


def test_a_gguf_file_and_its_folder_are_one_model(gguf_model: Path) -> None:
    by_file, by_folder = (resolve(ModelSpec(path=str(path))) for path in (gguf_model, gguf_model.parent))
    assert by_file.name == "tiny"
    assert (by_file.digest, by_file.folder) == (by_folder.digest, by_folder.folder)
    assert [len(scores) for scores in scores_of(gguf_model)] == [3, 3]


def test_several_gguf_files_in_a_folder_have_to_be_named(gguf_model: Path, tmp_path: Path) -> None:
    for name in ("a.gguf", "b.gguf"):
        shutil.copy(gguf_model, tmp_path / name)
    with pytest.raises(UsageError, match="holds 2 GGUF files; name one of them"):
        resolve(ModelSpec(path=str(tmp_path)))


def test_a_part_of_a_split_file_and_any_other_file_are_refused(gguf_model: Path, tmp_path: Path) -> None:
    part = shutil.copy(gguf_model, tmp_path / "m-00001-of-00002.gguf")
    with pytest.raises(UsageError, match="part of a split GGUF file"):
        resolve(ModelSpec(path=str(part)))
    (tmp_path / "model.bin").write_bytes(b"")
    with pytest.raises(UsageError, match="is a file; give its folder"):
        resolve(ModelSpec(path=str(tmp_path / "model.bin")))
