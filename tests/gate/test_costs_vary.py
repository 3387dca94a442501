"""Sizes that come from the training items differ with the seed that draws them; those of a language model do not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.core.identity import Identity, ModelIdentity
from bench.core.model_kind import ModelKind
from bench.gate.costs import varies
from tests.gate.made import Made


@pytest.mark.parametrize("counter", ["trained_parameters", "total_parameters", "stored_bytes"])
@pytest.mark.parametrize(
    ("kind", "seed", "expected"), [("classical", 0, True), ("classical", None, False), ("causal", 0, False)]
)
def test_sizes(tmp_path: Path, counter: str, kind: ModelKind, seed: int | None, expected: bool) -> None:
    record = Made(tmp_path).cell("tf-idf", [1.0, 0.0])
    record = replace(record, identity=Identity(model=ModelIdentity(kind=kind), seed=seed))
    assert varies(counter, [record]) is expected
