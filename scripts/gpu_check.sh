#!/usr/bin/env bash
# Checks adaptbench on this machine's GPU in at most 8 minutes, see docs/gpu.md. Writes gpu-check.json to OUT, default
# results/gpu (results/local/gpu with --dry), after every step. A bare image will do: python with torch, transformers, peft, sentence-transformers.
#
#   scripts/gpu_check.sh                     with the Python of the active environment
#   PYTHON=.venv/bin/python OUT=out scripts/gpu_check.sh
#   scripts/gpu_check.sh --dry               every step on tiny shapes on the CPU
#
# Exit code: 0 all well, 1 a step failed, 3 no CUDA device.
set -euo pipefail
cd "$(dirname "$0")/.."
exec "${PYTHON:-python}" -m scripts.gpu_check ${OUT:+--out "$OUT"} "$@"
