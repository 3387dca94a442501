"""Seeded ways to damage a copy of the tiny checkpoint.

A mutation is `pinned` where what it leaves is a valid checkpoint with other numbers: nothing but a digest can tell it
from a checkpoint that is meant to be so.
"""

from __future__ import annotations

import json
import random
import shutil
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from bench.core.hashing import derive_seed

Tensors = dict[str, Any]


@dataclass(frozen=True)
class Mutation:
    """One damaged checkpoint."""

    what: str
    folder: Path
    pinned: bool


def mutate(sound: Path, folder: Path, number: int) -> Mutation:
    """Mutation `number` of the checkpoint in `sound`, written to `folder`."""
    shutil.copytree(sound, folder)
    change = CHANGES[number % len(CHANGES)]
    said = change(folder, random.Random(derive_seed("mutation", number)))
    return Mutation(f"{change.__name__}: {said}", folder, change in PINNED)


def _weights(folder: Path) -> Path:
    return folder / "model.safetensors"


def _header_end(content: bytes) -> int:
    return 8 + int(struct.unpack("<Q", content[:8])[0])


def _rewrite(folder: Path, change: Callable[[Tensors], str]) -> str:
    tensors = load_file(_weights(folder))
    said = change(tensors)
    save_file(tensors, _weights(folder), metadata={"format": "pt"})
    return said


def _flip(file: Path, place: int, bit: int) -> str:
    content = bytearray(file.read_bytes())
    content[place] ^= 1 << bit
    file.write_bytes(content)
    return f"bit {bit} of byte {place}"


def truncate_weights(folder: Path, rng: random.Random) -> str:
    content = _weights(folder).read_bytes()
    kept = rng.choice([rng.randrange(16), rng.randrange(_header_end(content)), rng.randrange(len(content))])
    _weights(folder).write_bytes(content[:kept])
    return f"{kept} of {len(content)} bytes"


def append_to_weights(folder: Path, rng: random.Random) -> str:
    extra = rng.randbytes(rng.randrange(1, 64))
    _weights(folder).write_bytes(_weights(folder).read_bytes() + extra)
    return f"{len(extra)} bytes"


def flip_length(folder: Path, rng: random.Random) -> str:
    return _flip(_weights(folder), rng.randrange(8), rng.randrange(8))


def flip_header(folder: Path, rng: random.Random) -> str:
    end = _header_end(_weights(folder).read_bytes())
    return _flip(_weights(folder), rng.randrange(8, end), rng.randrange(8))


def flip_data(folder: Path, rng: random.Random) -> str:
    content = _weights(folder).read_bytes()
    return _flip(_weights(folder), rng.randrange(_header_end(content), len(content)), rng.randrange(8))


def drop_tensor(folder: Path, rng: random.Random) -> str:
    def drop(tensors: Tensors) -> str:
        name = rng.choice(sorted(tensors))
        del tensors[name]
        return name

    return _rewrite(folder, drop)


def rename_tensor(folder: Path, rng: random.Random) -> str:
    def rename(tensors: Tensors) -> str:
        name = rng.choice(sorted(tensors))
        letter = rng.randrange(len(name))
        new = rng.choice([name[:letter] + name[letter + 1 :], f"x.{name}", name.replace("model.", "", 1), name + "s"])
        tensors[new] = tensors.pop(name)
        return f"{name} to {new}"

    return _rewrite(folder, rename)


def swap_tensors(folder: Path, rng: random.Random) -> str:
    def swap(tensors: Tensors) -> str:
        one, other = sorted(rng.sample([name for name in tensors if name.endswith("_proj.weight")], 2))
        while tensors[one].shape != tensors[other].shape:
            one, other = sorted(rng.sample([name for name in tensors if name.endswith("_proj.weight")], 2))
        tensors[one], tensors[other] = tensors[other], tensors[one]
        return f"{one} and {other}"

    return _rewrite(folder, swap)


def add_tensor(folder: Path, rng: random.Random) -> str:
    def add(tensors: Tensors) -> str:
        name = rng.choice(
            [
                "model.layers.2.mlp.up_proj.weight",
                "model.layers.0.self_attn.q_proj.bias",
                "model.norm.bias",
                "score.weight",  # another head: what the model is stays as it was
                "vision_tower.layers.0.weight",
            ]
        )
        tensors[name] = np.ones(64, np.float32)
        return name

    return _rewrite(folder, add)


def not_a_number(folder: Path, rng: random.Random) -> str:
    def spoil(tensors: Tensors) -> str:
        name = rng.choice(sorted(tensors))
        value = rng.choice([np.nan, np.inf, -np.inf])
        tensors[name] = tensors[name].copy()
        tensors[name].reshape(-1)[rng.randrange(tensors[name].size)] = value
        return f"{value} in {name}"

    return _rewrite(folder, spoil)


def reshape_tensor(folder: Path, rng: random.Random) -> str:
    def reshape(tensors: Tensors) -> str:
        name = rng.choice(sorted(tensors))
        values = tensors[name]
        turned = values.T if values.ndim == 2 and values.shape[0] != values.shape[1] else values[None]
        tensors[name] = np.ascontiguousarray(rng.choice([turned, values[:-1], values.reshape(-1, 2)]))
        return f"{name} from {values.shape} to {tensors[name].shape}"

    return _rewrite(folder, reshape)


def other_dtype(folder: Path, rng: random.Random) -> str:
    def cast(tensors: Tensors) -> str:
        name, dtype = rng.choice(sorted(tensors)), rng.choice([np.float64, np.int32, np.int8, np.uint8])
        tensors[name] = tensors[name].astype(dtype)
        return f"{name} as {np.dtype(dtype)}"

    return _rewrite(folder, cast)


def shard(folder: Path, rng: random.Random) -> str:
    """In two files with an index, which is then damaged, or not."""
    tensors = load_file(_weights(folder))
    _weights(folder).unlink()
    names = sorted(tensors)
    places = {name: f"model-0000{1 + (i % 2)}-of-00002.safetensors" for i, name in enumerate(names)}
    for file in set(places.values()):
        save_file({n: tensors[n] for n in names if places[n] == file}, folder / file, metadata={"format": "pt"})
    how = rng.choice(["whole", "file gone", "name gone", "wrong file", "outside", "no map", "repeated"])
    if how == "file gone":
        (folder / places[names[0]]).unlink()
    elif how == "name gone":
        del places[rng.choice(names)]
    elif how == "wrong file":
        places[names[0]] = places[names[1]]
    elif how == "outside":
        places[names[0]] = "../model.safetensors"
    elif how == "repeated":
        both = {n: tensors[n] for n in names if places[n] == places[names[0]] or n == names[1]}
        save_file(both, folder / places[names[0]], metadata={"format": "pt"})
    index = {"metadata": {}, "weight_map": places} if how != "no map" else {"metadata": {}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return how


def _edit_config(folder: Path, **changes: Any) -> str:
    config = json.loads((folder / "config.json").read_text())
    for name, value in changes.items():
        if value is ...:
            del config[name]
        else:
            config[name] = value
    (folder / "config.json").write_text(json.dumps(config))
    return str(changes)


_SIZES = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "head_dim")
_VALID = ("rms_norm_eps", "rope_parameters", "hidden_act")


def wrong_size(folder: Path, rng: random.Random) -> str:
    name = rng.choice(_SIZES)
    now = json.loads((folder / "config.json").read_text())[name]
    return _edit_config(folder, **{name: rng.choice([now + 1, now - 1, now * 2, 2**31])})


def wrong_kind_of_value(folder: Path, rng: random.Random) -> str:
    name = rng.choice([*_SIZES[:-2], "model_type"])  # a head's width may be left out
    return _edit_config(folder, **{name: rng.choice(["two", -3, [], {}, 1.5, True, "", 2**70, ...])})


def other_architecture(folder: Path, rng: random.Random) -> str:
    kinds = ["bert", "gpt2", "t5", "mamba", "no-such-model", "clip", "mistral3"]
    return _edit_config(folder, model_type=rng.choice(kinds))


def quantised(folder: Path, rng: random.Random) -> str:
    return _edit_config(folder, quantization_config={"quant_method": rng.choice(["gptq", "awq", "fp8"]), "bits": 4})


def other_settings(folder: Path, rng: random.Random) -> str:
    values = {
        "rms_norm_eps": 0.5,
        "rope_parameters": {"rope_type": "default", "rope_theta": 99.0},
        "hidden_act": "relu",
    }
    name = rng.choice(_VALID)
    return _edit_config(folder, **{name: values[name]})


def broken_json(folder: Path, rng: random.Random) -> str:
    file = folder / rng.choice(["config.json", "generation_config.json", "tokenizer_config.json"])
    content = file.read_bytes()
    half = content[: rng.randrange(len(content) - 2)]
    file.write_bytes(rng.choice([half, b"[]", b"\xff\xfe" + content, b"[" * 100_000, b"null"]))
    return file.name


def truncate_tokenizer(folder: Path, rng: random.Random) -> str:
    file = folder / "tokenizer.json"
    content = file.read_bytes()
    file.write_bytes(content[: rng.randrange(len(content) - 2)])
    return file.name


def pointer(folder: Path, rng: random.Random) -> str:
    file = folder / rng.choice(["model.safetensors", "config.json", "tokenizer_config.json"])
    file.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    return file.name


def remove_file(folder: Path, rng: random.Random) -> str:
    file = folder / rng.choice(["model.safetensors", "config.json", "tokenizer.json"])
    file.unlink()
    return file.name


def adapter(folder: Path, rng: random.Random) -> str:
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "some/base", "r": 8}))
    return "adapter_config.json"


CHANGES = (
    *(truncate_weights, append_to_weights, flip_length, flip_header, flip_data, drop_tensor, rename_tensor),
    *(swap_tensors, add_tensor, not_a_number, reshape_tensor, other_dtype, shard, wrong_size, wrong_kind_of_value),
    *(other_architecture, quantised, other_settings, broken_json, truncate_tokenizer, pointer, remove_file, adapter),
)
PINNED = {flip_data, swap_tensors, other_settings}
