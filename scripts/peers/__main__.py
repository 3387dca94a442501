"""adaptbench against what one would otherwise take: lm-eval's `hf` back end, and TRL's SFTTrainer.

    python -m scripts.peers --out peers.json
    python -m scripts.peers --model llama-100m --items 40 --only "4 choices"

Both sides get the same model, questions, prompts, precision and threads; each measurement is a process of its own, ours
and theirs in turns. Prints medians and the ratio theirs / ours (above 1: adaptbench is faster, or needs less), and how
much of the answers is equal; JSON holds every single measurement. Needs `requirements.txt` beside this file.

"whole suite" is a whole comparison: zero-shot, few-shot, retrieval, LoRA and full fine-tuning by `adaptbench run`, and
by a script of lm-eval, TRL, sentence-transformers and faiss. There imports and loading are timed too, and memory is the
most that any process held; "equal" is over the arms that only prompt. Ours does more than is done by hand (validation
after every epoch, latency, training items asked): what that took is printed below the table.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from scripts.peers import whole_suite
from scripts.peers.cases import CASES, ROOT, Case

CACHE = ROOT / ".benchmarks" / "peers"
PEERS = {  # a row for each: its name, and whether the peer has its best settings in place of its defaults
    "train": {"TRL, its defaults": False, "TRL, at its best": True},
    "suite": {"lm-eval + TRL, its defaults": False, "lm-eval + TRL, at its best": True},
}


@dataclass(frozen=True)
class Row:
    """A case with every measurement of both sides, and what its answers have in common."""

    name: str
    peer: str
    ours: list[dict[str, Any]]
    theirs: list[dict[str, Any]]
    equal: float | None  # share of equal answers; None: a training
    apart: float  # most that two scores differ, or the losses after training
    by_arm: dict[str, float] | None = None  # of a whole suite: share of equal answers of each arm that only prompts

    def median(self, side: str, what: str) -> float:
        """Of one side's measurements of seconds or peak_bytes."""
        return float(statistics.median(one[what] for one in getattr(self, side)))

    def ratio(self, what: str) -> float:
        """Theirs / ours: the median over the rounds of each round's ratio."""
        return float(statistics.median(b[what] / a[what] for a, b in zip(self.ours, self.theirs, strict=True)))


def main() -> None:
    """Measure, print the table, write the file."""
    asked = _asked()
    cases = [case for name, case in CASES.items() if any(part in name for part in asked.only or [""])]
    rows = [row for case in cases for row in measured(case, asked)]
    table = Table(
        "case", "against", "s", "s, peer", "times as fast", "MB", "MB, peer", "equal", "apart", title=asked.model
    )
    for row in rows:
        table.add_row(*shown(row))
    Console(width=140).print(table)
    for row in rows:
        if row.by_arm:
            print(f"{row.name}, {row.peer}: {whole_suite.note(row.ours[-1])}")
    if asked.out:
        asked.out.write_text(json.dumps(_data(rows, asked), indent=1) + "\n", encoding="utf-8")


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m scripts.peers", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", default="mini", help="mini, smollm2, llama-100m (random weights), or a folder")
    parser.add_argument("--items", type=int, default=200, help="questions, or training examples")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--peer-batch", type=int, default=8, help="lm-eval's batch_size")
    parser.add_argument("--train-batch", type=int, default=16)
    parser.add_argument("--rows", type=int, help="of a micro-batch, on both sides; default: by the model's width")
    parser.add_argument("--best", action="store_true", help="where something is trained: the peer at its best alone")
    parser.add_argument("--nothing-beside", action="store_true", help="of a whole suite: every `measure` is off")
    parser.add_argument("--only", action="append", metavar="PART", help="cases whose name holds this; may be repeated")
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def measured(case: Case, asked: argparse.Namespace) -> list[Row]:
    """A case's rows: one, or where something is trained one against TRL's defaults and one against its best."""
    rows = []
    peers = PEERS.get(case.kind, {"lm-eval": False})
    for peer, tuned in list(peers.items())[-1 if asked.best else 0 :]:
        ours: list[dict[str, Any]] = []
        theirs: list[dict[str, Any]] = []
        for round_ in range(asked.rounds):
            for side in ("ours", "theirs") if round_ % 2 == 0 else ("theirs", "ours"):
                (ours if side == "ours" else theirs).append(_one(case, side, tuned, asked))
        rows.append(_row(case, peer, ours, theirs))
        print(f"{case.name}, {peer}: {rows[-1].ratio('seconds'):.2f} times as fast", file=sys.stderr, flush=True)
    return rows


def _one(case: Case, side: str, tuned: bool, asked: argparse.Namespace) -> dict[str, Any]:
    options = {
        "case": case.name, "side": side, "tuned": tuned, "cache": str(CACHE), "model": asked.model,
        "items": asked.items, "threads": asked.threads, "dtype": asked.dtype, "peer_batch": asked.peer_batch,
        "train_batch": asked.train_batch, "rows": asked.rows, "beside": not asked.nothing_beside,
    }  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": str(asked.threads), "TOKENIZERS_PARALLELISM": "false"}
    command = [sys.executable, "-m", "scripts.peers.sides", json.dumps(options)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{case.name}, {side}: exit {done.returncode}\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def _row(case: Case, peer: str, ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> Row:
    a, b = ours[0], theirs[0]
    if case.kind == "suite":
        by_arm, apart = whole_suite.compared(a, b)
        return Row(case.name, peer, ours, theirs, statistics.fmean(by_arm.values()), apart, by_arm)
    if case.kind == "train":
        if a["steps"] != b["steps"]:
            raise SystemExit(f"{case.name}: {a['steps']} steps here, {b['steps']} there")
        return Row(case.name, peer, ours, theirs, None, abs(a["loss"] - b["loss"]))
    equal = sum(x == y for x, y in zip(a["answers"], b["answers"], strict=True)) / len(a["answers"])
    pairs = zip(a.get("scores", []), b.get("scores", []), strict=True)
    return Row(case.name, peer, ours, theirs, equal, max((_apart(x, y) for x, y in pairs), default=0.0))


def _apart(a: Sequence[float], b: Sequence[float]) -> float:
    return max((abs(x - y) for x, y in zip(a, b, strict=True)), default=0.0)


def shown(row: Row) -> list[str]:
    """The cells of a row of the table."""
    seconds = [f"{row.median(side, 'seconds'):.2f}" for side in ("ours", "theirs")]
    memory = [f"{row.median(side, 'peak_bytes') / 1e6:.0f}" for side in ("ours", "theirs")]
    equal = "" if row.equal is None else f"{row.equal:.1%}"
    return [row.name, row.peer, *seconds, f"{row.ratio('seconds'):.2f}", *memory, equal, f"{row.apart:.2g}"]


def _data(rows: Sequence[Row], asked: argparse.Namespace) -> dict[str, Any]:
    def short(one: dict[str, Any]) -> dict[str, Any]:
        kept = {key: value for key, value in one.items() if key not in ("answers", "scores")}
        arms = {name: {"score": arm["score"], "steps": arm.get("steps")} for name, arm in _arms(one).items()}
        return {**kept, "arms": arms} if arms else kept

    return {
        "asked": {key: value for key, value in vars(asked).items() if key != "out"},
        "machine": {"processor": _processor(), "cores": os.cpu_count(), "python": platform.python_version()},
        "versions": {name: version(name) for name in ("adaptbench", "torch", "transformers", "peft", "lm-eval", "trl")},
        "rows": [
            {
                "case": row.name,
                "peer": row.peer,
                "times_as_fast": row.ratio("seconds"),
                "memory_ratio": row.median("ours", "peak_bytes") / row.median("theirs", "peak_bytes"),
                "equal": row.equal,
                **({"equal_by_arm": row.by_arm} if row.by_arm else {}),
                "apart": row.apart,
                "ours": [short(one) for one in row.ours],
                "theirs": [short(one) for one in row.theirs],
            }
            for row in rows
        ],
    }


def _arms(one: dict[str, Any]) -> dict[str, Any]:
    """The arms of a whole suite; of other cases none."""
    found = one.get("answers")
    return found if isinstance(found, dict) else {}


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    main()
