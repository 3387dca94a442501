"""Weights part `lora`: low-rank adapters on every linear layer and every expert (Hu et al. 2021), through peft.

All linear layers rather than attention alone, alpha = 2r, rank-stabilised scaling off: the setting in
which LoRA matches full fine-tuning on small supervised sets (Schulman et al. 2025; Biderman et al.
2024). Its best learning rate is about ten times that of full fine-tuning, so its grid is too.

Adapters leave the output matrix alone. Where the base model never learnt its EOS token, they cannot make it end an
answer, so the one row of that token is trained too. The head of a classifier is new, and trained whole.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import Field

from bench.core.method import Reach, TrainedPart
from bench.core.model_kind import ModelKind, head_layers, is_classifier
from methods.options import TrainingOptions
from methods.read_by_text import in_a_block, read_by_text

_ROUTER = re.compile(r"(^|\.)(router|gate|shared_expert_gate)(\.|$)")


class LoraOptions(TrainingOptions):
    learning_rate: tuple[float, ...] = Field((2e-4, 1e-3, 5e-3), min_length=1)
    rank: int = Field(16, gt=0)
    alpha: int | None = Field(None, gt=0, description="None: 2 x rank")
    dropout: float = Field(0.0, ge=0, lt=1)
    rank_stabilised: bool = Field(False, description="scale by alpha / sqrt(rank) (Kalajdzievski 2023)")
    train_end_token: bool = Field(
        True, description="also train the output row of the EOS token; not of an encoder-decoder model, which knows it"
    )


class Lora(TrainedPart):
    """Low-rank adapters on every linear layer, merged into the weights for prediction."""

    name = "lora"
    kinds = frozenset[ModelKind]({"causal", "seq2seq", "encoder"})
    Options = LoraOptions
    options: LoraOptions

    def start(self, model: Any, seed: int) -> Any:
        import torch
        from peft import LoraConfig, get_peft_model

        text = read_by_text(model)
        experts = [] if self.options.dropout else expert_matrices(model, text)  # peft has no dropout before a parameter
        head = head_modules(model) if is_classifier(model) else []
        torch.manual_seed(seed)  # the A matrices are drawn here
        config = LoraConfig(
            task_type="SEQ_CLS" if head else "SEQ_2_SEQ_LM" if model.config.is_encoder_decoder else "CAUSAL_LM",
            target_modules=[name for name in linear_layers(model, text) if not name.startswith(tuple(head))],
            modules_to_save=head or None,
            target_parameters=experts or None,
            r=self.options.rank,
            lora_alpha=self.options.alpha or 2 * self.options.rank,
            lora_dropout=self.options.dropout,
            use_rslora=self.options.rank_stabilised,
            trainable_token_indices=_end_rows(model) if self.options.train_end_token and not head else None,
        )
        with _names_as_given():
            return get_peft_model(model, config)

    def finish(self, model: Any) -> Any:
        return model.merge_and_unload(safe_merge=True)

    def keep(self, model: Any, folder: Path, dtype: Any) -> None:
        model.save_pretrained(folder)  # a folder as peft writes it: the adapter and its configuration
        (folder / "README.md").unlink(missing_ok=True)  # an empty card
        file = folder / "adapter_config.json"
        config = json.loads(file.read_text(encoding="utf-8"))
        # where the base lies, and the order of a set, differ from one training to the next
        config |= {"base_model_name_or_path": None, "target_modules": sorted(config["target_modules"])}
        file.write_text(json.dumps(config, indent=1, sort_keys=True) + "\n", encoding="utf-8")

    def restore(self, model: Any, folder: Path) -> Any:
        return self.finish(adapted(model, folder))

    def reach(self, model: Any) -> Reach:
        """How much of the blocks' matrices that text passes through has an adapter."""
        text = read_by_text(model) - set(_tables(model))
        matrices = {
            name: parameter.numel()
            for name, parameter in model.named_parameters()
            if parameter.ndim > 1
            and parameter in text
            and in_a_block(name)
            and ".lora_" not in name
            and not name.endswith("bias")  # experts have a matrix of those
        }
        left_out = {name: size for name, size in matrices.items() if ".base_layer." not in name}
        whole = sum(matrices.values())
        return Reach(whole - sum(left_out.values()), whole, _kinds(left_out))

    @contextmanager
    def scaled(self, model: Any, factor: float) -> Iterator[None]:
        """While it lasts, every adapter adds `factor` of its update; the EOS token's row stays as trained."""
        from peft.tuners.lora import LoraLayer

        layers = [module for module in model.modules() if isinstance(module, LoraLayer)]
        for layer in layers:
            layer.scale_layer(factor)
        try:
            yield
        finally:
            for layer in layers:
                layer.unscale_layer(factor)


def adapted(model: Any, folder: Path) -> Any:
    """`model` with the adapter of a folder as peft writes it, not merged."""
    from peft import PeftModel

    with _names_as_given():
        return PeftModel.from_pretrained(model, folder)


def _tables(model: Any) -> Iterator[Any]:
    """What nothing is multiplied with: rows that are looked up, such as T5's biases by distance."""
    import torch

    for module in model.modules():
        if isinstance(module, torch.nn.Embedding):
            yield from module.parameters()


def _kinds(sizes: Mapping[str, int]) -> tuple[str, ...]:
    """What matrices are called in any block, those with most entries first."""
    kinds: Counter[str] = Counter()
    for name, size in sizes.items():
        _, *inside = re.split(r"\.\d+\.", name.removesuffix(".weight"))
        kinds[".".join(inside)] += size
    return tuple(kind for kind, _ in kinds.most_common())


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
    return [
        name
        for name, module in modules.items()
        if isinstance(module, torch.nn.Linear | Conv1D)
        and module.weight in text
        and module is not output
        and not _ROUTER.search(name)
        and not (_is_mamba(modules[name.rpartition(".")[0]]) and not name.endswith(".in_proj"))
    ]


def expert_matrices(model: Any, text: set[Any]) -> list[str]:
    """Names of the parameters in `text` that hold a matrix of each expert [experts, rows, columns]: no layers."""
    return [name for name, p in model.named_parameters() if p.ndim == 3 and ".experts." in name and p in text]


@contextmanager
def _names_as_given() -> Iterator[None]:
    """While it lasts, peft looks for the layers that it is told to.

    Else it takes `gate_proj` and the like, in a mixture, for experts as transformers 4 named them, wherever they are:
    shared experts and the layers without a mixture would have no adapter.
    """
    from peft.utils import transformers_weight_conversion as conversion

    converted = conversion.convert_peft_config_for_transformers
    conversion.convert_peft_config_for_transformers = lambda *args, **kwargs: None
    try:
        yield
    finally:
        conversion.convert_peft_config_for_transformers = converted


def _is_mamba(module: Any) -> bool:
    return hasattr(module, "conv1d") and hasattr(module, "D")


def _end_rows(model: Any) -> list[int] | dict[str, list[int]] | None:
    """The EOS tokens' rows as peft wants them: of the embeddings where the output shares them, else of the output."""
    if model.config.is_encoder_decoder:  # a decoder has learnt to end what it writes
        return None
    ids = model.config.eos_token_id
    rows = [ids] if isinstance(ids, int) else list(ids or ())
    output, embeddings = model.get_output_embeddings(), model.get_input_embeddings()
    if not rows or output is None:
        return None
    if output.weight is embeddings.weight:
        return rows
    name = next(name for name, module in model.named_modules() if module is output)
    return {name.rsplit(".", 1)[-1]: rows}


PART = Lora
