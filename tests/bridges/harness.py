"""Tasks of lm-evaluation-harness over data of our own: choices, texts, whole texts and single continuations."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import yaml

WORDS = ("river", "stone", "market", "copper", "window", "garden", "bridge", "lantern", "harbor", "winter")
NAMES = ("local_choice", "local_text", "local_rolling", "local_single")


def rows(count: int, seed: int) -> list[dict[str, Any]]:
    """Questions that are made by chance: what is right does not matter where two tools are compared."""
    drawn = random.Random(seed)
    found = []
    for number in range(count):
        choices = drawn.sample(WORDS, 4)
        question = f"Which word follows {drawn.choice(WORDS)} and {drawn.choice(WORDS)}? ({seed}.{number})"
        text = " ".join(drawn.choices(WORDS, k=drawn.randrange(4, 60)))
        found.append({"question": question, "choices": choices, "answer": drawn.randrange(4), "text": text})
    return found


def write(folder: Path, items: int = 12, **changes: Any) -> Path:
    """A folder of four tasks; `changes` are keys of the task of choices and of that of texts."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {"train": str(folder / "train.jsonl"), "test": str(folder / "test.jsonl")}
    for seed, (split, count) in enumerate((("train", 10), ("test", items))):
        Path(files[split]).write_text("".join(f"{json.dumps(row)}\n" for row in rows(count, seed)))
    shared = {
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": files},
        "training_split": "train",
        "test_split": "test",
        "fewshot_split": "train",
        "doc_to_text": "Question: {{question}}\nAnswer:",
    }
    mean = {"aggregation": "mean", "higher_is_better": True}
    own: dict[str, dict[str, Any]] = {
        "local_choice": {
            "output_type": "multiple_choice",
            "doc_to_target": "answer",
            "doc_to_choice": "choices",
            "metric_list": [{"metric": "acc", **mean}, {"metric": "acc_norm", **mean}],
        },
        "local_text": {
            "output_type": "generate_until",
            "doc_to_target": "{{choices[answer]}}",
            "generation_kwargs": {"until": ["\n"], "max_gen_toks": 8, "do_sample": False},
            "filter_list": [
                {"name": "stripped", "filter": [{"function": "remove_whitespace"}, {"function": "take_first"}]}
            ],
            "metric_list": [{"metric": "exact_match", **mean}],
        },
        "local_rolling": {
            "output_type": "loglikelihood_rolling",
            "doc_to_text": "",
            "doc_to_target": "{{text}}",
            "metric_list": [{"metric": "word_perplexity"}, {"metric": "bits_per_byte"}],
        },
        "local_single": {
            "output_type": "loglikelihood",
            "doc_to_target": "{{' ' + choices[answer]}}",
            "metric_list": [{"metric": "acc", **mean}],
        },
    }
    for name, keys in own.items():
        changed = changes if name in ("local_choice", "local_text") else {}
        given = {"task": name, **shared, **keys, **changed}
        text = yaml.safe_dump({key: value for key, value in given.items() if value is not None})
        (folder / f"{name}.yaml").write_text(text)
    return folder
