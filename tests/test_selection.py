"""What chooses options and epochs: loss or score, folds, and a budget spent by successive halving."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from transformers import AutoModelForCausalLM

import methods
from bench.adapt.adapt import adapt
from bench.adapt.learner import Judgement, Learner
from bench.adapt.session import AdaptSession
from bench.adapt.tuning import search
from bench.config.search_space import Rung, SearchPlan, rungs
from bench.core.errors import CellError, UsageError
from bench.core.identity import Identity, TuningSettings
from bench.core.method import Context, LearningCost, Method
from bench.core.nearest import text_of
from bench.core.training import Judged, Options, Tuning
from bench.core.unfinished import Unfinished
from bench.core.words import tokens_of
from bench.training import packed_attention
from bench.training.epochs import Scorer
from bench.training.trainer import train
from tests.small import cells_of, write_suite
from tests.test_training import drawn, setting
from tests.toy import adapted, blind, choice_task, session_of

RATES = [i / 100 for i in range(1, 33)]


@given(st.integers(1, 40), st.integers(0, 3000), st.integers(1, 200))
def test_halving_never_spends_more_than_its_budget(trials: int, above: int, longest: int) -> None:
    budget = trials + above
    found = rungs(trials, budget, longest)
    assert found == rungs(trials, budget, longest)
    assert sum(rung.trials * rung.length for rung in found) <= budget
    assert found[0].trials == trials
    assert [rung.length for rung in found] == sorted({rung.length for rung in found})
    assert all(1 <= rung.length <= longest for rung in found)
    for before, after in pairwise(found):
        assert 2 <= after.trials <= (before.trials + 1) // 2


@pytest.mark.parametrize(
    ("trials", "budget", "longest", "expected"),
    [
        (8, 240, 100, [(8, 10), (4, 20), (2, 40)]),  # 80 steps for each rung
        (3, 27, 36, [(3, 4), (2, 6)]),  # 13 steps for each
        (8, 16, 100, [(8, 1), (4, 2)]),  # 5 steps for each of three rungs are too few: 8 for each of two
        (4, 1000, 10, [(4, 10)]),  # all were tried in full: there is nothing more to see
        (1, 5, 3, [(1, 3)]),
    ],
)
def test_rungs_by_hand(trials: int, budget: int, longest: int, expected: list[tuple[int, int]]) -> None:
    assert rungs(trials, budget, longest) == [Rung(*pair) for pair in expected]


def test_a_budget_of_less_than_a_step_for_each_trial_is_refused() -> None:
    with pytest.raises(ValueError, match="3 trials need a budget of 3 steps at least; got 2"):
        rungs(3, 2, 10)


class Scripted:
    """A learner whose trials come to values that are known, whatever their length; it counts their steps."""

    def __init__(self, values: Mapping[float, float | None], losses: Mapping[float, float] | None = None) -> None:
        self.values, self.losses = values, losses
        self.spent: list[tuple[float, int]] = []
        self.seen: list[tuple[set[str], set[str]]] = []

    def judgement(self, method: Method, session: AdaptSession) -> Judgement:
        held = session.material.validation
        self.seen.append(({e.id for e in session.material.train}, {e.id for e in held}))

        def judge(trial: int, trials: int, options: Options, method: Method) -> Judged:
            rate = cast(float, options["learning_rate"])
            made = method.weights.options
            self.spent.append((rate, made.steps(len(session.material.train), made.trial_share)))
            return Judged(options, self.values[rate], 1.0, (self.losses or {}).get(rate), tokens=10)

        return Judgement("accuracy" if self.losses else "validation loss", bool(self.losses), len(held), judge)


@pytest.fixture(scope="module")
def session(tiny_model: Path) -> AdaptSession:
    return session_of(choice_task(train=12, validation=4), "lora", {}, tiny_model)[0]


def searched(session: AdaptSession, learner: Scripted, **plan: Any) -> Tuning:
    """A search over a rate for each value of the learner; a training has 12 / 4 x 10 = 30 steps."""
    rates = list(learner.values)
    method = methods.create("lora", {"learning_rate": rates, "epochs": 10, "batch_size": 4})
    session = dataclasses.replace(session, unfinished=Unfinished())  # nothing of another search is gone on with
    return search(cast(Learner, learner), method, session, SearchPlan(len(rates), **plan))


VALUES = st.lists(st.one_of(st.none(), st.integers(0, 9).map(float)), min_size=2, max_size=16)


@given(values=VALUES, budget=st.floats(0.6, 20))
def test_the_best_survives_every_rung(session: AdaptSession, values: list[float | None], budget: float) -> None:
    learner = Scripted(dict(zip(RATES, values, strict=False)))
    if all(value is None for value in values):
        with pytest.raises(CellError, match="diverged"):
            searched(session, learner, budget=budget)
        return
    found = searched(session, learner, budget=budget)
    best = min((value, i) for i, value in enumerate(values) if value is not None)[1]  # of equal ones the first
    assert found.chosen == {"learning_rate": RATES[best]}
    assert sum(steps for _, steps in learner.spent) <= budget * 30
    assert [trial.options["learning_rate"] for trial in found.trials if trial.rung == 1] == RATES[: len(values)]
    assert found.budget == budget


def test_a_rung_keeps_the_better_half_in_its_order(session: AdaptSession) -> None:
    """8 rates in 3 trainings of 30 steps: 30 steps a rung."""
    learner = Scripted(dict(zip(RATES, [5.0, 1.0, 7.0, 3.0, 2.0, 8.0, 6.0, 4.0], strict=False)))
    found = searched(session, learner, budget=3)
    assert learner.spent == [
        *((rate, 3) for rate in RATES[:8]),
        *((RATES[i], 7) for i in (1, 3, 4, 7)),
        *((RATES[i], 15) for i in (1, 4)),
    ]
    assert [trial.rung for trial in found.trials] == [1] * 8 + [2] * 4 + [3] * 2


def test_what_survives_and_then_diverges_leaves_the_choice_of_the_rung_before(session: AdaptSession) -> None:
    class Fragile(Scripted):
        def judgement(self, method: Method, session: AdaptSession) -> Judgement:
            longer = len(self.seen) > 0
            of = super().judgement(method, session)

            def judge(trial: int, trials: int, options: Options, method: Method) -> Judged:
                judged = of.judge(trial, trials, options, method)
                return dataclasses.replace(judged, value=None) if longer else judged

            return dataclasses.replace(of, judge=judge)

    found = searched(session, Fragile({0.1: 2.0, 0.2: 1.0, 0.3: 3.0}), budget=2)
    assert found.chosen == {"learning_rate": 0.2}
    assert [trial.value for trial in found.trials] == [2.0, 1.0, 3.0, None, None]


def test_a_budget_too_small_says_what_would_do(session: AdaptSession) -> None:
    with pytest.raises(CellError, match=r"tuning_budget 0\.05 has less than a step for each of 3 trials; .* is 0\.1"):
        searched(session, Scripted(dict.fromkeys(RATES[:3], 1.0)), budget=0.05)


@pytest.mark.parametrize(
    ("losses", "chosen"), [((1.0, 2.0, 1.5), 0.3), ((1.0, 2.0, 2.0), 0.2)], ids=["lower loss", "the first"]
)
def test_equal_scores_are_told_apart_by_the_loss(
    losses: tuple[float, ...], chosen: float, session: AdaptSession
) -> None:
    rates = (0.1, 0.2, 0.3)
    learner = Scripted(dict(zip(rates, (0.5, 0.75, 0.75), strict=True)), dict(zip(rates, losses, strict=True)))
    assert searched(session, learner).chosen == {"learning_rate": chosen}


def test_every_item_is_held_out_once_and_never_learnt_from_then(session: AdaptSession) -> None:
    learner = Scripted({0.1: 1.0, 0.2: 2.0})
    found = searched(session, learner, folds=3)
    every = {e.id for e in (*session.material.train, *session.material.validation)}
    assert len(every) == 16
    held = [item for _, judged in learner.seen for item in judged]
    assert sorted(held) == sorted(every)
    assert all(learnt == every - judged for learnt, judged in learner.seen)
    assert (found.items, found.folds, found.trials[0].tokens) == (16, 3, 30)


def test_the_value_of_folds_is_their_mean_over_items(session: AdaptSession) -> None:
    """16 items in 3 folds are 6, 5 and 5; values and losses as the fold's size says."""

    class BySize(Scripted):
        def judgement(self, method: Method, session: AdaptSession) -> Judgement:
            of, size = super().judgement(method, session), len(session.material.validation)

            def judge(trial: int, trials: int, options: Options, method: Method) -> Judged:
                diverged = options["learning_rate"] == 0.2 and size == 6
                return Judged(options, None if diverged else size / 10, float(size), size * 2.0)

            return dataclasses.replace(of, judge=judge)

    first, second = searched(session, BySize({0.1: 1.0, 0.2: 2.0}), folds=3).trials
    assert first.value == pytest.approx((6 * 0.6 + 5 * 0.5 + 5 * 0.5) / 16)
    assert first.loss == pytest.approx((6 * 12 + 5 * 10 + 5 * 10) / 16)
    assert first.epochs == pytest.approx(16 / 3)
    assert second.value is None  # it diverged in one fold


def test_folds_share_the_budget(session: AdaptSession) -> None:
    learner = Scripted(dict(zip(RATES, [1.0, 2.0, 3.0, 4.0], strict=False)))
    searched(session, learner, folds=2, budget=2)  # 60 steps, 30 a fold, 15 a rung: 3 each, then 7
    assert sum(steps for _, steps in learner.spent) == 2 * (4 * 3 + 2 * 7)


def test_folds_need_no_validation_split(tiny_model: Path) -> None:
    session, method = session_of(choice_task(validation=0), "few-shot", {"k": [1, 2]}, tiny_model)
    tuning = adapt(method, session, plan=SearchPlan(2, folds=3)).tuning
    assert tuning is not None
    assert (tuning.items, tuning.folds) == (12, 3)
    assert all(trial.value is not None and trial.tokens > 0 for trial in tuning.trials)


@pytest.mark.parametrize(("scores", "kept"), [([0.2, 0.5, 0.5, 0.1], 2), ([0.4, 0.1, 0.2, 0.3], 0)])
def test_the_epoch_with_the_best_score_is_kept(scores: list[float], kept: int, tiny_model: Path) -> None:
    """Of equal ones the one with the lower loss, which falls here in every epoch."""
    attention: list[str] = []
    weights: list[Any] = []

    def score(model: Any) -> float:
        attention.append(model.config._attn_implementation)
        weights.append(model.lm_head.weight.detach().clone())
        return scores[len(weights) - 1]

    pairs = drawn(16)
    make = partial(AutoModelForCausalLM.from_pretrained, tiny_model)
    given = setting(options={"epochs": 4})
    model, outcome = train(make, pairs, pairs, given, lambda d, n: None, scorer=Scorer(score, True))
    losses = [loss for _, loss in outcome.validation_loss]
    assert losses == sorted(losses, reverse=True)
    assert (model.lm_head.weight == weights[kept]).all()
    assert not (weights[kept] == weights[kept - 1]).all()
    assert outcome.validation_metric == tuple(zip([4, 8, 12, 16], scores, strict=True))
    assert (outcome.best_step, outcome.best_validation_metric) == (4 * (kept + 1), scores[kept])
    assert outcome.best_validation_loss == losses[kept]
    assert outcome.packed  # so that what answers was not trained in the same arrangement
    assert packed_attention.NAME not in attention
    assert train(make, pairs, pairs, given, lambda d, n: None)[1].best_step == 16  # by the loss


def test_the_score_of_the_kept_epoch_is_that_of_the_final_answers(tiny_model: Path) -> None:
    """And what answering took stands in the phase of tuning, also where no option is open."""
    task = choice_task(validation=9)
    options = {"learning_rate": 1e-2, "epochs": 3, "batch_size": 4, "criterion": "metric"}
    session, method = session_of(task, "full", options, tiny_model)
    made = adapt(method, session)
    training = made.training
    assert training is not None
    assert training.metric_s
    answers = made.predictor.predict(blind(task.validation))
    right = [a.output == e.references[0] for a, e in zip(answers, task.validation, strict=True)]
    assert training.best_validation_metric == pytest.approx(sum(right) / 9)
    assert session.meter.phases["tune"].wall_s == pytest.approx(training.metric_s)
    assert session.meter.phases["tune"].flops


@pytest.mark.parametrize("name", ["lora", "prompt-tuning"])
def test_training_is_searched_by_the_score(name: str, tiny_model: Path) -> None:
    options = {"max_steps": 8, "batch_size": 4, "learning_rate": [1e-9, 1e-2], "criterion": "metric"}
    found = adapted(choice_task(), name, options, tiny_model).tuning
    assert found is not None
    assert (found.criterion, found.items) == ("accuracy", 4)
    assert all(t.value is not None and t.loss is not None and t.tokens > 0 for t in found.trials)
    best = min(found.trials, key=lambda t: (-cast(float, t.value), t.loss))
    assert found.chosen == best.options


def test_a_classifier_is_judged_by_its_answers(tiny_model: Path) -> None:
    task = choice_task(train=30, validation=9)
    found = adapted(task, "tf-idf", {"criterion": "metric"}, Path("classical")).tuning
    assert found is not None
    vectors = TfidfVectorizer(
        tokenizer=tokens_of, token_pattern=None, lowercase=False, ngram_range=(1, 2), sublinear_tf=True
    )
    texts = vectors.fit_transform([text_of(e) for e in task.train])
    asked = vectors.transform([text_of(e) for e in task.validation])
    labels, wanted = (np.array([e.references[0] for e in split]) for split in (task.train, task.validation))
    for trial, c in zip(found.trials, (1.0, 10.0, 100.0), strict=True):
        fitted = LogisticRegression(C=c, max_iter=1000).fit(texts, labels)
        assert trial.value == pytest.approx((fitted.predict(asked) == wanted).mean())
    head = adapted(task, "head", {"criterion": "metric"}, tiny_model)
    assert head.tuning is not None
    assert head.tuning.criterion == "accuracy"
    best = max(cast(float, trial.value) for trial in head.tuning.trials)
    answers = head.predictor.predict(blind(task.validation))
    right = [a.output == e.references[0] for a, e in zip(answers, task.validation, strict=True)]
    assert best == pytest.approx(sum(right) / 9)


def test_a_classifiers_tokens_are_those_that_each_fold_reads(tiny_model: Path) -> None:
    """Every prompt once in each fold, whatever the number of trials."""
    task = choice_task(train=12, validation=6)
    session, method = session_of(task, "head", {}, tiny_model)
    whole, folded = (adapt(method, session, plan=SearchPlan(3, folds)).tuning for folds in (0, 2))
    assert whole is not None
    assert folded is not None
    spent = sum(trial.tokens for trial in whole.trials)
    prompts = session.writer(Context()).write([*task.train, *task.validation])
    assert spent == sum(len(prompt.prefix) + len(prompt.query) for prompt in prompts)
    assert sum(trial.tokens for trial in folded.trials) == 2 * spent


def identities(file: Path, **changes: Any) -> dict[str, Identity]:
    return {cell.label: cell.identity for cell in cells_of(file, **changes)[1]}


def test_keys_change_only_where_a_setting_can_matter(task_folder: Path, tmp_path: Path, tiny_model: Path) -> None:
    open_, settled = {"learning_rate": [1e-3, 1e-2]}, {"learning_rate": 1e-3}
    listed = [{"few-shot": {"k": [1, 2]}}, {"full": open_}, {"lora": settled}, {"zero-shot": None}]
    file = write_suite(tmp_path, tiny_model, methods=listed)
    before = identities(file)
    assert before["full"].content()["tuning"] == {"trials": 3, "seed": 0}

    def changed(**changes: Any) -> set[str]:
        after = identities(file, **changes)
        return {label for label in before if after[label].content() != before[label].content()}

    assert changed(folds="off") == set()
    assert changed(folds="auto") == {"few-shot", "full"}  # the task has few validation items
    assert changed(folds=5) == {"few-shot", "full"}
    assert identities(file, folds="auto") == identities(file, folds=5)
    assert changed(tuning_budget=1.0) == {"full"}
    assert changed(defaults={"batch_size": 4, "criterion": "loss"}) == set()
    assert changed(defaults={"batch_size": 4, "criterion": "metric"}) == {"full", "lora"}


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"folds": 1}, "folds"),
        ({"folds": "some"}, "folds"),
        ({"tuning_budget": 0}, "tuning_budget"),
        ({"methods": [{"lora": {"criterion": "score"}}]}, "criterion"),
    ],
)
def test_a_mistake_is_named(change: dict[str, Any], line: str, tmp_path: Path, tiny_model: Path) -> None:
    with pytest.raises(UsageError, match=line) as caught:
        cells_of(write_suite(tmp_path, tiny_model), **change)
    assert "\n" not in str(caught.value)


def test_few_validation_items_are_under_a_hundred() -> None:
    from bench.config.suite import Suite

    suite = Suite(name="s", models=["mini"], tasks=["t"], methods=["lora"], folds="auto")
    assert [suite.folds_of(count) for count in (0, 99, 100)] == [5, 5, 0]


def test_answers_are_in_the_cost() -> None:
    """2 epochs, and one evaluation in each of three trials of half the length."""
    part = methods.create("lora", {"epochs": 2, "trial_share": 0.5, "criterion": "metric"}).weights
    assert part.cost(12, 3) == LearningCost(trained=5, judged=5, answered=5)


def test_settings_reach_the_record_of_tuning() -> None:
    tuning = TuningSettings(3, 0, 5, 1.5)
    content = cast("dict[str, Any]", Identity(tuning=tuning).content())
    assert content["tuning"] == {"trials": 3, "seed": 0, "folds": 5, "budget": 1.5}
