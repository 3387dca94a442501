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


def title(metric: str) -> str:
    """How a metric is headed."""
    return NAMES[metric].title if metric in NAMES else clean(metric)


def seconds(value: float) -> str:
    """Wall time: 0.04s, 12.3s, 4m05s, 1h02m."""
    if value < 9.995:
        return f"{value:.2f}s"
    if value < 99.95:
        return f"{value:.1f}s"
    whole = round(value)
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    minutes = round(value / 60)
    return f"{minutes // 60}h{minutes % 60:02d}m"


def size(count: int) -> str:
    """Bytes in binary units, three significant digits or so."""
    value, units = float(count), ["B", "KiB", "MiB", "GiB", "TiB"]
    while value >= 1000 and len(units) > 1:
        value, units = value / 1024, units[1:]
    return f"{value:.0f} {units[0]}" if value >= 100 or units[0] == "B" else f"{value:.1f} {units[0]}"


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
