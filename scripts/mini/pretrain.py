"""`python -m scripts.mini`: makes mini from nothing but its corpus; goes on where it stopped.

Muon moves the matrices inside the blocks, AdamW the embeddings and norms, as in the recipe's prototype (Jordan et al.
2024, https://kellerjordan.github.io/posts/muon). The loss is a weighted mean of cross-entropy: answers count ten times
what stands around them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from bench.core.errors import UsageError
from scripts.mini.corpus import mixture
from scripts.mini.recipe import VERSION, Recipe
from scripts.mini.stream import batch
from scripts.mini.tokenizer import train_tokenizer
from scripts.mini.weights import prepare

CHECKPOINT = "checkpoint.pt"
SAVE_EVERY = 100  # steps
Report = Callable[[int, float, float], None]  # steps done, loss, tokens for each second


def pretrain(out: Path, recipe: Recipe, report: Report, until: int | None = None, compiled: bool = True) -> Path:
    """Train by `recipe` in `out`, from its checkpoint where there is one; returns the folder of the model.

    `until` stops after that many steps in all, with a checkpoint. `compiled` has torch compile the
    step first, which takes a minute and needs a C++ compiler.

    Raises:
        UsageError: `out` holds a checkpoint of another recipe.
    """
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer(out, recipe)
    torch.manual_seed(recipe.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model: Any = LlamaForCausalLM(LlamaConfig(**recipe.config()))
    prepare(model)
    model.to(device)
    optimizers = _optimizers(model, recipe)
    done = _resume(out, recipe, model, optimizers)
    step_loss = torch.compile(_loss, dynamic=False) if compiled else _loss
    started, seen, smooth = time.monotonic(), 0, 0.0
    last = min(recipe.steps, until or recipe.steps)
    for step in range(done, last):
        if step > 0 and recipe.at(step).step == 0:
            optimizers = _anew(model, recipe)
        ids, places, weights = (tensor.to(device) for tensor in batch(tokenizer.backend_tokenizer, recipe, step))
        _set_rates(optimizers, recipe, step)
        loss = step_loss(model, ids, places, weights)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.max_grad_norm)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        smooth = loss.item() if step == done else 0.98 * smooth + 0.02 * loss.item()
        seen += ids.shape[0] * (ids.shape[1] - 1)
        report(step + 1, smooth, seen / (time.monotonic() - started))
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == last:
            _save(out, recipe, model, optimizers, step + 1)
    return export(out, model, tokenizer, recipe)


def export(out: Path, model: Any, tokenizer: PreTrainedTokenizerFast, recipe: Recipe) -> Path:
    """The model as `from_pretrained` reads it, in bfloat16, with the recipe beside it."""
    folder = out / "model"
    config = LlamaConfig(**recipe.config(), dtype="bfloat16")
    copy: Any = LlamaForCausalLM(config)
    copy.to(torch.bfloat16)
    copy.load_state_dict({name: value.to(torch.bfloat16) for name, value in model.state_dict().items()})
    copy.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "recipe.json").write_text(json.dumps(_card(recipe), indent=1) + "\n", encoding="utf-8")
    return folder


def rate(recipe: Recipe, step: int) -> float:
    """Learning rate of a step: in each cycle a short warm-up, a level stretch, then a straight line to a low rate.

    Such a trapezoid does as well as a cosine, and its level stretch is good for any length (Hägele et al. 2024,
    arXiv:2405.18392).
    """
    place = recipe.at(step)
    cycle = place.cycle
    falling = max(0.0, place.share - cycle.constant_share) / (1 - cycle.constant_share)
    return cycle.rate * min((place.step + 1) / cycle.warmup_steps, 1 - falling * (1 - cycle.final_share))


def _loss(model: Any, ids: Tensor, places: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean of the cross-entropy at some places: the others' logits, a quarter of the work, are left out."""
    with torch.autocast(ids.device.type, torch.bfloat16):
        hidden = model.model(input_ids=ids[:, :-1], use_cache=False).last_hidden_state
        logits = model.lm_head(hidden.flatten(0, 1)[places])
    losses = torch.nn.functional.cross_entropy(logits.float(), ids[:, 1:].flatten()[places], reduction="none")
    return (losses * weights).sum() / weights.sum()


def _optimizers(model: Any, recipe: Recipe) -> list[torch.optim.Optimizer]:
    blocks = [p for name, p in model.named_parameters() if p.ndim == 2 and ".layers." in name]
    others = [p for name, p in model.named_parameters() if p.ndim != 2 or ".layers." not in name]
    muon = torch.optim.Muon(blocks, lr=0.0, weight_decay=recipe.weight_decay, adjust_lr_fn="match_rms_adamw")
    adam = torch.optim.AdamW(others, lr=0.0, betas=(0.9, 0.98), weight_decay=0.0, fused=True)
    return [muon, adam]


def _anew(model: Any, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """Optimizers for a new cycle, whose weights start as `export` wrote those of the one before."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.to(torch.bfloat16))
    return _optimizers(model, recipe)


def _set_rates(optimizers: list[torch.optim.Optimizer], recipe: Recipe, step: int) -> None:
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate(recipe, step)


def _card(recipe: Recipe) -> dict[str, Any]:
    return {"version": VERSION, **asdict(recipe)}


def _tokenizer(out: Path, recipe: Recipe) -> PreTrainedTokenizerFast:
    folder = out / "tokenizer"
    if not (folder / "tokenizer.json").exists():
        texts = mixture.sample(recipe.seed, recipe.tokenizer_documents)
        train_tokenizer(texts, recipe.vocabulary).save_pretrained(folder)
    loaded: PreTrainedTokenizerFast = PreTrainedTokenizerFast.from_pretrained(folder)
    return loaded


def _save(out: Path, recipe: Recipe, model: Any, optimizers: list[torch.optim.Optimizer], step: int) -> None:
    state = {
        "recipe": _card(recipe),
        "step": step,
        "model": model.state_dict(),
        "optimizers": [optimizer.state_dict() for optimizer in optimizers],
    }
    torch.save(state, out / f"{CHECKPOINT}.new")
    (out / f"{CHECKPOINT}.new").replace(out / CHECKPOINT)


def _resume(out: Path, recipe: Recipe, model: Any, optimizers: list[torch.optim.Optimizer]) -> int:
    file = out / CHECKPOINT
    if not file.exists():
        return 0
    state = torch.load(file, map_location=model.device, weights_only=True)
    if state["recipe"] != _card(recipe):
        raise UsageError(f"{file} is of another recipe; name another folder, or delete it")
    model.load_state_dict(state["model"])
    for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(saved)
    return int(state["step"])
