"""What each technique gives in time and in memory, stacked on the ones before it.

    python -m scripts.stacked --threads 2 --out stacked.json
    python -m scripts.stacked --model llama-100m --items 32 --only "10 shots"

Five stacks: choices behind ten worked examples, 77 labels, replies, full fine-tuning, LoRA. Each begins with the plain
way a user would write it and ends in what adaptbench does. Each measurement is a process of its own; rounds go through
the rows in turns forth and back. Prints medians; × is the median over the rounds of how many times as fast a row is as
the row before it, or as the first; CPU s is of all threads, and shows whether the machine was busy otherwise.

Every row's answers are compared with adaptbench's, and the command ends with an error where they are not equal. `apart`
is by how much they differ: in nats of a score, in logits of two tokens of which either was chosen, or in nats for each
answer token after training. JSON holds every measurement.

On Linux, glibc gives large blocks back to the system when they are freed, until a larger one was freed before: a row
whose largest tensors are small then pays for new pages at every token, and may look worse than the row before it. The
last row of each stack shows what not doing so gives.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from scripts.peers.cases import CASES, Case
from scripts.stacked.plain import Technique
from scripts.stacked.side import TECHNIQUES

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".benchmarks" / "peers"  # the shapes with random weights that the peers are measured with
STACKS = ("4 choices, 10 shots", "77 labels, 0 shots", "replies, 2 shots", "full", "lora")
ANSWERS = ("answers", "scores", "margins", "environment")  # what is compared, and not written down for each row


@dataclass
class Row:
    """A technique with its measurements, one for each round."""

    technique: Technique
    found: list[dict[str, Any]] = field(default_factory=list)
    apart: float = 0.0  # the most in any round

    def median(self, what: str) -> float:
        """Of seconds, cpu_seconds or peak_bytes."""
        return float(statistics.median(one[what] for one in self.found))

    def faster(self, other: Row) -> float:
        """How many times as fast as another row."""
        return float(
            statistics.median(b["seconds"] / a["seconds"] for a, b in zip(self.found, other.found, strict=True))
        )


def main() -> None:
    """Measure, print each stack's table as it is done, write the file."""
    asked = _asked()
    chosen = [name for name in STACKS if any(part in name for part in asked.only or [""])]
    stacks: dict[str, list[Row]] = {}
    for name in chosen:
        stacks[name] = measured(CASES[name], asked)
        Console(width=130).print(shown(name, stacks[name], asked))
        if asked.out:  # after every stack: what is measured is not lost to what comes later
            asked.out.write_text(json.dumps(data(stacks, asked), indent=1) + "\n", encoding="utf-8")


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m scripts.stacked", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", default="mini", help="mini, llama-100m (random weights), or a folder")
    parser.add_argument("--items", type=int, default=64, help="questions, or training examples")
    parser.add_argument("--steps", type=int, default=12, help="of each training")
    parser.add_argument("--batch", type=int, default=8, help="rows where batches are of a fixed size")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--only", action="append", metavar="PART", help="stacks whose name holds this; may be repeated")
    parser.add_argument("--out", type=Path, metavar="FILE.json")
    return parser.parse_args()


def measured(case: Case, asked: argparse.Namespace) -> list[Row]:
    """A case's rows; ends the program where a row's answers are not those of adaptbench."""
    rows = [Row(technique) for technique in TECHNIQUES[case.kind]]
    reference = next(i for i, row in enumerate(rows) if row.technique.ours)
    for round_ in range(asked.rounds):
        forth = list(range(len(rows)))
        for i in forth if round_ % 2 == 0 else forth[::-1]:
            rows[i].found.append(_one(case, i, asked))
            print(f"{case.name}, round {round_ + 1}, {rows[i].technique.name}", file=sys.stderr, flush=True)
        for row in rows:
            compare(case, row, rows[reference].found[-1])
    return rows


def _one(case: Case, technique: int, asked: argparse.Namespace) -> dict[str, Any]:
    options = {key: getattr(asked, key) for key in ("model", "items", "steps", "batch", "threads")}
    options |= {"case": case.name, "technique": technique, "cache": str(CACHE)}
    environment = {**os.environ, "OMP_NUM_THREADS": str(asked.threads), "TOKENIZERS_PARALLELISM": "false"}
    command = [sys.executable, "-m", "scripts.stacked.side", json.dumps(options)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        name = TECHNIQUES[case.kind][technique].name
        raise SystemExit(f"{case.name}, {name}: exit {done.returncode}\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def compare(case: Case, row: Row, ours: dict[str, Any]) -> None:
    """Note how far a row's latest answers lie from ours; ends the program where that is too far."""
    apart = {"score": scores_apart, "write": texts_apart, "train": losses_apart}[case.kind](row.found[-1], ours)
    row.apart = max(row.apart, apart)
    if row.technique.within is not None and not apart <= row.technique.within:  # not a number is too far as well
        raise SystemExit(f"{case.name}, {row.technique.name}: answers lie {apart:.2g} from those of adaptbench")


def scores_apart(one: dict[str, Any], ours: dict[str, Any]) -> float:
    """The most that two scores differ, or that a choice is ahead in ours where another was predicted."""
    furthest = 0.0
    for mine, scores, [place] in zip(one["scores"], ours["scores"], one["answers"], strict=True):
        furthest = max(furthest, *(abs(a - b) for a, b in zip(mine, scores, strict=True)), max(scores) - scores[place])
    return furthest


def texts_apart(one: dict[str, Any], ours: dict[str, Any]) -> float:
    """The most by which a token was ahead in ours where another was written first; 0 where all texts are the same."""
    furthest = 0.0
    for mine, text, margins in zip(one["answers"], ours["answers"], ours["margins"], strict=True):
        if mine != text:
            same = next((i for i, (a, b) in enumerate(zip(mine, text, strict=False)) if a != b), len(mine))
            furthest = max(furthest, margins[same] if same < min(len(mine), len(text)) else float("inf"))
    return furthest


def losses_apart(one: dict[str, Any], ours: dict[str, Any]) -> float:
    """Nats for each answer token between the losses after training."""
    return float(abs(one["loss"] - ours["loss"]))


def shown(name: str, rows: Sequence[Row], asked: argparse.Namespace) -> Table:
    """A stack's table."""
    place = rows[0].found[0]["environment"]
    where = f"{place['device_name']}, {place['cpu_count']} cores, {asked.threads} threads, torch {_torch(place)}"
    table = Table(title=f"{name}: {asked.model}, {asked.items} items, {asked.rounds} rounds\n{where}")
    table.add_column("technique")
    for column in ("s", "× before", "× first", "CPU s", "peak MB", "apart"):
        table.add_column(column, justify="right")
    for i, row in enumerate(rows):
        times = [f"{row.faster(other):.2f}" for other in (rows[max(0, i - 1)], rows[0])] if i else ["", ""]
        wall, cpu = (f"{row.median(what):.2f}" for what in ("seconds", "cpu_seconds"))
        peak = f"{row.median('peak_bytes') / 1e6:.0f}"
        table.add_row(row.technique.name, wall, *times, cpu, peak, f"{row.apart:.1g}")
    return table


def _torch(place: dict[str, Any]) -> str:
    """The version of torch in an environment block."""
    return str(place["packages"]["torch"])


def data(stacks: dict[str, list[Row]], asked: argparse.Namespace) -> dict[str, Any]:
    """What the file holds: what was asked, the machine, and each row's measurements in the order of the rounds."""
    first = next(iter(stacks.values()))
    return {
        "asked": {key: value for key, value in vars(asked).items() if key != "out"},
        "environment": first[0].found[0]["environment"],
        "stacks": {
            name: [
                {
                    "technique": row.technique.name,
                    "seconds": row.median("seconds"),
                    "cpu_seconds": row.median("cpu_seconds"),
                    "peak_bytes": row.median("peak_bytes"),
                    "times_row_before": row.faster(rows[max(0, i - 1)]),
                    "times_first_row": row.faster(rows[0]),
                    "apart": row.apart,
                    "measurements": [
                        {key: value for key, value in one.items() if key not in ANSWERS} for one in row.found
                    ],
                }
                for i, row in enumerate(rows)
            ]
            for name, rows in stacks.items()
        },
    }


if __name__ == "__main__":
    main()
