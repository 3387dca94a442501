"""What a model folder holds, read from its configuration and the headers of its weights. No torch, no weights.

Whatever cannot be a whole causal checkpoint in safetensors is refused in one line that says what it is and what to do.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from bench.core.errors import UsageError, nearest
from bench.core.json_text import parse
from bench.core.model_kind import ModelKind

_POINTER = b"version https://git-lfs.github.com/spec/"
_SINGLE, _INDEX = "model.safetensors", "model.safetensors.index.json"
_PICKLED = (".bin", ".pt", ".pth", ".ckpt")
_FLOATS = {"F64", "F32", "F16", "BF16"}
_MASKS = ("bias", "mask", "position_ids", "num_batches_tracked")  # how buffers that are no weights end
_HEADS = ("lm_head.weight", "embed_out.weight")
# JSON objects beside the weights; tokenizer.json is large, and read by its library
_READ_BY_TRANSFORMERS = {
    *("config.json", "generation_config.json", "tokenizer_config.json", "special_tokens_map.json"),
    *("added_tokens.json", "vocab.json", "chat_template.json", _INDEX),
}
# settings that have to be whole numbers or, where layers differ, lists of them
_COUNTS = (
    *("hidden_size", "n_embd", "d_model", "num_hidden_layers", "n_layer", "num_layers", "intermediate_size"),
    *("num_attention_heads", "n_head", "num_key_value_heads", "head_dim", "vocab_size", "max_position_embeddings"),
    *("n_inner", "ffn_dim"),
)
# how the names of classes end that are saved from encoders: with no head, with one for masked tokens or for labels
_ENCODERS = ("ForMaskedLM", "ForPreTraining", "ForSequenceClassification", "ForTokenClassification")
# architectures that read both ways and are often saved without any head
_BOTH_WAYS = {
    *("albert", "bert", "camembert", "convbert", "deberta", "deberta-v2", "distilbert", "electra", "eurobert", "ibert"),
    *("mobilebert", "modernbert", "mpnet", "nomic_bert", "roberta", "squeezebert", "xlm-roberta"),
}
_FREE = ("max_position_embeddings",)  # of the settings above: those that no weight depends on


@dataclass(frozen=True)
class Checkpoint:
    """`parameters` counts each weight once, tied ones too. `width` is that of the MLP."""

    parameters: int
    layers: int
    width: int


def read(folder: Path) -> Checkpoint:
    """Sizes of the checkpoint in `folder`.

    Raises:
        UsageError: it is no whole causal checkpoint in safetensors, or one of its files is damaged.
    """
    try:
        config = _config(folder)
        tensors = _tensors(folder)
    except OSError as error:
        raise UsageError(f"cannot read {error.filename or folder}: {error.strerror or error}") from None
    settings = {**config, **_mapping(config.get("text_config"))}
    hidden = _largest(settings, "hidden_size", "n_embd", "d_model")
    parameters = _parameters(tensors, tied=settings.get("tie_word_embeddings") is True)
    _refuse_other_sizes(folder, settings, tensors, hidden, parameters)
    return Checkpoint(
        parameters=parameters,
        layers=_largest(settings, "num_hidden_layers", "n_layer", "num_layers") or 1,
        width=_largest(settings, "intermediate_size", "n_inner", "ffn_dim") or 4 * hidden or 1,
    )


def unlike(folder: Path, other: Path) -> str:
    """The setting that decides shapes in which the configurations of two folders differ; "" where all are alike."""
    configs = [_json(each / "config.json") for each in (folder, other)]
    ours, theirs = ({**config, **_mapping(config.get("text_config"))} for config in configs)
    shapes = (name for name in ("model_type", *_COUNTS) if name not in _FREE)
    return next((name for name in shapes if ours.get(name) != theirs.get(name)), "")


def kind(folder: Path) -> ModelKind:
    """What the checkpoint in `folder` was saved as, by its configuration.

    A folder of sentence-transformers is an encoder, one with `decision.json` a decision model. What is taken for a
    decoder is checked when it is loaded.
    """
    config = _json(folder / "config.json")
    if config.get("is_encoder_decoder") is True:
        return "seq2seq"
    named = config.get("architectures")
    names = [name for name in named if isinstance(name, str)] if isinstance(named, list) else []
    headless = str(config.get("model_type")) in _BOTH_WAYS and any(
        name.endswith("Model") and "LMHead" not in name for name in names
    )
    if any("ForImageClassification" in name for name in names) or ("num_channels" in config and _sees_alone(config)):
        return "image"
    embeds = (folder / "modules.json").is_file()
    if (folder / "decision.json").is_file() or any(name.endswith("ForDecision") for name in names):
        return "decision"
    return "encoder" if embeds or headless or any(name.endswith(_ENCODERS) for name in names) else "causal"


def _sees_alone(config: Mapping[str, Any]) -> bool:
    """Whether what reads pictures reads no text beside them."""
    return "vocab_size" not in config and "text_config" not in config


def _refuse_other_sizes(
    folder: Path, settings: Mapping[str, Any], tensors: Mapping[str, list[int]], hidden: int, parameters: int
) -> None:
    """Refuse a configuration of another model before it is built: its size alone could exhaust the memory."""
    absurd = [name for name in _COUNTS if name not in _FREE and _largest(settings, name) > parameters]
    if hidden and not any(hidden in shape for shape in tensors.values()):
        absurd += [name for name in ("hidden_size", "n_embd", "d_model") if name in settings]
    if absurd:
        raise UsageError(
            f"{folder / 'config.json'}: {absurd[0]} is {settings[absurd[0]]}, which does not fit the weights beside it"
        )


def _parameters(tensors: Mapping[str, list[int]], tied: bool) -> int:
    """Values of all tensors, without an output matrix that repeats the embeddings."""
    repeated = {
        head
        for head in _HEADS
        if tied and any(shape == tensors.get(head) for name, shape in tensors.items() if name != head)
    }
    return sum(prod(shape) for name, shape in tensors.items() if name not in repeated)


def _largest(settings: Mapping[str, Any], *names: str) -> int:
    """The first of these settings that is given; of one that differs between layers, the largest; 0 for none."""
    value: Any = next((settings[name] for name in names if settings.get(name)), 0)
    return max(value) if isinstance(value, list) else int(value)


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _config(folder: Path) -> dict[str, Any]:
    """The configuration, after a look at what else the folder is."""
    adapter = folder / "adapter_config.json"
    if adapter.is_file():
        base = _json(adapter).get("base_model_name_or_path")
        of = f' of "{base}"' if base else ""
        raise UsageError(
            f"{folder} holds an adapter{of}, no whole model; merge it into its base (merge_and_unload) and save that"
        )
    if not (folder / "config.json").is_file():
        raise UsageError(f"{folder} has no config.json; a model folder is what save_pretrained writes")
    for file in sorted(folder.glob("*.json")):
        if file.name in _READ_BY_TRANSFORMERS:
            _json(file)
    config = _json(folder / "config.json")
    _refuse_quantised(folder, config)
    if not isinstance(config.get("model_type"), str):
        raise UsageError(f'{folder / "config.json"} names no "model_type"; it is no configuration of transformers')
    for settings in (config, _mapping(config.get("text_config"))):
        for name in _COUNTS:
            if not _is_count(settings.get(name)):
                shown = json.dumps(settings[name])[:60]
                raise UsageError(f"{folder / 'config.json'}: {name} is {shown}; it has to be a whole number")
    return config


def _is_count(value: object) -> bool:
    """Whether a setting is absent, a count, or one for each layer."""
    counts = value if isinstance(value, list) else [0 if value is None else value]
    return all(isinstance(count, int) and not isinstance(count, bool) and 0 <= count < 2**40 for count in counts)


def _refuse_quantised(folder: Path, config: Mapping[str, Any]) -> None:
    settings = _mapping(
        config.get("quantization_config") or _mapping(config.get("text_config")).get("quantization_config")
    )
    named = [name for name in ("quantize_config.json", "quant_config.json") if (folder / name).is_file()]
    if settings or named:
        how = settings.get("quant_method") or settings.get("quant_algo") or "by " + (named or ["its configuration"])[0]
        raise UsageError(f"{folder} is quantised ({how}); give the checkpoint that it was made from, or a GGUF file")


def _json(file: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        UsageError: the file holds something else.
    """
    _refuse_pointer(file)
    try:
        content = parse(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"{file} is no JSON: {error}; copy or download it again") from None
    if not isinstance(content, dict):
        raise UsageError(f"{file} holds no JSON object; copy or download it again")
    return content


def _refuse_pointer(file: Path) -> None:
    with file.open("rb") as stream:
        if stream.read(len(_POINTER)) == _POINTER:
            raise UsageError(f"{file} is a Git LFS pointer, not the file; fetch it with git lfs pull in its repository")


def _tensors(folder: Path) -> dict[str, list[int]]:
    """Shapes of all floating-point tensors of the files that transformers reads, by name."""
    found: dict[str, list[int]] = {}
    for file, expected in _weight_files(folder):
        shapes = dict(_header(file))
        if missing := sorted(expected - shapes.keys()):
            raise UsageError(f"{folder / _INDEX} looks for {missing[0]} in {file.name}, which does not hold it")
        if repeated := sorted(found.keys() & shapes.keys()):
            raise UsageError(f"{repeated[0]} stands in {file.name} and in another file of {folder}")
        found |= shapes
    if not found:
        raise UsageError(f"the weights of {folder} hold no tensor")
    return found


def _weight_files(folder: Path) -> Iterator[tuple[Path, set[str]]]:
    """The files of weights, each with the names of tensors that an index looks for in it."""
    if (folder / _SINGLE).is_file():
        yield folder / _SINGLE, set()
        return
    if not (folder / _INDEX).is_file():
        raise UsageError(_no_weights(folder))
    places = _mapping(_json(folder / _INDEX).get("weight_map"))
    if not places or not all(isinstance(place, str) and Path(place).name == place for place in places.values()):
        raise UsageError(f"{folder / _INDEX} has no weight_map from tensors to files beside it")
    for name in sorted(set(places.values())):
        if not (folder / name).is_file():
            there = [file.name for file in folder.glob("*.safetensors")]
            raise UsageError(
                f"{folder / _INDEX} names {name}, which is not there{nearest(name, there)}; copy or download it"
            )
        yield folder / name, {tensor for tensor, place in places.items() if place == name}


def _no_weights(folder: Path) -> str:
    """What stands in the folder in place of weights that can be loaded."""
    others = sorted(file.name for file in folder.glob("*.safetensors"))
    if others:
        return f"{folder} has neither {_SINGLE} nor {_INDEX}, only {others[0]}; save_pretrained writes the former"
    pickled = sorted(file.name for file in folder.iterdir() if file.suffix in _PICKLED)
    if pickled:
        return (
            f"{folder} holds pickled weights ({pickled[0]}); only safetensors are loaded: save_pretrained writes them"
        )
    return f"{folder} has no {_SINGLE}; a model folder is what save_pretrained writes"


def _header(file: Path) -> Iterator[tuple[str, list[int]]]:
    """Name and shape of every floating-point tensor in a safetensors file.

    Raises:
        UsageError: the header is damaged, the file is not whole, or the weights are whole numbers.
    """
    from safetensors import SafetensorError, safe_open

    _refuse_pointer(file)
    try:
        with safe_open(file, framework="numpy") as weights:
            for name in weights.keys():  # noqa: SIM118 (it is no mapping)
                part = weights.get_slice(name)
                if part.get_dtype() in _FLOATS:
                    yield name, part.get_shape()
                elif not name.endswith(_MASKS):
                    raise UsageError(
                        f"{file} holds {name} as {part.get_dtype()}: quantised or damaged; give a checkpoint in "
                        "float32, float16 or bfloat16"
                    )
    except SafetensorError as error:
        raise UsageError(f"{file} is damaged or not whole: {error}; copy or download it again") from None
