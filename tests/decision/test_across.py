"""One verdict for a task over all models: items paired across models, costs as those of each.

A second costs 1 EUR, as in `test_verdict`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.analysis.decision.across import ALL_MODELS
from bench.analysis.decision.headline import headline
from bench.analysis.decision.verdict import Verdict, verdicts
from bench.analysis.decision.words import crossing
from bench.config import assumptions
from bench.core.errors import NotComparableError
from bench.core.identity import Identity, MethodParts, ModelIdentity, PartSettings
from bench.core.model_kind import ModelKind
from bench.core.phases import Phase
from bench.core.record import Record, Run
from bench.report.html.page import html
from bench.report.tables.decision import tables
from tests.decision.test_verdict import PRICES, method
from tests.report.test_brief import printed
from tests.test_comparison import run

ZERO_SHOT = MethodParts(PartSettings("frozen"), PartSettings("zero-shot"))


def of(model: str, kind: ModelKind, folder: Path, label: str, right: int, **changes: Any) -> Record:
    """A record of `right` answers of 200, by a model of a kind."""
    identity = Identity(model=ModelIdentity(kind=kind))
    key = f"{model}{label}{changes.get('seed', 0)}".encode().hex().ljust(64, "0")[-64:]
    own = folder / f"{model} {label}"
    record = method(own, label, right, 200, model=model, key=key, identity=identity, **changes)
    (folder / "cells").mkdir(exist_ok=True)
    [cell] = (own / "cells").iterdir()
    cell.rename(folder / "cells" / f"{model}-{cell.name}")
    return record


def decided(found: Run, **assumed: Any) -> list[Verdict]:
    return verdicts(found, PRICES, assumptions.read({"queries_per_month": 100, "months": 1, **assumed}, "test"))


def three_models(folder: Path) -> Run:
    return run(
        folder,
        of("small", "causal", folder, "zero-shot", 60, parts=ZERO_SHOT),
        of("small", "causal", folder, "lora", 150, train=50, query=0.1),
        of("old-t5", "seq2seq", folder, "full", 149, train=20, query=0.05),
        of("large", "served", folder, "zero-shot", 190, parts=ZERO_SHOT, query=0.3),
    )


def test_a_verdict_over_all_models_comes_first(tmp_path: Path) -> None:
    found = three_models(tmp_path)
    over, *single = decided(found)
    assert [one.family.model for one in (over, *single)] == [ALL_MODELS, "small", "old-t5", "large"]
    assert (over.choice, over.evidence) == ("zero-shot with large", "enough")
    assert [one.label for one in over.standings] == [
        "zero-shot with large", "lora with small", "full with old-t5", "zero-shot with small",
    ]  # fmt: skip
    first = over.family.differences[0]
    assert first.p == pytest.approx(2 * 0.5**40, rel=1e-6, abs=0)  # 190 and 150 are right, in a row: 40 differ one way
    # Holm over six pairs, which differ on 130, 90, 89, 41, 40 and 1 items: times two for the last but one
    assert first.p_adjusted == pytest.approx(2 * first.p, rel=1e-6, abs=0)


def test_costs_of_each_model_are_its_own_and_go_by_the_method(tmp_path: Path) -> None:
    """Hosting and people's time are said of methods, whatever the model."""
    over, *_ = decided(three_models(tmp_path), hosting_per_month={"lora": 7, "other": 0})
    costs = {one.label: one.cost for one in over.standings}
    assert costs == pytest.approx(
        {
            "zero-shot with large": 30,  # 100 × 0.3
            "lora with small": 67,  # 50 + 7 + 100 × 0.1
            "full with old-t5": 25,  # 20 + 100 × 0.05
            "zero-shot with small": 10,
        }
    )


def test_the_cheaper_of_equal_models_is_chosen(tmp_path: Path) -> None:
    found = three_models(tmp_path)
    over, *_ = decided(replace(found, records=found.records[:3]), margin=0.2)
    assert (over.choice, over.evidence) == ("full with old-t5", "tie")


def test_what_leads_is_held_against_zero_shot_of_its_own_model(tmp_path: Path) -> None:
    found = three_models(tmp_path)
    over, *_ = decided(replace(found, records=found.records[:2] + found.records[2:3]), value_of_right=1e6)
    first = headline(found, over)
    assert first.leads
    assert first.leads.label == "lora with small"
    assert [one.other("lora with small").label for one in first.against][:1] == ["zero-shot with small"]


def test_models_that_were_asked_otherwise_are_not_compared(tmp_path: Path) -> None:
    first, second, *_ = three_models(tmp_path).records
    with pytest.raises(NotComparableError):
        decided(run(tmp_path, first, replace(second, model="other", questions="another")))


def test_a_run_of_one_model_says_what_it_did(tmp_path: Path) -> None:
    found = three_models(tmp_path)
    found = replace(found, records=found.records[:2])
    [one] = decided(found)
    assert one.choice == "lora"
    assert printed(found).splitlines()[1].startswith("mail: choose lora, Accuracy 0.750")
    assert "small: scores" in printed(found)


def test_reports_begin_with_it_and_say_what_kind_a_model_is(tmp_path: Path) -> None:
    found = three_models(tmp_path)
    text = printed(found, 100)
    assert text.splitlines()[1].startswith("mail with all models: choose zero-shot with large, Accuracy 0.950")
    assert text.index("mail with all models") < text.index("mail with small")
    for said in ("small (causal model): scores", "old-t5 (encoder-decoder model): scores", "large (served model): "):
        assert said in text
    page = html([found])
    assert page.index("mail with all models") < page.index("mail with small")
    assert "zero-shot with large" in page


# seconds of training, search and a query of the tuned model; of a query of the prompt; up to where that is cheaper
WORKED = [
    ((60, 0, 0.1), 0.4, "up to 200"),  # 60 / (0.4 − 0.1)
    ((90, 30, 0.02), 0.05, "up to 4,000"),  # (90 + 30) / (0.05 − 0.02)
    ((60, 0, 0.1), 0.1, "always"),  # a query costs the same: the training is never earned back
]


@pytest.mark.parametrize(("tuned", "hosted", "expected"), WORKED)
def test_up_to_which_volume_a_hosted_prompt_is_cheaper_than_a_tuned_model(
    tuned: tuple[float, float, float], hosted: float, expected: str, tmp_path: Path
) -> None:
    train, search, query = tuned
    lora = of("small", "causal", tmp_path, "lora", 149, train=train, query=query)
    phases = {**lora.phases, "tune": Phase(search, 2**30)} if search else lora.phases
    records = (of("large", "served", tmp_path, "zero-shot", 150, query=hosted), replace(lora, phases=phases))
    over, *_ = decided(run(tmp_path, *records))
    assert [(one.a, one.b, crossing(one)) for one in over.crossings] == [
        ("zero-shot with large", "lora with small", expected)
    ]
    assert "Cheaper: mail with all models" in [table.title for table in tables([over], "EUR")]
