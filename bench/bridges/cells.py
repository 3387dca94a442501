"""What the formats of other tools are told of a cell: names, texts of its items where they are at hand, predictions."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from bench.analysis import item_texts
from bench.core.errors import UsageError
from bench.core.item import Example
from bench.core.record import Record, Run
from bench.core.task import Task
from bench.metrics.formats import clean
from bench.store.run_folder import read_predictions


@dataclass(frozen=True)
class CellResult:
    """A measured cell of a run."""

    run: Run
    record: Record

    @property
    def id(self) -> str:
        """A UUID of version 4 that is the same for the same cell."""
        return str(uuid.UUID(bytes=bytes.fromhex(self.record.key)[:16], version=4))

    @property
    def lines(self) -> list[Mapping[str, Any]]:
        """Its predictions, in the order of the test items."""
        return list(read_predictions(self.run.path, self.record.key))

    @cached_property
    def task(self) -> Task | None:
        """The task as it was asked; None where it is not at hand."""
        return item_texts.asked(self.run, self.record)[0]

    @cached_property
    def examples(self) -> dict[str, Example]:
        """Item id -> item with its answers; empty where the task is not at hand."""
        return {example.id: example for example in self.task.test} if self.task else {}

    def prompt(self, item: str) -> str:
        """What the item asks, without the examples or passages that a method put before it."""
        if self.task is None or item not in self.examples:
            return ""
        example = self.examples[item]
        return example.picture.name if example.picture else self.task.prompt.ask(example)

    @property
    def made(self) -> datetime:
        """When it was measured; raises UsageError where its record does not say."""
        try:
            return datetime.fromisoformat(self.record.created).astimezone(UTC)
        except ValueError:
            said = clean(self.record.created)
            raise UsageError(f'a record says it was made at "{said}", which is no time') from None

    @property
    def settings(self) -> dict[str, Any]:
        """What tells this cell from others of its run."""
        record = self.record
        size = {} if record.train_size is None else {"train_size": record.train_size}
        return {"method": clean(record.method), "seed": record.seed, **size}


def measured(run: Run) -> list[CellResult]:
    """The cells that have scores, in the order of the suite."""
    return [CellResult(run, record) for record in run.records if record.status == "ok"]


def file_name(text: str) -> str:
    """`text` as a part of a path: letters, digits, dots, hyphens and underscores."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", clean(text)).strip(".-")[:80] or "unnamed"
