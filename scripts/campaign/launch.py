"""Starts adaptbench for a fault: with a clock that moves, or with a model to fetch that is small.

`ADAPTBENCH_CAMPAIGN` holds JSON: `clock`: [seconds until it moves, by how many], `source`: fields of a
`bench.model.fetch.Source` in place of smollm2's.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[2])
import adaptbench


def move_clock(after: float, seconds: float) -> None:
    """Have `time.time` jump by so many seconds once `after` have passed."""
    real, start = time.time, time.monotonic()
    time.time = lambda: real() + (seconds if time.monotonic() - start > after else 0.0)


def change(changes: dict[str, Any]) -> None:
    """Do what stands in `ADAPTBENCH_CAMPAIGN`."""
    if "clock" in changes:
        move_clock(*changes["clock"])
    if "source" in changes:
        from bench.model import fetch

        fetch.SOURCES["smollm2"] = fetch.Source(**changes["source"])


if __name__ == "__main__":
    adaptbench.pin()
    change(json.loads(os.environ["ADAPTBENCH_CAMPAIGN"]))
    adaptbench.main()
