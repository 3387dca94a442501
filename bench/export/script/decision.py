"""Answers items by transformers' pipeline for decision models, with torch and transformers alone.

    python predict.py < items.jsonl > answers.jsonl

An item is a JSON object on a line: the columns of the template as texts and, where items have their own, "choices".
"id" is repeated in the answer.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from command_line import main
from template import question
from transformers import pipeline


class Answers:
    """Answers items one at a time."""

    def __init__(self, settings: dict[str, Any], base: str | None = None, device: str = "cpu") -> None:
        self.settings, self.base, self.device = settings, base, device

    @cached_property
    def model(self) -> Any:
        """The pipeline, which reads the model's calibration from its folder."""
        said = self.settings["base"]
        revision = None if self.base else said["revision"]
        return pipeline(
            "decision",
            model=self.base or said["path"],
            revision=revision,
            dtype=getattr(torch, self.settings["dtype"]),
            device=self.device,
            trust_remote_code=said["trust_remote_code"],
        )

    def prompt(self, item: dict[str, Any]) -> str:
        """The text that is decided on."""
        return str(question(self.settings, item, item.get("choices") or self.settings["choices"]))

    @torch.inference_mode()
    def answer(self, item: dict[str, Any]) -> str:
        """The most probable choice."""
        choices = item.get("choices") or self.settings["choices"]
        asked = {"type": "choice", "instructions": self.settings["instruction"] or None}
        asked["criteria"] = dict.fromkeys(choices)
        found = self.model({"state": self.prompt(item), "questions": {"answer": asked}})["answer"]["probabilities"]
        return str(max(choices, key=lambda choice: found[choice]))


if __name__ == "__main__":
    main(Answers, "cuda" if torch.cuda.is_available() else "cpu")
