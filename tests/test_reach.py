"""LoRA reaches what it says: experts, not routers; what takes no adapter is left out and counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    BartConfig,
    DeepseekV3Config,
    FalconH1Config,
    LlamaConfig,
    MixtralConfig,
    ModernBertDecoderConfig,
)

import methods
from bench.core.adapter_part import AdapterPart, Reach
from methods.read_by_text import read_by_text
from tests.toy import adapted, choice_task

SMALL: dict[str, Any] = {"vocab_size": 512, "hidden_size": 16, "num_attention_heads": 2, "num_key_value_heads": 2}
MIXTRAL = MixtralConfig(**SMALL, intermediate_size=24, num_hidden_layers=2, num_local_experts=4)
FALCON_H1 = FalconH1Config(
    **SMALL,
    intermediate_size=24,
    num_hidden_layers=1,
    mamba_d_ssm=32,
    mamba_n_heads=4,
    mamba_d_head=8,
    mamba_d_state=8,
    mamba_n_groups=1,
    mamba_chunk_size=8,
)
DEEPSEEK_V3 = DeepseekV3Config(  # a layer without a mixture, and one whose mixture has a shared expert
    **SMALL,
    intermediate_size=24,
    num_hidden_layers=2,
    first_k_dense_replace=1,
    moe_intermediate_size=12,
    n_routed_experts=4,
    n_shared_experts=1,
    num_experts_per_tok=2,
    n_group=1,
    topk_group=1,
    q_lora_rank=8,
    kv_lora_rank=8,
    qk_rope_head_dim=8,
    qk_nope_head_dim=8,
    v_head_dim=8,
)
BART = BartConfig(vocab_size=64, d_model=16, decoder_layers=1, decoder_attention_heads=2, decoder_ffn_dim=24)
MODERNBERT = ModernBertDecoderConfig(**SMALL, intermediate_size=24, num_hidden_layers=1, pad_token_id=0, eos_token_id=2)
LLAMA = LlamaConfig(**SMALL, intermediate_size=24, num_hidden_layers=2)


def model_of(config: Any) -> Any:
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config).eval()


def started(config: Any, **options: Any) -> tuple[Any, Any]:
    """(LoRA, a model with its adapters)."""
    part = methods.create("lora", options).weights
    return part, part.start(model_of(config), 0)


def moved(config: Any, **options: Any) -> set[str]:
    """Matrices that differ from the base model's once every adapter has been moved and merged."""
    part, model = started(config, **options)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter)
    merged, base = dict(part.finish(model).named_parameters()), dict(model_of(config).named_parameters())
    return {name for name, weight in base.items() if weight.ndim > 1 and not torch.equal(weight, merged[name])}


def test_experts_have_adapters_and_routers_have_none() -> None:
    changed = moved(MIXTRAL)
    for layer in range(2):
        block = f"model.layers.{layer}"
        assert {f"{block}.mlp.experts.gate_up_proj", f"{block}.mlp.experts.down_proj"} <= changed
        assert f"{block}.mlp.gate.weight" not in changed
        assert f"{block}.self_attn.q_proj.weight" in changed


def test_how_far_adapters_reach_is_counted() -> None:
    """By hand, of a Mixtral block: attention 4 x 16 x 16, experts 4 x (48 x 16 + 16 x 24), router 4 x 16."""
    attention, experts, router = 4 * 256, 4 * (768 + 384), 64
    part, model = started(MIXTRAL)
    assert isinstance(part, AdapterPart)
    assert part.reach(model) == Reach(2 * (attention + experts), 2 * (attention + experts + router), ("mlp.gate",))
    part, model = started(MIXTRAL, dropout=0.1)  # which peft has not for experts
    left_out = ("mlp.experts.gate_up_proj", "mlp.experts.down_proj", "mlp.gate")
    assert part.reach(model) == Reach(2 * attention, 2 * (attention + experts + router), left_out)
    part, model = started(LLAMA)
    assert part.reach(model).adapted == part.reach(model).all > 0


def test_what_is_no_expert_has_adapters_beside_experts() -> None:
    changed = moved(DEEPSEEK_V3)
    assert {f"model.layers.0.mlp.{of}_proj.weight" for of in ("gate", "up", "down")} <= changed
    assert {f"model.layers.1.mlp.shared_experts.{of}_proj.weight" for of in ("gate", "up", "down")} <= changed
    assert {f"model.layers.1.mlp.experts.{of}_proj" for of in ("gate_up", "down")} <= changed
    assert "model.layers.1.mlp.gate.weight" not in changed


def test_layers_that_no_text_passes_have_no_adapter_and_do_not_count() -> None:
    """By hand, of a Bart decoder's block: attention 4 x 16 x 16, two layers of 16 x 24; attention to no encoder."""
    assert not [name for name in moved(BART) if "encoder_attn" in name]
    part, model = started(BART)
    assert part.reach(model) == Reach(4 * 256 + 2 * 384, 4 * 256 + 2 * 384)


def test_a_decoder_that_is_the_output_matrix_leaves_the_blocks_counted() -> None:
    """By hand, of a ModernBert decoder's block: attention 4 x 16 x 16, a gated layer 16 x 48 and back 24 x 16."""
    part, model = started(MODERNBERT)
    assert part.reach(model) == Reach(1024 + 768 + 384, 1024 + 768 + 384)


def test_looking_for_what_text_passes_leaves_the_model_as_it_was() -> None:
    model = model_of(MIXTRAL)
    trained = model.lm_head.weight.requires_grad_(True)
    model.model.requires_grad_(False)
    read = read_by_text(model)
    assert {parameter for parameter in model.parameters() if parameter.requires_grad} == {trained}
    assert all(parameter.grad is None for parameter in model.parameters())
    assert read == set(model.parameters())  # experts that got none of the few tokens too


def test_mamba_keeps_its_last_projection() -> None:
    changed = moved(FALCON_H1)
    assert "model.layers.0.mamba.in_proj.weight" in changed
    assert "model.layers.0.mamba.out_proj.weight" not in changed
    assert "model.layers.0.self_attn.q_proj.weight" in changed
    part, model = started(FALCON_H1)
    assert set(part.reach(model).left_out) == {"mamba.out_proj", "mamba.conv1d"}


@pytest.mark.parametrize("config", [MIXTRAL, LLAMA], ids=["mixtral", "llama"])
def test_merged_is_unmerged(config: Any) -> None:
    part, model = started(config)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    ids = torch.arange(12).reshape(2, 6)
    with torch.no_grad():
        before = model.eval()(input_ids=ids).logits
        assert part.finish(model)(input_ids=ids).logits == pytest.approx(before, abs=1e-4)


def test_a_cell_tells_how_far_its_adapters_reach(tiny_model: Path) -> None:
    options = {"max_steps": 1, "learning_rate": 1e-3}
    lora, full = (adapted(choice_task(), method, options, tiny_model).parameters for method in ("lora", "full"))
    assert lora.adapted_weights == lora.block_weights
    assert lora.block_weights
    assert lora.unadapted == ()
    assert full.block_weights is None
