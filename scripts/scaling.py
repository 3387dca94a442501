"""How cost grows: with worked examples, items, the corpus, the length of prompts and the width of a model.

    python scripts/scaling.py results/performance

Draws a chart for each and writes their figures, with the exponent b of seconds = a · size^b: the slope between the two
largest sizes. mini on short questions with four choices, but for lengths and widths, which have random Llamas of 12
layers. Worked examples are timed twice: as adaptbench does it, with the beginning that prompts share computed once, and
with the whole prompt computed for every question. Medians of three rounds; what takes longer than 20 s is timed once.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

import tasks
from bench.core.item import Example
from bench.core.prompt import placeholders
from bench.engine.predictor import ModelPredictor, question
from bench.engine.transformers_backend import TransformersBackend
from bench.engine.transformers_engine import Engine
from bench.engine.trial import Reading
from bench.model.budget import BATCH_TOKENS
from bench.model.load import load_base
from bench.model.resolve import ModelSpec, resolve
from bench.report.charts import css, lines
from bench.report.charts.chart import About, Chart
from bench.report.charts.lines import At, Series
from bench.retrieval.embedders import find_embedder
from bench.retrieval.index import build
from scripts.peers import cases

SHOTS = (0, 4, 8, 16, 32)
QUESTIONS = 60
ITEMS = (40, 100, 200, 400)
DOCUMENTS = {"lexical": (100, 1_000, 10_000, 100_000), "dense": (100, 1_000, 10_000)}
LENGTHS = (225, 450, 900, 1_800)  # tokens of a prompt, about
WIDTHS = {192: "llama-192", 384: "llama-384", 768: "llama-100m"}
FEW = 8  # questions with long prompts, and of wide models
ROUNDS = 3
LONG = 20.0  # seconds: timed once
MEASURES = ("shots", "items", "documents", "lengths", "widths", "none")
CACHE = cases.ROOT / ".benchmarks" / "peers"


def main() -> None:
    """Measure, draw, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--only", action="append", choices=MEASURES, help="measure this anew, keep the rest")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    asked.out.mkdir(parents=True, exist_ok=True)
    task = cases.four_choices()
    measures: dict[str, Callable[[], dict[str, list[tuple[int, float]]]]] = {
        "shots": lambda: shots(task),
        "items": lambda: items(task),
        "documents": documents,
        "lengths": lambda: lengths(task),
        "widths": lambda: widths(task),
    }
    file = asked.out / "scaling.json"
    known = json.loads(file.read_text()) if asked.only else {}
    found = {name: known[name] if name not in (asked.only or measures) else work() for name, work in measures.items()}
    exponents = {name: {label: exponent(points) for label, points in one.items()} for name, one in found.items()}
    content = {"threads": asked.threads, **found, "exponents": exponents}
    file.write_text(json.dumps(content, indent=1) + "\n")
    titles = {
        "shots": ("Seconds for 60 questions", "worked examples in the prompt", "s"),
        "items": ("Seconds against questions", "questions", "s"),
        "documents": ("Seconds to index a corpus and to search it 60 times", "documents", "s"),
        "lengths": ("Seconds for 8 questions", "tokens of a prompt", "s"),
        "widths": ("Seconds for 8 questions", "width of the model", "s"),
    }
    for name, (title, x, y) in titles.items():
        series = [Series(label, tuple(At(float(n), s) for n, s in points)) for label, points in found[name].items()]
        wide = name == "documents"  # three powers of ten
        chart = lines.draw(About(name, title), series, x, y, whole_x=True, log_x=wide, log_y=wide)
        write(asked.out / f"{name}.svg", chart)


def shots(task: Any) -> dict[str, list[tuple[int, float]]]:
    """Seconds for 60 questions by the number of worked examples, with and without a shared beginning."""
    found: dict[str, list[tuple[int, float]]] = {"beginning computed once": [], "every prompt whole": []}
    for k in SHOTS:
        for label, shares in zip(found, (True, False), strict=True):
            found[label].append((k, asking(task, k, QUESTIONS, shares)))
    return found


def items(task: Any) -> dict[str, list[tuple[int, float]]]:
    """Seconds by the number of questions, with ten worked examples."""
    return {"10 worked examples": [(n, asking(task, 10, n, True)) for n in ITEMS]}


def documents() -> dict[str, list[tuple[int, float]]]:
    """Seconds to index so many documents and to ask 60 questions of them, by the way of searching."""
    task = tasks.load("handbook-qa")
    texts = [task.prompt.document(passage) for passage in task.corpus]
    questions = [task.prompt.query(question(example)) for example in task.test[:QUESTIONS]]
    ways = ["lexical"] + (["dense"] if find_embedder() else [])
    return {
        way: [(n, timed(partial(searched, way, editions(texts, n), questions))) for n in DOCUMENTS[way]] for way in ways
    }


def editions(texts: Sequence[str], n: int) -> list[str]:
    """So many documents, each of them another text."""
    return [f"{texts[i % len(texts)]} Edition {i // len(texts)}." for i in range(n)]


def lengths(task: Any) -> dict[str, list[tuple[int, float]]]:
    """Seconds by the length of prompts that have nothing in common."""
    column = placeholders(task.prompt.template)[0]
    encode = load_base(resolve(ModelSpec(path="mini")), torch.device("cpu")).codec.encode

    def longer(example: Example, tokens: int) -> Example:
        part = f" {example.fields[column]} {example.id}"
        return replace(example, fields={**example.fields, column: part * (tokens // len(encode(part)))})

    tasks_by_length = {n: replace(task, test=tuple(longer(each, n) for each in task.test[:FEW])) for n in LENGTHS}
    return {"4 choices": [(n, asking(long, 0, FEW, True, "llama-384")) for n, long in tasks_by_length.items()]}


def widths(task: Any) -> dict[str, list[tuple[int, float]]]:
    """Seconds by the width of the model."""
    return {"4 choices": [(width, asking(task, 0, FEW, True, model)) for width, model in WIDTHS.items()]}


def exponent(points: Sequence[tuple[int, float]]) -> float:
    """How seconds grow between the two largest sizes: 1 is in proportion."""
    (small, fast), (large, slow) = points[-2:]
    return math.log(slow / fast) / math.log(large / small) if small else math.nan


def searched(way: str, texts: Sequence[str], questions: Sequence[str]) -> object:
    """One index made and asked."""
    return build(way, texts, embedder=find_embedder() if way == "dense" else None).search(questions, 5)


def asking(task: Any, k: int, count: int, shares: bool, model: str = "mini") -> float:
    """Seconds to answer `count` questions behind k worked examples."""
    folder = cases.folder_of(model, CACHE)
    base = load_base(resolve(ModelSpec(path=str(folder), dtype="float32")), torch.device("cpu"))
    writer = cases.writer(base, task, k)
    engine = Engine(base.load(False).eval(), base.codec.pad, base.codec.stops, BATCH_TOKENS["cpu"])
    if not shares:
        engine.__dict__["reading"] = Reading.ROWS  # as for a model whose cache cannot be shared
    predictor = ModelPredictor(
        TransformersBackend(engine, base.codec.decode), writer, replace(task, test=()), lambda done, of: None
    )
    asked = [question(example) for example in task.test[:count]]

    def work() -> object:
        engine.forget()
        answers = predictor.predict(asked)
        assert not any(answer.failure for answer in answers)
        return answers

    return timed(work)


def timed(work: Callable[[], object]) -> float:
    """The median of a few rounds, in seconds."""
    taken = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
        if taken[-1] > LONG:
            break
    return statistics.median(taken)


def write(file: Path, chart: Chart) -> None:
    """A chart as a file of its own: with its style sheet, on paper, and shrunk as a whole where a page is narrow."""
    own = "svg.chart.wide { background: var(--paper); display: inline; max-width: none; }"
    style = f"<style>{css()}{own}</style>"
    head, _, rest = chart.svg.partition(">")
    file.write_text(f'{head} xmlns="http://www.w3.org/2000/svg">{style}{rest}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
