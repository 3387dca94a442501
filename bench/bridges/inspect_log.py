"""A run as logs of Inspect, one for each cell, written by Inspect's own writer: `inspect view` opens them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.bridges.cells import CellResult, file_name, measured
from bench.core.errors import UsageError
from bench.core.missing_package import need
from bench.core.record import Run
from bench.metrics.formats import clean

EXTRA = "inspect"


def write(runs: Sequence[Run], folder: Path) -> list[Path]:
    """Write a log of every measured cell into `folder`; the files written. Failed cells have no answers to show.

    Raises:
        UsageError: Inspect is not installed, or the folder cannot be written.
    """
    log = need("inspect_ai.log", EXTRA)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files = []
        for cell in (cell for run in runs for cell in measured(run)):
            file = folder / _name(cell)
            log.write_eval_log(_log(log, cell), str(file), format="eval")
            files.append(file)
    except OSError as error:
        raise UsageError(f"cannot write to {folder}: {error.strerror or error}") from None
    return files


def _name(cell: CellResult) -> str:
    """As Inspect names its files: time, task, id."""
    record = cell.record
    time = cell.made.strftime("%Y-%m-%dT%H-%M-%S+00-00")
    what = file_name(f"{record.task}-{record.model}-{record.method}-seed{record.seed}").replace("_", "-")
    return f"{time}_{what}_{record.key[:22]}.eval"


def _log(log: Any, cell: CellResult) -> Any:
    record, lines, created = cell.record, cell.lines, cell.made.isoformat()
    primary = next(iter(record.scores), "")
    seconds = sum(phase.wall_s for phase in record.phases.values())
    spec = log.EvalSpec(
        eval_id=record.key[:22],
        run_id=clean(cell.run.suite),
        created=created,
        task=clean(record.task),
        task_id=record.questions[:22] or clean(record.task),
        task_args=cell.settings,
        dataset=log.EvalDataset(
            name=clean(record.task), samples=record.items, sample_ids=[str(line["id"]) for line in lines]
        ),
        model=clean(record.model),
        config=log.EvalConfig(),
        packages={"adaptbench": record.environment.adaptbench},
        metadata={**cell.settings, "suite": clean(cell.run.suite), "key": record.key, "primary_metric": primary},
    )
    scores = [
        log.EvalScore(name=name, scorer=name, metrics={"mean": log.EvalMetric(name="mean", value=score.value)},
                      metadata={"signature": score.signature})
        for name, score in record.scores.items()
    ]  # fmt: skip
    samples = list(_samples(cell, lines))
    return log.EvalLog(
        status="success",
        eval=spec,
        results=log.EvalResults(total_samples=record.items, completed_samples=record.items, scores=scores),
        stats=log.EvalStats(started_at=created, completed_at=created, model_usage={spec.model: _usage(record.tokens)}),
        samples=samples,
        metadata={"measured_seconds": seconds},
    )


def _usage(tokens: Any) -> Any:
    """Tokens that were read and written."""
    model = need("inspect_ai.model", EXTRA)
    read, written = (int(tokens.get(f"{name}_tokens") or 0) for name in ("prompt", "output"))
    return model.ModelUsage(input_tokens=read, output_tokens=written, total_tokens=read + written)


def _samples(cell: CellResult, lines: Sequence[Any]) -> Iterator[Any]:
    log, model, scorer = (need(f"inspect_ai.{name}", EXTRA) for name in ("log", "model", "scorer"))
    for line in lines:
        item, answer = str(line["id"]), str(line.get("output") or "")
        example = cell.examples.get(item)
        values = dict(line.get("metrics") or {})
        failure = {"failure": line["failure"]} if line.get("failure") else {}
        asked = cell.prompt(item) or f"(text of {item} is not at hand)"
        yield log.EvalSample(
            id=item,
            epoch=1,
            input=asked,
            choices=list(example.choices) if example and example.choices else None,
            target=list(example.references) if example else "",
            messages=[model.ChatMessageUser(content=asked), model.ChatMessageAssistant(content=answer)],
            output=model.ModelOutput.from_content(clean(cell.record.model), answer),
            scores={name: scorer.Score(value=value, answer=answer) for name, value in values.items()},
            model_usage={clean(cell.record.model): _usage(line)},
            metadata={**failure, **({"confidence": line["confidence"]} if "confidence" in line else {})},
        )
