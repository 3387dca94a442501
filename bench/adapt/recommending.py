"""The learners of recommendation without a language model: what is bought most, and factors of what is bought together.

Histories are implicit feedback: a customer has bought a product, or nothing is known. The factors are those of a
truncated singular value decomposition of customers x products (PureSVD: Cremonesi, Koren & Turrin 2010, RecSys).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from bench.adapt.learner import Adapted, Judgement, Observer
from bench.adapt.session import AdaptSession
from bench.adapt.validation import ValidationItems, judgement_of
from bench.core.errors import CellError
from bench.core.item import Example, Item
from bench.core.measured import Parameters
from bench.core.method import Method
from bench.core.nearest import text_of
from bench.core.purchases import Products, Recommender
from bench.core.task import History
from bench.core.training import Judged, Losses, Options, Training
from bench.core.unspaced import HANGUL, UNSPACED
from bench.engine.predictor import ModelPredictor
from bench.engine.prompts import Writer
from bench.engine.text_backend import TextBackend
from methods.matrix_factorisation import MatrixFactorisationOptions
from methods.options import only
from methods.popularity import PopularityOptions

# A word, a sign, or a character of a script that puts no spaces between words, or particles to them.
WORDS = rf"[{UNSPACED}{HANGUL}]|[^\W_{UNSPACED}{HANGUL}]+|[^\w\s]|_"
RECOMMENDER, PRODUCTS = "recommender.safetensors", "products.json"


class _Training:
    """Customers of a training split as rows of 0 and 1 over the products."""

    def __init__(self, train: Sequence[Example], history: History) -> None:
        texts = [example.fields[history.column] for example in train]
        names = chain.from_iterable(example.choices for example in train)
        told = (text.split(history.separator) for text in texts if history.separator)
        every = (name.strip() for name in chain(names, chain.from_iterable(told)))
        self.products = Products(list(dict.fromkeys(name for name in every if name)), WORDS, history.separator)
        self.bought = [self.products.bought(text) for text in texts]
        self.answers = [self.products.column(example.references[0]) or 0 for example in train]

    def matrix(self) -> Any:
        """1 where a customer bought a product, then or next, float64 [customers, products], sparse."""
        from scipy.sparse import csr_matrix  # type: ignore[import-untyped]  # scipy ships no types

        rows = [sorted({*bought, answer}) for bought, answer in zip(self.bought, self.answers, strict=True)]
        columns = np.concatenate([np.array(row) for row in rows])
        ends = np.cumsum([0, *map(len, rows)])
        return csr_matrix((np.ones(len(columns)), columns, ends), shape=(len(rows), len(self.products)))


def by_counts(train: Sequence[Example], history: History, options: PopularityOptions) -> Recommender:
    """What was bought most: answers of the training items are counted, or all purchases, each customer's once."""
    data = _Training(train, history)
    if only(options.counts) == "purchases":
        return Recommender(data.products, np.asarray(data.matrix().sum(axis=0)).ravel())
    return Recommender(data.products, _answers(data))


def by_factors(train: Sequence[Example], history: History, options: MatrixFactorisationOptions) -> Recommender:
    """What goes together, by as many factors as the options say, or as there are.

    Raises:
        CellError: there are fewer than two customers, or no history names a product.
    """
    from sklearn.decomposition import TruncatedSVD

    data = _Training(train, history)
    if len(train) < 2 or not any(data.bought):
        raise CellError("matrix-factorisation needs two training items at least, and histories that name products")
    matrix = data.matrix()
    most = min(matrix.shape) - 1  # that ARPACK finds
    found = TruncatedSVD(min(only(options.factors), most), algorithm="arpack", random_state=0).fit(matrix)
    return Recommender(data.products, _answers(data), found.components_)


def _answers(data: _Training) -> NDArray[np.float64]:
    return np.bincount(data.answers, minlength=len(data.products)).astype(np.float64)


@dataclass(frozen=True)
class Recommending:
    """Ranks the choices of items by what `fit` makes of the training split; options are chosen by the metric."""

    fit: Callable[[Sequence[Example], History, Any], Recommender]  # the last: the part's options

    def adapt(self, method: Method, session: AdaptSession, writer: Writer, observer: Observer) -> Adapted:
        train = session.material.train
        with session.meter.phase("train"):
            fitted = self.fit(train, _history(session), method.weights.options)
        if observer.weights:
            keep(fitted, observer.weights)
        numbers = fitted.counts.size + (0 if fitted.factors is None else fitted.factors.size)
        words = sum(len(text_of(example).split()) for example in train)
        training = Training(tokens=words, loss=Losses(), examples=len(train))
        return Adapted(_predictor(fitted, session, writer), training, Parameters(numbers, numbers, 8 * numbers))

    def judgement(self, method: Method, session: AdaptSession) -> Judgement:
        """The score of the answers: worths have no loss."""
        items = ValidationItems(session, session.validation)
        writer = session.writer(method.context.build(session.material))

        def judge(trial: int, trials: int, options: Options, method: Method) -> Judged:
            session.progress("tune", trial, trials)
            before = items.tokens
            fitted = self.fit(session.material.train, _history(session), method.weights.options)
            predictor = _predictor(fitted, session, writer)
            value = items.answered(predictor, items.written(predictor))
            return Judged(options, value, tokens=items.tokens - before)

        return judgement_of(session, items, judge)


def keep(fitted: Recommender, folder: Path) -> None:
    """Write counts [products], factors [factors, products] where there are any, and the products' names in order."""
    arrays = {"counts": fitted.counts, **({} if fitted.factors is None else {"factors": fitted.factors})}
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, folder / RECOMMENDER)
    (folder / PRODUCTS).write_text(json.dumps(fitted.products.names, ensure_ascii=False), encoding="utf-8")


def _history(session: AdaptSession) -> History:
    history = session.task.history
    assert history is not None  # the parts refuse other tasks
    return history


def _predictor(fitted: Recommender, session: AdaptSession, writer: Writer) -> ModelPredictor:
    column = _history(session).column

    def likelihoods(items: Sequence[Item]) -> list[list[float]]:
        return [fitted.likelihoods(item.fields[column], item.choices) for item in items]

    return session.predictor(TextBackend(likelihoods, lambda items: []), writer)
