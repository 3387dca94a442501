"""Weights part `adapter`: an adapter that was trained elsewhere, as a folder that peft reads or a Hub id.

It is merged into the weights for prediction, as an adapter of `lora` is. Virtual tokens stay in front of all prompts.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import Field

from bench.core.errors import CellError
from methods.given import Given, GivenOptions
from methods.peft_part import adapted
from methods.soft_prompt import behind_virtual_tokens


class AdapterOptions(GivenOptions):
    any_base: bool = Field(False, description="use it although it names another base than the suite's model")


class Adapter(Given):
    """An adapter that was trained elsewhere, merged into the weights where it adapts any."""

    name = "adapter"
    shares_base = True
    Options = AdapterOptions
    options: AdapterOptions
    needed = "adapter_config.json"
    patterns = ("adapter_config.json", "adapter_model*.safetensors")

    @property
    def virtual_tokens(self) -> int:
        file = Path(self.options.path) / self.needed
        count = json.loads(file.read_text(encoding="utf-8")).get("num_virtual_tokens") or 0
        if not isinstance(count, int):
            raise CellError(f"{file}: num_virtual_tokens is {json.dumps(count)}; it has to be a whole number")
        return count

    @property
    def merges(self) -> bool:  # type: ignore[override]
        return not self.virtual_tokens

    def start(self, model: Any, seed: int) -> Any:
        from peft import get_peft_model_state_dict
        from safetensors import safe_open

        file = Path(self.options.path) / "adapter_model.safetensors"
        try:
            whole = adapted(model, Path(self.options.path))
        except Exception as error:  # peft raises anything for what does not fit
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise CellError(f"the adapter {self.options.path} does not fit the model: {reason}") from error
        with safe_open(file, framework="numpy") as tensors:
            kept = set(tensors.keys())
        if other := sorted(kept ^ set(get_peft_model_state_dict(whole))):
            raise CellError(f"the adapter {self.options.path} does not fit the model: {other[0]} has no counterpart")
        return whole if self.merges else behind_virtual_tokens(whole)

    def finish(self, model: Any) -> Any:
        return model.merge_and_unload(safe_merge=True) if self.merges else model


PART = Adapter
