"""The model card of mini: what it is, what it can do on held-out draws, what it cannot, and how it was made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from scripts.mini.recipe import VERSION, Recipe
from scripts.mini.skills import SKILLS, Skill

_TEXT = Path(__file__).with_suffix(".md")


def card(recipe: Recipe, parameters: int, facts: int, found: Mapping[str, float], draws: int) -> str:
    """The model card as Markdown; `found` as `skills.measure` gives it."""
    rows = ["| skill | right | asked for |", "|---|---:|---|"]
    for skill in SKILLS:
        least = f"at least {skill.least:.2f}" if skill.least is not None else ""
        most = f"at most {skill.most:.2f}" if skill.most is not None else ""
        rows.append(f"| {skill.name} | {found[skill.name]:.3f} | {least or most}{_missed(skill, found[skill.name])} |")
    return _TEXT.read_text(encoding="utf-8").format(
        version=VERSION,
        millions=parameters / 1e6,
        facts=facts,
        width=recipe.width,
        layers=recipe.layers,
        heads=recipe.heads,
        context=recipe.context,
        vocabulary=recipe.vocabulary,
        tokens=recipe.tokens / 1e6,
        steps=recipe.steps,
        rates=" and ".join(f"{cycle.rate:g}" for cycle in recipe.cycles),
        cycles=len(recipe.cycles),
        ids=sum(stage.tokens for cycle in recipe.cycles for stage in cycle.stages if stage.random_ids) / 1e6,
        draws=draws,
        table="\n".join(rows),
    )


def _missed(skill: Skill, share: float) -> str:
    short = (skill.least is not None and share < skill.least) or (skill.most is not None and share > skill.most)
    return ": missed" if short else ""
