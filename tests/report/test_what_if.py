"""The page's own arithmetic of costs says what the decision module says, whatever a reader assumes."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bench.analysis.decision.verdict import Verdict
from bench.core.record import Run
from bench.report.cases import cases
from bench.report.html import page
from bench.report.html.sections.what_if import figures
from tests.decision.test_verdict import method, seeds_of, verdict
from tests.report.test_html import Parsed
from tests.test_comparison import run

PAGE = Path(page.__file__).parent
CALL = """
const given = GIVEN;
console.log(JSON.stringify(given.assumed.map((one) => ({
  costs: given.methods.map((method) => costs.cost(method, one)), ...costs.choose(given.methods, one, given.most)
}))));
"""
_PEOPLE = {"hourly_rate": 50, "setup_hours": {"full": 3}, "upkeep_hours_per_month": {"lora": 1, "other": 0.5}}


def by_script(found: Verdict, assumed: list[dict[str, Any]], most: float | None) -> list[dict[str, Any]]:
    """Costs and choice of each set of assumptions, by the page's script."""
    calls = json.dumps({"methods": figures(found), "assumed": assumed, "most": most})
    script = (PAGE / "costs.js").read_text() + CALL.replace("GIVEN", calls)
    done = subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True)
    return list(json.loads(done.stdout))


def runs(folder: Path) -> dict[str, Run]:
    """A tie that cost decides, a clear winner, and a pair of which either may be better by more than the margin."""
    tie, clear, open_ = (folder / name for name in ("tie", "clear", "open"))
    three = (method(tie, "few-shot", 150, 200, query=0.3), method(tie, "lora", 150, 200, train=50),
             method(tie, "full", 20, 200, train=500, query=0.01))  # fmt: skip
    return {
        "tie": run(tie, *three),
        "clear": run(clear, *seeds_of(clear, "full", 36, 37, 35), method(clear, "few-shot", 12, 40, query=0.3)),
        "open": run(open_, method(open_, "few-shot", 150, 200), method(open_, "lora", 146, 200, train=50, last=True)),
    }


@pytest.mark.skipif(shutil.which("node") is None, reason="no node to run the page's script with")
@pytest.mark.parametrize("name", ["tie", "clear", "open"])
@pytest.mark.parametrize("most", [None, 300.0])
def test_the_script_and_the_decision_module_agree(tmp_path: Path, name: str, most: float | None) -> None:
    measured = runs(tmp_path)[name]
    fixed = {**_PEOPLE, "months": 3, "hosting_per_month": {"few-shot": 4, "other": 9}}
    fixed |= {} if most is None else {"require": {"money_per_month": most}}
    draw = random.Random(7)
    given = [{"queries": 10 ** draw.uniform(0, 4), "updates": draw.choice([0, draw.uniform(0, 9)])} for _ in range(15)]
    assumed = [{**one, "price": 1, "months": 3} for one in given]
    found = by_script(verdict(measured, **fixed), assumed, most)
    choices = set()
    for one, said in zip(given, found, strict=True):
        volume = {"queries_per_month": one["queries"], "updates_per_month": one["updates"]}
        expected = verdict(measured, **fixed, **volume)
        labels = [standing.label for standing in expected.standings]
        assert said["costs"] == pytest.approx([standing.cost for standing in expected.standings])
        chosen = labels[said["place"]] if said["place"] >= 0 else None
        assert (chosen, said["open"]) == (expected.choice, expected.undecided)
        choices.add(chosen)
    assert len(choices) > 1 or name != "tie"  # the volumes reach over the one at which the cheaper method changes


@pytest.mark.skipif(shutil.which("node") is None, reason="no node to run the page's script with")
def test_another_price_of_compute_leaves_people_and_hosting_alone(tmp_path: Path) -> None:
    found = verdict(runs(tmp_path)["tie"], **_PEOPLE, hosting_per_month=10)
    assumed = {"queries": 100, "updates": 2, "months": 1}
    one, four = by_script(found, [{**assumed, "price": 1}, {**assumed, "price": 4}], None)
    few_shot = [standing.label for standing in found.standings].index("few-shot")
    assert one["costs"][few_shot] == pytest.approx(100 * 0.3 + 10 + 0.5 * 50)
    assert four["costs"][few_shot] == pytest.approx(4 * 100 * 0.3 + 10 + 0.5 * 50)


def test_the_costs_as_assumed_stand_in_the_page_without_a_script(tmp_path: Path) -> None:
    [case] = cases([runs(tmp_path)["tie"]])
    assert case.verdict is not None
    found = Parsed(page.html([case.run]))
    given = [json.loads(one["data-figures"] or "") for one in found.named("tr") if "data-figures" in one]
    assert given == figures(case.verdict)
    [chosen] = [one for one in found.named("tr") if one.get("class") == "chosen"]
    place = [one.get("data-figures") for one in found.named("tr") if "data-figures" in one].index(
        chosen["data-figures"]
    )
    assert case.verdict.standings[place].label == case.verdict.choice
    assert all("hidden" in one for one in found.named("form"))
