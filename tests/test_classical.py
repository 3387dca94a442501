"""What needs no language model: TF-IDF with logistic regression as scikit-learn has it, and the nearest example."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

import methods
from bench.adapt.classical import WordRegression, label_likelihoods
from bench.core.errors import CellError, UsageError
from bench.core.item import Example
from bench.core.nearest import Nearest
from bench.model.resolve import ModelSpec, resolve
from bench.runs.cells import left_out
from tests.small import cells_of, measure, write_suite
from tests.toy import adapted, blind, choice_task, text_task

TOPICS = ("mail", "money")
TRAIN = tuple(
    Example(f"train/{i}", {"text": text}, TOPICS, (topic,))
    for i, (text, topic) in enumerate(
        [
            ("the parcel is late", "mail"),
            ("where is my parcel", "mail"),
            ("letter lost in the post", "mail"),
            ("the invoice is wrong", "money"),
            ("I paid the invoice twice", "money"),
            ("money back please", "money"),
        ]
    )
)
ASKED = ["my parcel was lost", "is the invoice paid", "hello there"]


@pytest.mark.parametrize("c", [1.0, 100.0])
def test_it_is_scikit_learns_regression_on_its_tf_idf(c: float) -> None:
    vectors = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    features = vectors.fit_transform([example.fields["text"] for example in TRAIN])
    labels = [TOPICS.index(example.references[0]) for example in TRAIN]
    expected = LogisticRegression(C=c, max_iter=1000).fit(features, labels)
    found = WordRegression.fit(TRAIN, TOPICS, c)
    assert np.array(found.likelihoods(ASKED)) == pytest.approx(expected.predict_log_proba(vectors.transform(ASKED)))
    assert found.weights == features.shape[1] + 1
    right = -expected.predict_log_proba(features)[range(6), labels].mean()
    assert found.loss(TRAIN) == pytest.approx(right)


def test_a_label_without_examples_has_a_row_and_is_never_the_likeliest() -> None:
    train = [dataclasses.replace(example, choices=("mail", "other", "money")) for example in TRAIN]
    rows = WordRegression.fit(train, ("mail", "other", "money"), 1.0).likelihoods(ASKED)
    assert all(len(row) == 3 and max(row) != row[1] for row in rows)
    assert all(sum(map(math.exp, row)) == pytest.approx(1) for row in rows)


def test_words_of_scripts_without_spaces_count() -> None:
    texts = [("包裹在哪里", "mail"), ("包裹丢了", "mail"), ("发票错了", "money"), ("发票在哪里付", "money")]
    train = [Example(str(i), {"text": text}, TOPICS, (topic,)) for i, (text, topic) in enumerate(texts)]
    [mail, money] = WordRegression.fit(train, TOPICS, 10.0).likelihoods(["我的包裹", "我的发票"])
    assert mail[0] > mail[1]
    assert money[1] > money[0]


@pytest.mark.parametrize("text", ["!", "", "a"])
def test_training_texts_without_words_are_one_line(text: str) -> None:
    train = [dataclasses.replace(example, fields={"text": text}) for example in TRAIN]
    with pytest.raises(CellError, match="words of two letters at least"):
        WordRegression.fit(train, TOPICS, 1.0)


def test_the_nearest_examples_label_is_the_likeliest() -> None:
    """By hand: the first item is a training text, so its similarity is 1; of the last nothing is alike."""
    nearest = Nearest(TRAIN)
    rows = label_likelihoods(nearest, TOPICS, ["the parcel is late", "invoice paid twice", "zzz qqq"])
    [alike] = nearest.similarities(["the parcel is late"])
    mail, money = alike[0][:3].max(), alike[0][3:].max()
    assert mail == pytest.approx(1)
    assert rows[0] == pytest.approx([math.log(mail / (mail + money)), math.log(money / (mail + money))])
    assert rows[1][1] > rows[1][0]
    assert rows[2] == pytest.approx([math.log(0.5)] * 2)


def test_a_text_is_answered_with_the_nearest_examples_answer() -> None:
    task = text_task()
    test = (Example("t", {"number": "train7"}, (), ("?",)), Example("u", {"number": "train11"}, (), ("?",)))
    made = adapted(dataclasses.replace(task, test=test), "nearest-answer", {}, Path("classical"))
    assert [p.output for p in made.predictor.predict(blind(test))] == ["stone 7", "stone 11"]


def test_c_is_chosen_by_the_validation_loss() -> None:
    task = choice_task(train=30, validation=9)
    made = adapted(task, "tf-idf", {}, Path("classical"))
    assert made.tuning is not None
    losses = [WordRegression.fit(task.train, task.train[0].choices, c).loss(task.validation) for c in (1, 10, 100)]
    assert [trial.value for trial in made.tuning.trials] == pytest.approx(losses)
    assert made.tuning.chosen == {"c": (1.0, 10.0, 100.0)[int(np.argmin(losses))]}


def test_what_they_cannot_do_is_said() -> None:
    tf_idf, nearest = (methods.create(name).weights for name in ("tf-idf", "nearest-answer"))
    assert tf_idf.requires(text_task()) == "tf-idf needs a choice task whose items all have the same choices"
    assert nearest.requires(text_task()) is None
    assert nearest.requires(dataclasses.replace(text_task(), train=())) == "nearest-answer needs a train split"
    with pytest.raises(UsageError, match='"classical" is no language model; dtype cannot be set of it'):
        resolve(ModelSpec(path="classical", dtype="float32"))


@pytest.mark.usefixtures("task_folder")
def test_a_run_has_them_as_rows_with_their_cost(tmp_path: Path, tiny_model: Path) -> None:
    asked = ["zero-shot", {"tf-idf": {"c": 1.0}}, "nearest-answer"]
    file = write_suite(tmp_path, tiny_model, models=[str(tiny_model), "classical"], methods=asked, probes=["paint"])
    outcome, _, run = measure(file, tmp_path / "run")
    assert outcome.failed == 0
    rows = {record.method: record for record in run.records if record.model == "classical"}
    assert rows.keys() == {"tf-idf", "nearest-answer"}
    for record in rows.values():
        assert record.phases["train"].wall_s > 0
        assert record.phases["train"].flops is None  # unknown, not 0
        assert record.phases["predict"].flops is None
        assert record.latency["served"].p50 > 0
        assert record.weights_changed is None
        assert record.scores["accuracy"].value == 1.0  # the colour stands in the text
    assert left_out(*cells_of(file)) == (
        "tf-idf, nearest-answer: not for " + tiny_model.name + ", which is a decoder, which goes on with a text",
        "zero-shot: not for classical, which is no language model",
        "the probes are not asked of classical: what it forgets is unknown",
    )
