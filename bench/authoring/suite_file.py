"""The starter suite that `init` writes: what to run first, with its keys explained in comments."""

from __future__ import annotations

import json
from pathlib import Path

from bench.authoring.task_file import task_name

_MANY = 1000  # training items from which a first run takes a part of them
_ENOUGH = 300  # test items of a first run
_TOY = """\
  # A toy that comes with adaptbench, good for trying the way. `adaptbench fetch smollm2` brings a real small model:
  # write smollm2 here then, or the model that you would deploy: a folder, a GGUF file or a Hub id.
"""
_REAL = "  # Or the model that you would deploy: a folder, a GGUF file or a Hub id.\n"


def suite_text(out: Path, model: str, *, train: int, test: int, documents: bool, gold: bool) -> str:
    """The suite for the task folder `out`, which has these many items, and documents or not."""
    retrieval = "  - rag: {top_k: 3}                    # passages that a search finds for each question\n"
    oracle = "  - rag: {control: oracle}             # the right documents: what a perfect search would give\n"
    both = "  - lora+rag: {top_k: 3}\n"
    similar = "  - few-shot: {k: 4, select: similar}  # the most similar training items\n"
    limits = f"limit: {_ENOUGH}                           # test items of a first run\n" if test > _ENOUGH else ""
    sizes = f"train_sizes: [{_MANY}]                  # training items of a first run; all: every one\n"
    return f"""\
# A starter suite; every key is described in docs/suite-format.md.
# How long it takes: adaptbench plan {out.name}.suite.yaml    Measure: adaptbench run {out.name}.suite.yaml
name: {task_name(out)}
models:
{_TOY if model == "mini" else _REAL}  - {model}
tasks:
  - {json.dumps(f"./{out.name}", ensure_ascii=False)}
methods:                               # options that are left open are tuned on the validation split
  - zero-shot
  - few-shot: {{k: 4}}                   # few-shot examples, drawn once
{similar if not documents else retrieval + (oracle if gold else "")}\
  - lora
{both if documents else ""}\
  - full
seeds: [0, 1, 2]                       # of draws and trainings; three say whether training again would be better
{limits}{sizes if train > _MANY else ""}\
probes: [world-facts, reading]         # what a trained model may forget
probe_limit: 100
decide:                                # what the decision assumes; changing it measures nothing again
  queries_per_month: 10000             # how often the task will be asked
  months: 12                           # over which costs are added up
  updates_per_month: 1                 # times that data change: training and index are paid again
  # hosting_per_month: {{lora: 30, other: 50}}  # money for keeping a method ready, whatever is asked
  # hourly_rate: 80                    # money for an hour of people's time, with the hours of the next two
  # setup_hours: {{zero-shot: 2, other: 16}}
  # upkeep_hours_per_month: {{lora: 4, other: 1}}
  # value_of_right: 0.02               # money that a correct answer is worth; decides by worth less cost
  # margin: 0.02                       # a difference of the primary metric that matters
  # require: {{quality: 0.8, latency_p95_s: 0.5, retention_loss: 0.05}}  # what must hold, or it is not chosen
"""
