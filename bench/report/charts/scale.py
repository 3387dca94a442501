"""From values to places: linear and logarithmic scales with round ticks. No input makes them give NaN or infinity."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from bench.report.charts.svg import minus

_HUGE, _TINY = 1e300, 1e-300
_ALIKE = 1e-6  # of the larger value: a range below this is taken for one value
_COUNTED = 1e12  # whole numbers below this have others beside them, which rounding leaves apart
_SLACK = 1e-9  # of a step: what rounding may add to a whole number of steps
_UNITS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps values from `low` to `high` onto `start` to `end` (px); what lies outside goes to the nearer end."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]
    log: bool = False

    def __call__(self, value: float) -> float:
        if self.log:
            low, high, at = math.log10(self.low), math.log10(self.high), math.log10(max(value, self.low))
        else:
            low, high, at = self.low, self.high, value
        share = min(1.0, max(0.0, (at - low) / (high - low)))
        return self.start + share * (self.end - self.start)


def tame(value: float | None) -> float | None:
    """`value` where it can be drawn, within ±1e300 so that differences are finite; None where it cannot."""
    if value is None or not math.isfinite(value):
        return None
    if abs(value) < _TINY:
        return 0.0
    return min(_HUGE, max(-_HUGE, float(value)))


def fit(
    values: Iterable[float | None],
    start: float,
    end: float,
    *,
    count: int = 5,
    log: bool = False,
    zero: bool = False,
    tight: bool = False,
    whole: bool = False,
) -> Scale:
    """A scale from `start` to `end` (px) that holds all values, with about `count` ticks, at both of its ends too.

    It is logarithmic if that is asked for and all values are above 0. `zero`: a linear scale holds 0. `tight`: it ends
    at the least and the greatest value rather than at ticks, where two ticks lie between these. `whole`: where all
    values are whole numbers, the ticks of a linear scale are, too.
    """
    known = [value for value in map(tame, values) if value is not None]
    log = log and bool(known) and min(known) > 0
    if zero and not log:
        known.append(0.0)
    low, high, alike = _range(known, log)
    if whole and not log and max(abs(low), abs(high)) < _COUNTED:
        low, high = ((low + high) / 2 - 1, (low + high) / 2 + 1) if alike else (low, high)
        count = max(1, min(count, math.floor(high - low)))
    found = (_logarithmic if log else _linear)(low, high, start, end, count)
    inside = tuple(tick for tick in found.ticks if low <= tick <= high)
    if tight and not alike and len(inside) > 1:  # one tick alone would not tell the scale
        return replace(found, low=low, high=high, ticks=inside)
    return found


def _range(known: Sequence[float], log: bool) -> tuple[float, float, bool]:
    """The least and the greatest value, or where these are alike some range around them."""
    if not any(known):
        return 0.0, 1.0, True
    low, high = min(known), max(known)
    if high - low > _ALIKE * max(abs(low), abs(high)):
        return low, high, False
    if log:
        return low / 1.5, high * 1.5, True
    around = max(abs(low), abs(high)) / 10
    return low - around, high + around, True


def _linear(low: float, high: float, start: float, end: float, count: int) -> Scale:
    raw = (high - low) / count
    exponent = math.floor(math.log10(raw))
    for factor in (1, 2, 5, 10):
        if factor * _ten(exponent) >= raw * (1 - _SLACK):
            break
    step = factor * _ten(exponent)
    first, last = math.floor(low / step + _SLACK), math.ceil(high / step - _SLACK)
    ticks = tuple(_times(index * factor, exponent) for index in range(first, last + 1))
    return Scale(ticks[0], ticks[-1], start, end, ticks)


def _logarithmic(low: float, high: float, start: float, end: float, count: int) -> Scale:
    low, high = _round_out(low, high)
    bottom, top = _exponent(low), _exponent(high)
    fine = [_times(digit, power) for power in range(bottom, top + 1) for digit in (1, 2, 5)]
    fine = [tick for tick in fine if low <= tick <= high]
    if len(fine) <= 2 * count:
        return Scale(low, high, start, end, tuple(fine), log=True)
    every = math.ceil((top - bottom) / count)
    coarse = [_times(1, power) for power in range(bottom, top + 1) if power % every == 0]
    return Scale(low, high, start, end, tuple(tick for tick in coarse if low <= tick <= high), log=True)


def _round_out(low: float, high: float) -> tuple[float, float]:
    """The next of 1, 2 and 5 times a power of ten, at or below `low` and at or above `high`."""
    below = [_times(digit, _exponent(low) + more) for more in (-1, 0) for digit in (1, 2, 5)]
    above = [_times(digit, _exponent(high) + more) for more in (0, 1) for digit in (1, 2, 5)]
    return max(x for x in below if x <= low * (1 + _SLACK)), min(x for x in above if x >= high * (1 - _SLACK))


def _exponent(value: float) -> int:
    return math.floor(math.log10(value) + _SLACK)


def _ten(exponent: int) -> float:
    return _times(1, exponent)


def _times(count: int, exponent: int) -> float:
    """count × 10^exponent, rounded once: 3 × 10^-1 is 0.3 here, and not 0.30000000000000004."""
    return float(count * 10**exponent) if exponent >= 0 else count / 10**-exponent


def tick_texts(scale: Scale) -> tuple[str, ...]:
    """How ticks are labelled: 1k, 10k, 1M, 0.01; on a linear scale with one number of decimals if none has a unit."""
    texts = [_short(tick) for tick in scale.ticks]
    if not scale.log and all(text[-1].isdigit() and "e" not in text for text in texts):
        decimals = max((len(text.partition(".")[2]) for text in texts), default=0)
        texts = [f"{tick:.{decimals}f}" for tick in scale.ticks]
    return tuple(minus("0" if not tick else text) for tick, text in zip(scale.ticks, texts, strict=True))


def _short(value: float) -> str:
    if 1e-4 <= abs(value) < 1e15 or not value:
        for unit, sign in _UNITS:
            if abs(value) >= unit:
                return f"{value / unit:.8g}{sign}"
        return f"{value:.8g}"
    digits, _, power = f"{value:.8e}".partition("e")
    return f"{digits.rstrip('0').rstrip('.')}e{int(power)}"
