"""Timings in pytest-benchmark's format: its own figures, its own command reads them, the same bytes each time."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_benchmark.stats import Stats

from bench.core.measured import Environment
from bench.core.phases import Phase
from bench.core.record import Record, Run
from bench.report.benchmark import pytest_json, stats
from tests.report.test_report import HOSTILE, failed, record, run


def timed(method: str, seed: int, seconds: float, **more: Any) -> Record:
    environment = Environment(python="3.11.7", system="Linux", machine="x86_64", device="cpu", device_name="A CPU",
                              cpu_count=2, threads=1)  # fmt: skip
    return record(method, seed, phases={"predict": Phase(seconds, 1)}, environment=environment, **more)


def benchmarks(*runs: Run) -> list[dict[str, Any]]:
    found = json.loads(pytest_json(runs))["benchmarks"]
    assert isinstance(found, list)
    return found


def compare(*files: Path) -> str:
    command = [sys.executable, "-m", "pytest_benchmark", "compare", *map(str, files)]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=files[0].parent, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "Failed to load" not in ended.stderr
    return ended.stdout


class TestFigures:
    def test_by_hand(self) -> None:
        # 1, 2, 3, 10: quartiles 1.5 and 6.5 (medians of the halves), so fences at -6 and 14.
        # The mean is 4; deviations 9 + 4 + 1 + 36 = 50 over 3 give 4.0825, so 10 alone is beyond 8.08.
        found = stats([3.0, 1.0, 10.0, 2.0])
        assert found == {
            "min": 1.0, "max": 10.0, "mean": 4.0, "stddev": pytest.approx((50 / 3) ** 0.5), "rounds": 4,
            "median": 2.5, "iqr": 5.0, "q1": 1.5, "q3": 6.5, "iqr_outliers": 0, "stddev_outliers": 1,
            "outliers": "1;0", "ld15iqr": 1.0, "hd15iqr": 10.0, "ops": 0.25, "total": 16.0,
            "data": [3.0, 1.0, 10.0, 2.0], "iterations": 1,
        }  # fmt: skip

    def test_one_timing(self) -> None:
        found = stats([2.0])
        assert (found["stddev"], found["q1"], found["q3"], found["ops"]) == (0.0, 2.0, 2.0, 0.5)

    def test_no_time_at_all(self) -> None:
        assert stats([0.0])["ops"] == 0.0

    @given(st.lists(st.integers(0, 1000).map(lambda n: n / 8), min_size=1, max_size=12))
    def test_as_pytest_benchmark_has_them(self, data: list[float]) -> None:
        theirs = Stats()  # type: ignore[no-untyped-call]
        for value in data:
            theirs.update(value)  # type: ignore[no-untyped-call]
        ours = stats(data)
        counts = ("outliers", "stddev_outliers")  # the mean itself is rounded apart, and may be on a fence
        for name, value in theirs.as_dict().items():  # type: ignore[no-untyped-call]
            if name not in counts:
                assert ours[name] == pytest.approx(value), name


class TestContent:
    def test_a_phase_is_a_benchmark_and_seeds_are_its_rounds(self) -> None:
        [found] = benchmarks(run(timed("lora", 0, 2.0), timed("lora", 1, 4.0), failed("lora", 2)))
        assert (found["name"], found["fullname"]) == ("mail[lora]::predict", "trial::m::mail[lora]::predict")
        assert found["group"] == "m: mail: predict"
        assert found["stats"]["data"] == [2.0, 4.0]
        assert (found["stats"]["mean"], found["stats"]["ops"]) == (3.0, pytest.approx(1 / 3))
        assert (found["extra_info"]["seeds"], found["extra_info"]["cells"]) == ([0, 1], 3)

    def test_a_search_was_made_with_the_first_seed_alone(self) -> None:
        tuned = record("full", 0, phases={"tune": Phase(9.0, 1), "train": Phase(1.0, 1)})
        found = {b["name"]: b for b in benchmarks(run(tuned, record("full", 1, phases={"train": Phase(3.0, 1)})))}
        assert found["mail[full]::tune"]["stats"]["rounds"] == 1
        assert found["mail[full]::train"]["stats"]["rounds"] == 2

    def test_the_same_records_give_the_same_bytes(self) -> None:
        records = timed("lora", 0, 2.0), replace(timed("rag", 0, 1.0), created="2026-02-03T04:05:06+00:00")
        text = pytest_json([run(*records)])
        assert text == pytest_json([run(*records)])
        assert json.loads(text)["datetime"] == "2026-02-03T04:05:06+00:00"

    def test_the_machine_is_the_records(self) -> None:
        found = json.loads(pytest_json([run(timed("lora", 0, 1.0))]))["machine_info"]
        assert (found["system"], found["machine"], found["python_version"]) == ("Linux", "x86_64", "3.11.7")
        assert (found["processor"], found["cpu"], found["node"]) == ("A CPU", {"count": "2"}, "unknown")

    def test_two_machines_are_both_named(self) -> None:
        other = replace(timed("rag", 0, 1.0), environment=Environment(device_name="Another"))
        found = json.loads(pytest_json([run(timed("lora", 0, 1.0), other)]))
        assert found["machine_info"]["processor"] == "A CPU, Another"
        assert [b["extra_info"]["device_name"] for b in found["benchmarks"]] == ["A CPU", "Another"]

    def test_the_commit_is_said_to_be_unknown(self) -> None:
        found = json.loads(pytest_json([run(timed("lora", 0, 1.0))]))["commit_info"]
        assert (found["id"], found["time"], found["dirty"]) == ("unversioned", None, None)

    def test_names_are_unique_over_runs(self) -> None:
        of = run(timed("lora", 0, 2.0))
        assert [b["fullname"] for b in benchmarks(of, of)] == [
            "trial::m::mail[lora]::predict",
            "trial::m::mail[lora]::predict (2)",
        ]

    def test_cells_at_once_are_compared_with_none_that_were_alone(self) -> None:
        beside = timed("lora", 1, 3.0)
        beside = replace(beside, environment=replace(beside.environment, cells_at_once=2))
        found = benchmarks(run(timed("lora", 0, 2.0), beside))
        assert {b["name"]: b["stats"]["data"] for b in found} == {
            "mail[lora]::predict": [2.0], "mail[lora]::predict, 2 cells at once": [3.0],
        }  # fmt: skip

    def test_nothing_that_ended(self) -> None:
        found = json.loads(pytest_json([run(failed("lora"))]))
        assert (found["benchmarks"], found["datetime"]) == ([], None)

    def test_a_time_that_is_no_number_is_left_out(self) -> None:
        [found] = benchmarks(run(timed("lora", 0, float("nan")), timed("lora", 1, 2.0)))
        assert found["stats"]["data"] == [2.0]

    def test_hostile_names_are_clean(self) -> None:
        text = pytest_json([run(timed(HOSTILE, 0, 1.0, task=HOSTILE, model=HOSTILE))])
        [found] = json.loads(text)["benchmarks"]
        assert not set(found["fullname"]) & {"\x1b", "\x07", "\u202e", "\n"}


class TestReaders:
    def test_its_own_command_compares_two_files(self, tmp_path: Path) -> None:
        for name, factor in (("before", 1.0), ("after", 2.0)):
            of = run(timed("lora", 0, 2.0 * factor), timed("lora", 1, 4.0 * factor), timed("rag", 0, 1.5 * factor))
            (tmp_path / f"{name}.json").write_text(pytest_json([of]), encoding="utf-8")
        text = compare(tmp_path / "before.json", tmp_path / "after.json")
        assert "'m: mail: predict': 4 tests" in text
        lines = {line.split(" (")[0] + line.split("(")[1].split(")")[0]: line for line in text.splitlines()
                 if line.startswith("mail[")}  # fmt: skip
        before, after = (next(v for k, v in lines.items() if "lora" in k and name in k) for name in ("before", "after"))
        assert before.split(")", 1)[1].split()[:5:2] == ["2.0000", "4.0000", "3.0000"]  # min, max, mean: seconds
        assert after.split(")", 1)[1].split()[:5:2] == ["4.0000", "8.0000", "6.0000"]

    def test_and_hostile_names(self, tmp_path: Path) -> None:
        (tmp_path / "hostile.json").write_text(pytest_json([run(timed(HOSTILE, 0, 1.0))]), encoding="utf-8")
        assert "<script>" in compare(tmp_path / "hostile.json")

    def test_what_github_action_benchmark_reads_is_there(self) -> None:
        """Its tool `pytest` takes these of each benchmark, and reads nothing else of the file."""
        [found] = benchmarks(run(timed("lora", 0, 2.0), timed("lora", 1, 4.0)))
        assert isinstance(found["fullname"], str)
        numbers = [found["stats"][name] for name in ("ops", "stddev", "mean", "rounds")]
        assert numbers == pytest.approx([1 / 3, 2**0.5, 3.0, 2])
