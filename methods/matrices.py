"""Which matrices of a model adapters stand on: those that text passes through, of a kind that an option names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from bench.core.adapter_part import Reach
from bench.core.errors import NotApplicableError
from bench.core.model_kind import head_layers, is_classifier, reads_pictures
from methods.read_by_text import in_a_block, read_by_text

Targets: TypeAlias = Literal["all", "attention", "mlp"]

_COLOURS = 4  # channels of a picture at most
_ROUTER = re.compile(r"(^|\.)(router|gate|shared_expert_gate)(\.|$)")
# what a module or its class is called: attention, the MLP, what mixes tokens without attention
_ATTENTION = re.compile(r"att(n|entio)", re.IGNORECASE)
_MLP = re.compile(r"mlp|ffn|feed_?forward", re.IGNORECASE)
_MIXER = re.compile(r"recurrentblock|lstm|deltanet|shortconv|hybridlayer", re.IGNORECASE)


@dataclass(frozen=True)
class Matrices:
    """What of a model an adapter can stand on, and what is trained whole beside it: names of modules and parameters."""

    task_type: str | None  # as peft names the kind of a model; None: it has no name for it
    layers: dict[str, str]  # linear layers; each is of "attention", of an "mlp", or of neither ("")
    experts: list[str]  # parameters that hold a matrix of each expert
    head: list[str]  # of a classifier: new, so trained whole

    def config(self) -> dict[str, Any]:
        """The fields that the configurations of all of peft's adapters have."""
        return {"task_type": self.task_type, "target_modules": list(self.layers), "modules_to_save": self.head or None}

    def of(self, part: str) -> list[str]:
        """The linear layers of a part of the blocks."""
        return [name for name, found in self.layers.items() if found == part]


def matrices_of(model: Any, targets: Targets) -> Matrices:
    """The matrices of a base model that text passes through and that `targets` names."""
    text = read_by_text(model)
    head = head_modules(model) if is_classifier(model) else []
    modules = dict(model.named_modules())
    names = [name for name in linear_layers(model, text) if not name.startswith(tuple(head))]
    layers = {name: _part_of_block(modules, name) for name in names}
    experts = expert_matrices(model, text)
    if targets != "all":
        layers = {name: part for name, part in layers.items() if part == targets}
        experts = experts if targets == "mlp" else []
    task_type = "SEQ_CLS" if head else "SEQ_2_SEQ_LM" if model.config.is_encoder_decoder else "CAUSAL_LM"
    if not layers and not experts:
        raise NotApplicableError(f"targets: {targets}, but this architecture has no such matrices")
    return Matrices(None if reads_pictures(model) else task_type, layers, experts, head)


def _part_of_block(modules: Mapping[str, Any], name: str) -> str:
    """Whether a linear layer belongs to attention, to the feed-forward part ("mlp"), or to neither of the two."""
    pieces = name.split(".")
    above = [".".join(pieces[:end]) for end in range(len(pieces) - 1, 0, -1)]
    for module in above:
        called = f"{module.rpartition('.')[2]} {type(modules[module]).__name__}"
        if _ATTENTION.search(called):
            return "attention"
        if _MLP.search(called):
            return "mlp"
    parent = modules[above[0]] if above else None
    mixes = _is_mamba(parent) or _MIXER.search(type(parent).__name__)
    return "mlp" if in_a_block(name) and not mixes else ""


def head_modules(model: Any) -> list[str]:
    """Names of the modules behind a classifier's blocks, a pooler among them: new or of other labels, so trained whole.

    A matrix of the body itself stands for its own, any other for the part of the model that it is in.
    """
    import torch

    linear = [name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)]
    body = model.base_model_prefix
    behind = head_layers(linear, body, in_a_block)
    return list(dict.fromkeys(name if name.startswith(f"{body}.") else name.partition(".")[0] for name in behind))


def linear_layers(model: Any, text: set[Any]) -> list[str]:
    """Names of the linear layers with weights in `text` that take an adapter: not the output matrix, not routers.

    A router decides which expert computes, and is left as the base model learnt it. A Mamba mixer, or its kernels,
    reads the weights of all but its first projection past their layers: an adapter on them would be ignored
    (huggingface/peft#2556).
    """
    import torch
    from transformers.pytorch_utils import Conv1D

    output, modules = model.get_output_embeddings(), dict(model.named_modules())
    if reads_pictures(model):
        return [name for name, module in modules.items() if _mixes_channels(module) and module.weight in text]
    return [
        name
        for name, module in modules.items()
        if isinstance(module, torch.nn.Linear | Conv1D)
        and module.weight in text
        and module is not output
        and not _ROUTER.search(name)
        and not (_is_mamba(modules[name.rpartition(".")[0]]) and not name.endswith(".in_proj"))
    ]


def _mixes_channels(module: Any) -> bool:
    """Whether a layer of a model of pictures mixes channels, behind those of the picture itself."""
    import torch

    if type(module) is torch.nn.Conv2d:  # of others peft knows neither how they are made nor what they compute
        return module.groups == 1 and module.in_channels > _COLOURS
    return isinstance(module, torch.nn.Linear)


def expert_matrices(model: Any, text: set[Any]) -> list[str]:
    """Names of the parameters in `text` that hold a matrix of each expert [experts, rows, columns]: no layers."""
    return [name for name, p in model.named_parameters() if p.ndim == 3 and ".experts." in name and p in text]


def reach_of(model: Any, prefix: str) -> Reach:
    """How much of the blocks' matrices that text passes through has an adapter whose parameters begin with `prefix`."""
    with model.disable_adapter():  # some adapters read the values of a matrix past the graph
        text = read_by_text(model) - set(_tables(model))
    matrices = {
        name: parameter.numel()
        for name, parameter in model.named_parameters()
        if parameter.ndim > 1
        and parameter in text
        and in_a_block(name)
        and f".{prefix}" not in name
        and not name.endswith("bias")  # experts have a matrix of those
    }
    left_out = {name: size for name, size in matrices.items() if ".base_layer." not in name}
    whole = sum(matrices.values())
    return Reach(whole - sum(left_out.values()), whole, kinds_of(left_out))


def _tables(model: Any) -> Iterator[Any]:
    """What nothing is multiplied with: rows that are looked up, such as T5's biases by distance."""
    import torch

    for module in model.modules():
        if isinstance(module, torch.nn.Embedding):
            yield from module.parameters()


def kinds_of(sizes: Mapping[str, int]) -> tuple[str, ...]:
    """What matrices are called in any block, those with most entries first."""
    kinds: Counter[str] = Counter()
    for name, size in sizes.items():
        _, *inside = re.split(r"\.\d+\.", name.removesuffix(".weight"))
        kinds[".".join(inside)] += size
    return tuple(kind for kind, _ in kinds.most_common())


def _is_mamba(module: Any) -> bool:
    return hasattr(module, "conv1d") and hasattr(module, "D")
