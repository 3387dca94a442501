"""Weights part `qlora`: LoRA on a base model in 4 bits (Dettmers et al. 2023, arXiv:2305.14314), through bitsandbytes.

All linear layers of the blocks are NF4 with double quantisation, also those that `targets` leaves without an adapter;
embeddings, output matrix, norms and the experts of a mixture stay as they were loaded. Products are computed in the
precision of the base. It is not merged: rounded to 4 bits again it would answer otherwise than was trained, and out of
4 bits it would be as large as the base. An untrained part is the base in 4 bits, and forgetting is measured against
that. For causal models.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.core.adapter_part import Reach
from bench.core.model_kind import ModelKind
from bench.core.task import Task
from bench.core.weights_dtype import in_dtype
from methods.lora import Lora
from methods.matrices import kinds_of, matrices_of
from methods.peft_part import adapted, wrapped


class QLora(Lora):
    """Low-rank adapters on a base model in 4 bits, which stays so for prediction."""

    name = "qlora"
    kinds = frozenset[ModelKind]({"causal"})
    merges = starts_as_base = False
    shares_base = False  # the layers that are replaced are let go one by one
    takes_conv1d = False
    base_form = "4 bits (NF4)"

    def requires(self, task: Task) -> str | None:
        if find_spec("bitsandbytes") is None:
            return 'qlora needs bitsandbytes: python -m pip install "adaptbench[qlora]"'
        return super().requires(task)

    def start(self, model: Any, seed: int) -> Any:
        import torch

        matrices = self.fitting(model, matrices_of(model, self.options.targets))
        _to_4_bits(model)
        torch.manual_seed(seed)  # the A matrices are drawn here
        return wrapped(model, self.config(model, matrices, seed))

    def finish(self, model: Any) -> Any:
        return model

    def restore(self, model: Any, folder: Path) -> Any:
        _to_4_bits(model)
        return in_dtype(adapted(model, folder), model.dtype)

    def reach(self, model: Any) -> Reach:
        """How much of the matrices in 4 bits has an adapter."""
        from bitsandbytes.nn.modules import Linear4bit

        layers = ((name, module) for name, module in model.named_modules() if isinstance(module, Linear4bit))
        sizes = {name: module.in_features * module.out_features for name, module in layers}
        left_out = {name: size for name, size in sizes.items() if not name.endswith(".base_layer")}
        return Reach(sum(sizes.values()) - sum(left_out.values()), sum(sizes.values()), kinds_of(left_out))

    @contextmanager
    def scaled(self, model: Any, factor: float) -> Iterator[None]:
        """As of LoRA; at 0 the EOS token's row is the base's too."""
        with super().scaled(model, factor) if factor else model.disable_adapter():
            yield


def _to_4_bits(model: Any) -> None:
    """Quantise the linear layers of the blocks where they are."""
    import torch
    from bitsandbytes.nn.modules import Linear4bit, Params4bit

    for name in matrices_of(model, "all").layers:
        layer = model.get_submodule(name)
        sizes = layer.in_features, layer.out_features
        quantised = Linear4bit(*sizes, bias=False, compute_dtype=model.dtype, quant_type="nf4", device="meta")
        quantised.weight = Params4bit(
            layer.weight.data, requires_grad=False, compress_statistics=True, quant_type="nf4", module=quantised
        )
        quantised.bias = layer.bias
        quantised.support_avx512bf16_for_cpu = False  # it would predict by other products than it was trained with
        model.set_submodule(name, quantised.to(layer.weight.device))
    for parameter in model.parameters():
        if type(parameter) is torch.nn.Parameter:  # what is left of a file that is mapped, which is let go as a whole
            parameter.data = parameter.data.clone()
    model.is_loaded_in_4bit = True  # which peft looks at


PART = QLora
