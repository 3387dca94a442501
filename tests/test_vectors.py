"""Vectors that cells leave each other: the same to the last bit, computed once, and their cost stays in records."""

from __future__ import annotations

import hashlib
import json
import resource
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.cell import setup
from bench.cell.measure import measure as measure_cell
from bench.core.phases import Phase, PhaseName
from bench.core.record import Record, Score
from bench.gate import baseline
from bench.meters.energy import Energy
from bench.meters.phases import Meter
from bench.retrieval.embedders import find_embedder
from bench.retrieval.embedding_cache import CachedEmbedder
from bench.runs import jobs
from bench.runs.progress import outcome
from bench.store import merge, run_folder
from bench.store.json_files import write_json
from tests.encoder import WORDS
from tests.small import cells_of, measure, write_suite

CPU = torch.device("cpu")
TEXTS = ["red fish", "tea", "", "who wrote it", "a lone surrogate \ud800"]
texts = st.lists(st.lists(st.sampled_from(WORDS), max_size=4).map(" ".join), max_size=8)


class Hashes:
    """A stand-in embedder: numbers hashed from a text; remembers the documents it was asked for."""

    def __init__(self, digest: str = "0" * 64, seconds: float = 0.0) -> None:
        self.name, self.digest = "hashes", digest
        self.seconds = seconds  # that a document takes
        self.asked: list[str] = []
        self.loaded = 0

    def load(self) -> None:
        self.loaded += 1

    def parts(self, texts: list[str]) -> list[list[str]]:
        return [[text] for text in texts]

    def encode_query(self, texts: list[str]) -> NDArray[np.float32]:
        found = [
            hashlib.sha256(self.digest.encode() + text.encode("utf-8", "surrogatepass")).digest() for text in texts
        ]
        numbers = np.frombuffer(b"".join(found), dtype=np.uint8).reshape(len(texts), 32).astype(np.float32) + 1
        vectors: NDArray[np.float32] = numbers / np.linalg.norm(numbers, axis=1, keepdims=True)
        return vectors

    def encode_document(self, texts: list[str]) -> NDArray[np.float32]:
        self.asked += texts
        time.sleep(self.seconds * len(texts))
        return self.encode_query(texts)


class Tenths:
    """A counter of energy that every reading moves on by a tenth of a joule, or none."""

    def __init__(self, counts: bool = True) -> None:
        self.readings, self.counts = 0, counts

    def read(self) -> int:
        self.readings += 1
        return self.readings

    def between(self, before: int, after: int) -> Energy:
        return Energy((after - before) / 10) if self.counts else Energy(None, "why")


def files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file())


def embedded(folder: Path, texts: list[str] = TEXTS, digest: str = "0" * 64) -> tuple[NDArray[np.float32], list[str]]:
    """Vectors of an embedder of its own, as a cell has one, and what it was asked for."""
    embedder = Hashes(digest)
    return CachedEmbedder(embedder, folder, Meter(CPU)).encode_document(texts), embedder.asked


def index_of(folder: Path, texts: list[str] = TEXTS, counter: Any = None) -> Phase:
    """What indexing takes in a cell whose embedder needs a twentieth of a second for a document."""
    meter = Meter(CPU)
    meter._energy = counter or Tenths()
    keeping = CachedEmbedder(Hashes(seconds=0.05), folder, meter)
    with meter.phase("index"):
        keeping.encode_document(texts)
    return meter.phases["index"]


@settings(max_examples=40, deadline=None)
@given(st.lists(texts, min_size=1, max_size=5))
def test_any_split_of_texts_over_cells_gives_the_same_vectors_and_computes_each_once(calls: list[list[str]]) -> None:
    computed: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for call in calls:
            vectors, asked = embedded(Path(folder), call)
            computed += asked
            assert vectors.dtype == np.float32
            assert vectors.tobytes() == Hashes().encode_query(call).tobytes()
    assert sorted(computed) == sorted({text for call in calls for text in call})


def test_a_real_encoder_gives_the_same_to_the_last_bit(prompted: Path, tmp_path: Path) -> None:
    encoder = find_embedder(str(prompted))
    assert encoder is not None
    documents = [f"{one} {other}" for one in WORDS for other in WORDS]
    plain = encoder.encode_document(documents)
    for part in (documents[:7], documents[::-1], documents):
        keeping = CachedEmbedder(encoder, tmp_path, Meter(CPU))
        expected = [plain[documents.index(text)] for text in part]
        assert keeping.encode_document(part).tobytes() == np.stack(expected).tobytes()
    assert len(files(tmp_path)) == 2  # nothing was new in the third call
    assert keeping.encode_query(["red"]).tobytes() == encoder.encode_query(["red"]).tobytes()


def test_the_embedder_is_loaded_where_it_would_have_been(tmp_path: Path) -> None:
    # questions follow, and the time of answering them is not to hold what belongs to the index
    embedded(tmp_path)
    embedder = Hashes()
    keeping = CachedEmbedder(embedder, tmp_path, Meter(CPU))
    assert embedder.loaded == 0
    keeping.encode_document(TEXTS)
    assert (embedder.loaded, embedder.asked) == (1, [])


def test_an_index_costs_the_same_when_its_vectors_were_there(tmp_path: Path) -> None:
    first = index_of(tmp_path)
    start = time.perf_counter()
    second = index_of(tmp_path)
    assert time.perf_counter() - start < 0.2  # in truth
    assert first.reused_s == 0
    assert first.wall_s >= second.reused_s >= 0.25
    assert second.wall_s == pytest.approx(first.wall_s, abs=0.1)
    assert first.joules == pytest.approx(0.3)  # four readings: at both ends of the phase, and of embedding
    assert second.joules == pytest.approx(0.1 + 0.1)  # of the phase itself, and taken over
    part = index_of(tmp_path, TEXTS[:2])
    assert part.reused_s == pytest.approx(second.reused_s * 2 / 5)
    more = index_of(tmp_path, [*TEXTS, "new"])
    assert more.reused_s == pytest.approx(second.reused_s)
    assert more.wall_s >= second.reused_s + 0.05


def test_energy_that_was_not_counted_then_is_not_known_now(tmp_path: Path) -> None:
    assert index_of(tmp_path, counter=Tenths(counts=False)).joules_missing == "why"
    second = index_of(tmp_path)
    assert second.joules is None
    assert "taken over was computed without an energy counter" in second.joules_missing


@pytest.mark.parametrize("damage", ["cut", "empty", "turned", "longer", "folder", "foreign"])
def test_a_damaged_file_is_computed_anew(damage: str, tmp_path: Path) -> None:
    expected, _ = embedded(tmp_path)
    [file] = files(tmp_path)
    content = file.read_bytes()
    middle = len(content) // 2
    if damage == "folder":
        file.unlink()
        file.mkdir()
    else:
        file.write_bytes({
            "cut": content[:middle], "empty": b"", "longer": content + b"\0", "foreign": b"\x80\x04N.",
            "turned": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
        }[damage])  # fmt: skip
    vectors, asked = embedded(tmp_path)
    assert asked == TEXTS
    assert vectors.tobytes() == expected.tobytes()
    assert embedded(tmp_path)[1] == []  # it has been written again


def test_what_a_kill_leaves_half_written_is_not_read(tmp_path: Path) -> None:
    embedded(tmp_path)
    [file] = files(tmp_path)
    file.rename(file.with_name(".123.npz"))
    assert embedded(tmp_path)[1] == TEXTS


def test_without_a_folder_to_write_to_nothing_is_kept_and_nothing_fails(tmp_path: Path) -> None:
    taken = tmp_path / "vectors"
    taken.write_text("a file")
    for _ in range(2):
        vectors, asked = embedded(taken)
        assert vectors.tobytes() == Hashes().encode_query(TEXTS).tobytes()
        assert asked == TEXTS


def test_where_there_is_no_room_nothing_is_kept_and_nothing_fails(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))  # bytes of a file
    try:
        vectors, _ = embedded(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert vectors.tobytes() == Hashes().encode_query(TEXTS).tobytes()
    assert files(tmp_path) == []
    assert embedded(tmp_path)[1] == TEXTS


def test_other_weights_and_other_threads_have_vectors_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = embedded(tmp_path)
    other, asked = embedded(tmp_path, digest="1" * 64)
    assert asked == TEXTS
    assert (first != other).any()
    monkeypatch.setattr(torch, "get_num_threads", lambda: 77)
    assert embedded(tmp_path)[1] == TEXTS
    assert embedded(tmp_path)[1] == []
    assert len(files(tmp_path)) == 3


def test_nonsense_is_not_kept(tmp_path: Path) -> None:
    class Broken(Hashes):
        def encode_document(self, texts: list[str]) -> NDArray[np.float32]:
            return np.full((len(texts), 3), np.nan, dtype=np.float32)

    with pytest.raises(ValueError, match="NaN"):
        CachedEmbedder(Broken(), tmp_path, Meter(CPU)).encode_document(TEXTS)
    assert files(tmp_path) == []


def test_a_cell_answers_the_same_with_vectors_of_another(
    task_folder: Path, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    similar = {"k": 2, "select": "similar", "retriever": ["dense", "hybrid"]}  # there is a search for options too
    suite, cells = cells_of(write_suite(tmp_path, tiny_model, methods=[{"few-shot": similar}], embedder="auto"))
    run = run_folder.Store(tmp_path / "run")
    embedder = Hashes()
    monkeypatch.setattr(setup, "find_embedder", lambda reference, device: embedder)

    def cell(**changes: Any) -> tuple[Record, bytes, list[str]]:
        embedder.asked.clear()
        staging = run.staging(cells[0].ref)
        job = jobs.job_of(suite, cells[0], run, staging, None)
        record = measure_cell(replace(job, **changes), lambda *_: None)
        return record, (staging / run_folder.PREDICTIONS).read_bytes(), list(embedder.asked)

    without, expected, _ = cell(vectors=None)
    assert not (run.path / "vectors").exists()
    assert [phase.reused_s for phase in without.phases.values()] == [0.0] * len(without.phases)
    first, answered, computed = cell()
    assert answered == expected
    assert len(computed) == len(set(computed)) == 12  # the training examples, once for the search and the index
    second, answered, computed = cell()
    assert answered == expected
    assert computed == []
    assert {name for name, phase in second.phases.items() if phase.reused_s} == {"tune", "index"}
    assert second.phases["index"].reused_s == first.phases["index"].reused_s
    assert (second.scores, second.retrieval, second.key) == (without.scores, without.retrieval, without.key)


def test_vectors_are_kept_as_long_as_something_is_to_be_measured(
    task_folder: Path, tmp_path: Path, tiny_model: Path, prompted: Path
) -> None:
    dense = {"select": "similar", "retriever": "dense"}
    methods = [{"few-shot": {**dense, "k": 1}}, {"few-shot": {**dense, "k": 2}}, "rag"]  # the last one fails
    file = write_suite(tmp_path, tiny_model, methods=methods, embedder=str(prompted))
    ended, _, run = measure(file, tmp_path / "run")
    assert (ended.ok, ended.failed) == (2, 1)
    first, second = (record.phases["index"] for record in run.records[:2])
    assert first.reused_s == 0 < second.reused_s < second.wall_s
    kept = files(tmp_path / "run" / "vectors")
    assert len(kept) == 1

    # they are no part of the run
    assert run_folder.runs(tmp_path / "run") == [tmp_path / "run"]
    assert len(run_folder.cell_folders(tmp_path / "run")) == 3
    merge.merge([tmp_path / "run"], tmp_path / "merged")
    accepted = baseline.accept(tmp_path / "run", "small", tmp_path / "baselines")
    for folder in (tmp_path / "merged", accepted):
        assert not (folder / "vectors").exists()
        assert {file.suffix for file in files(folder)} <= {".json", ".jsonl", ".yaml", ".txt", ""}

    measure(file, tmp_path / "run")  # the cell that fails is tried again, and may be later
    assert files(tmp_path / "run" / "vectors") == kept
    measure(file, tmp_path / "run", failed="keep")
    assert not (tmp_path / "run" / "vectors").exists()
    whole, _, _ = measure(file, tmp_path / "whole", methods=methods[:2])
    assert whole.failed == 0
    assert not (tmp_path / "whole" / "vectors").exists()
    assert json.loads((next((tmp_path / "whole" / "cells").glob("*/record.json"))).read_text())["status"] == "ok"


def test_a_cell_is_said_to_take_what_it_took(tmp_path: Path) -> None:
    phases: dict[PhaseName, Phase] = {"index": Phase(100.0, 1, reused_s=90.0), "predict": Phase(5.0, 1)}
    scores = {"accuracy": Score(0.5)}
    record = Record("k", "m", "t", "rag", 0, "ok", "2026-01-01T00:00:00+00:00", scores=scores, phases=phases)
    assert outcome(record, cached=False) == "accuracy 0.5 in 15 s"
    old = {name: value for name, value in asdict(phases["predict"]).items() if name != "reused_s"}
    write_json(tmp_path / "record.json", {**asdict(record), "phases": {"predict": old}})
    assert run_folder.read_record(tmp_path / "record.json").phases["predict"].reused_s == 0
