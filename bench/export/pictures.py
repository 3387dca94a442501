"""What an export of a model of pictures holds: always the whole model, and what makes labels of its features."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, cast

from safetensors.torch import load_file, save_file

from bench.adapt.linear_probe import CLASSIFIER
from bench.adapt.nearest_features import nearest_layer
from bench.adapt.session import AdaptSession
from bench.core.method import LINEAR_PROBE, NEAREST_ANSWER, TrainedPart
from bench.engine.encoder_prompts import EncoderWriter
from bench.export.chosen import Chosen
from bench.model.base import PictureBase

_LABELS, _BODY = "labels.safetensors", "model.safetensors"
_BESIDE = ("config.json", "preprocessor_config.json")


def write(chosen: Chosen, kept: Path | None, base: PictureBase, session: AdaptSession, folder: Path) -> None:
    """Write the weights of a cell into `folder`; `kept` are those that were trained, of `nearest-answer` none."""
    part, learner = chosen.method.weights, chosen.method.weights.learner
    if learner is NEAREST_ANSWER:
        model = session.untouched()
        writer = session.writer(chosen.method.context.build(session.material))
        layer = nearest_layer(session.backend(model), cast(EncoderWriter, writer), session.material.train)
        labels = dict(layer.state_dict())
    elif learner is LINEAR_PROBE:
        assert kept is not None
        model, labels = base.load(False), load_file(kept / CLASSIFIER)
    else:
        assert kept is not None
        model = cast(TrainedPart, part).restore(base.classifier(len(session.labels), False), kept)
        labels = dict(model.label_layer.state_dict())
    model = model.to(base.dtype)
    whole = {name: tensor.contiguous() for name, tensor in model.body.state_dict().items()}
    save_file(whole, folder / _BODY, metadata={"format": "pt"})
    typed = {name: tensor.to(base.dtype) if tensor.is_floating_point() else tensor for name, tensor in labels.items()}
    save_file({name: tensor.contiguous() for name, tensor in typed.items()}, folder / _LABELS)


def settings(chosen: Chosen, base: PictureBase, folder: Path) -> dict[str, Any]:
    """What export.json holds; the configurations of the model and of its processor are copied into `folder`."""
    for name in _BESIDE:
        shutil.copy(chosen.model.folder / name, folder)
    return {"columns": [chosen.task.picture_field], "sizes": dict(base.sizes), "head": base.head}
