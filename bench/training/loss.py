"""Cross-entropy on answer tokens alone, over batches laid out as the model allows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, cast
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from bench.core.errors import CellError
from bench.core.model_kind import is_classifier, reads_pictures
from bench.core.training import BatchWork
from bench.engine.decoder import Decoder
from bench.engine.seq2seq_engine import EncoderDecoder, Seq2SeqTrial
from bench.engine.trial import Trial
from bench.model.causal import trial_ids
from bench.model.memory import in_batches
from bench.model.seq2seq import is_seq2seq, start_of
from bench.training.batches import IGNORED, Arrangement, Pair, Pairs, collate, laid_out
from bench.training.packed_attention import packed_attention

# nats of two rows' loss up to which a difference is rounding
_ROUNDING, _ROUNDING_OF_HALF = {torch.float32: 1e-3, torch.float64: 1e-3}, 0.1
_known: WeakKeyDictionary[Any, Arrangement] = WeakKeyDictionary()


def summed_loss(model: Any, inputs: dict[str, Any], reduction: str = "sum") -> Tensor:
    """Cross-entropy summed over the answer tokens of a collated batch, in fp32."""
    labels, given = inputs["labels"], {name: of for name, of in inputs.items() if name not in ("labels", "layout")}
    if is_classifier(model):
        logits = model(**given).logits.float()
        return torch.nn.functional.cross_entropy(logits, labels, reduction=reduction)
    if inputs["layout"].packed:
        given["layout"] = inputs["layout"]
    if is_seq2seq(model):
        given["decoder_input_ids"] = _fed_to_decoder(model, labels)
    logits, keep = model(**given, use_cache=False).logits, given.get("logits_to_keep", labels.shape[-1])
    if logits.shape[1] != labels.shape[-1]:  # of an architecture that keeps all of them
        logits = logits[:, -keep:] if isinstance(keep, int) else logits[:, keep]
    logits = logits.float().flatten(0, 1)
    return torch.nn.functional.cross_entropy(logits, labels.flatten(), ignore_index=IGNORED, reduction=reduction)


def _fed_to_decoder(model: Any, labels: Tensor) -> Tensor:
    """What predicts `labels` [rows, n]: the start tokens, then all labels but the last."""
    start = labels.new_tensor(start_of(model)).expand(len(labels), -1)
    return torch.cat([start, labels[:, :-1].masked_fill(labels[:, :-1] == IGNORED, 0)], 1)


@torch.no_grad()
def mean_loss(model: Any, pairs: Sequence[Pair], *, pad: int, rows: int, bf16: bool = False) -> float:
    """Exact mean cross-entropy over all answer tokens of `pairs`: no mean of batch means.

    `rows`: of a batch at most; fewer where memory runs out.
    """
    was_training = model.training
    model.eval()
    losses: list[Tensor] = []  # read at the end: every look at a number waits for the device
    count = 0

    def add(chunk: Sequence[dict[str, Any]]) -> None:
        nonlocal count
        batch = on(model.device, collate(chunk, pad, arrangement))
        with torch.autocast(model.device.type, torch.bfloat16, enabled=bf16):
            losses.append(summed_loss(model, batch))
        count += batch["layout"].predicted

    def shrink(start: int, half: int) -> None:
        nonlocal rows
        rows = half

    with arranged(model) as arrangement:
        in_batches(_longest_first(pairs), lambda start: rows, add, shrink)
    model.train(was_training)
    return sum(float(loss) for loss in losses) / count


def work_of(pairs: Sequence[Pair], rows: int, in_line: bool) -> BatchWork:
    """What `mean_loss` computes."""
    data = _longest_first(pairs)
    chunks = (data[start : start + rows] for start in range(0, len(data), rows))
    return sum((laid_out(chunk, in_line).work for chunk in chunks), BatchWork())


def on(device: torch.device, batch: dict[str, Any]) -> dict[str, Any]:
    """A collated batch on a device."""
    return {name: value.to(device) if isinstance(value, Tensor) else value for name, value in batch.items()}


@contextmanager
def arranged(model: Any) -> Iterator[Arrangement]:
    """How batches for the model are to be arranged while this lasts; where packed, it reads nothing else then."""
    arrangement = arrangement_of(model)
    with packed_attention(model) if arrangement is Arrangement.PACKED else nullcontext():
        yield arrangement


def arrangement_of(model: Any) -> Arrangement:
    """The first arrangement in which a model gives every answer token the loss that it has in its row alone.

    Tried once for a model. On a GPU rows are padded: its kernels want few large calls, and none has been measured.

    Raises:
        CellError: there is none.
    """
    if model not in _known:
        _known[model] = _tried(model, [Arrangement.PACKED, Arrangement.LEFT, Arrangement.RIGHT])
    return _known[model]


def padded_arrangement_of(model: Any) -> Arrangement:
    """The same of the arrangements that pad."""
    return _tried(model, [Arrangement.LEFT, Arrangement.RIGHT])


def pad_rows(model: Any) -> None:
    """Have the rows of a model padded from now on."""
    _known[model] = padded_arrangement_of(model)


@torch.no_grad()
def _tried(model: Any, arrangements: Sequence[Arrangement]) -> Arrangement:
    was_training = model.training
    model.eval()
    try:
        return _first_right(model, arrangements)
    finally:
        model.train(was_training)


def _first_right(model: Any, arrangements: Sequence[Arrangement]) -> Arrangement:
    if is_classifier(model):
        return _of_classifier(model)
    apart = is_seq2seq(model)
    trial = Seq2SeqTrial(EncoderDecoder(model, 0)) if apart else Trial(Decoder(model, 0))
    pairs = trial.texts
    if not apart:
        pairs.append((trial.prefix, trial.choices[0][:1]))  # of one row all but the answer is shared
    expected = [loss for prompt, answer in pairs for loss in _alone(trial, prompt, answer)]
    packable = model.device.type == "cpu" and trial.reachable
    if not all(map(math.isfinite, expected)):  # training says what that means
        return Arrangement.APART if apart else Arrangement.LEFT
    unfit = {Arrangement.LABELLED, Arrangement.APART, *(() if packable else (Arrangement.PACKED,))}
    for arrangement in [Arrangement.APART] if apart else [each for each in arrangements if each not in unfit]:

        def losses(arrangement: Arrangement = arrangement) -> list[float]:
            batch = on(model.device, collate(Pairs(pairs).rows, trial.pad, arrangement))
            with packed_attention(model) if arrangement is Arrangement.PACKED else nullcontext():
                every = summed_loss(model, batch, reduction="none")
            return cast("list[float]", every[batch["labels"].flatten() != IGNORED].tolist())

        if trial.agrees(losses, expected):
            return arrangement
    raise CellError(f"{type(model).__name__} gives rows of a batch other losses than each alone: it cannot be trained")


def _of_classifier(model: Any) -> Arrangement:
    """Rows padded behind their texts, where two of unequal length lose what each loses alone."""
    if reads_pictures(model):  # which all have the same size
        return Arrangement.LABELLED
    pad = model.config.pad_token_id or 0
    rows = Pairs([(trial_ids(model, f"text of {length}", length), (0,)) for length in (4, 9)]).rows

    def loss(chunk: Sequence[dict[str, Any]]) -> float:
        return float(summed_loss(model, on(model.device, collate(chunk, pad, Arrangement.LABELLED))))

    alone, together = sum(loss([row]) for row in rows), loss(rows)
    if abs(alone - together) > _ROUNDING.get(model.dtype, _ROUNDING_OF_HALF):
        raise CellError(f"{type(model).__name__} gives rows of a batch other losses than each alone")
    return Arrangement.LABELLED


def _alone(trial: Trial, prompt: Sequence[int], answer: Sequence[int]) -> list[float]:
    logits = trial.logits(prompt, answer)[-len(answer) :]
    labels = torch.tensor(answer, device=logits.device)
    return cast("list[float]", torch.nn.functional.cross_entropy(logits, labels, reduction="none").tolist())


def _longest_first(pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    return sorted(Pairs(pairs).rows, key=lambda row: -len(row["input_ids"]))
