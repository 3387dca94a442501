"""A task: examples in three splits, a prompt, metrics and, where it has one, a corpus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bench.core.item import Example, Passage
from bench.core.refusal import Refusal

if TYPE_CHECKING:
    from bench.core.counterfactual import Slot
    from bench.core.prompt import Prompt


Rule = Literal["none", "tokens", "chars", "pmi"]  # by which choices are ranked, see bench.engine.ranking


@dataclass(frozen=True, slots=True)
class Extract:
    """Which part of a generated text is the answer."""

    rule: Literal["first_line", "last_number", "json", "regex"]
    pattern: str = ""  # of regex


@dataclass(frozen=True, slots=True)
class History:
    """Where an item says what its customer bought before."""

    column: str  # of the template
    separator: str = ""  # between products; "": they are found by the names that choices of train have


@dataclass(frozen=True, slots=True)
class Task:
    """Examples in three splits, a prompt, metrics and, where it has one, a corpus."""

    name: str
    kind: Literal["choice", "text", "prose"]
    prompt: Prompt
    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    test: tuple[Example, ...]
    corpus: tuple[Passage, ...] = ()
    metrics: tuple[str, ...] = ()  # the first is the primary one
    normalise: Rule = "none"
    rules: tuple[Rule, ...] = ()  # of which `normalise` is chosen on the validation split; (): it is settled
    stop: tuple[str, ...] = ("\n\n",)
    max_new_tokens: int = 64
    lowercase: bool = False  # compare text lower-cased
    extract: Extract | None = None  # the part of a generated text that is scored; None: all of it
    counterfactuals: tuple[Slot, ...] = ()  # changes of an item that ought not to change its answer
    refusal: Refusal | None = None  # what says that a question has no answer; None: every item has one
    history: History | None = None  # of purchases; None: items tell of none
    picture_field: str = ""  # the field of an item's picture; "": items are texts
    contamination: str = ""  # which models are known to have seen it
    notes: tuple[str, ...] = ()  # a line for each file of documents that is left out, or was read in another way
    digest: str = ""  # sha256 over prompt, rows, corpus and decoding: what decides predictions
