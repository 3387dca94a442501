"""What of the machine decides predictions, and so belongs to the key of a cell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.config.suite import Suite
from bench.model.devices import pick_device, pick_dtype
from bench.retrieval.index import find_embedder


def surroundings(suite: Suite) -> Mapping[str, Any]:
    """What of this machine decides predictions: device type, the dtype `auto` means on it, the sentence embedder."""
    device = pick_device(suite.engine.device)
    embedder = None if suite.embedder == "none" else find_embedder(suite.embedder)
    return {
        "device": device.type,
        "auto_dtype": str(pick_dtype("auto", device)).removeprefix("torch."),
        "embedder": f"{embedder.digest} in parts" if embedder else None,  # how long documents are embedded
    }
