"""Weights part `checkpoint`: a model of the same architecture that was tuned as a whole elsewhere.

It answers the base's prompts, with the base's tokenizer, so that nothing but the weights differs from the base.
"""

from __future__ import annotations

from typing import Any

from bench.core.errors import CellError
from methods.given import Given


class Checkpoint(Given):
    """A model of the same architecture that was tuned as a whole elsewhere."""

    name = "checkpoint"
    needed = "config.json"
    patterns = ("config.json", "model*.safetensors", "model.safetensors.index.json")

    def start(self, model: Any, seed: int) -> Any:
        tuned, report = type(model).from_pretrained(
            self.options.path,
            config=model.config,
            dtype=model.dtype,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # so that they are reported, and refused below
        )
        for weight in sorted(map(str, (*report["mismatched_keys"], *report["missing_keys"]))):
            raise CellError(f"the checkpoint {self.options.path} does not fit the model: {weight}")
        places = dict(model.named_parameters())
        for name, value in tuned.named_parameters():
            places[name].data.copy_(value)
        return model


PART = Checkpoint
