"""Charts of the HTML report as inline SVG that loads and runs nothing; each comes with its data as a table.

A module a kind of chart, each with a function `draw`: `dots`, `scatter`, `lines`, `bars` and `heatmap`. The SVG has
classes and no colours of its own: the page has to hold `css()`.
"""

from __future__ import annotations

from importlib import resources


def css() -> str:
    """The style sheet of all charts, for the page that holds them."""
    return resources.files(__name__).joinpath("charts.css").read_text(encoding="utf-8")
