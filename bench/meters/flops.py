"""Floating-point operations worked out from a model's shape and from token counts; and counted by torch for comparison.

A multiplication and an addition are two operations. A matrix of N entries costs 2N for each token that passes it, and
2N more for each of the two gradients that training works out through it (Kaplan et al. 2020, arXiv:2001.08361, table
1: 2N forward, 4N backward). Attention costs 4 × width for each pair of a token with a token it stands beside, in each
layer: scores and weighted sum, the whole square, as the kernels compute it (Chowdhery et al. 2022, arXiv:2204.02311,
appendix B). Norms, softmax and other work on single values is left out, as is usual.

Only what is asked for is counted: the output matrix where an answer stands, padding nowhere, a shared beginning once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from transformers.pytorch_utils import Conv1D

from bench.core.model_kind import head_layers, is_classifier, reads_pictures
from bench.core.training import BatchWork
from bench.engine.prompts import Encoded
from bench.engine.trial import Reading, Writing
from bench.meters.optional import optional
from bench.model.devices import onednn_pays
from bench.model.precision import entries
from bench.model.seq2seq import is_seq2seq

_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts", "ffn_config")
# of experts, and of attention to positions as well (DeBERTa), whose projections are worked out once for each batch
_UNLIKE = (*_EXPERTS, "relative_attention")
_GROUPS = "_layer_groups."  # of layers that share their matrices (ALBERT)
# projections of a layer's own input, by the names that architectures give them
_READ_INPUT = ("q_proj", "k_proj", "v_proj", "qkv", "c_attn", "query_key_value", "self.query", "self.key", "self.value",
               "q_lin", "k_lin", "v_lin", "attn.q", "attn.k", "attn.v", "Wqkv")  # fmt: skip
_MATRIX = (torch.nn.Linear, Conv1D)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a model's matrices cost. Sizes are numbers of entries. Of a classifier the head is all behind its blocks."""

    layers: int
    width: int  # of attention: heads × size of a head
    blocks: int  # entries of all matrices that every token passes, without the output matrix
    head: int  # entries of the output matrix
    silent: int  # of `blocks`: matrices that pass no gradient back, as nothing before them is trained
    silent_layers: int  # layers whose attention passes none
    trained: int  # of `blocks`: entries whose gradient is wanted
    head_trained: bool


def shape_of(model: Any) -> Shape | None:
    """The shape of a transformers causal LM or classifier, LoRA adapters included.

    None for one whose work does not follow from its matrices and the tokens of its texts: that routes tokens (experts),
    attends to positions too, or has no attention heads; and for an encoder-decoder model, each of whose matrices sees
    the tokens of one side only; and for a model of pictures.
    Trained is what requires a gradient at this moment.
    """
    if is_seq2seq(model) or reads_pictures(model):
        return None
    config: Any = model.config.get_text_config()
    if any(getattr(config, name, None) for name in _UNLIKE) or not hasattr(config, "num_attention_heads"):
        return None
    return optional("operations", lambda: _shape(model, config))


def _shape(model: Any, config: Any) -> Shape:
    output = model.get_output_embeddings()
    blocks = list(_matrices(model, output))
    head = [module.weight for module in (output.modules() if output else ()) if isinstance(module, _MATRIX)][:1]
    if is_classifier(model):
        names = [name for name, _ in blocks]
        behind = head_layers(names, model.base_model_prefix, lambda name: _layer(name) is not None)
        head = [weight for name, weight in blocks if name in behind]
        blocks = [(name, weight) for name, weight in blocks if name not in behind]
    size_of_head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    lowest = 0 if _any_trained(model.get_input_embeddings()) else _lowest_trained(model)
    silent = 0 if lowest is None or _any_trained(model.get_input_embeddings()) else _silent(blocks, lowest)
    layers = config.num_hidden_layers * getattr(config, "inner_group_num", 1)

    def uses(name: str) -> int:  # times that a token passes a matrix
        return config.num_hidden_layers // config.num_hidden_groups if _GROUPS in name else 1

    return Shape(
        layers=layers,
        width=size_of_head * config.num_attention_heads,
        blocks=sum(entries(weight) * uses(name) for name, weight in blocks),
        head=sum(weight.numel() for weight in head),
        silent=silent,
        silent_layers=lowest or 0,
        trained=sum(weight.numel() * uses(name) for name, weight in blocks if weight.requires_grad),
        head_trained=any(weight.requires_grad for weight in head) or (output is not None and _any_trained(output)),
    )


def forward(shape: Shape, new: int, before: int = 0, predicted: int = 0) -> int:
    """A pass over `new` tokens that follow `before` cached ones, with logits for `predicted` of them."""
    return 2 * shape.blocks * new + _attention(shape, new, before) + 2 * shape.head * predicted


def training(shape: Shape, work: BatchWork, recomputed: bool = False) -> int:
    """Forward and backward over batches of (prompt, answer) pairs; `recomputed`: activations are worked out twice.

    A frozen matrix has no gradient of its own, but passes that of its inputs back, unless nothing before it is
    trained: LoRA on N frozen entries costs 4N, not 6N, and 6 for each of its own.
    """
    once = judging(shape, work)
    inputs = 2 * (shape.blocks - shape.silent) * work.tokens + 2 * shape.head * work.predicted
    weights = 2 * shape.trained * work.tokens + (2 * shape.head * work.predicted if shape.head_trained else 0)
    attention = 2 * 4 * shape.width * work.beside * (shape.layers - shape.silent_layers)
    return once * (2 if recomputed else 1) + inputs + weights + attention


def judging(shape: Shape, work: BatchWork) -> int:
    """Forward alone, as for a validation loss."""
    attention = 4 * shape.width * shape.layers * work.beside
    return 2 * shape.blocks * work.tokens + attention + 2 * shape.head * work.predicted


def scoring(shape: Shape, prompts: Sequence[Encoded], reading: Reading = Reading.TREE) -> int:
    """Ranking the choices of each prompt, read in a way: it says what is worked out once."""
    shares_prefix = reading in (Reading.TREE, Reading.PREFIX)
    total = _prefixes(shape, prompts) if shares_prefix else 0
    for prompt in prompts:
        before = len(prompt.prefix) if shares_prefix else 0
        query = prompt.prompt_tokens - before
        if reading is not Reading.TREE:  # every choice is read behind a query of its own
            total += sum(forward(shape, query + len(c) - 1, before, len(c)) for c in prompt.choices)
            continue
        begun = {choice[:end] for choice in prompt.choices for end in range(1, len(choice))}
        total += forward(shape, query, before, 1) + forward(shape, len(begun), before + query, len(begun))
    return total


def writing(shape: Shape, prompts: Sequence[Encoded], outputs: Sequence[int], way: Writing = Writing.PICKED) -> int:
    """Generating `outputs` tokens after each prompt, one at a time, in a way: it says what is worked out once."""
    shared = way is Writing.PICKED
    total = _prefixes(shape, prompts) if shared else 0
    for prompt, tokens in zip(prompts, outputs, strict=True):
        before = len(prompt.prefix) if shared else 0
        total += forward(shape, prompt.prompt_tokens - before, before, 1)
        # the first token comes from the prompt's own pass
        lengths = [prompt.prompt_tokens + 1 + step for step in range(max(0, tokens - 1))]
        if way is Writing.REREAD:
            total += sum(forward(shape, length, 0, 1) for length in lengths)
        else:
            total += sum(forward(shape, 1, length - 1, 1) for length in lengths)
    return total


@contextmanager
def counted() -> Iterator[list[int]]:
    """What torch counts of the matrix products inside the block: the list holds the number when it has ended.

    The counter looks at every operation and slows the block down; nothing timed belongs in it. It does not know the
    fused attention of CPUs, so attention is done as plain products here where there is no CUDA.
    """
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    found: list[int] = []
    plain = nullcontext() if torch.cuda.is_available() else sdpa_kernel(SDPBackend.MATH)
    own: dict[Any, Any] = {torch.ops.mkldnn._linear_pointwise: _of_linear} if onednn_pays() else {}
    with plain, FlopCounterMode(display=False, custom_mapping=own) as counter:
        yield found
    found.append(int(counter.get_total_flops()))


def _of_linear(x: Sequence[int], weight: Sequence[int], *args: Any, out_shape: Any = None, **kwargs: Any) -> int:
    """A product as oneDNN is asked for it (`bench.model.onednn_linear`), from the shapes."""
    return 2 * math.prod(x) * weight[0]


def _any_trained(module: Any) -> bool:
    """One trained row is enough: the gradient of the whole matrix is worked out and the row taken from it."""
    return any(parameter.requires_grad for parameter in module.parameters())


def _attention(shape: Shape, new: int, before: int) -> int:
    return 4 * shape.width * shape.layers * new * (before + new)


def _prefixes(shape: Shape, prompts: Sequence[Encoded]) -> int:
    return sum(forward(shape, len(prefix), predicted=1) for prefix in {prompt.prefix for prompt in prompts} if prefix)


def _matrices(model: Any, output: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """Every matrix that all tokens are multiplied with, by name; an adapter's own beside the one it stands on.

    Of a head that is trained beside an adapter peft keeps the old one, which is not used.
    """
    apart = {id(module) for module in output.modules()} if output is not None else set()
    for name, module in model.named_modules():
        if isinstance(module, _MATRIX) and id(module) not in apart and "original_module" not in name:
            yield name, module.weight


def _lowest_trained(model: Any) -> int | None:
    """The lowest layer with something to train; None where nothing is."""
    layers = [_layer(name) for name, parameter in model.named_parameters() if parameter.requires_grad]
    return min((layer for layer in layers if layer is not None), default=None)


def _silent(blocks: Sequence[tuple[str, torch.Tensor]], lowest: int) -> int:
    """Entries of all matrices below a layer, and of those that read its input: queries, keys and values."""
    total = 0
    for name, weight in blocks:
        layer = _layer(name)
        reads_input = any(part in name for part in _READ_INPUT)
        if layer is not None and (layer < lowest or (layer == lowest and reads_input and "lora_B" not in name)):
            total += entries(weight)
    return total


def _layer(name: str) -> int | None:
    """The number of the layer that a parameter or module of this name is in."""
    found = re.search(r"(?:\.|albert_)(?:layers?|layer_groups|h|blocks)\.(\d+)\.", f".{name}.")
    return int(found.group(1)) if found else None
