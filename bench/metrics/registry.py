"""The metrics by name: what each is for, how its values read, which module computes it.

Imports neither `evaluate` nor scikit-learn: the suite's validator and the report read this table.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

Tokens = Literal["", "ascii", "spaced", "13a"]
Scored = Literal["answer", "ranking", "likelihood", "probabilities"]


@dataclass(frozen=True, slots=True)
class MetricInfo:
    """What a metric is for and how its values read."""

    kinds: tuple[str, ...]  # of the tasks it fits
    title: str  # as a column heading
    scale: float  # the value of a perfect prediction, 1.0 or 100.0; of one that knows nothing, where lower is better
    per_item: bool  # whether it is a mean of scores of single items
    implementation: str  # "<module of bench.metrics>:<class>"
    options: Mapping[str, Any] = field(default_factory=dict)  # passed on to the module
    takes_lowercase: bool = False  # whether `lowercase` changes anything
    scores: Scored = "answer"  # what it is given of each item, see `bench.metrics.compute`
    higher_is_better: bool = True
    bounded: bool = True  # else a loss: a prediction that is sure of what is wrong has any value beyond the scale
    statistics: str = ""  # module of `bench.metrics.counts` whose counts add up to the score; "" for none
    sees: Tokens = ""  # the tokens that it compares, where a script may have none of them; "" for characters

    def room(self, score: float) -> float:
        """How much worse than `score` a score can be."""
        if self.higher_is_better:
            return score
        return self.scale - score if self.bounded else math.inf


def _rouge(title: str, rouge_type: str, **options: Any) -> MetricInfo:
    sees: Tokens = "" if options.get("unicode") else "ascii"
    return MetricInfo(("text",), title, 1.0, True, "rouge:Rouge", {"rouge_type": rouge_type, **options}, sees=sees)


def _bleu(title: str, tokenize: str) -> MetricInfo:
    sees: Tokens = "13a" if tokenize in ("13a", "intl") else ""
    options = {"tokenize": tokenize}
    return MetricInfo(
        ("text",), title, 100.0, False, "corpus_metrics:Bleu", options, True, statistics="bleu", sees=sees
    )


def _chrf(title: str, word_order: int) -> MetricInfo:
    options = {"word_order": word_order}
    return MetricInfo(("text",), title, 100.0, False, "corpus_metrics:Chrf", options, True, statistics="chrf")


def _error(
    kind: str,
    title: str,
    scale: float,
    implementation: str,
    scores: Scored,
    *,
    per_item: bool = True,
    bounded: bool = True,
) -> MetricInfo:
    return MetricInfo(
        (kind,), title, scale, per_item, implementation, scores=scores, higher_is_better=False, bounded=bounded
    )


NAMES: Mapping[str, MetricInfo] = MappingProxyType(
    {
        "accuracy": MetricInfo(("choice",), "Accuracy", 1.0, True, "item_metrics:Accuracy"),
        "mrr": MetricInfo(("choice",), "MRR", 1.0, True, "item_metrics:Mrr", scores="ranking"),
        "macro_f1": MetricInfo(("choice",), "Macro-F1", 1.0, False, "corpus_metrics:MacroF1", statistics="macro_f1"),
        "brier": _error("choice", "Brier score", 2.0, "item_metrics:Brier", "probabilities"),
        "log_loss": _error("choice", "Log loss", 1.0, "item_metrics:LogLoss", "probabilities", bounded=False),
        "ece": _error("choice", "ECE", 1.0, "corpus_metrics:Ece", "probabilities", per_item=False),
        "exact_match": MetricInfo(("choice", "text"), "Exact match", 1.0, True, "item_metrics:ExactMatch"),
        "exact_match_strict": MetricInfo(("text",), "Strict match", 1.0, True, "item_metrics:StrictMatch"),
        "contains": MetricInfo(("text",), "Contains", 1.0, True, "item_metrics:Contains"),
        "token_f1": MetricInfo(("text",), "Token F1", 1.0, True, "item_metrics:TokenF1", sees="spaced"),
        "char_f1": MetricInfo(("text",), "Character F1", 1.0, True, "item_metrics:CharF1"),
        "field_f1": MetricInfo(("text",), "Field F1", 1.0, True, "item_metrics:FieldF1"),
        "bleu": _bleu("BLEU", "13a"),
        "bleu_intl": _bleu("BLEU (intl)", "intl"),
        "bleu_zh": _bleu("BLEU (zh)", "zh"),
        "bleu_ja": _bleu("BLEU (ja-mecab)", "ja-mecab"),
        "bleu_char": _bleu("BLEU (char)", "char"),
        "bleu_flores": _bleu("BLEU (flores200)", "flores200"),
        "chrf": _chrf("chrF", 0),
        "chrf_pp": _chrf("chrF++", 2),
        "bits_per_byte": _error("prose", "Bits per byte", 8.0, "item_metrics:BitsPerByte", "likelihood", bounded=False),
        "rouge1": _rouge("ROUGE-1", "rouge1"),
        "rouge2": _rouge("ROUGE-2", "rouge2"),
        "rouge_l": _rouge("ROUGE-L", "rougeL"),
        "rouge_lsum": _rouge("ROUGE-Lsum", "rougeLsum"),
        "rouge1_stem": _rouge("ROUGE-1 (stems)", "rouge1", use_stemmer=True),
        "rouge2_stem": _rouge("ROUGE-2 (stems)", "rouge2", use_stemmer=True),
        "rouge_l_stem": _rouge("ROUGE-L (stems)", "rougeL", use_stemmer=True),
        "rouge1_unicode": _rouge("ROUGE-1 (Unicode)", "rouge1", unicode=True),
        "rouge2_unicode": _rouge("ROUGE-2 (Unicode)", "rouge2", unicode=True),
        "rouge_l_unicode": _rouge("ROUGE-L (Unicode)", "rougeL", unicode=True),
    }
)
WITH_STATISTICS = tuple(name for name, info in NAMES.items() if info.statistics)
