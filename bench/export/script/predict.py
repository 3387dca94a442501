"""Answers items with what this folder holds, by torch, transformers and peft alone.

    python predict.py < items.jsonl > answers.jsonl

An item is a JSON object on a line: the columns of the prompt's template as texts and, where items have their own,
"choices". "id" is repeated in the answer. Everything else is in export.json and in prompting.py.
"""

from __future__ import annotations

import argparse
import inspect
import json
import sys
from pathlib import Path
from typing import Any

import torch
from prompting import Prompting
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

HERE = Path(__file__).parent
_ROWS = 16  # choices that are scored at once


def load_model(settings: dict[str, Any], base: str | None, device: str) -> Any:
    """The model in the precision it was measured in; an adapter is merged unless it was measured beside the weights."""
    kind, dtype = settings["weights"], getattr(torch, settings["dtype"])
    trusted = {"trust_remote_code": settings["base"]["trust_remote_code"]}
    if settings["base"]["form"]:
        trusted |= in_4_bits(dtype, device)
    if kind == "merged":
        model: Any = AutoModelForCausalLM.from_pretrained(HERE, dtype=dtype, **trusted)
    else:
        revision = None if base else settings["base"]["revision"]
        place = base or settings["base"]["path"]
        model = AutoModelForCausalLM.from_pretrained(place, dtype=dtype, revision=revision, **trusted)
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):  # other products than it was trained with
            module.support_avx512bf16_for_cpu = False
    if kind in ("adapter", "unmerged"):
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, HERE)
        model = (model.merge_and_unload(safe_merge=True) if kind == "adapter" else model).to(dtype)
    return model.to(device).eval()


def in_4_bits(dtype: torch.dtype, device: str) -> dict[str, Any]:
    """What loads a model as NF4 with double quantisation; needs bitsandbytes."""
    from transformers import BitsAndBytesConfig

    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )
    return {"quantization_config": config, "device_map": {"": device}}


class Answers:
    """Answers items one at a time."""

    def __init__(
        self, settings: dict[str, Any], base: str | None = None, device: str = "cpu", load: bool = True
    ) -> None:
        self.settings, self.generation = settings, settings["generation"]
        tokenizer = AutoTokenizer.from_pretrained(HERE, trust_remote_code=settings["base"]["trust_remote_code"])
        self.prompting = Prompting(settings["prompt"], settings["generation"], tokenizer, HERE)
        if not load:
            return
        self.model = load_model(settings, base, device)
        names = ("eos_token_id", "pad_token_id", "max_new_tokens")
        self.greedy = GenerationConfig(do_sample=False, **{name: self.generation[name] for name in names})
        self.hidden: list[torch.Tensor] = []
        self.classifier: dict[str, torch.Tensor] = {}
        if settings["weights"] == "classifier":
            self.classifier = load_file(HERE / "classifier.safetensors", device=device)
            output = self.model.get_output_embeddings()
            output.register_forward_pre_hook(lambda module, given: self.hidden.append(given[0][0, -1]))

    def prompt(self, item: dict[str, Any]) -> str | None:
        """The text that the model is given of an item; None where it does not fit."""
        written = self.prompting.write(item, item.get("choices") or self.settings["choices"])
        return str(self.prompting.tokenizer.decode(written.ids, skip_special_tokens=False)) if written else None

    @torch.inference_mode()
    def answer(self, item: dict[str, Any]) -> str | None:
        """The answer to an item; None where it does not fit into the model's context."""
        choices = item.get("choices") or self.settings["choices"]
        prompt = self.prompting.write(item, choices)
        if prompt is None:
            return None
        if not choices:
            return self.write(self.think(prompt.ids))
        values = self.classify(prompt.ids) if self.classifier else self.rank(item, choices, prompt)
        return str(choices[max(range(len(values)), key=lambda i: values[i])])

    def rank(self, item: dict[str, Any], choices: list[str], prompt: Any) -> list[float]:
        """What the choices are ranked by: their log-likelihoods, by the rule that the method was measured with."""
        values, rule = self.score(prompt.ids, prompt.choices), self.settings["rule"]
        if rule == "tokens":
            return [value / len(ids) for value, ids in zip(values, prompt.choices, strict=True)]
        if rule == "chars":
            return [value / len(text) for value, text in zip(values, choices, strict=True)]
        if rule == "pmi":  # less the likelihood without the item
            bare = self.prompting.write(item, choices, bare=True)
            return [value - prior for value, prior in zip(values, self.score(bare.ids, bare.choices), strict=True)]
        return values

    def score(self, prompt: list[int], choices: list[list[int]]) -> list[float]:
        """Log-likelihood of each choice behind a prompt, nats."""
        sums = []
        for start in range(0, len(choices), _ROWS):
            rows = choices[start : start + _ROWS]
            width = max(map(len, rows))
            ids = torch.tensor([prompt + row + [prompt[-1]] * (width - len(row)) for row in rows])
            keep = "logits_to_keep" in inspect.signature(self.model.forward).parameters
            logits = self.model(ids.to(self.model.device), **({"logits_to_keep": width + 1} if keep else {})).logits
            logs = logits[:, -width - 1 : -1].float().log_softmax(-1).cpu()
            sums += [float(of[range(len(row)), row].sum()) for of, row in zip(logs, rows, strict=True)]
        return sums

    def classify(self, prompt: list[int]) -> list[float]:
        """Logits of all labels, read off the last hidden state."""
        self.hidden.clear()
        self.model(torch.tensor([prompt]).to(self.model.device))
        weight, bias = (self.classifier[name].to(self.hidden[0].dtype) for name in ("weight", "bias"))
        return [float(value) for value in (weight @ self.hidden[0] + bias).float()]

    def write(self, prompt: list[int], stop: list[str] | None = None, most: int | None = None) -> str:
        """What the model writes behind a prompt, up to a stop string."""
        ends = self.generation["stop"] if stop is None else stop

        def ended(ids: torch.Tensor, scores: Any) -> torch.Tensor:
            text = self.prompting.decode(ids[0, len(prompt) :].tolist())
            return torch.tensor([any(end in text for end in ends)], device=ids.device)

        ids = torch.tensor([prompt]).to(self.model.device)
        lengths = {} if most is None else {"max_new_tokens": most}
        found = self.model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            generation_config=self.greedy,
            stopping_criteria=[ended],
            **lengths,
        )
        text = str(self.prompting.decode(found[0, len(prompt) :].tolist()))
        places = [place for place in map(text.find, ends) if place >= 0]
        return text[: min(places, default=len(text))].strip()

    def think(self, prompt: list[int]) -> list[int]:
        """The prompt with a thought behind it, where the method was measured with thinking."""
        thinking = self.generation["thinking"]
        if thinking is None:
            return prompt
        text = self.write(prompt, [thinking["close"]], thinking["tokens"])
        end = self.prompting.tokenizer.decode(prompt[-16:], skip_special_tokens=False)
        begun = end.rfind(thinking["open"]) > end.rfind(thinking["close"]) or text.startswith(thinking["open"])
        told = (text if begun else f"{thinking['open']}\n") + thinking["ending"]
        return [*prompt, *self.prompting.tokens(told)]


def main() -> None:
    """Answer the items of standard input."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", help="folder or Hub id of the base model, where it is not that of export.json")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--prompts", action="store_true", help="print the prompts, and ask no model")
    given = parser.parse_args()
    settings = json.loads((HERE / "export.json").read_text(encoding="utf-8"))
    answers = Answers(settings, given.base, given.device, load=not given.prompts)
    for line in filter(str.strip, sys.stdin):
        item = json.loads(line)
        found = {"prompt": answers.prompt(item)} if given.prompts else {"answer": answers.answer(item)}
        print(json.dumps({"id": item.get("id"), **found}, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
