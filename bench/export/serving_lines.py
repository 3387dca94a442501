"""The lines of a card that serve an export, with each server that can."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from bench.export.chosen import Chosen
from bench.export.scripts import packages

_NOT_A_DECODER = {
    "classical": "There is no language model to be served elsewhere: serve it with predict.py.",
    "decision": "transformers' own server answers the same requests (`transformers serve`, /v1/systemone).",
    "image": "No lines for other servers are given of a model of pictures: serve it with predict.py.",
    "encoder": "No lines for other servers are given of an encoder: serve it with predict.py.",
    "seq2seq": "No lines for other servers are given of an encoder-decoder model: serve it with predict.py.",
}
_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)  # limits of rank that vLLM can be given


def lines(chosen: Chosen, settings: dict[str, Any]) -> Iterator[str]:
    """Markdown: predict.py first, which answers as was measured, then what else can serve the weights.

    `settings`: those of export.json, and as `adapter` what servers have to be told of one, or None.
    """
    item = ", ".join(f'"{name}": "…"' for name in list(chosen.task.test[0].fields)[:2])
    yield "As it was measured:"
    yield ""
    needed = " ".join(packages(settings))
    call = f"echo '{{{item}}}' | python predict.py"
    yield from _shell(*([f"pip install {needed}"] if needed else []), call)
    yield ""
    yield "In Python, `Answers(settings).answer(item)` of predict.py does the same."
    yield from elsewhere(settings)


def elsewhere(settings: Mapping[str, Any]) -> Iterator[str]:
    """Markdown: what other servers than predict.py can serve the weights, and which cannot."""
    form, kind = settings["weights"], settings["base"]["kind"]
    if kind == "served":
        yield from _requests(settings)
        return
    if kind != "causal":
        yield ""
        yield _NOT_A_DECODER[kind]
        return
    base = shlex.quote(settings["base"]["path"])
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


def _requests(settings: Mapping[str, Any]) -> Iterator[str]:
    """Lines that send the same request by other means."""
    url, key = settings["base"]["path"] + settings["path"], settings["key_env"]
    header = f' -H "Authorization: Bearer ${key}"' if key else ""
    item = "python predict.py --prompts < items.jsonl | head -1 | python -c "
    body = "\"import json; print(json.dumps(json.loads(input())['prompt']))\""
    yield ""
    yield "The same request by curl (`--prompts` prints what predict.py sends, and sends nothing):"
    yield ""
    yield from _shell(
        f"{item}{body} > request.json",
        f"curl {shlex.quote(url)}{header} -H 'Content-Type: application/json' -d @request.json",
    )
    if settings["path"] == "/chat/completions":
        yield ""
        yield "By openai:"
        yield ""
        yield "```python"
        secret = f'os.environ["{key}"]' if key else '"-"'
        yield "import json, openai" + (", os" if key else "")
        yield f'client = openai.OpenAI(base_url="{settings["base"]["path"]}", api_key={secret})'
        yield 'print(client.chat.completions.create(**json.load(open("request.json"))).choices[0].message.content)'
        yield "```"


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


def _shell(*commands: str) -> Iterator[str]:
    yield "```bash"
    yield from commands
    yield "```"
