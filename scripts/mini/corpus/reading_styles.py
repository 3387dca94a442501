"""How a document of `reading` is written: its instruction, its cues, how a passage stands there, in which order."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from scripts.mini.corpus.document import bank, reserved
from scripts.mini.corpus.reading_frames import Scene
from scripts.mini.corpus.reading_values import Source


@dataclass(frozen=True)
class Style:
    """How a document is written; `cue` ends the question, `passage` has {title} and {text}."""

    instruction: str
    none: str
    ask: str
    cue: str
    passage: str
    titled: bool
    layout: str
    quote: bool = False

    def shown(self, one: Scene) -> str:
        """A passage as it stands in the document."""
        if not self.titled:
            return self.passage.replace("{text}", one.text)
        return self.passage.replace("{title}", one.title).replace("{text}", one.text)


def draw_style(source: Source) -> Style:
    """Half of them as the harness writes prompts, with other cues at most."""
    rng = source.rng
    quote, none = rng.random() < 0.06, ""
    if quote:
        instruction = form("quote", source)
    elif rng.random() < 0.3:
        none = form("none", source)
        instruction = form("unless", source).replace("<none>", none)
    else:
        instruction = form("plain", source) if rng.random() < 0.75 else ""
    titled = rng.random() < 0.7
    if rng.random() < 0.5:
        cues = ("Question: {}", "\nAnswer:") if rng.random() < 0.5 else _cues(source)
        return Style(instruction, none, *cues, "{title}\n{text}" if titled else "{text}", titled, "plain", quote)
    layout = rng.choice(("plain", "plain", "plain", "late", "before", "listed"))
    cues = _cues(source)
    if (layout == "late" and not instruction) or (layout == "before" and not cues[1].strip()):
        layout = "plain"
    passage = form("titled" if titled else "untitled", source).replace("\\n", "\n")
    return Style(instruction, none, *cues, passage, titled, layout, quote)


def _cues(source: Source) -> tuple[str, str]:
    question, answer = form("cues", source).replace("\\n", "\n").split(" || ")
    return question, answer


def form(name: str, source: Source) -> str:
    """A wording of the bank `reading_forms`."""
    entries = _forms(name, source.held_out)
    return entries[int(source.rng.random() * len(entries))]


@cache
def _forms(name: str, held_out: bool) -> list[str]:
    return list(reserved([line.strip() for line in bank("reading_forms")[name].splitlines() if line.strip()], held_out))
