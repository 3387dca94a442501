"""The weights of an export: an adapter, a whole model, a classifier, what was fitted without one, or none."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Literal, cast

from bench.adapt.linear_probe import CLASSIFIER
from bench.adapt.recommending import RECOMMENDER
from bench.adapt.session import AdaptSession
from bench.core.errors import UsageError
from bench.core.method import (
    FROZEN,
    GIVEN,
    LINEAR_PROBE,
    MATRIX_FACTORISATION,
    NEAREST_ANSWER,
    POPULARITY,
    SET_FIT,
    TF_IDF,
    TrainedPart,
)
from bench.core.nearest import text_of
from bench.export import pictures
from bench.export.chosen import Chosen
from bench.model.base import Base, EncoderBase, PictureBase

# unmerged: an adapter that stays beside the weights; encoder: one of sentences that was trained, and a classifier
Form = Literal[
    "", "adapter", "unmerged", "merged", "classifier", "encoder", "terms", "products", "examples", "pictures"
]
_CONFIG = "adapter_config.json"
_OF_ADAPTERS = (_CONFIG, "adapter_model*.safetensors")
_FITTED = (LINEAR_PROBE, SET_FIT, TF_IDF, POPULARITY, MATRIX_FACTORISATION)  # beside or in place of a model
_EXAMPLES, _ENCODER = "examples.jsonl", "encoder"


def write(chosen: Chosen, kept: Path | None, base: Base, session: AdaptSession, folder: Path, merged: bool) -> Form:
    """Write the weights of a cell into `folder`; `kept` are those that were trained.

    `merged`: a whole model, where an adapter is kept.
    """
    part, learner = chosen.method.weights, chosen.method.weights.learner
    if merged and learner in (*_FITTED, NEAREST_ANSWER):
        raise UsageError(f"{chosen.record.method} adds nothing to a model's weights: there is nothing to merge")
    if learner is FROZEN:
        if merged:
            raise UsageError(f"{chosen.record.method} leaves the weights as they are: there is nothing to merge")
        return ""
    if isinstance(base, PictureBase):
        pictures.write(chosen, kept, base, session, folder)
        return "pictures"
    if learner is NEAREST_ANSWER:
        return _examples(session, folder)
    if learner is GIVEN:
        kept = Path(part.options.path)
    if merged and not part.merges:
        raise UsageError(f"{chosen.record.method} answers with an adapter beside the weights; leave out --merged")
    if kept is not None and (kept / _CONFIG).is_file() and not merged:
        _copy_adapter(chosen, kept, folder)
        return "adapter" if part.merges else "unmerged"
    if learner in _FITTED:
        assert kept is not None
        return _copied(kept, folder)
    model = base.classifier(len(session.labels), False) if isinstance(base, EncoderBase) else base.load(False)
    if learner is GIVEN:
        model = part.finish(part.start(model, chosen.record.seed))
    else:
        assert kept is not None
        model = cast(TrainedPart, part).restore(model, kept)
    if isinstance(base, EncoderBase):
        model.config.id2label = dict(enumerate(session.labels))
        model.config.label2id = {label: row for row, label in enumerate(session.labels)}
    model.to(base.dtype).save_pretrained(folder)
    return "merged"


def _examples(session: AdaptSession, folder: Path) -> Form:
    """The training examples themselves, a text and its answer on a line."""
    pairs = ({"text": text_of(example), "answer": example.references[0]} for example in session.material.train)
    lines = (json.dumps(pair, ensure_ascii=False) + "\n" for pair in pairs)
    (folder / _EXAMPLES).write_text("".join(lines), encoding="utf-8")
    return "examples"


def _copied(kept: Path, folder: Path) -> Form:
    """What stands beside or in place of a model: a classifier, its trained encoder, or numbers of terms or products."""
    if not (kept / CLASSIFIER).is_file():
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        return "products" if (kept / RECOMMENDER).is_file() else "terms"
    shutil.copy(kept / CLASSIFIER, folder)
    if len(list(kept.iterdir())) == 1:
        return "classifier"
    shutil.copytree(kept, folder / _ENCODER, ignore=shutil.ignore_patterns(CLASSIFIER))
    return "encoder"


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
    """Where the base is loaded from: its Hub id, its folder on this machine, or its address; "" where there is none."""
    if chosen.model.kind == "classical":
        return ""
    served = chosen.model.served_at
    return served.base_url if served else chosen.spec.path if chosen.model.commit else str(chosen.model.folder)
