"""What the table of calibration says: whether a choice that is taken with 0.8 is right in 8 of 10 cases."""

from __future__ import annotations

from bench.analysis.calibration import Estimate, calibration
from bench.analysis.summary import by_method
from bench.core.record import Run
from bench.metrics.formats import clean
from bench.report.table import ReportTable, Text

_LEGEND = (
    "probabilities: softmax of the choices' log-likelihoods; ECE (15 bins), Brier score, log loss (nats): 0 is best",
    "brackets: 95% bootstrap interval over items, of these checkpoints; ECE of few items is too high",
)


def tables(run: Run, model: str) -> list[ReportTable]:
    """For a model the methods on every choice task; no table where predictions do not say which choice is right."""
    lines = []
    for (method, task), records in by_method(run, model, lambda record: record.kind == "choice").items():
        found = calibration(run, records)
        if found is not None:
            shown = (_text(each) for each in (found.ece, found.brier, found.log_loss))
            lines.append((Text(clean(method)), Text(clean(task)), *shown))
    if not lines:
        return []
    heads = ("method", "task", "ECE", "Brier\nscore", "log\nloss")
    return [ReportTable(f"{clean(model)}: calibration", heads, tuple(lines), _LEGEND)]


def _text(found: Estimate) -> Text:
    return Text(f"{found.value:.3f}\n[{found.interval.low:.3f}, {found.interval.high:.3f}]")
