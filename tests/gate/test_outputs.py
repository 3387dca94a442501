"""What a verdict is written down as: schema, JUnit, Markdown within its caps, hostile text."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from junitparser import Error, Failure, JUnitXml, Skipped
from markdown_it import MarkdownIt

from bench.analysis.statistics import onesided
from bench.analysis.statistics.paired import PairedTable
from bench.core.training import Training
from bench.gate.flips import Flips, ItemFlip, Texts, flips
from bench.gate.measure import Measured
from bench.gate.outputs import data, files, junit, markdown
from bench.gate.outputs.words import headline
from bench.gate.policy import Policy
from bench.gate.run import Gated, gate
from bench.gate.verdict import GateVerdict, judge
from bench.store.run_folder import read_run
from tests.gate.made import Made, shares, simple
from tests.gate.test_rates import measured

HOSTILE = (
    "<script>alert(1)</script> ![x](http://a.example) @team `x` | **b** </code> \x1b[31m \u202e www.a.example\n# h"
)
VALIDATOR = Draft202012Validator(data.schema())
POLICY = Policy.model_validate(
    {
        "quality": [{"margin": 0.02, "detect": 0.1}, {"method": "advised", "margin": 0.02, "tier": "advisory"}],
        "cost": [{"counter": "prompt_tokens", "limit": "10%"}],
    }
)


@pytest.fixture
def gated(tmp_path: Path) -> Gated:
    """One check of every status."""
    old, new = Made(tmp_path / "old"), Made(tmp_path / "new")
    for method, lost, gained, n in (
        ("fell", 40, 0, 200), ("advised", 40, 0, 200), ("slipped", 3, 0, 200), ("unclear", 4, 3, 40),
        ("kept", 0, 0, 200),        ("gone", 0, 0, 200), ("other", 0, 0, 200),
    ):  # fmt: skip
        before, now = shares(n, n // 2, lost=lost, gained=gained)
        old.cell(method, before, outputs=[HOSTILE] * n)
        if method != "gone":
            changes: dict[str, Any] = {"questions": "others"} if method == "other" else {}
            new.cell(method, now, outputs=[f"{HOSTILE}!"] * n, **changes)
    return gate(old.done(), new.done(), POLICY, "gate.yaml")


def content(gated: Gated) -> dict[str, Any]:
    found = data.to_json(gated.verdict, {"baseline": "a", "candidate": "b"}, files.shown(gated))
    return dict(json.loads(json.dumps(found, allow_nan=False)))


def test_the_json_is_what_its_schema_says(gated: Gated) -> None:
    found = content(gated)
    VALIDATOR.validate(found)
    statuses = {check["method"]: check["status"] for check in found["checks"] if check["kind"] == "quality"}
    assert statuses == {
        "fell": "regression", "advised": "regression", "slipped": "pass", "unclear": "inconclusive", "kept": "pass",
        "gone": "missing", "other": "not_comparable",
    }  # fmt: skip
    assert (found["verdict"], found["exit_code"]) == ("regression", 1)
    [fell] = (check for check in found["checks"] if (check["method"], check["kind"]) == ("fell", "quality"))
    assert fell["difference"] == pytest.approx(-0.2)
    assert fell["interval"]["low"] < -0.2 < fell["interval"]["high"] < 0
    assert (fell["flips"]["lost"], fell["flips"]["gained"], len(fell["flips"]["shown"])) == (40, 0, 40)
    assert fell["flips"]["shown"][0]["baseline"] == HOSTILE
    assert fell["statistic"].startswith("McNemar")


@pytest.mark.parametrize("key", ["verdict", "checks", "exit_code"])
def test_the_schema_refuses_what_is_not_it(key: str, gated: Gated) -> None:
    found = content(gated)
    del found[key]
    assert not VALIDATOR.is_valid(found)
    assert not VALIDATOR.is_valid({**content(gated), "more": 1})


def test_the_schema_describes_every_field() -> None:
    def described(part: dict[str, Any]) -> bool:
        return all("description" in one or "$ref" in one for one in part["properties"].values())

    assert described(data.schema())
    assert all(described(part) for name, part in data.schema()["$defs"].items() if name != "interval")


def test_junit_as_a_parser_reads_it(gated: Gated) -> None:
    xml = JUnitXml.fromstring(junit.junit(gated.verdict).encode())
    cases = {case.name: case for suite in xml for case in suite if suite.name == "adaptbench.quality"}

    def result(method: str) -> list[type]:
        return [type(one) for one in cases[f"m · mail · {method} · accuracy"].result]

    assert result("fell") == [Failure]
    assert result("advised") == [Skipped]
    assert result("unclear") == [Skipped]
    assert result("gone") == [Error]
    assert result("other") == [Error]
    assert result("kept") == []
    found = cases["m · mail · fell · accuracy"].result[0]
    assert found.message == "regression: fell by 0.200, beyond the margin of 0.020"
    assert (xml.failures, xml.tests) == (1, len(gated.verdict.findings))
    assert xml.errors == 3  # the method that is gone misses its tokens too
    assert xml.skipped == 2


def test_junit_of_what_could_not_be_read() -> None:
    broken = GateVerdict(4, "regression", 0.05, 0, (), (f"candidate: {HOSTILE}\ufffe\x00 cannot be read",))
    xml = JUnitXml.fromstring(junit.junit(broken).encode())
    assert (xml.tests, xml.errors) == (1, 1)
    VALIDATOR.validate(data.to_json(broken, {}, {}))
    assert "<script>" not in markdown.summary(broken, {}, "main")


def rendered(text: str) -> str:
    return str(MarkdownIt("gfm-like", {"linkify": False}).render(text))


def test_hostile_text_stays_text(gated: Gated) -> None:
    for text in (markdown.summary(gated.verdict, files.shown(gated), "main"), markdown.comment(gated.verdict, {}, "x")):
        assert "<script" not in text
        assert "\x1b" not in text
        assert "\u202e" not in text
    text = markdown.comment(gated.verdict, files.shown(gated), "main")
    html = rendered(text)
    assert "<img" not in html
    assert "<a " not in html
    assert "<h1" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    # A mention is made of an @ outside of code alone: there is none.
    outside = "".join(part.split("</code>")[-1] for part in html.split("<code>"))
    assert "@" not in outside
    rows = [line for line in text.splitlines() if line.startswith("| <code>test/")]
    assert rows
    assert {line.count("|") for line in rows} == {5}  # of four cells each


def test_names_are_escaped_too(tmp_path: Path) -> None:
    name = "a|b <b>@x"
    old, new = simple(tmp_path / "old", [1.0] * 50, task=name), Made(tmp_path / "new")
    new.cell("zero-shot", [0.0] * 50, task=name)
    found = gate(old, new.done(), Policy.model_validate({"quality": [{"margin": 0.02}]}), "gate.yaml")
    text = markdown.comment(found.verdict, files.shown(found), "main")
    assert "<b>" not in text
    assert "<b>" not in rendered(text)
    assert JUnitXml.fromstring(junit.junit(found.verdict).encode()).failures == 1


def many(checks: int, flips: int) -> tuple[GateVerdict, dict[int, Flips]]:
    """Checks that failed with so many changed items in all, each with long texts."""
    drop = onesided.of_counts(PairedTable(100, 0, 60, 40))
    found = judge([measured(i, drop, 0.0, 0.1) for i in range(checks)], Policy())
    long = ("é" * 600, HOSTILE * 9, "words " * 100, "€" * 600)
    shown = tuple(ItemFlip(f"test/{i}", -1.0, *long) for i in range(flips // checks))
    return found, {place: Flips(len(shown), 0, shown) for place in range(checks)}


@pytest.mark.parametrize("checks", [1, 50, 1_000])
def test_caps_hold_with_ten_thousand_flips(checks: int) -> None:
    verdict, shown = many(checks, 10_000)
    comment = markdown.comment(verdict, shown, "main")
    summary = markdown.summary(verdict, shown, "main")
    assert len(comment.encode()) <= 64 * 1000 <= 65_536
    assert len(summary.encode()) <= 1024 * 1024
    assert comment.startswith("<!-- adaptbench-gate: main -->\n## adaptbench gate: regression\n\nREGRESSION")
    assert comment.count("\n") <= 40
    assert comment.count("| <code>test/") == 5
    assert (f"{checks - 8:,} more checks that did not pass" in comment) == (checks > 8)
    assert "More does not fit here" in summary
    if checks == 1:
        assert len(summary.encode()) > 900_000  # what fits is used


def test_a_comment_holds_forty_lines_whatever_there_is_to_say() -> None:
    verdict, shown = many(50, 1_000)
    verdict = replace(verdict, problems=tuple(f"problem {i}" for i in range(30)), notes=tuple(map(str, range(30))))
    shown = {place: replace(flips, why_no_text="no task") for place, flips in shown.items()}
    comment = markdown.comment(verdict, shown, "main")
    assert comment.count("\n") <= 40
    assert "56 more remarks" in comment


def test_a_marker_is_one_line_whatever_the_name() -> None:
    assert markdown.marker("a --> b\n<x>") == "<!-- adaptbench-gate: a-b-x -->"
    assert markdown.marker("-->") == "<!-- adaptbench-gate: gate -->"
    assert markdown.marker("-X.1_a-X-") == "<!-- adaptbench-gate: X.1_a-X -->"


def test_the_headline_names_what_decided(gated: Gated) -> None:
    assert headline(gated.verdict) == (
        "REGRESSION: m · mail · fell · accuracy: fell by 0.200, beyond the margin of 0.020"
    )


def test_a_pass_says_for_which_checkpoint(tmp_path: Path) -> None:
    values = [1.0, 0.0] * 100
    runs = [simple(tmp_path / name, values, training=Training(steps=1)) for name in ("old", "new")]
    found = gate(runs[0], runs[1], Policy.model_validate({"quality": [{"margin": 0.02}]}), "gate.yaml").verdict
    assert headline(found) == "PASS: 1 check, 1 pass (for these checkpoints, fewer than 3 seeds: zero-shot)"


def test_a_cost_has_no_flips(tmp_path: Path) -> None:
    old, new = (simple(tmp_path / name, [1.0, 0.0] * 10) for name in ("old", "new"))
    policy = Policy.model_validate({"quality": [], "cost": [{"counter": "output_tokens", "limit": "10%"}]})
    [finding] = gate(old, new, policy, "gate.yaml").verdict.findings
    assert flips(finding, Texts(read_run(old), read_run(new)), 3) == Flips(0, 0, ())


def test_flips_show_the_items_where_the_task_is_at_hand(tmp_path: Path, task_folder: Path) -> None:
    import tasks
    from tasks.loader.digest import question_digest

    asked = question_digest(tasks.load(task_folder))
    runs = []
    for name, values in (("old", [1.0] * 6), ("new", [0.0] * 5 + [1.0])):
        made = Made(tmp_path / name)
        made.cell("zero-shot", values, task="paint", questions=asked)
        made.entries[0]["task_path"] = "../paint"
        runs.append(made.done())
    found = gate(runs[0], runs[1], Policy.model_validate({"quality": [{"margin": 0.02}]}), "gate.yaml")
    [shown] = files.shown(found).values()
    assert (shown.lost, shown.gained) == (5, 0)
    first = shown.shown[0]
    assert (first.id, first.reference, first.baseline, first.candidate) == ("test/0", "red", "said 1.0", "said 0.0")
    assert "test thing 0 looks red" in first.input
    assert "test thing 0 looks red" in markdown.comment(found.verdict, {0: shown}, "main")


def test_an_old_verdict_is_gone_before_a_new_one_is_made(tmp_path: Path) -> None:
    for name in files.NAMES:
        (tmp_path / name).write_text("pass")
    files.prepare(tmp_path)
    assert not list(tmp_path.iterdir())


def test_all_four_files_are_written(gated: Gated, tmp_path: Path) -> None:
    files.prepare(tmp_path / "gate")
    files.write(tmp_path / "gate", gated.verdict, {"baseline": "a"}, "main", files.shown(gated))
    assert sorted(file.name for file in (tmp_path / "gate").iterdir()) == sorted(files.NAMES)
    VALIDATOR.validate(json.loads((tmp_path / "gate" / "gate.json").read_text()))


def test_a_check_that_is_only_measured_in_part_is_shown(tmp_path: Path) -> None:
    one = measured(0, onesided.of_counts(PairedTable(50, 0, 0, 50)), 0.02, 0.1)
    missing = Measured(one.planned, problem="missing", reason=HOSTILE)
    found = judge([missing], Policy())
    VALIDATOR.validate(data.to_json(found, {}, {}))
    assert found.exit_code == 4
