"""The front door of the metrics, and which part of a generated text is the answer."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.core.errors import UsageError
from bench.core.item import Example
from bench.core.prompt import Prompt
from bench.core.record import Prediction
from bench.core.task import Extract, Task
from bench.metrics import NAMES, WITH_STATISTICS, compute, missing_for, refuse_unfit
from bench.metrics.extract import extract
from bench.metrics.scoring import score

ROOT = Path(__file__).resolve().parents[2]


def python(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)


GIVEN: dict[str, Sequence[Any]] = {
    "answer": ["a", "", "b"],
    "ranking": [["a", "b"], [], ["b", "a"]],
    "likelihood": [-1.5, -math.inf, -0.1],
    "probabilities": [[0.7, 0.3], [0.0, 1.0], [0.25, 0.5, 0.25]],
}


AT_HAND = [name for name in NAMES if not missing_for(name)]  # Japanese and flores200 BLEU need a package, or a model


def test_what_the_names_say() -> None:
    assert {info.scale for name, info in NAMES.items() if name.startswith(("bleu", "chrf"))} == {100.0}
    corpus = {name for name, info in NAMES.items() if not info.per_item}
    assert corpus == {"ece", *WITH_STATISTICS}
    lower = {name for name, info in NAMES.items() if not info.higher_is_better}
    assert lower == {"bits_per_byte", "brier", "log_loss", "ece"}
    assert set(AT_HAND) >= NAMES.keys() - {"bleu_ja", "bleu_flores"}


@pytest.mark.parametrize("name", AT_HAND)
def test_one_score_for_each_item_where_promised(name: str) -> None:
    result = compute(name, GIVEN[NAMES[name].scores], [["a"], ["b"], ["c"]])
    assert (result.per_item is not None) == NAMES[name].per_item
    assert result.per_item is None or len(result.per_item) == 3
    assert result.signature


@pytest.mark.parametrize(
    ("name", "predictions", "references", "message"),
    [
        (
            "acuracy",
            ["a"],
            [["a"]],
            r'unknown metric "acuracy" \(did you mean "accuracy"\?\); allowed: acc',
        ),
        ("bleu", [], [], "metric bleu: no predictions to score"),
        ("bleu", ["a", "b"], [["a"]], "2 predictions but 1 lists of references"),
        ("bleu", ["a", "b"], [["a"], []], r"the references of item 1 are \[\]"),
        ("bleu", ["a"], ["a"], "the references of item 0 are 'a'"),
    ],
)
def test_input_without_a_score_is_one_clear_line(
    name: str, predictions: list[str], references: list[list[str]], message: str
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        compute(name, predictions, references)
    assert "\n" not in str(caught.value)


def test_many_items_pass_through_whole() -> None:
    n = 12_345  # more than the 10,000 rows that arrow's writer buffers
    predictions = ["yes" if position % 5 else "no" for position in range(n)]
    result = compute("accuracy", predictions, [["yes"]] * n)
    assert result.per_item is not None
    assert len(result.per_item) == n
    assert result.value == pytest.approx(4 / 5)


def test_listing_metrics_imports_nothing_heavy() -> None:
    heavy = '{"torch", "transformers", "evaluate", "datasets", "pandas", "sklearn", "numpy"}'
    done = python(f"import sys, bench.metrics; assert bench.metrics.NAMES; print({heavy} & set(sys.modules))")
    assert done.stdout.strip() == "set()", done.stderr


def test_no_network_no_home_no_traces(tmp_path: Path) -> None:
    """Scoring works where the home folder cannot be written and any connection is an error."""
    code = """
import socket

def refuse(*arguments, **options):
    raise AssertionError("network")

socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
from bench.metrics import NAMES, compute, missing_for
answers = {
    "answer": ["the cat sat down", ""],
    "ranking": [["a"], []],
    "likelihood": [-1.0, -2.0],
    "probabilities": [[0.5, 0.5], [0.0, 1.0]],
}
for name, info in NAMES.items():
    if not missing_for(name):
        print(name, compute(name, answers[info.scores], [["the cat sat down"], ["x"]]).value)
"""
    blocked, temporary = tmp_path / "file", tmp_path / "temporary"
    blocked.write_text("a file, so that no folder can be made below it")
    temporary.mkdir()
    done = python(
        code,
        HOME=str(blocked / "home"),
        HF_HOME=str(blocked / "hf"),
        XDG_CACHE_HOME=str(blocked / "cache"),
        HF_HUB_OFFLINE="1",
        TMPDIR=str(temporary),
        PYTHONDONTWRITEBYTECODE="1",
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(done.stdout.splitlines()) == len(AT_HAND)
    assert [path.name for path in temporary.iterdir() if "metric" in path.name] == []


def test_concurrent_scoring_does_not_mix() -> None:
    def score(share: int) -> float:
        predictions = ["yes"] * share + ["no"] * (10 - share)
        return compute("accuracy", predictions, [["yes"]] * 10).value

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(score, range(11))) == [share / 10 for share in range(11)]


def test_metrics_that_do_not_fit_a_task_are_refused_before_anything_runs() -> None:
    refuse_unfit(["accuracy", "mrr"], "choice", "a/task")
    with pytest.raises(UsageError, match=r'^a/task: unknown metric "acuracy" \(did you mean "accuracy"\?\)'):
        refuse_unfit(["acuracy"], "choice", "a/task")
    with pytest.raises(UsageError, match=r'^a/task: metric "bleu" is not for tasks of kind choice; allowed: acc'):
        refuse_unfit(["bleu"], "choice", "a/task")


FIRST, NUMBER, JSON = Extract("first_line"), Extract("last_number"), Extract("json")
CASES = [
    (FIRST, "\n  Paris \nIt is in France.", "Paris"),
    (FIRST, " \n", ""),
    (NUMBER, "2 and 2 make 4.", "4"),
    (NUMBER, "It costs 1,184.50 euros", "1184.50"),
    (NUMBER, "from 3 down to -7", "-7"),
    (NUMBER, "in 1999-2005", "2005"),
    (NUMBER, "The answer is 12.", "12"),
    (NUMBER, "none", ""),
    (JSON, 'Sure: {"a": [1, 2]} and {"b": 3}', '{"a": [1, 2]}'),
    (JSON, "a {word} then [1]", "[1]"),
    (JSON, "{" * 50, ""),
    (Extract("regex", r"[Aa]nswer is (\w+)"), "The answer is two days", "two"),
    (Extract("regex", r"\d+ days"), "in 2 days or 3 days", "2 days"),
    (Extract("regex", r"(x)?y"), "y", ""),
    (Extract("regex", "z"), "y", ""),
]


@pytest.mark.parametrize(("rule", "text", "answer"), CASES)
def test_by_hand(rule: Extract, text: str, answer: str) -> None:
    assert extract(rule, text) == answer


@given(st.sampled_from([FIRST, NUMBER, JSON, Extract("regex", r"\w+")]), st.text())
def test_what_is_extracted_stands_in_the_text(rule: Extract, text: str) -> None:
    found = extract(rule, text)
    assert found in text.replace(",", "") if rule is NUMBER else found in text
    assert extract(rule, found) == found


def test_the_extracted_part_is_scored() -> None:
    task = Task("t", "text", Prompt("", "{q}:"), (), (), (Example("test/1", {"q": "2 + 2"}, references=("4",)),),
                metrics=("exact_match",))  # fmt: skip
    said = [Prediction("test/1", "2 + 2 is 4")]
    assert score(task, said).scores["exact_match"].value == 0
    assert score(replace(task, extract=NUMBER), said).scores["exact_match"].value == 1


def test_python_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = ROOT / "docs" / "metrics.md"
    [text] = re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    exec(text, {})
    whole, again, drawn = (line.split()[0].strip("[]") for line in capsys.readouterr().out.splitlines())
    assert float(again) == pytest.approx(float(whole))
    assert float(drawn) != pytest.approx(float(whole))
