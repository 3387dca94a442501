"""What of a model text passes through: all that weights parts train of a multimodal model, or of half of one."""

from __future__ import annotations

from typing import Any

from bench.core.model_kind import reads_pictures

_TOKENS = 8
_EXPERTS = ".experts."


def read_by_text(model: Any) -> set[Any]:
    """The parameters that the logits of a short text depend on, found by following them back through the graph.

    Towers for images are left out, and cross-attention to an encoder that is not there. Which experts get one of a few
    tokens is chance: all of a mixture count where any part of it does.
    """
    named = dict(model.named_parameters())
    read = _leaves(_logits(model))
    mixtures = {name.partition(_EXPERTS)[0] for name in named if _EXPERTS in name}
    reached = tuple(f"{mixture}." for mixture in mixtures if _any_in(named, f"{mixture}.", read))
    return read | {parameter for name, parameter in named.items() if _EXPERTS in name and name.startswith(reached)}


def in_a_block(name: str) -> bool:
    """Whether a parameter or module of this name is part of one of a model's blocks."""
    return any(piece.isdigit() for piece in name.split("."))


def short_logits(model: Any) -> Any:
    """Logits of one short text, whose tokens come from all over the vocabulary; of pictures of noise."""
    import torch

    if reads_pictures(model):
        return model.trial_logits()
    rows = model.get_input_embeddings().weight.shape[0]
    ids = torch.arange(1, _TOKENS + 1, device=model.device) * rows // (_TOKENS + 1)  # special ones lie at the ends
    both = {"decoder_input_ids": ids[None]} if model.config.is_encoder_decoder else {}
    return model(input_ids=ids[None], **both, use_cache=False).logits


def _logits(model: Any) -> Any:
    """Logits with the graph of all weights, whichever of them are to be trained."""
    import torch

    frozen = [p for p in model.parameters() if p.is_floating_point() and not p.requires_grad]
    try:
        for parameter in frozen:
            parameter.requires_grad_(True)
        with torch.enable_grad():
            return short_logits(model)
    finally:
        for parameter in frozen:
            parameter.requires_grad_(False)


def _leaves(output: Any) -> set[Any]:
    """The tensors that an output was computed from."""
    nodes, seen, leaves = [output.grad_fn], {output.grad_fn}, set()
    while nodes:
        node = nodes.pop()
        if hasattr(node, "variable"):
            leaves.add(node.variable)
        following = {before for before, _ in node.next_functions if before is not None} - seen
        seen |= following
        nodes += following
    return leaves


def _any_in(named: dict[str, Any], beginning: str, read: set[Any]) -> bool:
    return any(name.startswith(beginning) and parameter in read for name, parameter in named.items())
