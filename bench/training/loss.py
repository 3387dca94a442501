"""Cross-entropy on answer tokens alone, over batches laid out as the model allows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from bench.engine.kv_cache import plain_cache
from bench.training.batches import IGNORED, BatchWork, Pair, Pairs, collate, laid_out
from bench.training.packed_attention import packed_attention

# rows that share a beginning, one of them nothing but it: what a model must give the same loss for in both layouts
_TRIAL = (((1, 2, 3, 4), (5, 6)), ((1, 2, 3), (7,)), ((1, 2, 3, 2, 1, 3), (4, 4, 5)))
_APART = {torch.float32: 1e-5}  # of the loss, for rounding; of another precision, a hundredth
_known: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()


def summed_loss(model: Any, inputs: dict[str, Any]) -> Tensor:
    """Cross-entropy summed over the answer tokens of a collated batch, in fp32."""
    given = {name: value for name, value in inputs.items() if name not in ("labels", "layout")}
    if inputs["layout"].packed:
        given["layout"] = inputs["layout"]
    logits = model(**given, use_cache=False).logits.float().flatten(0, 1)
    return torch.nn.functional.cross_entropy(logits, inputs["labels"].flatten(), ignore_index=IGNORED, reduction="sum")


@torch.no_grad()
def mean_loss(model: Any, pairs: Sequence[Pair], *, pad: int, rows: int, bf16: bool = False) -> float:
    """Exact mean cross-entropy over all answer tokens of `pairs`: no mean of batch means."""
    was_training = model.training
    model.eval()
    total, count = 0.0, 0
    with packed(model) as packs:
        for chunk in _chunks(pairs, rows):
            batch = on(model.device, collate(chunk, pad, packs))
            with torch.autocast(model.device.type, torch.bfloat16, enabled=bf16):
                total += float(summed_loss(model, batch))
            count += batch["layout"].predicted
    model.train(was_training)
    return total / count


def work_of(pairs: Sequence[Pair], rows: int, in_line: bool) -> BatchWork:
    """What `mean_loss` computes."""
    return sum((BatchWork.of(laid_out(chunk, in_line)) for chunk in _chunks(pairs, rows)), BatchWork())


def on(device: torch.device, batch: dict[str, Any]) -> dict[str, Any]:
    """A collated batch on a device."""
    return {name: value.to(device) if isinstance(value, Tensor) else value for name, value in batch.items()}


@contextmanager
def packed(model: Any) -> Iterator[bool]:
    """Whether batches for the model are to be packed while this lasts; if so it reads nothing else then."""
    if not packs(model):
        yield False
        return
    with packed_attention(model):
        yield True


def packs(model: Any) -> bool:
    """Whether a model on a CPU reads rows in one line, and gives them the same loss as padded ones.

    Tried once for a model. On a GPU rows are padded: its kernels want few large calls, and none has been measured.
    """
    if model not in _known:
        _known[model] = model.device.type == "cpu" and plain_cache(model) and _reads_lines(model)
    return _known[model]


def _reads_lines(model: Any) -> bool:
    was_training = model.training
    model.eval()
    rows = Pairs(_TRIAL).rows
    try:
        with torch.no_grad():
            expected = float(summed_loss(model, collate(rows, pad=0)))
            with packed_attention(model):
                found = float(summed_loss(model, collate(rows, pad=0, packed=True)))
    except (TypeError, ValueError, KeyError, RuntimeError):  # whatever an architecture does with what it does not know
        return False
    finally:
        model.train(was_training)
    return abs(found - expected) <= _APART.get(model.dtype, 1e-2) * abs(expected)


def _chunks(pairs: Sequence[Pair], rows: int) -> Iterator[list[dict[str, Any]]]:
    """Rows of a batch each, longest first."""
    data = sorted(Pairs(pairs).rows, key=lambda row: -len(row["input_ids"]))
    return (data[start : start + rows] for start in range(0, len(data), rows))
