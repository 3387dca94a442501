"""Does the gate find what was broken on purpose, and let pass what is not broken?

    python scripts/planted_regressions.py BASELINE --out FOLDER [--only NAME]

BASELINE is a run of `.ci/gate/suite.yaml`. For each change below the suite is measured again with that one change
(cells that the change does not touch are taken from the baseline) and gated with `.ci/gate/policy.yaml`. Prints a table
and writes it to FOLDER/planted.json; ends with 1 where a verdict is not the one expected. What is measured is kept:
run again, it goes on. About half an hour on one core.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
OWN = ROOT / ".ci" / "gate"
Suite = dict[str, Any]


@dataclass(frozen=True)
class Change:
    """One change, and the verdict it deserves: the exit code, and a check that has to be named (method, what)."""

    name: str
    make: Callable[[Suite, Path], None]
    exit_code: int = 1
    named: tuple[str, str] | None = None
    may_change: tuple[str, ...] = ()
    afresh: bool = False  # measure every cell again, also those that the change does not touch


def other_seeds(suite: Suite, folder: Path) -> None:
    """Nothing is worse: other examples, another order of the batches, another number of threads."""
    suite["seeds"] = [seed + 5 for seed in suite["seeds"]]
    suite["engine"] = {"threads": 2}


def no_instruction(suite: Suite, folder: Path) -> None:
    """The prompt without what it tells of the house style."""
    edit_task(suite, "./prompted-replies", folder, {"instruction": ""})


def rate_times_ten(suite: Suite, folder: Path) -> None:
    """LoRA with ten times the learning rate."""
    options = of_method(suite, "lora")
    options["learning_rate"] *= 10


def half_the_data(suite: Suite, folder: Path) -> None:
    """Half of the training items."""
    suite["train_sizes"] = [suite["train_sizes"][0] // 2]


def top_one(suite: Suite, folder: Path) -> None:
    """One passage in place of three."""
    of_method(suite, "rag")["top_k"] = 1


def shuffled_labels(suite: Suite, folder: Path) -> None:
    """Every training message with the reply to another one."""
    copy = edit_task(suite, "support-replies", folder, {})
    rows = [json.loads(line) for line in (copy / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    replies = [row["replies"] for row in rows]
    random.Random(0).shuffle(replies)
    rows = [{**row, "replies": other} for row, other in zip(rows, replies, strict=True)]
    (copy / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def twice_the_examples(suite: Suite, folder: Path) -> None:
    """Four worked examples in place of two: a longer prompt for each question."""
    of_method(suite, "few-shot")["k"] *= 2


CHANGES = (
    Change("nothing: other seeds, two threads", other_seeds, exit_code=0, afresh=True),
    Change("prompt without its instruction", no_instruction, named=("zero-shot", "bleu"), may_change=("prompt",)),
    Change("learning rate × 10", rate_times_ten, named=("lora", "bleu")),
    Change("half of the training data", half_the_data, named=("lora", "bleu")),
    Change("top-k 1 in place of 3", top_one, named=("rag", "exact_match")),
    Change("shuffled labels", shuffled_labels, named=("lora", "bleu")),
    Change("twice the examples", twice_the_examples, named=("few-shot", "prompt_tokens")),
)


def located(task: str) -> str:
    """A task of the suite as any suite file can name it."""
    return str(OWN / task) if task.startswith("./") else task


def of_method(suite: Suite, name: str) -> dict[str, Any]:
    """The options of a method in the suite, to be changed in place."""
    options: dict[str, Any] = next(method[name] for method in suite["methods"] if name in method)
    return options


def edit_task(suite: Suite, reference: str, folder: Path, changes: dict[str, str]) -> Path:
    """Let the suite ask a copy of a task, under `folder`, with other values in its task.yaml."""
    source = ROOT / "tasks" / located(reference)  # an absolute path stays what it is
    copy = folder / source.name
    shutil.copytree(source, copy, dirs_exist_ok=True)
    spec = yaml.safe_load((source / "task.yaml").read_text(encoding="utf-8")) | changes
    spec["splits"] = {
        split: str((source / file).resolve()) if ".." in file else file for split, file in spec["splits"].items()
    }
    (copy / "task.yaml").write_text(yaml.safe_dump(spec, sort_keys=False), encoding="utf-8")
    named = {located(reference): f"./{copy.name}"}
    suite["tasks"] = [named.get(task, task) for task in suite["tasks"]]
    for method in suite["methods"]:
        for options in method.values():
            options["tasks"] = [named.get(task, task) for task in options["tasks"]]
    return copy


def measured(change: Change, baseline: Path, out: Path) -> Path:
    """The run of the suite with the change."""
    folder = out / change.make.__name__
    run = folder / "run"
    folder.mkdir(parents=True, exist_ok=True)
    if not run.exists() and not change.afresh:
        shutil.copytree(baseline, run)
    suite: Suite = yaml.safe_load((OWN / "suite.yaml").read_text(encoding="utf-8"))
    suite["tasks"] = [located(task) for task in suite["tasks"]]
    for method in suite["methods"]:
        for options in method.values():
            options["tasks"] = [located(task) for task in options["tasks"]]
    change.make(suite, folder)
    (folder / "suite.yaml").write_text(yaml.safe_dump(suite, sort_keys=False), encoding="utf-8")
    options = ["--out", run, "--allow-outside", ROOT / "tasks"]  # where a task of the gate's has its rows
    subprocess.run([sys.executable, "-m", "bench", "run", folder / "suite.yaml", *options], check=True)
    return run


def gated(change: Change, baseline: Path, run: Path) -> dict[str, Any]:
    """The verdict on the change: the exit code and the checks that fell."""
    folder = run.parent
    policy = yaml.safe_load((OWN / "policy.yaml").read_text(encoding="utf-8"))
    policy["may_change"] = list(change.may_change)
    (folder / "policy.yaml").write_text(yaml.safe_dump(policy), encoding="utf-8")
    options = {"baseline": baseline, "candidate": run, "policy": folder / "policy.yaml", "out": folder / "gate"}
    given = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    done = subprocess.run([sys.executable, "-m", "bench", "gate", *given], check=False)
    said = json.loads((folder / "gate" / "gate.json").read_text(encoding="utf-8"))
    fell = [check for check in said["checks"] if check["status"] == "regression"]
    found = [f"{check['method']}: {check['name']}" for check in fell]
    named = change.named is None or ": ".join(change.named) in found
    return {
        "change": change.name,
        "expected": change.exit_code,
        "exit_code": done.returncode,
        "found": found,
        "as_expected": done.returncode == change.exit_code and named,
    }


def main() -> int:
    """Measure and gate each change; 1 where a verdict is not the one expected."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("baseline", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", choices=[change.make.__name__ for change in CHANGES])
    asked = parser.parse_args()
    rows = [
        gated(change, asked.baseline, measured(change, asked.baseline, asked.out))
        for change in CHANGES
        if asked.only in (None, change.make.__name__)
    ]
    (asked.out / "planted.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    for row in rows:
        mark = "as expected" if row["as_expected"] else "NOT AS EXPECTED"
        print(f"{row['change']}: exit {row['exit_code']}, {mark}; {', '.join(row['found']) or 'nothing fell'}")
    return 0 if all(row["as_expected"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
