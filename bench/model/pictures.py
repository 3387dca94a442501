"""Models of pictures into memory: image classifiers of transformers, and EfficientNet-lite0, without their heads.

What they are trained and asked with is that of encoders of texts: a picture is its number in a store, repeated as often
as it has tokens.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor
from transformers import (
    MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING,
    AutoConfig,
    AutoImageProcessor,
    AutoModelForImageClassification,
)
from transformers.modeling_outputs import SequenceClassifierOutput

from bench.core.errors import CellError
from bench.core.model_kind import CLASSIFIES
from bench.core.picture import INSTALL
from bench.model import efficientnet_lite
from bench.model.augment import augmented
from bench.model.base import PictureBase
from bench.model.features import FeatureModel
from bench.model.picture_store import PictureStore
from bench.model.resolve import ResolvedModel
from bench.model.soundness import require_finite
from bench.model.tokenizer import Codec

_HEADS = ("classifier", "_fc", "fc", "head")  # what architectures call their layer of labels
_NORMS = (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d, torch.nn.BatchNorm3d)
_MOMENTUM = 0.1  # torch's default: a fine-tuning is too short for running statistics that move by 1% a step
_NOISE = 2  # pictures of a trial


class NoTokens:
    """In place of a tokenizer, where nothing is text."""

    pad, chat, answer_length, stops = 0, None, None, frozenset[int]()


def picture_base(model: ResolvedModel, device: torch.device, dtype: torch.dtype) -> PictureBase:
    """The processor now, weights on demand.

    Raises:
        CellError: transformers has no such classifier of pictures, its processor is missing, or it gives pictures of
            unequal sizes.
    """
    build, config = _architecture(model)
    config.problem_type, config.reads_pictures = CLASSIFIES, True
    store, sizes = _store(model)
    with torch.device("meta"):
        head = _without_head(build(), model.name)
    load = partial(_loaded, model, build, config, store, device, dtype)
    return PictureBase(
        load=load,
        codec=cast(Codec, NoTokens()),
        context_length=store.tokens,
        dtype=dtype,
        numbers=1,  # never asked: batches of pictures are not cut
        parameters=model.parameters,
        digest=model.digest,
        classifier=partial(_with_labels, load),
        store=store,
        sizes=sizes,
        head=head,
    )


class PictureModel(FeatureModel):
    """A classifier of pictures, which are given by their numbers in `store`.

    `build` makes a body with random weights.
    """

    def __init__(self, body: Any, config: Any, store: PictureStore, build: Callable[[], Any]) -> None:
        super().__init__(body, config)
        self.store, self.build = store, build
        self._options = _beside(body)
        self.changes: tuple[str, ...] = ()  # of pictures, while it is trained
        for norm in self.modules():
            if isinstance(norm, _NORMS):
                norm.momentum = _MOMENTUM

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> SequenceClassifierOutput:
        pictures = self.store.batch(input_ids[:, 0].tolist())
        return self._logits(augmented(pictures, self.changes) if self.training and self.changes else pictures)

    def trial_logits(self) -> Tensor:
        """Logits of pictures of noise, always the same ones."""
        noise = torch.Generator().manual_seed(0)
        return cast(Tensor, self._logits(torch.randn((_NOISE, *self.store.shape), generator=noise)).logits)

    def redrawn(self) -> PictureModel:
        """The same architecture with random weights, those of the labels too, from torch's generator."""
        fresh = PictureModel(self.build(), self.config, self.store, self.build).to(self.device, self.dtype)
        layer = self.label_layer
        if isinstance(layer, torch.nn.Linear):
            fresh.use(torch.nn.Linear(layer.in_features, layer.out_features))
        return fresh

    def train(self, mode: bool = True) -> PictureModel:
        """Norms that are not trained keep the statistics that they came with."""
        super().train(mode)
        for norm in self.modules():
            if isinstance(norm, _NORMS) and not any(p.requires_grad for p in norm.parameters()):
                norm.eval()
        return self

    def gradient_checkpointing_enable(self, **kwargs: Any) -> None:
        """As the architecture can; one that cannot goes on without."""
        if getattr(self.body, "supports_gradient_checkpointing", False):
            self.body.gradient_checkpointing_enable(**kwargs)

    def _logits(self, pictures: Tensor) -> SequenceClassifierOutput:
        found = self.body(pictures.to(self.device, self.dtype), **self._options)
        features = found if isinstance(found, Tensor) else found.logits
        return SequenceClassifierOutput(logits=self.label_layer(features.flatten(1)))


def change_pictures(model: Any, changes: Sequence[str]) -> None:
    """Have the pictures of a model, with an adapter or without, changed while it is trained."""
    for module in model.modules():
        if isinstance(module, PictureModel):
            module.changes = tuple(changes)


def _architecture(model: ResolvedModel) -> tuple[Callable[[], Any], Any]:
    """(what builds the body with random weights, its configuration)."""
    if efficientnet_lite.is_lite(model.folder):
        return efficientnet_lite.build, efficientnet_lite.config()
    config = AutoConfig.from_pretrained(model.folder, trust_remote_code=model.trust_remote_code)
    if type(config) not in MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING:
        raise CellError(f"model {model.name}: transformers has no classifier of pictures of type {config.model_type}")
    return partial(AutoModelForImageClassification.from_config, config), config


def _loaded(
    model: ResolvedModel, build: Callable[[], Any], config: Any, store: PictureStore, device: torch.device,
    dtype: torch.dtype, full_precision: bool,
) -> PictureModel:  # fmt: skip
    """The features of a checkpoint, whose own labels are others."""
    if efficientnet_lite.is_lite(model.folder):
        body = efficientnet_lite.load(model.folder)
    else:
        body = AutoModelForImageClassification.from_pretrained(
            model.folder, use_safetensors=True, trust_remote_code=model.trust_remote_code
        )
    _without_head(body, model.name)

    def again() -> Any:
        made = build()
        _without_head(made, model.name)
        return made

    loaded = PictureModel(body, config, store, again).to(device, torch.float32 if full_precision else dtype).eval()
    require_finite(loaded, model.name)
    return loaded


def _with_labels(load: Callable[[bool], PictureModel], labels: int, full_precision: bool) -> PictureModel:
    """With a layer of labels, drawn from torch's generator as it is before anything is read."""
    state = torch.get_rng_state()
    loaded = load(full_precision)
    with torch.no_grad():
        width = loaded.trial_logits().shape[-1]
    torch.set_rng_state(state)
    loaded.use(torch.nn.Linear(width, labels))
    return loaded


def _without_head(body: Any, name: str) -> str:
    """Take the layer of labels away, so that what it read is put out: the features; what it was called."""
    place = next((each for each in _HEADS if isinstance(getattr(body, each, None), torch.nn.Module)), None)
    if place is None:
        raise CellError(f"model {name}: {type(body).__name__} has no layer of labels that is known")
    setattr(body, place, torch.nn.Flatten(1))
    return place


def _beside(body: Any) -> dict[str, Any]:
    """What lets a body read pictures of another size than it was made for."""
    named = inspect.signature(body.forward).parameters
    return {"interpolate_pos_encoding": True} if "interpolate_pos_encoding" in named else {}


def _store(model: ResolvedModel) -> tuple[PictureStore, Mapping[str, Any]]:
    """The pictures as the model's processor makes them, and the sizes that it is told."""
    if not (model.folder / "preprocessor_config.json").is_file():
        raise CellError(f"model {model.name} has no preprocessor_config.json: how it reads pictures is not known")
    try:
        from PIL import Image
    except ModuleNotFoundError:
        raise CellError(f"model {model.name} reads pictures, which needs Pillow; {INSTALL}") from None
    processor: Any = AutoImageProcessor.from_pretrained(model.folder, backend="pil", local_files_only=True)
    sizes = _sizes(processor, model.picture_size)

    def process(picture: Image.Image) -> Tensor:
        made: Tensor = processor(images=[picture], return_tensors="pt", **sizes)["pixel_values"][0]
        return made

    wide, high = (process(Image.new("RGB", size)).shape for size in ((80, 48), (48, 80)))
    if wide != high or len(wide) != 3:
        raise CellError(f"model {model.name}: its processor makes pictures of unequal sizes, which no batch can hold")
    return PictureStore(process, wide), sizes


def _sizes(processor: Any, side: int | None) -> Mapping[str, Any]:
    """How a processor is told to make pictures of `side` × `side` pixels."""
    if side is None:
        return {}
    size = dict(processor.size)
    crop = dict(getattr(processor, "crop_size", None) or {}) if getattr(processor, "do_center_crop", False) else {}
    if "shortest_edge" not in size:
        return {"size": {"height": side, "width": side}}
    edge = round(side * size["shortest_edge"] / crop["height"]) if crop else side
    return {"size": {"shortest_edge": edge}, **({"crop_size": {"height": side, "width": side}} if crop else {})}
