"""What people and programs read of a verdict, a plan and a draft, word for word, from figures chosen by hand."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from bench.analysis.statistics.intervals import Interval
from bench.analysis.statistics.onesided import OneSided
from bench.core.record import Run
from bench.gate.draft import Draft
from bench.gate.expand import Kind, Planned
from bench.gate.flips import Flips, ItemFlip
from bench.gate.measure import Measured
from bench.gate.outputs import data, junit, markdown, terminal, words
from bench.gate.outputs.policy_file import policy_file
from bench.gate.plan import Need
from bench.gate.policy import Policy, Tier
from bench.gate.rules import Status
from bench.gate.verdict import GateFinding, GateVerdict
from bench.report.table import Text
from bench.store.run_folder import read_run
from tests.gate.made import simple


def check(method: str, kind: Kind = "quality", name: str = "accuracy", tier: Tier = "critical") -> Planned:
    detect = None if kind == "cost" else 0.1
    return Planned(kind, "m", "mail", method, name, tier, 0.02, detect, "facts" if kind == "retention" else "")


def tails(difference: float, low: float, high: float) -> OneSided:
    return OneSided(
        difference, 0.01, 200, "a test", lambda _: 0.5, lambda _: 0.5, lambda level: Interval(low, high, level)
    )


def finding(
    status: Status,
    reason: str,
    planned: Planned,
    figures: tuple[float | None, float | None] = (None, None),
    own: OneSided | None = None,
    **more: object,
) -> GateFinding:
    seeds = more.pop("seeds", (0, 0))
    found = Measured(planned, *figures, seeds=seeds, resampled=seeds != (0, 0))  # type: ignore[arg-type]
    return GateFinding(found, status, reason, 0.02, tails=own, **more)  # type: ignore[arg-type]


FELL = finding(
    "regression", "fell by 0.200, beyond the margin of 0.020", check("fell"), (0.75, 0.55), tails(-0.2, -0.27, -0.13),
    p=1e-5, p_adjusted=1.234e-4, power=0.99, floor=0.01,
)  # fmt: skip
ROSE = finding(
    "warn", "rose by 50%, within the limit of 60%", check("dear", "cost", "output_tokens", "supporting"),
    (12.5, 18.75), tails(-0.5, -0.6, -0.4), p=0.01, p_adjusted=0.02,
)  # fmt: skip
FORGOT = finding(
    "inconclusive", "too few items", check("lora", "retention", "exact_match", "supporting"), (0.5, 0.5),
    seeds=(1, 3), question="training",
)  # fmt: skip
GONE = finding("missing", "not in the candidate", check("gone"))
OTHER = finding("not_comparable", "not the same items (9, now 8)", check("other", tier="advisory"))
LOST = finding("regression", "rose by 0.5", check("advised", name="bits_per_byte", tier="advisory"), (2.0, 2.5))
KEPT = finding("pass", "", check("kept"), (0.75, 0.75))
ALL = (KEPT, ROSE, FORGOT, LOST, OTHER, GONE, FELL)
VERDICT = GateVerdict(1, "regression", 0.05, 3, ALL, ("candidate: one cell was not measured",), ("never calibrated",))
FLIPS = Flips(2, 1, (ItemFlip("test/1", -1.0, "yes", "no", "is it?", "yes"), ItemFlip("test/2", 0.25, "a", "")))


def test_the_gravest_come_first_and_of_them_those_that_decide() -> None:
    assert words.ordered(ALL) == [FELL, GONE, LOST, OTHER, FORGOT, ROSE, KEPT]


def test_figures_of_every_kind() -> None:
    assert words.figures(FELL) == ("0.750", "0.550", "-0.200", "-0.270 to -0.130", "−0.020", "0.000123")
    assert words.figures(ROSE) == ("12.5", "18.75", "+50.0%", "+40.0% to +60.0%", "+2%", "0.02")
    assert words.figures(GONE) == ("–", "–", "–", "–", "−0.020", "–")
    assert words.figures(LOST) == ("2.000", "2.500", "+0.500", "–", "+0.020", "–")
    assert words.figures(KEPT)[2] == "+0.000"
    one_side = replace(KEPT, measured=replace(KEPT.measured, candidate=None))
    assert words.figures(one_side) == ("–", "–", "–", "–", "−0.020", "–")
    from_nothing = replace(ROSE, measured=replace(ROSE.measured, baseline=0.0), tails=None)
    assert words.figures(from_nothing)[:4] == ("0", "18.75", "–", "–")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.0, "3"),
        (1234.0, "1,234"),
        (9999.5, "1e+04"),
        (10_000.4, "10,000"),
        (-10_000.4, "-10,000"),
        (12.3456, "12.35"),
    ],
)
def test_amounts_of_counters(value: float, text: str) -> None:
    assert words.amount(value) == text


def test_counts_and_headlines() -> None:
    said = "7 checks, 2 regression, 1 missing, 1 not comparable, 1 inconclusive, 1 warn, 1 pass"
    assert words.counted(VERDICT) == said
    assert words.counted(replace(VERDICT, findings=(KEPT,))) == "1 check, 1 pass"
    scope = "for these checkpoints, fewer than 3 seeds: lora"
    assert words.checkpoints(VERDICT) == scope
    fell = "m · mail · fell · accuracy: fell by 0.200, beyond the margin of 0.020"
    assert words.headline(VERDICT) == f"REGRESSION: {fell} ({scope})"
    missing = replace(VERDICT, exit_code=4, findings=(KEPT, GONE), problems=("b", "c", "d"))
    assert words.headline(missing) == "INCOMPLETE: m · mail · gone · accuracy: not in the candidate; b; c; and 1 more"
    assert words.headline(replace(missing, problems=("b", "c"))).endswith(": not in the candidate; b; c")
    passed = replace(VERDICT, exit_code=0, findings=(KEPT,))
    assert words.headline(passed) == "PASS: 1 check, 1 pass"
    here = replace(KEPT, question="checkpoints")
    assert words.checkpoints(replace(VERDICT, findings=(here, KEPT))) == "for these checkpoints: kept"
    alone = replace(VERDICT, exit_code=3, findings=(FORGOT, replace(FORGOT, measured=replace(
        FORGOT.measured, planned=check("full", "retention", "exact_match"))), KEPT))  # fmt: skip
    assert words.headline(alone) == (
        "INCONCLUSIVE: m · mail · full · facts: exact_match: too few items; candidate: one cell was not measured "
        "(for these checkpoints, fewer than 3 seeds: lora, full)"
    )


def test_what_a_check_without_power_sees() -> None:
    planned, cost = check("weak"), check("dear", "cost", "output_tokens")
    assert words.sees(Need(planned, 100)) == "has power, but would take it from checks of quality"
    assert words.sees(Need(planned, 100, refusal="gone")) == "gone"
    known = Need(planned, 100, 0.3, 1234, "too weak", room=0.5, smallest=0.2)
    assert words.sees(known) == "finds a drop of 0.200 or more; for 0.100, 1,234 items are needed"
    assert words.sees(replace(known, smallest=None)) == "finds no drop; for 0.100, 1,234 items are needed"
    low = replace(known, room=0.05)
    assert words.takes(low) == "its score of 0.050 cannot lose 0.100"
    assert words.takes(replace(known, room=0.1)) == "for 0.100, 1,234 items are needed"
    assert words.takes(replace(known, planned=replace(planned, detect=None))) == "for 0.040, 1,234 items are needed"
    seeds = Need(cost, 100, 0.3, None, "too weak", seeds=7, smallest=0.5)
    assert words.sees(seeds) == "finds a rise of 50% or more; for 4%, 7 seeds are needed"
    assert words.takes(replace(seeds, needed=20)) == "for 4%, 7 seeds or 20 items are needed"
    assert words.takes(replace(seeds, seeds=None)) == "for 4%, more than 20 seeds are needed"


def test_a_verdict_in_a_terminal() -> None:
    remedy = "To see the items that got worse: --markdown. If the change is meant: `adaptbench baseline accept "
    assert terminal.brief(VERDICT) == [
        f"REGRESSION: {words.counted(VERDICT)} (for these checkpoints, fewer than 3 seeds: lora)",
        "  regression: m · mail · fell · accuracy 0.750 → 0.550 (-0.200 [-0.270 to -0.130], tolerated −0.020): "
        "fell by 0.200, beyond the margin of 0.020",
        "  missing: m · mail · gone · accuracy: not in the candidate",
        f"  {remedy}CANDIDATE --name NAME --replace`, then calibrate again.",
        "  To measure what is missing: the same `adaptbench run` again, which goes on where it stopped.",
        "  candidate: one cell was not measured",
        "  never calibrated",
        "  --full: every figure, and 4 checks that decide nothing",
    ]
    assert terminal.brief(GateVerdict(0, "regression", 0.05, 1, (KEPT,))) == ["PASS: 1 check, 1 pass"]
    quiet = terminal.brief(GateVerdict(0, "regression", 0.05, 1, (KEPT, ROSE)))
    assert quiet[1:] == ["  --full: every figure, and 1 checks that decide nothing"]
    unsure = replace(FORGOT, measured=replace(FORGOT.measured, planned=check("lora")))
    changed = finding("not_comparable", "", check("new"), (0.5, 0.4))
    lines = terminal.brief(GateVerdict(3, "regression", 0.05, 1, (unsure, changed)))
    assert lines[1:] == [
        "  not comparable: m · mail · new · accuracy 0.500 → 0.400 (-0.100, tolerated −0.020)",
        "  inconclusive: m · mail · lora · accuracy 0.500 → 0.500 (+0.000, tolerated −0.020): too few items",
        "  To compare: measure both with the same items, prompt and hardware, or accept a new baseline.",
        "  To tell: more seeds or test items, or a policy that the baseline has power for (`gate init`).",
        "  --full: every figure",
    ]


@pytest.mark.parametrize(("count", "more"), [(10, []), (11, ["  and 1 more"])])
def test_a_terminal_shows_ten_checks_and_ten_remarks(count: int, more: list[str]) -> None:
    notes = tuple(f"note {i}" for i in range(count))
    lines = terminal.brief(GateVerdict(4, "regression", 0.05, 1, (GONE,) * count, (), notes))
    assert lines[1:11] == ["  missing: m · mail · gone · accuracy: not in the candidate"] * 10
    assert lines[11 : 11 + len(more)] == more
    assert lines[-11:] == [*(f"  note {i}" for i in range(10)), "  --full: every figure"]


def test_a_verdict_as_a_table() -> None:
    sheet = terminal.table(VERDICT)
    assert sheet.title == f"{words.counted(VERDICT)}; mode regression, alpha 0.05 over 3 tests"
    assert sheet.notes == ("candidate: one cell was not measured", "never calibrated")
    assert sheet.columns == (
        "check", "baseline", "candidate", "change", "interval", "tolerated", "p\n(Holm)", "outcome",
    )  # fmt: skip
    assert [row[0].text for row in sheet.rows] == [
        "m · mail · fell · accuracy", "m · mail · gone · accuracy", "m · mail · advised · bits_per_byte",
        "m · mail · other · accuracy", "m · mail · lora · facts: exact_match",
        "m · mail · dear · output_tokens (tokens per item)",
    ]  # fmt: skip
    assert [row[-1] for row in sheet.rows] == [
        Text("regression\nfell by 0.200, beyond the margin of 0.020", "bad"),
        Text("missing\nnot in the candidate", "bad"),
        Text("regression\nrose by 0.5\n(advisory)"),
        Text("not comparable\nnot the same items (9, now 8)\n(advisory)"),
        Text("inconclusive\ntoo few items\n(supporting)"),
        Text("warn\nrose by 50%, within the limit of 60%\n(supporting)"),
    ]
    assert [cell.text for cell in sheet.rows[0][1:-1]] == list(words.figures(FELL))
    assert terminal.table(replace(VERDICT, findings=(KEPT,))).columns == ()


def test_a_plan_in_a_terminal() -> None:
    lacking = Need(check("weak"), 50, 0.3, 400, "too weak", room=0.5, smallest=0.2)
    advised = Need(check("told", tier="advisory"), 50, 0.3, 400, "too weak", room=0.5)
    able = Need(check("kept"), 500, 0.9, 300)
    assert terminal.planned([able, advised, lacking]) == [
        "REFUSED: 1 critical checks could not find what they are for; checks: 3, without power: 2",
        "  critical: m · mail · weak · accuracy: finds a drop of 0.200 or more; for 0.100, 400 items are needed",
        "  advisory: m · mail · told · accuracy: finds no drop; for 0.100, 400 items are needed",
    ]
    assert terminal.planned([able, advised])[0] == (
        "PASS: no critical check could miss what it is for; checks: 2, without power: 1"
    )
    assert len(terminal.planned([lacking] * 10)) == 11
    assert terminal.planned([lacking] * 12)[-1] == "  and 2 more (--full: every figure)"
    costs = Need(check("dear", "cost", "predict_s"), 50, refusal="its noise was never measured")
    row = terminal.plan_sheet([costs], "regression", 0.8).rows[0]
    assert [cell.text for cell in row[1:]] == ["critical", "2%", "–", "50", "–", "–", "its noise was never measured"]
    assert row[-1].style == "bad"
    assert terminal.plan_sheet([costs], "regression", 0.8).title == "What the policy could find"
    heads = terminal.plan_sheet([], "non-inferiority", 0.75).columns
    assert heads == ("check", "tier", "tolerated", "must be\nfound", "items", "chance\nto pass", "items for\n0.75",
                     "remark")  # fmt: skip


def drafted() -> Draft:
    narrow, wide, dear = check("kept"), replace(check("lora"), detect=0.2), check("kept", "cost", "output_tokens")
    needs = Need(replace(wide, detect=0.1), 50, 0.3, 400, "too weak", room=0.5, smallest=0.2)
    lost = Need(check("weak", "retention", "exact_match"), 50, 0.3, None, "too weak", seeds=5, room=0.5)
    rest = Need(check("weak", "cost", "output_tokens"), 50, 0.3, None, "too weak", seeds=5)
    policy = Policy.model_validate({"cost": [{"counter": "output_tokens", "limit": "2%"}]})
    control = check("oracle", "cost", "output_tokens")
    other = replace(check("lora", "cost", "output_tokens"), margin=0.31)
    return Draft(policy, (narrow, wide, dear, other), (needs,), (rest, lost), (control,), ("lora", "full"))


def test_a_draft_in_a_terminal() -> None:
    assert terminal.drafted(drafted(), "gate.yaml") == [
        "gate.yaml: 4 checks (2 of quality, 0 of retention, 2 of cost)",
        "Left out, for lack of power: 2",
        "  m · mail · weak · facts: exact_match: finds no drop; for 0.100, 5 seeds are needed",
        "  m · mail · weak · output_tokens: finds no rise; for 4%, 5 seeds are needed",
        "Kept, though only larger drops than usual are found: 1",
        "  m · mail · lora · accuracy: finds a drop of 0.200 or more; for 0.100, 400 items are needed",
        "Fewer than 3 seeds (lora, full): another seed alone can make the gate inconclusive",
        "Next: commit gate.yaml and the baseline; docs/gate.md has the lines for CI.",
    ]
    many = replace(drafted(), left_out=drafted().left_out * 4, wider=(), few_seeds=())
    lines = terminal.drafted(many, "gate.yaml")
    assert (lines[1], lines[7:]) == (
        "Left out, for lack of power: 8",
        [
            "  and 3 more (all in gate.yaml)",
            "Next: commit gate.yaml and the baseline; docs/gate.md has the lines for CI.",
        ],
    )


def test_a_draft_as_a_file(tmp_path: Path) -> None:
    run = read_run(simple(tmp_path / "run", [1.0, 0.0]))
    head = (
        "# What this baseline has the power for, by `adaptbench gate init`. docs/gate.md explains every key.\n"
        "mode: regression\n"
        "alpha: 0.05  # probability of failing an unchanged candidate, over all checks\n"
        "power: 0.8  # probability of finding a drop of `detect`\n"
        "quality:\n"
        "  - {task: mail, method: kept, metric: accuracy, margin: 2%, detect: 10%}\n"
        "  - {task: mail, method: lora, metric: accuracy, margin: 2%, detect: 20%}  # for 0.100, 400 items are needed\n"
        "  # retention, left out:\n"
        "  #   m · mail · weak · facts: exact_match: finds no drop; for 0.100, 5 seeds are needed\n"
        "cost:\n"
    )
    left = (
        "  # cost, left out of the verdict:\n"
        "  #   m · mail · weak · output_tokens: finds no rise; for 4%, 5 seeds are needed\n"
    )
    assert (
        policy_file(drafted(), run, whole=True)
        == head
        + (
            "  - {counter: output_tokens, limit: 2%}\n"
            "  - {task: mail, method: lora, counter: output_tokens, limit: 31%}\n"
            "  - {task: mail, method: weak, counter: output_tokens, limit: 2%, tier: advisory}\n"
            "  - {task: mail, method: oracle, counter: output_tokens, limit: 2%, tier: advisory}\n"
        )
        + left
    )
    assert (
        policy_file(drafted(), run, whole=False)
        == head
        + (
            "  - {task: mail, method: kept, counter: output_tokens, limit: 2%}\n"
            "  - {task: mail, method: lora, counter: output_tokens, limit: 31%}\n"
        )
        + left
    )


def test_entries_of_a_drafted_file(tmp_path: Path) -> None:
    """Two models are named; a probe, a tier, a metric of 0 to 100 and what YAML would read as no text are too."""
    run = read_run(simple(tmp_path / "run", [1.0, 0.0]))
    both: Run = replace(run, records=(*run.records, replace(run.records[0], model="n")))
    first = replace(check("null", name="bleu", tier="advisory"), margin=1.5, detect=None)
    second = replace(check("a: b", "retention", "exact_match", "supporting"), task="50%", detect=0.05, margin=0.012345)
    made = Draft(Policy.model_validate({}), (first, second), (), (), (), ())
    assert policy_file(made, both, whole=True).splitlines()[4:] == [
        "quality:",
        '  - {model: m, task: mail, method: "null", metric: bleu, margin: 1.5%, detect: 3%, tier: advisory}',
        "retention:",
        '  - {model: m, task: 50%, method: "a: b", probe: facts, metric: exact_match, margin: 1.234%, detect: 5%, '
        "tier: supporting}",
    ]


def test_junit_word_for_word() -> None:
    root = ET.fromstring(junit.junit(VERDICT))
    assert root.attrib == {"name": "adaptbench gate", "tests": "8", "failures": "1", "errors": "2", "skipped": "3"}
    suites = {suite.get("name"): suite for suite in root}
    assert list(suites) == ["adaptbench.quality", "adaptbench.retention", "adaptbench.cost", "adaptbench.run"]
    assert suites["adaptbench.quality"].attrib == {
        "name": "adaptbench.quality", "tests": "5", "time": "0", "failures": "1", "errors": "1", "skipped": "2",
    }  # fmt: skip
    cases = {case.get("name", "").split(" · ")[2]: case for case in suites["adaptbench.quality"]}
    assert cases["fell"].attrib == {
        "classname": "adaptbench.quality", "name": "m · mail · fell · accuracy", "time": "0",
    }  # fmt: skip
    failure = cases["fell"].find("failure")
    assert failure is not None
    said = "regression: fell by 0.200, beyond the margin of 0.020"
    assert failure.attrib == {"message": said, "type": "regression"}
    assert failure.text == (
        f"{said}\nbaseline 0.750, candidate 0.550, change -0.200, interval -0.270 to -0.130, limit −0.020, p 0.000123"
    )
    error, skipped = cases["gone"].find("error"), cases["other"].find("skipped")
    assert error is not None
    assert skipped is not None
    assert error.attrib == {"message": "missing: not in the candidate", "type": "missing"}
    assert skipped.attrib == {"message": "not comparable: not the same items (9, now 8) (advisory)"}
    assert skipped.text == "baseline –, candidate –, change –, interval –, limit −0.020, p –"
    assert len(cases["kept"]) == 0
    warned = suites["adaptbench.cost"][0].find("system-out")
    assert warned is not None
    assert warned.text == (
        "warn: rose by 50%, within the limit of 60%\nbaseline 12.5, candidate 18.75, change +50.0%, "
        "interval +40.0% to +60.0%, limit +2%, p 0.02"
    )
    unsure = replace(FORGOT, measured=replace(FORGOT.measured, planned=check("lora")))
    told = ET.fromstring(junit.junit(GateVerdict(3, "regression", 0.05, 1, (unsure,)))).find(".//skipped")
    assert told is not None
    assert told.attrib == {"message": "inconclusive: too few items"}
    problem = suites["adaptbench.run"][0]
    text = "candidate: one cell was not measured"
    assert problem.attrib == {"classname": "adaptbench.run", "name": text, "time": "0"}
    assert (problem[0].tag, problem[0].attrib, problem[0].text) == ("error", {"message": text, "type": "missing"}, text)
    assert suites["adaptbench.run"].attrib["errors"] == "1"


def test_junit_of_nothing_and_without_a_problem() -> None:
    nothing = junit.junit(GateVerdict(4, "regression", 0.05, 0, ()))
    assert nothing.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites')
    [suite] = ET.fromstring(nothing)
    assert (suite.get("name"), suite[0].get("name")) == ("adaptbench.run", "INCOMPLETE: 0 checks")
    [alone] = ET.fromstring(junit.junit(GateVerdict(0, "regression", 0.05, 1, (KEPT,))))
    assert alone.get("name") == "adaptbench.quality"


def test_markdown_word_for_word() -> None:
    """Signs that Markdown could read stand as references: `:` 58, `_` 95, `·` and `−` are no ASCII."""
    lines = markdown.summary(VERDICT, {6: FLIPS}, "my gate").split("\n")
    head = "m · mail · fell · accuracy&#58; fell by 0.200, beyond the margin of 0.020"
    assert lines[:9] == [
        "<!-- adaptbench-gate: my-gate -->",
        "## adaptbench gate: regression",
        "",
        f"REGRESSION&#58; {head} (for these checkpoints, fewer than 3 seeds&#58; lora)",
        "",
        f"{words.counted(VERDICT)}; mode regression, alpha 0.05 over 3 tests",
        "",
        "| check | baseline | candidate | change | interval | tolerated | p (Holm) | outcome |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    assert lines[9] == (
        "| <code>m · mail · fell · accuracy</code> | 0.750 | 0.550 | -0.200 | -0.270 to -0.130 | −0.020 | 0.000123 "
        "| **regression**: fell by 0.200, beyond the margin of 0.020 |"
    )
    assert lines[14] == (
        "| <code>m · mail · dear · output&#95;tokens</code> (tokens per item) | 12.5 | 18.75 | +50.0% "
        "| +40.0% to +60.0% | +2% | 0.02 | warn (supporting): rose by 50%, within the limit of 60% |"
    )
    assert lines[15].endswith("| pass |")
    assert lines[16:] == [
        "",
        "- candidate&#58; one cell was not measured",
        "- never calibrated",
        "",
        "### Changed items: <code>m · mail · fell · accuracy</code>",
        "",
        "2 got worse, 1 got better; first seed, the largest losses first",
        "",
        "| item | input | reference | baseline | candidate | change |",
        "| --- | --- | --- | --- | --- | ---: |",
        "| <code>test/1</code> | <code>is it?</code> | <code>yes</code> | <code>yes</code> | <code>no</code> | -1 |",
        "| <code>test/2</code> | – | – | <code>a</code> | – | +0.25 |",
        "",
    ]
    bare = Flips(1_000, 2_000, (ItemFlip("test/2", 0.25, "a", "b"),), "the task is gone: x")
    short = markdown.comment(VERDICT, {6: bare, 3: bare}, "gate").split("\n")
    assert "| <code>m · mail · kept · accuracy</code>" not in "\n".join(short)
    at = short.index("### Changed items: <code>m · mail · fell · accuracy</code>")
    assert short[at + 2 :] == [
        "1,000 got worse, 2,000 got better; first seed, the largest losses first",
        "",
        "The items' texts are not shown: the task is gone&#58; x",
        "",
        "| item | baseline | candidate | change |",
        "| --- | --- | --- | ---: |",
        "| <code>test/2</code> | <code>a</code> | <code>b</code> | +0.25 |",
        "",
    ]


def test_markdown_without_checks_has_no_table() -> None:
    assert markdown.comment(GateVerdict(0, "regression", 0.05, 1, (KEPT,)), {}, "") == (
        "<!-- adaptbench-gate: gate -->\n## adaptbench gate: pass\n\nPASS&#58; 1 check, 1 pass\n\n"
        "1 check, 1 pass; mode regression, alpha 0.05 over 1 tests\n\n"
    )


def test_a_comment_says_what_it_leaves_out() -> None:
    verdict = GateVerdict(4, "regression", 0.05, 1, (GONE,) * 9, tuple("abc"), tuple("de"))
    lines = markdown.comment(verdict, {}, "x").split("\n")
    assert lines[-10:] == [
        "", "1 more checks that did not pass: gate.json holds them all", "", "- a", "- b", "- c", "- d", "",
        "1 more remarks: gate.json holds them all", "",
    ]  # fmt: skip
    assert sum(line.startswith("| <code>") for line in lines) == 8
    whole = markdown.comment(replace(verdict, findings=(GONE,) * 8, notes=("d",)), {}, "x")
    assert "gate.json holds them all" not in whole


@pytest.mark.parametrize(
    ("text", "longest", "made"),
    [
        ("", 9, "–"),
        ("abc", 3, "<code>abc</code>"),
        ("abcd", 3, "<code>abc…</code>"),
        ("a\n b", 9, "<code>a b</code>"),
        ("see www.x.y", 20, "<code>see www&#46;x.y</code>"),
        ("ä@b", 9, "<code>ä&#64;b</code>"),
    ],
)
def test_foreign_text(text: str, longest: int, made: str) -> None:
    assert markdown.code(text, longest) == made


def test_json_word_for_word() -> None:
    made = data.to_json(VERDICT, {"baseline": "a", "policy": ""}, {6: FLIPS})
    checks = json.loads(json.dumps(made.pop("checks")))
    version = made.pop("adaptbench")
    assert version
    assert made == {
        "schema": 1, "verdict": "regression", "exit_code": 1, "headline": words.headline(VERDICT),
        "mode": "regression", "alpha": 0.05, "family": 3, "baseline": "a", "candidate": None, "policy": "",
        "problems": ["candidate: one cell was not measured"], "notes": ["never calibrated"],
    }  # fmt: skip
    assert checks[6] == {
        "kind": "quality", "model": "m", "task": "mail", "method": "fell", "probe": None, "name": "accuracy",
        "unit": None, "tier": "critical", "status": "regression", "decides": True, "reason": FELL.reason,
        "baseline": 0.75, "candidate": 0.55, "difference": pytest.approx(-0.2),
        "interval": {"low": -0.27, "high": -0.13, "level": 0.9}, "p": 1e-5, "p_adjusted": 1.234e-4, "margin": 0.02,
        "detect": 0.1, "power": 0.99, "noise_floor": 0.01, "items": None, "seeds": None, "question": None,
        "this_checkpoint_only": False, "statistic": "a test",
        "flips": {
            "lost": 2, "gained": 1, "why_no_text": "",
            "shown": [
                {"id": "test/1", "gain": -1.0, "baseline": "yes", "candidate": "no", "input": "is it?",
                 "reference": "yes"},
                {"id": "test/2", "gain": 0.25, "baseline": "a", "candidate": "", "input": "", "reference": ""},
            ],
        },
    }  # fmt: skip
    dear, forgot, lost = checks[1], checks[2], checks[3]
    assert (dear["unit"], dear["interval"]["low"], dear["interval"]["high"]) == ("tokens per item", 0.4, 0.6)
    assert (dear["difference"], dear["detect"], dear["flips"]) == (6.25, None, None)
    assert (forgot["probe"], forgot["seeds"]) == ("facts", {"candidate": 1, "baseline": 3})
    assert (forgot["this_checkpoint_only"], forgot["question"]) == (True, "training")
    assert (lost["difference"], lost["statistic"], lost["interval"]) == (0.5, None, None)
    assert checks[0]["difference"] == 0.0
    here = replace(VERDICT, findings=(replace(KEPT, question="checkpoints"),))
    assert data.to_json(here, {}, {})["checks"][0]["this_checkpoint_only"] is True
    half = replace(KEPT, measured=replace(KEPT.measured, candidate=None))
    assert data.to_json(replace(VERDICT, findings=(half,)), {}, {})["checks"][0]["difference"] is None
