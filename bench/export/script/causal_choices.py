"""Answers items by the likeliest of their choices, with torch, transformers and peft alone.

    python predict.py < items.jsonl > answers.jsonl

An item is a JSON object on a line: the columns of the prompt's template as texts and, where items have their own,
"choices". "id" is repeated in the answer. Everything else is in export.json and in prompting.py.
"""

from __future__ import annotations

import inspect
from functools import cached_property
from typing import Any

import torch
from command_line import main
from loading import HERE, load_model
from prompting import Prompting, Written
from ranking import best
from transformers import AutoModelForCausalLM, AutoTokenizer

_ROWS = 16  # choices that are scored at once


class Answers:
    """Answers items one at a time."""

    def __init__(self, settings: dict[str, Any], base: str | None = None, device: str = "cpu") -> None:
        self.settings, self.place = settings, (base, device)
        tokenizer = AutoTokenizer.from_pretrained(HERE, trust_remote_code=settings["base"]["trust_remote_code"])
        self.prompting = Prompting(settings, tokenizer, HERE)

    @cached_property
    def model(self) -> Any:
        """The model with its weights."""
        return load_model(AutoModelForCausalLM, self.settings, *self.place)

    def prompt(self, item: dict[str, Any]) -> str | None:
        """The text that the model is given of an item; None where it does not fit."""
        text: str | None = self.prompting.text(item, item.get("choices") or self.settings["choices"])
        return text

    def answer(self, item: dict[str, Any]) -> str | None:
        """The answer to an item; None where it does not fit into the model's context."""
        choices = item.get("choices") or self.settings["choices"]
        answer: str | None = best(self.settings["rule"], self.prompting, self.score, item, choices)
        return answer

    @torch.inference_mode()
    def score(self, prompt: Written) -> list[float]:
        """Log-likelihood of each choice behind a prompt, nats."""
        sums = []
        keeps = "logits_to_keep" in inspect.signature(self.model.forward).parameters
        for start in range(0, len(prompt.choices), _ROWS):
            rows = prompt.choices[start : start + _ROWS]
            width = max(map(len, rows))
            ids = torch.tensor([prompt.ids + row + [prompt.ids[-1]] * (width - len(row)) for row in rows])
            logits = self.model(ids.to(self.model.device), **({"logits_to_keep": width + 1} if keeps else {})).logits
            logs = logits[:, -width - 1 : -1].float().log_softmax(-1).cpu()
            sums += [float(of[range(len(row)), row].sum()) for of, row in zip(logs, rows, strict=True)]
        return sums


if __name__ == "__main__":
    main(Answers, "cuda" if torch.cuda.is_available() else "cpu")
