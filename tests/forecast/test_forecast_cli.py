"""`adaptbench forecast` and `run --until-decided` as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.small import write_suite
from tests.test_cli import command, mistake


@pytest.fixture
def suite_file(tmp_path: Path, task_folder: Path, tiny_model: Path) -> Path:
    return write_suite(tmp_path, tiny_model, methods=["zero-shot", {"few-shot": {"k": 2}}], seeds=[0, 1])


def test_a_run_until_decided_says_what_it_left_out_and_a_forecast_goes_on_from_it(
    suite_file: Path, tmp_path: Path
) -> None:
    out = str(tmp_path / "run")
    before = command("forecast", str(suite_file), "--out", out).output
    assert "zero-shot: no score: nothing of it is measured" in before
    assert "3 of 3 cells left; no cell is measured yet that would tell their cost" in before
    said = command("run", str(suite_file), "--out", out, "--until-decided", "--budget", "1h").output
    assert "paint: settled: " in said
    assert "spent: " in said
    told = json.loads(command("forecast", str(suite_file), "--out", out, "--json").output)
    assert told["cells"] == 3
    assert {one["method"] for one in told["methods"]} == {"zero-shot", "few-shot"}
    assert sum(told["contests"][0]["chances"].values()) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "--budget", "20"], "--budget says how much --until-decided may spend; name that too"),
        (["run", "--until-decided", "--budget", "5d"], "--budget takes money, such as 20, or time"),
        (["run", "--until-decided", "--shard", "1/2"], "leave out --shard"),
        (["run", "--until-decided", "--on", "slurm"], "leave out --on"),
        (["forecast", "quickstrat"], 'unknown suite "quickstrat" (did you mean "quickstart"?)'),
        (["forecast", "--pilots", "nowhere"], "nowhere"),
        (["forecast", "--seeds", "a"], "--seeds takes whole numbers"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes_are_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], says: str) -> None:
    assert says in mistake(capsys, *arguments)
