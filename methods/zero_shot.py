"""Context part `zero-shot`: the instruction and the item, nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.core.nouns import Item, Task
from methods import parts
from methods.parts import Block, Evidence, Material


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
    Options = parts.Options

    def __init__(self, options: parts.Options) -> None:
        self.options = options

    def requires(self, task: Task) -> str | None:
        return None

    def reads_train(self, task: Task) -> bool:
        return False

    def build(self, material: Material) -> NoContext:
        return NoContext()


PART = ZeroShot
