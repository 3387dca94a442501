"""Answers items by the likeliest of their choices in the decoder, with torch, transformers and peft alone.

    python predict.py < items.jsonl > answers.jsonl

An item is a JSON object on a line: the columns of the prompt's template as texts and, where items have their own,
"choices". "id" is repeated in the answer. The token that ends an answer is part of every choice.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from command_line import main
from loading import HERE, load_model
from prompting import Written
from ranking import best
from seq2seq_prompting import Seq2SeqPrompting
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer
from transformers.modeling_outputs import BaseModelOutput


class Answers:
    """Answers items one at a time."""

    def __init__(self, settings: dict[str, Any], base: str | None = None, device: str = "cpu") -> None:
        self.settings, self.place = settings, (base, device)
        tokenizer = AutoTokenizer.from_pretrained(HERE, trust_remote_code=settings["base"]["trust_remote_code"])
        self.prompting = Seq2SeqPrompting(settings, tokenizer, HERE)

    @cached_property
    def model(self) -> Any:
        """The model with its weights."""
        return load_model(AutoModelForSeq2SeqLM, self.settings, *self.place)

    def prompt(self, item: dict[str, Any]) -> str | None:
        """The text that the encoder reads of an item; None where it does not fit."""
        text: str | None = self.prompting.text(item, item.get("choices") or self.settings["choices"])
        return text

    def answer(self, item: dict[str, Any]) -> str | None:
        """The answer to an item; None where it does not fit into the model's context."""
        choices = item.get("choices") or self.settings["choices"]
        answer: str | None = best(self.settings["rule"], self.prompting, self.score, item, choices)
        return answer

    @torch.inference_mode()
    def score(self, prompt: Written) -> list[float]:
        """Log-likelihood of each choice in the decoder, nats; the prompt is encoded once."""
        device, start = self.model.device, self.settings["decoder"]["start"]
        states = self.model.get_encoder()(input_ids=torch.tensor([prompt.ids], device=device)).last_hidden_state
        sums = []
        for choice in prompt.choices:
            ids = torch.tensor([[*start, *choice[:-1]]], device=device)
            encoded = BaseModelOutput(last_hidden_state=states)
            logits = self.model(encoder_outputs=encoded, decoder_input_ids=ids).logits[0, len(start) - 1 :]
            sums.append(float(logits.float().log_softmax(-1)[range(len(choice)), choice].sum()))
        return sums


if __name__ == "__main__":
    main(Answers, "cuda" if torch.cuda.is_available() else "cpu")
