"""A verdict and a plan as tables, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from bench.gate.draft import KINDS, Draft
from bench.gate.measure import FEW_SEEDS
from bench.gate.outputs.words import amount, checkpoints, counted, figures, label, ordered, sees, unit
from bench.gate.plan import Need
from bench.gate.rules import Status
from bench.gate.verdict import GateFinding, GateVerdict
from bench.metrics.formats import clean
from bench.report.table import NOTHING, ReportTable, Text

_SHOWN = 10  # checks, and remarks, without --full
_FEW = 5  # checks that lack power, of a draft
_REMEDIES: dict[Status, str] = {
    "regression": "To see the items that got worse: --markdown. If the change is meant: `adaptbench baseline accept "
    "CANDIDATE --name NAME --replace`, then calibrate again.",
    "missing": "To measure what is missing: the same `adaptbench run` again, which goes on where it stopped.",
    "not_comparable": "To compare: measure both with the same items, prompt and hardware, or accept a new baseline.",
    "inconclusive": "To tell: more seeds or test items, or a policy that the baseline has power for (`gate init`).",
}
_HEAD = ("check", "baseline", "candidate", "change", "interval", "tolerated", "p\n(Holm)", "outcome")


def table(verdict: GateVerdict) -> ReportTable:
    """Every check that did not pass, and what there is to know beside them."""
    rows = tuple(_row(finding) for finding in ordered(verdict.findings) if finding.status != "pass")
    title = f"{counted(verdict)}; mode {verdict.mode}, alpha {verdict.alpha:g} over {verdict.family} tests"
    notes = tuple(map(clean, (*verdict.problems, *verdict.notes)))
    return ReportTable(title, _HEAD if rows else (), rows, notes)


def brief(verdict: GateVerdict) -> list[str]:
    """The outcome, then a line for each check that made it with what it asks for; what else changed is counted."""
    scope = checkpoints(verdict)
    lines = [f"{verdict.word.upper()}: {counted(verdict)}{f' ({scope})' if scope else ''}"]
    deciding = [one for one in ordered(verdict.findings) if one.decides]
    lines += [f"  {_failing(one)}" for one in deciding[:_SHOWN]]
    if len(deciding) > _SHOWN:
        lines.append(f"  and {len(deciding) - _SHOWN} more")
    statuses = dict.fromkeys(one.status for one in deciding)
    lines += [f"  {_REMEDIES[status]}" for status in statuses if status in _REMEDIES]
    others = sum(one.status != "pass" and not one.decides for one in verdict.findings)
    lines += [f"  {clean(text)}" for text in (*verdict.problems, *verdict.notes)[:_SHOWN]]
    if deciding or others:
        lines.append(f"  --full: every figure{f', and {others} checks that decide nothing' if others else ''}")
    return lines


def _failing(finding: GateFinding) -> str:
    before, after, change, interval, tolerated, _ = figures(finding)
    limits = "" if interval == NOTHING else f" [{interval}]"
    moved = "" if before == NOTHING else f" {before} → {after} ({change}{limits}, tolerated {tolerated})"
    reason = f": {clean(finding.reason)}" if finding.reason else ""
    return f"{finding.status.replace('_', ' ')}: {label(finding)}{moved}{reason}"


def planned(needs: Sequence[Need]) -> list[str]:
    """Whether a policy can do what it asks for, and which of its checks cannot."""
    lacking = sorted((need for need in needs if need.refusal), key=lambda need: not need.refused)
    refused = sum(need.refused for need in lacking)
    verdict = f"REFUSED: {refused} critical checks could" if refused else "PASS: no critical check could"
    said = verdict + (" not find what they are for" if refused else " miss what it is for")
    lines = [f"{said}; checks: {len(needs)}, without power: {len(lacking)}"]
    lines += [f"  {need.planned.tier}: {clean(need.planned.label)}: {sees(need)}" for need in lacking[:_SHOWN]]
    return [*lines, *_more(len(lacking) - _SHOWN, "--full: every figure")]


def drafted(draft: Draft, file: str) -> list[str]:
    """What a drafted policy checks, what it cannot see and what would change that, and the next step."""
    counts = ", ".join(f"{sum(one.kind == kind for one in draft.checks)} of {kind}" for kind in KINDS)
    lines = [f"{file}: {len(draft.checks)} checks ({counts})"]
    for needs, said in (
        (draft.left_out, "Left out, for lack of power"),
        (draft.wider, "Kept, though only larger drops than usual are found"),
    ):
        by_kind = sorted(needs, key=lambda need: KINDS.index(need.planned.kind))
        lines += [f"{said}: {len(needs)}"] if needs else []
        lines += [f"  {clean(need.planned.label)}: {sees(need)}" for need in by_kind[:_FEW]]
        lines += _more(len(needs) - _FEW, f"all in {file}")
    if draft.few_seeds:
        few = ", ".join(map(clean, draft.few_seeds))
        lines.append(f"Fewer than {FEW_SEEDS} seeds ({few}): another seed alone can make the gate inconclusive")
    return [*lines, f"Next: commit {file} and the baseline; docs/gate.md has the lines for CI."]


def _more(count: int, where: str) -> list[str]:
    return [f"  and {count} more ({where})"] if count > 0 else []


def plan_sheet(needs: Sequence[Need], mode: str, power: float) -> ReportTable:
    """Items and chances of every check of a plan."""
    chance = "chance\nto find it" if mode == "regression" else "chance\nto pass"
    head = ("check", "tier", "tolerated", "must be\nfound", "items", chance, f"items for\n{power:g}", "remark")
    shown = [need for need in needs if need.planned.kind != "cost" or need.refusal]
    notes = (f"{len(needs) - len(shown)} checks of counters need no items beyond those there are",)
    return ReportTable(
        "What the policy could find", head, tuple(map(_need, shown)), notes if len(shown) < len(needs) else ()
    )


def _row(finding: GateFinding) -> tuple[Text, ...]:
    outcome = "\n".join(part for part in (finding.status.replace("_", " "), clean(finding.reason)) if part)
    tier = "" if finding.planned.tier == "critical" else f"\n({finding.planned.tier})"
    named = f"{label(finding)}{f' ({unit(finding)})' if unit(finding) else ''}"
    return (
        Text(named),
        *(Text(figure) for figure in figures(finding)),
        Text(outcome + tier, "bad" if finding.decides else ""),
    )


def _need(need: Need) -> tuple[Text, ...]:
    planned = need.planned
    tolerated = f"{planned.margin:.0%}" if planned.kind == "cost" else f"{planned.margin:g}"
    found = NOTHING if planned.detect is None else f"{planned.detect:g}"
    chance = NOTHING if need.chance is None else f"{need.chance:.2f}"
    needed = NOTHING if need.needed is None else amount(need.needed)
    remark = Text(clean(need.refusal), "bad" if need.refused else "")
    cells = (clean(planned.label), planned.tier, tolerated, found, amount(need.items), chance, needed)
    return (*map(Text, cells), remark)
