"""What a model can do of what mini was made for, on draws that its training never saw."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from bench.engine.transformers_engine import Engine
from scripts.mini.corpus import arithmetic, basics, classify, copying, facts, forms, reading
from scripts.mini.corpus.document import Document

Probe = tuple[str, str]  # prompt, the right continuation
Draw = Callable[[random.Random], Probe]


def last_answer(document: Document) -> Probe:
    """The document as a prompt for its last answer."""
    at = max(i for i, (_, is_answer) in enumerate(document.pieces) if is_answer)
    return "".join(text for text, _ in document.pieces[:at]), document.pieces[at][0]


@dataclass(frozen=True)
class Skill:
    """A skill's name, how a probe of it is drawn, and the share that must be right (None: for comparison only)."""

    name: str
    draw: Draw
    least: float | None = None
    most: float | None = None


SKILLS = (
    Skill("copying: look-up tables", lambda rng: last_answer(copying.lookup(rng, held_out=True))),
    Skill("world facts, closed book", lambda rng: last_answer(facts.questions(rng, held_out=True, count=1)), 0.80),
    Skill("reading: plain statements, names never seen", lambda rng: last_answer(basics.reading(rng, True)), 0.90),
    Skill("reading: passages of kinds never seen", lambda rng: _pair(reading.probe(rng))),
    Skill("style of records: 3 examples", lambda rng: last_answer(basics.style(rng, True, 3)), 0.90),
    Skill("style of records: no example", lambda rng: last_answer(basics.style(rng, True, 0)), None, 0.40),
    Skill("style of messages: 3 examples", lambda rng: _pair(forms.probe_style(rng, 3))),
    Skill("style of messages: no example", lambda rng: _pair(forms.probe_style(rng, 0))),
    Skill("labels without a meaning: 12 examples", lambda rng: last_answer(classify.probe_mapping(rng, 12))),
    Skill("labels without a meaning: no example", lambda rng: last_answer(classify.probe_mapping(rng, 0))),
    Skill("topics by their words", lambda rng: last_answer(basics.topics(rng, True, 1)), 0.95),
    Skill("topics of messages never seen", lambda rng: last_answer(classify.probe_known(rng))),
    Skill("fields from messy text", lambda rng: _pair(forms.probe_fields(rng))),
    Skill("arithmetic", lambda rng: last_answer(arithmetic.draw(rng, held_out=True))),
)


def measure(folder: Path, draws: int = 200, seed: int = 0) -> dict[str, float]:
    """Share of `draws` probes of each skill that greedy text answers exactly, with the model in `folder`."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    engine = Engine(model, tokenizer.pad_token_id, frozenset({tokenizer.eos_token_id}), batch_tokens=8192)
    return {skill.name: _share(engine, tokenizer, skill, draws, seed) for skill in SKILLS}


def _share(engine: Engine, tokenizer: Any, skill: Skill, draws: int, seed: int) -> float:
    probes = [skill.draw(random.Random(f"{seed}/{skill.name}/{i}")) for i in range(draws)]
    prompts = [tokenizer(prompt)["input_ids"] for prompt, _ in probes]
    longest = max(len(tokenizer(answer)["input_ids"]) for _, answer in probes)

    def cut(ids: list[int]) -> int | None:
        return next((i + 1 for i in range(len(ids)) if "\n" in tokenizer.decode(ids[: i + 1]).lstrip()), None)

    found = engine.generate((), prompts, cut, longest + 4)
    texts = (tokenizer.decode(ids, skip_special_tokens=True).strip().split("\n")[0] for ids in found)
    right = (_is(text.strip(), answer.strip()) for text, (_, answer) in zip(texts, probes, strict=True))
    return float(sum(right)) / draws


def _is(text: str, answer: str) -> bool:
    """Whether a line of text is the answer; of a look-up in a running table, whether its next entry is."""
    return text == answer or text.startswith(tuple(answer + after.rstrip() for after in copying.AFTER if after.strip()))


def _pair(found: tuple[Document, str]) -> Probe:
    document, answer = found
    return document.text, answer
