"""Makes the base model `mini` anew from its corpus, and measures what it can do: `python -m scripts.mini --help`."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.metrics.formats import duration
from bench.model import checkpoint
from scripts.mini import skills
from scripts.mini.card import card
from scripts.mini.pretrain import pretrain
from scripts.mini.recipe import Recipe
from scripts.tasks.world import relations

SKILLS_FILE = "skills.json"
DRAWS = 200  # of each skill
_EVERY = 50  # steps between two lines


def run(out: Path, until: int | None) -> None:
    """Pretrain in `out` up to step `until`, or to the end, and measure what the model can do by then."""
    console = Console(soft_wrap=True)
    recipe = Recipe()

    def report(step: int, loss: float, speed: float) -> None:
        if step % _EVERY == 0 or step == recipe.steps:
            left = duration((recipe.tokens - recipe.tokens_before(step)) / speed, rough=True)
            console.print(f"step {step:,}/{recipe.steps:,}: loss {loss:.3f}, {speed:,.0f} tokens/s, about {left} left")

    folder = pretrain(out, recipe, report, until)
    found = skills.measure(folder, DRAWS)
    (folder / SKILLS_FILE).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    parameters = checkpoint.read(folder).parameters
    known = sum(len(relation.rows) for relation in relations())
    (folder / "README.md").write_text(card(recipe, parameters, known, found, DRAWS), encoding="utf-8")
    console.print(table(found))
    console.print(f"model: {folder}", highlight=False)


def table(found: dict[str, float]) -> Table:
    """Each skill with the share of held-out draws that was right, and what the model card promises."""
    shown = Table("skill", title="mini on held-out draws", title_justify="left")
    for head in ("right", "asked"):
        shown.add_column(head, justify="right")
    for skill in skills.SKILLS:
        asked = f">= {skill.least:.2f}" if skill.least is not None else ""
        asked = f"<= {skill.most:.2f}" if skill.most is not None else asked
        shown.add_row(skill.name, f"{found[skill.name]:.3f}", asked)
    return shown
