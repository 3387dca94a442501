"""Context part `zero-shot`: the instruction and the item, nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.core.item import Item
from bench.core.method import ContextCost, Evidence, Material
from bench.core.method import Options as NoOptions
from bench.core.prompt import Block
from bench.core.task import Task


@dataclass(frozen=True)
class NoContext:
    """Nothing beside the item."""

    shared: tuple[Block, ...] = ()
    token_budget: int | None = None

    def find(self, items: Sequence[Item]) -> list[Evidence]:
        return [Evidence()] * len(items)


class ZeroShot:
    """Instruction only."""

    name = "zero-shot"
    uses_seed = False
    retrieves = False
    sees_gold = False
    is_control = False
    Options = NoOptions

    def __init__(self, options: NoOptions) -> None:
        self.options = options

    def requires(self, task: Task) -> str | None:
        return None

    def reads_train(self, task: Task) -> bool:
        return False

    def cost(self, task: Task) -> ContextCost:
        return ContextCost()

    def build(self, material: Material) -> NoContext:
        return NoContext()


PART = ZeroShot
