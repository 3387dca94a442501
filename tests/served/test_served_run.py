"""Cells of a served model, from a suite to records and what is said of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from bench.analysis.answers import Answers
from bench.analysis.costs import cost
from bench.analysis.decision.candidates import Candidate, Price
from bench.analysis.decision.rule import standings_of
from bench.cell.job import Job
from bench.cell.measure import measure
from bench.cli import cli
from bench.config.assumptions import Assumptions, Requirements
from bench.config.prices import replaced
from bench.core.errors import BudgetError, UsageError
from bench.core.record import Record, Run
from bench.model.endpoint import EndpointSpec
from bench.report.tables import served as served_table
from bench.runs.cells import left_out
from bench.runs.jobs import job_of
from bench.store import run_folder
from bench.store.run_folder import Store
from tests.served.scripted import NOT_FOUND, Sent, Server, said, serving
from tests.small import cells_of

COLOURS = ("red", "green", "blue")
KEY = "sk-very-secret-7"
PRICE = {"input": 2.0, "cached_input": 1.0, "output": 8.0, "date": "2026-11-01"}


def colour_in(text: str) -> str:
    return next(colour for colour in COLOURS if colour in text)


def painter(path: str, body: dict[str, Any], before: int) -> Sent:
    """Names the colour of the last thing, wrongly of "thing 1", and refuses "thing 3"."""
    if path == "/models":
        return Sent({"data": [{"id": "m", "max_model_len": 1000}]})
    if path != "/chat/completions" or "response_format" in body:
        return NOT_FOUND
    last = body["messages"][-1]["content"]
    if "thing 3" in last:
        return Sent(said(None, prompt=20, output=0, refusal="I will not"))
    answer = "red" if "thing 1" in last or "looks" not in last else colour_in(last)
    return Sent(said(f"It is {answer}.", prompt=20, output=4))


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(painter) as started:
        yield started


def write(folder: Path, url: str, endpoint: dict[str, Any] | None = None, **changes: Any) -> Path:
    model = {"endpoint": {"base_url": url, "model": "m", "repeats": 0, **(endpoint or {})}, "name": "far"}
    content = {
        "name": "small", "models": [model], "tasks": ["paint"], "embedder": "none", "methods": ["zero-shot"], **changes,
    }  # fmt: skip
    file = folder / "small.yaml"
    file.write_text(yaml.safe_dump(content))
    return file


def measured(file: Path, out: Path, cell: int = 0) -> Record:
    """One cell of the suite, measured in this process as its own would."""
    suite, cells = cells_of(file)
    store = Store(out)
    folder = store.staging(cells[cell].ref)
    job = Job(**json.loads(json.dumps(asdict(job_of(suite, cells[cell], store, folder, None)))))
    job = Job(**{**asdict(job), "identity": cells[cell].identity})
    record = measure(job, lambda *shown: None)
    run_folder.write_record(folder, record)
    return run_folder.read_record(folder / run_folder.RECORD)


def predictions(out: Path) -> dict[str, dict[str, Any]]:
    (file,) = out.glob("cells/.writing-*/predictions.jsonl")
    return {line["id"]: line for line in map(json.loads, file.read_text().splitlines())}


@pytest.mark.usefixtures("task_folder")
def test_a_served_model_is_measured_like_any_other(tmp_path: Path, server: Server) -> None:
    file = write(tmp_path, server.url, {"price": PRICE, "repeats": 6})
    record = measured(file, tmp_path / "out")
    answers = predictions(tmp_path / "out")
    # by hand: of 6 items, thing 1 is wrong and thing 3 is refused
    assert record.scores["accuracy"].value == pytest.approx(4 / 6)
    assert record.item_failures == {"refusal": 1}
    assert answers["test/0"]["output"] == "red"
    assert answers["test/3"]["failure"] == "refusal"
    assert record.tokens["prompt_tokens"] == 120
    assert (record.ranked_by, record.weights_changed, record.latency["served"].questions) == ("generation", None, 6)
    served = record.served
    assert served is not None
    assert (served.model, served.reader, served.conversation, served.stays) == ("m", "generation", True, True)
    assert (served.repeated, served.changed) == (6, 0)
    assert served.used["predict"].requests == 6
    sent = [one.body for one in server.asked if one.path == "/chat/completions" and "response_format" not in one.body]
    told = sent[-1]["messages"][0]["content"].partition("Answer with one of these, and nothing else: ")[2]
    assert set(told.split("; ")) == set(COLOURS)
    assert all(body["temperature"] == 0 for body in sent)
    (table,) = served_table.tables(Run(tmp_path, "small", (record,)), "far")
    row = [cell.text for cell in table.rows[0]]
    assert row[2:] == ["written text", "6", "120", "0", "20", "0.0004 USD", "0 of 6"]  # (120 x 2 + 20 x 8) / 10^6
    assert "what is asked stays on this machine" in table.notes[0]


@pytest.mark.usefixtures("task_folder")
def test_a_query_costs_its_tokens(tmp_path: Path, server: Server) -> None:
    record = measured(write(tmp_path, server.url, {"price": PRICE}), tmp_path / "out")
    prices = replaced({"cpu_core_hour": 0.0}, "")
    # by hand: 120 tokens of prompts at 2 and 20 of answers at 8, for a million each, over 6 items
    query = (120 * 2 + 20 * 8) / 1e6 / 6
    paid = cost(record, prices)
    assert paid.thousand_queries == pytest.approx(1000 * query)
    assert paid.correct_answer == pytest.approx(query / (4 / 6))
    dearer = replaced({"cpu_core_hour": 0.0, "tokens": {"far": {"input": 4.0, "output": 16.0}}}, "")
    assert cost(record, dearer).thousand_queries == pytest.approx(2000 * query)


@pytest.mark.usefixtures("task_folder")
def test_what_was_answered_is_not_asked_again(tmp_path: Path, server: Server) -> None:
    file = write(tmp_path, server.url)
    first = measured(file, tmp_path / "out")
    before = len([one for one in server.asked if one.path == "/chat/completions"])
    again = measured(file, tmp_path / "out")
    after = [one for one in server.asked if one.path == "/chat/completions"][before:]
    assert all("response_format" in one.body for one in after)  # a trial that was refused, and cost nothing
    assert first.served is not None
    assert again.served is not None
    assert again.scores == first.scores
    assert again.served.used["predict"] == first.served.used["predict"]


@pytest.mark.usefixtures("task_folder")
def test_few_shot_examples_are_turns_or_text(tmp_path: Path, server: Server) -> None:
    file = write(tmp_path, server.url, methods=[{"few-shot": {"k": 2}}])
    record = measured(file, tmp_path / "out")
    roles = [turn["role"] for turn in server.asked[-1].body["messages"]]
    assert roles == ["system", "user", "assistant", "user", "assistant", "user"]
    assert 0 < record.tokens["context_tokens"] < record.tokens["prompt_tokens"]


@pytest.mark.usefixtures("task_folder")
def test_the_key_stands_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    monkeypatch.setenv("FAR_KEY", KEY)

    def script(path: str, body: dict[str, Any], before: int) -> Sent:
        last = body["messages"][-1]["content"] if path == "/chat/completions" else ""
        return Sent(f"odd: {KEY}", 500) if "thing 4" in last else painter(path, body, before)

    with serving(script) as server:
        file = write(tmp_path, server.url, {"key_env": "FAR_KEY", "retries": 0})
        with pytest.raises(Exception, match=r"odd: \*\*\*") as raised:
            measured(file, tmp_path / "out")
        assert KEY in server.asked[-1].headers["Authorization"]
    assert KEY not in str(raised.value)
    assert not [found for found in tmp_path.rglob("*") if found.is_file() and KEY in found.read_text()]
    assert KEY not in "".join(capfd.readouterr())


@pytest.mark.usefixtures("task_folder")
def test_a_budget_that_is_spent_ends_the_cell(tmp_path: Path, server: Server) -> None:
    file = write(tmp_path, server.url, {"max_tokens": 200, "concurrency": 1})
    with pytest.raises(BudgetError, match="max_tokens 200"):
        measured(file, tmp_path / "out")


@pytest.mark.usefixtures("task_folder")
def test_weights_that_are_elsewhere_are_neither_trained_nor_probed(tmp_path: Path, tiny_model: Path) -> None:
    url = "http://127.0.0.1:9/v1"
    file = write(tmp_path, url, methods=["zero-shot", {"lora": {"max_steps": 1}}], probes=["arithmetic"])
    suite, cells = cells_of(file)
    assert [(cell.label, cell.is_base, cell.probes) for cell in cells] == [("zero-shot", False, ())]
    assert left_out(suite, cells) == (
        "lora: not for far, which is a model behind an endpoint, whose weights are not here",
        "the probes are not asked of far: what it forgets is unknown",
    )
    key = cells[0].key
    for endpoint, same in (
        ({"concurrency": 3, "price": PRICE, "max_money": 1.0, "timeout_s": 5}, True),
        ({"extra": {"seed": 1}}, False),
        ({"api": "chat"}, False),
    ):
        other = cells_of(write(tmp_path, url, endpoint))[1][0]
        assert (other.key == key) == same


@pytest.mark.parametrize(
    ("model", "line"),
    [
        ({"name": "x"}, "names no model; give path, or endpoint"),
        ({"path": "mini", "reader": "echo"}, "reader echo is for endpoints; allowed: auto, likelihood, generation"),
        ({"endpoint": {"base_url": "http://h/v1"}}, 'missing key "models.0.endpoint.model"'),
        ({"endpoint": {"base_url": "h/v1", "model": "m"}}, "must begin with http:// or https:// and name a host"),
        ({"endpoint": {"base_url": "http://u:p@h/v1", "model": "m"}}, "holds more than an address"),
        ({"endpoint": {"base_url": "http://h/v1", "model": "m", "max_money": 1}}, "max_money needs `price`"),
        ({"endpoint": {"base_url": "http://h/v1", "model": "m"}, "dtype": "float16"}, "dtype is not for endpoints"),
        ({"endpoint": {"base_url": "http://h/v1", "modle": "m"}}, '(did you mean "model"?)'),
    ],
)
def test_a_wrong_endpoint_is_one_line(model: dict[str, Any], line: str, tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(yaml.safe_dump({"models": [model], "tasks": ["paint"], "methods": ["zero-shot"]}))
    with pytest.raises(UsageError) as raised:
        cells_of(file)
    assert line in str(raised.value)


@pytest.mark.usefixtures("task_folder")
def test_a_key_that_is_not_set_is_said_before_anything_runs(tmp_path: Path) -> None:
    file = write(tmp_path, "http://127.0.0.1:9/v1", {"key_env": "NOT_SET_ANYWHERE"})
    with pytest.raises(UsageError, match="key_env names NOT_SET_ANYWHERE, an environment variable that is not set"):
        cells_of(file)


@pytest.mark.parametrize(
    ("url", "stays"),
    [
        ("http://localhost:1/v1", True),
        ("http://127.0.0.1/v1", True),
        ("http://[::1]:1/v1", True),
        ("https://api.example.org/v1", False),
        ("http://192.168.1.5:8000/v1", False),
        ("http://localhost.example.org/v1", False),
    ],
)
def test_data_stay_where_the_endpoint_is_on_this_machine(url: str, stays: bool) -> None:
    assert EndpointSpec(base_url=url, model="m").stays == stays


@pytest.mark.usefixtures("task_folder")
def test_a_model_on_this_disk_can_be_read_by_what_it_writes(tmp_path: Path, tiny_model: Path) -> None:
    model = {"path": str(tiny_model), "reader": "generation"}
    file = write(tmp_path, "http://127.0.0.1:9/v1", models=[model])
    record = measured(file, tmp_path / "out")
    assert record.ranked_by == "generation"
    assert record.tokens["output_tokens"] >= record.items  # a text was written for each
    assert sum(record.item_failures.values()) == sum(
        line["failure"] is not None for line in predictions(tmp_path / "out").values()
    )


@pytest.mark.parametrize(("stays", "status"), [(True, "meets"), (False, "fails")])
def test_a_decision_can_require_that_data_stay(stays: bool, status: str) -> None:
    values = np.array([[1.0, 0.0]])
    answers = Answers(
        "zero-shot",
        "far",
        "paint",
        "accuracy",
        "",
        "",
        (0,),
        False,
        ("a", "b"),
        ("", ""),
        (("x", "y"),),
        (0.5,),
        values,
    )
    one = Candidate("zero-shot", answers, (Price(0, 0, 0, 0.1),), None, 0, stays, ())
    (found,) = standings_of([one], Assumptions(require=Requirements(data_stays=True)))
    assert [(check.name, check.status) for check in found.checks] == [("data_stays", status)]
    assert found.feasible == stays


@pytest.mark.usefixtures("task_folder")
def test_answers_that_differ_the_second_time_are_counted(tmp_path: Path) -> None:
    asked: list[str] = []

    def fickle(path: str, body: dict[str, Any], before: int) -> Sent:
        if path != "/chat/completions" or "response_format" in body:
            return NOT_FOUND
        last = body["messages"][-1]["content"]
        asked.append(last)
        return Sent(said("red" if asked.count(last) == 1 or "thing 2" not in last else "blue"))

    with serving(fickle) as server:
        served = measured(write(tmp_path, server.url, {"repeats": 6}), tmp_path / "out").served
    assert served is not None
    assert (served.repeated, served.changed) == (6, 1)
    assert served.used["probe"].requests == 6


@pytest.mark.usefixtures("task_folder")
def test_requests_are_shown_before_any_is_sent(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `show` prints of an endpoint is what a run sends it, byte for byte; the key is not needed to see it."""
    file = write(tmp_path, server.url, {"key_env": "FAR_KEY"}, methods=[{"few-shot": {"k": 2}}])
    arguments = ["show", str(tmp_path / "paint"), "--suite", str(file), "--model", "far", "--method", "few-shot"]
    runner = CliRunner()
    shown = runner.invoke(cli, [*arguments, "--option", "k=2", "--json"], catch_exceptions=False)
    told = json.loads(shown.stdout)
    assert not server.asked
    assert [request["reader"] for request in told["requests"]] == [
        "decisions", "decisions", "echo", "schema", "generation", "generation",
    ]  # fmt: skip
    monkeypatch.setenv("FAR_KEY", KEY)
    measured(file, tmp_path / "out")
    sent = [(server.url + one.path, one.body) for one in server.asked if one.path == "/chat/completions"]
    chat = told["requests"][4]
    assert (chat["url"], chat["body"]) in sent
    people = runner.invoke(cli, arguments, catch_exceptions=False).stdout
    assert "Nothing was sent. A run sends the first of these that the endpoint takes." in people
    unknown = runner.invoke(cli, [*arguments[:5], "fra", *arguments[6:]])
    assert "unknown model of" in str(unknown.exception)
    assert '"fra" (did you mean "far"?)' in str(unknown.exception)
