"""An index of many vectors: what building it takes, how fast it is searched, what it finds.

    python scripts/large_index.py OUT.json --vectors 1000000
    python scripts/large_index.py OUT.json --vectors 1000000 --texts FOLDER

Without --texts the vectors are random ones on the sphere: no index can find their neighbours by looking at a part of
them, which the index has to notice. With a folder of .txt, .csv or .jsonl files they are windows of its words: means of
the input embeddings of all-MiniLM-L6-v2, which take seconds where the encoder itself takes hours for a million texts.
"""

from __future__ import annotations

import json
import re
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from bench.retrieval.large_index import IndexStore, LargeIndex, write_index

Vectors = NDArray[np.float32]
_BATCH = 8192
_QUERIES = 200
_WIDTH = 384
_WINDOW = 64  # tokens
_AT_ONCE = 512  # windows


class Peak:
    """The most memory of this process that no file backs, sampled."""

    def __init__(self) -> None:
        self.bytes, self._done = 0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.02):
            status = Path("/proc/self/status").read_text()
            held = re.search(r"RssAnon:\s+(\d+)", status)
            self.bytes = max(self.bytes, int(held[1]) * 1024 if held else 0)


def random_vectors(count: int, seed: int) -> Iterator[Vectors]:
    """Directions drawn evenly."""
    rng = np.random.default_rng(seed)
    for start in range(0, count, _BATCH):
        yield unit(rng.standard_normal((min(_BATCH, count - start), _WIDTH), dtype=np.float32))


def unit(vectors: Vectors) -> Vectors:
    """Rows of length 1."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), dtype=np.float32)


class Windows:
    """Windows of the words of texts, as means of an encoder's input embeddings; the last ones are queries."""

    def __init__(self, folder: Path, count: int) -> None:
        import torch

        from bench.retrieval.embedders import find_embedder

        embedder: Any = find_embedder()
        assert embedder is not None, "no sentence embedder is at hand"
        model = embedder._model()
        with torch.no_grad():
            self.table = model[0].auto_model.get_input_embeddings().weight.numpy()
        files = sorted(file for file in folder.rglob("*") if file.suffix in (".txt", ".csv", ".jsonl"))
        lines = (line for file in files for line in file.read_text(encoding="utf-8", errors="replace").split("\n"))
        tokens: list[int] = []
        for line in lines:
            tokens += model.tokenizer(line, add_special_tokens=False, verbose=False)["input_ids"]
            if len(tokens) > (count + _QUERIES) * _WINDOW:
                break
        self.tokens = np.array(tokens)
        self.step = max(1, (len(tokens) - _WINDOW) // (count + _QUERIES))
        self.count = count

    def at(self, start: int, stop: int) -> Vectors:
        """The windows of these numbers."""
        first = np.arange(start, stop) * self.step
        return unit(self.table[self.tokens[first[:, None] + np.arange(_WINDOW)]].mean(axis=1))

    def batches(self) -> Iterator[Vectors]:
        """The windows that are indexed; those behind them are queries."""
        for start in range(0, self.count, _AT_ONCE):
            yield self.at(start, min(start + _AT_ONCE, self.count))


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--vectors", type=click.IntRange(min=1000), default=1_000_000, show_default=True)
@click.option("--texts", type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(out: Path, vectors: int, texts: Path | None) -> None:
    """Measure an index of so many vectors, and write the figures to OUT."""
    said: dict[str, Any] = {"vectors": vectors, "width": _WIDTH, "source": "windows of texts" if texts else "random"}
    windows = Windows(texts, vectors) if texts else None
    if windows:
        said |= {"tokens": len(windows.tokens), "tokens_between_windows": windows.step}
        batches, asked = windows.batches(), windows.at(vectors, vectors + _QUERIES)
    else:
        batches, asked = random_vectors(vectors, 0), next(random_vectors(_QUERIES, 1))
    with tempfile.TemporaryDirectory(dir=out.parent) as place, Peak() as peak:
        store = IndexStore(Path(place))
        start, busy = time.perf_counter(), time.process_time()
        index = store.get("0" * 64, lambda folder: write_index(folder, vectors, batches, lambda near: asked))
        said |= {"build_s": time.perf_counter() - start, "build_cpu_s": time.process_time() - busy}
        said |= dict(index.counts) | {"is_exact": index.is_exact, "build_peak_bytes": peak.bytes}
        said |= searched(index, asked)
        said["bytes_on_disk"] = sum(file.stat().st_size for file in Path(place).rglob("*") if file.is_file())
    said |= {
        "peak_bytes": peak.bytes,
        "peak_with_mapped_files": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    out.write_text(json.dumps(said, indent=1) + "\n")
    print(json.dumps(said, indent=1), file=sys.stderr)


def searched(index: LargeIndex, queries: Vectors) -> dict[str, float]:
    """CPU seconds of a query, by the index and by an exact search."""
    busy = time.process_time()
    for start in range(0, len(queries), 16):
        index.search(queries[start : start + 16], 10)
    own = time.process_time() - busy
    busy = time.process_time()
    index._vectors.search(queries[:16], 10)
    return {"query_cpu_s": own / len(queries), "exact_query_cpu_s": (time.process_time() - busy) / 16}


if __name__ == "__main__":
    main()
