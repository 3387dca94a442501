"""Weights part `bitfit`: the biases are trained and nothing else (Ben Zaken et al. 2022, arXiv:2106.10199).

Many decoders, such as those of the Llama family, have no biases; of these the scales of the norms are trained (Qi et
al. 2022, arXiv:2212.11525). The new head of a classifier is trained whole. A model is changed in place, so an untrained
part is the base model, and nothing is left to merge.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from bench.core.errors import NotApplicableError
from bench.core.method import TrainedPart
from bench.core.model_kind import ModelKind, is_classifier
from methods.matrices import head_modules
from methods.options import TrainingOptions
from methods.read_by_text import read_by_text


class BitFitOptions(TrainingOptions):
    learning_rate: tuple[float, ...] = Field((1e-3, 5e-3, 2e-2), min_length=1)
    parameters: Literal["auto", "biases", "norms"] = Field(
        "auto", description="auto: the biases, or of a model without any the scales of its norms"
    )


class BitFit(TrainedPart):
    """The biases alone; of a model without any, the scales of its norms."""

    name = "bitfit"
    full_precision = True
    kinds = frozenset[ModelKind]({"causal", "seq2seq", "encoder"})
    Options = BitFitOptions
    options: BitFitOptions

    @property
    def bytes_per_weight(self) -> int:
        return 4  # gradients and moments of so few weights do not count

    def start(self, model: Any, seed: int) -> Any:
        text = read_by_text(model)
        biases, norms = ([p for p in found if p in text] for found in (_biases(model), _norm_scales(model)))
        trained = {"auto": biases or norms, "biases": biases, "norms": norms}[self.options.parameters]
        if not trained:
            raise NotApplicableError(f"bitfit with parameters: {self.options.parameters}, but the model has none")
        model.requires_grad_(False)
        for parameter in trained:
            parameter.requires_grad_(True)
        for name in head_modules(model) if is_classifier(model) else ():
            model.get_submodule(name).requires_grad_(True)
        return model


def _biases(model: Any) -> list[Any]:
    return [parameter for name, parameter in model.named_parameters() if name.endswith("bias")]


def _norm_scales(model: Any) -> list[Any]:
    norms = (module for module in model.modules() if "norm" in type(module).__name__.lower())
    return [p for norm in norms for name, p in norm.named_parameters(recurse=False) if not name.endswith("bias")]


PART = BitFit
