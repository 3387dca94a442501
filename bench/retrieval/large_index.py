"""Indexes of many vectors: built on disk a block at a time, kept by their content, read by memory map.

Up to `FLAT_UP_TO` vectors are searched one by one. Beyond that the vectors are parted into lists around centres
(faiss `IndexIVFFlat`: Sivic & Zisserman 2003; Jégou et al. 2011), and a query is compared with those of the nearest
lists alone. How many lists those are is measured: as few as find `RECALL` of what an exact search finds. Where half of
the lists find less, the exact search stays.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.meters.phases import MeasuredWork, Meter

FLAT_UP_TO = 100_000  # vectors that are searched one by one
RECALL = 0.99  # of the `_DEPTH` nearest, that have to be found
SAMPLE = 200  # queries that the recall is measured on
_DEPTH = 10
_BLOCK = 65_536  # vectors in memory at once
_TRAINED_ON = 64  # vectors for each centre
_ITERATIONS = 10  # of k-means
_FEWEST_LISTS = 4  # that are tried
_VECTORS, _INDEX, _LISTS, _ABOUT = "vectors.npy", "ivf.index", "ivf.lists", "index.json"

Vectors = NDArray[np.float32]
Found = tuple[Vectors, NDArray[np.int64]]  # scores and positions, [queries, k]; position -1: there is none


@dataclass(frozen=True, slots=True)
class About:
    """How an index is searched."""

    lists: int  # that there are
    searched: int  # of them for a query; 0: all vectors are, one by one
    recall: float  # at 10, of `searched` lists, or of half of them where that is too little
    queries: int  # that it was measured on


class MappedVectors:
    """Exact inner-product search over a file of vectors, a block at a time."""

    def __init__(self, file: Path) -> None:
        self._array: Vectors = np.load(file, mmap_mode="r")
        self.ntotal, self.d = self._array.shape

    def search(self, queries: Vectors, k: int) -> Found:
        """The `k` nearest of each query, best first; of equal ones the first."""
        import faiss

        scores: Vectors = np.empty((len(queries), 0), dtype=np.float32)
        positions: NDArray[np.int64] = np.empty((len(queries), 0), dtype=np.int64)
        for start in range(0, self.ntotal, _BLOCK):
            block = np.ascontiguousarray(self._array[start : start + _BLOCK])
            near, at = faiss.knn(queries, block, min(k, len(block)), metric=faiss.METRIC_INNER_PRODUCT)
            scores, positions = np.hstack([scores, near]), np.hstack([positions, at + start])
            order = np.lexsort((positions, -scores), axis=1)[:, :k]
            scores, positions = np.take_along_axis(scores, order, axis=1), np.take_along_axis(positions, order, axis=1)
        return scores, positions

    def reconstruct_batch(self, positions: NDArray[np.int64]) -> Vectors:
        """Vectors by their positions."""
        return np.asarray(self._array[positions])


class LargeIndex:
    """Vectors in a folder that `write_index` filled."""

    def __init__(self, folder: Path) -> None:
        import faiss

        self.about = About(**json.loads((folder / _ABOUT).read_text()))
        self._vectors = MappedVectors(folder / _VECTORS)
        self.ntotal, self.d = self._vectors.ntotal, self._vectors.d
        self._lists: Any = None
        if self.about.searched:
            self._lists = faiss.read_index(str(folder / _INDEX), faiss.IO_FLAG_ONDISK_SAME_DIR)
            self._lists.nprobe = self.about.searched

    @property
    def is_exact(self) -> bool:
        """Whether every vector is compared."""
        return self._lists is None

    def search(self, queries: Vectors, k: int) -> Found:
        """The `k` nearest of each query, best first; position -1 where the lists that are searched hold fewer."""
        if self._lists is None:
            return self._vectors.search(queries, k)
        scores, positions = self._lists.search(queries, k)
        return scores, positions

    def reconstruct_batch(self, positions: NDArray[np.int64]) -> Vectors:
        """Vectors by their positions."""
        return self._vectors.reconstruct_batch(positions)

    @property
    def counts(self) -> Mapping[str, float]:
        """How it is searched, and what that finds."""
        about = self.about
        return {"lists": about.lists, "lists_searched": about.searched, "index_recall@10": about.recall}


def write_index(folder: Path, count: int, batches: Iterable[Vectors], queries: Callable[[Vectors], Vectors]) -> None:
    """Write `count` vectors, which come in `batches`, and an index of them into an empty folder.

    `queries` gives what the recall is measured on, from vectors of the index that can be used where there is nothing
    else. At most `_BLOCK` vectors, and those that the centres are trained on, are in memory.
    """
    written: np.memmap[Any, np.dtype[np.float32]] | None = None
    start = 0
    for batch in batches:
        if written is None:
            shape = (count, batch.shape[1])
            written = np.lib.format.open_memmap(folder / _VECTORS, mode="w+", dtype=np.float32, shape=shape)
        written[start : start + len(batch)] = batch
        start += len(batch)
    assert written is not None
    assert start == count
    written.flush()
    del written
    about = _parted(folder, queries)
    (folder / _ABOUT).write_text(json.dumps(asdict(about)))
    if not about.searched:
        for name in (_INDEX, _LISTS):
            (folder / name).unlink()


def _parted(folder: Path, queries: Callable[[Vectors], Vectors]) -> About:
    """Part the vectors of a folder into lists, and find out how many lists have to be searched."""
    import faiss
    from faiss.contrib.ondisk import merge_ondisk

    array: Vectors = np.load(folder / _VECTORS, mmap_mode="r")
    count, width = array.shape
    lists = round(count**0.5)
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(width), width, lists, faiss.METRIC_INNER_PRODUCT)
    index.cp.niter, index.cp.spherical, index.cp.seed = _ITERATIONS, True, 0
    index.cp.max_points_per_centroid = _TRAINED_ON
    drawn = np.sort(np.random.default_rng(0).choice(count, min(count, lists * _TRAINED_ON), replace=False))
    index.train(np.ascontiguousarray(array[drawn]))
    blocks: list[Path] = []
    for start in range(0, count, _BLOCK):
        index.reset()
        vectors = np.ascontiguousarray(array[start : start + _BLOCK])
        index.add_with_ids(vectors, np.arange(start, start + len(vectors)))
        blocks.append(folder / f"block-{len(blocks)}")
        faiss.write_index(index, str(blocks[-1]))
    index.reset()
    merge_ondisk(index, [str(block) for block in blocks], str(folder / _LISTS))
    faiss.write_index(index, str(folder / _INDEX))
    for block in blocks:
        block.unlink()
    near = array[np.linspace(0, count - 1, SAMPLE).astype(np.int64)]
    return _measured(index, MappedVectors(folder / _VECTORS), queries(np.asarray(near)), lists)


def _measured(index: Any, exact: MappedVectors, queries: Vectors, lists: int) -> About:
    """As few lists as find enough, doubled from try to try."""
    wanted = [set(row.tolist()) for row in exact.search(queries, _DEPTH)[1]]
    searched, recall = _FEWEST_LISTS, 0.0
    while searched <= lists // 2:
        index.nprobe = searched
        found = index.search(queries, _DEPTH)[1]
        hits = sum(len(all_ & set(row.tolist())) for all_, row in zip(wanted, found, strict=True))
        recall = hits / sum(map(len, wanted))
        if recall >= RECALL:
            return About(lists, searched, recall, len(queries))
        searched *= 2
    return About(lists, 0, recall, len(queries))


class IndexStore:
    """Keeps indexes below a folder, by what they are made of.

    Without one, or where it cannot be written, they last as long as the store does.
    """

    def __init__(self, folder: Path | None, meter: Meter | None = None) -> None:
        self._folder, self._meter = folder, meter
        self._temporary: tempfile.TemporaryDirectory[str] | None = None

    def get(self, key: str, write: Callable[[Path], None]) -> LargeIndex:
        """The index called `key`, which `write` makes in an empty folder where it is not kept.

        What making it took is told to the meter again where it was kept, as for vectors.
        """
        kept_in = self._ready()
        place = kept_in / f"index-{key[:32]}"
        took = place / "took.json"
        if took.is_file():
            if self._meter:
                self._meter.reuse(MeasuredWork(**json.loads(took.read_text())))
            return LargeIndex(place)
        with tempfile.TemporaryDirectory(dir=kept_in, prefix=".index-") as made:
            folder = Path(made) / "index"
            folder.mkdir()
            work = MeasuredWork()
            if self._meter:
                _, work = self._meter.timed(lambda: write(folder))
            else:
                write(folder)
            (folder / took.name).write_text(json.dumps(asdict(work)))
            with suppress(OSError):  # another process was first
                folder.rename(place)
        return LargeIndex(place)

    def _ready(self) -> Path:
        """The folder, made; a temporary one where there is none to write in."""
        if self._folder is not None:
            with suppress(OSError):
                self._folder.mkdir(parents=True, exist_ok=True)
                if os.access(self._folder, os.W_OK):
                    return self._folder
        self._temporary = self._temporary or tempfile.TemporaryDirectory()
        return Path(self._temporary.name)
