"""Keys last: a new setting that is left alone changes no key, and a changed default is not forgotten."""

from __future__ import annotations

import json
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

import methods
from bench.config import suite as suites
from bench.core.hashing import STAGE_VERSION, canonical
from bench.model import resolve
from bench.runs import identity
from bench.runs.cells import expand
from bench.runs.identity import known
from bench.store.run_folder import read_run
from methods.few_shot import FewShot, FewShotOptions
from methods.lora import Lora, LoraOptions
from methods.options import ContextOptions, Grid
from scripts.known_settings import ADD, RAISE, defaults, problems, updated, written
from tests.small import cells_of, measure, write_suite

ROOT = Path(__file__).parent.parent


def test_the_file_of_known_settings_is_that_of_the_code() -> None:
    assert list(problems(known(), defaults())) == []  # each line says what to do


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"lora": {"rank": 8}}, f"lora: the default of rank was 16 and is 8: {RAISE}"),
        ({"lora": {"gated": False}}, f"lora: gated is new: {ADD}"),
        ({"few-shot: standard": {"k": 4}}, f"few-shot: standard: the default of k was 8 and is 4: {RAISE}"),
        ({"suite": {"order": "given"}}, f"suite: order is new: {ADD}"),
    ],
)
def test_what_a_developer_is_told(change: dict[str, dict[str, Any]], line: str) -> None:
    now = {group: {**options, **change.get(group, {})} for group, options in defaults().items()}
    assert list(problems(known(), now)) == [line]


def test_a_setting_that_goes_raises_the_stage_too() -> None:
    now = defaults()
    del now["lora"]["rank"]
    assert list(problems(known(), now)) == [f"lora: rank is gone: {RAISE}"]


def test_what_is_added_is_known_from_then_on() -> None:
    now = defaults()
    now["lora"]["gated"] = False
    listed = updated(known(), now)
    assert (listed["always"], listed["added"]["lora"]) == (
        known()["always"],
        {**known()["added"]["lora"], "gated": False},
    )
    assert list(problems(listed, now)) == []
    assert json.loads(written(listed)) == listed
    now["lora"]["gated"] = True
    assert list(problems(listed, now)) == [f"lora: the default of gated was False and is True: {RAISE}"]
    assert len(list(problems(listed, now, STAGE_VERSION + 1))) == 1
    raised = updated(listed, now, STAGE_VERSION + 1)
    assert list(problems(raised, now, STAGE_VERSION + 1)) == []
    assert raised["always"]["lora"]["gated"] is True


def test_the_keys_of_the_committed_baseline_are_those_of_today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADAPTBENCH_ALLOW_OUTSIDE", str(ROOT / "tasks"))  # as the gate's own run does
    run, file = read_run(ROOT / "baselines" / "mini.run.zip"), ROOT / ".ci" / "gate" / "suite.yaml"
    records = (*run.records, *run.base)
    if records[0].identity.stage != STAGE_VERSION:
        pytest.skip("the baseline is of an older stage")
    around = next((r.identity.surroundings for r in records if r.parts.retrieves), records[0].identity.surroundings)
    assert {cell.key for cell in expand(suites.load(file), file, lambda suite: around)} == {r.key for r in records}


class _GatedLora(LoraOptions):
    gated: bool = False


class _OrderedFewShot(FewShotOptions):
    standard = MappingProxyType({**FewShotOptions.standard, "order": "given"})
    order: Grid[str] = Field(("given", "shuffled"))


class _LaterSpec(resolve.ModelSpec):
    thinking: bool = False


class _LaterSuite(suites.Suite):
    ranking: str = "sum"


METHODS = ["few-shot", {"few-shot": {"k": 2}}, {"lora": {"max_steps": 1, "learning_rate": 1e-3}}, "lora+few-shot"]


def test_new_settings_that_are_left_alone_measure_nothing_again(
    tmp_path: Path, task_folder: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_suite(tmp_path, tiny_model, methods=[{"few-shot": {"k": 2}}])
    _, started, _ = measure(file, tmp_path / "run")
    assert started == ["few-shot"]
    keys = [cell.key for cell in cells_of(file, methods=METHODS)[1]]
    monkeypatch.setattr(Lora, "Options", _GatedLora)
    monkeypatch.setattr(FewShot, "Options", _OrderedFewShot)
    monkeypatch.setattr(identity, "ModelSpec", _LaterSpec)
    monkeypatch.setattr(resolve.ResolvedModel, "thinking", False, raising=False)
    monkeypatch.setattr(suites, "Suite", _LaterSuite)
    _, started, _ = measure(file, tmp_path / "run")
    assert started == []
    assert [cell.key for cell in cells_of(file, methods=METHODS)[1]] == keys

    def changed(**changes: Any) -> bool:
        return cells_of(file, **{"methods": METHODS, **changes})[1][2].key != keys[2]

    assert not changed(methods=[*METHODS[:2], {"lora": {"max_steps": 1, "learning_rate": 1e-3, "gated": False}}])
    assert changed(methods=[*METHODS[:2], {"lora": {"max_steps": 1, "learning_rate": 1e-3, "gated": True}}])
    assert changed(ranking="mean")
    monkeypatch.setattr(resolve.ResolvedModel, "thinking", True)
    assert changed()


class _Later(ContextOptions):
    standard: ClassVar[dict[str, Any]] = {"k": 8, "a": 1, "b": 1}
    k: Grid[int] = Field((4, 8))
    a: Grid[int] = Field((1, 2))
    b: Grid[int] = Field((1, 2))


_grids = st.lists(st.sampled_from([1, 2, 4, 8]), min_size=1, max_size=2, unique=True)
_options = st.dictionaries(st.sampled_from(["k", "a", "b"]), _grids)


@pytest.mark.parametrize("always", [{}, {"k": [4, 8]}, {"b": [1, 2]}])
def test_two_choices_of_options_never_share_a_key(always: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    listed = {"always": {"later": always}, "added": {"later": {"a": [1, 2]}}}
    monkeypatch.setattr(identity, "known", lambda: listed)

    @given(_options, _options)
    def distinct(one: dict[str, Any], other: dict[str, Any]) -> None:
        a, b = _Later(**one), _Later(**other)
        same = canonical(identity.settings("later", a)) == canonical(identity.settings("later", b))
        assert same == (a == b)

    distinct()


def test_an_option_that_is_added_to_a_part_of_another_package_leaves_its_keys() -> None:
    part = methods.create("few-shot", {"k": 2}).context
    assert identity.settings("of another package", part.options) == {"k": 2}
    assert identity.settings("of another package", FewShotOptions()) == {}
