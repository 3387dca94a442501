"""What the table of calibration says: whether a choice that is taken with 0.8 is right in 8 of 10 cases."""

from __future__ import annotations

from bench.analysis.calibration import Estimate, calibration
from bench.analysis.summary import by_method
from bench.core.record import Run
from bench.metrics.formats import clean
from bench.report.table import ReportTable, Text

_LEGEND = (
    "probabilities: softmax of the choices' log-likelihoods; ECE (15 bins), Brier score, log loss (nats): 0 is best",
    "chance: the ECE that so few items would give if all probabilities were right",
    "brackets: 95% interval over items, of these checkpoints; of the log loss from 100 items on",
)


def tables(run: Run, model: str) -> list[ReportTable]:
    """For a model the methods on every choice task; no table where predictions do not say which choice is right."""
    lines = []
    for (method, task), records in by_method(run, model, lambda record: record.kind == "choice").items():
        found = calibration(run, records)
        if found is not None:
            error = Text(f"{found.ece:.3f}\nchance {found.ece_by_chance:.3f}")
            lines.append((Text(clean(method)), Text(clean(task)), error, _text(found.brier), _text(found.log_loss)))
    if not lines:
        return []
    heads = ("method", "task", "ECE", "Brier\nscore", "log\nloss")
    return [ReportTable(f"{clean(model)}: calibration", heads, tuple(lines), _LEGEND)]


def _text(found: Estimate) -> Text:
    limits = f"\n[{found.interval.low:.3f}, {found.interval.high:.3f}]" if found.interval else ""
    return Text(f"{found.value:.3f}{limits}")
