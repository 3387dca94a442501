"""What a history's tables say: the runs, each method's scores over them, and where they changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bench.analysis.comparison import ALPHA
from bench.analysis.history.changepoints import ChangePoint, changes, shown
from bench.analysis.history.tracks import Dated, Panel, Track, TrackPoint
from bench.metrics.formats import clean, number, signed, title
from bench.report.table import NOTHING, Chapter, ReportTable, Text, cells

_BARS = "▁▂▃▄▅▆▇█"
_NARROW = 20  # runs that a sparkline shows at most, the newest
_MOST = 4  # other differences that are named beside a change; the JSON has all


def chapters(runs: Sequence[Dated], panels: Sequence[Panel]) -> list[Chapter]:
    """The runs, then a chapter for each task and model."""
    found: list[Chapter] = [("History", [runs_table(runs)])]
    for panel in panels:
        tested = changes(panel)
        heading = f"{clean(panel.task)}, {title(panel.metric)}, with {clean(panel.model)}"
        found.append((heading, [overview(runs, panel, tested), *change_tables(panel, tested), scores(runs, panel)]))
    return found


def runs_table(runs: Sequence[Dated]) -> ReportTable:
    """Number, date and place of each run."""
    rows = tuple(cells(str(one.number), day(one), clean(one.run.suite), clean(one.run.path)) for one in runs)
    note = ("one run: a second one is needed to see a change",) if len(runs) == 1 else ()
    return ReportTable("Runs, the oldest first", ("run", "date", "suite", "folder"), rows, note)


def day(one: Dated) -> str:
    """The date and time of a run, UTC."""
    return f"{one.date:%Y-%m-%d %H:%M}"


def overview(runs: Sequence[Dated], panel: Panel, tested: Sequence[ChangePoint]) -> ReportTable:
    """A line for each method: its course, its first and last score, and where it stepped."""
    heads = ("method", "over the runs", "first", "last", "95% interval", "steps")
    rows = tuple(_line(runs, panel, track, tested) for track in panel.tracks)
    return ReportTable("Course", heads, rows, tuple(_notes(runs, panel, tested)))


def sparkline(runs: Sequence[Dated], track: Track) -> str:
    """A bar for each of the newest runs; a dot where the track has no score.

    From the lowest to the highest limit of any interval, so that what chance does looks flat.
    """
    limits = [value for point in track.points for value in _limits(point)]
    low, high = min(limits), max(limits)
    known = {point.number: point.score for point in track.points}
    numbers = [one.number for one in runs]
    kept = numbers if len(numbers) <= _NARROW else numbers[-_NARROW + 1 :]
    bars = "".join(_bar(known[n], low, high) if n in known else "·" for n in kept)
    return bars if kept == numbers else f"…{bars}"


def change_tables(panel: Panel, tested: Sequence[ChangePoint]) -> list[ReportTable]:
    """What changed and is more than chance; no table where nothing did."""
    found = shown(tested)
    if not found:
        return []
    heads = ("method", "runs", "change", "95% interval", "p\n(Holm)", "what else differs")
    rows = tuple(
        cells(
            _label(panel, one),
            f"{one.before} to {one.after}" + ("\n(drift)" if one.kind == "drift" else ""),
            Text(signed(panel.metric, one.difference), "best" if one.better else "bad"),
            f"{signed(panel.metric, one.interval.low)} to {signed(panel.metric, one.interval.high)}",
            "<0.001" if one.p_adjusted < 0.001 else f"{one.p_adjusted:.3f}",
            "\n".join(_others(one)) or "nothing that was recorded",
        )
        for one in found
    )
    notes = [f"by {how}" for how in dict.fromkeys(one.how for one in found)]
    if any(one.kind == "drift" for one in found):
        notes.append("drift: the last run against the first, where no single step was found")
    return [ReportTable("Changes", heads, rows, tuple(notes))]


def scores(runs: Sequence[Dated], panel: Panel) -> ReportTable:
    """Every score with its interval: a line for each run, a column for each method."""
    heads = ("run", *(clean(track.label) for track in panel.tracks))
    known = [{point.number: point for point in track.points} for track in panel.tracks]
    rows = tuple(
        cells(f"{run.number}\n{run.date:%Y-%m-%d}", *(_score(panel.metric, points.get(run.number)) for points in known))
        for run in runs
    )
    return ReportTable("Scores", heads, rows, ("95% intervals over items and seeds",))


def to_json(runs: Sequence[Dated], panels: Sequence[Panel]) -> dict[str, Any]:
    """{"schema", "runs", "panels"}: scores with intervals, and every test of two runs with any item that changed."""
    return {
        "schema": 1,
        "runs": [
            {"number": one.number, "date": one.date.isoformat(), "suite": one.run.suite, "path": str(one.run.path)}
            for one in runs
        ],
        "panels": [_panel_json(panel) for panel in panels],
    }


def _line(runs: Sequence[Dated], panel: Panel, track: Track, tested: Sequence[ChangePoint]) -> tuple[Text, ...]:
    first, last = track.points[0], track.points[-1]
    own = [one for one in shown(tested) if (one.method, one.part) == (track.method, track.part)]
    steps = [f"run {one.after}: {signed(panel.metric, one.difference)}" for one in own if one.kind == "step"]
    steps += [f"drift: {signed(panel.metric, one.difference)}" for one in own if one.kind == "drift"]
    bad = any(not one.better for one in own)
    return cells(
        clean(track.label),
        sparkline(runs, track),
        *(number(panel.metric, point.score) for point in (first, last)),
        _interval(panel.metric, last),
        Text("\n".join(steps) or "none", "bad" if bad else "best" if own else "faint"),
    )


def _notes(runs: Sequence[Dated], panel: Panel, tested: Sequence[ChangePoint]) -> Iterator[str]:
    if len(runs) > 1:
        pairs = f"the {len(tested)} pairs of runs" if len(tested) != 1 else "the one pair of runs"
        yield (
            f"steps: neighbouring runs on the same items, p at most {ALPHA:g} after Holm's correction over {pairs} "
            "between which any item's score changed"
            if tested
            else "no item's score changed between any two runs"
        )
    apart = [track for track in panel.tracks if track.part > 1]
    for track in apart:
        yield (
            f"set apart: {clean(track.method)} was asked other items, or scored in another way, in "
            f"{_numbers(track)}; a change between the two kinds of runs says nothing of the method"
        )
    alone = dict.fromkeys(clean(one.method) for one in tested if one.one_seed)
    if alone:
        yield f"trained with one seed, so that a step may be what training again gives: {', '.join(alone)}"
    if any(point.answers is None for track in panel.tracks for point in track.points):
        yield "no interval: the run keeps no predictions, so that no step can be tested there either"
    if len(runs) > _NARROW:
        yield f"the course shows the newest {_NARROW - 1} of {len(runs)} runs"
    for reason in panel.left_out:
        yield f"left out: {clean(reason)}"


def _numbers(track: Track) -> str:
    names = [str(point.number) for point in track.points]
    return f"run {names[0]}" if len(names) == 1 else f"runs {', '.join(names)}"


def _label(panel: Panel, one: ChangePoint) -> str:
    [track] = [t for t in panel.tracks if (t.method, t.part) == (one.method, one.part)]
    return clean(track.label)


def _others(one: ChangePoint) -> list[str]:
    more = len(one.others) - _MOST
    return [clean(text) for text in one.others[:_MOST]] + ([f"and {more} more"] if more > 0 else [])


def _limits(point: TrackPoint) -> tuple[float, ...]:
    return (point.score,) if point.interval is None else (point.score, point.interval.low, point.interval.high)


def _bar(value: float, low: float, high: float) -> str:
    share = (value - low) / (high - low) if high > low else 0.5
    return _BARS[min(len(_BARS) - 1, int(share * len(_BARS)))]


def _score(metric: str, point: TrackPoint | None) -> Text:
    if point is None:
        return Text(NOTHING, "faint")
    return Text(f"{number(metric, point.score)}\n{_interval(metric, point)}")


def _interval(metric: str, point: TrackPoint) -> str:
    if point.interval is None:
        return NOTHING
    return f"{number(metric, point.interval.low)} to {number(metric, point.interval.high)}"


def _panel_json(panel: Panel) -> dict[str, Any]:
    tested = changes(panel)
    told = shown(tested)
    return {
        "model": panel.model,
        "task": panel.task,
        "metric": panel.metric,
        "tracks": [
            {
                "method": track.method,
                "part": track.part,
                "points": [_point_json(point) for point in track.points],
                "changes": [
                    _change_json(one, one in told)
                    for one in tested
                    if (one.method, one.part) == (track.method, track.part)
                ],
            }
            for track in panel.tracks
        ],
        "left_out": list(panel.left_out),
    }


def _point_json(point: TrackPoint) -> dict[str, Any]:
    return {
        "run": point.number,
        "score": point.score,
        "interval": [point.interval.low, point.interval.high] if point.interval else None,
        "seeds": list(point.seeds),
        "items": point.record.items,
    }


def _change_json(one: ChangePoint, told: bool) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "before": one.before,
        "after": one.after,
        "difference": one.difference,
        "interval": [one.interval.low, one.interval.high],
        "p": one.p,
        "p_adjusted": one.p_adjusted,
        "found": told,
        "better": one.better,
        "statistic": one.how,
        "one_seed": one.one_seed,
        "others": list(one.others),
    }
