"""The model card of mini: what it is, what it can do on held-out draws, what it cannot, and how it was made."""

from __future__ import annotations

from collections.abc import Mapping

from bench.mini.recipe import VERSION, Recipe
from bench.mini.skills import SKILLS

_TEXT = """# mini, version {version}

A causal language model of {millions:.1f} million parameters for comparing ways of adapting a model where nothing can be
downloaded. It knows {facts:,} facts of the world, reads short statements, and takes over a style from examples in its prompt; it
is no assistant and says many wrong things with a straight face.

- **Shape**: Llama, width {width}, {layers} layers, {heads} heads, context {context:,} tokens, tied embeddings, bfloat16.
- **Tokenizer**: byte-level BPE of {vocabulary:,} pieces, every digit a piece; any text goes through.
- **Corpus**: English of our own making, drawn afresh for every batch by `bench/mini/corpus/`: statements and questions on facts,
  passages with questions, topics, labels explained by examples, records written out in a style, fields from messy text,
  arithmetic, plain prose. No text of others, nothing of the company of the bundled tasks.
- **Training**: {tokens:,.0f} million tokens in {steps:,} steps (Muon and AdamW, rate {rate:g}), first {ids:,.1f} million of them look-ups and
  repeats of random token ids. `adaptbench pretrain-mini` makes it again; the numbers are in `recipe.json`.
- **Licence**: Apache-2.0, as all of adaptbench.

## What it can do

Share of {draws} held-out draws that greedy text answers exactly: names, wordings or kinds that training never showed.

{table}

## What it cannot do

Anything that needs knowledge beyond its facts, more than a few sentences of reading, or reasoning in steps. Passages of kinds it
has not met, messages on topics it has not met and labels without a meaning are hard for it, as the table says. It has never seen a
language other than English, nor code.
"""


def card(recipe: Recipe, parameters: int, facts: int, found: Mapping[str, float], draws: int) -> str:
    """The model card as Markdown; `found` as `skills.measure` gives it."""
    rows = ["| skill | right | asked for |", "|---|---:|---|"]
    for skill in SKILLS:
        least = f"at least {skill.least:.2f}" if skill.least is not None else ""
        most = f"at most {skill.most:.2f}" if skill.most is not None else ""
        rows.append(f"| {skill.name} | {found[skill.name]:.2f} | {least or most} |")
    return _TEXT.format(
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
        rate=recipe.rate,
        ids=sum(stage.tokens for stage in recipe.stages if stage.random_ids) / 1e6,
        draws=draws,
        table="\n".join(rows),
    )
