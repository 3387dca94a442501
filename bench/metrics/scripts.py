"""Which tokens of a text a metric can see: ASCII words, words between spaces, or single characters of other scripts."""

from __future__ import annotations

import re

from bench.core.unspaced import UNSPACED

_UNICODE = re.compile(rf"[{UNSPACED}]|[^\W{UNSPACED}]+")
_ASCII = re.compile(r"[a-z0-9]+", re.IGNORECASE)
_UNSPACED_LETTERS = re.compile(rf"[{UNSPACED}]")
_LETTERS = re.compile(r"\w")


def words(text: str) -> list[str]:
    """Lower-cased runs of word characters; of scripts without spaces, each character."""
    return _UNICODE.findall(text.lower())


def hidden(text: str, sees: str) -> bool:
    """Whether half or more of a text's letters are in no token that a metric compares one by one.

    `sees`: "ascii" for runs of a-z and 0-9, "spaced" and "13a" for words between spaces, "" for characters.
    """
    letters = len(_LETTERS.findall(text))
    if not letters or not sees:
        return False
    seen = sum(map(len, _ASCII.findall(text))) if sees == "ascii" else letters - len(_UNSPACED_LETTERS.findall(text))
    return 2 * seen <= letters
