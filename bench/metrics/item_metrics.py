"""Metrics that are means over items: of choices, of answers against references, of likelihoods and probabilities."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import datasets

from bench.metrics.common import BestReference, ItemMean, normalise
from bench.metrics.probabilities import brier, log_loss
from bench.metrics.retrieval import reciprocal_rank
from bench.metrics.scripts import words

SQUAD = "norm:squad|refs:max"
UNIFORM = 8.0  # bits for a byte of which nothing is known


class Accuracy(ItemMean):
    """Share of correct choices, in [0, 1]."""

    description = "Share of items whose prediction equals one of the references, letter by letter."
    signature = "match:exact|case:mixed"

    def score(self, prediction: str, references: Sequence[str]) -> float:
        return float(bool(prediction) and prediction in references)


class Mrr(ItemMean):
    """Mean over items of 1 / rank of the first right choice, in [0, 1]."""

    description = "Mean of 1 / rank of the first right choice, all choices ranked, the best first."
    citation = "Voorhees 1999, The TREC-8 Question Answering Track Report"
    inputs_description = "predictions: n rankings, the best choice first; references: n lists of right choices"
    prediction = datasets.List(datasets.Value("string"))
    signature = "rank:first-right|depth:all"

    def score(self, prediction: Sequence[str], references: Sequence[str]) -> float:
        return reciprocal_rank(prediction, references)


class ExactMatch(BestReference):
    """Share of items that equal a reference after SQuAD normalisation, in [0, 1]."""

    description = "Share of items equal to one of their references without case, punctuation and articles."
    citation = "Rajpurkar et al. 2016, SQuAD, arXiv:1606.05250"
    signature = SQUAD

    def compare(self, prediction: str, reference: str) -> float:
        return float(normalise(prediction) == normalise(reference))


class StrictMatch(BestReference):
    """Share of items that equal a reference, white space aside, in [0, 1]: `C++` is not `C#`, `A` is not `a`."""

    description = "Share of items equal to one of their references but for white space."
    signature = "norm:spaces|refs:max"

    def compare(self, prediction: str, reference: str) -> float:
        return float(prediction.split() == reference.split())


class Contains(BestReference):
    """Share of items whose answer holds a reference, in [0, 1]. A long answer holds more: compare equal lengths."""

    description = "Share of items whose answer holds one of the references as words, without case and punctuation."
    citation = "Mallen et al. 2023, When Not to Trust Language Models, arXiv:2212.10511"
    signature = "norm:squad|match:words-in-answer|refs:max"

    def compare(self, prediction: str, reference: str) -> float:
        """1.0 where the words of the reference stand in the prediction, next to each other and in order."""
        said, wanted = (words(normalise(text)) or normalise(text).split() for text in (prediction, reference))
        width = len(wanted)
        return float(any(said[start : start + width] == wanted for start in range(len(said) - width + 1)))


class TokenF1(BestReference):
    """Mean over items of the best token overlap with a reference, in [0, 1]."""

    description = "F1 of the bags of tokens of prediction and reference without case, punctuation and articles."
    citation = "Rajpurkar et al. 2016, SQuAD, arXiv:1606.05250"
    signature = SQUAD

    def compare(self, prediction: str, reference: str) -> float:
        return _overlap(normalise(prediction).split(), normalise(reference).split())


class CharF1(BestReference):
    """Mean over items of the best overlap of characters with a reference, in [0, 1]: for scripts without spaces."""

    description = "F1 of the bags of characters of prediction and reference without case, punctuation and articles."
    citation = "Cui et al. 2019, A Span-Extraction Dataset for Chinese Machine Reading Comprehension, EMNLP"
    signature = f"{SQUAD}|tokens:characters"

    def compare(self, prediction: str, reference: str) -> float:
        return _overlap("".join(normalise(prediction).split()), "".join(normalise(reference).split()))


class FieldF1(BestReference):
    """Mean over items of the F1 of the fields of a JSON object, in [0, 1]."""

    description = "F1 of the (key, value) pairs of prediction and reference, both JSON objects."
    signature = "pairs:key+value|case:folded|empty:left-out|mean:items|refs:max"

    def compare(self, prediction: str, reference: str) -> float:
        """2 · shared fields / all fields; 1 where neither has any, 0 where either is no object."""
        answered, wanted = json_fields(prediction), json_fields(reference)
        if answered is None or wanted is None:
            return 0.0
        return 2 * len(answered & wanted) / (len(answered) + len(wanted)) if answered or wanted else 1.0


class BitsPerByte(ItemMean):
    """Mean over items of the bits a model needs for each byte of a text's UTF-8; lower is better, 8 where it failed."""

    description = "Mean over texts of the bits that each byte takes; comparable between tokenizers."
    citation = "Gao et al. 2020, The Pile, arXiv:2101.00027, section 3.1"
    inputs_description = "predictions: n log-likelihoods in nats; references: n lists of the one text"
    prediction = datasets.Value("float64")
    signature = "mean:items|bytes:utf-8|failed:8"

    def score(self, prediction: float, references: Sequence[str]) -> float:
        if not math.isfinite(prediction):
            return UNIFORM
        return -prediction / math.log(2) / len(references[0].encode())


class Brier(ItemMean):
    """Mean Brier score over all choices, in [0, 2]; lower is better."""

    description = "Mean over items of the squared distance of the probabilities from the truth."
    citation = "Brier 1950, Verification of Forecasts Expressed in Terms of Probability"
    inputs_description = "predictions: n lists of probabilities, the correct choice's first; references: unused"
    prediction = datasets.List(datasets.Value("float64"))
    signature = "sum:choices|probabilities:softmax"

    def score(self, prediction: Sequence[float], references: Sequence[str]) -> float:
        return brier(prediction)


class LogLoss(ItemMean):
    """Mean negative log-probability of the correct choice, nats; lower is better."""

    description = "Mean over items of -ln of the correct choice's probability."
    inputs_description, prediction = Brier.inputs_description, Brier.prediction
    signature = "unit:nats|probabilities:softmax"

    def score(self, prediction: Sequence[float], references: Sequence[str]) -> float:
        return log_loss(prediction)


def json_fields(text: str) -> set[tuple[str, str]] | None:
    """(key, value) of every field with a value of the first JSON object in `text`; None where there is no object.

    Values are compared as text as they are written, without case and with single spaces: 1184.50 is not 1184.5. Null
    and empty values say that a field is not there, as leaving it out does.
    """
    try:
        content, _ = json.JSONDecoder(parse_float=str, parse_int=str).raw_decode(text[text.index("{") :])
    except (ValueError, RecursionError):
        return None
    pairs = {(key, _plain(value)) for key, value in content.items()}
    return {(key, value) for key, value in pairs if value}


def _plain(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return " ".join(text.casefold().split())


def _overlap(answered: Sequence[str], wanted: Sequence[str]) -> float:
    """F1 of two bags: 2 · shared / all."""
    shared = (Counter(answered) & Counter(wanted)).total()
    return 2 * shared / (len(answered) + len(wanted)) if shared else 0.0
