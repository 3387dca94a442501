"""The part of a model that reads and writes text: what weights parts train of a multimodal one."""

from __future__ import annotations

from typing import Any


def text_part(model: Any) -> Any:
    """The module that holds the blocks for text; the model itself where it has no other."""
    decoder = model.get_decoder()
    return decoder if any(decoder.children()) else model  # some architectures call their output matrix a decoder


def in_a_block(name: str) -> bool:
    """Whether a parameter or module of this name is part of one of a model's blocks."""
    return any(piece.isdigit() for piece in name.split("."))
