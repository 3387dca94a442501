"""Weights part of every prompting method: the base model, untouched."""

from bench.core.method import WeightsPart


class Frozen(WeightsPart):
    """The base model as it is."""

    name = "frozen"


PART = Frozen
