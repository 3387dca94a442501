"""The comparison of `whole_suite` without adaptbench: lm-eval, TRL, sentence-transformers, faiss and a metric.

    python -m scripts.peers.suite_by_hand MATERIAL.json FOUND.json

One process does every arm, so that the libraries are imported once, and the base model is loaded once for all arms
that only prompt. A trained model is saved, since it is what a comparison leaves, and asked through lm-eval from its
folder. Nothing is measured beside the answers: no validation during training, no latency, no training items.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.peers import theirs


def main(material: Path, found: Path) -> None:
    """Do all arms of `material`, and write answers, scores, steps and seconds of each to `found`."""
    asked = json.loads(material.read_text(encoding="utf-8"))
    import torch

    torch.set_num_threads(asked["threads"])
    arms = {**_prompted(asked), **{name: _trained(name, rate, asked) for name, rate in asked["rates"].items()}}
    found.write_text(json.dumps(arms), encoding="utf-8")


def _prompted(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The arms that leave the weights alone, with the base model loaded once."""
    model = theirs.harness(Path(asked["folder"]), asked)
    bare = [asked["preamble"] + item["question"] for item in asked["test"]]
    shots = "".join(asked["train"][i]["solved"] for i in asked["shots"])
    behind = [asked["preamble"] + shots + item["question"] for item in asked["test"]]
    start = time.perf_counter()
    retrieved = _retrieved(asked)
    seconds = time.perf_counter() - start
    return {
        "zero-shot": _asked(model, bare, asked),
        "few-shot": _asked(model, behind, asked),
        "rag": {**_asked(model, retrieved, asked), "retrieve_s": seconds},
    }


def _retrieved(asked: Mapping[str, Any]) -> list[str]:
    """Every question behind the training examples nearest to it, the nearest one last."""
    import faiss
    from sentence_transformers import SentenceTransformer

    encoder = SentenceTransformer(asked["embedder"])
    known = encoder.encode([row["query"] for row in asked["train"]], normalize_embeddings=True)
    index = faiss.IndexFlatIP(known.shape[1])
    index.add(known)
    _, near = index.search(
        encoder.encode([row["query"] for row in asked["test"]], normalize_embeddings=True), asked["top_k"]
    )
    return [
        asked["preamble"] + "".join(asked["train"][i]["solved"] for i in reversed(places)) + item["question"]
        for item, places in zip(asked["test"], near.tolist(), strict=True)
    ]


def _asked(model: Any, prompts: list[str], asked: Mapping[str, Any]) -> dict[str, Any]:
    """Answers and what they are worth: accuracy of the likeliest choice, or BLEU of greedy text."""
    start = time.perf_counter()
    items = asked["test"]
    if asked["kind"] == "choice":
        scores = theirs.scored(model, [(p, item["continuations"]) for p, item in zip(prompts, items, strict=True)])
        answers = [item["choices"][own.index(max(own))] for item, own in zip(items, scores, strict=True)]
        right = sum(answer in item["references"] for item, answer in zip(items, answers, strict=True))
        found: dict[str, Any] = {"answers": answers, "scores": scores, "score": right / len(items)}
    else:
        answers = theirs.written(model, prompts, asked["stop"], asked["max_new_tokens"])
        found = {"answers": answers, "scores": [], "score": _bleu(answers, [item["references"] for item in items])}
    return {**found, "answer_s": time.perf_counter() - start}


def _bleu(answers: list[str], references: list[list[str]]) -> float:
    import sacrebleu

    longest = max(map(len, references))
    streams: list[Any] = [[own[i] if i < len(own) else None for own in references] for i in range(longest)]
    return float(sacrebleu.corpus_bleu(answers, streams).score)


def _trained(name: str, rate: float, asked: Mapping[str, Any]) -> dict[str, Any]:
    """An arm that trains: SFTTrainer on prompts and answers as text, the model saved, and lm-eval on what was saved."""
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer

    start = time.perf_counter()
    base, out = Path(asked["folder"]), Path(asked["out"]) / name
    rows = [{"prompt": asked["preamble"] + row["question"], "completion": row["answer"]} for row in asked["train"]]
    dtype = asked["dtype"] if name == "lora" else "float32"  # the weights that are trained are held in fp32
    model: Any = AutoModelForCausalLM.from_pretrained(base, dtype=dtype)
    if name == "lora":
        model = _with_adapter(model, asked["lora"])
    tokenizer = AutoTokenizer.from_pretrained(base)
    trainer = theirs.trainer(
        model, Dataset.from_list(rows), tokenizer, str(out), asked, rate=rate, epochs=asked["epochs"]
    )
    trainer.train()
    merged = (
        name == "lora" and asked["tuned"]
    )  # beside the weights, as it is saved by default, an adapter slows answers
    if merged:
        model.merge_and_unload().save_pretrained(out)
        tokenizer.save_pretrained(out)
    else:
        trainer.save_model(str(out))
    trained_s = time.perf_counter() - start
    harness = theirs.harness(base, asked, adapter=out) if name == "lora" and not merged else theirs.harness(out, asked)
    prompts = [asked["preamble"] + item["question"] for item in asked["test"]]
    found = _asked(harness, prompts, asked)
    return {**found, "steps": trainer.state.global_step, "train_s": trained_s}


def _with_adapter(model: Any, lora: Mapping[str, Any]) -> Any:
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    return get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear", **lora))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
