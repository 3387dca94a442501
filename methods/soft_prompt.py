"""Virtual tokens: what the parts `prompt-tuning` and `prefix-tuning` have in common.

They stand in front of all that the model reads, as the first columns of its KV cache: worked out once for a batch, or
for a prefix that prompts share, not once for a row. Text follows at the positions after them. Nothing is merged.

An untrained part is not the base model: its virtual tokens are those of a text, so it says what the base says with that
text in front. What that start forgets is measured and shown beside what the trained part does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import Field

from bench.core.adapter_part import Reach
from bench.core.errors import NotApplicableError
from bench.core.model_kind import ModelKind
from bench.core.weights_dtype import in_dtype
from methods.options import TrainingOptions
from methods.peft_part import PeftPart, adapted, wrapped

TEXT = "Read the text below with care. Then give the right answer, and nothing else, in the form that is asked for."


class SoftPromptOptions(TrainingOptions):
    virtual_tokens: int = Field(20, gt=0, description="how many stand in front of a prompt")
    text: str = Field(TEXT, min_length=1, description="they start as its tokens, cut or repeated to their number")


class SoftPrompt(PeftPart):
    """Virtual tokens in front of every prompt; a subclass says what is learnt of them."""

    kinds = frozenset[ModelKind]({"causal"})
    merges = starts_as_base = False
    plain_work = False  # text attends to virtual tokens, whose states are worked out for every batch
    Options = SoftPromptOptions
    options: SoftPromptOptions

    @property
    def virtual_tokens(self) -> int:
        return self.options.virtual_tokens

    def config(self, states: Any) -> Any:
        """The configuration with which peft makes them; `states`: what the base keeps of the text."""
        raise NotImplementedError

    def untrained(self, base: Any, ids: Any, states: Any) -> Any:
        """The numbers that are learnt, before they are, of the text with token `ids` [1, n]: [n, numbers]."""
        raise NotImplementedError

    def start(self, model: Any, seed: int) -> Any:
        ids = self._ids(model)
        states = _states(model, input_ids=ids)
        rows = self.untrained(model, ids, states)
        found = wrapped(model, self.config(states))
        _learnt(found).data = rows.detach().float().clone()
        return behind_virtual_tokens(found)

    def finish(self, model: Any) -> Any:
        return model

    def restore(self, model: Any, folder: Path) -> Any:
        return behind_virtual_tokens(in_dtype(adapted(model, folder), model.dtype))

    def reach(self, model: Any) -> Reach | None:
        """No matrix of the model has an adapter."""
        return None

    @contextmanager
    def scaled(self, model: Any, factor: float) -> Iterator[None]:
        """While it lasts, the virtual tokens have gone `factor` of their way; 0: they are those of the text."""
        import torch

        base, place = model.get_base_model(), _learnt(model)
        ids, trained = self._ids(base), place.data
        first = self.untrained(base, ids, _states(base, input_ids=ids))
        place.data = torch.lerp(first.detach().to(trained.dtype), trained, factor)
        try:
            yield
        finally:
            place.data = trained

    def _ids(self, base: Any) -> Any:
        """Token ids of the text [1, virtual tokens]."""
        import torch
        from transformers import AutoTokenizer

        ids = AutoTokenizer.from_pretrained(base.name_or_path).encode(self.options.text, add_special_tokens=False)
        count = self.options.virtual_tokens
        if not ids:
            raise NotApplicableError(f"{self.name}: the model's tokenizer has no token for the option text")
        return torch.tensor([(ids * count)[:count]], device=base.device)


def behind_virtual_tokens(model: Any) -> Any:
    """`model`, of one of peft's prompt-learning configurations, which reads everything behind its virtual tokens.

    peft's own forward knows no cache beyond the virtual tokens, and takes padding in front of a row for distance.
    """
    import torch

    base = model.get_base_model()
    _states(base, input_ids=torch.zeros(1, 1, dtype=torch.long, device=base.device))  # which asks for its cache
    model.forward = partial(_forward, model)
    return model


def _forward(
    model: Any, input_ids: Any, past_key_values: Any = None, attention_mask: Any = None, position_ids: Any = None,
    **given: Any,
) -> Any:  # fmt: skip
    """As the base model's; a cache that holds anything holds the virtual tokens too."""
    import torch

    base, count = model.get_base_model(), model.active_peft_config.num_virtual_tokens
    if base.training and getattr(base, "is_activation_checkpointing", False):
        raise MemoryError("activations behind virtual tokens cannot be recomputed")  # transformers drops the cache
    if past_key_values is None or not past_key_values.get_seq_length():
        past_key_values = _virtual(model, base, count, given.get("layout"))
        past_key_values.batch_repeat_interleave(len(input_ids))
    if attention_mask is not None:  # of ones and zeros [rows, tokens], or what is added to scores [rows, 1, n, tokens]
        seen = 1 if attention_mask.ndim == 2 else 0
        ahead = attention_mask.new_full((*attention_mask.shape[:-1], count), seen)
        attention_mask = torch.cat([ahead, attention_mask], -1)
    position_ids = None if position_ids is None else position_ids + count
    given |= {"attention_mask": attention_mask, "position_ids": position_ids, "past_key_values": past_key_values}
    return base(input_ids=input_ids, **{**given, "use_cache": True})


def _virtual(model: Any, base: Any, count: int, layout: Any) -> Any:
    """The cache of the virtual tokens alone, of one row."""
    prompt = model.get_prompt(1)
    if hasattr(prompt, "get_seq_length"):  # a prefix is learnt as keys and values
        return prompt
    line = {} if layout is None else {"layout": replace(layout, own=(count,), shared=0, filler=0)}
    return base(inputs_embeds=prompt.to(base.dtype), use_cache=True, **line).past_key_values


def _states(base: Any, **text: Any) -> Any:
    """What the base model keeps of a text; raises NotApplicableError where that is not all keys and values."""
    import torch
    from transformers.cache_utils import DynamicLayer

    with torch.no_grad():
        states = getattr(base(**text, use_cache=True), "past_key_values", None)
    layers = getattr(states, "layers", ())
    shapes = {layer.keys.shape for layer in layers if type(layer) is DynamicLayer and layer.keys is not None}
    if len(shapes) != 1 or not all(type(layer) is DynamicLayer for layer in layers):
        raise NotApplicableError("virtual tokens need a model that keeps keys and values of all tokens in every layer")
    return states


def _learnt(model: Any) -> Any:
    """The parameter that holds the virtual tokens: [virtual tokens, numbers]."""
    return model.prompt_encoder[model.active_adapter].embedding.weight
