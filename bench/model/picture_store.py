"""Pictures as a model's processor makes them, by number: decoded when they are needed, the latest kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bench.core.errors import CellError
from bench.core.picture import Picture, PictureError, pixels

if TYPE_CHECKING:
    from PIL.Image import Image

_MOST_BYTES = 256 * 2**20  # of processed pictures that are kept
_PATCH = 16  # pixels: a picture counts as a token for each square of this side


class PictureStore:
    """Numbers pictures and gives their tensors.

    `process` makes a picture [channels, height, width]; all have the same shape.
    """

    def __init__(self, process: Callable[[Image], Tensor], shape: Sequence[int]) -> None:
        self._process, self.shape = process, tuple(shape)
        self.tokens = max(1, (shape[1] // _PATCH) * (shape[2] // _PATCH))  # of a picture
        self._pictures: list[Picture] = []
        self._numbers: dict[str, int] = {}  # by digest
        self._kept: OrderedDict[int, Tensor] = OrderedDict()
        self._bytes = 0

    def __deepcopy__(self, known: dict[int, object]) -> PictureStore:
        """A copy of a model reads the same pictures."""
        return self

    def number(self, picture: Picture) -> int:
        """The number of a picture; the same bytes have the same one."""
        if picture.digest not in self._numbers:
            self._numbers[picture.digest] = len(self._pictures)
            self._pictures.append(picture)
        return self._numbers[picture.digest]

    def digest(self, number: int) -> str:
        """sha256 of the bytes of a picture."""
        return self._pictures[number].digest

    def batch(self, numbers: Sequence[int]) -> Tensor:
        """The pictures of these numbers, [pictures, channels, height, width].

        Raises:
            CellError: one of them is damaged, or its file is gone.
        """
        return torch.stack([self._one(number) for number in numbers])

    def _one(self, number: int) -> Tensor:
        known = self._kept.get(number)
        if known is not None:
            self._kept.move_to_end(number)
            return known
        picture = self._pictures[number]
        try:
            made = self._process(pixels(picture.read()))
        except PictureError as error:
            raise CellError(f"picture {picture.name} {error.what}; {error.remedy}") from None
        self._kept[number] = made
        self._bytes += made.nbytes
        while self._bytes > _MOST_BYTES and len(self._kept) > 1:
            self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return made
