"""What several ranks of a cell cannot do, told before anything is measured."""

from __future__ import annotations

from collections.abc import Mapping

from bench.core.errors import UsageError
from bench.core.method import GRADIENT, Method


def refuse_undivided(ranks: int, device: str, checkpoints: int, methods: Mapping[str, Method], where: str) -> None:
    """Raise UsageError, with a line for each problem, where a suite asks what needs a single process.

    `methods`: by the labels that reports show.
    """
    problems = [f"device {device} is one GPU; take cuda"] if ":" in device else []
    if checkpoints:
        problems.append("checkpoints need one rank; take 0")
    for label, method in methods.items():
        if method.weights.learner == GRADIENT:
            problems += [f"{label}: {problem}" for problem in _undivided(ranks, method)]
    if problems:
        raise UsageError("\n".join(f"{where}: engine.ranks: {ranks}: {problem}" for problem in problems))


def _undivided(ranks: int, method: Method) -> list[str]:
    options, found = method.weights.options, []
    if options.criterion == "metric":
        found.append("criterion metric needs one rank; take loss")
    if options.batch_size % ranks:
        found.append(f"batch_size {options.batch_size} cannot be dealt out evenly")
    if method.weights.base_form:
        found.append(f"a base in {method.weights.base_form} cannot be sharded")
    return found
