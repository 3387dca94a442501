"""A forecast for people: a table for each task, and sentences below them."""

from __future__ import annotations

from collections.abc import Iterator

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.forecast.choice import UNDECIDED, Outlook
from bench.forecast.next_cells import settled_on
from bench.forecast.scores import LEVEL
from bench.metrics.formats import clean, duration, number, signed, title
from bench.runs.foreseen import Foreseen, MethodForecast

_REFUSALS = 8  # lines


def table(found: Foreseen) -> Group:
    """The forecast for people."""
    shown: list[RenderableType] = []
    for one in found.outlooks:
        shown += [Text(one.contest.task, style="bold"), _of_task(found, one), *map(Text, _below(found, one))]
    return Group(*shown, *map(Text, _cost(found)), *map(Text, _next(found)))


def _of_task(found: Foreseen, outlook: Outlook) -> Table:
    own = [one for one in found.methods if one.task == outlook.contest.task]
    metric = next((one.metric for one in own if one.metric), None)
    interval = f"{title(metric) if metric else 'score'} [{LEVEL:.0%}]"
    shown = Table("method", "seeds", interval, "time left", f"{clean(found.currency)} left", "chance", box=SIMPLE)
    for one in own:
        total = one.measured + one.left
        shown.add_row(
            Text(clean(one.method)),
            f"{one.measured}/{total}",
            _score(one),
            "" if not one.left else "?" if one.seconds is None else f"~{duration(one.seconds, rough=True)}",
            "" if not one.left else "?" if one.money is None else f"{one.money:.2g}",
            "" if one.chance is None else f"{one.chance:.0%}",
        )
    return shown


def _score(one: MethodForecast) -> str:
    if one.score is None or one.low is None or one.high is None or one.metric is None:
        return "?"
    value = number(one.metric, one.score)
    if not one.left:
        return value
    mark = " *" if one.from_pilots else ""
    return f"{value} [{number(one.metric, one.low)}, {number(one.metric, one.high)}]{mark}"


def _below(found: Foreseen, one: Outlook) -> Iterator[str]:
    own = [each for each in found.methods if each.task == one.contest.task]
    if any(each.from_pilots for each in own):
        yield "* from pilots: tried on curves of few kinds, none of a model whose weights are trained; docs/forecast.md"
    refused = [f"{each.method}: no score: {each.refused}" for each in own if each.refused]
    yield from refused[:_REFUSALS]
    if len(refused) > _REFUSALS:
        yield f"and {len(refused) - _REFUSALS} more methods without a score; --json names them"
    for each in own:
        for change in each.retention:
            if change.low or change.high:
                limits = f"[{signed(change.metric, change.low)}, {signed(change.metric, change.high)}]"
                yield f"{each.method}: {change.probe} changes by {signed(change.metric, change.value)} {limits}"
    if one.contest.failed:
        yield f"cannot be chosen: {', '.join(one.contest.failed)} (failed, or without a price)"
    if len(one.contest.entrants) == 1:
        yield "the choice: there is one method alone"
    elif not one.chances:
        yield "the choice: not foreseen while a method has neither a score nor a forecast of one"
    elif (outcome := settled_on(one)) is not None:
        yield f"the choice: settled: {f'choose {outcome}' if outcome != UNDECIDED else 'not enough evidence for one'}"
    elif one.chances.get(UNDECIDED):
        yield f"the choice: with a chance of {one.chances[UNDECIDED]:.0%} there is not enough evidence for one"


def _cost(found: Foreseen) -> Iterator[str]:
    if not found.cells_left:
        yield f"all {found.cells} cells are measured"
    elif found.seconds is None or found.money is None:
        yield f"{found.cells_left} of {found.cells} cells left; no cell is measured yet that would tell their cost"
    else:
        times = found.factor
        off = f"; {LEVEL:.0%} of cells took 1/{times:.2g} to {times:.2g} times what was told" if times else ""
        yield (
            f"{found.cells_left} of {found.cells} cells left, about {duration(found.seconds, rough=True)}, "
            f"{found.money:.2g} {clean(found.currency)}{off}"
        )
    if found.pilots or found.unfit:
        unfit = f"; {found.unfit} are of other methods, options, models or tasks" if found.unfit else ""
        yield f"pilot cells taken up: {found.pilots}{unfit}"


def _next(found: Foreseen) -> Iterator[str]:
    if found.next:
        yield "worth running next, by value of information for their cost:"
    for one in found.next:
        worth = "" if not one.worth else f"; makes the choice {100 * one.worth:.0f} points surer"
        yield f"  {one.slot.ref.name}: {one.why}{worth}"
    if found.next:
        yield "`adaptbench run SUITE --until-decided` runs them in this order until the choices are settled"
