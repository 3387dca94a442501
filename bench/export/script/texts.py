"""Answers items by what the model writes, with torch, transformers and peft alone.

    python predict.py < items.jsonl > answers.jsonl

An item is a JSON object on a line: the columns of the prompt's template as texts. "id" is repeated in the answer.
Everything else is in export.json and in prompting.py.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
import transformers
from command_line import main
from loading import HERE, load_model
from prompting import prompting_of


class Answers:
    """Answers items one at a time."""

    def __init__(self, settings: dict[str, Any], base: str | None = None, device: str = "cpu") -> None:
        self.settings, self.place = settings, (base, device)
        trusted = settings["base"]["trust_remote_code"]
        tokenizer = transformers.AutoTokenizer.from_pretrained(HERE, trust_remote_code=trusted)
        self.prompting = prompting_of(settings, tokenizer, HERE)

    @cached_property
    def model(self) -> Any:
        """The model with its weights."""
        kind = transformers.AutoModelForSeq2SeqLM if self.settings["decoder"] else transformers.AutoModelForCausalLM
        return load_model(kind, self.settings, *self.place)

    def prompt(self, item: dict[str, Any]) -> str | None:
        """The text that the model is given of an item; None where it does not fit."""
        text: str | None = self.prompting.text(item, self.choices(item))
        return text

    def choices(self, item: dict[str, Any]) -> list[str] | None:
        """What the model is told to choose from, in a task of choices."""
        return (item.get("choices") or self.settings["choices"]) if self.settings["kind"] == "choice" else None

    def answer(self, item: dict[str, Any]) -> str | None:
        """The answer to an item; None where it does not fit into the model's context, or names no choice."""
        prompt, said = self.prompting.write(item, self.choices(item)), self.settings["generation"]
        if prompt is None:
            return None
        ids = prompt.ids
        if said["thinking"]:
            from thinking import think

            ids = think(self.write, self.prompting, said["thinking"], ids)
        text, choices = self.write(ids, said["stop"], said["max_new_tokens"]), self.choices(item)
        if not choices:
            return text
        from naming import named

        choice: str | None = named(text, choices)
        return choice

    @torch.inference_mode()
    def write(self, prompt: list[int], stop: list[str], most: int) -> str:
        """What the model writes behind a prompt, up to a stop string or `most` tokens."""
        decoder = self.settings["decoder"]
        before = len(decoder["start"] if decoder else prompt)

        def ended(ids: torch.Tensor, scores: Any) -> torch.Tensor:
            text = self.prompting.decode(ids[0, before:].tolist())
            return torch.tensor([any(end in text for end in stop)], device=ids.device)

        ids = torch.tensor([prompt]).to(self.model.device)
        given = {"decoder_input_ids": torch.tensor([decoder["start"]]).to(ids.device)} if decoder else {}
        given["attention_mask"] = torch.ones_like(ids)
        found = self.model.generate(ids, max_new_tokens=most, stopping_criteria=[ended], **given)
        text = str(self.prompting.decode(found[0, before:].tolist()))
        places = [place for place in map(text.find, stop) if place >= 0]
        return text[: min(places, default=len(text))].strip()


if __name__ == "__main__":
    main(Answers, "cuda" if torch.cuda.is_available() else "cpu")
