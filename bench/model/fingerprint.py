"""Whether a model's weights are bit for bit those of another, decided where they lie."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from bench.model.base import Base

_PART = 2**18  # numbers at once: near the caches of a CPU, and few enough calls for a GPU
_BITS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
_STEP = 0x9E3779B97F4A7C15 - 2**64  # 2^64 over the golden ratio: its multiples are spread evenly


@torch.no_grad()
def fingerprint(model: Any, dtype: torch.dtype | None = None) -> str:
    """A digest of names, shapes and bits of all parameters and buffers that a checkpoint would hold.

    `dtype`: in which floating-point numbers are to be taken; None: as they are.
    """
    state = sorted(model.state_dict().items())
    taken = [(name, tensor, _taken(tensor, dtype)) for name, tensor in state]
    sums = torch.stack([_checksum(tensor, of) for _, tensor, of in taken]).tolist() if taken else []
    digest = hashlib.sha256()
    for (name, tensor, of), checksum in zip(taken, sums, strict=True):
        digest.update(f"{name} {tuple(tensor.shape)} {of} {checksum}".encode())
    return digest.hexdigest()


@dataclass
class FirstWeights:
    """What a base model's weights were when they were first loaded."""

    base: Base
    fingerprint: str | None = None

    def load(self, full_precision: bool) -> Any:
        """As the base loads."""
        model = self.base.load(full_precision)
        self.fingerprint = self.fingerprint or fingerprint(model, self.base.dtype)
        return model

    def watched(self) -> Base:
        """The base, whose first loading is remembered."""
        return replace(self.base, load=self.load)


def _taken(tensor: Tensor, dtype: torch.dtype | None) -> torch.dtype:
    return dtype if dtype is not None and tensor.is_floating_point() else tensor.dtype


def _checksum(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """A sum of all bits modulo 2^64, as a number on the tensor's device.

    Every number has an odd factor of its own, so that one that changes always changes the sum.
    """
    numbers = tensor.detach().reshape(-1)
    factors = torch.arange(1, min(_PART, max(1, len(numbers))) + 1, device=tensor.device) * _STEP | 1
    total = torch.zeros((), dtype=torch.int64, device=tensor.device)
    for part in numbers.split(_PART):
        bits = part.to(dtype).contiguous().view(_BITS[dtype.itemsize]).long()
        total = total * 31 + (bits * factors[: len(bits)]).sum()
    return total
