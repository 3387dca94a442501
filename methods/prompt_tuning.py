"""Weights part `prompt-tuning`: embeddings of virtual tokens in front of every prompt (Lester et al. 2021).

The model's weights stay as they are. The embeddings start as those of a text's tokens, which is better than numbers at
random in small models (section 3.2 there), and are trained through peft. For causal models.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from methods.soft_prompt import SoftPrompt, SoftPromptOptions


class PromptTuningOptions(SoftPromptOptions):
    learning_rate: tuple[float, ...] = Field((1e-2, 3e-2, 1e-1), min_length=1)


class PromptTuning(SoftPrompt):
    """Embeddings of virtual tokens in front of every prompt; the weights stay as they are."""

    name = "prompt-tuning"
    Options = PromptTuningOptions
    options: PromptTuningOptions

    def config(self, states: Any) -> Any:
        from peft import PromptTuningConfig

        return PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=self.virtual_tokens)

    def untrained(self, base: Any, ids: Any, states: Any) -> Any:
        return base.get_input_embeddings()(ids)[0]


PART = PromptTuning
