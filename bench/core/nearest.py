"""The training examples that are most like an item, by the cosine of tf-idf of character trigrams.

Trigrams need no word boundaries, which not every script has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bench.core.item import Example, Item

_AT_ONCE = 64  # items compared with all training examples


def text_of(item: Item) -> str:
    """What an item shows, without the words of a template around it."""
    return " ".join(item.fields.values()).strip()


class Nearest:
    """Training examples as tf-idf vectors. Of equally near ones the first is taken.

    Raises:
        ValueError: none of the examples has a text.
    """

    def __init__(self, train: Sequence[Example]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer  # takes most of a second to load

        self.train = train
        self._vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 3))
        self._examples: Any = self._vectors.fit_transform([text_of(example) for example in train])

    @property
    def numbers(self) -> int:
        """Entries of the vectors that are kept."""
        return int(self._examples.nnz)

    @property
    def nbytes(self) -> int:
        """Bytes of the vectors, without the texts."""
        matrix = self._examples
        return int(matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes)

    def similarities(self, texts: Sequence[str]) -> Iterator[Any]:
        """The cosines of some texts with all examples, arrays [texts, examples]."""
        items: Any = self._vectors.transform(texts)
        for start in range(0, len(texts), _AT_ONCE):
            yield (items[start : start + _AT_ONCE] @ self._examples.T).toarray()

    def answers(self, texts: Sequence[str]) -> Iterator[str]:
        """The answer of the nearest example of each text."""
        for alike in self.similarities(texts):
            yield from (self.train[place].references[0] for place in alike.argmax(axis=1).tolist())
