"""The check of a GPU, dry: every measurement on tiny shapes, and a JSON that is complete whatever fails."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig

from bench.core.training import BatchWork
from bench.meters import flops
from scripts.gpu_check import __main__ as check
from scripts.gpu_check import measures


@pytest.mark.parametrize("name", sorted(measures.MEASURES))
def test_every_measurement_runs_on_a_cpu(name: str) -> None:
    found = measures.MEASURES[name](measures.Check(dry=True))
    phase = found["phase"]
    assert phase["wall_s"] > 0
    assert phase["joules"] is not None or phase["joules_missing"]
    if name in ("lora", "full"):
        assert found["steps"] == 1  # 8 examples, 16 a step
        assert found["flops"] > 0
        assert (found["mfu"], found["mfu_missing"]) == (None, "the card's peak is not known here")
    if name == "memory":
        assert (found["texts"], found["failures"]) == (6, 2)  # 6 and 3 rows at once failed, one did not


def test_the_shape_is_that_of_a_model_of_a_billion_parameters_with_shared_heads() -> None:
    """Llama 3.2 1B has 1,235,814,400 parameters."""
    config = LlamaConfig(**measures.LARGE, tie_word_embeddings=True)  # type: ignore[arg-type]
    model = measures._shapes(config)
    assert sum(parameter.numel() for parameter in model.parameters()) == 1_235_814_400
    shape = flops.shape_of(model)
    assert shape
    # 6 operations for each weight that a token passes and that is trained: 0.973 billion in the blocks
    assert flops.training(shape, BatchWork(tokens=1)) == 6 * 16 * (2 * 2048 * 2048 + 2 * 512 * 2048 + 3 * 2048 * 8192)


def test_the_json_is_complete_when_steps_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def command(name: str, folder: Path, out: Path, dry: bool) -> tuple[list[str], Path]:
        code = {"suite": "print('worse'); raise SystemExit(4)", "score": "import time; time.sleep(60)"}.get(
            name, "pass"
        )
        place = tmp_path / "found.json"
        place.write_text('{"tokens": 3}')
        return [sys.executable, "-c", code], place

    monkeypatch.setattr(check, "_command", command)
    monkeypatch.setattr(check, "find_spec", lambda name: None if name in ("hypothesis", "lm_eval") else name)
    monkeypatch.setattr(check, "SECONDS", {"tests": 9, "suite": 9, "score": 0.15, "generate": 9, "peers": 9})
    assert check.main(["--dry", "--out", str(tmp_path)]) == 1
    steps: dict[str, Any] = json.loads((tmp_path / "gpu-check.json").read_text())["steps"]
    assert steps["tests"] == {"state": "left out", "reason": "not installed: hypothesis"}
    assert (steps["suite"]["state"], steps["suite"]["reason"]) == ("failed", "exit code 4: worse")
    assert (steps["score"]["state"], steps["score"]["reason"]) == ("failed", "ran longer than 2 s")
    assert (steps["generate"]["state"], steps["generate"]["found"]) == ("ok", {"tokens": 3})
    assert steps["peers"]["reason"] == "not installed: lm_eval"


def test_nothing_starts_when_the_time_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *args, **kwargs: pytest.fail("a step was started"))
    assert "480 s" in check.step("suite", tmp_path, True, until=0.0)["reason"]


def test_the_tests_need_no_plugin(tmp_path: Path) -> None:
    """The project's own options name plugins that a bare image lacks."""
    command, _ = check._command("tests", tmp_path, tmp_path, True)
    assert command[command.index("-o") + 1] == "addopts="
    assert not any(word.startswith("--numprocesses") for word in command)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_without_a_device_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main(["--out", str(tmp_path)]) == 3
    assert "no CUDA device" in capsys.readouterr().err


@pytest.mark.slow
def test_the_whole_check_runs_dry(tmp_path: Path) -> None:
    assert check.main(["--dry", "--out", str(tmp_path)]) == 0
    found = json.loads((tmp_path / "gpu-check.json").read_text())
    assert list(found["steps"]) == list(check.SECONDS)
