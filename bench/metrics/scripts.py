"""Which tokens of a text a metric can see: ASCII words, words between spaces, or single characters of other scripts."""

from __future__ import annotations

import re

# Scripts without spaces between words: Thai, Lao, Myanmar, Khmer, kana and Han.
_UNSPACED = (
    "\u0e00-\u0e7f\u0e80-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_UNICODE = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")
_ASCII = re.compile(r"[a-z0-9]+", re.IGNORECASE)
_UNSPACED_LETTERS = re.compile(rf"[{_UNSPACED}]")
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
