"""Every step of the check of a GPU, each in a process of its own and within its time; JSON after each of them.

    python -m scripts.gpu_check [--out FOLDER] [--dry]

A step that fails, runs out of time or lacks a package leaves its reason, and the next one runs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from bench.model.visible import VARIABLE, visible_device

ROOT = Path(__file__).parents[2]
BUDGET_S = 480  # of all steps together
_PATIENCE = 10  # times as long on a CPU, where it is not time that is checked
SECONDS = {"tests": 60, "suite": 180, "score": 45, "generate": 45, "lora": 45, "full": 45, "memory": 30, "peers": 30}
_TESTS = ("tests/test_engine.py", "tests/test_training.py")  # files that hold tests marked gpu
_BY_HAND = {"tests": ("pytest", "hypothesis"), "peers": ("lm_eval", "trl")}  # packages that a step needs beside ours


def main(argv: Sequence[str] | None = None) -> int:
    """Run all steps; 0, 1 where one failed, 3 without a CUDA device."""
    parser = argparse.ArgumentParser(prog="scripts/gpu_check.sh", description="Checks adaptbench on a GPU.")
    parser.add_argument("--out", type=Path, help="default: results/gpu; with --dry results/local/gpu")
    parser.add_argument("--dry", action="store_true", help="tiny shapes on the CPU")
    asked = parser.parse_args(argv)
    visible = visible_device("cpu" if asked.dry else "cuda", os.environ.get(VARIABLE))
    os.environ[VARIABLE] = visible  # one card, for every step
    import torch

    if not asked.dry and not torch.cuda.is_available():
        print('gpu_check: no CUDA device that torch can use; "adaptbench doctor" says why', file=sys.stderr)
        return 3
    out: Path = asked.out or Path("results", "local" if asked.dry else "", "gpu")
    out.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + BUDGET_S * (_PATIENCE if asked.dry else 1)
    found: dict[str, Any] = {"schema": 2, "dry": asked.dry, "steps": {}}
    for name in SECONDS:
        found["steps"][name] = step(name, out, asked.dry, until)
        write(out / "gpu-check.json", found)
        print(f"gpu_check: {name}: {_said(found['steps'][name])}", flush=True)
    return int(any(done["state"] == "failed" for done in found["steps"].values()))


def step(name: str, out: Path, dry: bool, until: float) -> dict[str, Any]:
    """State ("ok", "failed" or "left out"), seconds, and what the step found or the reason."""
    lacking = [package for package in _BY_HAND.get(name, ()) if find_spec(package) is None]
    if lacking:
        return {"state": "left out", "reason": f"not installed: {', '.join(lacking)}"}
    seconds = min(SECONDS[name] * (_PATIENCE if dry else 1), until - time.monotonic())
    if seconds <= 1:
        return {"state": "left out", "reason": f"the {BUDGET_S} s of the check were over"}
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="adaptbench-gpu-") as folder:
        command, place = _command(name, Path(folder), out, dry)
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=seconds,
                check=False,
                env=_environment(folder),
            )
        except subprocess.TimeoutExpired:
            return {"state": "failed", "seconds": seconds, "reason": f"ran longer than {seconds:.0f} s"}
        (out / f"{name}.log").write_text(done.stdout + done.stderr, encoding="utf-8")
        result, reason = _result(name, place, done)
    state = "ok" if done.returncode == 0 and not reason else "failed"
    return {"state": state, "seconds": round(time.monotonic() - start, 2), "found": result, "reason": reason}


def _command(name: str, folder: Path, out: Path, dry: bool) -> tuple[list[str], Path]:
    """What runs a step, and the file or folder of its result."""
    python = [sys.executable, "-m"]
    if name == "tests":  # without the options of the project's own settings, which need plugins
        report = folder / "tests.xml"
        options = ["-o", "addopts=", "--import-mode=importlib", "-p", "no:cacheprovider", "-m", "gpu"]
        return [*python, "pytest", *options, "-q", f"--junitxml={report}", *_TESTS], report
    if name == "suite":
        run = folder / "run"  # a new folder each time: a check must measure, not remember
        small = ["--device", "cpu", "--limit", "4"] if dry else []
        return [*python, "bench", "run", "gpu-check", "--out", str(run), *small], run
    if name == "peers":
        report = (out / "peers.json").absolute()
        return [
            *python,
            "scripts.peers",
            "--rounds",
            "1",
            "--items",
            "8",
            "--only",
            "4 choices, 10 shots",
            "--only",
            "lora",
            "--out",
            str(report),
        ], report
    report = folder / "measured.json"
    return [*python, "scripts.gpu_check.measures", name, str(report), *(["--dry"] if dry else [])], report


def _environment(folder: str) -> Mapping[str, str]:
    return {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "PYTHONPATH": str(ROOT)}


def _result(name: str, place: Path, done: subprocess.CompletedProcess[str]) -> tuple[Any, str]:
    """What a step left behind, and why it is not what was wanted ("" where it is)."""
    last = ([*filter(None, map(str.strip, (done.stderr + done.stdout).splitlines()))] or ["it said nothing"])[-1]
    reason = "" if done.returncode == 0 else f"exit code {done.returncode}: {last}"
    try:
        if name == "tests":
            suite = next(ElementTree.parse(place).iter("testsuite")).attrib
            return {key: int(suite[key]) for key in ("tests", "failures", "errors", "skipped")}, reason
        if name == "suite":
            shown = [sys.executable, "-m", "bench", "report", str(place), "--json"]
            told = subprocess.run(shown, cwd=ROOT, capture_output=True, text=True, check=False, env=_environment(""))
            return json.loads(told.stdout), reason
        return json.loads(place.read_text(encoding="utf-8")), reason
    except (OSError, ValueError, StopIteration, ElementTree.ParseError) as error:
        return None, reason or f"it left no result: {error}"


def write(file: Path, content: Mapping[str, Any]) -> None:
    """Replace the file at once, so that it is complete whenever the check ends."""
    beside = file.with_suffix(".part")
    beside.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    beside.replace(file)


def _said(done: Mapping[str, Any]) -> str:
    return f"{done['state']}{', ' + done['reason'] if done.get('reason') else ''}"


if __name__ == "__main__":
    sys.exit(main())
