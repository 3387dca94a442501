"""Weights part of every prompting method: the base model, untouched."""

from bench.core.method import WeightsPart
from bench.core.model_kind import LANGUAGE_MODELS, ModelKind


class Frozen(WeightsPart):
    """The base model as it is."""

    name = "frozen"
    shares_base = True
    kinds = LANGUAGE_MODELS | frozenset[ModelKind]({"decision"})


PART = Frozen
