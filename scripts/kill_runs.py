"""Kills of driver, worker or node at random moments of runs on a cluster, and whether anything came of them.

    python scripts/kill_runs.py FOLDER --on slurm --what driver --kills 20 --seed 0

A small suite without a language model is measured undisturbed on this machine, then on the cluster while one part of it
is killed (signal 9) again and again, in as many runs as that takes; each run is ended by the same command. A folder
that has the undisturbed run already is taken up. Printed as
JSON: kills, cells that were under way at them, finished cells that were measured again, records that cannot be read,
and cells that differ from the undisturbed ones. The last three have to be 0. `slurm` needs SLURM_CONF (see
scripts/slurm_here.sh); `ray` starts a cluster of three nodes; `rehearsal` needs nothing, and has no nodes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import yaml

from bench.core.errors import UsageError
from bench.store import lease
from bench.store.run_folder import PREDICTIONS, RECORD, WRITING, read_record

ROOT = Path(__file__).parent.parent
WORKERS = {"ray": "bench.cell.worker", "slurm": "submitit.core._submit", "rehearsal": "submitit.core._submit"}
TASKS, MOST_S = 3, 600.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--on", choices=sorted(WORKERS), required=True)
    parser.add_argument("--what", choices=("driver", "worker", "node"), default="driver")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--longest", type=float, default=30.0, help="seconds before a kill at most")
    asked = parser.parse_args()
    if asked.what == "node" and asked.on != "ray":
        parser.error("nodes are killed on ray alone")
    asked.folder.mkdir(parents=True, exist_ok=True)
    suite = write_suite(asked.folder)
    undisturbed = asked.folder / "undisturbed"
    driver(suite, undisturbed).wait()
    nodes = Nodes(asked.folder) if asked.on == "ray" else None
    if nodes is None:
        settings = {"cpus": 1, "at_once": 2, "per_node": 2, "time": 30}
        (asked.folder / "cluster.yaml").write_text(yaml.safe_dump({"slurm": settings}))
    try:
        found = disturbed(asked, suite, nodes, random.Random(asked.seed))
    finally:
        if nodes:
            nodes.shutdown()
    print(json.dumps({"on": asked.on, "what": asked.what, "seed": asked.seed, **found}, indent=1))


def write_suite(folder: Path) -> Path:
    """Two methods on tasks of 30 items, by count of words and by the nearest answer."""
    colours = ["red", "green", "blue"]
    for number in range(TASKS):
        task = folder / f"paint{number}"
        task.mkdir(exist_ok=True)
        for split in ("train", "validation", "test"):
            rows = [
                {"id": i, "text": f"{split} {i} looks {colours[(i + number) % 3]}", "label": colours[i % 3]}
                for i in range(30)
            ]
            (task / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        splits = {split: f"{split}.jsonl" for split in ("train", "validation", "test")}
        spec = {"name": task.name, "kind": "choice", "instruction": "Name the colour.", "template": "{text}",
                "answer": "label", "splits": splits}  # fmt: skip
        (task / "task.yaml").write_text(yaml.safe_dump(spec))
    tasks = [f"paint{number}" for number in range(TASKS)]
    content = {"name": "kills", "models": ["classical"], "tasks": tasks, "methods": ["tf-idf", "nearest-answer"],
               "embedder": "none", "measure": {"latency": "off"}}  # fmt: skip
    file = folder / "kills.yaml"
    file.write_text(yaml.safe_dump(content))
    return file


def driver(suite: Path, out: Path, on: str | None = None) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "bench", "run", str(suite), "--out", str(out), *(["--on", on] if on else [])]
    log = (suite.parent / "drivers.txt").open("ab")
    with log:
        return subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)


def disturbed(asked: Any, suite: Path, nodes: Nodes | None, rng: random.Random) -> dict[str, Any]:
    """Run after run until all kills are done; each is brought to its end."""
    seen: Counter[str] = Counter(kills=0, runs=0, under_way=0, repeated=0, corrupt=0, different=0)
    while seen["kills"] < asked.kills:
        seen["runs"] += 1
        run = asked.folder / f"{asked.on}-{asked.what}-{asked.seed}-{seen['runs']}"
        finished: dict[str, str] = {}
        process = driver(suite, run, asked.on)
        while not ended(process, run, rng.uniform(0.0, asked.longest)) and seen["kills"] < asked.kills:
            before = published(run, seen)
            if kill(asked, process, nodes, run, rng):
                seen["kills"] += 1
                seen["under_way"] += len(list((run / "cells").glob(f"{WRITING}*")))
            seen["repeated"] += sum(before.get(name, digest) != digest for name, digest in finished.items())
            finished |= before
            if process.poll() is not None:
                process = driver(suite, run, asked.on)
        until = time.monotonic() + MOST_S
        while process.wait(MOST_S) != 0 and time.monotonic() < until:  # cells whose workers were killed have failed
            process = driver(suite, run, asked.on)
        last = published(run, seen)
        seen["repeated"] += sum(last.get(name) != digest for name, digest in finished.items())
        seen["different"] += answers(run) != answers(asked.folder / "undisturbed")
        print(f"run {seen['runs']}: {seen['kills']} kills", file=sys.stderr, flush=True)
    return dict(seen)


def ended(process: subprocess.Popen[bytes], run: Path, seconds: float) -> bool:
    """Whether a driver has ended by itself within so long since it began to write the run."""
    while process.poll() is None:
        owner = lease.holder(run / lease.FOLDER)
        if owner and owner.pid == process.pid:
            break
        time.sleep(0.05)
    try:
        process.wait(seconds)
        return True
    except subprocess.TimeoutExpired:
        return False


def published(run: Path, seen: Counter[str]) -> dict[str, str]:
    """The digests of records without a failure, by the name of their folder; counts those that cannot be read."""
    found = {}
    for file in (run / "cells").glob(f"[!.]*/{RECORD}"):
        try:
            if read_record(file).status == "ok":
                found[file.parent.name] = hashlib.sha256(file.read_bytes()).hexdigest()
        except FileNotFoundError:  # one that failed is being replaced
            continue
        except UsageError:
            seen["corrupt"] += file.exists()
    return found


def answers(run: Path) -> dict[str, tuple[object, str]]:
    """Scores and predictions by cell."""
    return {
        file.parent.name: (read_record(file).scores, (file.parent / PREDICTIONS).read_text())
        for file in (run / "cells").glob(f"[!.]*/{RECORD}")
        if read_record(file).status == "ok"
    }


def kill(asked: Any, process: subprocess.Popen[bytes], nodes: Nodes | None, run: Path, rng: random.Random) -> bool:
    """Whether there was anything to kill."""
    if asked.what == "driver":
        process.kill()
        process.wait()
        return True
    if asked.what == "node":
        assert nodes
        nodes.kill(rng)
        return True
    workers = [each for each in psutil.process_iter(["cmdline"]) if mine(each, WORKERS[asked.on], asked.folder)]
    if workers:
        rng.choice(workers).kill()
    return bool(workers)


def mine(process: psutil.Process, word: str, folder: Path) -> bool:
    """Whether it is a worker of these runs: on Ray its job's file is in a folder of its own, and nobody else's runs."""
    line = " ".join(process.info["cmdline"] or ())
    return word in line and (str(folder.absolute()) in line or "--until-input-ends" in line)


class Nodes:
    """Ray's own cluster on this machine: one node for drivers, two for cells."""

    def __init__(self, folder: Path) -> None:
        from ray.cluster_utils import Cluster

        os.environ.setdefault("RAY_worker_niceness", "0")
        self.cluster: Any = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
        self.nodes = [self.cluster.add_node(num_cpus=1) for _ in range(2)]
        self.cluster.wait_for_nodes()
        settings = {"address": self.cluster.address, "cpus": 1, "at_once": 3}
        (folder / "cluster.yaml").write_text(yaml.safe_dump({"ray": settings}))
        self.shutdown: Callable[[], None] = self.cluster.shutdown

    def kill(self, rng: random.Random) -> None:
        """End a node at once, and add another."""
        node = self.nodes.pop(rng.randrange(len(self.nodes)))
        self.cluster.remove_node(node, allow_graceful=False)
        self.nodes.append(self.cluster.add_node(num_cpus=1))


if __name__ == "__main__":
    main()
