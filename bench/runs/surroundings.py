"""What of the machine decides predictions, and so belongs to the key of a cell."""

from __future__ import annotations

from bench.config.suite import Suite
from bench.core.identity import Surroundings
from bench.model.devices import pick_device, pick_dtype
from bench.retrieval.index import find_embedder


def surroundings(suite: Suite) -> Surroundings:
    """What of this machine decides predictions: device type, the dtype `auto` means on it, the sentence embedder."""
    device = pick_device(suite.engine.device)
    embedder = None if suite.embedder == "none" else find_embedder(suite.embedder)
    auto_dtype = str(pick_dtype("auto", device)).removeprefix("torch.")
    # how long documents are embedded
    return Surroundings(device.type, auto_dtype, f"{embedder.digest} in parts" if embedder else None)
