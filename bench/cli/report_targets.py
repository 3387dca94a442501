"""Where a report can go beside the terminal and files of its own: trackers, and the formats of other tools."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from bench.core.errors import UsageError

if TYPE_CHECKING:
    from bench.core.record import Run


def sent_to(runs: Sequence[Run], html: Path | None, hub_datasets: Sequence[str], **sent: str | None) -> Iterator[str]:
    """Log to the trackers and write the formats that are asked for, places by name; what went where, as it is asked.

    Raises:
        UsageError: an option is wrong; later a package is missing, or a place cannot be written.
    """
    if hub_datasets and not sent["eval_results"]:
        raise UsageError("--hub-dataset goes with --eval-results FOLDER")
    return _sent(runs, html, named_datasets(hub_datasets), sent)


def _sent(
    runs: Sequence[Run], html: Path | None, ranked: Mapping[str, str], sent: Mapping[str, str | None]
) -> Iterator[str]:
    for name in ("mlflow", "wandb", "trackio"):
        if (place := sent[name]) is not None:
            yield import_module(f"bench.report.trackers.{name}").log(runs, html, place)
    for name, given in (("inspect", ()), ("every_eval_ever", ()), ("eval_results", (ranked,))):
        if (place := sent[name]) is not None:
            module = import_module(f"bench.bridges.{_WRITERS.get(name, name)}")
            yield from map(str, module.write(runs, Path(place), *given))


_WRITERS = {"inspect": "inspect_log"}  # option -> module


def named_datasets(texts: Sequence[str]) -> dict[str, str]:
    """Task -> the data set of the Hub that ranks it, of texts TASK=OWNER/NAME or TASK=OWNER/NAME:TASK_ID."""
    return dict(map(_named, texts))


def _named(text: str) -> tuple[str, str]:
    task, _, dataset = text.partition("=")
    if not task or dataset.count("/") != 1:
        raise UsageError(f"--hub-dataset {text}: give TASK=OWNER/NAME or TASK=OWNER/NAME:TASK_ID")
    return task, dataset
