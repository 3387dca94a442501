"""Knowledge retention: probes before and after, and exactly nothing where no weight has moved."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sacrebleu
import scipy.stats  # type: ignore[import-untyped]  # scipy ships no types
import torch
from transformers import AutoModelForCausalLM

import methods
from bench.analysis.retention import BaseScore, above_chance, base_scores, changes, losses, paired
from bench.analysis.statistics.paired import paired_shares
from bench.cell.divergence import divergence, next_tokens
from bench.core.errors import UsageError
from bench.core.record import Prediction, Record, Run, Score
from bench.engine.backend import local
from bench.engine.prompts import Encoded
from bench.engine.transformers_backend import TransformersBackend
from bench.engine.transformers_engine import Engine
from bench.metrics import statistics
from bench.model.fingerprint import fingerprint
from bench.report.tables import tables
from bench.store import run_folder
from bench.store.lines import lines_of
from tests.small import cells_of, measure, write_suite
from tests.toy import QUICK, adapted, choice_task, text_task

PROBED: dict[str, Any] = {
    "methods": ["zero-shot", {"few-shot": {"k": 2}}, {"full": {"learning_rate": 1e-2, "max_steps": 3}}],
    "probes": ["notes"],
    "probe_limit": 4,
}


def test_what_starts_changed_is_asked_before_it_learns(notes: Path, tmp_path: Path, tiny_model: Path) -> None:
    way = {"learning_rate": 1e-2, "max_steps": 9}
    made = [{"prompt-tuning": {**way, "virtual_tokens": 4, "text": "Rain"}}, {"qlora": {**way, "rank": 2}}]
    _, _, run = measure(write_suite(tmp_path, tiny_model, **PROBED | {"methods": made}), tmp_path / "run")
    soft, four_bits = run.records
    base, name = base_scores(run, run.records[0].model), "bits_per_byte"
    loaded = base["notes"].value
    first = {record.method: record.untrained["notes"][name].value for record in run.records}
    last = {record.method: record.probes["notes"][name].value for record in run.records}
    assert len({loaded, *first.values(), *last.values()}) == 5
    # virtual tokens are part of what is served, so all that they change counts; 4 bits are the base that was chosen
    [changed], [of_4_bits] = changes(soft, base), changes(four_bits, base)
    assert (changed.base, changed.adapted) == (loaded, last["prompt-tuning"])
    assert (of_4_bits.base, of_4_bits.adapted) == (first["qlora"], last["qlora"])
    lines = run_folder.find_predictions(run.path, four_bits.key, run_folder.probe_file("notes", untrained=True))
    assert lines
    assert len(list(lines_of(lines))) == 4
    [lost], pairs = losses(run, [four_bits], base), paired(run, [four_bits], "notes")
    assert pairs
    assert pairs.difference == pytest.approx(last["qlora"] - first["qlora"])
    assert lost.value == pytest.approx(pairs.difference)
    assert lost.base_form == "4 bits (NF4)"
    [table] = [each for each in tables(run) if "retention" in each.title]
    rows = {row[0].text: row[2].text for row in table.rows}
    assert list(rows) == ["base model", "prompt-tuning, untrained", "prompt-tuning", "qlora, untrained", "qlora"]
    assert rows["qlora, untrained"] == f"{first['qlora'] - loaded:+.3f}"
    assert [note for note in table.notes if "qlora turns the base into 4 bits (NF4)" in note]


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_curve_shows_what_was_learnt_and_forgotten_by_then(
    notes: Path, tmp_path: Path, tiny_model: Path, method: str
) -> None:
    options = {"learning_rate": 1e-2, "max_steps": 9}
    plain, curved = (
        measure(
            write_suite(tmp_path, tiny_model, **{**PROBED, "methods": [{method: options}], "checkpoints": count}),
            tmp_path / f"run-{count}",
        )[2]
        for count in (0, 2)
    )
    [record] = curved.records
    assert [point.step for point in record.curve] == [3, 6]
    bits = [point.probes["notes"]["bits_per_byte"].value for point in record.curve]
    base, last = curved.base[0].scores["bits_per_byte"].value, record.probes["notes"]["bits_per_byte"].value
    assert len({base, *bits, last}) == 4
    assert {name for point in record.curve for name in point.validation} == {"accuracy", "macro_f1"}
    assert plain.records[0].curve == ()
    assert record.scores == plain.records[0].scores  # looking changes nothing
    assert record.probes == plain.records[0].probes
    assert not list((tmp_path / "run-2").glob("**/checkpoints"))
    assert plain.records[0].key != record.key


def test_a_share_of_an_adapter_moves_the_model_by_less(notes: Path, tmp_path: Path, tiny_model: Path) -> None:
    methods = [{"lora": {"learning_rate": 1e-2, "max_steps": 9}}, {"full": {"learning_rate": 1e-3, "max_steps": 2}}]
    changes = {**PROBED, "methods": methods, "adapter_scales": [0.001, 0.999]}
    _, _, run = measure(write_suite(tmp_path, tiny_model, **changes), tmp_path / "run")
    lora, full = run.records
    assert (full.scaled, [point.scale for point in lora.scaled]) == ((), [0.001, 0.999])
    least, most = (point.probes["notes"]["bits_per_byte"].value for point in lora.scaled)
    assert most == pytest.approx(lora.probes["notes"]["bits_per_byte"].value, abs=0.002)
    base = run.base[0].scores["bits_per_byte"].value
    assert abs(least - base) < abs(most - base)  # the EOS token's row is not scaled, so that it is not quite the base


def test_divergence_is_the_kl_of_plain_passes(tiny_model: Path) -> None:
    torch.manual_seed(0)
    base, moved = (AutoModelForCausalLM.from_pretrained(tiny_model).eval() for _ in range(2))
    with torch.no_grad():
        for parameter in moved.parameters():
            parameter += 0.02 * torch.randn_like(parameter)
    prompts = [Encoded("a", (5, 6), (7, 8, 9)), Encoded("b", (), (11, 12)), Encoded("c", (), (1,), failure="too long")]
    expected = []
    for prompt in prompts[:2]:
        ids = torch.tensor([[*prompt.prefix, *prompt.query]])
        with torch.no_grad():
            p, q = (model(ids).logits[0, -1].double().softmax(-1) for model in (moved, base))
        expected.append(float((p * (p / q).log()).sum()))
    backends = [TransformersBackend(Engine(model, 0, frozenset(), 1024), str) for model in (moved, base)]
    moved, before = (next_tokens(backend, prompts) for backend in backends)
    assert moved is not None
    assert before is not None
    assert divergence(moved, before) == pytest.approx(sum(expected) / 2, rel=1e-4)
    assert divergence(before, before) == 0
    assert next_tokens(backends[0], prompts[2:]) is None


def answered(run: Path, key: str, name: str, values: list[float], order: list[int], metric: str = "accuracy") -> None:
    """The file of a cell that scored `values`, its lines in an order of their own."""
    folder = run / "cells" / f"x-{key[:12]}"
    folder.mkdir(parents=True)
    predictions = [Prediction(f"test/{i}") for i in order]
    run_folder.write_predictions(folder, predictions, lambda at: {"metrics": {metric: values[order[at]]}}, name)


def probed(
    folder: Path, before: list[float], *after: list[float], metric: str = "accuracy"
) -> tuple[Run, list[Record]]:
    """A run whose base model and seeds of full scored so on a probe."""
    order = list(range(len(before)))
    answered(folder, "b" * 64, run_folder.PREDICTIONS, before, order, metric)
    base = Record("b" * 64, "m", "facts", "base", 0, "ok", "now", scores={metric: Score(sum(before) / len(before))})
    seeds = []
    for seed, values in enumerate(after):
        answered(folder, str(seed) * 64, run_folder.probe_file("facts"), values, order, metric)
        score = {metric: Score(sum(values) / len(values))}
        seeds.append(Record(str(seed) * 64, "m", "mail", "full", seed, "ok", "now", weights_changed=True,
                            probes={"facts": score}))  # fmt: skip
    return Run(folder, "trial", tuple(seeds), (), (base,)), seeds


def test_seeds_far_apart_give_what_these_checkpoints_lost_and_not_the_whole_scale(tmp_path: Path) -> None:
    run, seeds = probed(tmp_path, [1.0] * 60 + [0.0] * 40, [0.0] * 100, [1.0] * 60 + [0.0] * 40)
    found = paired(run, seeds, "facts")
    assert found is not None
    assert found.seeds == pytest.approx((-0.6, 0.0))
    assert found.retrained is None  # two seeds cannot say
    # by hand: 60 items fell by a half, 40 by nothing, and as the base has one seed two whole items are added
    gaps = np.array([-0.5] * 60 + [0.0] * 40 + [1.0, -1.0])
    half = scipy.stats.t.ppf(0.975, 99) * gaps.std(ddof=1) / math.sqrt(102)
    assert (found.interval.low, found.interval.high) == pytest.approx((-0.3 - half, -0.3 + half))


def test_all_that_was_known_is_lost_with_a_width(tmp_path: Path) -> None:
    run, seeds = probed(tmp_path, [1.0] * 40, *([[0.0] * 40] * 2))
    found = paired(run, seeds, "facts")
    assert found is not None
    assert (found.difference, found.interval.low) == (-1.0, -1.0)
    assert -0.95 < found.interval.high < -0.8
    [loss] = losses(run, seeds, base_scores(run, "m"))
    assert (loss.value, loss.share) == (1.0, 1.0)
    assert loss.interval is not None
    assert (loss.interval.low, loss.interval.high) == pytest.approx((-found.interval.high, 1.0))


def test_bits_per_byte_have_no_upper_end(tmp_path: Path) -> None:
    before, after = [2.0, 2.2, 2.4, 2.0], [11.0, 11.5, 11.2, 11.6]
    run, seeds = probed(tmp_path, before, after, metric="bits_per_byte")
    found = paired(run, seeds, "facts")
    assert found is not None
    expected = scipy.stats.ttest_rel(after, before).confidence_interval(0.95)
    assert (found.interval.low, found.interval.high) == pytest.approx(tuple(expected))
    [loss] = losses(run, seeds, base_scores(run, "m"))
    assert loss.value == pytest.approx(np.mean(after) - np.mean(before))
    assert loss.interval is not None
    assert loss.interval.covers(loss.value)


def test_the_largest_loss_is_found_within_each_unit() -> None:
    known = {"facts": ("exact_match", 0.8), "sums": ("exact_match", 0.2), "notes": ("bits_per_byte", 2.0)}
    base = {name: BaseScore(*each) for name, each in known.items()}
    after = {"facts": 0.6, "sums": 0.1, "notes": 2.5}
    probes = {name: {base[name].metric: Score(value)} for name, value in after.items()}
    record = Record("k", "m", "t", "full", 0, "ok", "", weights_changed=True, probes=probes)
    run = Run(Path("nowhere"), "s", (record,))
    facts, notes = losses(run, [record], base)
    assert [(one.probe, one.metric, one.interval) for one in (facts, notes)] == [
        ("facts", "exact_match", None), ("notes", "bits_per_byte", None)
    ]  # fmt: skip
    assert (facts.value, facts.share, notes.value, notes.share) == pytest.approx((0.2, 0.25, 0.5, 0.25))
    ranked = {"facts": BaseScore("exact_match", 0.8, chance=0.3)}
    assert [one.share for one in losses(run, [record], ranked)] == [pytest.approx(0.4)]  # 0.2 of the 0.5 above chance
    frozen = replace(record, weights_changed=False, probes={})
    assert {one.value for one in losses(run, [frozen], base)} == {0.0}
    assert losses(run, [replace(record, weights_changed=None)], base) == ()  # unknown, not 0


def test_a_change_is_paired_by_item(tmp_path: Path) -> None:
    before, after = [1.0] * 6 + [0.0] * 4, [0.0] * 2 + [1.0] * 5 + [0.0] * 3  # two lost, one gained, four kept
    answered(tmp_path, "b" * 64, run_folder.PREDICTIONS, before, list(range(10)))
    answered(tmp_path, "a" * 64, run_folder.probe_file("facts"), after, list(range(9, -1, -1)))  # matched by id
    base = Record("b" * 64, "m", "facts", "base", 0, "ok", "now", scores={"accuracy": Score(0.6)})
    full = Record("a" * 64, "m", "mail", "full", 0, "ok", "now", weights_changed=True,
                  probes={"facts": {"accuracy": Score(0.5)}})  # fmt: skip
    run = Run(tmp_path, "trial", (full,), (), (base,))
    found = paired(run, [full], "facts")
    assert found is not None
    assert (found.kept, found.lost, found.gained, found.n, found.counts) == (4, 2, 1, 10, True)
    expected = paired_shares(after, before)  # Newcombe's
    assert found.difference == pytest.approx(-0.1) == expected.difference
    assert found.interval == expected.interval
    [table] = [table for table in tables(run) if "retention" in table.title]
    assert table.rows[1][2].text.splitlines()[0] == "-0.100"
    assert table.rows[1][2].text.splitlines()[2] == "-2 +1"
    assert paired(replace(run, path=tmp_path / "elsewhere"), [full], "facts") is None


@pytest.fixture
def notes(tmp_path: Path, task_folder: Path) -> Path:
    """A prose probe beside the suite, of more items than the limit."""
    folder = tmp_path / "notes"
    folder.mkdir()
    rows = [json.dumps({"title": f"Note {i}", "body": f"Rain fell on hill number {i}."}) for i in range(6)]
    (folder / "test.jsonl").write_text("\n".join(rows))
    (folder / "task.yaml").write_text(
        'name: notes\nkind: prose\ntemplate: "{title}\\n"\nanswer: body\nsplits: {test: test.jsonl}\n'
    )
    return folder


def test_only_moved_weights_are_asked_again(notes: Path, tmp_path: Path, tiny_model: Path) -> None:
    file = write_suite(tmp_path, tiny_model, **PROBED)
    outcome, started, run = measure(file, tmp_path / "run")
    assert (outcome.ok, started) == (4, ["base", "zero-shot", "few-shot", "full"])
    [base] = run.base
    assert (base.task, base.items, list(base.scores)) == ("notes", 4, ["bits_per_byte"])
    assert [r.weights_changed for r in run.records] == [False, False, True]
    assert [r.divergence for r in run.records[:2]] == [0.0, 0.0]
    assert (run.records[2].divergence or 0) > 0
    scores = base_scores(run, base.model)
    for record in run.records[:2]:
        assert [change.difference for change in changes(record, scores)] == [0.0]
    [moved] = changes(run.records[2], scores)
    after = run.records[2].probes["notes"]["bits_per_byte"].value
    assert moved.difference == after - base.scores["bits_per_byte"].value != 0
    [answers] = (tmp_path / "run" / "cells").glob("*full*/" + run_folder.probe_file("notes"))
    values = [json.loads(line)["metrics"]["bits_per_byte"] for line in answers.read_text().splitlines()]
    assert sum(values) / 4 == pytest.approx(after)
    [table] = [table for table in tables(run) if "retention" in table.title]
    assert [row[0].text for row in table.rows] == ["base model", "zero-shot", "few-shot", "full"]
    assert [row[2].text for row in table.rows[1:3]] == ["0", "0"]
    assert measure(file, tmp_path / "run")[1] == []


def test_another_probe_measures_anew_only_where_weights_move(notes: Path, tmp_path: Path, tiny_model: Path) -> None:
    file = write_suite(tmp_path, tiny_model, **PROBED)
    before = {cell.label: cell.key for cell in cells_of(file)[1]}
    after = {cell.label: cell.key for cell in cells_of(file, probe_limit=3)[1]}
    assert {label for label in before if before[label] == after[label]} == {"zero-shot", "few-shot"}


def test_a_probe_that_is_not_there_is_one_line(task_folder: Path, tmp_path: Path, tiny_model: Path) -> None:
    file = write_suite(tmp_path, tiny_model, probes=["wrold-facts"])
    with pytest.raises(UsageError, match='unknown task "wrold-facts"'):
        cells_of(file)


@pytest.mark.parametrize("method", ["zero-shot", "few-shot", "rag"])
def test_context_methods_leave_every_bit_of_the_weights(method: str, tiny_model: Path) -> None:
    base = fingerprint(AutoModelForCausalLM.from_pretrained(tiny_model))
    options = {"rag": {"top_k": 1}, "few-shot": {"k": 2}}.get(method, {})
    assert fingerprint(local(adapted(text_task(), method, options, tiny_model).predictor.backend).model) == base


def test_an_adapter_that_has_learnt_nothing_is_the_base(tiny_model: Path) -> None:
    """LoRA starts as the identity: merged before any step, not a bit may differ."""
    weights = methods.create("lora", {"rank": 4}).weights
    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    base = fingerprint(model)
    assert fingerprint(weights.finish(weights.start(model, 0))) == base


@pytest.mark.parametrize("method", ["lora", "full", "scratch"])
def test_training_moves_the_weights(method: str, tiny_model: Path) -> None:
    base = fingerprint(AutoModelForCausalLM.from_pretrained(tiny_model))
    assert fingerprint(local(adapted(choice_task(), method, QUICK, tiny_model).predictor.backend).model) != base


def test_changes_by_hand() -> None:
    base = {"facts": BaseScore("exact_match", 0.8), "notes": BaseScore("bits_per_byte", 2.0)}

    def record(changed: bool | None, **probes: float) -> Record:
        scores = {name: {base[name].metric: Score(value)} for name, value in probes.items()}
        return Record("k", "m", "t", "full", 0, "ok", "", weights_changed=changed, probes=scores)

    found = {c.probe: c.difference for c in changes(record(True, facts=0.5, notes=2.5), base)}
    assert found == {"facts": pytest.approx(-0.3), "notes": pytest.approx(0.5)}
    assert [c.difference for c in changes(record(False), base)] == [0.0, 0.0]
    assert [c.probe for c in changes(record(True, facts=0.9), base)] == ["facts"]  # notes was not asked
    assert changes(record(None), base) == []
    assert base_scores(Run(Path("x"), "s", ()), "m") == {}


@pytest.mark.parametrize("right", range(15, 41))
def test_a_base_is_above_chance_where_the_exact_binomial_test_says_so(right: int) -> None:
    record = Record(
        "k", "m", "facts", "base", 0, "ok", "", scores={"accuracy": Score(right / 100)}, items=100, chance=0.25
    )
    assert above_chance(record) == (scipy.stats.binomtest(right, 100, 0.25, alternative="greater").pvalue <= 0.05)


@pytest.mark.parametrize(
    ("metric", "value", "known"),
    [("bleu", 0.0, False), ("bleu", 0.4, True), ("exact_match", 0.0, False), ("bits_per_byte", 9.0, True)],
)  # fmt: skip
def test_without_choices_nothing_to_lose_is_not_above_chance(metric: str, value: float, known: bool) -> None:
    assert above_chance(Record("k", "m", "t", "base", 0, "ok", "", scores={metric: Score(value)}, items=9)) is known


def test_retention_of_what_the_base_did_not_know_is_not_measurable(tmp_path: Path) -> None:
    before, after = [1.0] * 3 + [0.0] * 7, [1.0] * 6 + [0.0] * 4  # 3 of 10 by chance 0.25: p = 0.47
    answered(tmp_path, "b" * 64, run_folder.PREDICTIONS, before, list(range(10)))
    answered(tmp_path, "a" * 64, run_folder.probe_file("facts"), after, list(range(10)))
    base = Record(
        "b" * 64, "m", "facts", "base", 0, "ok", "now", scores={"accuracy": Score(0.3)}, items=10, chance=0.25
    )
    full = Record("a" * 64, "m", "mail", "full", 0, "ok", "now", weights_changed=True,
                  probes={"facts": {"accuracy": Score(0.6)}})  # fmt: skip
    rag = Record("c" * 64, "m", "mail", "rag", 0, "ok", "now", weights_changed=False)
    run = Run(tmp_path, "trial", (full, rag), (), (base,))
    scores = base_scores(run, "m")
    assert changes(full, scores) == []
    assert [change.difference for change in changes(rag, scores)] == [0.0]  # the same weights, whatever they know
    [table] = [table for table in tables(run) if "retention" in table.title]
    assert [row[2].text for row in table.rows] == ["0.300", "not measurable", "0"]
    assert any("not above chance" in note for note in table.notes)


def test_bits_per_byte_may_rise_beyond_eight(tmp_path: Path) -> None:
    before, after = [2.0 + i / 10 for i in range(10)], [11.0 + i / 5 for i in range(10)]
    for key, name, values in (("b", run_folder.PREDICTIONS, before), ("a", run_folder.probe_file("notes"), after)):
        folder = tmp_path / "cells" / f"x-{key * 12}"
        folder.mkdir(parents=True)
        kept = [{"metrics": {"bits_per_byte": value}} for value in values]
        run_folder.write_predictions(folder, [Prediction(f"test/{i}") for i in range(10)], kept.__getitem__, name)
    base = Record("b" * 64, "m", "notes", "base", 0, "ok", "now", scores={"bits_per_byte": Score(2.45)})
    full = Record("a" * 64, "m", "mail", "full", 0, "ok", "now", weights_changed=True,
                  probes={"notes": {"bits_per_byte": Score(11.9)}})  # fmt: skip
    found = paired(Run(tmp_path, "trial", (full,), (), (base,)), [full], "notes")
    assert found is not None
    assert found.difference == pytest.approx(9.45)
    assert found.interval.low < found.difference < found.interval.high


@pytest.mark.parametrize("metric", ["bleu", "chrf"])
def test_a_corpus_metric_is_paired_by_its_counts(tmp_path: Path, metric: str) -> None:
    rng = random.Random(0)
    words = [
        "the",
        "ship",
        "left",
        "early",
        "and",
        "met",
        "a",
        "fallen",
        "tree",
        "near",
        "old",
        "town",
        "bridge",
        "on",
        "monday",
    ]
    references = [" ".join(rng.sample(words, 9)) for _ in range(80)]
    said = {"b": [worse(text, rng, 2) for text in references], "a": [worse(text, rng, 5) for text in references]}
    for key, name in (("b", run_folder.PREDICTIONS), ("a", run_folder.probe_file("replies"))):
        folder = tmp_path / "cells" / f"x-{key * 12}"
        folder.mkdir(parents=True)
        counts = statistics(metric, said[key], [[text] for text in references]).tolist()
        kept = [{"metrics": {}, "counts": {metric: row}} for row in counts]
        run_folder.write_predictions(folder, [Prediction(f"test/{i}") for i in range(80)], kept.__getitem__, name)
    score = sacrebleu.corpus_bleu if metric == "bleu" else sacrebleu.corpus_chrf
    before, after = (score(said[key], [references]).score for key in "ba")
    base = Record("b" * 64, "m", "replies", "base", 0, "ok", "now", scores={metric: Score(before)})
    full = Record("a" * 64, "m", "mail", "full", 0, "ok", "now", weights_changed=True,
                  probes={"replies": {metric: Score(after)}})  # fmt: skip
    run = Run(tmp_path, "trial", (full,), (), (base,))
    found = paired(run, [full], "replies")
    assert found is not None
    assert found.difference == pytest.approx(after - before, abs=1e-6)
    assert found.interval.low < after - before < found.interval.high < 0
    assert not found.counts
    assert any("retention" in table.title for table in tables(run))


def worse(text: str, rng: random.Random, count: int) -> str:
    """`text` with `count` of its words replaced."""
    words = text.split()
    for place in rng.sample(range(len(words)), count):
        words[place] = "x"
    return " ".join(words)
