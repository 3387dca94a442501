"""lm-evaluation-harness: its own number with its own back end is what our engine, our tasks and our exports give."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from click.testing import CliRunner

import tasks
from bench.cell.probes import _writer
from bench.cli import cli
from bench.core.errors import UsageError
from bench.engine.predictor import ModelPredictor, question
from bench.metrics.scoring import score
from bench.model.load import load_base
from bench.model.resolve import ModelSpec, resolve
from tests.bridges import harness

pytest.importorskip("lm_eval", reason='needs lm-eval (pip install "adaptbench[lm-eval]")')

from bench.bridges import lm_eval_export, lm_eval_tasks
from bench.bridges.lm_eval_model import EngineModel, evaluate, manager, quiet

SHOTS = (0, 2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return harness.write(tmp_path_factory.mktemp("harness"))


@functools.cache
def engine(model: str) -> EngineModel:
    return EngineModel.load(model, "cpu")


@functools.cache
def theirs(model: str) -> Any:
    """lm-eval's own model of transformers on the same weights."""
    from lm_eval.models.huggingface import HFLM

    with quiet():
        return HFLM(str(resolve(ModelSpec(path=model)).folder), device="cpu", dtype="float32", batch_size=4)


def by_peer(model: str, names: list[str], folder: Path, shots: int | None) -> dict[str, Any]:
    from lm_eval import simple_evaluate

    with quiet():
        found: dict[str, Any] = simple_evaluate(
            theirs(model), tasks=names, num_fewshot=shots, task_manager=manager(folder), bootstrap_iters=0
        )
    return found


def numbers(results: dict[str, Any]) -> dict[str, float]:
    return {
        f"{task}.{name}": float(value)
        for task, found in results["results"].items()
        for name, value in found.items()
        if isinstance(value, float) and "stderr" not in name
    }


@pytest.mark.parametrize("shots", SHOTS)
@pytest.mark.parametrize("model", ["mini", "tiny-random"])
def test_our_engine_gives_the_numbers_of_its_own_back_end(model: str, shots: int, folder: Path) -> None:
    names = list(harness.NAMES)
    ours, peer = evaluate(engine(model), names, folder, shots), by_peer(model, names, folder, shots)
    assert numbers(ours).keys() == numbers(peer).keys()
    assert {"local_choice.acc,none", "local_text.exact_match,stripped"} < numbers(ours).keys()
    for name, value in numbers(peer).items():
        assert numbers(ours)[name] == pytest.approx(value, rel=1e-4 if "perplexity" in name else 1e-6), name
    for task in names:
        for one, other in zip(ours["samples"][task], peer["samples"][task], strict=True):
            assert one["arguments"] == other["arguments"]
            for ours_is, theirs_is in zip(flat(one["resps"]), flat(other["resps"]), strict=True):
                text = isinstance(theirs_is, str)
                assert ours_is == (theirs_is if text else pytest.approx(theirs_is, rel=1e-5, abs=1e-3))


def flat(answers: Any) -> list[Any]:
    """Log-likelihoods with whether they are greedy, or texts, without the lists around them."""
    if isinstance(answers, (list, tuple)):
        return [value for answer in answers for value in flat(answer)]
    return [answers if isinstance(answers, str) else float(answers)]


def test_what_greedy_decoding_writes_is_told(folder: Path) -> None:
    """A continuation that the model itself wrote is greedy; the same with another last token is not."""
    from lm_eval.api.instance import Instance

    model = engine("mini")
    context = "Question: Which word follows river?\nAnswer:"
    written = model.generate_until(
        [Instance("generate_until", {}, (context, {"until": [], "max_gen_toks": 4, "do_sample": False}), 0)]
    )[0]
    asked = [Instance("loglikelihood", {}, (context, text), i) for i, text in enumerate((written, f"{written} zebra"))]
    (_, first), (_, second) = model.loglikelihood(asked)
    assert (first, second) == (True, False)


@pytest.mark.parametrize(
    ("reference", "theirs_is", "ours_is"),
    [
        ("local_choice", "acc,none", "accuracy"),
        ("local_choice@2", "acc,none", "accuracy"),
        ("local_choice:acc_norm", "acc_norm,none", "accuracy"),
        ("local_choice:acc_norm@2", "acc_norm,none", "accuracy"),
        ("local_text", "exact_match,stripped", "exact_match_strict"),
        ("local_text@2", "exact_match,stripped", "exact_match_strict"),
    ],
)
def test_a_task_of_theirs_scores_as_a_task_of_ours(reference: str, theirs_is: str, ours_is: str, folder: Path) -> None:
    read = lm_eval_tasks.read_reference(f"lm-eval:{folder}/{reference}", Path())
    task = tasks.load(lm_eval_tasks.task_folder(read.text, Path()))
    peer = by_peer("mini", [read.name], folder, read.shots)
    assert scored(task, "mini")[ours_is] == pytest.approx(float(peer["results"][read.name][theirs_is]))


def scored(task: Any, model: str) -> dict[str, float]:
    """What our tasks score, asked as a probe is."""
    base = load_base(resolve(ModelSpec(path=model)), torch.device("cpu"))
    predictor = ModelPredictor(engine(model)._backend, _writer(task, base), task, lambda done, total: None)
    predictions = predictor.predict([question(example) for example in task.test])
    return {name: found.value for name, found in score(task, predictions).scores.items()}


def test_what_a_converted_task_holds(folder: Path) -> None:
    task = tasks.load(lm_eval_tasks.task_folder(f"lm-eval:{folder}/local_choice", Path()))
    [first] = [row for row in harness.rows(12, 1) if row["question"] in task.test[0].fields["prompt"]]
    assert task.test[0].fields["prompt"] == f"Question: {first['question']}\nAnswer:"
    assert task.test[0].choices == tuple(first["choices"])
    assert task.test[0].references == (first["choices"][first["answer"]],)
    assert (len(task.train), len(task.validation), len(task.test)) == (8, 2, 12)  # a fifth of train is held out
    shown = tasks.load(lm_eval_tasks.task_folder(f"lm-eval:{folder}/local_choice@2", Path()))
    assert shown.test[0].fields["prompt"].count("Answer:") == 3
    assert not shown.train  # whose items would show no examples


def test_a_description_stands_once(tmp_path: Path) -> None:
    folder = harness.write(tmp_path, description="Answer these.\n\n")
    task = tasks.load(lm_eval_tasks.task_folder(f"lm-eval:{folder}/local_choice", Path()))
    assert task.prompt.instruction == "Answer these."
    assert "Answer these" not in task.test[0].fields["prompt"]
    assert scored(task, "mini")["accuracy"] == pytest.approx(
        float(by_peer("mini", ["local_choice"], folder, None)["results"]["local_choice"]["acc,none"])
    )


@pytest.mark.parametrize(
    ("name", "changes", "says"),
    [
        ("local_rolling", {}, "its requests are of type loglikelihood_rolling"),
        ("local_single", {}, "its requests are of type loglikelihood,"),
        ("local_choice:f1", {}, "of its metrics, adaptbench computes acc, acc_norm"),
        ("local_text", {"filter_list": None}, "its exact_match counts white space"),
        ("local_choice", {"target_delimiter": ""}, "after one space or line break"),
        ("local_text", {"gen_prefix": "It is"}, "it has gen_prefix"),
        ("local_text", {"generation_kwargs": {"until": ["."], "do_sample": True, "temperature": 1.0}}, "it samples"),
        ("local_chioce", {}, 'did you mean "local_choice"'),
        ("a:b:c", {}, "write lm-eval:[FOLDER/]NAME[:METRIC][@SHOTS]"),
    ],
)
def test_what_is_not_ours_is_refused_by_name(name: str, changes: dict[str, Any], says: str, tmp_path: Path) -> None:
    folder = harness.write(tmp_path, items=2, **changes)
    with pytest.raises(UsageError) as refusal:
        lm_eval_tasks.task_folder(f"lm-eval:{folder}/{name}", Path())
    assert says in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_suite_names_them_as_tasks_and_probes(folder: Path, tmp_path: Path) -> None:
    from bench.config import suite as suites
    from bench.runs.cells import expand
    from tests.small import AROUND

    reference = f"lm-eval:{folder}/local_choice"
    said = {"models": ["tiny-random"], "tasks": [reference], "methods": ["zero-shot"], "probes": [f"{reference}@1"]}
    (tmp_path / "suite.yaml").write_text(yaml.safe_dump({**said, "embedder": "none"}))
    suite = suites.load(tmp_path / "suite.yaml")
    cells = expand(suite, tmp_path / "suite.yaml", lambda _: AROUND)
    assert [(cell.task.name, cell.is_base) for cell in cells] == [("local_choice-1shot", True), ("local_choice", False)]


@pytest.mark.parametrize("name", ["support-intents", "world-facts", "arithmetic", "support-replies"])
def test_lm_eval_gives_our_score_on_what_we_export(name: str, tmp_path: Path) -> None:
    """Labels, choices of each item, texts with an extracted answer, and texts scored over a corpus."""
    task = tasks.load(name, limit=8)
    lm_eval_export.export(task, tmp_path)
    found = by_peer("mini", [name], tmp_path, None)["results"][name]
    ours = scored(task, "mini")
    names = {"accuracy": "acc"} if task.kind == "choice" else {metric: metric for metric in task.metrics}
    for metric, called in names.items():
        assert found[f"{called},none"] == pytest.approx(ours[metric]), metric


def test_few_shot_prompts_of_an_export_are_ours(tmp_path: Path) -> None:
    task = tasks.load("support-intents", limit=2)
    lm_eval_export.export(task, tmp_path)
    with quiet():
        [peer] = manager(tmp_path).load([task.name])["tasks"].values()
        peer.set_fewshot_seed(seed=1)
        prompt = peer.fewshot_context(peer.test_docs()[0], 2)
    assert prompt.startswith(task.prompt.preamble())
    assert prompt.endswith(task.prompt.ask(task.test[0]))
    shown = prompt.removeprefix(task.prompt.preamble()).removesuffix(task.prompt.ask(task.test[0]))
    solved = {task.prompt.solved(example) for example in task.train}
    first, _, second = shown.partition("\n\n")
    assert {f"{first}\n\n", second} < solved


def test_the_commands(folder: Path, tmp_path: Path) -> None:
    run = CliRunner()
    asked = run.invoke(
        cli, ["lm-eval", "tiny-random", "local_choice", "--include", str(folder), "--limit", "2", "--json"]
    )
    assert asked.exit_code == 0, asked.output
    assert json.loads(asked.stdout)["n-samples"]["local_choice"]["effective"] == 2
    wrong = run.invoke(cli, ["lm-eval", "tiny-random", "local_chioce", "--include", str(folder)])
    assert 'did you mean "local_choice"' in str(wrong.exception)
    written = run.invoke(cli, ["export-task", "support-intents", "--out", str(tmp_path / "out")])
    assert written.exit_code == 0, written.output
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        "support-intents.yaml", "support_intents_data.py", "test.jsonl", "train.jsonl", "validation.jsonl",
    ]  # fmt: skip
