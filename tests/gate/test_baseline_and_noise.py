"""Accepted baselines, and the noise of repeats."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import scipy.stats  # type: ignore[import-untyped]  # scipy ships no types

import tasks
from bench.core.errors import AdaptbenchError, IncompleteError, NotComparableError, UsageError
from bench.core.identity import Identity, ModelIdentity
from bench.core.record import Failure, Score
from bench.core.training import Training
from bench.gate import baseline, noise
from bench.gate.policy import Policy
from bench.gate.run import gate
from bench.store.run_folder import read_run
from tasks.loader.digest import question_digest
from tests.gate.made import HARDWARE, Made, change, shares, simple

POLICY = Policy.model_validate({"quality": [{"margin": 0.02, "detect": 0.1}]})


def accepted(folder: Path, values: Sequence[float] = (1.0, 0.0) * 50, **changes: Any) -> Path:
    return baseline.accept(simple(folder / "run", values, **changes), "main", folder / "baselines")


def code(old: Path, new: Path, policy: Policy = POLICY) -> int:
    return gate(old, new, policy, "gate.yaml").verdict.exit_code


class TestAccept:
    def test_keeps_what_a_comparison_needs_and_nothing_more(self, tmp_path: Path) -> None:
        run = simple(tmp_path / "run", [1.0, 0.0] * 50, outputs=["yes", "no"] * 50)
        cell = next((run / "cells").iterdir())
        (cell / "log.txt").write_text("secret")
        (cell / "weights.safetensors").write_bytes(b"0" * 100)
        made = baseline.accept(run, "main", tmp_path / "baselines")
        names = {file.name for file in made.rglob("*") if file.is_file()}
        assert names == {"run.json", "suite.yaml", "baseline.json", "record.json", "predictions.jsonl"}
        line = json.loads(next(made.glob("cells/*/predictions.jsonl")).read_text().splitlines()[0])
        tokens = {"prompt_tokens", "context_tokens", "output_tokens"}  # a rise of what is written is tested by item
        assert set(line) == {"id", "output", "metrics", *tokens}
        assert json.loads((made / baseline.FILE).read_text())["source"] == "run"  # no folder of this machine alone
        assert code(made, simple(tmp_path / "new", [1.0, 0.0] * 50)) == 0
        assert code(made, simple(tmp_path / "worse", [0.0, 0.0] * 50)) == 1

    def test_without_answers_nothing_else_is_lost(self, tmp_path: Path) -> None:
        run = simple(tmp_path / "run", [1.0, 0.0] * 50, outputs=["yes", "no"] * 50)
        made = baseline.accept(run, "main", tmp_path / "baselines", outputs=False)
        assert "yes" not in next(made.glob("cells/*/predictions.jsonl")).read_text()
        assert code(made, simple(tmp_path / "worse", [0.0, 0.0] * 50)) == 1

    def test_is_explicit(self, tmp_path: Path) -> None:
        made = accepted(tmp_path)
        with pytest.raises(UsageError, match="exists; --replace"):
            baseline.accept(tmp_path / "run", "main", tmp_path / "baselines")
        (made / noise.FILE).write_text("{}")
        baseline.accept(tmp_path / "run", "main", tmp_path / "baselines", replace=True)
        assert not (made / noise.FILE).exists()  # noise of another run

    def test_a_kill_between_old_and_new_loses_neither(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        made = accepted(tmp_path)
        before = (made / baseline.FILE).read_text()
        better = simple(tmp_path / "better", [1.0] * 100)
        rename = Path.rename

        def killed(path: Path, target: Path) -> Path:
            if path.name.startswith(".writing"):
                raise KeyboardInterrupt
            return rename(path, target)

        monkeypatch.setattr(Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            baseline.accept(better, "main", tmp_path / "baselines", replace=True)
        monkeypatch.undo()
        assert not made.exists()
        with pytest.raises(UsageError, match="exists; --replace"):
            baseline.accept(better, "main", tmp_path / "baselines")
        assert (made / baseline.FILE).read_text() == before
        baseline.accept(better, "main", tmp_path / "baselines", replace=True)
        assert [path.name for path in (tmp_path / "baselines").iterdir()] == ["main"]
        assert code(made, better) == 0

    @pytest.mark.parametrize("name", ["", "../x", ".hidden", "a/b", "a b"])
    def test_a_name_is_a_folder(self, name: str, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="is no name"):
            baseline.accept(simple(tmp_path / "run", [1.0] * 10), name, tmp_path)

    def test_an_incomplete_run_is_refused(self, tmp_path: Path) -> None:
        made = Made(tmp_path / "run")
        made.cell("full", [1.0] * 10)
        made.cell("lora", [1.0] * 10, status="failed", failure=Failure("diverged", "nan"))
        with pytest.raises(IncompleteError, match="not measured: m · mail · lora"):
            baseline.accept(made.done(), "main", tmp_path / "baselines")
        assert not list((tmp_path / "baselines").glob("*")) if (tmp_path / "baselines").exists() else True

    def test_predictions_must_be_there(self, tmp_path: Path) -> None:
        run = simple(tmp_path / "run", [1.0] * 10)
        next(run.glob("cells/*/predictions.jsonl")).unlink()
        with pytest.raises(IncompleteError, match=r"has no predictions.jsonl"):
            baseline.accept(run, "main", tmp_path / "baselines")
        assert not (tmp_path / "baselines" / "main").exists()

    def test_a_folder_that_cannot_be_written(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="cannot write to"):
            baseline.accept(simple(tmp_path / "run", [1.0] * 10), "main", Path("/proc/nowhere"))


@pytest.mark.parametrize("pattern", ["cells/*/record.json", "cells/*/predictions.jsonl", "run.json"])
def test_a_baseline_that_was_touched_is_incomplete(pattern: str, tmp_path: Path) -> None:
    made, new = accepted(tmp_path), simple(tmp_path / "new", [1.0, 0.0] * 50)
    file = next(made.glob(pattern))
    file.write_text(file.read_text() + " \n")
    with pytest.raises(IncompleteError, match="not as it was accepted"):
        code(made, new)
    file.unlink()
    with pytest.raises(AdaptbenchError):
        code(made, new)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 2}'])
@pytest.mark.parametrize("name", ["baseline.json", "noise.json"])
def test_a_damaged_file_beside_it_is_incomplete(name: str, text: str, tmp_path: Path) -> None:
    made, new = accepted(tmp_path), simple(tmp_path / "new", [1.0, 0.0] * 50)
    (made / name).write_text(text)
    with pytest.raises(IncompleteError, match=name):
        code(made, new)


def test_another_prompt_on_the_same_items_is_compared_where_that_is_allowed(tmp_path: Path, task_folder: Path) -> None:
    """The baseline knows the digest of its items, so that the task may have another prompt by now."""
    before = tasks.load(task_folder)
    made = Made(tmp_path / "run")
    made.cell("zero-shot", [1.0] * 6, task="paint", questions=question_digest(before))
    made.entries[0]["task_path"] = "../paint"
    old = baseline.accept(made.done(), "main", tmp_path / "baselines")
    spec = task_folder / "task.yaml"
    spec.write_text(spec.read_text().replace("Name the colour.", "Say it."))
    after = tasks.load(task_folder)
    assert question_digest(after) != question_digest(before)
    new = Made(tmp_path / "new")
    new.cell("zero-shot", [1.0] * 5 + [0.0], task="paint", questions=question_digest(after))
    new.entries[0]["task_path"] = "../paint"
    new.done()
    allowed = POLICY.model_copy(update={"may_change": ["prompt"]})
    assert code(old, new.path) == 5
    assert code(old, new.path, allowed) == 3  # comparable; six items are too few
    rows = task_folder / "test.jsonl"
    rows.write_text(rows.read_text().replace("thing 0", "thing zero"))
    other = Made(tmp_path / "other")
    other.cell("zero-shot", [1.0] * 6, task="paint", questions=question_digest(tasks.load(task_folder)))
    other.entries[0]["task_path"] = "../paint"
    found = gate(old, other.done(), allowed, "gate.yaml").verdict
    assert found.exit_code == 5
    assert found.findings[0].reason == "the items have the same names, but other texts"


def repeats(folder: Path, values: Sequence[float], **changes: Any) -> list[Path]:
    """Runs of 100 items with such scores, made at different times."""
    made = []
    for place, value in enumerate(values):
        right = round(100 * value)
        run = Made(folder / f"run{place}")
        run.cell("zero-shot", [1.0] * right + [0.0] * (100 - right),
                 created=f"2026-01-0{place + 1}T00:00:00+00:00", **changes)  # fmt: skip
        made.append(run.done())
    return made


class TestCalibrate:
    def test_the_floor_is_a_prediction_limit(self, tmp_path: Path) -> None:
        first, *others = (read_run(path) for path in repeats(tmp_path, [0.5, 0.52, 0.47, 0.51]))
        [floor] = [one for one in noise.calibrate(first, others) if one.kind == "quality"]
        sd = math.sqrt(sum((v - 0.5) ** 2 for v in (0.5, 0.52, 0.47, 0.51)) / 3)  # the mean is 0.5
        assert floor.sd == pytest.approx(sd)
        assert floor.floor == pytest.approx(scipy.stats.t.ppf(0.95, 3) * sd * math.sqrt(2))

    def test_what_is_still_known_has_a_floor(self, tmp_path: Path) -> None:
        made = []
        for place, known in enumerate((50, 52, 47, 51)):
            run = Made(tmp_path / str(place))
            run.cell("base", [1.0], task="facts", metric="exact_match", is_base=True, created=str(place))
            facts = [1.0] * known + [0.0] * (100 - known)
            run.cell("lora", [1.0, 0.0], probes={"facts": facts}, training=Training(steps=3), created=str(place))
            run.cell("zero-shot", [1.0, 0.0], weights_changed=False, created=str(place))
            made.append(read_run(run.done()))
        floors = noise.calibrate(made[0], made[1:])
        found = {(floor.method, floor.probe, floor.name): floor for floor in floors if floor.kind == "retention"}
        assert found.keys() == {("lora", "facts", "exact_match"), ("zero-shot", "facts", "exact_match")}
        lora = found["lora", "facts", "exact_match"]
        squares = 0.0**2 + 0.02**2 + 0.03**2 + 0.01**2  # of 0.50, 0.52, 0.47 and 0.51, whose mean is 0.5
        assert (lora.mean, lora.sd) == pytest.approx((0.5, math.sqrt(squares / 3)))
        assert found["zero-shot", "facts", "exact_match"].sd == 0.0

    def test_what_one_run_lacks_has_no_floor(self, tmp_path: Path) -> None:
        runs = [read_run(path) for path in repeats(tmp_path, [0.5, 0.5, 0.5, 0.5])]
        [record] = runs[1].records
        lacking = replace(runs[1], records=(replace(record, phases={}),))
        whole, partial = (
            {floor.name for floor in noise.calibrate(runs[0], others)} for others in (runs[1:], [lacking, *runs[2:]])
        )
        assert "predict_s" in whole - partial
        assert "accuracy" in partial

    def test_a_floor_is_rarely_exceeded_by_the_next_difference(self) -> None:
        import numpy as np

        rng = np.random.default_rng(0)
        seen = rng.normal(size=(20_000, 4))
        floor = scipy.stats.t.ppf(0.95, 3) * seen.std(axis=1, ddof=1) * math.sqrt(2)
        assert np.mean(rng.normal(scale=math.sqrt(2), size=20_000) > floor) == pytest.approx(0.05, abs=0.006)

    def test_the_gate_claims_nothing_below_the_floor(self, tmp_path: Path) -> None:
        values = shares(400, 300, lost=20)
        old, new = simple(tmp_path / "old", values[0]), simple(tmp_path / "new", values[1])
        assert code(old, new) == 1  # five points, significant
        noise.write(old, [noise.Floor("quality", "m", "mail", "zero-shot", "", "accuracy", 0.75, 0.02, 0.06)], [])
        found = gate(old, new, POLICY, "gate.yaml").verdict
        assert (found.exit_code, found.findings[0].status) == (0, "warn")
        assert found.findings[0].reason == "fell by 0.050, within the noise floor of 0.060"
        assert found.findings[0].margin == 0.06
        release = POLICY.model_copy(update={"mode": "non-inferiority"})
        close = shares(400, 300, lost=1, gained=1)[1]
        assert code(old, simple(tmp_path / "close", close), release) == 3  # nor that two points were kept

    def test_seconds_are_shares_of_their_mean(self, tmp_path: Path) -> None:
        from bench.core.phases import Phase

        made = []
        for place, seconds in enumerate((1.0, 1.1, 0.9, 1.0)):
            run = Made(tmp_path / str(place))
            run.cell("zero-shot", [1.0] * 10, created=str(place), phases={"predict": Phase(seconds, 2**20)})
            made.append(read_run(run.done()))
        found = {floor.name: floor for floor in noise.calibrate(made[0], made[1:])}
        assert found["predict_s"].sd == pytest.approx(math.sqrt(0.02 / 3))
        assert found["prompt_tokens"].floor == 0.0
        noise.write(made[0].path, list(found.values()), [run.path for run in made[1:]])
        policy = Policy.model_validate({"cost": [{"counter": "predict_s", "limit": "20%"}]})
        for place, (seconds, expected) in enumerate(((1.15, 0), (1.25, 0), (1.5, 1))):  # the floor is 27%
            new = Made(tmp_path / f"new{place}")
            new.cell("zero-shot", [1.0] * 10, phases={"predict": Phase(seconds, 2**20)})
            said = gate(made[0].path, new.done(), policy, "gate.yaml").verdict
            assert (said.exit_code, said.findings[0].status) == (expected, ("pass", "warn", "regression")[place])

    def test_other_hardware_gives_no_floor_of_seconds(self, tmp_path: Path) -> None:
        one = [read_run(path) for path in repeats(tmp_path / "a", [0.5, 0.5, 0.5])]
        environment = replace(HARDWARE, threads=9)
        other = [read_run(path) for path in repeats(tmp_path / "b", [0.5], environment=environment)]
        assert "predict_s" not in {floor.name for floor in noise.calibrate(other[0], one)}

    @pytest.mark.parametrize(
        ("values", "changes", "error", "words"),
        [
            ([0.5, 0.5], {}, UsageError, "at least 3 repeats are needed"),
            ([0.5] * 3, {"questions": "others"}, NotComparableError, "not a repeat of the baseline"),
            ([0.5] * 3, {"identity": Identity(model=ModelIdentity("another"))}, NotComparableError, "not a repeat"),
            ([0.5] * 3, {"scores": {"accuracy": Score(0.5, "v2")}}, NotComparableError, "scored in another way"),
            ([0.5] * 3, {"task": "post"}, IncompleteError, "0 of 1 seeds were measured"),
        ],
    )
    def test_what_is_no_repeat_is_refused(
        self, values: list[float], changes: dict[str, Any], error: type[Exception], words: str, tmp_path: Path
    ) -> None:
        first = read_run(simple(tmp_path / "old", [1.0, 0.0] * 50))
        others = [read_run(path) for path in repeats(tmp_path / "others", values, **changes)]
        with pytest.raises(error, match=words):
            noise.calibrate(first, others)

    def test_a_copy_is_no_repeat(self, tmp_path: Path) -> None:
        runs = [read_run(path) for path in repeats(tmp_path, [0.5, 0.5, 0.5])]
        with pytest.raises(UsageError, match="a copy says nothing of noise"):
            noise.calibrate(runs[0], [runs[1], runs[2], runs[1]])


def test_a_floor_that_is_no_number_is_refused(tmp_path: Path) -> None:
    made = accepted(tmp_path)
    noise.write(made, [noise.Floor("quality", "m", "mail", "zero-shot", "", "accuracy", 0.5, 0.0, 0.1)], [])
    content = json.loads((made / noise.FILE).read_text())
    change(made / noise.FILE, floors=[{**content["floors"][0], "floor": -1}])
    with pytest.raises(IncompleteError, match="calibrate again"):
        noise.read(made)
