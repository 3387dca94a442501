"""The JSON report and its schema: all that is written is valid and described, what is wrong is refused."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from bench.analysis.summary import Spread, SummaryRow
from bench.core.counterfactual import Slot
from bench.core.identity import (
    CounterfactualSettings,
    Identity,
    MethodParts,
    ModelIdentity,
    PartSettings,
    ProbeSettings,
    Surroundings,
    TaskIdentity,
    TuningSettings,
)
from bench.core.measured import Environment, FlopCheck, Latency, Parameters
from bench.core.phases import Phase
from bench.core.record import CellRef, CheckpointScores, Failure, Record, ScaledScores, Score
from bench.core.training import BatchWork, Judged, Losses, ShapeTrial, StepSeconds, Training, TriedShape, Tuning
from bench.core.values import OptionValue
from bench.report.data import SCHEMA, schema, to_json
from bench.store import run_folder
from tests.report.test_report import HOSTILE, failed, record, run, unmeasured

ROOT = Path(__file__).parents[2]
MEASURED = sorted((ROOT / "results").glob("*.run.zip"))
VALIDATOR = Draft202012Validator(schema(), format_checker=Draft202012Validator.FORMAT_CHECKER)


def full(**changes: Any) -> Record:
    """A record with something in every field."""
    scores = {"accuracy": Score(0.5, "how")}
    options: dict[str, OptionValue] = {"rank": 8, "learning_rate": (1e-3, 1e-2), "alpha": None}
    slot = Slot("name", ("text",), swap=(("Ann", "Bob"),))
    return record(
        **{
            "suite_method": "lora",
            "train_size": 40,
            "parts": MethodParts(PartSettings("lora", options), PartSettings("rag", {"top_k": 3}), retrieves=True),
            "kind": "choice",
            "questions": "q",
            "item_failures": {"item_too_long": 1},
            "dropped": {"passages_dropped": 2},
            "tokens": {"prompt_tokens": 30},
            "phases": {"train": Phase(1.0, 2, 3, 4, 5.0, "", 6, 0.5)},
            "tuning": Tuning({"k": (4, 8)}, (Judged({"k": 4}, None, 1.0),), {"k": 8}, "accuracy", 20, {"k": "highest"}),
            "training": Training(
                rate=1e-3, steps=9, epochs=3.0, tokens=5, train_loss=((8, 1.5),), validation_loss=((8, 2.5),),
                best_validation_loss=2.5, best_step=8, micro_batch=4, packed=True, work=BatchWork(5, 2, 9),
                shape_trial=ShapeTrial((TriedShape(2, True, 1.0), TriedShape(4, True, 1.2)), 3.5),
                step_seconds=StepSeconds(4, 0.1, 0.2, 0.3, 0.4, 0.0), loss=Losses(1.0, 2.0, 1.0), examples=7,
            ),
            "on_train": scores,
            "retrieval": {"hit@1": 0.5, "questions": 9.0},
            "latency": {"served": Latency(0.1, 0.2, 0.0, 24)},
            "flop_check": {"predict": FlopCheck(7, 8)},
            "parameters": Parameters(10, 1, 4, 0),
            "weights_changed": True,
            "chance": 0.25,
            "ranked_by": "pmi",
            "divergence": 0.5,
            "probes": {"facts": scores},
            "counterfactual": {"name": {"test/1": True}},
            "curve": (CheckpointScores(4, scores, {"facts": scores}),),
            "batch_limits": {"batch_tokens": 8192},
            "over_budget": ("latency without the prefix cache",),
            "scaled": (ScaledScores(0.5, scores, {"facts": scores}),),
            "identity": Identity(
                3, ModelIdentity("d", {"dtype": "auto"}), TaskIdentity("t", 9), {"lora": options, "rag": {}}, 0,
                Surroundings("cpu", "float32", None, {"version": 1}), train_size=40,
                probes=ProbeSettings(5, ("p",), 2, (0.5,)),
                counterfactuals=CounterfactualSettings(5, (slot,)), tuning=TuningSettings(3, 0),
            ),
            "environment": Environment("0.1", device="cpu", threads=1, packages={"torch": "2", "peft": None}),
            **changes,
        }
    )  # fmt: skip


def content() -> dict[str, Any]:
    found = json.loads(json.dumps(to_json([run(full(), failed("rag"), missing=(unmeasured("lora", 1),))])))
    assert isinstance(found, dict)
    return found


def wrong(found: dict[str, Any]) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(found)]


class TestWhatIsWritten:
    def test_the_schema_is_one(self) -> None:
        Draft202012Validator.check_schema(schema())
        assert schema()["properties"]["schema"]["const"] == SCHEMA

    def test_every_field_filled(self) -> None:
        assert wrong(content()) == []

    def test_nothing_filled(self) -> None:
        assert wrong(to_json([])) == []
        assert wrong(to_json([run(record(phases={}))])) == []
        assert (
            wrong(
                to_json(
                    [
                        run(
                            failed(),
                            missing=(CellRef("a" * 64, "m", "facts", "base", 0, is_base=True), unmeasured("full")),
                        )
                    ]
                )
            )
            == []
        )

    def test_what_is_no_number(self) -> None:
        nan = float("nan")
        odd = full(scores={"accuracy": nan}, phases={"train": Phase(nan, 1)}, divergence=float("inf"))
        assert wrong(json.loads(json.dumps(to_json([run(odd)]), allow_nan=False))) == []

    def test_hostile_text(self) -> None:
        odd = full(method=HOSTILE, task=HOSTILE, probes={HOSTILE: {HOSTILE: Score(1.0)}}, tokens={HOSTILE: 1})
        assert wrong(to_json([run(odd, failed(message=HOSTILE))])) == []

    @pytest.mark.parametrize("archive", MEASURED, ids=lambda path: path.name)
    def test_measured_runs(self, archive: Path) -> None:
        assert wrong(json.loads(json.dumps(to_json([run_folder.read_run(archive)])))) == []


def changed(path: str, value: Any) -> dict[str, Any]:
    """The content with `value` at `path`; a value of ... takes the field out."""
    found = copy.deepcopy(content())
    *way, last = path.split(".")
    at: Any = found["runs"][0] if way or last not in found else found
    for step in way:
        at = at[int(step) if step.isdecimal() else step]
    if value is ...:
        del at[last]
    else:
        at[int(last) if last.isdecimal() else last] = value
    return found


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("schema", 1, "$.schema"),
        ("runs", {}, "$.runs"),
        ("suite", ..., "'suite' is a required property"),
        ("surprise", 1, "'surprise' was unexpected"),
        ("rows.0.status", "fine", "$.runs[0].rows[0].status"),
        ("rows.0.scores.accuracy.n", 0, "minimum of 1"),
        ("rows.0.scores.accuracy", 0.5, "rows[0].scores.accuracy"),
        ("rows.1.failures.0", [0], "rows[1].failures[0]"),
        ("rows.1.failures.0", [0, {"kind": "k", "message": ""}, 1], "rows[1].failures[0]"),
        ("rows.0.peak_of", "gpu", "peak_of"),
        ("records.0.status", ..., "'status' is a required property"),
        ("records.0.created", 5, "created"),
        ("records.0.items", -1, "records[0].items"),
        ("records.0.phases.train.wall_s", "2 s", "wall_s"),
        ("records.0.phases.train.wall_s", -1.0, "wall_s"),
        ("records.0.phases.train.seconds", 2, "'seconds' was unexpected"),
        ("records.0.scores.accuracy.value", "high", "value"),
        ("records.0.tokens.prompt_tokens", 1.5, "prompt_tokens"),
        ("records.0.latency.served.p50", ..., "'p50' is a required property"),
        ("records.0.training.train_loss", [[1.5, 8]], "train_loss"),
        ("records.0.tuning", {"grid": {}}, "tuning"),
        ("records.0.counterfactual.name", {"test/1": "yes"}, "counterfactual"),
        ("records.0.curve.0.probes", ..., "'probes' is a required property"),
        ("records.0.schema", 1, "records[0].schema"),
    ],
)
def test_what_is_wrong_is_refused(path: str, value: Any, says: str) -> None:
    found = wrong(changed(path, value))
    assert any(says in line for line in found), found


class TestDescription:
    @pytest.mark.parametrize(
        "kind", [Record, Phase, Score, Failure, Spread, Latency, Training, Tuning, Judged, Identity]
    )
    def test_fields_are_those_of_the_code(self, kind: Any) -> None:
        assert set(schema()["$defs"][kind.__name__]["properties"]) == {field.name for field in fields(kind)}

    def test_a_row_has_its_status_and_metric_too(self) -> None:
        names = {field.name for field in fields(SummaryRow)} | {"status", "metric"}
        assert set(schema()["$defs"]["SummaryRow"]["properties"]) == names

    def test_units_and_ranges_are_those_of_the_types(self) -> None:
        phase = schema()["$defs"]["Phase"]["properties"]
        assert phase["wall_s"] == {
            "type": ["number", "null"],
            "minimum": 0,
            "description": "wall time in seconds, with the device synchronised at both ends",
        }
        assert schema()["$defs"]["Record"]["properties"]["status"]["enum"] == ["ok", "failed"]

    def test_every_property_says_what_it_is(self) -> None:
        silent = [
            name for name, of in properties(schema()) if not of.get("description", "").strip() and "$ref" not in of
        ]
        assert silent == []


def properties(part: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every named property anywhere in a schema."""
    if isinstance(part, dict):
        yield from part.get("properties", {}).items()
        for inner in part.values():
            yield from properties(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from properties(inner)
