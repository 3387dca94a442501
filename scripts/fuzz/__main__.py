"""See the package: python -m scripts.fuzz --reader NAME|all --inputs N --seed S [--out FILE] [--only NUMBER]."""

from __future__ import annotations

import argparse
import json
import re
import select
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from bench import __version__
from scripts import fuzz
from scripts.fuzz.readers import READERS
from scripts.kill_runs import ROOT

_SILENCE_S = 120.0  # of a process, until it is taken for hung where no signal reaches it


def fuzzed(name: str, seed: int, first: int, last: int) -> dict[str, Any]:
    """What became of so many inputs of one reader."""
    start, counts, defects = time.monotonic(), Counter[str](read=0, refused=0), list[dict[str, Any]]()
    while first < last:
        for number, became, why, what in _outcomes(name, seed, first, last):
            first = number + 1
            counts[became] += 1
            if became == "defect":
                defects.append({"number": number, "input": what, "problem": why})
                print(f"{name} {number}: {what}\n    {why}", file=sys.stderr, flush=True)
    distinct = {re.sub(r"\d+ (MiB|characters)|'[^']*'", "", each["problem"]) for each in defects}
    return {
        "inputs": sum(counts.values()), "read": counts["read"], "refused": counts["refused"],
        "seconds": round(time.monotonic() - start), "defects": len(distinct), "failing": defects,
    }  # fmt: skip


def _outcomes(name: str, seed: int, first: int, last: int) -> list[tuple[int, str, str, str]]:
    """Of inputs one after the other, until all are done or the process has ended at one."""
    command = [sys.executable, "-m", "scripts.fuzz.child", name, str(seed), str(first), str(last)]
    found: list[tuple[int, str, str, str]] = []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, bufsize=0) as child:
        assert child.stdout
        if child.stdout.readline() != b"ready\n":
            sys.exit(f"{name}: the undamaged input is not read")
        while first + len(found) < last:
            if not select.select([child.stdout], [], [], _SILENCE_S)[0]:
                child.kill()
                found.append((first + len(found), "defect", "hangs where no signal reaches it", "?"))
                break
            line = child.stdout.readline()
            if not line:
                found.append((first + len(found), "defect", f"the process ended: {child.wait()}", "?"))
                break
            found.append(tuple(json.loads(line)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=fuzz.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reader", choices=["all", *READERS], default="all", metavar="NAME", help=", ".join(READERS))
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="the number of the one input to repeat")
    parser.add_argument("--out", type=Path, help="JSON of what became of them; readers of an earlier one are kept")
    asked = parser.parse_args()
    found: dict[str, Any] = {"version": __version__, "seed": asked.seed, "readers": {}}
    if asked.out and asked.out.is_file():
        found["readers"] = json.loads(asked.out.read_text())["readers"]
    first, last = (0, asked.inputs) if asked.only is None else (asked.only, asked.only + 1)
    failing = 0
    for name in READERS if asked.reader == "all" else [asked.reader]:
        one = fuzzed(name, asked.seed, first, last)
        failing += len(one["failing"])
        found["readers"][name] = one
        print(json.dumps({name: {key: value for key, value in one.items() if key != "failing"}}), flush=True)
        if asked.out:
            asked.out.write_text(json.dumps(found, indent=1) + "\n")
    sys.exit(1 if failing else 0)


if __name__ == "__main__":
    main()
