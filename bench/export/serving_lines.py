"""The lines of a card that serve an export, with each server that can."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.export.chosen import Chosen
from bench.export.weights import rank, token_rows

_PACKAGES = "torch transformers safetensors"


def lines(chosen: Chosen, settings: dict[str, Any]) -> Iterator[str]:
    """Markdown: predict.py first, which answers as was measured, then what else can serve the weights."""
    packages = [_PACKAGES, *(["peft"] if settings["weights"] == "adapter" else []), *_for_retrieval(settings)]
    item = ", ".join(f'"{name}": "…"' for name in list(chosen.task.test[0].fields)[:2])
    yield "As it was measured:"
    yield ""
    yield from _shell(
        f"pip install {' '.join(packages)}",
        f"echo '{{{item}}}' | python predict.py",
    )
    yield ""
    yield "In Python, `Answers(settings).answer(item)` of predict.py does the same."
    yield from _elsewhere(chosen, settings)


def _elsewhere(chosen: Chosen, settings: dict[str, Any]) -> Iterator[str]:
    form, base = settings["weights"], shlex.quote(settings["base"]["path"])
    if form == "classifier":
        yield ""
        yield "vLLM and llama.cpp read no classifier off a hidden state: serve it with predict.py."
        return
    served = "." if form == "merged" else base
    flags, gguf = "", [f"python convert_hf_to_gguf.py {served} --outfile model.gguf", "llama-server -m model.gguf"]
    if form == "adapter":
        if settings["token_rows"]:
            yield ""
            yield (
                "The adapter also trains the row of the token that ends an answer, which vLLM and llama.cpp do not "
                "take: export it with `--merged` for these."
            )
            return
        flags = f" --enable-lora --max-lora-rank {settings['rank']} --lora-modules tuned=."
        gguf = [gguf[0], f"python convert_lora_to_gguf.py . --base {base} --outfile tuned.gguf"]
        gguf.append("llama-server -m model.gguf --lora tuned.gguf")
    yield ""
    yield "With vLLM, and with llama.cpp after a conversion by its own scripts:"
    yield ""
    yield from _shell(f"vllm serve {served}{flags} --dtype {settings['dtype']}", *gguf)
    yield ""
    yield (
        "Both take a text: ask them with the prompts that predict.py writes (`--prompts`), at temperature 0. Choices "
        "are ranked by their likelihoods there; a server that writes them freely may answer otherwise."
    )


def of_adapter(folder: Path) -> dict[str, Any]:
    """What of an adapter servers have to be told."""
    return {"rank": rank(folder), "token_rows": token_rows(folder)}


def _for_retrieval(settings: dict[str, Any]) -> Iterator[str]:
    retrieval = settings["prompt"]["retrieval"]
    if retrieval:
        yield from ["bm25s", "numpy"] if retrieval["retriever"] != "dense" else ["numpy"]
        yield from ["faiss-cpu", "sentence-transformers"] if retrieval["retriever"] != "lexical" else []


def _shell(*commands: str) -> Iterator[str]:
    yield "```bash"
    yield from commands
    yield "```"
