"""Metrics as `evaluate` modules in the tree; no network, no files left behind.

`NAMES` lists them, `compute` runs one, `statistics` and `from_statistics` split a corpus score into
per-item counts and a closed form, so that resampling needs no second look at the texts.

This module imports neither `evaluate` nor scikit-learn: the suite's validator and the report read
`NAMES` from it. `compute` imports them, and `evaluate` alone takes seconds (it brings torch,
transformers, datasets and pandas with it), so call it where a model was loaded anyway.

May import `core`.
"""

from __future__ import annotations

import importlib
import tempfile
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from bench.core.errors import TaskError, UsageError, unknown
from bench.metrics.registry import NAMES, WITH_STATISTICS, MetricInfo

__all__ = ["NAMES", "WITH_STATISTICS", "MetricInfo"]

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Result:
    """One metric over all items."""

    value: float
    per_item: tuple[float, ...] | None  # in the order of the predictions; None for a corpus metric
    signature: str  # how it was computed: settings, library, version


def compute(
    name: str,
    predictions: Sequence[str] | Sequence[Sequence[str]] | Sequence[Sequence[float]] | Sequence[float],
    references: Sequence[Sequence[str]],
    *,
    lowercase: bool = False,
) -> Result:
    """Metric `name` over n predictions, each with one or more references, same order.

    What a prediction is, `NAMES[name].scores` says: an answer is a text, a ranking a list of choices, the best first, a
    likelihood the natural logarithm of the reference's probability, probabilities those of the choices, the correct
    one's first. One that failed is empty, or -inf, and counts as wrong. Texts are compared in Unicode form NFC.
    `lowercase` compares without case where a metric is sensitive to it (BLEU, chrF); ROUGE, exact match and token F1
    never are, and choices are names, compared as they are.

    Raises UsageError for an unknown name, no predictions, lengths that differ, or an item without a
    reference.
    """
    info = _info(name)
    _check(name, predictions, references)
    options = {**info.options, **({"lowercase": lowercase} if info.takes_lowercase else {})}
    # evaluate makes its cache folder even for data kept in memory: give it one that goes away.
    with tempfile.TemporaryDirectory(prefix="adaptbench-metric-") as folder:
        module = _load(info)(cache_dir=folder, keep_in_memory=True)
        found = module.compute(
            predictions=[_composed(one) if isinstance(one, (str, float)) else list(one) for one in predictions],
            references=[[_composed(text) for text in texts] for texts in references],
            **options,
        )
    per_item = found["per_item"]
    return Result(
        value=float(found[module.name]),
        per_item=None if per_item is None else tuple(float(score) for score in per_item),
        signature=str(found["signature"]),
    )


def statistics(
    name: str, predictions: Sequence[str], references: Sequence[Sequence[str]], *, lowercase: bool = False
) -> NDArray[np.int64]:
    """Statistics of a corpus metric, one row for each item: of 10 for BLEU, 18 for chrF, 24 for chrF++, 2 for macro-F1.

    What `additive` makes of them adds up over any multiset of items to that multiset's corpus score
    (`from_statistics`), which makes a bootstrap cheap (Koehn 2004). Columns: see the metric's module in `counts`.

    Raises UsageError as `compute` does, and for a metric that is not a corpus metric with statistics.
    """
    module = _statistics_module(name)
    _check(name, predictions, references)
    rows: NDArray[np.int64] = module.statistics(
        [_composed(text) for text in predictions],
        [[_composed(text) for text in texts] for texts in references],
        lowercase=lowercase,
        **NAMES[name].options,
    )
    return rows


def additive(name: str, *rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Statistics of one or more methods on the same items as counts whose sums mean something, [n, k] each.

    Those of BLEU and chrF are so already. Of macro-F1, the two labels of each item become three counts for every label
    that occurs in any of `rows`, so that all of them have the same columns.
    """
    module = _statistics_module(name)
    return module.additive(*rows) if hasattr(module, "additive") else list(rows)


def from_statistics(name: str, rows: NDArray[Any]) -> NDArray[np.float64]:
    """The corpus score of each row of summed statistics, [m, k] to [m], on the metric's scale."""
    found: NDArray[np.float64] = _statistics_module(name).from_statistics(rows.astype(float))
    return found


def refuse_unfit(names: Sequence[str], kind: str, where: str) -> None:
    """Raise TaskError for a name that is no metric, or none for tasks of `kind`; `where` names the task."""
    fitting = [name for name, info in NAMES.items() if kind in info.kinds]
    for name in names:
        if name not in NAMES:
            raise TaskError(f"{where}: {unknown('metric', name, fitting)}")
        if name not in fitting:
            allowed = ", ".join(fitting)
            raise TaskError(f'{where}: metric "{name}" is not for tasks of kind {kind}; allowed: {allowed}')
        missing = missing_for(name)
        if missing:
            raise TaskError(f'{where}: metric "{name}" needs {missing}')


def is_right(name: str, value: float) -> bool:
    """Whether an item's score in a metric is at least half of a perfect one."""
    info = _info(name)
    return info.bounded and value >= info.scale / 2


def missing_for(name: str) -> str:
    """What has to be installed before BLEU can be computed with a tokenizer that sacrebleu does not hold; or ""."""
    tokenize = NAMES[name].options.get("tokenize")
    if tokenize == "ja-mecab" and not (find_spec("MeCab") and find_spec("ipadic")):
        return 'a Japanese segmenter: pip install "sacrebleu[ja]"'
    if tokenize == "flores200":
        from bench.metrics.counts.bleu import flores_model

        if not find_spec("sentencepiece") or not flores_model().is_file():
            return f"sentencepiece, and its model at {flores_model()} (sacrebleu fetches it where there is a network)"
    return ""


def _info(name: str) -> MetricInfo:
    if name not in NAMES:
        raise UsageError(unknown("metric", name, NAMES))
    return NAMES[name]


def _load(info: MetricInfo) -> Any:
    module, _, attribute = info.implementation.partition(":")
    return getattr(importlib.import_module(f"{__name__}.{module}"), attribute)


def _statistics_module(name: str) -> Any:
    _info(name)
    if name not in WITH_STATISTICS:
        allowed = ", ".join(WITH_STATISTICS)
        raise UsageError(f'metric "{name}" has no per-item statistics; allowed: {allowed}')
    return importlib.import_module(f"{__name__}.counts.{NAMES[name].statistics}")


def _composed(value: Any) -> Any:
    return unicodedata.normalize("NFC", value) if isinstance(value, str) else value


def _check(name: str, predictions: Sequence[object], references: Sequence[Sequence[str]]) -> None:
    """Raise UsageError for input that no score can be given to."""
    if not predictions:
        raise UsageError(f"metric {name}: no predictions to score; at least one is needed")
    if len(predictions) != len(references):
        raise UsageError(
            f"metric {name}: {len(predictions)} predictions but {len(references)} lists of references; "
            "there must be one list for each prediction"
        )
    for position, texts in enumerate(references):
        if isinstance(texts, str) or not texts:
            raise UsageError(
                f"metric {name}: the references of item {position} are {texts!r}; a list of at least one text is needed"
            )
