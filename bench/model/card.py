"""What a model says of itself: the tags in front of the README.md of its folder, as the Hub has them.

tiny-random has no card, which would be one of its files and give it another digest; its seal says what it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.core.identity import Nature
from bench.model import tiny_random

TAGS: Mapping[str, Nature] = {"toy-model": "toy", "random-weights": "random"}


def nature(folder: Path) -> Nature:
    """Whether the card calls the model a toy, or its weights random; "" where it says neither, or there is none."""
    if (folder / tiny_random.SEAL).is_file():
        return "random"
    tags = _metadata(folder).get("tags")
    return next((said for tag, said in TAGS.items() if isinstance(tags, list) and tag in tags), "")


def licence(folder: Path) -> str:
    """The licence that the card names; "" where it names none."""
    found = _metadata(folder)
    said = found.get("license_name") or found.get("license")
    return said if isinstance(said, str) else ""


def _metadata(folder: Path) -> Mapping[str, Any]:
    """What stands in front of the card; nothing where there is no card, or none that can be read."""
    card = folder / "README.md"
    if not card.is_file():
        return {}
    from huggingface_hub.repocard import metadata_load

    try:
        return metadata_load(card) or {}
    except Exception:  # a card is free text of others
        return {}
