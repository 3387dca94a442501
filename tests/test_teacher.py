"""A teacher: its answers are learnt from, asked once, counted and named; it is shown no item of the test."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

import tasks
from bench.adapt.adapt import adapt
from bench.analysis.costs import cost
from bench.analysis.decision.candidates import candidates
from bench.cell import teach
from bench.cell.job import Job
from bench.cell.teach import taught
from bench.config import assumptions
from bench.config.prices import replaced
from bench.config.suite import labelled_methods, load
from bench.core.errors import CellError, UsageError
from bench.core.measured import TaughtBy
from bench.core.phases import TEACHING, Phase, PhaseName
from bench.core.record import Record, Run
from bench.core.task import Task
from bench.engine.backend import local
from bench.export import again, chosen
from bench.gate import costs
from bench.meters.phases import Meter
from bench.model.devices import pick_device
from bench.report.tables import notes, teaching
from bench.runs import plan
from bench.runs.graph import waits
from bench.runs.jobs import job_of
from bench.runs.winners import verdicts_of
from bench.store.run_folder import Store
from tests.gpu.test_loading import InThisProcess
from tests.served.scripted import NOT_FOUND, Sent, Server, said, serving
from tests.small import cells_of, measure, write_task
from tests.toy import predictions

COLOURS = ("red", "green", "blue")
PRICE = {"input": 2.0, "output": 8.0, "date": "2026-11-01"}
TF_IDF = {"c": 1.0}


def painter(path: str, body: dict[str, Any], before: int) -> Sent:
    """Names the colour of the thing that it is asked about, wrongly of thing 1, and refuses thing 3."""
    if path != "/chat/completions" or "response_format" in body:
        return NOT_FOUND
    last = body["messages"][-1]["content"]
    if "thing 3 " in last:
        return Sent(said(None, prompt=20, output=0, refusal="I will not"))
    seen = next((colour for colour in COLOURS if f"looks {colour}" in last), "red")
    return Sent(said("red" if "thing 1 " in last else seen, prompt=20, output=4))


@pytest.fixture
def server(task_folder: Path) -> Iterator[Server]:
    with serving(painter) as started:
        yield started


def endpoint(server: Server, **settings: Any) -> dict[str, Any]:
    return {"endpoint": {"base_url": server.url, "model": "m", **settings}, "name": "far"}


def write(folder: Path, *methods: Any, **changes: Any) -> Path:
    file = folder / "taught.yaml"
    suite = {"models": ["classical"], "tasks": ["paint"], "embedder": "none", "methods": list(methods), **changes}
    file.write_text(yaml.safe_dump({"name": "taught", **suite}))
    return file


def lessons(file: Path, out: Path, cell: int = 0) -> tuple[Task, TaughtBy, Meter]:
    """What the teacher of a suite's cell makes of its task, asked in this process."""
    suite, cells = cells_of(file)
    store = Store(out)
    told = job_of(suite, cells[cell], store, store.staging(cells[cell].ref), None)
    job = replace(Job(**json.loads(json.dumps(asdict(told)))), identity=cells[cell].identity)
    meter = Meter(pick_device("cpu"))
    task, by = taught(job, tasks.load(job.task), meter, lambda *shown: None)
    assert by is not None
    return task, by, meter


def asked_of(server: Server) -> list[str]:
    """The items that the server was asked, without the trials of how it answers."""
    sent = [one.body["messages"][-1]["content"] for one in server.asked if "messages" in one.body]
    return [text for text in sent if "looks" in text]


def test_answers_take_the_place_of_labels(tmp_path: Path, server: Server) -> None:
    file = write(tmp_path, {"tf-idf": {**TF_IDF, "teacher": endpoint(server)}})
    task, by, meter = lessons(file, tmp_path / "out")
    before = tasks.load(tmp_path / "paint")
    # by hand: of 12 items, thing 1 is called red, thing 3 is refused, all others are right
    answers = {example.id: example.references for example in task.train}
    right = {example.id: example.references for example in before.train}
    assert answers == {
        name: ("red",) if name == "train/1" else label for name, label in right.items() if name != "train/3"
    }
    assert (by.items, by.failures, by.unlabelled) == (12, {"refusal": 1}, False)
    assert by.metric == "accuracy"
    assert by.agreement == pytest.approx(10 / 11)
    assert task.validation == before.validation
    assert task.test == before.test
    assert set(meter.phases) == {TEACHING}


def test_a_teacher_is_shown_the_training_items_and_no_other(tmp_path: Path, server: Server) -> None:
    file = write(tmp_path, {"tf-idf": {**TF_IDF, "teacher": endpoint(server)}})
    lessons(file, tmp_path / "out")
    shown = asked_of(server)
    assert sorted(text.partition("\n")[0] for text in shown) == sorted(
        f"train thing {i} looks {COLOURS[i % 3]}" for i in range(12)
    )
    whole = json.dumps([one.body for one in server.asked])
    assert "test thing" not in whole
    assert "validation thing" not in whole


def test_items_that_a_published_split_has_in_the_test_too_are_not_shown(tmp_path: Path, server: Server) -> None:
    folder = tmp_path / "paint"
    leaked = (folder / "test.jsonl").read_text().splitlines()[5]  # not among the items of the limit alone
    row = {**json.loads(leaked), "id": 99}
    with (folder / "train.jsonl").open("a") as stream:
        stream.write(json.dumps(row) + "\n")
    spec = yaml.safe_load((folder / "task.yaml").read_text())
    (folder / "task.yaml").write_text(yaml.safe_dump({**spec, "allow_overlap": True}))
    file = write(tmp_path, {"tf-idf": {**TF_IDF, "teacher": endpoint(server)}}, limit=1)
    _, by, _ = lessons(file, tmp_path / "out")
    assert by.items == 12
    assert not any("test thing" in text for text in asked_of(server))


def test_a_local_teacher_answers_as_zero_shot_would(tmp_path: Path, task_folder: Path, tiny_model: Path) -> None:
    file = write(tmp_path, {"tf-idf": {**TF_IDF, "teacher": str(tiny_model)}})
    task, by, _ = lessons(file, tmp_path / "out")
    whole = tasks.load(task_folder)
    alone = predictions(replace(whole, test=whole.train), "zero-shot", {}, tiny_model)
    assert [example.references for example in task.train] == [(prediction.output,) for prediction in alone]
    agree = [p.output == x.references[0] for p, x in zip(alone, whole.train, strict=True)]
    assert by.agreement == pytest.approx(sum(agree) / 12)
    assert (by.used, by.stays, by.base_url) == (None, True, "")
    assert by.prompt_tokens == sum(prediction.prompt_tokens for prediction in alone)


def test_items_without_labels_join_the_training_items(tmp_path: Path, server: Server) -> None:
    rows = [{"text": f"new thing {i} looks {COLOURS[i % 3]}"} for i in (0, 2, 3, 4, 4)]  # one of them twice
    (tmp_path / "new.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    file = write(tmp_path, {"tf-idf": {**TF_IDF, "teacher": {**endpoint(server), "unlabelled": "new.jsonl"}}})
    task, by, _ = lessons(file, tmp_path / "out")
    before = tasks.load(tmp_path / "paint")
    assert task.train[:12] == before.train
    assert [example.references for example in task.train[12:]] == [("red",), ("blue",), ("green",)]
    assert len({example.id for example in task.train}) == 15
    assert (by.items, by.failures, by.unlabelled) == (4, {"refusal": 1}, True)
    assert (by.metric, by.agreement) == ("", None)
    assert {text.partition(" ")[0] for text in asked_of(server)} == {"new"}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ('{"text": "test thing 2 looks blue"}\n', "an item of the test split"),
        ('{"text": "validation thing 2 looks blue"}\n', "an item of the validation split"),
        ('{"txt": "thing"}\n', 'no column "text"'),
        ('{"text": ""}\n', 'column "text" is empty'),
        ("", "no rows"),
    ],
)
def test_a_file_that_is_wrong_is_said_with_its_row(tmp_path: Path, server: Server, rows: str, said: str) -> None:
    (tmp_path / "new.jsonl").write_text(rows)
    file = write(tmp_path, {"tf-idf": {**TF_IDF, "teacher": {**endpoint(server), "unlabelled": "new.jsonl"}}})
    with pytest.raises(UsageError, match=said):
        cells_of(file)
    assert not server.asked


def test_a_teacher_that_answers_nothing_fails_the_cell(tmp_path: Path, task_folder: Path) -> None:
    def silent(path: str, body: dict[str, Any], before: int) -> Sent:
        if path != "/chat/completions" or "response_format" in body:
            return NOT_FOUND
        return Sent(said("no colour at all" if "looks" in body["messages"][-1]["content"] else "blue"))

    with serving(silent) as server:
        file = write(tmp_path, {"tf-idf": {**TF_IDF, "teacher": endpoint(server)}})
        with pytest.raises(CellError, match="far answered none of 12 items: names_no_choice 12"):
            lessons(file, tmp_path / "out")


def test_texts_are_learnt_as_they_were_written_and_empty_ones_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "echo"
    folder.mkdir()
    for split in ("train", "validation", "test"):
        rows = [{"id": i, "text": f"{split} {i}", "answer": f"word {i}"} for i in range(3)]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    splits = {split: f"{split}.jsonl" for split in ("train", "validation", "test")}
    spec = {"name": "echo", "kind": "text", "template": "{text}\nAnswer:", "answer": "answer", "splits": splits}
    (folder / "task.yaml").write_text(yaml.safe_dump(spec))

    def writes(path: str, body: dict[str, Any], before: int) -> Sent:
        if path != "/chat/completions":
            return NOT_FOUND
        last = body["messages"][-1]["content"]
        return Sent(said("  " if "train 1" in last else "word 0" if "train 0" in last else " word 7\n"))

    with serving(writes) as server:
        taught_by = {"teacher": endpoint(server)}
        file = write(tmp_path, {"few-shot": {"k": 2, **taught_by}}, tasks=["echo"], models=["tiny-random"])
        task, by, _ = lessons(file, tmp_path / "out")
    assert [example.references for example in task.train] == [("word 0",), ("word 7",)]
    assert (by.items, by.failures) == (3, {"empty": 1})
    assert (by.metric, by.agreement) == ("exact_match", 0.5)


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, list[str]]:
    """Two methods taught by one endpoint, and one that is not; with what the endpoint was asked."""
    folder = tmp_path_factory.mktemp("taught")
    write_task(folder)
    with serving(painter) as server, pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.runs.workers.executor", lambda suite, cells_at_once: InThisProcess())
        far = endpoint(server, price=PRICE)
        methods = ({"tf-idf": {**TF_IDF, "teacher": far}}, {"nearest-answer": {"teacher": far}})
        _, _, measured = measure(write(folder, {"tf-idf": TF_IDF}, *methods), folder / "run")
        return measured, asked_of(server)


@pytest.fixture
def run(once: tuple[Run, list[str]]) -> Run:
    return once[0]


def by_label(run: Run) -> dict[str, Record]:
    return {record.method: record for record in run.records}


def test_answers_are_asked_once_for_a_run_and_count_in_every_cell(once: tuple[Run, list[str]]) -> None:
    records, asked = by_label(once[0]), once[1]
    assert set(records) == {"tf-idf", "tf-idf taught by far", "nearest-answer taught by far"}
    assert records["tf-idf"].taught is None
    assert TEACHING not in records["tf-idf"].phases
    assert len(asked) == 12
    first, second = records["tf-idf taught by far"], records["nearest-answer taught by far"]
    assert first.taught == second.taught
    took, again = first.phases[TEACHING], second.phases[TEACHING]
    assert took.reused_s == 0.0
    assert again.reused_s == pytest.approx(took.wall_s)
    assert again.wall_s >= took.wall_s


def test_its_tokens_are_a_part_of_the_cost_of_training(run: Run) -> None:
    record = by_label(run)["tf-idf taught by far"]
    assert record.taught is not None
    used = record.taught.used
    assert used is not None
    prices = replaced({"cpu_core_hour": 0.0}, "")
    paid = cost(record, prices)
    # by hand: machine time costs nothing here; tokens of prompts cost 2 and those of answers 8, a million each
    assert paid.teaching == pytest.approx((used.prompt * 2 + used.output * 8) / 1e6)
    assert used.prompt >= 12 * 20
    assert paid.production == pytest.approx(paid.teaching)
    dearer = replaced({"cpu_core_hour": 0.0, "tokens": {"far": {"input": 4.0, "output": 16.0}}}, "")
    assert cost(record, dearer).production == pytest.approx(2 * (paid.production or 0.0))
    hour = replaced({"cpu_core_hour": 36.0}, "")  # waiting for the endpoint costs nothing, training does
    spent = cost(record, hour)
    assert spent.production is not None
    assert spent.teaching == paid.teaching
    assert spent.production - (paid.teaching or 0.0) == pytest.approx(
        sum(record.wall_s(name) for name in ("index", "prepare", "load", "train") if name in record.phases)
        * hour.hour(record.environment) / 3600
    )  # fmt: skip


def test_seconds_of_a_local_teacher_cost_what_the_machine_does(run: Run) -> None:
    record = by_label(run)["tf-idf taught by far"]
    assert record.taught is not None
    local = replace(record, taught=replace(record.taught, used=None, price=None, base_url=""))
    prices = replaced({}, "")
    rate = prices.hour(record.environment) / 3600
    assert cost(local, prices).teaching == pytest.approx(record.phases[TEACHING].wall_s * rate)


def test_a_decision_knows_what_a_teacher_was_shown_and_what_it_cost(run: Run) -> None:
    [verdict] = verdicts_of(run, "paint")
    prices = replaced(run.prices, "")
    assumed = assumptions.read({"require": {"data_stays": True}}, "")

    def found(changed: Run) -> dict[str, Any]:
        return {one.label: one for one in candidates(changed, verdict.family, prices, assumed)}

    def with_teacher(**changes: Any) -> Run:
        records = (replace(r, taught=r.taught and replace(r.taught, **changes)) for r in run.records)
        return replace(run, records=tuple(records))

    here, away = found(run), found(with_teacher(stays=False))
    taught_label = "tf-idf taught by far"
    assert here[taught_label].data_stays
    assert not away[taught_label].data_stays
    assert away["tf-idf"].data_stays
    record = by_label(run)[taught_label]
    assert here[taught_label].price.production == pytest.approx(cost(record, prices).production)
    unpriced = with_teacher(price=None)
    assert set(found(unpriced)) == {"tf-idf"}
    said = [line for table in notes.tables(unpriced, []) for line in table.notes]
    assert f"{taught_label} on paint with classical" in said


def test_the_report_says_who_taught(run: Run) -> None:
    (table,) = teaching.tables(run, "classical")
    row = [cell.text for cell in table.rows[0]]
    assert row[:6] == ["tf-idf taught by far", "paint", "training items", "12", "refusal 1", "Accuracy 0.909"]
    assert "the items that it answers stay on this machine" in table.notes[0]
    assert not teaching.tables(replace(run, records=(by_label(run)["tf-idf"],)), "classical")


def test_a_damaged_file_of_answers_is_asked_again(tmp_path: Path, server: Server) -> None:
    file = write(tmp_path, {"tf-idf": {**TF_IDF, "teacher": endpoint(server)}})
    first, _, _ = lessons(file, tmp_path / "out")
    [kept] = (tmp_path / "out" / "taught").iterdir()
    kept.write_text(kept.read_text()[:-20])
    second, _, meter = lessons(file, tmp_path / "out")
    assert second == first
    assert meter.phases[TEACHING].reused_s == 0.0


def test_cells_wait_for_the_one_that_asks(tmp_path: Path, server: Server) -> None:
    far = endpoint(server)
    methods = ({"tf-idf": TF_IDF}, {"tf-idf": {**TF_IDF, "teacher": far}}, {"nearest-answer": {"teacher": far}})
    _, cells = cells_of(write(tmp_path, *methods))
    plain, first, second = cells
    assert waits(cells) == {plain.key: frozenset(), first.key: frozenset(), second.key: frozenset({first.key})}
    assert [cell.asks_teacher for cell in cells] == [False, True, False]
    _, curve = cells_of(write(tmp_path, *methods[1:], train_sizes=[6, "all"]))
    assert sum(map(len, waits(curve).values())) == 2  # of each size, the second method for the first
    assert len({cell.key for cell in (*cells, *curve)}) == 5
    assert "teacher" not in plain.identity.content()


def test_a_teacher_is_the_same_however_it_is_named(tmp_path: Path, task_folder: Path, tiny_model: Path) -> None:
    named = [{"lora": {"teacher": given}} for given in (str(tiny_model), {"model": str(tiny_model)},
                                                        {"path": str(tiny_model)})]  # fmt: skip
    keys = [[cell.key for cell in cells_of(write(tmp_path, method, models=[str(tiny_model)]))[1]] for method in named]
    assert keys[0] == keys[1] == keys[2]


def test_the_gate_counts_a_teacher_on_this_machine(run: Run) -> None:
    """By hand: 3 seconds of training and 5 of answers to learn from; what an endpoint answers is no work here."""
    far = by_label(run)["tf-idf taught by far"]
    phases: dict[PhaseName, Phase] = {"train": Phase(3.0, 1, flops=30), TEACHING: Phase(5.0, 1, flops=50)}
    far = replace(far, phases=phases)
    local = replace(far, taught=far.taught and replace(far.taught, used=None))
    assert [costs.value([record], "train_s") for record in (far, local)] == [3.0, 8.0]
    assert [costs.value([record], "train_flops") for record in (far, local)] == [30, 80]


def test_a_plan_counts_the_first_cell_s_teacher(tmp_path: Path, task_folder: Path, tiny_model: Path) -> None:
    student = str(tiny_model)
    methods = [{"lora": {"teacher": student, "rank": rank}} for rank in (2, 4)]
    _, (first, second) = cells_of(write(tmp_path, *methods, models=[student]))
    extra = plan.work(first) - plan.work(second)
    # the teacher is as large as what it teaches: every training item, with its choices, at four characters a token
    whole = tasks.load(task_folder)
    asked = (len(whole.prompt.ask(example)) + sum(map(len, example.choices)) for example in whole.train)
    assert extra == pytest.approx(sum(asked) / 4)


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ({"zero-shot": {"teacher": "mini"}}, "teacher of method zero-shot: it learns nothing from training items"),
        ({"tf-idf": {"teacher": {"pth": "mini"}}}, 'teacher of method tf-idf: .*"pth".*did you mean "path"'),
        ({"tf-idf": {"teacher": {"model": "mini", "path": "mini"}}}, "model and path are two names for one thing"),
        ({"tf-idf": {"teacher": {}}}, "teacher of method tf-idf: .*names no model"),
        ({"tf-idf": {"teacher": ["mini"]}}, r'teacher of method tf-idf must be a model, .*; got \["mini"\]'),
    ],
)
def test_a_teacher_that_makes_no_sense_is_one_line(tmp_path: Path, method: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said) as raised:
        load(write(tmp_path, method))
    assert "\n" not in str(raised.value)


@pytest.mark.usefixtures("task_folder")
@pytest.mark.parametrize(
    ("teacher", "said"),
    [
        ("classical", "tf-idf taught by classical: the teacher classical cannot answer before it is trained"),
        ("minni", "minni"),
    ],
)
def test_a_teacher_that_cannot_teach_is_one_line(tmp_path: Path, teacher: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as raised:
        cells_of(write(tmp_path, {"tf-idf": {"teacher": teacher}}))
    assert "\n" not in str(raised.value)


def test_labels_say_who_taught(tmp_path: Path) -> None:
    methods = [
        {"lora": {"teacher": "mini"}},
        {"lora": {"teacher": {"path": "mini", "name": "the old one"}, "rank": 2}},
        {"lora": {"teacher": {"path": "mini", "name": "the old one"}, "rank": 4}},
        {"lora": {"teacher": "mini", "rank": 8, "label": "small"}},
        "lora",
    ]
    assert list(labelled_methods(load(write(tmp_path, *methods)))) == [
        "lora taught by mini",
        "lora (rank=2) taught by the old one",
        "lora (rank=4) taught by the old one",
        "small",
        "lora",
    ]
    with pytest.raises(UsageError, match="stands twice"):
        load(write(tmp_path, {"lora": {"teacher": "mini"}}, {"lora": {"teacher": "mini"}}))


def test_memory_holds_one_model_at_a_time(tmp_path: Path, task_folder: Path, tiny_model: Path) -> None:
    seen: list[Any] = []
    original = adapt

    def watched(*args: Any, **kwargs: Any) -> Any:
        adapted = original(*args, **kwargs)
        seen.append(weakref.ref(local(adapted.predictor.backend).model))
        return adapted

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(teach, "adapt", watched)
        lessons(write(tmp_path, {"tf-idf": {**TF_IDF, "teacher": str(tiny_model)}}), tmp_path / "out")
    gc.collect()
    assert seen
    assert seen[0]() is None


@pytest.mark.usefixtures("task_folder")
def test_an_export_trains_on_the_kept_answers_again(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("bench.runs.workers.executor", "bench.export.again.executor"):
        monkeypatch.setattr(place, lambda suite, cells_at_once: InThisProcess())
    quick = {"learning_rate": 5e-3, "max_steps": 2, "batch_size": 4}
    quiet = {"latency": "off", "training_items": "off", "flop_check": "off"}
    with serving(painter) as server:
        lora = {"lora": {**quick, "teacher": endpoint(server)}}
        shows = {"few-shot": {"k": 2, "teacher": endpoint(server)}}
        file = write(tmp_path, lora, shows, models=[str(tiny_model)], measure=quiet)
        measure(file, tmp_path / "run")
        before = len(server.asked)
        label, model = "lora taught by far", tiny_model.name
        found = chosen.find(tmp_path / "run", "paint", model, label, None, None)
        (tmp_path / "again").mkdir()
        made = again.retrain(found, "train", tmp_path / "again", lambda *shown: None)
        assert len(server.asked) == before
    assert made.same_answers == 6
    assert made.record.taught == found.record.taught
    with pytest.raises(UsageError, match="few-shot taught by far shows examples with a teacher's answers"):
        chosen.find(tmp_path / "run", "paint", model, "few-shot taught by far", None, None)
