"""Weights part `prefix-tuning`: keys and values of virtual tokens in every layer (Li & Liang 2021, arXiv:2101.00190).

The model's weights stay as they are. The keys and values start as those that the model keeps of a text, which is better
than numbers at random where data is scarce (section 7.4 there); so they need no network that they are computed by, and
are trained themselves, through peft. For causal models.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from methods.soft_prompt import SoftPrompt, SoftPromptOptions


class PrefixTuningOptions(SoftPromptOptions):
    learning_rate: tuple[float, ...] = Field((1e-2, 3e-2, 1e-1), min_length=1)


class PrefixTuning(SoftPrompt):
    """Keys and values of virtual tokens in every layer; the weights stay as they are."""

    name = "prefix-tuning"
    Options = PrefixTuningOptions
    options: PrefixTuningOptions

    def config(self, states: Any) -> Any:
        from peft import PrefixTuningConfig

        _, heads, _, width = states.layers[0].keys.shape
        return PrefixTuningConfig(
            task_type="CAUSAL_LM",
            num_virtual_tokens=self.virtual_tokens,
            num_layers=len(states.layers),
            num_attention_heads=heads,
            token_dim=heads * width,
        )

    def untrained(self, base: Any, ids: Any, states: Any) -> Any:
        from peft.tuners.cartridge.utils import prompt_embeddings_from_past_key_values

        return prompt_embeddings_from_past_key_values(states, num_virtual_tokens=self.virtual_tokens)


PART = PrefixTuning
