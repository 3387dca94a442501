"""A judge asked by the same engine as any other model: the method `zero-shot` on a choice task of comparisons."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from bench.config import suite as suites
from bench.core.errors import CellError, UsageError
from bench.core.explain import explain
from bench.core.record import Record
from bench.judging.questions import Comparison, write_task
from bench.model.resolve import ModelSpec
from bench.runs import runner, suite_run
from bench.runs.time_left import CellWork
from bench.store.run_folder import read_predictions, read_run
from tasks.loader.spec import Judging

Display = Callable[[Mapping[str, CellWork]], AbstractContextManager[runner.Display]]
_UNMEASURED = {"latency": "off", "training_items": "off", "flop_check": "off"}


@dataclass(frozen=True)
class Judge:
    """A model as a suite would name it, and where it runs."""

    entry: Mapping[str, Any]
    device: str = "auto"

    @property
    def called(self) -> str:
        """How reports call it; raises UsageError for an entry that names no model."""
        try:
            return ModelSpec.model_validate(dict(self.entry)).called
        except ValidationError as error:
            raise UsageError("\n".join(f"the judge: {line}" for line in explain(error, ModelSpec))) from None


@dataclass(frozen=True)
class Said:
    """What a judge said of comparisons."""

    answered: Mapping[str, str]  # id of a comparison in one order -> the choice; none where it gave no judgement
    record: Record


def ask(judge: Judge, judging: Judging, comparisons: Sequence[Comparison], folder: Path, display: Display) -> Said:
    """The judge's choices, from a run of one cell in `folder`; what is measured there already is not asked again.

    Raises:
        UsageError: there is no such model, or it is of a kind that cannot judge.
        CellError: it could not be asked.
    """
    write_task(folder / "task", f"judged-{folder.name}", judging, comparisons)
    content = {
        "name": f"judge-{folder.name}",
        "models": [dict(judge.entry)],
        "tasks": ["task"],
        "methods": ["zero-shot"],
        "embedder": "none",
        "measure": _UNMEASURED,
        "engine": {"device": judge.device},
    }
    file = folder / "suite.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
    suite_run.measure(suites.load(file), file, folder / "run", None, display)
    record = read_run(folder / "run").records[0]
    if record.failure is not None:
        raise CellError(f"the judge {judge.called} could not be asked: {record.failure.message}")
    lines: Sequence[Mapping[str, Any]] = read_predictions(folder / "run", record.key)
    return Said({line["id"].partition("/")[2]: line["output"] for line in lines if not line.get("failure")}, record)
