"""`gate init`: a policy with the checks that a baseline has the power for, and what it cannot see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped]  # scipy ships no types

from bench.analysis.statistics import drops
from bench.core.errors import UsageError
from bench.core.identity import MethodParts
from bench.core.training import Training
from bench.gate import noise
from bench.gate.draft import Draft, _given, draft
from bench.gate.expand import Planned, expand
from bench.gate.noise import Floor
from bench.gate.outputs.policy_file import policy_file
from bench.gate.plan import Need, plan
from bench.gate.policy import Policy, load
from bench.gate.power import chance_of_means
from bench.store.run_folder import read_run
from tests.gate.made import Made, planned, simple
from tests.gate.test_gate_cli import ended


def drafted(folder: Path, tasks: tuple[str, ...] = (), methods: tuple[str, ...] = ()) -> tuple[Draft, list[Need]]:
    """A draft, and the plan of the file that is written of it."""
    run, floors = read_run(folder), noise.read(folder)
    made = draft(run, floors, tasks, methods)
    file = folder.parent / "drafted.yaml"
    file.write_text(policy_file(made, run, whole=not (tasks or methods)))
    policy = load(file)
    checks = expand(policy, run, "drafted.yaml")
    deciding = {check.key: check for check in checks if check.tier != "advisory"}
    assert set(deciding) == {check.key for check in made.checks}
    for check in made.checks:
        assert deciding[check.key].margin == pytest.approx(check.margin)
        assert deciding[check.key].detect == (None if check.kind == "cost" else pytest.approx(check.detect))
    return made, plan(checks, run, policy, floors)


def quality(made: Draft) -> list[Planned]:
    return [check for check in made.checks if check.kind == "quality"]


def trained(made: Made, method: str, spread: float, n: int = 200, seeds: int = 3, **more: Any) -> None:
    """Seeds of a method whose items score 0.4 to 0.6, each seed lifted or lowered by `spread`."""
    rng = np.random.default_rng(len(method))
    for seed in range(seeds):
        values = rng.uniform(0.4, 0.6, n) + spread * (seed - (seeds - 1) / 2)
        made.cell(method, values.tolist(), seed=seed, metric="token_f1", training=Training(steps=1), **more)


@pytest.mark.parametrize("n", [100, 200, 1000])
def test_a_check_is_given_the_smallest_drop_that_is_found(n: int, tmp_path: Path) -> None:
    made, needs = drafted(simple(tmp_path / "run", [1.0, 0.0] * (n // 2)))
    [check] = quality(made)
    tests = sum(need.chance is not None for need in needs)  # the tokens are tested too
    found = [drops.found_shares(n, max(0.1, d), d, alpha=0.05 / tests, margin=0.02) for d in np.arange(1, 100) / 100]
    assert check.detect == pytest.approx(max(0.05, next(d for d, chance in enumerate(found, 1) if chance >= 0.8) / 100))
    assert [need.refusal for need in needs] == [""] * len(needs)
    assert [need.planned.kind for need in made.wider] == ([] if check.detect == 0.05 else ["quality"])


def test_what_a_drafted_policy_checks_has_power_whatever_the_run(tmp_path: Path) -> None:
    made = Made(tmp_path / "run")
    trained(made, "lora", 0.01)
    trained(made, "full", 0.2)
    for place, right in enumerate((180, 90, 4)):
        made.cell(f"prompt {place}", [1.0] * right + [0.0] * (200 - right), task="labels")
    found, needs = drafted(made.done())
    assert [need.refusal for need in needs if need.planned.tier != "advisory"] == [""] * len(found.checks)
    assert {check.method for check in quality(found)} == {"lora", "prompt 0", "prompt 1"}
    assert {need.planned.method for need in found.left_out} == {"full", "prompt 2"}
    full, low = sorted(found.left_out, key=lambda need: need.planned.method)
    assert found.few_seeds == ()
    assert full.refusal.endswith("more than 20 seeds are needed")
    assert low.room == pytest.approx(0.02)
    assert low.smallest is None


def test_seeds_needed_as_the_t_test_of_so_many_seeds_gives_them() -> None:
    """A total of each of three seeds: Student's test with 2 (k - 1) degrees of freedom on k of them on each side."""
    values = np.array([[0.9], [1.0], [1.1]])  # standard deviation 0.1
    correction = (1 - 2 / 18) ** -1.5
    for k in (3, 5, 9):
        error = correction * 0.1 * np.sqrt(2 / k)
        critical = stats.t.ppf(0.99, 2 * (k - 1)) * error
        expected = stats.norm.cdf((0.3 - critical) / error)
        found = chance_of_means(Policy(), values, True, 0.05, 0.3, 0.01, seeds=k)(1)
        assert found == pytest.approx(float(expected), abs=1e-9)
    assert chance_of_means(Policy(), values, True, 0.05, 0.3, 0.01)(1) == pytest.approx(
        chance_of_means(Policy(), values, True, 0.05, 0.3, 0.01, seeds=3)(1)
    )


def test_as_many_seeds_as_are_said_are_enough(tmp_path: Path) -> None:
    """A run with the number of seeds that was named, spread as those that were there, keeps the usual drop."""
    rng = np.random.default_rng(0)
    hard = rng.uniform(0.3, 0.7, 400)
    few, many = Made(tmp_path / "few"), Made(tmp_path / "many")

    def measure(made: Made, lifts: list[float]) -> None:
        for seed, lift in enumerate(lifts):
            made.cell("lora", (hard + lift).tolist(), seed=seed, metric="token_f1", training=Training(steps=1))

    measure(few, [-0.02, 0.0, 0.02])  # variance 0.0004
    [wider] = drafted(few.done())[0].wider
    assert wider.seeds is not None
    half = wider.seeds // 2
    lifts = [0.02 * np.sqrt((wider.seeds - 1) / (2 * half))] * half  # the same variance over all of them
    measure(many, [*lifts, *(-one for one in lifts), *([0.0] * (wider.seeds % 2))])
    assert drafted(many.done())[0].wider == ()


def test_one_seed_of_a_trained_method_is_left_out_with_what_it_takes(tmp_path: Path) -> None:
    made = Made(tmp_path / "run")
    trained(made, "lora", 0.0, seeds=1)
    made.cell("zero-shot", [1.0, 0.0] * 100)
    found, _ = drafted(made.done())
    assert [check.method for check in quality(found)] == ["zero-shot"]
    [need] = [need for need in found.left_out if need.planned.kind == "quality"]
    assert "take three or more" in need.refusal
    assert found.few_seeds == ("lora",)


def test_controls_are_never_gated(tmp_path: Path) -> None:
    made = Made(tmp_path / "run")
    made.cell("rag", [1.0, 0.0] * 100)
    made.cell("rag (oracle)", [1.0] * 200, parts=MethodParts(is_control=True))
    found, needs = drafted(made.done())
    assert [check.method for check in quality(found)] == ["rag"]
    tested = [need.planned for need in needs if need.chance is not None]
    assert {check.tier for check in tested if check.method == "rag (oracle)"} == {"advisory"}


def test_some_methods_alone_find_smaller_drops(tmp_path: Path) -> None:
    made = Made(tmp_path / "run")
    for method in range(20):
        made.cell(f"prompt {method}", [1.0, 0.0] * 60)
    made.done()
    every, _ = drafted(made.path)
    few, needs = drafted(made.path, methods=("prompt 7",))
    assert {check.method for check in few.checks} == {need.planned.method for need in needs} == {"prompt 7"}
    drop = {check.method: check.detect or 0.0 for check in quality(every)}
    assert (quality(few)[0].detect or 0.0) < drop["prompt 7"]


@pytest.mark.parametrize(
    "name", ["a, b: {c}", "on", "1e-3", "null", 'x "y"', "lora (rank=16)", "a # b", "ümläut", "[x]*", "- a", "a:"]
)
def test_names_come_back_as_they_were(name: str, tmp_path: Path) -> None:
    made = Made(tmp_path / "run")
    for model in (name, "other"):
        made.cell(name, [1.0, 0.0] * 100, task=name, model=model)
    found, _ = drafted(made.done())
    assert {check.group for check in quality(found)} == {(name, name, name), ("other", name, name)}


def test_a_noise_floor_is_exceeded(tmp_path: Path) -> None:
    run = simple(tmp_path / "run", [1.0, 0.0] * 1000)
    noise.write(run, [Floor("quality", "m", "mail", "zero-shot", "", "accuracy", 0.5, 0.0, 0.11)], [])
    found, needs = drafted(run)
    [check] = quality(found)
    assert check.detect is not None
    assert check.detect > 0.11
    assert [need.refusal for need in needs] == [""] * len(needs)


def test_the_command_writes_a_policy_that_plan_and_gate_take(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = Made(tmp_path / "run")
    made.cell("prompt", [1.0, 0.0] * 100)
    made.cell("weak", [1.0] * 3 + [0.0] * 197)
    run, file = made.done(), tmp_path / "gate.yaml"
    again = Made(tmp_path / "again")
    again.cell("prompt", [1.0, 0.0] * 100)
    again.cell("weak", [1.0] * 3 + [0.0] * 197)
    code, out, err = ended(capsys, "gate", "init", "--baseline", run, "--out", file)
    assert (code, err) == (0, "")
    assert "Left out, for lack of power: 1" in out
    assert "weak · accuracy: finds no drop; its score of 0.015 cannot lose 0.050" in " ".join(out.split())
    code, out, _ = ended(capsys, "gate", "--baseline", run, "--policy", file, "--plan")
    assert (code, out.split(";")[0]) == (0, "PASS: no critical check could miss what it is for")
    assert ended(capsys, "gate", "--baseline", run, "--policy", file, "--candidate", again.done())[0] == 0


def test_a_file_is_replaced_only_where_that_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, file = simple(tmp_path / "run", [1.0, 0.0] * 100), tmp_path / "gate.yaml"
    file.write_text("mine")
    code, _, err = ended(capsys, "gate", "init", "--baseline", run, "--out", file)
    assert (code, file.read_text()) == (2, "mine")
    assert err == f"error: {file} exists; choose another --out, or replace it with --force\n"
    assert ended(capsys, "gate", "init", "--baseline", run, "--out", file, "--force")[0] == 0
    assert load(file).quality


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--baseline"),
        (["--baseline", "nowhere"], "is no run directory"),
        (["--baseline", "RUN", "--method", "zero-shoot"], 'did you mean "zero-shot"'),
        (["--baseline", "RUN", "--task", "x*"], "allowed: mail"),
        (["--baseline", "RUN", "--out", "nowhere/gate.yaml"], "there is no folder nowhere"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    run = simple(tmp_path / "run", [1.0, 0.0] * 100)
    code, _, err = ended(capsys, "gate", "init", *(str(run) if one == "RUN" else one for one in arguments))
    assert (code, len(err.splitlines())) == (2, 1)
    assert words in err
    assert not (tmp_path / "gate.yaml").exists()


@pytest.mark.parametrize(
    ("limit", "smallest", "floor", "expected"),
    [
        (0.1, 0.0, 0.0, 0.1),
        (0.1, 0.2, 0.0, 0.1),
        (0.1, 0.31, 0.0, 0.16),
        (0.1, 0.3, 0.0, 0.15),
        (0.1, 0.0, 0.123, 0.13),
    ],
)
def test_a_limit_is_half_of_what_is_found_in_whole_hundredths(
    limit: float, smallest: float, floor: float, expected: float
) -> None:
    given = _given(planned("cost", "steps", limit), None, smallest, floor)
    assert given.margin == pytest.approx(expected)
    assert given.detect is None


@pytest.mark.parametrize(
    ("room", "smallest", "expected"),
    [(0.5, 0.05, 0.1), (0.5, 0.2, 0.2), (0.1, 0.05, 0.1), (0.09, 0.05, 0.05), (0.09, 0.08, 0.08), (None, 0.2, 0.2)],
)
def test_a_drop_is_the_usual_one_unless_that_is_not_found_or_larger_than_the_score(
    room: float | None, smallest: float, expected: float
) -> None:
    assert _given(planned(), room, smallest, 0.0).detect == expected


def test_some_tasks_and_methods_by_globs(tmp_path: Path) -> None:
    made = Made(tmp_path / "run")
    for task, method in (("a1", "x"), ("a2", "[y]"), ("b", "x"), ("b", "z")):
        made.cell(method, [1.0, 0.0] * 100, task=task)
    run = read_run(made.done())

    def chosen(tasks: tuple[str, ...], methods: tuple[str, ...]) -> list[tuple[str, str]]:
        found = draft(run, {}, tasks, methods)
        return [(check.task, check.method) for check in found.checks if check.kind == "quality"]

    assert chosen(("a*",), ()) == [("a1", "x"), ("a2", "[y]")]
    assert chosen(("a*", "b"), ("[y]", "z")) == [("a2", "[y]"), ("b", "z")]
    assert chosen((), ()) == [("a1", "x"), ("a2", "[y]"), ("b", "x"), ("b", "z")]
    for tasks, methods, said in (
        (("a*", "c"), (), 'unknown task of the baseline: "c"; allowed: a1, a2, b'),
        (("b",), ("[y]",), 'unknown method of the baseline: "[y]"; allowed: x, z'),
    ):
        with pytest.raises(UsageError) as raised:
            chosen(tasks, methods)
        assert str(raised.value) == said


def test_the_best_checks_are_taken_where_all_would_lack_power(tmp_path: Path) -> None:
    """Of more checks than have power together those with the smallest drops, quality first; the rest is left out."""
    made = Made(tmp_path / "run")
    for place, n in enumerate((400, 60, 30, 20)):
        made.cell(f"prompt {place}", [1.0, 0.0] * (n // 2), task=f"task {n}")
    found, _ = drafted(made.done())
    tests = len([check for check in found.checks if check.kind == "quality" or check.name == "output_tokens"])
    for check in quality(found):
        n = int(check.task.split()[1])
        chances = [
            drops.found_shares(n, max(0.1, d / 100), d / 100, alpha=0.05 / tests, margin=0.02) for d in range(3, 51)
        ]
        smallest = next(d for d, chance in enumerate(chances, 3) if chance >= 0.8) / 100
        assert check.detect == pytest.approx(max(0.05, smallest))
    left = {need.planned.task for need in found.left_out if need.planned.kind == "quality"}
    assert left == {f"task {n}" for n in (400, 60, 30, 20)} - {check.task for check in quality(found)}
