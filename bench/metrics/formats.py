"""How numbers and foreign text are shown to people, the same everywhere."""

from __future__ import annotations

import unicodedata

from bench.metrics import NAMES


def clean(text: object) -> str:
    """`text` on one line without control, format (such as bidirectional) and surrogate characters."""
    text = str(text)
    if text.isascii() and text.isprintable():  # most are, and it is ten times as fast
        return " ".join(text.split())
    kept = (c for c in text if c.isspace() or unicodedata.category(c) not in ("Cc", "Cf", "Cs"))
    return " ".join("".join(kept).split())


def number(metric: str, value: float) -> str:
    """A score as its scale asks: three decimals on 0-1, one on 0-100; of an unknown metric, as it is."""
    if metric not in NAMES:
        return f"{value:.4g}"
    return f"{value:.1f}" if NAMES[metric].scale == 100 else f"{value:.3f}"


def amount(metric: str, value: float) -> str:
    """A difference of scores from 0 up, as `number` writes it; with two digits where that would round it away."""
    tiny = metric in NAMES and 0 < value < 0.001 * NAMES[metric].scale
    return f"{value:.2g}" if tiny else number(metric, value)


def signed(metric: str, value: float) -> str:
    """A change of a score, with its sign."""
    return ("+" if value > 0 else "") + number(metric, value)


def title(metric: str) -> str:
    """How a metric is headed."""
    return NAMES[metric].title if metric in NAMES else clean(metric)


def size(count: int) -> str:
    """Bytes in binary units, three significant digits or so."""
    value, units = float(count), ["B", "KiB", "MiB", "GiB", "TiB"]
    while value >= 1000 and len(units) > 1:
        value, units = value / 1024, units[1:]
    return f"{value:.0f} {units[0]}" if value >= 100 or units[0] == "B" else f"{value:.1f} {units[0]}"


def duration(seconds: float, *, rough: bool = False) -> str:
    """Wall time: 0.04 s, 12.3 s, 4 min 05 s, 1 h 02 min. `rough`, of an estimate: 12 s, 4 min, 1 h 02 min."""
    if not rough and seconds < 99.95:
        return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:.1f} s"
    if rough and seconds < 89.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    whole = minutes * 60 if rough else round(seconds)
    if whole >= 3600:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes} min" if rough else f"{whole // 60} min {whole % 60:02d} s"
