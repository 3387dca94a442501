#!/usr/bin/env bash
# Checks adaptbench on this machine's GPU: the tests marked gpu, then a small suite of every kind of method.
# Writes gpu-check.json (hardware, versions, test outcome, the run's rows and records) to OUT, default results/gpu.
#
#   scripts/gpu_check.sh                     with the Python of the active environment
#   PYTHON=.venv/bin/python OUT=out scripts/gpu_check.sh
#
# Exit code: 0 all well, 1 a test or a cell failed, 3 no CUDA device.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python}
out=${OUT:-results/gpu}
if ! "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then
    echo "gpu_check: no CUDA device that torch can use; \"$python -m bench doctor\" says why" >&2
    exit 3
fi

mkdir -p "$out"
run="$out/run-$(date -u +%Y%m%dT%H%M%SZ)"  # a new folder each time: a check must measure, not remember
tests=0
"$python" -m pytest -n 0 -m gpu -ra --junitxml="$out/tests.xml" || tests=$?
cells=0
"$python" -m bench run gpu-check --out "$run" || cells=$?

"$python" - "$out" "$run" "$tests" "$cells" <<'PYTHON'
import json, platform, subprocess, sys
from pathlib import Path
from xml.etree import ElementTree

import torch

out, run = map(Path, sys.argv[1:3])
tests, cells = map(int, sys.argv[3:5])
card = torch.cuda.get_device_properties(0)
suite = next(ElementTree.parse(out / "tests.xml").iter("testsuite")).attrib
report = subprocess.run([sys.executable, "-m", "bench", "report", str(run), "--json"], capture_output=True, text=True)
found = {
    "schema": 1,
    "hardware": {
        "gpu": card.name,
        "memory_bytes": card.total_memory,
        "compute_capability": f"{card.major}.{card.minor}",
        "gpus": torch.cuda.device_count(),
    },
    "versions": {"python": platform.python_version(), "torch": torch.__version__, "cuda": torch.version.cuda},
    "tests": {"exit_code": tests, **{k: int(suite[k]) for k in ("tests", "failures", "errors", "skipped")}},
    "run": {"exit_code": cells, "report": json.loads(report.stdout) if report.returncode == 0 else None},
}
(out / "gpu-check.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
PYTHON

echo "gpu_check: tests exit $tests, run exit $cells; $out/gpu-check.json"
[ "$tests" -eq 0 ] && [ "$cells" -eq 0 ]
