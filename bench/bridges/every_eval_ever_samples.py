"""The items of a cell as Every Eval Ever's `<uuid>_samples.jsonl`: a line for each item and metric.

Schema version 0.3.0 of github.com/evaleval/every_eval_ever, every_eval_ever/schemas/instance_level_eval.schema.json.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from bench.bridges.cells import CellResult
from bench.core.hashing import sha256
from bench.core.item import Example
from bench.metrics.extract import extract


def samples(cell: CellResult, entry: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The lines of a cell, whose record is `entry`; none where its task or its answers are not at hand.

    Metrics of a whole corpus, such as BLEU, have no value of an item, and so no line.
    """
    lines = [line for line in cell.lines if str(line["id"]) in cell.examples and "output" in line]
    of_items = {name: [(line.get("metrics") or {}).get(name) for line in lines] for name in cell.record.scores}
    zero_or_one = {name for name, values in of_items.items() if {0, 1}.issuperset(values)}
    return [
        {**_of_item(cell, entry, line), **_of_metric(entry, place, value, name in zero_or_one)}
        for line in lines
        for place, (name, value) in enumerate(_values(cell, line))
        if value is not None
    ]


def _values(cell: CellResult, line: Mapping[str, Any]) -> Iterator[tuple[str, float | None]]:
    """The metrics of the record, in its order, with the item's value."""
    return ((name, (line.get("metrics") or {}).get(name)) for name in cell.record.scores)


def _of_item(cell: CellResult, entry: Mapping[str, Any], line: Mapping[str, Any]) -> dict[str, Any]:
    item, answer = str(line["id"]), str(line.get("output") or "")
    example = cell.examples[item]
    return {
        "schema_version": entry["schema_version"],
        "evaluation_id": entry["evaluation_id"],
        "model_id": entry["model_info"]["id"],
        "sample_id": item,
        "sample_hash": _hash(cell.prompt(item), example),
        "interaction_type": "single_turn",
        "input": {
            "raw": cell.prompt(item),
            "reference": list(example.references),
            **({"choices": list(example.choices)} if example.choices else {}),
        },
        "output": {"raw": [answer]},
        "answer_attribution": [_attribution(cell, answer)],
        **_tokens(line),
        **({"error": str(line["failure"])} if line.get("failure") else {}),
    }


def _of_metric(entry: Mapping[str, Any], place: int, value: float, zero_or_one: bool) -> dict[str, Any]:
    """`is_correct` says something of metrics that are 0 or 1 alone; `metadata` tells which these are."""
    result = entry["evaluation_results"][place]
    return {
        "evaluation_name": result["evaluation_name"],
        "evaluation_result_id": result["evaluation_result_id"],
        "evaluation": {"score": value, "is_correct": zero_or_one and value == 1},
        "metadata": {
            "metric_id": result["metric_config"]["metric_id"],
            "is_correct_applicable": "true" if zero_or_one else "false",
        },
    }


def _attribution(cell: CellResult, answer: str) -> dict[str, Any]:
    """How the answer that is scored came from the output."""
    assert cell.task is not None  # it has examples
    rule = cell.task.extract
    ranked = cell.task.kind == "choice"
    return {
        "turn_idx": 0,
        "source": "output.raw",
        "extracted_value": extract(rule, answer) if rule else answer,
        "extraction_method": rule.rule if rule else "choice" if ranked else "whole output",
        "is_terminal": True,
    }


def _hash(raw: str, example: Example) -> str:
    """As the schema's own tools hash an item, in any order of data sets and models."""
    content = {"raw": raw, "reference": list(example.references)}
    return sha256(json.dumps(content, sort_keys=True, separators=(",", ":")))


def _tokens(line: Mapping[str, Any]) -> dict[str, Any]:
    read, written = line.get("prompt_tokens"), line.get("output_tokens")
    if read is None or written is None:
        return {}
    return {"token_usage": {"input_tokens": read, "output_tokens": written, "total_tokens": read + written}}
