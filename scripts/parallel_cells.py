"""Whether several cells at once are faster than one by one: a prompting suite of 12 cells, in turns.

    python scripts/parallel_cells.py FOLDER --model mini --rounds 3

Every round measures the suite anew in each way (`--workers 1`, `--workers N`, `--workers auto`), in an order that turns
with the rounds, and compares the answers: outputs have to be the same, scores of choices differ by rounding where a
cell has fewer threads. `auto` counts with its trial. Keep the machine quiet. Writes
FOLDER/parallel_cells.json after every round and prints it at the end; the last line says which way was faster.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import yaml

TASKS = ("support-intents", "support-replies", "invoice-fields", "next-purchase")
METHODS = (
    "zero-shot",
    {"few-shot": {"k": 4}},
    {"few-shot": {"k": 8}},
)  # on each task: 12 cells, none waits for another


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="mini", help="mini, smollm2 or a folder")
    parser.add_argument("--limit", type=int, default=100, help="test items of each task")
    parser.add_argument(
        "--workers", type=int, default=len(os.sched_getaffinity(0)), help="cells at once; default: cores"
    )
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    suite = asked.folder / "prompting.yaml"
    content = {"models": [asked.model], "tasks": list(TASKS), "methods": list(METHODS), "limit": asked.limit}
    suite.write_text(yaml.safe_dump(content), encoding="utf-8")
    ways = ("1", str(asked.workers), "auto")
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    said: list[str] = []
    for number in range(asked.rounds):
        for way in ways[number % 3 :] + ways[: number % 3]:
            took, trial = measured(suite, asked.folder / f"workers-{way}", way)
            seconds[way].append(took)
            said += trial
        alone = answers(asked.folder / "workers-1")
        together = [answers(asked.folder / f"workers-{way}") for way in ways]
        found = outcome(asked, seconds, said) | {
            "same_outputs": all(outputs(each) == outputs(alone) for each in together),
            "largest_difference_of_scores": max(farthest(each, alone) for each in together),  # nats
        }
        (asked.folder / "parallel_cells.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))
    ratio = found["one_by_one_over_at_once"]
    faster = f"{asked.workers} at once: {ratio:.2f}" if ratio > 1 else f"one by one: {1 / ratio:.2f}"
    print(f"{faster} times as fast")


def measured(suite: Path, out: Path, way: str) -> tuple[float, list[str]]:
    """Seconds of a whole run, from the command to its exit, and what `auto` said of its trial."""
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "bench", "run", str(suite), "--out", str(out), "--workers", way, "--device", "cpu"]
    start = time.perf_counter()
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    return time.perf_counter() - start, [line for line in ended.stdout.splitlines() if line.startswith("workers: ")]


Answers = dict[str, list[dict[str, Any]]]  # of every cell, by its folder


def answers(run: Path) -> Answers:
    """What every cell of a run answered."""
    files = sorted(run.glob("cells/*/predictions.jsonl"))
    return {file.parent.name: [json.loads(line) for line in file.read_text("utf-8").splitlines()] for file in files}


def outputs(cells: Answers) -> dict[str, list[str]]:
    """The answers as texts."""
    return {name: [line["output"] for line in lines] for name, lines in cells.items()}


def farthest(cells: Answers, others: Answers) -> float:
    """The largest difference between scores of the same choice, in nats."""
    pairs = [(line, other) for name in cells for line, other in zip(cells[name], others[name], strict=True)]
    scores = (zip(line.get("scores") or (), other.get("scores") or (), strict=True) for line, other in pairs)
    return max((abs(a - b) for each in scores for a, b in each), default=0.0)


def outcome(asked: argparse.Namespace, seconds: dict[str, list[float]], said: list[str]) -> dict[str, Any]:
    """What was measured so far."""
    medians = {way: median(found) for way, found in seconds.items()}
    return {
        "model": asked.model,
        "limit": asked.limit,
        "cells": len(TASKS) * len(METHODS),
        "cores": len(os.sched_getaffinity(0)),
        "seconds": seconds,
        "medians": medians,
        "one_by_one_over_at_once": medians["1"] / medians[str(asked.workers)],
        "one_by_one_over_auto": medians["1"] / medians["auto"],
        "auto": said,
    }


if __name__ == "__main__":
    main()
