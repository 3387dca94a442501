"""The gallery: the HTML report of every run in `results/`, those that are not committed as a page made here."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "results"
SHOWN = {  # run -> what its report is an example of
    "smollm2": "A chat model of 135 million parameters on labels, replies and questions about documents, with "
    "an encoder and methods without a language model; three seeds.",
    "smollm2-quick": "The same model in seven minutes: two tasks, one seed.",
    "reference": "Five bundled tasks with the demonstration model and most methods; tuning, learning curves, retrieval "
    "controls, counterfactual pairs.",
    "forgetting": "Learning against forgetting at several learning rates and ranks.",
    "parts-mini": "Every adapter beside full fine-tuning, five seeds.",
    "images": "Models of pictures.",
    "any-model": "Encoders, encoder-decoder models and a GGUF file beside causal models.",
    "banking77": "Public data: 77 intents. Its archive holds scores and no answers.",
    "e2e-nlg": "Public data: texts from tables. Its archive holds scores and no answers.",
    "popqa": "Public data: questions with passages. Its archive holds scores and no answers.",
}
_AT_ONCE = 2


def place(file: str) -> str | None:
    """Where a report that is committed, a file of the repository such as `results/smollm2.html`, is on the site."""
    folder, _, name = file.rpartition("/")
    return f"gallery/{name}" if folder == RESULTS.name and name.removesuffix(".html") in SHOWN else None


def page() -> str:
    """The page that lists the reports."""
    lines = [f"| [{name}](gallery/{name}.html) | {shown} |" for name, shown in SHOWN.items()]
    said = "Reports as `adaptbench report RUN --html FILE` writes them, each one file, of the runs in `results/`."
    return "\n".join(["# Gallery of reports", "", said, "", "| report | shows |", "|---|---|", *lines]) + "\n"


@cache
def reports() -> dict[str, str]:
    """Place on the site -> HTML."""
    committed = {name for name in SHOWN if (RESULTS / f"{name}.html").is_file()}
    made = [name for name in SHOWN if name not in committed]
    with ProcessPoolExecutor(_AT_ONCE) as pool:
        texts = dict(zip(made, pool.map(_html, made), strict=True))
    texts |= {name: (RESULTS / f"{name}.html").read_text(encoding="utf-8") for name in committed}
    return {f"gallery/{name}.html": texts[name] for name in SHOWN}


def _html(name: str) -> str:
    from bench.report.html import page
    from bench.store.run_folder import read_run

    return page.html([read_run(RESULTS / f"{name}.run.zip")])
