"""The gate on the command line: exit codes, one line for a mistake, files, speed, no torch."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from junitparser import JUnitXml

from bench import cli
from bench.metrics import from_statistics
from tests.gate.made import Made, policy, shares, simple
from tests.test_layout import HEAVY, loaded_by

QUALITY = [{"margin": 0.02, "detect": 0.1}]


def ended(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command."""
    with pytest.raises(SystemExit) as stopped:
        cli.main(list(map(str, arguments)))
    out, err = capsys.readouterr()
    assert isinstance(stopped.value.code, int)
    return stopped.value.code, out, err


@pytest.fixture
def runs(tmp_path: Path) -> dict[str, Path]:
    before, worse = shares(200, 150, lost=40)
    found = {
        "old": simple(tmp_path / "old", before),
        "same": simple(tmp_path / "same", before),
        "worse": simple(tmp_path / "worse", worse),
        "unclear": simple(tmp_path / "unclear", shares(200, 150, lost=55, gained=48)[1]),
        "other": simple(tmp_path / "other", before, questions="others"),
        "policy": policy(tmp_path, quality=QUALITY),
    }
    gone = Made(tmp_path / "gone")
    gone.cell("full", before)
    return {**found, "gone": gone.done()}


@pytest.mark.parametrize(
    ("candidate", "code", "word"),
    [
        ("same", 0, "PASS"),
        ("worse", 1, "REGRESSION"),
        ("unclear", 3, "INCONCLUSIVE"),
        ("gone", 4, "INCOMPLETE"),
        ("other", 5, "NOT COMPARABLE"),
    ],
)
def test_exit_codes(
    candidate: str, code: int, word: str, runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["gate", "--baseline", runs["old"], "--candidate", runs[candidate], "--policy", runs["policy"]]
    out = tmp_path / "gate"
    found, said, err = ended(capsys, *arguments, "--out", out)
    assert (found, err) == (code, "")
    assert said.splitlines()[0].startswith(f"{word}: ")
    content = json.loads((out / "gate.json").read_text())
    assert content["exit_code"] == code
    assert JUnitXml.fromfile(str(out / "junit.xml")).tests == 1
    assert (out / "comment.md").read_text().startswith("<!-- adaptbench-gate: old -->")
    assert ended(capsys, *arguments, "--json")[0] == code
    assert ended(capsys, *arguments, "--markdown")[1] == (out / "comment.md").read_text()
    assert ended(capsys, *arguments, "--markdown", "--full")[1] == (out / "summary.md").read_text()


def test_the_outcome_first_then_a_line_for_each_check_that_made_it(
    runs: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["gate", "--baseline", runs["old"], "--policy", runs["policy"], "--candidate"]
    passed = ended(capsys, *arguments, runs["same"])[1].splitlines()
    assert passed[0].startswith("PASS: 1 check, 1 pass")
    assert len(passed) <= 15
    worse = ended(capsys, *arguments, runs["worse"])[1]
    first, second, *_ = worse.splitlines()
    assert first.startswith("REGRESSION: 1 check, 1 regression")
    assert second.startswith("  regression: m · mail · zero-shot · accuracy 0.750 → 0.550 (-0.200 [")
    assert [line for line in worse.splitlines() if line != line.rstrip() or len(line) > 80] == []
    assert "`adaptbench baseline accept CANDIDATE" in " ".join(worse.split())  # the remedy
    assert "(Holm)" not in worse
    assert "(Holm)" in ended(capsys, *arguments, runs["worse"], "--full")[1]


def test_damage_is_one_line_and_no_pass_is_left(
    runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["gate", "--baseline", runs["old"], "--candidate", runs["same"], "--policy", runs["policy"]]
    assert ended(capsys, *arguments, "--out", tmp_path / "gate")[0] == 0
    next(runs["same"].glob("cells/*/record.json")).write_text("{")
    code, out, err = ended(capsys, *arguments)
    assert (code, out) == (4, "")
    assert len(err.splitlines()) == 1
    assert err.startswith("error: candidate: ")
    assert ended(capsys, *arguments, "--out", tmp_path / "gate")[0] == 4
    assert json.loads((tmp_path / "gate" / "gate.json").read_text())["verdict"] == "incomplete"
    assert JUnitXml.fromfile(str(tmp_path / "gate" / "junit.xml")).errors == 1
    runs["policy"].write_text("quality: [")
    assert ended(capsys, *arguments, "--out", tmp_path / "gate")[0] == 2
    assert not list((tmp_path / "gate").iterdir())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["gate"], "--baseline is missing"),
        (["gate", "--baseline", "OLD"], "--candidate is missing"),
        (["gate", "--baseline", "nowhere", "--candidate", "SAME"], 'baseline: "nowhere" is no run directory'),
        (["gate", "--baseline", "OLD", "--candidate", "nowhere"], 'candidate: "nowhere" is no run directory'),
        (["gate", "--baseline", "OLD", "--candidate", "OLD"], "would always pass"),
        (["gate", "--baseline", "OLD", "--candidate", "SAME", "--policy", "x.yaml"], 'no policy file "x.yaml"'),
        (["gate", "--baseline", "OLD", "--candidate", "SAME", "--policy", "/"], 'no policy file "/"'),
        (["gate", "--baseline", "OLD", "--candidate", "SAME", "--mode", "strict"], "'strict' is not one of"),
        (["gate", "--baseline", "OLD", "--candidate", "SAME", "--out", "/proc/x"], "cannot write to /proc/x"),
        (["gate", "--baseline", "OLD", "--plan", "--policy", "SMALL"], "1 of 1 checks could not do"),
        (["calibrate", "OLD", "SAME"], "at least 3 repeats are needed"),
        (["calibrate", "OLD", "SAME", "--suite", "quickstart"], "give either the repeats or --suite"),
        (["calibrate", "OLD", "SAME", "--limit", "9"], "--limit goes with --suite, which measures the repeats"),
        (["calibrate", "nowhere"], "is no run directory"),
        (["baseline", "accept", "nowhere", "--name", "x"], "is no run directory"),
        (["baseline", "accept", "OLD"], "--name"),
        (["baseline", "acept", "OLD"], "acept"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str], words: str, runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = tmp_path / "small.yaml"
    small.write_text("quality: [{margin: 0.01}]")
    places = {"OLD": str(runs["old"]), "SAME": str(runs["same"]), "SMALL": str(small)}
    code, _, err = ended(capsys, *(places.get(argument, argument) for argument in arguments))
    assert code == 2
    assert words in err
    assert len(err.splitlines()) == 1
    assert err.startswith("error: ")


def test_from_a_run_to_a_calibrated_baseline(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = [1.0, 0.0] * 300
    folders = []
    for place in range(5):
        made = Made(tmp_path / f"run{place}")
        made.cell("zero-shot", values, created=str(place))
        folders.append(made.done())
    main = tmp_path / "baselines" / "main"
    code, out, err = ended(capsys, "baseline", "accept", folders[0], "--name", "main", "--to", tmp_path / "baselines")
    assert (code, out) == (0, f"accepted: {main}\n")
    assert "items of mail are not at hand as they were asked; no change of them is noticed\n" in err
    assert "its noise is not known yet" in err
    code, out, _ = ended(capsys, "calibrate", main, *folders[1:4])
    assert code == 0
    assert out.startswith("10 figures over 4 runs, 0 of them not the same every time")
    file = policy(tmp_path, quality=[{"margin": 0.02}])
    code, out, _ = ended(capsys, "gate", "--baseline", main, "--policy", file, "--plan")
    assert code == 0
    assert out == "PASS: no critical check could miss what it is for; checks: 1, without power: 0\n"
    assert ended(capsys, "gate", "--baseline", main, "--candidate", folders[4], "--policy", file)[0] == 0


def test_the_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ended(capsys, "gate", "--schema")
    assert (code, json.loads(out)["title"]) == (0, "adaptbench gate, version 1")


def test_no_command_of_the_gate_loads_torch(runs: dict[str, Path], tmp_path: Path) -> None:
    counts = [[9, 9, 8, 6, 5, 4, 9, 8, 7, 6]] * 40
    for name in ("corpus", "same corpus"):
        made = Made(tmp_path / name)
        [score] = from_statistics("bleu", np.sum(counts, axis=0, keepdims=True))
        made.cell("full", counts, metric="bleu", value=float(score))
        runs[name] = made.done()
    common = ["--baseline", str(runs["old"]), "--policy", str(runs["policy"])]
    for arguments, expected in (
        (["gate", *common, "--candidate", str(runs["worse"]), "--out", str(tmp_path / "gate")], 1),
        (["gate", *common, "--plan"], 0),
        (["gate", "init", *common[:2], "--out", str(tmp_path / "init.yaml")], 0),
        (["gate", "--baseline", str(runs["corpus"]), "--candidate", str(runs["same corpus"]), "--json"], 0),
        (["baseline", "accept", str(runs["old"]), "--name", "x", "--to", str(tmp_path / "b")], 0),
        (["calibrate", str(runs["old"]), str(runs["same"])], 2),
    ):
        start = time.perf_counter()
        code, names, _ = loaded_by(arguments, tmp_path)
        assert code == expected
        assert not names & set(HEAVY)
        assert time.perf_counter() - start < 10


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("metric", ["accuracy", "token_f1"])
def test_speed_on_three_hundred_thousand_predictions(metric: str, tmp_path: Path) -> None:
    """Fifty checks, six thousand items each: 300,000 predictions in the candidate and as many in the baseline."""
    rng = np.random.default_rng(0)
    for name in ("old", "new"):
        made = Made(tmp_path / name)
        for method in range(50):
            values = rng.random(6_000) if metric == "token_f1" else (rng.random(6_000) < 0.7).astype(float)
            made.cell(f"method {method}", values.tolist(), metric=metric, task=f"task {method}")
        made.done()
    file = policy(tmp_path, quality=[{"margin": 0.02}])
    start = time.perf_counter()
    code, names, _ = loaded_by(
        ["gate", "--baseline", str(tmp_path / "old"), "--candidate", str(tmp_path / "new"), "--policy", str(file)],
        tmp_path,
    )
    taken = time.perf_counter() - start
    print(f"\n{metric}: {taken:.1f} s")
    assert code in (0, 1, 3)
    assert not names & set(HEAVY)
    assert taken <= 10
