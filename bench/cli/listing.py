"""What `adaptbench list` prints. Reads names and descriptions only: no data, no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.core.errors import TaskError, UsageError
from bench.core.method import Method
from bench.core.model_kind import DESCRIPTIONS, fits
from bench.core.quoting import plain


def lines(what: str, results: Path) -> Iterator[str]:
    """Lines of `adaptbench list what`; `results` is where runs are looked for."""
    yield from {"tasks": _tasks, "methods": _methods, "models": _models, "suites": _suites}.get(
        what, lambda: _runs(results)
    )()


def _columns(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _tasks() -> Iterator[str]:
    import tasks

    rows, broken = [], [str(error) for error in tasks.plugins().values() if isinstance(error, UsageError)]
    for name, path in tasks.available().items():
        try:
            spec = tasks.describe(path)
        except TaskError as error:  # of another distribution: the others can still be listed
            broken += error.problems
        else:
            rows.append((name, spec.kind, spec.description))
    yield from _columns(rows)
    yield from (f"cannot be used: {line}" for line in broken)


def _methods() -> Iterator[str]:
    import methods

    yield from _columns(
        [(name, _kinds(methods.create(name)), description) for name, description in methods.available().items()]
    )
    broken = (error for error in methods.plugins().values() if isinstance(error, UsageError))
    yield from (f"cannot be used: {error}" for error in broken)
    yield "join a weights part (lora, full, scratch) and a context part (few-shot, rag) with +, as in lora+rag"


def _kinds(method: Method) -> str:
    """The kinds of models that a method is for."""
    return ", ".join(kind for kind in DESCRIPTIONS if fits(method, kind))


def _models() -> Iterator[str]:
    from bench.model.resolve import BUILT_IN

    yield from _columns(list(BUILT_IN.items()))
    yield "or any folder with a causal language model or an encoder in safetensors, a GGUF file, or any Hub id"


def _suites() -> Iterator[str]:
    from bench.config import suite

    rows = [(name, suite.load(path).description) for name, path in suite.available().items()]
    return _columns(rows)


def _runs(results: Path) -> Iterator[str]:
    from bench.store.run_folder import read_run, runs

    rows = []
    for path in runs(results):
        try:
            run = read_run(path)
        except UsageError as error:
            rows.append((plain(str(path)), "", plain(str(error))))
            continue
        ok = sum(record.status == "ok" for record in run.records)
        total = len(run.records) + len(run.missing)
        rows.append((plain(str(path)), plain(run.suite), f"{ok} of {total} cells measured"))
    return _columns(rows) if rows else iter([f"no runs below {results}/; `adaptbench run` makes one"])
