"""Words of a text: lower-cased, and pairs of characters where a script puts no spaces between words."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise
from typing import Any


class Words:
    """Finds words by the patterns `run` and `paired` of `settings`."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.run, self.paired = (re.compile(settings[name]) for name in ("run", "paired"))

    def of(self, text: str) -> list[str]:
        """The words of a text."""
        runs = self.run.findall(unicodedata.normalize("NFKC", text).lower())
        return [word for run in runs for word in self.pieces(run)]

    def pieces(self, run: str) -> list[str]:
        """A word, or pairs of its characters."""
        alone = len(run) == 1 or not self.paired.match(run)
        return [run] if alone else [first + second for first, second in pairwise(run)]
