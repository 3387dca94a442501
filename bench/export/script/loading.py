"""The model of this folder, in the precision that it was measured in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig

HERE = Path(__file__).parent


def load_model(kind: Any, settings: dict[str, Any], base: str | None, device: str, **more: Any) -> Any:
    """A model of `kind`, a class of transformers. An adapter is merged, unless it was measured beside the weights."""
    form, dtype, said = settings["weights"], getattr(torch, settings["dtype"]), settings["base"]
    more |= {"dtype": dtype, "trust_remote_code": said["trust_remote_code"]}
    if said["form"]:
        more |= in_4_bits(dtype, device)
    own = form == "merged"
    place, revision = (HERE, None) if own else (base or said["path"], None if base else said["revision"])
    model: Any = kind.from_pretrained(place, revision=revision, **more)
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):  # other products than it was trained with
            module.support_avx512bf16_for_cpu = False
    if form in ("adapter", "unmerged"):
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, HERE)
        model = (model.merge_and_unload(safe_merge=True) if form == "adapter" else model).to(dtype)
    if "generation" in settings:  # in place of what the base says of sampling and penalties
        ids = {name: settings["generation"][name] for name in ("eos_token_id", "pad_token_id")}
        start = {"decoder_start_token_id": settings["decoder"]["start"][0]} if settings["decoder"] else {}
        model.generation_config = GenerationConfig(do_sample=False, **ids, **start)
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
