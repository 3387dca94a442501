"""See the package: python -m scripts.campaign --seed N --minutes M [--out FOLDER] [--only NUMBER]."""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import __version__
from scripts import campaign
from scripts.campaign import checks, forked
from scripts.campaign.commands import COMMANDS, Command
from scripts.campaign.faults import DISKS, FAULTS, Fault
from scripts.campaign.place import Place, can_mount, place
from scripts.campaign.prepared import prepare

_LAST = 0.8  # of the time that a command takes: behind that most have ended
_COLD = 0.05  # share of the faults whose processes are fresh interpreters
_SLOW = {"run": 0.02, "run served": 0.02, "fetch": 0.1}  # the same where that loads torch
_COLD_TAKES = 5.0  # times as long as a copy with all libraries loaded
_TRIES = 6  # of the same command after a fault: one for each thing that a message asks to remove


@dataclass
class Campaign:
    """All faults of a seed."""

    folder: Path
    seed: int
    inputs: Path
    source: dict[str, Any]
    faults: Sequence[Fault]
    expected: dict[str, tuple[int, object, float]] = field(default_factory=dict)  # code, outcome, seconds

    @property
    def place(self) -> Path:
        """Where every command is called: some write down where they were."""
        return self.folder / "place"

    def undisturbed(self, command: Command) -> tuple[int, object, float]:
        """What the command gives, and how long it takes."""
        if command.name not in self.expected:
            with place(self.place, command, self.inputs, self.source) as there:
                start = time.monotonic()
                process = there.start()
                process.wait()
                seconds = time.monotonic() - start
                found = checks.outcome(there)
                if process.code not in (0, 3) or isinstance(found, str):
                    sys.exit(f"{command.name} fails undisturbed: {process.code} {found}\n{process.said()}")
                self.expected[command.name] = process.code or 0, found, seconds
        return self.expected[command.name]

    def one(self, number: int) -> dict[str, Any]:
        """One fault, and what was wrong after it."""
        rng = random.Random(f"{self.seed} {number}")
        command = rng.choices(COMMANDS, [each.weight for each in COMMANDS])[0]
        fault = rng.choice([each for each in self.faults if command.name not in each.without])
        code, expected, seconds = self.undisturbed(command)
        moment = rng.uniform(0.0, _LAST)
        nobody, cold = fault.as_nobody and os.geteuid() == 0, rng.random() < _SLOW.get(command.name, _COLD)
        cold &= not fault.as_nobody  # who may not read a Python of root's
        seconds *= _COLD_TAKES if cold else 1
        begun = time.monotonic()
        with place(self.place, command, self.inputs, self.source, fault.disk_mb, nobody, cold) as there:
            did = [fault.begin(there, rng)]
            process = there.start()
            until = time.monotonic() + moment * seconds
            while process.code is None and time.monotonic() < until:
                time.sleep(0.005)
            did.append(fault.strike(there, process, rng) if process.code is None else "it had ended")
            problems = [f"{each.log.name}: hangs" for each in there.started if not each.wait()]
            for each in there.started:
                problems += checks.ended_well(each, fault, code)
            problems += checks.gone(there, killed=fault.name == "SIGKILL")
            problems += checks.whole(there, fault, expected)
            ended = [each.code for each in there.started]
            said = "".join(each.said() for each in there.started)[-600:]
            fault.cure(there)
            if fault.name in checks.DAMAGES:
                checks.clear_struck(there, did[-1])
            there.cure_inputs(self.inputs)
            problems += self.again(there, code, expected)
        return {
            "number": number, "command": command.name, "fault": fault.name, "cold": cold,
            "did": " ".join(filter(None, did)),
            "moment": round(moment, 3), "seconds": round(time.monotonic() - begun, 1),
            "ended": ended, "problems": problems, "said": said,
        }  # fmt: skip

    def again(self, there: Place, code: int, expected: object) -> list[str]:
        """The same command, until it ends as an undisturbed one; what a message names as damaged is removed."""
        for _ in range(_TRIES):
            process = there.start()
            if not process.wait():
                return ["hangs when it runs again"]
            refused = process.code == 2 and re.search(r"\b(already|exists)\b", process.said())  # it had got to its end
            if (process.code == code or refused) and checks.outcome(there) == expected:
                break
            if process.code == code or not checks.clear_damaged(there, process.said()):
                found = checks.outcome(there)
                return [
                    f"again: exit code {process.code}, {checks.difference(found, expected)}: {process.said()[-400:]}"
                ]
        return [f"again: {problem}" for problem in (*checks.gone(there), *checks.hidden(there))]


def main() -> None:
    parser = argparse.ArgumentParser(description=campaign.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--out", type=Path, help="folder of campaign.json and the log of faults; default: printed")
    parser.add_argument("--only", type=int, help="the number of the one fault to repeat")
    parser.add_argument("--first", type=int, default=0, help="the number of the first fault")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="campaign-")).resolve()
    folder.chmod(0o755)  # the other user passes through it
    try:
        report = _campaign(asked, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    text = json.dumps(report, indent=1) + "\n"
    if asked.out:
        asked.out.mkdir(parents=True, exist_ok=True)
        (asked.out / "campaign.json").write_text(text)
    print(text, end="")
    sys.exit(1 if report["violations"] else 0)


def _campaign(asked: argparse.Namespace, folder: Path) -> dict[str, Any]:
    start = time.monotonic()
    forked.load()
    source = prepare(folder / "inputs")
    (probe := folder / "probe").mkdir()
    mounts = can_mount(probe)
    made = Campaign(folder, asked.seed, folder / "inputs", source, FAULTS + (DISKS if mounts else ()))
    done: list[dict[str, Any]] = []
    number = asked.first if asked.only is None else asked.only
    while not done or (asked.only is None and time.monotonic() - start < 60 * asked.minutes):
        try:
            done.append(made.one(number))
        except KeyboardInterrupt:
            break
        number += 1
        if asked.out:
            asked.out.mkdir(parents=True, exist_ok=True)
            with (asked.out / "faults.jsonl").open("a") as log:
                log.write(json.dumps(done[-1]) + "\n")
        if done[-1]["problems"] or asked.only is not None:
            print(json.dumps(done[-1], indent=1), file=sys.stderr, flush=True)
    return summary(asked.seed, done, time.monotonic() - start, mounts)


def summary(seed: int, done: Sequence[dict[str, Any]], seconds: float, mounts: bool) -> dict[str, Any]:
    """Faults by command and by kind, and all that was wrong after one."""
    return {
        "version": __version__, "seed": seed, "faults": len(done),
        "seconds": round(seconds), "disks_mounted": mounts, "as_root": os.geteuid() == 0,
        "cold": sum(one["cold"] for one in done),
        "by_command": dict(Counter(one["command"] for one in done)),
        "by_fault": dict(Counter(one["fault"] for one in done)),
        "struck_while_running": sum(one["did"].rpartition(" ")[2] != "ended" for one in done),
        "violations": [one for one in done if one["problems"]],
    }  # fmt: skip


if __name__ == "__main__":
    main()
