"""Judges: one that agrees with people counts, one that does not is refused and named, and equal texts are a tie."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from bench.cli import cli
from bench.cli.judge import _entry
from bench.core.errors import TaskError, UsageError
from bench.judging import judge as judging
from bench.judging.asking import Judge, Said
from bench.judging.calibration import calibrate
from bench.judging.judge import judge
from bench.judging.questions import Comparison
from bench.judging.similarity import bertscore
from bench.report.tables import judged as tables
from bench.store.judged import Calibration, Judged, read_judged, write_judged
from bench.store.pack import pack
from bench.store.run_folder import read_run
from tasks.loader.judgements import FEWEST, Judgement, read_judgements
from tasks.loader.manifest import read_spec
from tasks.loader.spec import Judging
from tests.gpu.test_loading import InThisProcess
from tests.served.scripted import NOT_FOUND, Sent, Server, said, serving
from tests.small import Silent

Rater = Callable[[Comparison], str]  # "A", "B", "tie" or a grade
PAIRS = Judging(criteria="Which is kinder?", labels="judged.jsonl")
GRADES = Judging(criteria="How kind is it?", labels="judged.jsonl", form="grades")


def kindness(text: str) -> int:
    return text.count("kind")


def kinder(comparison: Comparison) -> str:
    """What a person says of a pair."""
    first, second = map(kindness, comparison.answers)
    return "tie" if first == second else "A" if first > second else "B"


def longer(comparison: Comparison) -> str:
    first, second = map(len, comparison.answers)
    return "A" if first > second else "B"


def first_always(comparison: Comparison) -> str:
    return "A"


def pairs(count: int = 120) -> list[Judgement]:
    """Half of them prefer the longer answer; every sixth is a tie."""
    rng = np.random.default_rng(0)
    made = []
    for i in range(count):
        good, bad = "kind " * int(rng.integers(1, 4)), "rude "
        short, long = (good, bad * 30) if i % 2 else (bad, good * 5)
        answers = (short, long) if rng.random() < 0.5 else (long, short)
        if i % 6 == 0:
            answers = (good, good + "!")
        label = {"A": "a", "B": "b"}.get(kinder(Comparison("", answers)), "tie")
        made.append(Judgement(f"question {i}", answers, label))
    return made


def calibrated(rater: Rater, judgements: Sequence[Judgement], by: Judging = PAIRS) -> Calibration:
    comparisons = [Comparison(each.question, each.answers) for each in judgements]
    answered = {order.id: rater(order) for comparison in comparisons for order in comparison.orders}
    return calibrate(by, judgements, comparisons, answered)


def test_a_judge_that_agrees_with_people_counts() -> None:
    found = calibrated(kinder, pairs())
    assert found.refused == ()
    assert found.kappa.value == 1
    assert found.same_order is not None
    assert found.same_order.value == 1
    assert found.length_bias is not None
    assert found.length_bias.value == 0


def test_one_that_contradicts_itself_is_refused_and_named() -> None:
    found = calibrated(first_always, pairs())
    assert found.same_order is not None
    assert (found.same_order.value, found.first) == (0, 1)
    assert any("contradicts itself when the order is swapped: the same in 0% of the pairs" in r for r in found.refused)
    assert any("100% of its preferences are for the answer that stands first" in reason for reason in found.refused)


def test_one_that_favours_length_is_refused_and_named() -> None:
    """Also where it agrees with people in most pairs, as the longer answer is the better one in most."""
    judgements = [each for i, each in enumerate(pairs(240)) if i % 6 and (i % 2 == 0 or i % 8 == 1)]
    found = calibrated(longer, judgements, PAIRS.model_copy(update={"least_kappa": 0.0}))
    assert [reason.split(":")[0] for reason in found.refused] == ["it favours the longer answer"]


def test_little_agreement_is_refused_by_the_whole_interval() -> None:
    """A rater who is right in 6 to 7 of 10 pairs: kappa is above the bound, its interval reaches below."""
    rng = np.random.default_rng(3)
    wrong = {each.question for each in pairs() if rng.random() < 0.37}

    def mixed(comparison: Comparison) -> str:
        right = kinder(comparison)
        swapped = {"A": "B", "B": "A"}.get(right, right)
        return swapped if comparison.question in wrong else right

    found = calibrated(mixed, pairs())
    assert found.kappa.low < 0.4 < found.kappa.high
    assert any("agrees too little with people: kappa" in reason for reason in found.refused)


def test_an_unbiased_judge_is_rarely_taken_for_one_that_favours_length() -> None:
    """Right in 85 of 100, by chance and not by length: 200 judges."""
    judgements, refused = pairs(), 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        wrong = {each.question for each in judgements if rng.random() < 0.15}

        def noisy(comparison: Comparison, wrong: set[str] = wrong) -> str:
            right = kinder(comparison)
            return {"A": "B", "B": "A"}.get(right, right) if comparison.question in wrong else right

        refused += any("longer" in reason for reason in calibrated(noisy, judgements).refused)
    assert refused <= 10


def grade_by(rater: Callable[[str], int]) -> Rater:
    return lambda comparison: str(rater(comparison.answers[0]))


def graded(count: int = 80) -> list[Judgement]:
    texts = [f"{'kind ' * (1 + i % 5)}{'word ' * (7 * i % 31)}" for i in range(count)]
    return [Judgement(f"question {i}", (text,), str(kindness(text))) for i, text in enumerate(texts)]


def test_grades_agree_in_their_order() -> None:
    exact = calibrated(grade_by(kindness), graded(), GRADES)
    near = calibrated(grade_by(lambda text: min(5, kindness(text) + 1)), graded(), GRADES)
    assert (exact.refused, exact.kappa.value, exact.same_order) == ((), 1, None)
    assert near.agrees == pytest.approx(0.2)
    assert near.kappa.value > 0.7  # one off each time: by quadratic weights close, by plain ones not


def test_grades_that_follow_length_are_refused() -> None:
    found = calibrated(
        grade_by(lambda text: min(5, kindness(text) + 2 * (len(text) > 90))),
        graded(),
        GRADES.model_copy(update={"least_kappa": 0.0}),
    )
    assert [reason.split(":")[0] for reason in found.refused] == ["it favours the longer answer"]


def write_task(folder: Path, **changes: Any) -> Path:
    """A task of texts with judgements of pairs."""
    task = folder / "notes"
    task.mkdir()
    for split, count in (("train", 4), ("test", 4)):
        rows = [{"id": i, "text": f"{split} note {i}", "reply": f"kind kind {i}"} for i in range(count)]
        (task / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    rows = [
        {"text": each.question, "a": each.answers[0], "b": each.answers[1], "better": each.label} for each in pairs()
    ]
    (task / "judged.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    spec = {
        "name": "notes", "kind": "text", "template": "{text}\nReply:", "answer": "reply", "max_new_tokens": 4,
        "splits": {"train": "train.jsonl", "test": "test.jsonl"},
        "judging": {"criteria": "Which is kinder?", "labels": "judged.jsonl"}, **changes,
    }  # fmt: skip
    (task / "task.yaml").write_text(yaml.safe_dump(spec))
    return task


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"text": "q", "a": "x", "b": "y", "better": "left"}], 'column "better" holds "left"; write one of:'),
        ([{"text": "q", "a": "x", "better": "a"}], 'no column "b"'),
        (
            [{"text": "q", "a": "x", "b": "y", "better": "a"}],
            f"1 judgements: too few to know a judge by; bring {FEWEST}",
        ),
        ([{"text": "q", "a": "", "b": "y", "better": "a"}], 'column "a" is empty'),
    ],
)
def test_labels_are_checked(tmp_path: Path, rows: list[dict[str, str]], message: str) -> None:
    task = write_task(tmp_path)
    (task / "judged.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    spec = read_spec(task)
    assert spec.judging is not None
    with pytest.raises(TaskError, match=r"judged\.jsonl") as raised:
        read_judgements(task, spec, spec.judging)
    assert message in str(raised.value)


def test_judging_is_for_texts(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="judging is for kind: text"):
        read_spec(write_task(tmp_path, kind="choice", choices=["x", "y"]))


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the task: the nearest training answer to every item."""
    folder = tmp_path_factory.mktemp("judged")
    write_task(folder)
    file = folder / "suite.yaml"
    suite = {
        "name": "notes",
        "models": ["classical"],
        "tasks": ["notes"],
        "methods": ["nearest-answer"],
        "embedder": "none",
    }
    file.write_text(yaml.safe_dump(suite))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.runs.workers.executor", lambda suite, cells_at_once: InThisProcess())
        from tests.small import measure

        measure(file, folder / "run")
    return folder / "run"


def scripted(rater: Rater, asked: list[str]) -> Callable[..., Said]:
    """A judge that answers by a rule."""

    def ask(by: Judge, how: Judging, comparisons: Sequence[Comparison], folder: Path, display: object) -> Said:
        orders = [order for comparison in comparisons for order in comparison.orders]
        asked.extend([folder.name] * len(orders))
        record: Any = SimpleNamespace(
            tokens={"prompt_tokens": len(orders)},
            wall_s=lambda phase: 1.0,
            identity=SimpleNamespace(model=SimpleNamespace(digest="d")),
        )
        return Said({order.id: rater(order) for order in orders}, record)

    return ask


def judged_by(run_folder: Path, rater: Rater, patch: pytest.MonkeyPatch) -> tuple[Judged, list[str]]:
    asked: list[str] = []
    patch.setattr(judging, "ask", scripted(rater, asked))
    run = read_run(run_folder)
    return judge(run, "notes", Judge({"path": "mini"}), "reference", lambda work: nullcontext(Silent())), asked


def test_the_answers_are_judged_by_one_that_agrees(run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nearest answers are references of other items: as kind as the item's own, so ties; equal ones are not asked."""
    judged, asked = judged_by(run_folder, kinder, monkeypatch)
    assert judged.calibration.refused == ()
    (row,) = judged.methods
    assert set(row.scores[0]) == {0.5}
    assert asked.count("labels") == 240
    assert asked.count("answers") < 8  # of four items in two orders: an answer that is the reference is a tie
    write_judged(run_folder, judged)
    (table,) = tables.tables(read_run(run_folder), "classical")
    assert table.rows[0][1].text.startswith("0.500 [")
    assert any(note.startswith("judge: kappa 1.00") for note in table.notes)
    assert any("the decision rests on the task's own metrics" in note for note in table.notes)


def test_no_answer_is_judged_by_one_that_does_not(run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judged, asked = judged_by(run_folder, first_always, monkeypatch)
    assert judged.methods == ()
    assert "answers" not in asked
    write_judged(run_folder, judged)
    (table,) = tables.tables(read_run(run_folder), "classical")
    assert not table.rows
    assert any(note.startswith("refused as a judge: it contradicts itself") for note in table.notes)


def test_an_archive_takes_judgements_along(run_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write_judged(run_folder, judged_by(run_folder, kinder, monkeypatch)[0])
    packed = pack(run_folder, tmp_path / "notes.run.zip")
    assert read_judged(packed) == read_judged(run_folder)
    with pytest.raises(UsageError, match="unpack it first"):
        judge(read_run(packed), "notes", Judge({"path": "mini"}), "reference", lambda work: nullcontext(Silent()))


def test_what_cannot_be_judged_is_one_line(run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(task: str, against: str = "reference") -> None:
        judge(read_run(run_folder), task, Judge({"path": "mini"}), against, lambda work: nullcontext(Silent()))

    with pytest.raises(UsageError, match='unknown task of the run: "note"'):
        ask("note")
    with pytest.raises(UsageError, match='unknown method of the run: "nearest"'):
        ask("notes", "nearest")
    with pytest.raises(UsageError, match='the judge: unknown key "pth"'):
        _ = Judge({"pth": "mini"}).called


def test_a_judge_is_found_from_the_folder_of_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there" / "judge").mkdir(parents=True)
    file = tmp_path / "there" / "judge.yaml"
    file.write_text("{path: ./judge, dtype: float32}")
    monkeypatch.chdir(tmp_path)
    assert _entry(str(file)) == {"path": str(tmp_path / "there" / "judge"), "dtype": "float32"}
    file.write_text("path: smollm2")
    assert _entry("there/judge.yaml") == {"path": "smollm2"}
    assert _entry("there/judge") == {"path": str(tmp_path / "there" / "judge")}


def says_the_kinder(path: str, body: dict[str, Any], before: int) -> Sent:
    """A served judge that reads the two answers out of its prompt."""
    if path != "/chat/completions" or "response_format" in body:
        return NOT_FOUND
    text = body["messages"][-1]["content"]
    first, _, second = text.partition("Answer A:")[2].partition("Answer B:")
    return Sent(said(kinder(Comparison("", (first, second.partition("Better")[0]))), prompt=20, output=1))


@pytest.fixture
def server() -> Any:
    with serving(says_the_kinder) as started:
        yield started


def test_a_served_judge_is_asked_once(run_folder: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.runs.workers.executor", lambda suite, cells_at_once: InThisProcess())
    entry = run_folder.parent / "judge.yaml"
    entry.write_text(yaml.safe_dump({"endpoint": {"base_url": server.url, "model": "m", "repeats": 0}, "name": "far"}))
    arguments = ["judge", str(run_folder), "--task", "notes", "--model", str(entry)]
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert "notes as judged by far" in result.output
    requests = len(server.asked)
    assert requests >= 240
    CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert len(server.asked) == requests


def test_bertscore_by_hand() -> None:
    """Two tokens against one: of the answer's tokens the best matches are 1 and 0, of the reference's one it is 1."""
    answer, reference = np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32)[:1]
    assert bertscore(answer, reference) == pytest.approx(2 * 0.5 * 1 / 1.5)
    assert bertscore(answer, answer) == pytest.approx(1)
    assert bertscore(answer[:0], reference) == 0
