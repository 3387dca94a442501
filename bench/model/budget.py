"""How much a pass computes at once: fixed on a CPU, on a GPU as the memory that is free allows.

A budget on a GPU is a power of two, so that a few megabytes more or less change no batch.
"""

from __future__ import annotations

from typing import Any

import torch

# rows × tokens of one batch, at most; on a CPU small enough to stay near the caches (decisions 16 and 19)
BATCH_TOKENS = {"cpu": 8192, "cuda": 131072}
_TRAIN_TOKENS = {"cpu": 1024, "cuda": 65536}
_NUMBERS = {"cpu": 2**22}  # hidden states of a training micro-batch, all layers together (decision 22)
_SHARE = 0.5  # of free memory: the rest is for logits, masks and what the allocator cannot join
# bytes of activations for each number of hidden state, kept for the backward pass in 16 bits (Korthikanti et al. 2022,
# arXiv:2205.05198, equation 2 without the quadratic part, which fused attention does not keep)
_KEPT = 34


def batch_tokens(model: Any) -> int:
    """Rows × tokens of a batch of a loaded model: on a GPU no more than half of the free memory holds the cache of."""
    device = model.device
    most = BATCH_TOKENS.get(device.type, BATCH_TOKENS["cpu"])
    if device.type != "cuda":
        return most
    copies = 2  # of the cache: rows that ended are taken out by a copy
    return _power_of_two(_SHARE * _free_bytes(device) / (copies * cache_bytes(model)), most)


def train_tokens(device: torch.device, numbers: int, state_bytes: float = 0) -> int:
    """Rows × tokens of a training micro-batch, for a model with so many numbers of hidden state for each token.

    `state_bytes`: what weights, gradients and the optimizer will hold.
    """
    if device.type == "cuda":
        room = _SHARE * (_free_bytes(device) - state_bytes)
        return _power_of_two(room / (_KEPT * numbers), _TRAIN_TOKENS["cuda"])
    return min(_TRAIN_TOKENS["cpu"], _NUMBERS["cpu"] // numbers)


def cache_bytes(model: Any) -> int:
    """Bytes of the keys and values of one token, all layers together; of a model without heads, as if it had one."""
    config = model.config.get_text_config()
    heads = getattr(config, "num_attention_heads", None) or 1
    size = getattr(config, "head_dim", None) or config.hidden_size // heads
    kept = getattr(config, "num_key_value_heads", None)
    width = (kept if isinstance(kept, int) else heads) * size
    return int(2 * config.num_hidden_layers * width * model.dtype.itemsize)


def _free_bytes(device: torch.device) -> int:
    """What the driver has left, and what torch holds of it without using it."""
    free, _ = torch.cuda.mem_get_info(device)
    return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


def _power_of_two(value: float, most: int) -> int:
    return min(most, 1 << max(1, int(max(0.0, value))).bit_length() - 1)
