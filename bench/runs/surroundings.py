"""What of the machine decides predictions, and so belongs to the key of a cell."""

from __future__ import annotations

from bench.config.suite import Suite
from bench.core.identity import Surroundings
from bench.core.values import OptionValue
from bench.model.devices import pick_device
from bench.model.precision import multiplies_bf16_apart
from bench.retrieval.index import find_embedder


def surroundings(suite: Suite) -> Surroundings:
    """What of this machine decides predictions: device type, the dtype `auto` means on it, the sentence embedder."""
    device = pick_device(suite.engine.device)
    return _of(suite, device.type, multiplies_bf16_apart(device))


def elsewhere(suite: Suite, bfloat16: bool) -> Surroundings:
    """The same of other machines: those with GPUs, which multiply bfloat16 or not, or CPUs that are as this one is."""
    if suite.engine.device == "cuda":
        return _of(suite, "cuda", bfloat16)
    return surroundings(suite)


def _of(suite: Suite, device: str, bfloat16: bool) -> Surroundings:
    embedder = None if suite.embedder == "none" else find_embedder(suite.embedder)
    auto_dtype = suite.engine.auto_dtype
    if auto_dtype == "auto":
        auto_dtype = "bfloat16" if bfloat16 else "float32"
    # how long documents are embedded
    embedded = f"{embedder.digest} in parts" if embedder else None
    return Surroundings(device, auto_dtype, embedded, batches=_batches(suite) if device == "cuda" else {})


def _batches(suite: Suite) -> dict[str, OptionValue]:
    """Batch limits that the suite sets: on a GPU the shape of a batch can turn a near tie of a greedy answer around."""
    names = ("batch_tokens", "train_tokens", "micro_batch", "batch_size")
    return {name: value for name in names if isinstance(value := getattr(suite.engine, name), int)}
