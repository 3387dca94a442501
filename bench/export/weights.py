"""The weights of an export: an adapter, a whole model, a classifier, or those of the base."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Literal, cast

from bench.core.errors import UsageError
from bench.core.method import FROZEN, GIVEN, TrainedPart
from bench.export.chosen import Chosen
from bench.model.base import Base

Form = Literal["", "adapter", "unmerged", "merged", "classifier"]  # unmerged: an adapter that stays beside the weights
_CONFIG = "adapter_config.json"
_OF_ADAPTERS = (_CONFIG, "adapter_model*.safetensors")


def write(chosen: Chosen, kept: Path | None, base: Base, folder: Path, merged: bool) -> Form:
    """Write the weights of a cell into `folder`; `kept` are those that were trained.

    `merged`: a whole model, where an adapter is kept.
    """
    part = chosen.method.weights
    if part.learner is FROZEN and not merged:
        return ""
    if part.learner is GIVEN:
        kept = Path(part.options.path)
    if merged and not part.merges:
        raise UsageError(f"{chosen.record.method} answers with an adapter beside the weights; leave out --merged")
    if kept is not None and (kept / _CONFIG).is_file() and not merged:
        _copy_adapter(chosen, kept, folder)
        return "adapter" if part.merges else "unmerged"
    if kept is not None and not part.learner.moves_weights:
        for file in kept.iterdir():
            shutil.copy(file, folder)
        return "classifier"
    if merged and not part.learner.moves_weights:
        raise UsageError(f"{chosen.record.method} leaves the weights as they are: there is nothing to merge")
    model = base.load(False)
    if part.learner is GIVEN:
        model = part.finish(part.start(model, chosen.record.seed))
    else:
        assert kept is not None
        model = cast(TrainedPart, part).restore(model, kept)
    model.to(base.dtype).save_pretrained(folder)
    return "merged"


def of_adapter(folder: Path) -> dict[str, Any]:
    """What of an adapter servers have to be told: its kind, its rank, and what of it not all of them take."""
    config = _config(folder)
    return {
        "kind": "DoRA" if config.get("use_dora") else config["peft_type"],
        "rank": int(config.get("r") or 0),
        "rank_stabilised": bool(config.get("use_rslora")),
        "token_rows": bool(config.get("trainable_token_indices")),
    }


def _config(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
    return found


def _copy_adapter(chosen: Chosen, kept: Path, folder: Path) -> None:
    """The adapter, whose configuration now names its base."""
    for pattern in _OF_ADAPTERS:
        for file in kept.glob(pattern):
            shutil.copy(file, folder)
    base = {"base_model_name_or_path": place_of(chosen), "revision": chosen.model.commit}
    (folder / _CONFIG).write_text(json.dumps({**_config(folder), **base}, indent=1, sort_keys=True), encoding="utf-8")


def place_of(chosen: Chosen) -> str:
    """Where the base is loaded from: its Hub id, or its folder on this machine."""
    return chosen.spec.path if chosen.model.commit else str(chosen.model.folder)
