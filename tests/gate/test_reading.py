"""Runs, baselines, policies and repeats as the gate reads them: what is kept, and every refusal word for word."""

from __future__ import annotations

import gc
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tasks
from bench.core.errors import IncompleteError, NotComparableError, UsageError
from bench.core.record import Failure, Run, Score
from bench.core.training import Training
from bench.gate import baseline, noise, reading
from bench.gate.expand import Planned, expand, groups, probe_metrics
from bench.gate.measure import Side
from bench.gate.outputs import files
from bench.gate.policy import Policy, Rename, load
from bench.gate.power import gather
from bench.gate.run import gate
from bench.metrics import from_statistics
from bench.store.run_folder import read_run
from tasks.loader.digest import item_digest, question_digest
from tests.gate.made import Made, change, shares, simple

SCORED = Policy.model_validate({"quality": [{"margin": 0.02, "detect": 0.1}]})


def probed(folder: Path, knows: list[float] | None = None) -> Made:
    """Two tasks, an adapted model and one as it was, a probe, a base model."""
    made = Made(folder)
    made.cell("base", [1.0, 0.0] * 5, task="facts", metric="exact_match", is_base=True)
    made.cell("lora", [1.0, 0.0] * 5, probes={"facts": knows or [1.0, 0.0] * 5}, training=Training(steps=3))
    made.cell("zero-shot", [1.0, 0.0] * 5, weights_changed=False)
    made.cell("rag", [1.0, 0.0] * 5, task="post", weights_changed=False)
    return made


def planned(run: Run, **policy: Any) -> list[Planned]:
    return expand(Policy.model_validate(policy), run, "gate.yaml")


class TestExpand:
    @pytest.mark.parametrize(
        ("policy", "said"),
        [
            ({"quality": [{"margin": 0.1, "model": "n"}]}, 'quality: unknown model of the baseline: "n"; allowed: m'),
            ({"quality": [{"margin": 0.1, "task": "pots"}]},
             'quality: unknown task of the baseline: "pots" (did you mean "post"?); allowed: mail, post'),
            ({"cost": [{"limit": 0.1, "counter": "steps", "method": "full"}]},
             'costcheck: unknown method of the baseline: "full"; allowed: lora, rag, zero-shot'),
            ({"quality": [{"margin": 0.1, "task": "mail", "method": "rag"}]},
             "quality: the baseline has no cell of model *, task mail, method rag"),
            ({"retention": [{"margin": 0.1, "probe": "fact"}]},
             'retention: unknown probe of the baseline: "fact" (did you mean "facts"?); allowed: facts'),
            ({"retention": [{"margin": 0.1, "metric": "bleu"}]},
             'retention: unknown metric in the baseline (model *, task *, method *): "bleu"; allowed: exact_match'),
            ({"quality": [{"margin": 0.1, "metric": "bleu", "task": "post"}]},
             'quality: unknown metric in the baseline (model *, task post, method *): "bleu"; allowed: accuracy'),
            ({"cost": [{"limit": 0.1, "counter": "steps", "task": "post"}]},
             'cost: unknown counter in the baseline (model *, task post, method *): "steps"; allowed: index_bytes, '
             "output_tokens, peak_host_bytes, predict_flops, predict_s, prompt_tokens, stored_bytes, total_parameters, "
             "trained_parameters"),
            ({"quality": [{"margin": 1}]},
             "quality: margin 1 of accuracy: a score lies between 0 and 1; say 2% for 2%"),
            ({"quality": [{"margin": 0.1, "detect": 1}]},
             "quality: detect 1 of accuracy: a score lies between 0 and 1; say 2% for 2%"),
            ({"retention": [{"margin": 0.2, "detect": "20%"}]},
             "retention: detect 0.2 of exact_match must be above its margin, 0.2"),
        ],
    )  # fmt: skip
    def test_what_names_nothing(self, policy: dict[str, Any], said: str, tmp_path: Path) -> None:
        with pytest.raises(UsageError) as raised:
            planned(read_run(probed(tmp_path / "run").done()), **policy)
        assert str(raised.value) == f"gate.yaml: {said}"

    def test_every_mistake_is_named_and_what_may_be_absent_is_none(self, tmp_path: Path) -> None:
        run = read_run(simple(tmp_path / "run", [1.0, 0.0]))
        of = "(model *, task *, method *)"
        none = f"retention: the baseline asked no probes {of}; name `probes:` in its suite, or drop the check"
        with pytest.raises(UsageError) as raised:
            planned(run, retention=[{"margin": 0.1}], quality=[{"margin": 3}, {"margin": 0.1}])
        assert str(raised.value).splitlines() == [
            "gate.yaml: quality: margin 3 of accuracy: a score lies between 0 and 1; say 2% for 2%",
            f"gate.yaml: {none}",
        ]  # fmt: skip
        absent = {"margin": 0.1, "if_present": True}
        with pytest.raises(UsageError) as raised:
            planned(run, retention=[absent])
        assert str(raised.value) == f"gate.yaml: no check applies to {tmp_path / 'run'}"
        assert len(planned(run, retention=[absent], quality=[{"margin": 0.1}])) == 1
        own = replace(run, records=(replace(run.records[0], scores={"own": Score(0.5)}),))
        with pytest.raises(UsageError, match=r'^gate\.yaml: quality: unknown metric "own"; allowed: accuracy, '):
            planned(own, quality=[{"margin": 0.1}])
        with pytest.raises(IncompleteError) as empty:
            planned(replace(run, records=()), quality=[{"margin": 0.1}])
        assert str(empty.value) == f"{tmp_path / 'run'}: the baseline holds no measured cell"

    def test_what_each_entry_stands_for(self, tmp_path: Path) -> None:
        run = read_run(probed(tmp_path / "run").done())
        found = planned(run, quality=[{"margin": "2%"}, {"margin": 0.3, "method": "lora", "tier": "advisory"}])
        assert [(one.method, one.margin, one.detect, one.tier) for one in found] == [
            ("lora", 0.3, 0.6, "advisory"), ("zero-shot", 0.02, 0.04, "critical"), ("rag", 0.02, 0.04, "critical"),
        ]  # fmt: skip
        kept = planned(run, retention=[{"margin": 0.1, "metric": "exact*"}])
        assert [one.key for one in kept] == [
            ("retention", "m", "mail", "lora", "facts", "exact_match"),
            ("retention", "m", "mail", "zero-shot", "facts", "exact_match"),
        ]
        assert [one.label for one in kept] == [
            "m · mail · lora · facts: exact_match", "m · mail · zero-shot · facts: exact_match",
        ]  # fmt: skip
        costs = planned(run, cost=[{"counter": "*tokens", "limit": "25%", "method": "rag", "tier": "supporting"}])
        assert costs == [
            Planned("cost", "m", "post", "rag", name, "supporting", 0.25) for name in ("prompt_tokens", "output_tokens")
        ]
        assert costs[0].label == "m · post · rag · prompt_tokens"

    def test_metrics_of_probes(self, tmp_path: Path) -> None:
        run = read_run(probed(tmp_path / "run").done())
        of = groups(run)
        lora, zero = of["m", "mail", "lora"], of["m", "mail", "zero-shot"]
        assert probe_metrics(lora, run) == probe_metrics(zero, run) == {"facts": ["exact_match"]}
        assert probe_metrics([replace(lora[0], weights_changed=None)], run) == {}
        two = {"facts": lora[0].probes["facts"], "more": {"accuracy": Score(1.0)}}
        assert probe_metrics([replace(lora[0], probes=two)], run) == {"facts": ["exact_match"], "more": ["accuracy"]}
        assert probe_metrics([replace(lora[0], probes=two), lora[0]], run) == {"facts": ["exact_match"]}
        assert probe_metrics([zero[0], replace(lora[0], probes=two)], run)["more"] == ["accuracy"]
        assert probe_metrics([replace(zero[0], model="n")], run) == {}
        failed = replace(run, base=tuple(replace(record, status="failed") for record in run.base))
        assert probe_metrics(zero, failed) == {}


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("quality: [{margin: '%'}]", ['quality.0.margin: should be a number, or a share such as 2%; got "%"']),
        ("quality: [{margin: inf%}]", ['quality.0.margin: should be 0 or more; got "inf%"']),
        ("quality: [{margin: .inf}]", ["quality.0.margin: should be 0 or more; got Infinity"]),
        ("quality: [{margin: -1%}]", ['quality.0.margin: should be 0 or more; got "-1%"']),
        ("quality: [{margin: [1]}]", ["quality.0.margin: should be a number, or a share such as 2%; got [1]"]),
        ("mode: regression", ["no check: add one under quality, retention or cost"]),
        ("quality: [{margin: 1%, tier: advisory}]",
         ["every check is advisory, so that nothing could fail; make one critical or supporting"]),
        ("power: 0.05\nquality: [{margin: 1%}]", ["power is 0.05; it must be above alpha, 0.05"]),
        ("retention: [{margin: 1%}, {margin: 0}]",
         ["retention.1: margin is 0; say with detect which drop must be found"]),
        ("mode: non-inferiority\nquality: [{margin: 0}]",
         ["quality.0: margin is 0; non-inferiority needs one above 0, or nothing could pass",
          "quality.0: margin is 0; say with detect which drop must be found"]),
        ("quality: [{margin: 0.02, detect: 0.02}]",
         ["quality.0: detect must be above margin: what is tolerated is never found"]),
    ],
)  # fmt: skip
def test_a_policys_mistakes_word_for_word(text: str, lines: list[str], tmp_path: Path) -> None:
    file = tmp_path / "gate.yaml"
    file.write_text(text)
    with pytest.raises(UsageError) as raised:
        load(file)
    assert str(raised.value).splitlines() == [f"{file}: {line}" for line in lines]


@pytest.mark.parametrize(
    "text",
    [
        "quality: [{margin: ' 2 % '}]", "quality: [{margin: 0, detect: 1%}]", "quality: [{margin: 2%, detect: 0.01}]",
        "cost: [{counter: 'predict_*', limit: 10%}]", "quality: [{margin: 1%, metric: 'acc*'}]",
        "cost: [{counter: predict_s, limit: 0}]", "power: 0.06\nquality: [{margin: 1%, metric: accuracy}]",
        "quality: [{margin: 1%, tier: advisory}, {margin: 1%, tier: supporting}]",
        "mode: non-inferiority\nquality: [{margin: 1%}]",
    ],
)  # fmt: skip
def test_what_is_no_mistake(text: str, tmp_path: Path) -> None:
    (tmp_path / "gate.yaml").write_text(text)
    assert list(load(tmp_path / "gate.yaml").entries())


def test_a_policy_that_is_not_there(tmp_path: Path) -> None:
    for file in (tmp_path / "x.yaml", tmp_path / "none" / "x.yaml", tmp_path):
        with pytest.raises(UsageError) as raised:
            load(file)
        assert str(raised.value) == f'no policy file "{file}"'
    (tmp_path / "gate.yml").write_text("quality: [{margin: ' 2 % '}]")
    assert load(tmp_path / "gate.yml", "non-inferiority").mode == "non-inferiority"
    assert load(tmp_path / "gate.yml").quality[0].margin.value == 0.02


class TestBaselines:
    def accepted(self, run: Path, **more: Any) -> Path:
        return baseline.accept(run, "main", run.parent / "baselines", **more)

    def test_says_who_accepted_what(self, tmp_path: Path, task_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        asked = tasks.load(task_folder)
        made = probed(tmp_path / "run")
        made.cell("rag", [1.0] * 6, task="paint", questions=question_digest(asked))
        made.entries[-1]["task_path"] = "../paint"
        made.cell("full", [1.0] * 3, status="failed", failure=Failure("not_applicable", "no corpus"))
        made.done()
        monkeypatch.chdir(tmp_path)
        kept = self.accepted(Path("run"))
        content = json.loads((kept / "baseline.json").read_text())
        moment = datetime.fromisoformat(content.pop("accepted"))
        assert abs((datetime.now(UTC) - moment).total_seconds()) < 100
        assert moment.microsecond == 0
        listed = content.pop("files")
        assert content == {
            "name": "main", "source": "run", "suite": "trial", "items": {"paint": item_digest(asked)}, "schema": 1,
        }  # fmt: skip
        assert set(listed) == {str(f.relative_to(kept)) for f in kept.rglob("*") if f.is_file()} - {"baseline.json"}
        assert sorted(re.sub(r"-[0-9a-f]{12}/", "/", name) for name in listed) == sorted([
            "run.json", "suite.yaml", "cells/facts.base.0/record.json", "cells/facts.base.0/predictions.jsonl",
            "cells/mail.lora.0/record.json", "cells/mail.lora.0/predictions.jsonl",
            "cells/mail.lora.0/probe-facts.jsonl",
            "cells/mail.zero-shot.0/record.json", "cells/mail.zero-shot.0/predictions.jsonl",
            "cells/post.rag.0/record.json", "cells/post.rag.0/predictions.jsonl", "cells/paint.rag.0/record.json",
            "cells/paint.rag.0/predictions.jsonl", "cells/mail.full.0/record.json",
        ])  # fmt: skip
        assert [file.name for file in kept.parent.iterdir()] == ["main"]
        assert baseline.unread_items(kept) == ["facts", "mail", "post"]
        assert baseline.item_digest_of(read_run(kept), "paint") == item_digest(asked)
        assert baseline.item_digest_of(read_run(kept), "mail") is None
        assert baseline.item_digest_of(read_run(tmp_path / "run"), "paint") == item_digest(asked)
        assert baseline.item_digest_of(read_run(tmp_path / "run"), "mail") is None
        assert read_run(kept).task_paths["paint"] == "../../paint"

    def test_lines_hold_what_is_compared(self, tmp_path: Path) -> None:
        run = simple(tmp_path / "run", [1.0, 0.0], outputs=["ä", "b"])
        [kept] = self.accepted(run).glob("cells/*/predictions.jsonl")
        first = json.loads(kept.read_text(encoding="utf-8").splitlines()[0])
        assert first["output"] == "ä"
        assert "ä" in kept.read_text(encoding="utf-8")
        [bare] = self.accepted(run, replace=True, outputs=False).glob("cells/*/predictions.jsonl")
        assert [json.loads(line)["output"] for line in bare.read_text().splitlines()] == ["", ""]
        assert json.loads(bare.read_text().splitlines()[0]) == {**first, "output": ""}

    def test_what_a_killed_one_left_is_no_part_of_it(self, tmp_path: Path) -> None:
        run, left = simple(tmp_path / "run", [1.0, 0.0]), tmp_path / "baselines" / ".writing-main"
        left.mkdir(parents=True)
        (left / "stray.txt").write_text("")
        kept = self.accepted(run)
        assert not (kept / "stray.txt").exists()
        next(run.glob("cells/*/predictions.jsonl")).unlink()
        with pytest.raises(IncompleteError):
            self.accepted(run, replace=True)
        assert [file.name for file in kept.parent.iterdir()] == ["main"]

    def test_without_a_suite_file(self, tmp_path: Path) -> None:
        run = simple(tmp_path / "run", [1.0, 0.0])
        (run / "suite.yaml").unlink()
        assert not (self.accepted(run) / "suite.yaml").exists()

    def test_refusals(self, tmp_path: Path) -> None:
        run = simple(tmp_path / "run", [1.0, 0.0])

        def said(error: type[Exception], of: Callable[[], object]) -> str:
            with pytest.raises(error) as raised:
                of()
            return str(raised.value)

        assert said(UsageError, lambda: baseline.accept(run, "a b", tmp_path)) == (
            '"a b" is no name for a folder: letters, digits, dots, dashes and underscores'
        )
        kept = self.accepted(run)
        assert said(UsageError, lambda: self.accepted(run)) == f"{kept} exists; --replace puts this run in its place"
        missing = Made(tmp_path / "missing")
        for method in ("a", "b", "c"):
            missing.cell(method, [1.0])
        missing.cell("d", [1.0], status="failed", failure=Failure("diverged", "nan"))
        for name in missing.done().glob("cells/*[ab].0*/*"):
            name.unlink()
        assert said(IncompleteError, lambda: self.accepted(missing.path)) == (
            f"{missing.path}: not measured: m · mail · a · seed 0 and 2 more"
        )
        alone = Made(tmp_path / "alone")
        alone.cell("d", [1.0], status="failed", failure=None)
        assert said(IncompleteError, lambda: self.accepted(alone.done())) == (
            f"{alone.path}: not measured: m · mail · d · seed 0 (failed)"
        )
        empty = Made(tmp_path / "empty")
        empty.cell("d", [1.0], status="failed", failure=Failure("not_applicable", "no"))
        assert said(IncompleteError, lambda: self.accepted(empty.done())) == f"{empty.path} holds no measured cell"

    def test_what_was_touched(self, tmp_path: Path) -> None:
        kept = self.accepted(simple(tmp_path / "run", [1.0, 0.0]))

        def said() -> str:
            with pytest.raises(IncompleteError) as raised:
                baseline.refuse_changed(kept)
            return str(raised.value)

        baseline.refuse_changed(kept)
        baseline.refuse_changed(tmp_path / "run")
        [cell] = (kept / "cells").iterdir()
        (cell / "more.txt").write_text("")
        assert said() == f"{cell / 'more.txt'} is none of the files that were accepted; accept the run again"
        (cell / "more.txt").unlink()
        (kept / "cells" / "stray").write_text("")
        baseline.refuse_changed(kept)  # no cell's folder
        (kept / "suite.yaml").write_text("name: other")
        assert said() == f"{kept / 'suite.yaml'} is not as it was accepted; accept the run again"
        (kept / "suite.yaml").unlink()
        assert said() == f"{kept / 'suite.yaml'} is missing from the accepted baseline"


class TestReading:
    def test_what_cannot_be_read(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError) as raised:
            reading.read(tmp_path / "none", "candidate")
        assert str(raised.value).startswith(f'candidate: "{tmp_path / "none"}" is no run directory')
        run = simple(tmp_path / "run", [1.0, 0.0])
        (run / "run.json").write_text('{"schema": 1, "suite": "x", "cells": [{}]}')
        with pytest.raises(IncompleteError) as broken:
            reading.read(run, "baseline")
        assert str(broken.value).startswith(f"baseline: {run / 'run.json'} ")
        whole = simple(tmp_path / "whole", [1.0, 0.0])
        [record] = whole.glob("cells/*/record.json")
        record.write_text("{")
        with pytest.raises(IncompleteError) as damaged:
            reading.read(whole, "candidate")
        assert str(damaged.value).startswith(f"candidate: {record}")

    def test_what_lies_beside_a_run(self, tmp_path: Path) -> None:
        file = tmp_path / "baseline.json"
        assert reading.read_beside(file, baseline.Accepted, "accept the run again") is None
        file.write_text('{"name": 3}')
        with pytest.raises(IncompleteError) as raised:
            reading.read_beside(file, baseline.Accepted, "do it again")
        assert str(raised.value) == f"{file} is damaged (name: Input should be a valid string); do it again"

    def test_names(self, tmp_path: Path) -> None:
        new, old = (read_run(simple(tmp_path / name, [1.0], model=name)) for name in ("new", "old"))
        found, notes = reading.renamed(new, old, Rename())
        assert (found.records[0].model, found.base) == ("old", ())
        assert notes == ["model new of the candidate stands for old of the baseline"]
        same, notes = reading.renamed(old, old, Rename())
        assert (same.records, notes) == (old.records, [])
        both = replace(new, records=(*new.records, replace(new.records[0], model="other")))
        assert reading.renamed(both, old, Rename()) == (both, [])
        assert reading.renamed(new, replace(old, records=(*old.records, *new.records)), Rename()) == (new, [])
        asked, notes = reading.renamed(both, old, Rename(models={"other": "old"}, methods={"zero-shot": "zero-shot"}))
        assert ([record.model for record in asked.records], notes) == (["new", "old"], [])
        with_base = replace(new, base=new.records)
        assert reading.renamed(with_base, old, Rename())[0].base[0].model == "old"
        for rename, said in (
            (Rename(models={"x": "old"}), 'model of the candidate: "x"; allowed: new'),
            (Rename(models={"new": "x"}), 'model of the baseline: "x"; allowed: old'),
            (Rename(methods={"x": "zero-shot"}), 'method of the candidate: "x"; allowed: zero-shot'),
            (Rename(methods={"zero-shot": "x"}), 'method of the baseline: "x"; allowed: zero-shot'),
        ):
            with pytest.raises(UsageError) as raised:
                reading.renamed(new, old, rename)
            assert str(raised.value) == f"rename: unknown {said}"


class TestNoise:
    def runs(self, folder: Path, count: int = 4, **changes: Any) -> list[Run]:
        return [
            read_run(simple(folder / str(i), [1.0, 0.0], created=f"2026-01-0{i + 1}T00:00:00+00:00", **changes))
            for i in range(count)
        ]

    def test_refusals(self, tmp_path: Path) -> None:
        first, *others = self.runs(tmp_path / "a")
        where = f"{others[0].path}: m · mail · zero-shot"

        def said(error: type[Exception], *repeats: Run) -> str:
            with pytest.raises(error) as raised:
                noise.calibrate(first, repeats)
            return str(raised.value)

        assert said(UsageError, *others[:2]) == ("at least 3 repeats are needed to know the noise of a baseline; got 2")
        assert said(UsageError, *others[:2], others[0]) == (
            f"{others[0].path} holds the same records as {others[0].path}: a copy says nothing of noise"
        )
        [record] = others[0].records

        def changed(**changes: Any) -> Run:
            return replace(others[0], records=(replace(record, **changes),))

        assert said(IncompleteError, changed(task="post"), *others[1:]) == f"{where}: 0 of 1 seeds were measured"
        assert said(NotComparableError, changed(questions="x"), *others[1:]) == (
            f"{where}: not a repeat of the baseline: model, items, prompt or options differ"
        )
        assert said(NotComparableError, changed(scores={"accuracy": Score(0.5, "v9")}), *others[1:]) == (
            f"{where}: scored in another way than the baseline"
        )
        other_seed = changed(identity=replace(record.identity, seed=7))
        assert noise.calibrate(first, [other_seed, *others[1:]])

    def test_every_figure_has_a_floor(self, tmp_path: Path) -> None:
        runs = self.runs(tmp_path / "a")
        found = {floor.key: floor for floor in noise.calibrate(runs[0], runs[1:])}
        assert {key[:4] for key in found} == {(kind, "m", "mail", "zero-shot") for kind in ("quality", "cost")}
        assert {key[5] for key in found} == {
            "accuracy", "prompt_tokens", "output_tokens", "trained_parameters", "total_parameters", "stored_bytes",
            "index_bytes", "predict_flops", "predict_s", "peak_host_bytes",
        }  # fmt: skip
        assert {(floor.sd, floor.floor) for floor in found.values()} == {(0.0, 0.0)}
        assert found["quality", "m", "mail", "zero-shot", "", "accuracy"].mean == 0.5
        file = noise.write(runs[0].path, list(found.values()), [run.path for run in runs[1:]])
        assert file == runs[0].path / "noise.json"
        content = json.loads(file.read_text())
        assert (content["repeats"], content["level"]) == ([str(run.path) for run in runs[1:]], 0.95)
        assert noise.read(runs[0].path) == dict.fromkeys(found, 0.0)
        assert noise.read(runs[1].path) == {}

    def test_a_probe_of_one_seed_alone_has_none(self, tmp_path: Path) -> None:
        made = []
        for i in range(4):
            run = probed(tmp_path / str(i))
            made.append(read_run(run.done()))
        runs = [
            replace(run, records=tuple(replace(one, created=f"{i}") for one in run.records))
            for i, run in enumerate(made)
        ]
        floors = noise.calibrate(runs[0], runs[1:])
        assert {(one.method, one.probe, one.name) for one in floors if one.kind == "retention"} == {
            ("lora", "facts", "exact_match"), ("zero-shot", "facts", "exact_match"), ("rag", "facts", "exact_match"),
        }  # fmt: skip
        bare = [
            replace(
                run,
                records=tuple(
                    replace(one, probes={"facts": {}}) if one.method == "lora" else one for one in run.records
                ),
            )
            for run in runs
        ]
        without = noise.calibrate(bare[0], bare[1:])
        assert "lora" not in {one.method for one in without if one.kind == "retention"}
        lacking = [
            runs[0],
            replace(runs[1], records=tuple(replace(one, phases={}) for one in runs[1].records)),
            *runs[2:],
        ]
        names = {one.name for one in noise.calibrate(lacking[0], lacking[1:]) if one.method == "rag"}
        assert "predict_s" not in names
        assert "prompt_tokens" in names


class TestGate:
    def said(self, old: Path, new: Path, policy: Policy = SCORED) -> Any:
        return gate(old, new, policy, "gate.yaml").verdict

    def test_notes(self, tmp_path: Path) -> None:
        old, new = Made(tmp_path / "old"), Made(tmp_path / "new")
        old.cell("rag", [1.0, 0.0] * 50)
        new.cell("rag", [1.0, 0.0] * 50)
        new.cell("more", [1.0] * 10)
        for name, kind in (("gone", "diverged"), ("none", "not_applicable"), ("unsaid", None)):
            new.cell(name, [1.0], status="failed", failure=Failure(kind, "x") if kind else None)
        found = self.said(old.done(), new.done())
        assert found.notes == (
            "m · mail · more: not in the baseline, so not gated",
            "candidate: m · mail · gone · seed 0 failed, and is not in the baseline",
            "candidate: m · mail · unsaid · seed 0 failed, and is not in the baseline",
            "the baseline was never calibrated: its noise floor is taken as 0",
        )
        assert gc.isenabled()
        noise.write(old.path, [noise.Floor("quality", "m", "mail", "rag", "", "accuracy", 0.5, 0.0, 0.0)], [])
        assert len(self.said(old.path, new.path).notes) == 3
        kept = read_run(old.path).records[0]
        again = Made(tmp_path / "again")
        again.cell("rag", [1.0, 0.0] * 50)
        [record] = again.done().glob("cells/*/record.json")
        change(record, created=kept.created)
        assert self.said(old.path, again.path).notes == ()  # the same moment, another cell

    def test_a_copy_is_said(self, tmp_path: Path) -> None:
        old = Made(tmp_path / "old")
        for method in ("rag", "full"):
            old.cell(method, [1.0, 0.0] * 50)
        shutil.copytree(old.done(), tmp_path / "new")
        assert self.said(old.path, tmp_path / "new").notes == (
            "2 cells of the candidate are the baseline's own records, not measured again",
            "the baseline was never calibrated: its noise floor is taken as 0",
        )
        [record] = (tmp_path / "new").glob("cells/*rag*/record.json")
        change(record, created="2026-02-02T00:00:00+00:00")
        assert self.said(old.path, tmp_path / "new").notes[0].startswith("1 cells of the candidate")

    def test_which_run_cannot_be_read(self, tmp_path: Path) -> None:
        run, none = simple(tmp_path / "run", [1.0]), tmp_path / "none"
        for old, new, side in ((none, run, "baseline"), (run, none, "candidate")):
            with pytest.raises(UsageError) as raised:
                self.said(old, new)
            assert str(raised.value).startswith(f'{side}: "{none}" is no run directory')
        with pytest.raises(UsageError) as accepting:
            baseline.accept(none, "main", tmp_path)
        assert str(accepting.value).startswith(f'baseline: "{none}" is no run directory')

    def test_problems(self, tmp_path: Path) -> None:
        old, new = Made(tmp_path / "old"), Made(tmp_path / "new")
        old.cell("rag", [1.0, 0.0] * 50)
        old.cell("full", [1.0, 0.0] * 50)
        new.cell("rag", [1.0, 0.0] * 50)
        lone = Policy.model_validate({"quality": [{"margin": 0.02, "detect": 0.1, "method": "rag"}]})
        found = self.said(old.done(), new.done(), lone)
        assert found.problems == ("m · mail · full: not in the candidate",)
        new.cell("full", [1.0], status="failed", failure=None)
        found = self.said(old.path, new.done())
        assert [one.reason for one in found.findings if one.status == "missing"] == ["seed 0 failed: no reason given"]
        assert found.problems == ()
        old.cell("bad", [1.0], status="failed", failure=None)
        old.entries.append({**old.entries[0], "key": "b" * 64, "method": "lora"})
        assert self.said(old.done(), new.path, lone).problems == (
            "m · mail · full: seed 0 failed: no reason given",
            "baseline: m · mail · lora · seed 0 was not measured",
            "baseline: m · mail · bad · seed 0 failed",
        )

    def test_a_run_against_itself(self, tmp_path: Path) -> None:
        old = simple(tmp_path / "old", [1.0])
        with pytest.raises(UsageError) as raised:
            self.said(old, old)
        assert str(raised.value) == (f"{old} is both baseline and candidate; a run against itself would always pass")

    @pytest.mark.parametrize(
        ("changes", "kind", "said"),
        [
            ({"scores": {"accuracy": Score(0.5, "v2")}}, "not_comparable",
             "accuracy was computed in two ways: v1, now v2"),
            ({"questions": "x"}, "not_comparable",
             "prompt or items differ; `may_change: [prompt]` allows for another prompt"),
            ({"scores": {"accuracy": Score(0.5, "v1"), "mrr": Score(0.5)}}, "pass",
             "identical for every item"),
            ({"scores": {"accuracy": Score(0.51, "v1")}}, "missing",
             "of accuracy the record of seed 0 says 0.51, its predictions 0.5"),
            ({"items": 9}, "missing", "the candidate has predictions of 10 of 9 items of seed 0"),
            ({"scores": {"mrr": Score(0.5, "v1")}}, "missing", "the candidate was not scored by accuracy"),
        ],
    )  # fmt: skip
    def test_what_keeps_a_check_from_being(self, changes: dict[str, Any], kind: str, said: str, tmp_path: Path) -> None:
        old, new = (simple(tmp_path / name, [1.0, 0.0] * 5, **own) for name, own in (("old", {}), ("new", changes)))
        [finding] = self.said(old, new, SCORED.model_copy(update={"inconclusive": "pass"})).findings
        assert (finding.status, finding.reason) == (kind, said)

    def test_a_corpus_score_that_its_counts_do_not_give(self, tmp_path: Path) -> None:
        """Every n-gram of every answer is the reference's: BLEU 100."""
        counts = [[9, 9, 9, 8, 7, 6, 9, 8, 7, 6]] * 40
        assert from_statistics("bleu", np.sum(counts, axis=0, keepdims=True))[0] == pytest.approx(100)
        policy = Policy.model_validate({"quality": [{"margin": "2%"}]})
        made = []
        for name, value in (("old", 100.0), ("new", 97.5), ("again", 100.00005)):
            run = Made(tmp_path / name)
            run.cell("full", counts, metric="bleu", value=value)
            made.append(run.done())
        [finding] = self.said(made[0], made[1], policy).findings
        assert (finding.status, finding.reason) == ("missing", "the record of seed 0 says 97.5, its predictions 100")
        assert self.said(made[0], made[2], policy).exit_code == 0

    def test_a_baseline_that_is_damaged(self, tmp_path: Path) -> None:
        old, new = simple(tmp_path / "old", [1.0, 0.0] * 5), simple(tmp_path / "new", [1.0, 0.0] * 5)
        [file] = old.glob("cells/*/predictions.jsonl")
        file.write_text(file.read_text().replace('"id": "test/1"', '"id": "test/0"'))
        twice = "an item stands twice in the baseline's predictions of seed 0"
        [finding] = self.said(old, new).findings
        assert (finding.status, finding.reason) == ("missing", twice)
        run = read_run(old)
        [(_, evidence)] = gather(expand(SCORED, run, "x"), run, SCORED)
        assert (evidence.problem, evidence.items) == (f"the baseline cannot be compared with: {twice}", 0)

    def test_groups_that_changed(self, tmp_path: Path) -> None:
        runs = []
        for name, group in (("old", "a"), ("new", "b")):
            run = simple(tmp_path / name, [1.0, 0.0] * 5)
            [file] = run.glob("cells/*/predictions.jsonl")
            lines = [json.loads(line) for line in file.read_text().splitlines()]
            lines[0]["group"] = lines[1]["group"] = group
            file.write_text("".join(json.dumps(line) + "\n" for line in lines))
            runs.append(run)
        [finding] = self.said(runs[0], runs[1]).findings
        assert (finding.status, finding.reason) == (
            "not_comparable", "the items belong together in other groups than before",
        )  # fmt: skip

    def test_probes_that_lack_something(self, tmp_path: Path) -> None:
        policy = Policy.model_validate({"retention": [{"margin": 0.02, "detect": 0.5}]})
        old = probed(tmp_path / "old").done()

        def reasons(new: Path) -> dict[str, str]:
            found = gate(old, new, policy, "gate.yaml").verdict
            return {one.planned.method: one.reason for one in found.findings}

        same = probed(tmp_path / "same").done()
        assert reasons(same) == {"lora": "identical for every item", "zero-shot": "identical for every item"}
        [file] = same.glob("cells/*lora*/probe-facts.jsonl")
        file.unlink()
        assert reasons(same)["lora"] == "the candidate has no answers to probe facts"
        [base] = probed(tmp_path / "bare").done().glob("cells/*base*/record.json")
        change(base, status="failed", failure={"kind": "diverged", "message": "nan"})
        assert reasons(tmp_path / "bare") == {
            "lora": "the candidate has no record of the base model's answers to probe facts",
            "zero-shot": "the candidate has no answers of the base model to probe facts",
        }


def test_a_side_knows_its_base(tmp_path: Path) -> None:
    run = read_run(probed(tmp_path / "run").done())
    side = Side("the baseline", run, groups(run))
    assert side.base("m", "facts") == run.base[0]
    assert side.base("n", "facts") is None
    assert side.base("m", "mail") is None


def test_evidence_of_a_baseline(tmp_path: Path) -> None:
    made = probed(tmp_path / "run")
    made.cell("bad", [1.0, 0.0] * 5)
    run = read_run(made.done())
    policy = Policy.model_validate({
        "quality": [{"margin": 0.02, "detect": 0.1}], "cost": [{"counter": "*tokens", "limit": "10%"}],
        "retention": [{"margin": 0.02}],
    })  # fmt: skip
    for file in made.path.glob("cells/*bad*/predictions.jsonl"):
        file.unlink()
    found = {check.label: evidence for check, evidence in gather(expand(policy, run, "x"), run, policy)}
    lora, zero = found["m · mail · lora · accuracy"], found["m · mail · zero-shot · accuracy"]
    assert (lora.items, lora.tested, lora.shares, lora.training, lora.room) == (10, True, False, True, 0.5)
    assert lora.problem == (
        "one seed cannot say whether training again would be worse: take three or more, or ask of `checkpoints`"
    )
    assert (zero.shares, zero.training, zero.problem, zero.units) == (True, False, "", 10)
    assert found["m · mail · zero-shot · prompt_tokens"].tested is False
    tokens = found["m · mail · zero-shot · output_tokens"]
    assert tokens.values is not None
    assert (tokens.values.tolist(), tokens.room, tokens.shares) == ([[1.0] * 10], None, False)
    assert found["m · mail · bad · accuracy"].problem.startswith("the baseline cannot be compared with: ")
    assert found["m · mail · lora · facts: exact_match"].values is not None
    here = policy.model_copy(update={"question": "checkpoints"})
    [again] = [
        one for check, one in gather(expand(here, run, "x"), run, here) if check.label.endswith("lora · accuracy")
    ]
    assert (again.training, again.problem, again.shares) == (False, "", False)


def test_files_of_a_verdict(tmp_path: Path) -> None:
    before, now = shares(40, 20, lost=12)
    before[0], now[0] = 0.0, 0.0
    old, new = simple(tmp_path / "old", before, outputs=["ä"] * 40), simple(tmp_path / "new", now, outputs=["ö"] * 40)
    gated = gate(old, new, SCORED, "gate.yaml")
    shown = files.shown(gated)
    assert [(place, one.lost) for place, one in shown.items()] == [(0, 11)]
    files.prepare(tmp_path / "deep" / "gate")
    files.write(tmp_path / "deep" / "gate", gated.verdict, {}, "main", shown)
    texts = {file.name: file.read_text(encoding="utf-8") for file in (tmp_path / "deep" / "gate").iterdir()}
    assert texts["gate.json"].startswith('{\n "schema": 1,\n')
    assert texts["gate.json"].endswith("}\n")
    assert '"candidate": "ö"' in texts["gate.json"]
    assert texts["junit.xml"].startswith("<?xml")
    assert "| **regression**" in texts["summary.md"]
    assert texts["comment.md"].count("| <code>test/") == 5
    assert texts["summary.md"].count("| <code>test/") == 11
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError) as raised:
        files.prepare(tmp_path / "file" / "x")
    assert (
        str(raised.value)
        == f"cannot write to {tmp_path / 'file' / 'x'}: Not a directory; choose another folder with --out"
    )
