"""One verdict for a task over all models: items paired across models, costs as those of each.

A second costs 1 EUR, as in `test_verdict`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.analysis.decision.across import ALL_MODELS
from bench.analysis.decision.headline import headline
from bench.analysis.decision.verdict import Verdict, verdicts
from bench.analysis.decision.words import crossing
from bench.config import assumptions
from bench.config.prices import replaced
from bench.core.errors import NotComparableError
from bench.core.identity import Identity, MethodParts, ModelIdentity, PartSettings
from bench.core.measured import ServedBy, TokenPrices, TokensUsed
from bench.core.model_kind import ModelKind
from bench.core.phases import Phase
from bench.core.record import Record, Run
from bench.report.html.page import html
from bench.report.tables import notes
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
    assert "mail with large" not in text  # of which one method is measured
    for said in ("small (causal model): scores", "old-t5 (encoder-decoder model): scores", "large (served model): "):
        assert said in text
    page = html([found])
    assert page.index("mail with all models") < page.index("mail with small")
    cards = re.findall(r'<li class="tone-\w+( of-one)?">\s*<h3>([^<]+)', page)  # the summary leaves single models out
    assert cards[0] == ("", "mail with all models")
    assert all(left_out for left_out, _ in cards[1:])
    assert "zero-shot with large" in page


# Tokens of 200 questions to the hosted model: prompts, of these cached, answers; a million cost 0.15, 0.075, 0.60.
# Of the tuned model: seconds of training, of the search, and of a query; an hour costs 3.60, so a second 0.001.
# The last is where both cost the same, over the months that are assumed.
WORKED: list[tuple[tuple[int, int, int], tuple[float, float, float], float, str]] = [
    # a query: (200 × 0.15 + 10 × 0.60) / 10⁶ = 0.000036 against 0.00002; 0.06 / 0.000016
    ((40_000, 0, 2_000), (60, 0, 0.02), 1, "up to 3,750"),
    # (200 × 0.15 + 800 × 0.075 + 10 × 0.60) / 10⁶ = 0.000096 against 0.00002; (0.06 + 0.012) / 0.000076 / 12
    ((200_000, 160_000, 2_000), (60, 12, 0.02), 12, "up to 79"),
    # (100 × 0.15 + 5 × 0.60) / 10⁶ = 0.000018 is less than 0.00002: the training is never earned back
    ((20_000, 0, 1_000), (60, 0, 0.02), 1, "always"),
]


@pytest.mark.parametrize(("tokens", "tuned", "months", "expected"), WORKED)
def test_up_to_which_volume_a_hosted_prompt_is_cheaper_than_a_tuned_model(
    tokens: tuple[int, int, int], tuned: tuple[float, float, float], months: float, expected: str, tmp_path: Path
) -> None:
    train, search, query = tuned
    lora = of("small", "causal", tmp_path, "lora", 149, train=train, query=query)
    lora = replace(lora, phases={**lora.phases, "tune": Phase(search, 2**30)})
    used = {"predict": TokensUsed(200, *tokens)}
    price = TokenPrices(input=0.15, output=0.60, cached_input=0.075)
    served = ServedBy("https://example.org/v1", "large", "schema", True, False, used=used, price=price)
    prompted = of("large", "served", tmp_path, "zero-shot", 150, query=9.0, served=served)  # waiting costs nothing
    prices = replaced({"cpu_core_hour": 3.6, "currency": "EUR"}, "test")
    assumed = assumptions.read({"queries_per_month": 100, "months": months}, "test")
    over, *_ = verdicts(run(tmp_path, prompted, lora), prices, assumed)
    assert [(one.a, one.b, crossing(one)) for one in over.crossings] == [
        ("zero-shot with large", "lora with small", expected)
    ]
    shown = {table.title: table for table in tables([over], "EUR")}
    assert "Cheaper: mail with all models" in shown
    assert "cost\n(compute or tokens only)" in shown["Methods: mail with all models"].columns


def test_a_hosted_model_without_a_price_is_named(tmp_path: Path) -> None:
    served = ServedBy("https://example.org/v1", "large", "schema", True, False)
    found = run(
        tmp_path,
        of("large", "served", tmp_path, "zero-shot", 150, served=served),
        of("small", "causal", tmp_path, "lora", 149),
    )
    assert [one.family.model for one in decided(found)] == ["large", "small"]
    [note] = [table for table in notes.tables(found, []) if table.title == "No price, so in no decision"]
    assert note.notes == ("zero-shot on mail with large",)
