"""Items as an encoder reads them: the filled template alone, or a picture. A choice is the number of its label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.core.errors import CellError
from bench.core.item import Example, Item
from bench.engine.prompts import TOO_LONG, Encoded, Writer
from bench.model.picture_store import PictureStore
from bench.model.tokenizer import Ids


@dataclass(frozen=True)
class EncoderWriter(Writer):
    """Writes items with the tokenizer's special tokens around them; no instruction, no examples, nothing cut."""

    labels: tuple[str, ...] = ()

    def write(self, items: Sequence[Item]) -> list[Encoded]:
        if not self.labels or any(item.choices != self.labels for item in items):
            raise CellError("an encoder needs a choice task whose items all have the same choices")
        rows = tuple((row,) for row in range(len(self.labels)))
        return [
            Encoded(item.id, (), ids, rows, TOO_LONG if len(ids) > self.context_length else None)
            for item, ids in zip(items, self._ids(items), strict=True)
        ]

    def write_solved(self, examples: Sequence[Example]) -> list[tuple[Ids, Ids]]:
        """(text ids, the label's number) of the examples that fit."""
        return [
            (prompt.query, (self.labels.index(example.references[0]),))
            for prompt, example in zip(self.write(examples), examples, strict=True)
            if prompt.failure is None
        ]

    def write_bare(self, items: Sequence[Item]) -> list[Encoded]:
        raise CellError("an encoder has no prompt without its item")

    def _ids(self, items: Sequence[Item]) -> list[Ids]:
        texts = [self.prompt.ask(item) for item in items]
        read = self.codec.tokenizer(texts, verbose=False)["input_ids"] if texts else []
        return [tuple(ids) for ids in read]


@dataclass(frozen=True)
class PictureWriter(EncoderWriter):
    """Writes a picture as its number in a store, as often as it has tokens."""

    store: PictureStore = field(kw_only=True)

    def _ids(self, items: Sequence[Item]) -> list[Ids]:
        pictures = [item.picture for item in items]
        if None in pictures:
            raise CellError("a model of pictures needs items with pictures")
        return [(self.store.number(picture),) * self.store.tokens for picture in pictures if picture]
