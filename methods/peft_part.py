"""What the weights parts that peft provides have in common: `PeftPart`, and `MatrixPart` for adapters of matrices."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from bench.core.adapter_part import Reach
from bench.core.errors import NotApplicableError
from bench.core.method import TrainedPart
from bench.core.model_kind import ModelKind
from methods.matrices import Matrices, Targets, matrices_of, reach_of
from methods.options import TrainingOptions


class PeftPart(TrainedPart):
    """A part that one of peft's tuners trains; kept as a folder that peft reads."""

    shares_base = True  # merging puts new tensors in the place of the base's

    def finish(self, model: Any) -> Any:
        return model.merge_and_unload(safe_merge=True)

    def keep(self, model: Any, folder: Path, dtype: Any) -> None:
        model.save_pretrained(folder)  # a folder as peft writes it: the adapter and its configuration
        (folder / "README.md").unlink(missing_ok=True)  # an empty card
        file = folder / "adapter_config.json"
        config = json.loads(file.read_text(encoding="utf-8"))
        # where the base lies, and the order of a set, differ from one training to the next
        sets = ("target_modules", "feedforward_modules")
        config |= {name: sorted(config[name]) for name in sets if isinstance(config.get(name), list)}
        config["base_model_name_or_path"] = None
        file.write_text(json.dumps(config, indent=1, sort_keys=True) + "\n", encoding="utf-8")

    def restore(self, model: Any, folder: Path) -> Any:
        return self.finish(adapted(model, folder))


class MatrixOptions(TrainingOptions):
    """Options of every part that adapts matrices."""

    targets: Targets = Field("all", description="the matrices that are adapted: of attention, of the MLPs, or all")


class MatrixPart(PeftPart):
    """An adapter on matrices of the blocks, merged into them for prediction; a subclass gives its configuration."""

    kinds = frozenset[ModelKind]({"causal", "seq2seq", "encoder"})
    takes_conv1d: ClassVar[bool] = False  # layers with transposed weights, as GPT-2 has them
    Options = MatrixOptions
    options: Any

    def config(self, model: Any, matrices: Matrices, seed: int) -> Any:
        """The configuration with which peft adapts `matrices` of `model`."""
        raise NotImplementedError

    def misfit(self, layer: Any) -> str:
        """Why a linear layer cannot be adapted, or nothing."""
        from transformers.pytorch_utils import Conv1D

        return "" if self.takes_conv1d or not isinstance(layer, Conv1D) else "its weights are transposed (Conv1D)"

    def start(self, model: Any, seed: int) -> Any:
        import torch

        matrices = self.fitting(model, matrices_of(model, self.options.targets))
        torch.manual_seed(seed)  # what does not begin as 0 is drawn here
        return wrapped(model, self.config(model, matrices, seed))

    def fitting(self, model: Any, matrices: Matrices) -> Matrices:
        """The matrices without those that cannot be adapted; raises NotApplicableError where none is left."""
        unfit = {name: self.misfit(model.get_submodule(name)) for name in matrices.layers}
        layers = {name: part for name, part in matrices.layers.items() if not unfit[name]}
        if not layers and not self.experts(matrices):
            name, reason = next(iter(unfit.items()), ("every matrix", "experts have no form of it"))
            raise NotApplicableError(f"{self.name} fits no matrix of this architecture; {name}: {reason}")
        return replace(matrices, layers=layers)

    def experts(self, matrices: Matrices) -> list[str]:
        """The parameters of experts that are adapted too."""
        return []

    def reach(self, model: Any) -> Reach:
        """How much of the blocks' matrices that text passes through has an adapter."""
        return reach_of(model, model.base_model.prefix)

    @contextmanager
    def scaled(self, model: Any, factor: float) -> Iterator[None]:
        """While it lasts, every matrix has moved by `factor` of its way; what is trained whole stays as trained."""
        import torch

        layers = [module for module in model.modules() if isinstance(module, model.base_model.tuner_layer_cls)]
        before: dict[Any, Any] = {}
        try:
            with torch.no_grad():
                for layer in layers:
                    place = layer.get_base_layer()
                    before |= {parameter: parameter.data for parameter in place.parameters()}
                    layer.merge(safe_merge=True)  # into new tensors
                    for parameter in place.parameters():
                        parameter.data = torch.lerp(before[parameter], parameter.data, factor)
            yield
        finally:
            for layer in layers:
                layer.merged_adapters.clear()
            for parameter, value in before.items():
                parameter.data = value


def wrapped(model: Any, config: Any) -> Any:
    """`model` with the new adapter that `config` describes."""
    from peft import get_peft_model

    with _names_as_given():
        return get_peft_model(model, config)


def adapted(model: Any, folder: Path) -> Any:
    """`model` with the adapter of a folder as peft writes it, not merged."""
    from peft import PeftModel

    with _names_as_given():
        return PeftModel.from_pretrained(model, folder)


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
