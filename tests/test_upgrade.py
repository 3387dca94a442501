"""Runs that earlier versions wrote: committed ones read with every figure as it was, and each difference by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

import methods
from bench.core.errors import UsageError
from bench.core.hashing import canonical, sha256
from bench.core.identity import Identity, MethodParts, PartSettings
from bench.core.method import ContextPart, WeightsPart
from bench.core.record import CellRef, Record, Run
from bench.store import run_folder, upgrade
from bench.store.archive import files_of
from bench.store.json_files import read_json, write_json
from bench.store.listing import RUN_FILE, Listing, read_listing

ROOT = Path(__file__).parents[1]
FIRST_FORMAT = ("any-model", "banking77", "e2e-nlg", "popqa", "reference")
COMMITTED = [ROOT / "results" / f"{name}.run.zip" for name in FIRST_FORMAT]


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, f"{path}.{name}")
    elif isinstance(value, list | tuple):
        for i, inner in enumerate(value):
            yield from leaves(inner, f"{path}.{i}")
    else:
        yield path, value


@pytest.mark.parametrize("file", COMMITTED, ids=lambda file: file.name)
def test_committed_runs_read_with_every_figure_as_it_was(file: Path) -> None:
    cells = files_of(file) / "cells"
    for folder in cells.iterdir():
        raw = read_json(folder / run_folder.RECORD)
        record = run_folder.read_record(folder / run_folder.RECORD)
        now = dict(leaves(asdict(record)))
        changed = {path for path, value in leaves(raw) if now.get(path, ...) != value}
        settings = {f".identity.model.{name}" for name in record.identity.model.settings}
        assert changed <= {".schema", ".environment.platform", ".questions", *settings}
        assert {"digest": record.identity.model.digest, **record.identity.model.settings} == raw["identity"]["model"]
        assert f"{record.environment.system} {record.environment.machine}" == raw["environment"]["platform"]
        assert sha256(canonical(record.identity.content())) == record.key
        weights, context = (methods.parts()[part.name] for part in (record.parts.weights, record.parts.context))
        assert issubclass(weights, WeightsPart)
        assert issubclass(context, ContextPart)
        assert record.questions


def old(tmp_path: Path, **changes: Any) -> Record:
    content = {
        "key": "k",
        "model": "m",
        "task": "t",
        "method": "x",
        "seed": 0,
        "status": "ok",
        "created": "",
        **changes,
    }
    write_json(tmp_path / "record.json", {"schema": 1, **content})
    return run_folder.read_record(tmp_path / "record.json")


def test_what_was_not_measured_is_none(tmp_path: Path) -> None:
    found = old(tmp_path, training={}, tuning={}, parameters={}, latency={}, curve=[], environment={}, identity={})
    assert (found.training, found.tuning, found.parameters) == (None, None, None)
    assert (found.identity, found.curve, found.environment.platform) == (Identity(), (), "")


def test_training_loses_what_it_had_of_the_search(tmp_path: Path) -> None:
    found = old(tmp_path, training={"tokens": 5, "trials": [], "step_seconds": {}, "train_loss": [[8, 1.5]]}).training
    assert found
    assert (found.tokens, found.step_seconds, found.train_loss) == (5, None, ((8, 1.5),))


@pytest.mark.parametrize(
    ("method", "retrieves", "is_control"),
    [
        ({"frozen": {}, "rag": {"top_k": 3, "control": "none"}}, True, False),
        ({"frozen": {}, "rag": {"top_k": 3, "control": "oracle"}}, False, True),
        ({"lora": {"rank": 8}, "few-shot": {"select": "stratified"}}, False, False),
        ({"lora": {"rank": 8}, "few-shot": {"select": ["stratified", "similar"]}}, True, False),
    ],
)
def test_parts_come_from_the_content_of_the_key(
    method: dict[str, Any], retrieves: bool, is_control: bool, tmp_path: Path
) -> None:
    found = old(tmp_path, identity={"method": method, "train_size": 40})
    (weights, _), (context, options) = method.items()
    assert found.train_size == 40
    assert (found.parts.weights.name, found.parts.context.name) == (weights, context)
    assert list(found.parts.context.options) == list(options)
    assert (found.parts.retrieves, found.parts.is_control) == (retrieves, is_control)


def test_the_size_of_a_point_of_a_curve_was_in_its_label(tmp_path: Path) -> None:
    labels = ["lora", "lora, 40 items", "of, 7 items, kind"]
    cells = [{"key": str(i), "name": "n", "model": "m", "task": "t", "method": label, "seed": i}
             for i, label in enumerate(labels)]  # fmt: skip
    write_json(tmp_path / RUN_FILE, {"schema": 1, "suite": "s", "cells": cells})
    found = read_listing(tmp_path).cells
    assert [(cell.suite_method, cell.train_size) for cell in found] == [
        ("lora", None), ("lora", 40), ("of, 7 items, kind", None),
    ]  # fmt: skip
    assert {cell.task_path for cell in found} == {"t"}


def test_what_a_later_version_wrote_is_refused_in_a_line(tmp_path: Path) -> None:
    file = tmp_path / "record.json"
    record = Record("k", "m", "t", "x", 0, "ok", "", parts=MethodParts(PartSettings("lora", {"rank": 8})))
    for change, words in (({"schema": 3}, "schema 3 is not known"), ({"surprise": 1}, "surprise: ")):
        write_json(file, {**json.loads(json.dumps(asdict(record))), **change})
        with pytest.raises(UsageError, match=words) as caught:
            run_folder.read_record(file)
        assert "\n" not in str(caught.value)


def test_what_is_of_this_version_is_left_alone() -> None:
    content = asdict(Record("k", "m", "t", "x", 0, "ok", ""))
    assert upgrade.record(content) is content


@pytest.mark.parametrize("kind", [Record, Run, CellRef, Listing])
def test_records_are_typed_to_the_last_field(kind: type) -> None:
    untyped = [f"{owner.__name__}.{name}" for owner, name, hint in hints(kind) if hint in (Any, dict, list)]
    assert untyped == []


def hints(kind: type, seen: set[type] | None = None) -> Iterator[tuple[type, str, Any]]:
    """Every type that the fields of a dataclass name, and those of the dataclasses among them."""
    seen = set() if seen is None else seen
    if kind in seen:
        return
    seen.add(kind)
    known = get_type_hints(kind, include_extras=True)
    for field in fields(kind):
        waiting = [known[field.name]]
        while waiting:
            hint = waiting.pop()
            yield kind, field.name, hint
            waiting += [hint.__value__] if hasattr(hint, "__value__") else list(get_args(hint))
            if is_dataclass(hint) and isinstance(hint, type):
                yield from hints(hint, seen)
