"""Weights that were trained elsewhere: what the parts `adapter` and `checkpoint` have in common.

They are measured like those of any other part and compared with the same base. What training them took is unknown.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatch
from math import prod
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from bench.core.method import GIVEN, Options, WeightsPart
from bench.core.model_kind import ModelKind


class GivenOptions(Options):
    path: str = Field("", description="a folder, relative to the suite's file, or a Hub id (owner/name[@revision])")
    digest: str = Field("", description="refuse any other content: the digest of the files, as records give it")


class Given(WeightsPart):
    """Weights from the files that the option `path` names."""

    learner = GIVEN
    kinds = frozenset[ModelKind]({"causal"})
    Options = GivenOptions
    options: GivenOptions
    needed: ClassVar[str]  # a file that every such folder holds
    patterns: ClassVar[tuple[str, ...]]  # names of the files that decide its answers

    def files(self) -> dict[str, Path]:
        """The files that decide the answers, by name."""
        folder = Path(self.options.path)
        return {file.name: file for file in folder.iterdir() if any(fnmatch(file.name, of) for of in self.patterns)}

    def sizes(self) -> tuple[int, int]:
        """How many numbers the weights hold, and the bytes of their files."""
        weights = [file for name, file in self.files().items() if name.endswith(".safetensors")]
        return sum(map(sum, map(_numbers, weights))), sum(file.stat().st_size for file in weights)


def _numbers(file: Path) -> Iterator[int]:
    from safetensors import safe_open

    with safe_open(file, framework="numpy") as tensors:
        for name in tensors.keys():  # noqa: SIM118 (it is no mapping)
            yield prod(tensors.get_slice(name).get_shape())
