"""Quillmere, the fictional company that the bundled tasks are set in: what its task generators share."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml


@cache
def facts() -> dict[str, Any]:
    """The company's people, places, products and words, as `facts.yaml` lists them."""
    text = (Path(__file__).parent / "facts.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded
