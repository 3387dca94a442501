"""Whether a loaded model is a causal language model: nothing that comes later changes what it says of a token."""

from __future__ import annotations

import random
from typing import Any

import torch

from bench.core.errors import CellError
from bench.core.hashing import derive_seed

_SHARED = 8  # tokens of a trial that two texts begin with
# change of the logits before a later token, as a share of their spread, up to which it is rounding
_ROUNDING = {torch.float32: 1e-4, torch.float64: 1e-4}
_ROUNDING_OF_HALF = 0.1


def require_causal(model: Any, name: str) -> None:
    """Read two texts that begin alike: a causal model gives their beginnings the same logits.

    Raises:
        CellError: it does not.
    """
    beginning, *ends = (trial_ids(model, f"causal {part}", _SHARED) for part in range(3))
    with torch.no_grad():
        first, second = (
            model(input_ids=torch.tensor([beginning + end], device=model.device)).logits[0, :_SHARED].float()
            for end in ends
        )
    spread = (first - first.mean(-1, keepdim=True)).norm()
    rounding = _ROUNDING.get(model.dtype, _ROUNDING_OF_HALF)
    if (first - second).norm() > rounding * spread:
        raise CellError(
            f"model {name} ({type(model).__name__}) is no causal language model: "
            "it reads both ways, what follows a token changes what it says of it"
        )


def trial_ids(model: Any, name: str, count: int) -> list[int]:
    """Token ids of a text that means nothing, drawn by `name`; none of those that the configuration gives a role."""
    config = model.config
    settings = {**config.get_text_config().to_dict(), **config.to_dict()}
    special = {value for key, value in settings.items() if key.endswith(("_token_id", "_token_index", "_id"))
               and isinstance(value, int)}  # fmt: skip
    rows = model.get_input_embeddings().weight.shape[0]
    rng = random.Random(derive_seed("trial", name))
    found: list[int] = []
    for _ in range(100 * count):  # where nearly all ids have a role, one of them serves as well
        drawn = rng.randrange(min(rows, settings.get("vocab_size") or rows))
        if drawn not in special:
            found.append(drawn)
        if len(found) == count:
            return found
    return [drawn] * count
