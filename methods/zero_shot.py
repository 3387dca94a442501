"""Context part `zero-shot`: the instruction and the item, nothing else."""

from bench.core.method import ContextPart


class ZeroShot(ContextPart):
    """The instruction and the item, nothing else."""

    name = "zero-shot"


PART = ZeroShot
