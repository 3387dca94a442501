"""What forecasts are worth, on committed runs: held-out points of learning curves, and replays of `--until-decided`.

    python -m scripts.forecasts OUT.json

A held-out point is a size of a curve whose pilots go up to a quarter of it. A replay measures a committed run again
with `run --until-decided`, where the executor hands out the cells of the archive; what it chose and what its cells had
cost is compared with all cells of the archive.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from itertools import product
from pathlib import Path

from scripts.forecasts.points import held_out, summary, told_costs
from scripts.forecasts.replays import POLICIES, Replay, in_short, replay

REPLAYED = ("reference", "smollm2", "parts-mini")  # with several seeds of a cell
FITTED = ("forecast-curves",)  # by whose curves the figures of bench.forecast.scores were chosen
COSTED = ("smollm2", "forecast-curves")  # with sizes of which one is four times another


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", choices=["points", "costs", "replays"])
    parser.add_argument("--suites", nargs="*", default=REPLAYED)
    parser.add_argument("--policies", nargs="*", default=list(POLICIES), choices=list(POLICIES))
    asked = parser.parse_args()
    found = json.loads(asked.out.read_text()) if asked.out.is_file() else {}
    if asked.only in (None, "costs"):
        found["costs"] = {name: told_costs(name) for name in COSTED}
        print(json.dumps(found["costs"], indent=1))
    if asked.only in (None, "points"):
        points = held_out()
        unseen = [point for point in points if point.run not in FITTED]
        found |= {"points": [asdict(point) for point in points], "scores": summary(points), "unseen": summary(unseen)}
        print(json.dumps({name: found[name] for name in ("scores", "unseen")}, indent=1))
    if asked.only in (None, "replays"):
        for name in asked.suites:
            others = [
                one
                for one in found.get("replays", [])
                if (one["run"], one["policy"]) not in product([name], asked.policies)
            ]
            found["replays"] = others + [asdict(one) for policy in asked.policies for one in replay(name, policy)]
            found["decided"] = in_short([Replay(**one) for one in found["replays"]])
            asked.out.write_text(json.dumps(found, indent=1) + "\n")
        print(json.dumps(found["decided"], indent=1))
    asked.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
