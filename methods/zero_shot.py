"""Context part `zero-shot`: the instruction and the item, nothing else."""

from bench.core.method import ContextPart
from bench.core.model_kind import ALL_KINDS


class ZeroShot(ContextPart):
    """The instruction and the item, nothing else."""

    name = "zero-shot"
    kinds = ALL_KINDS


PART = ZeroShot
