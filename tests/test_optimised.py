"""Optimised prompts: a scripted reflector reproduces a search worked out by hand; what it took is counted and paid."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import methods
from bench.analysis.costs import cost
from bench.analysis.decision.candidates import places
from bench.cli import cli
from bench.config.prices import replaced
from bench.core.errors import BudgetError, CellError, UsageError
from bench.core.item import Example
from bench.core.method import Context, Material, parts_of
from bench.core.phases import Phase
from bench.core.prompt_search import FoundPrompt, PromptSearch, ReflectedBy, TriedPrompt
from bench.core.record import Record, Run, Score
from bench.model import tiny_random
from bench.report.html.page import html
from bench.report.html.sections.prompts import command
from bench.report.tables import prompts
from tests.served.scripted import NOT_FOUND, Sent, said, serving
from tests.served.test_served_run import PRICE, colour_in, measured, write
from tests.small import cells_of, write_task
from tests.test_prompt_search import ScriptedAsker, material
from tests.toy import adapted, choice_task

Script = Callable[[Context, Sequence[Example]], list[float]]


class Reflecting(ScriptedAsker):
    """Writes V1, V2, V3, …, or what a script says."""

    def __init__(self, script: Script, given: Material, says: Callable[[int], str] | None = None) -> None:
        super().__init__(script, given.validation)
        self.says = says or (lambda number: f"Here it is:\n```\nV{number}\n```\nIt says more.")
        self.told: list[str] = []

    def reflect(self, text: str) -> str:
        self.told.append(text)
        return self.says(len(self.told))


def searched(asker: Reflecting, given: Material, **options: Any) -> FoundPrompt:
    return methods.create("optimised", options).context.search(given, asker)


WORTH = {None: (0.0, 0.0), "V1": (0.3, 0.5), "V2": (0.2, 1.0), "V3": (0.9, 0.4), "V4": (0.35, 0.6)}  # train, validation


def by_instruction(context: Context, items: Sequence[Example]) -> list[float]:
    return [WORTH[context.instruction][item.id.startswith("validation/")] for item in items]


def test_a_search_worked_out_by_hand() -> None:
    """Three training items are one minibatch; the four validation items judge.

    V1 is better than the task's own instruction on both. V2 is worse than V1 on train: it is never judged. V3 is better
    on train and worse on validation: it is judged and not gone on from, as V1 is better on every item. V4 is of V1.
    """
    given = material(train=3)
    asker = Reflecting(by_instruction, given)
    found = searched(asker, given, max_examples=0, minibatch=3, max_evaluations=40)
    train, judges = {f"train/{i}" for i in range(3)}, {f"validation/{i}" for i in range(4)}
    first, second = (None, judges), ("V1", judges)
    assert [(instruction, set(ids)) for instruction, _, ids in asker.asked] == [
        first,
        *[(None, train), ("V1", train), second],
        *[("V1", train), ("V2", train)],
        *[("V1", train), ("V3", train), ("V3", judges)],
        *[("V1", train), ("V4", train), ("V4", judges)],
    ]
    assert found == FoundPrompt(
        "V4",
        (),
        (
            TriedPrompt(None, (), 0.0, 4),
            TriedPrompt("V1", (), 0.5, 14),
            TriedPrompt("V3", (), 0.4, 30),
            TriedPrompt("V4", (), 0.6, 40),
        ),
        4,
        f"gepa {version('gepa')}",
    )
    assert found.value == 0.6
    before = [re.search(r"for me:\n```\n(.*)\n```", text) for text in asker.told]
    assert [match and match[1] for match in before] == ["Name the colour.", "V1", "V1", "V1"]


def test_the_reflecting_model_is_told_answers_and_what_was_right() -> None:
    given = material(train=3)
    asker = Reflecting(lambda context, items: [float(item.id == "train/0") for item in items], given)
    searched(asker, given, max_examples=0, max_evaluations=20)
    told = asker.told[0]
    assert told.count("Possible answers\nred; green; dark blue") == 1  # the items share them
    assert told.count("Generated Outputs\nx") == 3
    assert re.search(r"Thing train 0 is painted red\..*?Feedback\nCorrect\.\n", told, re.DOTALL)
    assert re.search(r"train 1 is painted green\..*?Feedback\nNot correct. The correct answer is: green\n", told, re.S)
    assert "validation" not in told


def test_items_that_are_answered_wrongly_become_examples() -> None:
    """The reflecting model has nothing to say; of three items one is right, and two examples make all right."""

    def script(context: Context, items: Sequence[Example]) -> list[float]:
        return [1.0 if item.id == "train/0" or len(context.shared) == 2 else 0.0 for item in items]

    given = material(train=3)
    asker = Reflecting(script, given, says=lambda number: "")
    found = searched(asker, given, max_examples=2, max_evaluations=30)
    assert (found.instruction, set(found.examples), found.value) == (None, {"train/1", "train/2"}, 1.0)
    assert len(found.tried) == 2
    only = searched(Reflecting(script, given, says=lambda number: ""), given, max_examples=1, max_evaluations=30)
    assert (only.examples, only.value) == ((), 0.0)


def test_prompts_can_be_judged_on_fewer_items() -> None:
    """Two of four validation items, of two labels: what a step takes is less, so that there are more of them."""
    given = material(train=3)
    asker = Reflecting(by_instruction, given)
    found = searched(asker, given, max_examples=0, judged=2, max_evaluations=24)
    asked = [ids for _, _, ids in asker.asked if ids[0].startswith("validation")]
    assert len({frozenset(ids) for ids in asked}) == 1
    assert len(asked[0]) == found.judged == 2
    assert len({item.references for item in given.validation if item.id in asked[0]}) == 2
    assert [one.answers for one in found.tried] == [2, 10, 24]  # 2; 3 + 3 + 2; V2: 3 + 3; V3: 3 + 3 + 2
    assert found.instruction == "V1"


@pytest.mark.parametrize("most", [4, 13, 14, 27, 40, 100])
def test_no_more_is_asked_than_allowed(most: int) -> None:
    given = material(train=3)
    asker = Reflecting(lambda context, items: [0.01 * len(asker.told)] * len(items), given)
    searched(asker, given, max_examples=0, max_evaluations=most)
    assert most - 10 < asker.answers <= most  # a step takes 3 + 3 + 4
    given = material(train=12)
    usual = Reflecting(by_instruction, given, says=lambda number: "")
    searched(usual, given)
    assert usual.answers <= usual.trials * len(given.validation)


def test_the_search_is_that_of_its_seed() -> None:
    def asked(seed: int) -> list[Any]:
        given = material(train=30)
        given = Material(given.task, given.prompt, given.train, given.validation, (), seed, given.index)
        asker = Reflecting(lambda context, items: [0.1 * len(context.shared)] * len(items), given)
        searched(asker, given, max_evaluations=60)
        return asker.asked

    assert asked(0) == asked(0)
    assert asked(0) != asked(1)


def test_a_reflecting_model_that_fails_ends_the_search() -> None:
    def refused(number: int) -> str:
        raise BudgetError("nothing is left")

    given = material(train=3)
    asker = Reflecting(by_instruction, given, says=refused)
    with pytest.raises(BudgetError, match="nothing is left"):
        searched(asker, given, max_evaluations=200)
    assert asker.answers == 7  # the validation items and one minibatch


def test_what_cannot_be_searched_is_one_line() -> None:
    given = material()
    with pytest.raises(CellError, match="max_evaluations 3 of optimised is less than one prompt takes: 4 items"):
        searched(Reflecting(by_instruction, given), given, max_evaluations=3)
    part = methods.create("optimised").context
    needs = "optimised needs a train split to search on and a validation split to choose on"
    assert part.requires(choice_task(validation=0)) == part.requires(choice_task(train=0)) == needs
    with pytest.raises(UsageError, match="max_examples is -1; it must be"):
        methods.create("optimised", {"max_examples": -1})


def test_the_prompt_that_was_found_answers(tiny_model: Path) -> None:
    made = adapted(choice_task(), "optimised", {"max_examples": 2, "max_evaluations": 40}, tiny_model)
    search = made.prompt_search
    assert search is not None
    assert search.reflector is None
    assert 30 < search.answers <= 40
    writer = made.predictor.writer
    assert tuple(block.source for block in writer.context.shared) == search.found.examples
    assert writer.prompt.instruction == search.found.instruction or search.found.instruction is None


def helped(path: str, body: dict[str, Any], before: int) -> Sent:
    """Answers "red" until its instruction says "look"; asked for an instruction, it writes one that does."""
    if path == "/models":
        return Sent({"data": [{"id": "m", "max_model_len": 4000}]})
    if path != "/chat/completions" or "response_format" in body:
        return NOT_FOUND
    first, last = body["messages"][0]["content"], body["messages"][-1]["content"]
    if "I provided an assistant" in last:
        return Sent(said("```\nlook at the colour\n```", prompt=300, output=20))
    return Sent(said(colour_in(last) if "look" in first and "looks" in last else "red", prompt=20, output=4))


def test_a_served_model_is_searched_with_and_paid_for(tmp_path: Path) -> None:
    write_task(tmp_path)
    with serving(helped) as server:
        options = {"optimised": {"max_examples": 0, "max_evaluations": 24}}
        file = write(tmp_path, server.url, {"price": PRICE}, methods=["zero-shot", options])
        record = measured(file, tmp_path / "run", cell=1)
        sent = len(server.asked)
        again = measured(file, tmp_path / "run", cell=1)
        assert len(server.asked) - sent <= 8  # the reader is tried, nothing else is asked anew
    search = record.prompt_search
    assert search is not None
    assert search.found.instruction == "look at the colour"
    assert [one.value for one in search.found.tried] == [pytest.approx(1 / 3), 1.0]  # a third of the things is red
    assert record.scores["accuracy"].value == 1.0
    assert again.prompt_search == search
    assert record.served is not None
    used = record.served.used["tune"]
    assert used.prompt == 20 * (used.requests - search.reflections) + 300 * search.reflections
    money = cost(record, replaced({}, ""))
    assert money.search == pytest.approx((used.prompt * 2 + used.output * 8) / 1e6)


def wrote(path: str, body: dict[str, Any], before: int) -> Sent:
    """Writes an instruction, and answers nothing else."""
    last = body.get("messages", [{}])[-1].get("content", "")
    if path == "/chat/completions" and "response_format" not in body:
        is_asked = "I provided an assistant" in last
        return Sent(said("```\nPick a colour.\n```" if is_asked else "yes", prompt=300, output=20))
    return NOT_FOUND


def test_another_model_can_write_the_instructions(tmp_path: Path, tiny_model: Path) -> None:
    write_task(tmp_path)
    with serving(wrote) as server:
        far = {"endpoint": {"base_url": server.url, "model": "m", "price": PRICE}, "name": "far"}
        own = {"optimised": {"max_evaluations": 40}}
        made = {"optimised": {"max_evaluations": 40, "reflector": far}}
        file = write(tmp_path, server.url, models=[str(tiny_model)], methods=[own, made])
        _, (alone, cell) = cells_of(file)
        record = measured(file, tmp_path / "run", cell=1)
        written = [one.body["messages"][-1]["content"] for one in server.asked if "messages" in one.body]
    assert (alone.label, cell.label) == ("optimised", "optimised reflected by far")
    assert alone.key != cell.key
    assert not any("test thing" in text for text in written)
    search = record.prompt_search
    assert search is not None
    assert search.reflections >= 1
    by = search.reflector
    assert by is not None
    assert (by.model, by.base_url, by.stays) == ("far", server.url, True)
    assert by.used is not None
    assert by.used.requests >= search.reflections  # the trial of how it answers is paid for too
    prices = replaced({"cpu_core_hour": 0.0}, "")
    assert cost(record, prices).search == pytest.approx((by.used.prompt * 2 + by.used.output * 8) / 1e6)
    assert list(places(record)) == [by]
    assert record.identity.reflector is not None
    assert record.identity.reflector.model.kind == "served"


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ({"few-shot": {"reflector": "tiny-random"}}, "reflector of method few-shot: it searches for no instruction"),
        ({"optimised": {"reflector": ["a"]}}, "reflector of method optimised must be a model, or a mapping"),
        ({"optimised": {"reflector": {"pth": "a"}}}, 'reflector of method optimised: unknown key "pth"'),
        ({"optimised": {"reflector": "classical"}}, "the reflector classical writes no text: it is no language model"),
    ],
)
def test_a_reflector_that_cannot_be_is_one_line(tmp_path: Path, method: dict[str, Any], words: str) -> None:
    write_task(tmp_path)
    with pytest.raises(UsageError) as caught:
        cells_of(write(tmp_path, "http://127.0.0.1:9/v1", methods=[method]))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_budget_of_an_endpoint_ends_a_search(tmp_path: Path) -> None:
    write_task(tmp_path)
    with serving(helped) as server:
        options = {"optimised": {"max_examples": 0, "max_evaluations": 24}}
        file = write(tmp_path, server.url, {"max_tokens": 600}, methods=[options])
        with pytest.raises(BudgetError, match="max_tokens 600"):
            measured(file, tmp_path / "run")


def found_record(method: str = "optimised", instruction: str | None = "Say\n<b>it</b>.", **options: Any) -> Record:
    """A record whose search began at 0.25, tried three prompts and found one with an example at 0.75."""
    before = (TriedPrompt(None, (), 0.25, 4), TriedPrompt("x", (), 0.5, 14))
    last = TriedPrompt(instruction, ("train/1",), 0.75, 24)
    search = PromptSearch(FoundPrompt(instruction, ("train/1",), (*before, last), 4), "accuracy", 1030, 20500, 2)
    return Record(
        "a" * 64, "chat", "paint", method, 0, "ok", "2026-11-29T00:00:00+00:00", kind="choice", items=6,
        parts=parts_of(methods.create(method, options)), prompt_search=search, phases={"tune": Phase(90.0, 1)},
        scores={"accuracy": Score(0.5)},
    )  # fmt: skip


def test_the_report_says_what_was_found_and_what_it_took(tmp_path: Path) -> None:
    bare = replace(found_record(), prompt_search=None)
    assert prompts.tables(Run(tmp_path, "small", (bare,)), "chat") == []
    far = ReflectedBy("far", "d", "https://far.example/v1", stays=False)
    record = found_record()
    assert record.prompt_search is not None
    record = replace(record, prompt_search=replace(record.prompt_search, reflector=far))
    searches, found = prompts.tables(Run(tmp_path, "small", (record,)), "chat")
    row = [cell.text for cell in searches.rows[0]]
    assert row[3:9] == ["Accuracy of 4", "0.250", "0.750", "3", "1,030", "20,500"]
    assert searches.notes[0] == "far: wrote instructions; https://far.example/v1; what it was shown leaves this machine"
    assert [cell.text for cell in found.rows[0]][3:] == ["1: train/1", "Say <b>it</b>."]
    page = html([Run(tmp_path, "small", (record,))])
    assert "Say &lt;b&gt;it&lt;/b&gt;." in page
    assert "<b>it</b>" not in page
    said = command(Run(tmp_path, "small", (record,)), (record,), "optimised")
    assert said.startswith("optimised: `adaptbench show paint --model chat --method optimised ")
    assert said.endswith(f"--option max_examples=4 --option minibatch=3 --run {tmp_path}`")


def test_show_writes_the_prompt_that_a_run_found(
    tmp_path: Path, task_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_random.build(tmp_path / "chat", chat_template=True)
    told = ["show", str(task_folder), "--model", str(model), "--method", "optimised", "--json"]
    unsearched = CliRunner().invoke(cli, told)
    assert str(unsearched.exception) == (
        "the prompt of optimised is found by a search in a run; name the run with --run"
    )
    record = found_record(instruction="Look well.")
    loaded = Run(tmp_path, "small", (record,), task_paths={"paint": str(task_folder)})
    monkeypatch.setattr("bench.store.run_folder.read_run", lambda path: loaded)
    shown = CliRunner().invoke(cli, [*told, "--run", str(tmp_path)])
    assert shown.exit_code == 0, shown.output
    text = json.loads(shown.output)["text"]
    assert "Look well." in text
    assert "Name the colour." not in text
    assert "train thing 1 looks green" in text
    other = CliRunner().invoke(cli, [*told, "--run", str(tmp_path), "--option", "max_examples=2"])
    assert "holds no search of optimised with these options for chat on " in str(other.exception)
