"""Which of the files of bench/export/script an export needs, and which packages these import."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.core import picture, purchases

_PLACE = Path(__file__).parent / "script"
_OF_CORE = {"picture": Path(picture.__file__), "purchases": Path(purchases.__file__)}  # adaptbench's own


def copy(settings: Mapping[str, Any], folder: Path) -> None:
    """Copy predict.py and what it imports into `folder`."""
    shutil.copy(_PLACE / f"{predictor(settings)}.py", folder / "predict.py")
    for name in modules(settings):
        shutil.copy(_OF_CORE.get(name, _PLACE / f"{name}.py"), folder)


def predictor(settings: Mapping[str, Any]) -> str:
    """The file that is predict.py in an export with these settings."""
    kind, form = settings["base"]["kind"], settings["weights"]
    match kind, form:
        case "classical", _:
            return {"terms": "tf_idf", "products": "recommender"}.get(form, "nearest_answer")
        case "image", _:
            return "pictures"
        case "decision" | "served", _:
            return str(kind)
        case "encoder", "classifier" | "encoder":
            return "sentence_encoder"
        case "encoder", _:
            return "encoder"
        case _, "classifier":
            return "causal_labels"
    ranked = settings["kind"] == "choice" and settings["prompt"]["ranks"]
    return f"{kind}_choices" if ranked else "texts"


def modules(settings: Mapping[str, Any]) -> Iterator[str]:
    """What predict.py imports of this folder."""
    chief = predictor(settings)
    yield "command_line"
    if chief == "tf_idf":
        yield "words"
    if chief == "recommender":
        yield "purchases"
    if chief == "pictures":
        yield "picture"
    if chief in ("encoder", "sentence_encoder", "decision"):
        yield "template"
    if chief == "encoder":
        yield "loading"
    if "generation" in settings:
        yield from _of_prompts(settings, chief)
    if "prompt" in settings:
        yield from ("blocks", *(["template"] if chief == "served" else []))
        yield from _of_retrieval(settings["prompt"]["retrieval"])
    if chief == "served":
        yield from ("reading", "naming")


def _of_retrieval(retrieval: Mapping[str, Any] | None) -> Iterator[str]:
    if retrieval:
        yield from ("retrieval", *(["words"] if retrieval["retriever"] != "dense" else []))
        yield from ["second_stage"] if retrieval.get("stage") else []


def _of_prompts(settings: Mapping[str, Any], chief: str) -> Iterator[str]:
    prompt = settings["prompt"]
    yield from ("loading", "prompting", "template")
    needed = {
        "ranking": chief.endswith("_choices"),
        "naming": chief == "texts" and settings["kind"] == "choice",
        "thinking": chief == "texts" and settings["generation"]["thinking"],
        "seq2seq_prompting": settings["decoder"],
        "fitting": prompt["examples"] or prompt["retrieval"],
    }
    yield from (name for name, is_needed in needed.items() if is_needed)


def packages(settings: Mapping[str, Any]) -> Iterator[str]:
    """What pip has to install."""
    chief = predictor(settings)
    if settings["base"]["kind"] == "classical":
        yield "numpy" if chief == "recommender" else "scikit-learn"
        yield from [] if chief == "nearest_answer" else ["safetensors"]
        return
    if chief != "served":
        yield from ("torch", "transformers", "safetensors")
    if chief == "pictures":
        yield from ("pillow", *(["efficientnet-lite-pytorch"] if settings["head"] == "_fc" else []))
    if settings["weights"] in ("adapter", "unmerged"):
        yield "peft"
    if settings["base"]["form"]:
        yield "bitsandbytes"
    retrieval = settings.get("prompt", {}).get("retrieval")
    reads = retrieval and (retrieval["retriever"] != "lexical" or (retrieval.get("stage") or {}).get("reranker"))
    if chief == "sentence_encoder" or reads:
        yield "sentence-transformers"
    if retrieval:
        yield from (*(["bm25s"] if retrieval["retriever"] != "dense" else []), "numpy")
        yield from ["faiss-cpu"] if retrieval["retriever"] != "lexical" else []
