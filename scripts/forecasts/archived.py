"""Cells of a suite beside the records of its archive."""

from __future__ import annotations

from pathlib import Path

from bench.core.phases import spent
from bench.core.record import Record
from bench.runs.cells import Cell

RESULTS = Path(__file__).parent.parent.parent / "results"


def name_of(cell: Cell) -> tuple[object, ...]:
    ref = cell.ref
    return ref.model, ref.task, ref.method, ref.seed, ref.is_base


def name_of_record(record: Record) -> tuple[object, ...]:
    return record.model, record.task, record.method, record.seed, False


def seconds_of(record: Record) -> float:
    return sum(map(spent, record.phases.values()))
