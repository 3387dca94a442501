"""A run folder damaged by hand or by disk: every reader says so in a line, or reads what is left."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.core.errors import UsageError
from bench.core.hashing import derive_seed
from bench.core.training import Losses, Training
from bench.store.lines import lines_of
from bench.store.run_folder import read_record
from tests.gate.made import Made
from tests.gate.test_gate_cli import ended

VALUES: tuple[Any, ...] = (None, "", "%s", "[red]x[/red]", "\u2028", 2**31, -1, 1e308, True, [], {}, {"": ""}, ["x"])
FILES = ("run.json", "suite.yaml", "record.json", "record.json", "predictions.jsonl", "probe-facts.jsonl")
COMMANDS: tuple[Callable[[Path, Path, Path], list[object]], ...] = (
    lambda run, sound, page: ["report", run, "--html", page],
    lambda run, sound, page: ["decide", run],
    lambda run, sound, page: ["compare", sound, run],
    lambda run, sound, page: ["history", sound, run],
    lambda run, sound, page: ["gate", "--baseline", run, "--candidate", sound],
)
NUMBERS = [*range(8), *(pytest.param(n, marks=pytest.mark.slow) for n in range(8, 200))]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a trained and an untrained method with a probe."""
    made = Made(tmp_path_factory.mktemp("runs") / "sound")
    made.cell("base", [1.0, 0.0] * 5, task="facts", metric="exact_match", is_base=True)
    made.cell("zero-shot", [1.0, 0.0] * 10)
    for seed in range(2):
        training = Training(loss=Losses.of(0.5, 0.7))
        made.cell("full", [1.0, 1.0, 0.0, 1.0] * 5, seed=seed, probes={"facts": [1.0, 0.0] * 5}, training=training)
    return made.done()


def damage(run: Path, rng: random.Random) -> str:
    """Change one value, or one byte, of one file; returns what was done."""
    file = rng.choice(sorted(run.glob(rng.choice(("", "cells/*/")) + rng.choice(FILES))) or [run / "run.json"])
    if file.suffix == ".yaml" or rng.random() < 0.2:
        content = bytearray(file.read_bytes())
        content[rng.randrange(len(content))] = rng.choice(b'\xb9\n{}"0')
        file.write_bytes(content)
        return f"a byte of {file.name}"
    objects = [json.loads(line) for line in file.read_text().splitlines()] if file.suffix == ".jsonl" else []
    document = rng.choice(objects) if objects else json.loads(file.read_text())
    where = spoil(document, rng)
    file.write_text("".join(json.dumps(line) + "\n" for line in objects or [document]))
    return f"{where} of {file.relative_to(run)}"


def spoil(document: Any, rng: random.Random) -> str:
    """Change or remove one value somewhere in a JSON document."""
    places: list[tuple[Any, Any]] = []
    stack = [document]
    while stack:
        node = stack.pop()
        keys = list(node) if isinstance(node, dict) else list(range(len(node))) if isinstance(node, list) else []
        places += [(node, key) for key in keys]
        stack += [node[key] for key in keys]
    node, key = rng.choice(places)
    if rng.random() < 0.25:
        del node[key]
        return f"{key} removed"
    node[key] = rng.choice(VALUES)
    return f"{key} = {node[key]!r}"


@pytest.mark.parametrize("number", NUMBERS)
def test_no_reader_calls_damage_its_own_defect(
    number: int, sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, rng = tmp_path / "run", random.Random(derive_seed("damage", number))
    shutil.copytree(sound, run)
    said = damage(run, rng)
    for command in COMMANDS:
        code, _, err = ended(capsys, *command(run, sound, tmp_path / "page.html"))
        assert code in range(6), (said, command, err)
        assert code != 2 or len(err.splitlines()) == 1, (said, err)


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("", "it is empty"),
        ('{"id": "a", "output": "x"}', "item 0, metrics: Field required"),
        ('{"id": 7, "output": "x", "metrics": {"accuracy": 1.0}}', "item 0, id: Input should be a valid string"),
        ('{"id": "a", "output": "x", "metrics": {"accuracy": {}}}', "item 0, metrics.accuracy"),
        ('{"id": "a", "output": "x", "metrics": {"accuracy": NaN}}', "finite number"),
        (
            '{"id": "a", "output": "x", "metrics": {"accuracy": 1}}\n{"id": "b", "output": "x", "metrics": {"f1": 1}}',
            "not scored by the same metrics",
        ),
    ],
)
def test_lines_of_predictions_are_checked(lines: str, problem: str, tmp_path: Path) -> None:
    file = tmp_path / "predictions.jsonl"
    file.write_text(lines)
    with pytest.raises(UsageError) as refusal:
        lines_of(file)
    assert problem in str(refusal.value)


def test_the_identity_of_the_first_versions_was_free_text(sound: Path, tmp_path: Path) -> None:
    [folder] = sound.glob("cells/mail.zero-shot.0-*")
    content = json.loads((folder / "record.json").read_text())
    for name in ("parts", "train_size", "suite_method"):
        del content[name]
    content |= {"schema": 1, "identity": {"of": "mail", "method": "zero-shot"}, "environment": {"platform": "Linux x"}}
    (tmp_path / "record.json").write_text(json.dumps(content))
    record = read_record(tmp_path / "record.json")
    assert (record.method, record.identity.method, record.environment.machine) == ("zero-shot", {}, "x")
