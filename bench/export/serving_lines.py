"""The lines of a card that serve an export, with each server that can."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from bench.export.chosen import Chosen

_PACKAGES = "torch transformers safetensors"
_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)  # limits of rank that vLLM can be given


def lines(chosen: Chosen, settings: dict[str, Any]) -> Iterator[str]:
    """Markdown: predict.py first, which answers as was measured, then what else can serve the weights.

    `settings`: those of export.json, and as `adapter` what servers have to be told of one, or None.
    """
    peft = ["peft"] if settings["weights"] in ("adapter", "unmerged") else []
    packages = [_PACKAGES, *peft, *(["bitsandbytes"] if settings["base"]["form"] else []), *_for_retrieval(settings)]
    item = ", ".join(f'"{name}": "…"' for name in list(chosen.task.test[0].fields)[:2])
    yield "As it was measured:"
    yield ""
    yield from _shell(
        f"pip install {' '.join(packages)}",
        f"echo '{{{item}}}' | python predict.py",
    )
    yield ""
    yield "In Python, `Answers(settings).answer(item)` of predict.py does the same."
    yield from elsewhere(settings)


def elsewhere(settings: Mapping[str, Any]) -> Iterator[str]:
    """Markdown: what other servers than predict.py can serve the weights, and which cannot."""
    form, base = settings["weights"], shlex.quote(settings["base"]["path"])
    if form == "classifier":
        yield ""
        yield "vLLM and llama.cpp read no classifier off a hidden state: serve it with predict.py."
        return
    if form == "unmerged":
        yield ""
        yield "vLLM and llama.cpp do not answer with this adapter as it was measured: serve it with predict.py."
        return
    adapter, served = settings["adapter"], base if form != "merged" else "."
    refused = _refused(adapter) if adapter else {}
    for reason in dict.fromkeys(refused.values()):
        servers = " and ".join(server for server, because in refused.items() if because == reason)
        yield ""
        yield f"{servers} cannot serve {reason}: export with `--merged` for that."
    commands = {
        "vLLM": [f"vllm serve {served}{_flags(adapter)} --dtype {settings['dtype']}"],
        "llama.cpp, after a conversion by its own scripts": _llama(served, adapter),
    }
    taken = {name: lines for name, lines in commands.items() if name.partition(",")[0] not in refused}
    if not taken:
        return
    yield ""
    yield f"With {' and '.join(taken)}:"
    yield ""
    yield from _shell(*chain.from_iterable(taken.values()))
    yield ""
    yield (
        "Servers take a text: ask with the prompts that predict.py writes (`--prompts`), at temperature 0. Choices "
        "are ranked by their likelihoods there; a server that writes them freely may answer otherwise."
    )


def _refused(adapter: Mapping[str, Any]) -> dict[str, str]:
    """What of an adapter a server does not take, or takes for something else."""
    reason = ""
    if adapter["kind"] != "LORA":
        reason = f"adapters of the kind {adapter['kind']}"
    elif adapter["token_rows"]:
        reason = "the row of the token that ends an answer, which the adapter trains too"
    if reason:
        return {"vLLM": reason, "llama.cpp": reason}
    stabilised = {"llama.cpp": "rank-stabilised scaling"} if adapter["rank_stabilised"] else {}
    return stabilised if adapter["rank"] <= _RANKS[-1] else {**stabilised, "vLLM": f"ranks above {_RANKS[-1]}"}


def _flags(adapter: Mapping[str, Any] | None) -> str:
    if not adapter:
        return ""
    rank = next((rank for rank in _RANKS if rank >= adapter["rank"]), 0)
    return f" --enable-lora --max-lora-rank {rank} --lora-modules tuned=."


def _llama(served: str, adapter: Mapping[str, Any] | None) -> list[str]:
    model = [f"python convert_hf_to_gguf.py {served} --outfile model.gguf", "llama-server -m model.gguf"]
    if not adapter:
        return model
    return [
        model[0],
        f"python convert_lora_to_gguf.py . --base {served} --outfile tuned.gguf",
        f"{model[1]} --lora tuned.gguf",
    ]


def _for_retrieval(settings: dict[str, Any]) -> Iterator[str]:
    retrieval = settings["prompt"]["retrieval"]
    if retrieval:
        yield from ["bm25s", "numpy"] if retrieval["retriever"] != "dense" else ["numpy"]
        yield from ["faiss-cpu", "sentence-transformers"] if retrieval["retriever"] != "lexical" else []


def _shell(*commands: str) -> Iterator[str]:
    yield "```bash"
    yield from commands
    yield "```"
