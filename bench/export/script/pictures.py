"""Answers pictures by a classifier, with torch, transformers and Pillow alone.

    python predict.py < items.jsonl > answers.jsonl

An item is a JSON object on a line: in the task's column the path of a picture, or a data URI with its bytes in base64.
"id" is repeated in the answer.
"""

from __future__ import annotations

import base64
import inspect
import json
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from command_line import main
from picture import pixels
from safetensors.torch import load_file
from transformers import AutoConfig, AutoImageProcessor, AutoModelForImageClassification

HERE = Path(__file__).parent
_LEAST = 1e-9  # nearness of a label that is the opposite of an item, or has no example


class Answers:
    """Answers items one at a time."""

    def __init__(self, settings: dict[str, Any], base: str | None = None, device: str = "cpu") -> None:
        self.settings, self.device = settings, device
        self.dtype = getattr(torch, settings["dtype"])
        self.layer = {name: tensor.to(device) for name, tensor in load_file(HERE / "labels.safetensors").items()}

    @cached_property
    def processor(self) -> Any:
        """What makes a picture for the model."""
        return AutoImageProcessor.from_pretrained(HERE, backend="pil")

    @cached_property
    def body(self) -> Any:
        """The model without a layer of labels: its outputs are features."""
        if json.loads((HERE / "config.json").read_text(encoding="utf-8"))["model_type"] == "efficientnet-lite0":
            from efficientnet_lite_pytorch import EfficientNet

            body = EfficientNet.from_name("efficientnet-lite0")
        else:
            body = AutoModelForImageClassification.from_config(AutoConfig.from_pretrained(HERE))
        setattr(body, self.settings["head"], torch.nn.Flatten(1))
        body.load_state_dict(load_file(HERE / "model.safetensors"))
        return body.to(self.device, self.dtype).eval()

    def prompt(self, item: dict[str, Any]) -> str:
        """What is read of an item: its picture's path."""
        return str(item[self.settings["columns"][0]])

    @torch.inference_mode()
    def answer(self, item: dict[str, Any]) -> str:
        """The answer to an item."""
        place = self.prompt(item)
        data = base64.b64decode(place.partition(",")[2]) if place.startswith("data:") else Path(place).read_bytes()
        made = self.processor(images=[pixels(data)], return_tensors="pt", **self.settings["sizes"])["pixel_values"]
        larger = "interpolate_pos_encoding" in inspect.signature(self.body.forward).parameters
        found = self.body(made.to(self.device, self.dtype), **({"interpolate_pos_encoding": True} if larger else {}))
        features = (found if isinstance(found, torch.Tensor) else found.logits).flatten(1)
        return str(self.settings["choices"][int(self.logits(features)[0].float().argmax())])

    def logits(self, features: torch.Tensor) -> torch.Tensor:
        """Of features [1, width] the logits of labels, or how near the nearest example of each label is."""
        if "weight" in self.layer:
            return torch.nn.functional.linear(features, self.layer["weight"], self.layer["bias"])
        near = (torch.nn.functional.normalize(features, dim=-1) @ self.layer["examples"].T + 1) / 2
        nearest = near.new_full((1, len(self.settings["choices"])), _LEAST)
        return nearest.scatter_reduce_(1, self.layer["numbers"].expand(1, -1), near, "amax")


if __name__ == "__main__":
    main(Answers, "cuda" if torch.cuda.is_available() else "cpu")
