"""The weights mini starts from, which make attention find equal tokens and write them again.

Random weights of the usual size do neither, and a model this small needs millions of tokens to get there. Queries equal
to keys, and an output that undoes the values, are the idea of mimetic initialization (Trockman & Kolter 2023,
arXiv:2305.09828), here with the sign that copies.
"""

from __future__ import annotations

import math
from typing import Any

import torch

VALUE_GAIN = 0.5


def prepare(model: Any) -> None:
    """Set embeddings and attention of a Llama; all else stays as the library draws it."""
    width = model.config.hidden_size
    with torch.no_grad():
        model.model.embed_tokens.weight.normal_(0, 1 / math.sqrt(width))
        for layer in model.model.layers:
            attention = layer.self_attn
            attention.q_proj.weight.normal_(0, 1 / math.sqrt(width))
            attention.k_proj.weight.copy_(attention.q_proj.weight)
            torch.nn.init.orthogonal_(attention.v_proj.weight, gain=VALUE_GAIN)
            attention.o_proj.weight.copy_(attention.v_proj.weight.T)
