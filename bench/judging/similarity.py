"""How alike a run's answers are to the references, to a sentence encoder: advisory, as likeness is not correctness."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bench.core.errors import UsageError
from bench.core.record import Run
from bench.core.task import Task
from bench.judging.answers import Answers, answers_to
from bench.model.load import without_bars
from bench.retrieval.embedders import REMEDY, SentenceEncoder, find_embedder
from bench.store.judged import Alike, Likeness

Vectors = NDArray[np.float32]


def bertscore(answer: Vectors, reference: Vectors) -> float:
    """BERTScore's F1 of two texts from the vectors of their tokens, [tokens, d] of length 1; 0 for an empty text.

    Each token is matched with the one most like it (Zhang et al. 2020, arXiv:1904.09675, section 3), all count the
    same, and nothing is rescaled.
    """
    if not (len(answer) and len(reference)):
        return 0.0
    cosines = answer @ reference.T
    precision, recall = float(cosines.max(axis=1).mean()), float(cosines.max(axis=0).mean())
    return 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0


def alike(run: Run, name: str, embedder: str = "auto") -> Alike:
    """How alike every method's answers to a task are to the reference most like them.

    Raises:
        UsageError: no such task, or no sentence encoder at hand.
    """
    task, answers = answers_to(run, name)
    encoder = find_embedder(embedder)
    if not isinstance(encoder, SentenceEncoder):
        raise UsageError(f"similarity needs a sentence encoder and none was found; {REMEDY}")
    texts = {text for item in task.test for text in item.references} | {t for a in answers for t in a.texts.values()}
    with without_bars():
        known = _Known(encoder, sorted(texts))
    rows = []
    for method in dict.fromkeys(each.method for each in answers):
        seeds = [each for each in answers if each.method == method]
        pairs = [_pairs(task, each) for each in seeds]
        cosine = tuple(tuple(max(known.cosine(a, r) for r in refs) for a, refs in items) for items in pairs)
        tokens = tuple(tuple(max(known.tokens(a, r) for r in refs) for a, refs in items) for items in pairs)
        rows.append(Likeness(*method, tuple(each.record.key for each in seeds), cosine, tokens))
    return Alike(name, encoder.name, encoder.digest, tuple(rows))


def _pairs(task: Task, answers: Answers) -> Sequence[tuple[str, tuple[str, ...]]]:
    return [(answers.texts[item.id], item.references) for item in task.test]


class _Known:
    """Texts as vectors, each embedded once."""

    def __init__(self, encoder: SentenceEncoder, texts: list[str]) -> None:
        self._place = {text: place for place, text in enumerate(texts)}
        self._sentences = encoder.encode_document(texts)
        self._tokens = encoder.encode_tokens(texts)

    def cosine(self, answer: str, reference: str) -> float:
        first, second = (self._sentences[self._place[text]] for text in (answer, reference))
        return float(first @ second) if answer.strip() else 0.0

    def tokens(self, answer: str, reference: str) -> float:
        return bertscore(self._tokens[self._place[answer]], self._tokens[self._place[reference]])
