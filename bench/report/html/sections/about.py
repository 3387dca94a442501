"""How it was measured: methods, seeds, prices, what identifies the data and the weights, the machine, and limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.config.prices import Prices
from bench.core.measured import Environment
from bench.core.record import Record, Run
from bench.core.training import Options
from bench.metrics.formats import clean, title
from bench.report.cases import Case, of_runs
from bench.report.html.blocks import Block, Heading, Points, Section, Table
from bench.report.table import ReportTable, cells

_LEAD = "All figures come from the records of the run; whoever has its weights and data can measure them again."
_METRICS = {
    "accuracy": "Share of items whose answer is the right choice.",
    "macro_f1": "F1 of each label, averaged so that rare labels count as much as frequent ones.",
    "mrr": "Mean of one over the place of the right choice in the ranking: 1 where it is always first.",
    "brier": "How far the probabilities of the choices lie from the truth, squared, from 0 to 2; less is better.",
    "log_loss": "Minus the logarithm of the right choice's probability, in nats; less is better.",
    "ece": "How far confidence lies from the share of right answers, in 15 bins of confidence; less is better.",
    "exact_match": "Share of answers equal to a reference, without case, punctuation and articles.",
    "exact_match_strict": "Share of answers equal to a reference but for white space.",
    "contains": "Share of answers in which the words of a reference stand, one behind the other.",
    "token_f1": "How far the words of an answer and of a reference are the same, from 0 to 1.",
    "char_f1": "How far the characters of an answer and of a reference are the same, from 0 to 1.",
    "field_f1": "How far the fields of a JSON answer and of the reference are the same, from 0 to 1.",
    "bleu": (
        "How many runs of one to four words an answer shares with the references, from 0 to 100, less for short text. "
        "It compares systems on the same test set; a value says little by itself, and other words with the same "
        "meaning count as wrong."
    ),
    "chrf": "As BLEU with runs of characters in place of words, from 0 to 100; kinder to other forms of a word.",
    "rouge1": "Single words shared with the best reference, as F-measure from 0 to 1. Order does not count.",
    "rouge2": "Pairs of words shared with the best reference, as F-measure from 0 to 1.",
    "rouge_l": (
        "The longest common run of words, gaps allowed, with the best reference, as F-measure from 0 to 1. "
        "It rewards the same words in the same order, not truth."
    ),
    "rouge_lsum": "As ROUGE-L, line by line, for answers of one sentence to a line.",
    "bits_per_byte": "What a model needs to write the text down, for each byte; less is better, 8 is knowing nothing.",
}
_LIMITS = (
    "Intervals cover new items and new seeds of the same kind; they say nothing of other data or later models.",
    "A method with one seed and training may do better or worse with another; where that is so, it is said.",
    "Money is time at the prices above; people's time, licences and storage are not in it.",
    "Latency was measured one question at a time on this machine, without a network between.",
)


def section(cases: Sequence[Case]) -> Section:
    """Everything needed to read the figures, and to measure them again."""
    return Section("about", "How it was measured", _LEAD, tuple(_blocks(cases)))


def _blocks(cases: Sequence[Case]) -> Iterator[Block]:
    yield Heading("What the scores mean")
    yield Table(_metrics(cases))
    for run, own in of_runs(cases):
        yield Heading(f"Run {clean(run.suite)}")
        yield Points(tuple(_machine(run)))
        yield Table(_methods(run))
        yield Table(_digests(run))
        yield Points(tuple(_prices(own[0].prices)))
    yield Heading("Limits")
    yield Points(_LIMITS)


def _metrics(cases: Sequence[Case]) -> ReportTable:
    signatures: dict[str, dict[str, None]] = {}
    for case in cases:
        for record in case.records:
            for name, score in record.scores.items():
                signatures.setdefault(name, {})[score.signature] = None
    rows = tuple(cells(title(name), meaning(name), "\n".join(map(clean, texts))) for name, texts in signatures.items())
    return ReportTable("Metrics", ("metric", "what it says", "how it was computed"), rows)


def meaning(metric: str) -> str:
    """What a metric says; of one that cuts text in another way, such as `bleu_zh`, that of the plain one."""
    known = (name for name in sorted(_METRICS, key=len, reverse=True) if f"{metric}_".startswith(f"{name}_"))
    return _METRICS.get(next(known, ""), "")


def _machine(run: Run) -> Iterator[str]:
    environments = [record.environment for record in run.records if record.environment.adaptbench]
    if not environments:
        return
    times = sorted(record.created for record in run.records)
    yield f"measured from {clean(times[0])} to {clean(times[-1])}"
    for one in {_device(found): found for found in environments}.values():
        yield f"{_device(one)}; adaptbench {_known(one.adaptbench)}, Python {_known(one.python)}"
        yield ", ".join(f"{clean(name)} {clean(version)}" for name, version in one.packages.items())


def _device(found: Environment) -> str:
    device = f"{_known(found.device_name)} ({_known(found.device)})"
    if found.device == "cpu":
        device += f", {_known(found.threads)} threads"
    return f"{device}, {_known(found.platform)}"


def _known(value: str | int | None) -> str:
    return clean(value) if value not in ("", None) else "?"


def _methods(run: Run) -> ReportTable:
    rows = []
    labels: dict[str, list[Record]] = {}
    for record in run.records:
        labels.setdefault(record.method, []).append(record)
    for label, records in labels.items():
        variants = dict.fromkeys(_options(record) for record in records)
        seeds = sorted({record.seed for record in records})
        rows.append(cells(clean(label), "\n".join(variants), ", ".join(map(str, seeds))))
    return ReportTable("Methods and seeds", ("method", "options", "seeds"), tuple(rows))


def _options(record: Record) -> str:
    parts = (record.parts.weights, record.parts.context)
    shown = (f"{clean(p.name)}: {_said(p.options)}" if p.options else clean(p.name) for p in parts)
    return "; ".join(filter(None, shown))


def _said(options: Options) -> str:
    known = {name: value for name, value in options.items() if value is not None}
    texts = {name: list(value) if isinstance(value, tuple) else value for name, value in known.items()}
    return ", ".join(f"{clean(name)} {clean(value)}" for name, value in texts.items())


def _digests(run: Run) -> ReportTable:
    found: dict[tuple[str, str, str], None] = {}
    for record in (*run.base, *run.records):
        model, task = record.identity.model, record.identity.task
        found["model", clean(record.model), _known(model.digest)] = None
        limit = f", limit {task.limit}" if task.limit else ""
        found["task", clean(record.task), f"{_known(task.digest)}{limit}"] = None
    rows = tuple(cells(name, what, digest) for what, name, digest in found)
    return ReportTable("sha256 of weights and data", ("name", "what", "sha256"), rows)


def _prices(prices: Prices) -> Iterator[str]:
    gpus = ", ".join(f"{clean(name)} {price:g}" for name, price in prices.gpu_hour.items())
    yield (
        f"prices of {prices.as_of:%Y-%m-%d} in {clean(prices.currency)}: an hour of a GPU {gpus}; an hour of a CPU "
        f"core {prices.cpu_core_hour:g}; a kilowatt-hour {prices.kwh:g}"
    )
    for name, source in prices.sources.items():
        yield f"{clean(name).replace('_', ' ')}: {clean(source)}"
