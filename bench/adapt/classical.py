"""The learners of a model that is none: TF-IDF with logistic regression, and the nearest training example."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from bench.adapt.learner import Adapted, Judgement, Observer
from bench.adapt.nearest_features import adapt_nearest
from bench.adapt.session import AdaptSession
from bench.adapt.validation import items_to_answer, judgement_of
from bench.core.errors import CellError
from bench.core.item import Example, Item
from bench.core.measured import Parameters
from bench.core.method import Method
from bench.core.nearest import Nearest, text_of
from bench.core.training import Judged, Losses, Options, Training
from bench.core.words import tokens_of
from bench.engine.prompts import Writer
from bench.engine.text_backend import TextBackend
from bench.model.base import PictureBase
from methods.options import only

_UNSEEN = -1e4  # log-likelihood of a label that no training example has
_LEAST = 1e-9  # similarity of a label with nothing in common: its likelihood is not 0


@dataclass(frozen=True)
class WordRegression:
    """A logistic regression on the tf-idf of words and pairs of words."""

    vectors: Any  # sklearn.feature_extraction.text.TfidfVectorizer
    regression: Any  # sklearn.linear_model.LogisticRegression, of the labels by their numbers
    labels: tuple[str, ...]

    @classmethod
    def fit(cls, train: Sequence[Example], labels: tuple[str, ...], c: float) -> WordRegression:
        """Fit at C, the inverse strength of the L2 penalty.

        Raises:
            CellError: no example has a word, or all have one label.
        """
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression

        numbers = [labels.index(example.references[0]) for example in train]
        if len(set(numbers)) < 2:
            raise CellError("tf-idf needs training examples of two labels at least")
        vectors = TfidfVectorizer(
            tokenizer=tokens_of, token_pattern=None, lowercase=False, ngram_range=(1, 2), sublinear_tf=True
        )
        try:
            features = vectors.fit_transform([text_of(example) for example in train])
        except ValueError as error:  # its vocabulary is empty
            raise CellError("tf-idf needs training examples with words of two letters at least") from error
        return cls(vectors, LogisticRegression(C=c, max_iter=1000).fit(features, numbers), labels)

    @property
    def weights(self) -> int:
        """Numbers that were fitted."""
        return int(self.regression.coef_.size + self.regression.intercept_.size)

    def likelihoods(self, texts: Sequence[str]) -> list[list[float]]:
        """Log-probability of every label, nats."""
        found: NDArray[np.float64] = np.full((len(texts), len(self.labels)), _UNSEEN)
        if texts:
            found[:, self.regression.classes_] = self.regression.predict_log_proba(self.vectors.transform(texts))
        return [list(map(float, row)) for row in found]

    def keep(self, folder: Path) -> None:
        """Write the terms in the order of their columns, idf [terms], weight [labels, terms] and bias [labels]."""
        rows, seen = self.regression.coef_, self.regression.classes_
        biases = self.regression.intercept_
        if len(seen) == 2:  # one row for the second label, against 0 for the first
            rows, biases = np.stack([np.zeros_like(rows[0]), rows[0]]), np.array([0.0, biases[0]])
        weight, bias = np.zeros((len(self.labels), rows.shape[1])), np.full(len(self.labels), _UNSEEN)
        weight[seen], bias[seen] = rows, biases
        save_file({"idf": self.vectors.idf_, "weight": weight, "bias": bias}, folder / "tf-idf.safetensors")
        terms = self.vectors.get_feature_names_out().tolist()
        (folder / "terms.json").write_text(json.dumps(terms, ensure_ascii=False), encoding="utf-8")

    def loss(self, examples: Sequence[Example]) -> float:
        """Mean cross-entropy of the labels, nats."""
        scores = self.likelihoods([text_of(example) for example in examples])
        right = [row[self.labels.index(example.references[0])] for row, example in zip(scores, examples, strict=True)]
        return -float(np.mean(right))


class TfIdf:
    """Fits a `WordRegression` on the training split; C is chosen by the validation loss."""

    def adapt(self, method: Method, session: AdaptSession, writer: Writer, observer: Observer) -> Adapted:
        train = session.material.train
        with session.meter.phase("train"):
            fitted = WordRegression.fit(train, session.labels, only(method.weights.options.c))
        if observer.weights:
            fitted.keep(observer.weights)
        with session.meter.phase("overfit"):
            loss = Losses.of(fitted.loss(train), fitted.loss(session.validation) if session.validation else None)
        backend = TextBackend(lambda items: fitted.likelihoods([text_of(item) for item in items]), lambda items: [])
        size = Parameters(fitted.weights, fitted.weights, 8 * fitted.weights)  # float64
        return Adapted(session.predictor(backend, writer), _learnt(train, loss), size)

    def judgement(self, method: Method, session: AdaptSession) -> Judgement:
        """The validation loss, or the score of the answers."""
        items = items_to_answer(method, session)

        def judge(trial: int, trials: int, options: Options, method: Method) -> Judged:
            session.progress("tune", trial, trials)
            fitted = WordRegression.fit(session.material.train, session.labels, only(method.weights.options.c))
            loss = fitted.loss(session.validation)
            if items is None:
                return Judged(options, loss)
            rows = fitted.likelihoods([text_of(example) for example in items.examples])
            likelihoods = {example.id: row for example, row in zip(items.examples, rows, strict=True)}
            return Judged(options, items.ranked(likelihoods, session.labels), loss=loss)

        return judgement_of(session, items, judge)


class NearestAnswer:
    """Keeps the training examples as vectors; an item gets the answer of the nearest one."""

    def adapt(self, method: Method, session: AdaptSession, writer: Writer, observer: Observer) -> Adapted:
        if isinstance(session.base, PictureBase):
            return adapt_nearest(method, session, writer)
        train, labels = session.material.train, session.labels
        with session.meter.phase("train"):
            try:
                nearest = Nearest(train)
            except ValueError as error:  # its vocabulary is empty
                raise CellError("nearest-answer needs training examples with texts") from error

        def likelihoods(items: Sequence[Item]) -> list[list[float]]:
            return label_likelihoods(nearest, labels, [text_of(item) for item in items])

        def answers(items: Sequence[Item]) -> list[str]:
            return list(nearest.answers([text_of(item) for item in items]))

        backend = TextBackend(likelihoods, answers)
        size = Parameters(nearest.numbers, nearest.numbers, nearest.nbytes)
        return Adapted(session.predictor(backend, writer), _learnt(train, Losses()), size)

    def judgement(self, method: Method, session: AdaptSession) -> Judgement:
        raise AssertionError("nearest-answer has no option to choose")


def label_likelihoods(nearest: Nearest, labels: tuple[str, ...], texts: Sequence[str]) -> list[list[float]]:
    """Logarithm of each label's share of the similarities, where a label is as near as its nearest example.

    The nearest example's label is the likeliest. The shares are no fitted probabilities.
    """
    numbers = np.array([labels.index(example.references[0]) for example in nearest.train])
    found: list[list[float]] = []
    for alike in nearest.similarities(texts) if texts else ():
        near = np.full((len(alike), len(labels)), _LEAST)
        for label in np.unique(numbers):
            near[:, label] = np.maximum(alike[:, numbers == label].max(axis=1), _LEAST)
        found += [list(map(float, row)) for row in np.log(near / near.sum(axis=1, keepdims=True))]
    return found


def _learnt(train: Sequence[Example], loss: Losses) -> Training:
    words = sum(len(text_of(example).split()) for example in train)
    return Training(tokens=words, loss=loss, examples=len(train))
