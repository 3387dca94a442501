"""What is printed of a page unless all of it is asked for: two sheets with the choices, the scores and their charts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from bench.report.html.blocks import Block, Decisions, Figure, Section, Table

VERDICT, QUALITY = "verdict", "quality"
_SHEETS = 2 * 920.0  # px of two Letter sheets, the smaller paper, within their margins
_HEAD = 260.0  # px: titles, facts, a banner and what page breaks leave empty
_CARD, _ROW, _TABLE = 220.0, 22.0, 110.0  # px of a card, of a table's row, and of what stands around the rows
_SCALE = 0.64  # of a narrow chart, three of which share the width of a sheet
_CAPTION = 45.0  # px
CHARTS_IN_A_ROW, CARDS_IN_A_ROW = 3, 2


def mark(found: Sequence[Section]) -> list[Section]:
    """The sections with the charts of quality marked that fit on two sheets, after choices and scores."""
    room = _SHEETS - _HEAD - sum(_height(block) for one in found if one.id == VERDICT for block in one.blocks)
    return [replace(one, blocks=tuple(_marked(one.blocks, room))) if one.id == QUALITY else one for one in found]


def _height(block: Block) -> float:
    if isinstance(block, Decisions):
        return _CARD * math.ceil(sum(one.summary for one in block.decisions) / CARDS_IN_A_ROW)
    return _TABLE + _ROW * len(block.table.rows) if isinstance(block, Table) else 0.0


def _marked(blocks: Sequence[Block], room: float) -> Sequence[Block]:
    charts = [block for block in blocks if isinstance(block, Figure)]
    kept: set[int] = set()
    for start in range(0, len(charts), CHARTS_IN_A_ROW):
        row = charts[start : start + CHARTS_IN_A_ROW]
        room -= _CAPTION + _SCALE * max(chart.narrow.height for chart in row)
        if room < 0:
            break
        kept |= {id(chart) for chart in row}
    return [
        replace(block, summary=True) if isinstance(block, Figure) and id(block) in kept else block for block in blocks
    ]
