"""Vectors of documents, kept from one cell of a run to the next together with what they took.

A vector depends on the embedder, on what it is computed with and on its text (`bench.retrieval.embedders`), so that
one of an earlier cell is the same to the last bit. What computing it took is told to the meter again: a record says
what its cell costs on its own. Every call that embeds something leaves one file, whose name is the sha256 of its
content: what a kill or a full disk has damaged is not read. Queries are embedded every time, since how long that
takes is measured.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import reduce
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.core.hashing import STAGE_VERSION, canonical, sha256, sha256_of
from bench.meters.environment import describe
from bench.meters.phases import MeasuredWork, Meter, higher
from bench.retrieval.embedders import Embedder
from bench.retrieval.index import one_each
from bench.retrieval.large_index import IndexStore

_SUFFIX = ".npz"
_DIGEST = 32  # bytes of a sha256


class _Kept(NamedTuple):
    """A vector, and what it took: a share of its call's seconds and joules, all of its memory."""

    vector: NDArray[np.float32]
    share: MeasuredWork


class CachedEmbedder:
    """An embedder that looks for vectors of documents below `folder` first, and leaves new ones there.

    Where the folder cannot be read or written, vectors are computed and not kept.
    """

    def __init__(self, embedder: Embedder, folder: Path, meter: Meter) -> None:
        self.name, self.digest = embedder.name, embedder.digest
        self.plain, self._meter = embedder, meter
        self._folder = folder / _setting(embedder, meter)
        self.indexes = IndexStore(self._folder, meter)  # of many vectors, which are kept in them alone

    def load(self) -> None:
        """Load the embedder's weights."""
        self.plain.load()

    def parts(self, texts: list[str]) -> list[list[str]]:
        """Each text in parts that the embedder sees whole."""
        return self.plain.parts(texts)

    def offsets(self, text: str) -> list[tuple[int, int]] | None:
        """Characters of each token of the embedder; None where it does not tell."""
        found: Callable[[str], list[tuple[int, int]] | None] | None = getattr(self.plain, "offsets", None)
        return found(text) if found else None

    def encode_query(self, texts: list[str]) -> NDArray[np.float32]:
        """Vectors of queries, computed anew: [n, d]."""
        return self.plain.encode_query(texts)

    def encode_document(self, texts: list[str]) -> NDArray[np.float32]:
        """Vectors of documents: [n, d]. What those that were kept took is added to the meter's phase.

        Raises ValueError where the embedder gives something other than one finite vector for each text.
        """
        self.plain.load()  # questions follow: loading belongs to this phase, whether vectors are found or not
        if not texts:
            return self.plain.encode_document(texts)
        names = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in texts]
        found = _read(self._folder, set(names))
        if found:
            self._meter.reuse(_together([kept.share for kept in found.values()]))
        new = {name: text for name, text in zip(names, texts, strict=True) if name not in found}
        if new:
            found.update(self._computed(new))
        return np.stack([found[name].vector for name in names])

    def _computed(self, texts: Mapping[bytes, str]) -> dict[bytes, _Kept]:
        asked = list(texts.values())
        given, work = self._meter.timed(lambda: self.plain.encode_document(asked))
        vectors = one_each(given, len(asked))
        joules = None if work.joules is None else work.joules / len(asked)
        share = MeasuredWork(work.wall_s / len(asked), joules, work.grown)
        _write(self._folder, list(texts), vectors, share)
        return {name: _Kept(vector, share) for name, vector in zip(texts, vectors, strict=True)}


def _setting(embedder: Embedder, meter: Meter) -> str:
    """A folder's name for everything but the text that can change the last bits of a vector of a document."""
    content = {"stage": STAGE_VERSION, "embedder": embedder.digest, **asdict(describe(meter.device))}
    return sha256(canonical(content))[:24]


def _together(shares: Sequence[MeasuredWork]) -> MeasuredWork:
    """What several texts took: their seconds and joules, and the most memory of any."""
    joules = [share.joules for share in shares if share.joules is not None]
    grown = reduce(higher, {share.grown for share in shares})
    return MeasuredWork(
        sum(share.wall_s for share in shares), sum(joules) if len(joules) == len(shares) else None, grown
    )


def _read(folder: Path, wanted: set[bytes]) -> dict[bytes, _Kept]:
    """What is kept of the `wanted` texts; a file that is not what its name says is removed."""
    found: dict[bytes, _Kept] = {}
    with suppress(OSError):
        for file in sorted(folder.glob(f"[!.]*{_SUFFIX}")):
            with suppress(OSError):
                if sha256_of(file) == file.stem:
                    found.update(_matching(file, wanted))
                else:
                    file.unlink()
    return found


def _matching(file: Path, wanted: set[bytes]) -> dict[bytes, _Kept]:
    with np.load(file, allow_pickle=False) as content:
        names = [row.tobytes() for row in content["texts"]]
        rows = [row for row, name in enumerate(names) if name in wanted]
        if not rows:
            return {}
        vectors, (seconds, joules), grown = content["vectors"], content["share"].tolist(), content["grown"].tolist()
    share = MeasuredWork(seconds, None if np.isnan(joules) else joules, tuple(grown))
    return {names[row]: _Kept(vectors[row], share) for row in rows}


def _write(folder: Path, texts: Sequence[bytes], vectors: NDArray[np.float32], share: MeasuredWork) -> None:
    """Leave a file of one call, whole or not at all; where there is no room or no right to, nothing is kept."""
    temporary = folder / f".{os.getpid()}{_SUFFIX}"
    names = np.frombuffer(b"".join(texts), dtype=np.uint8).reshape(len(texts), _DIGEST)
    took = np.array([share.wall_s, np.nan if share.joules is None else share.joules])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as stream:
            np.savez(stream, texts=names, vectors=vectors, share=took, grown=np.array(share.grown))
        temporary.replace(folder / f"{sha256_of(temporary)}{_SUFFIX}")
    except OSError:
        with suppress(OSError):
            temporary.unlink()
