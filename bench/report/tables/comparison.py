"""Tables of a comparison: differences with their intervals, tie groups, answers that changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from bench.analysis.comparison import ALPHA, Answers, Difference, Family, Retraining, flips
from bench.analysis.statistics.intervals import Interval
from bench.analysis.statistics.two_questions import FEWEST_SEEDS
from bench.metrics import NAMES
from bench.metrics.formats import clean, number, signed, title
from bench.report.table import BOLD, NOTHING, ReportTable, Text

_LONGEST = 80  # characters of an answer


def tables(families: Sequence[Family], shown_flips: int = 0) -> list[ReportTable]:
    """A table for each family, and up to `shown_flips` changed answers for each of its differences."""
    found: list[ReportTable] = []
    for family in families:
        found.append(_differences(family))
        for one in family.differences if shown_flips else ():
            found += _flips(one, shown_flips)
    return found


def brief(families: Sequence[Family], shown_flips: int = 0) -> list[ReportTable]:
    """A table for each family: the best method against each other one, or the same method of two runs."""
    return [_brief(family) for family in families]


def _brief(family: Family) -> ReportTable:
    best = family.answers[0].label if family.answers else None
    own = [one for one in family.differences if best in (None, one.a.label)]
    rows = tuple(_brief_row(family.metric, one, best) for one in own)
    heads = (
        "method",
        "score",
        "new\n- old" if best is None else "best\n- it",
        "95% interval",
        "p\n(Holm)",
        "training\nagain",
    )
    leads = f": {clean(best)} is best, {number(family.metric, family.answers[0].score)}" if best is not None else ""
    name = f"{clean(family.task)} with {clean(family.model)}, {title(family.metric)}{leads}"
    notes = [f"left out: {clean(reason)}" for reason in family.left_out]
    return ReportTable(name, heads, rows, tuple(notes if rows else [*notes, "one method alone: nothing to compare"]))


def _brief_row(metric: str, one: Difference, best: str | None) -> tuple[Text, ...]:
    again = one.retraining
    known = {None: "cannot say", True: "differs", False: "not shown"}
    retrained = Text("no training", "faint") if again is None else Text(known[again.differ])
    return (
        Text(clean(one.b.label)),
        Text(number(metric, (one.a if best is None else one.b).score)),
        Text(signed(metric, one.difference), "best" if one.differ else ""),
        Text(_interval(metric, one.interval)),
        Text(_p(one.p_adjusted)),
        retrained,
    )


def to_json(families: Sequence[Family], shown_flips: int = 0) -> dict[str, Any]:
    """{"families": [{model, task, metric, differences, groups, left_out}]}, without the items' scores."""
    return {"families": [_family_json(family, shown_flips) for family in families]}


def _differences(family: Family) -> ReportTable:
    retrained = any(one.retraining for one in family.differences)
    checkpoints = "95% interval:\nthese checkpoints" if retrained else "95% interval"
    heads: tuple[str, ...] = ("a against b", "a", "b", "a - b", checkpoints, "p\n(Holm)", "MDE")
    if retrained:
        heads += ("95% interval:\ntraining again", "p\n(Holm)")
    rows = tuple((*_row(family, one), *(_again(family, one) if retrained else ())) for one in family.differences)
    name = f"{clean(family.task)}, {title(family.metric)}, with {clean(family.model)}"
    return ReportTable(name, heads, rows, tuple(_notes(family)))


def _row(family: Family, one: Difference) -> tuple[Text, ...]:
    metric = family.metric
    same = one.a.label == one.b.label
    name = clean(one.a.label) if same else f"{clean(one.a.label)}\nagainst {clean(one.b.label)}"
    return (
        Text(name),
        Text(number(metric, one.a.score)),
        Text(number(metric, one.b.score)),
        Text(signed(metric, one.difference), "best" if one.differ else ""),
        Text(_interval(metric, one.interval)),
        Text(_p(one.p_adjusted)),
        Text(number(metric, one.detectable)),
    )


def _again(family: Family, one: Difference) -> tuple[Text, Text]:
    again = one.retraining
    if again is None:
        return Text("no training", "faint"), Text(NOTHING, "faint")
    if again.interval is None or again.p_adjusted is None:
        return Text(cannot_say(again.fewest)), Text(NOTHING, "faint")
    return Text(_interval(family.metric, again.interval), "best" if again.differ else ""), Text(_p(again.p_adjusted))


def _notes(family: Family) -> Iterator[str]:
    rows = len(family.differences)
    if not rows:
        yield "one method alone: nothing to compare"
        return
    yield f"{family.differences[0].n:,} items; seeds: {_seeds(family)}"
    over = f" after Holm's correction over the {rows} rows" if rows > 1 else ""
    yield f"{BOLD}differs at {ALPHA:g}{over}"
    yield "MDE: smallest difference detectable with 80% power"
    if family.ties:
        for group in family.ties.groups:
            if len(group) > 1:
                yield f"not significantly different: {', '.join(clean(label) for label in group)}"
    if family.ties and family.ties.intransitive:
        yield "a tie does not mean equal, and is not transitive: A may tie with B and with C although B and C differ"
    for how in dict.fromkeys(one.method for one in family.differences):
        yield f"by {how}"
    if any(one.retraining for one in family.differences):
        yield "these checkpoints: on new items, seeds combined as they are; training again: with new seeds on new items"
    yield from _seed_values(family)
    for reason in family.left_out:
        yield f"left out: {clean(reason)}"


def cannot_say(seeds: int) -> str:
    """What stands in place of an interval over seeds."""
    return "one seed cannot say" if seeds == 1 else "two seeds cannot say"


def _seed_values(family: Family) -> Iterator[str]:
    """The score of each seed of methods whose seeds are too few for an interval."""
    unsure = [one for one in family.differences if one.retraining and one.retraining.interval is None]
    found = {side.label: side for one in unsure for side in (one.a, one.b) if 1 < len(side.seeds) < FEWEST_SEEDS}
    if found:
        values = (f"{clean(label)} {each_seed(family.metric, one.scores)}" for label, one in found.items())
        yield f"seeds: {'; '.join(values)}"


def each_seed(metric: str, scores: Sequence[float]) -> str:
    """The score of each seed."""
    return ", ".join(number(metric, score) for score in scores)


def _flips(one: Difference, most: int) -> list[ReportTable]:
    changed = flips(one)
    if not changed:
        return []
    heads = ("item", f"a: {clean(one.a.label)}", f"b: {clean(one.b.label)}", "a - b")
    rows = tuple(
        (Text(clean(flip.id)), Text(_short(flip.a)), Text(_short(flip.b)), Text(signed(one.a.metric, flip.gain)))
        for flip in changed[:most]
    )
    higher = NAMES[one.a.metric].higher_is_better
    better = sum((flip.gain > 0) == higher for flip in changed)
    note = f"{len(changed):,} of {one.n:,} items changed: a better on {better:,}, b on {len(changed) - better:,}"
    return [
        ReportTable(f"{clean(one.a.task)}: {clean(one.a.label)} against {clean(one.b.label)}", heads, rows, (note,))
    ]


def _short(text: str) -> str:
    cleaned = clean(text)
    return cleaned if len(cleaned) <= _LONGEST else f"{cleaned[:_LONGEST]}…"


def _interval(metric: str, interval: Interval) -> str:
    return f"{signed(metric, interval.low)} to {signed(metric, interval.high)}"


def _p(value: float) -> str:
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _seeds(family: Family) -> str:
    """How many seeds the methods have, once where it is the same for all."""
    found: dict[str, Answers] = {}
    for one in family.differences:
        found |= {one.a.label: one.a, one.b.label: one.b}
    counts = {label: len(answers.seeds) for label, answers in found.items()}
    if len(set(counts.values())) == 1:
        return f"{next(iter(counts.values()))} each"
    return ", ".join(f"{clean(label)} {count}" for label, count in counts.items())


def _family_json(family: Family, shown_flips: int) -> dict[str, Any]:
    return {
        "model": family.model,
        "task": family.task,
        "metric": family.metric,
        "differences": [_difference_json(one, shown_flips) for one in family.differences],
        "groups": [list(group) for group in family.ties.groups] if family.ties else None,
        "left_out": list(family.left_out),
    }


def _again_json(again: Retraining | None) -> dict[str, Any] | None:
    if again is None:
        return None
    interval = [again.interval.low, again.interval.high] if again.interval else None
    return {
        "interval": interval,
        "p": again.p,
        "p_adjusted": again.p_adjusted,
        "differ": again.differ,
        "fewest_seeds": again.fewest,
        "reason": "" if interval else cannot_say(again.fewest),
    }


def _difference_json(one: Difference, shown_flips: int) -> dict[str, Any]:
    return {
        "a": {
            "method": one.a.label,
            "score": one.a.score,
            "seeds": list(one.a.seeds),
            "seed_scores": list(one.a.scores),
        },
        "b": {
            "method": one.b.label,
            "score": one.b.score,
            "seeds": list(one.b.seeds),
            "seed_scores": list(one.b.scores),
        },
        "difference": one.difference,
        "interval": [one.interval.low, one.interval.high],
        "level": one.interval.level,
        "p": one.p,
        "p_adjusted": one.p_adjusted,
        "differ": one.differ,
        "detectable": one.detectable,
        "items": one.n,
        "statistic": one.method,
        "retraining": _again_json(one.retraining),
        "flips": [asdict(flip) for flip in flips(one)[:shown_flips]] if shown_flips else [],
    }
