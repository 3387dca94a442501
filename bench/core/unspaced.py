"""Scripts that put no spaces between words, as ranges for the inside of a regular expression's brackets."""

from __future__ import annotations

# Thai, Lao, Myanmar, Khmer, kana and Han.
UNSPACED = (
    "\u0e00-\u0e7f\u0e80-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
HANGUL = "\uac00-\ud7af"  # spaced, but with particles written to the word
