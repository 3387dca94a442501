"""Adapters of peft: each begins as the base, trains as peft used by hand does, and comes back to the bit."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from peft import IA3Config, LoraConfig, MissConfig, OFTConfig, ShiraConfig, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    GPT2Config,
    LlamaConfig,
    MambaConfig,
    MixtralConfig,
    T5Config,
)

import methods
from bench.adapt.learner import Observer
from bench.adapt.untrained import require_base
from bench.core.adapter_part import AdapterPart
from bench.core.errors import CellError, NotApplicableError
from bench.engine.backend import local
from bench.model.fingerprint import fingerprint
from bench.training import trainer
from bench.training.arguments import Setting
from bench.training.batches import LengthGroups, Pair
from bench.training.loss import summed_loss
from methods.lora import Lora
from methods.peft_part import MatrixPart
from tests.architectures import build
from tests.test_architectures import FAMILIES
from tests.toy import QUICK, adapted, choice_task

SIZES: dict[str, Any] = {"vocab_size": 64, "hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 2}
LLAMA = LlamaConfig(**SIZES, num_key_value_heads=1, intermediate_size=24, initializer_range=0.2)
GPT2 = GPT2Config(
    vocab_size=64, n_embd=16, n_layer=2, n_head=2, bos_token_id=1, eos_token_id=2, initializer_range=0.2
)  # fmt: skip
MIXTRAL = MixtralConfig(**SIZES, num_key_value_heads=2, intermediate_size=24, num_local_experts=2)
MAMBA = MambaConfig(vocab_size=64, hidden_size=16, num_hidden_layers=2, state_size=4)
T5 = T5Config(vocab_size=64, d_model=16, d_kv=8, d_ff=24, num_layers=1, num_heads=2)

PARTS = sorted(name for name, part in methods.own().items() if issubclass(part, MatrixPart) and name != "qlora")
SMALL: dict[str, dict[str, Any]] = {
    "lora": {"rank": 2}, "dora": {"rank": 2}, "rslora": {"rank": 4}, "miss": {"rank": 4}, "shira": {"rank": 2},
    "oft": {"block": 4},
}  # fmt: skip
every_part = pytest.mark.parametrize("name", PARTS)


def part_of(name: str, **options: Any) -> Any:
    return methods.create(name, {**SMALL.get(name, {}), **options}).weights


def model_of(config: Any) -> Any:
    torch.manual_seed(0)
    kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    return kind.from_config(config).eval()  # type: ignore[no-untyped-call]


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(input_ids=torch.arange(3, 15).reshape(2, 6)).logits
    return found


def shaken(model: Any) -> Any:
    """The model with an adapter as after a training: every number that is trained has moved."""
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    return model


def test_the_parts_are_these() -> None:
    assert set(PARTS) == {"lora", "dora", "rslora", "oft", "miss", "shira", "ia3"}


@every_part
@pytest.mark.parametrize("config", [LLAMA, MIXTRAL, T5], ids=["llama", "mixtral", "t5"])
def test_untrained_it_is_the_base_to_the_bit(name: str, config: Any) -> None:
    model, part = model_of(config), part_of(name)
    base, before = fingerprint(model), None if config is T5 else logits(model)
    started = part.start(model, 3)
    trained = [name for name, parameter in started.named_parameters() if parameter.requires_grad]
    modes = [module.training for module in started.modules()]
    require_base(name, started)
    assert trained == [name for name, parameter in started.named_parameters() if parameter.requires_grad]
    assert modes == [module.training for module in started.modules()]
    assert before is None or torch.equal(logits(started.eval()), before)
    assert fingerprint(part.finish(started)) == base


@every_part
def test_training_that_moves_nothing_leaves_every_bit(name: str, tiny_model: Path) -> None:
    """Through the whole of a cell: what is then asked to see what was forgotten is the base."""
    result = adapted(choice_task(), name, {**QUICK, **SMALL.get(name, {}), "learning_rate": 1e-30}, tiny_model)
    base = fingerprint(AutoModelForCausalLM.from_pretrained(tiny_model))
    assert fingerprint(local(result.predictor.backend).model) == base
    assert result.parameters.adapted_weights
    assert (result.flop_check is not None) == part_of(name).plain_work


def test_a_part_that_starts_elsewhere_is_refused(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = Lora.config

    def drawn(*args: Any) -> Any:
        found = config(*args)
        found.init_lora_weights = False  # both factors are drawn
        return found

    monkeypatch.setattr(Lora, "config", drawn)
    with pytest.raises(CellError, match=r"^lora is not the base model before it is trained: logits differ by up to \d"):
        adapted(choice_task(), "lora", QUICK, tiny_model)


BY_HAND: dict[str, Callable[[dict[str, Any]], Any]] = {
    "lora": lambda given: LoraConfig(r=2, lora_alpha=4, **given),
    "rslora": lambda given: LoraConfig(r=4, lora_alpha=16, use_rslora=True, **given),
    "dora": lambda given: LoraConfig(r=2, lora_alpha=4, use_dora=True, **given),
    "oft": lambda given: OFTConfig(oft_block_size=4, **given),
    "miss": lambda given: MissConfig(r=4, **given),
    "shira": lambda given: ShiraConfig(r=2, random_seed=5, **given),
    "ia3": lambda given: IA3Config(
        **{**given, "target_modules": ["k_proj", "v_proj", "down_proj"], "feedforward_modules": ["down_proj"]}
    ),
}
SEVEN = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def drawn_pairs(count: int) -> list[Pair]:
    rng = random.Random(0)
    return [([rng.randrange(3, 60) for _ in range(rng.randint(2, 9))], [rng.randrange(3, 60)]) for _ in range(count)]


@pytest.mark.parametrize("name", BY_HAND)
def test_it_trains_as_peft_used_by_hand(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """20 steps with the same seed and batches: AdamW, cosine without warm-up, one sequence at a time by hand."""
    ends = {"train_end_token": False} if name in ("lora", "rslora", "dora") else {}
    part = part_of(name, learning_rate=1e-2, batch_size=4, max_steps=20, warmup=0.0, **ends)
    pairs, losses = drawn_pairs(40), []

    def noted(*args: Any) -> torch.Tensor:
        loss = summed_loss(*args)
        losses.append(float(loss.detach()) / 4)
        return loss

    monkeypatch.setattr(trainer, "summed_loss", noted)
    setting = Setting(part.options, 1e-2, seed=7, pad=0, micro_batch=4, bf16=False)
    trainer.train(lambda: part.start(model_of(LLAMA), 5), pairs, (), setting, lambda done, steps: None)

    model, steps = model_of(LLAMA), 20
    torch.manual_seed(5)
    model = get_peft_model(model, BY_HAND[name]({"task_type": "CAUSAL_LM", "target_modules": SEVEN})).train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-2, weight_decay=0.0)
    falling = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: 0.5 * (1 + torch.cos(torch.tensor(torch.pi * step / steps)).item())
    )
    order = LengthGroups([len(prompt) + 1 for prompt, _ in pairs], 4, 7)
    rows = [row for _ in range(2) for row in order]
    by_hand = []
    for step in range(steps):
        batch = [pairs[row] for row in rows[4 * step : 4 * step + 4]]
        loss = torch.stack(
            [
                -model(input_ids=torch.tensor([prompt])).logits[0, -1].log_softmax(-1)[answer[0]]
                for prompt, answer in batch
            ]
        ).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        falling.step()
        optimizer.zero_grad()
        by_hand.append(float(loss.detach()))
    assert losses == pytest.approx(by_hand, abs=1e-4)
    assert len(losses) == 20
    assert losses[-1] != pytest.approx(losses[-11], abs=1e-3)  # something was learnt: ten steps before, the same rows


@every_part
def test_it_is_kept_and_comes_back_as_an_adapter_to_the_bit(name: str, tiny_model: Path, tmp_path: Path) -> None:
    task, options = choice_task(), {**QUICK, **SMALL.get(name, {}), "learning_rate": 1e-2}
    made = adapted(task, name, options, tiny_model, observer=Observer(weights=tmp_path))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    answered = fingerprint(local(made.predictor.backend).model)
    base = AutoModelForCausalLM.from_pretrained(tiny_model)
    assert fingerprint(base) != answered
    assert fingerprint(part_of(name).restore(copy.deepcopy(base), tmp_path)) == answered
    given = adapted(task, "adapter", {"path": str(tmp_path)}, tiny_model)
    assert fingerprint(local(given.predictor.backend).model) == answered
    if name == "shira":
        assert made.parameters.stored_bytes == made.parameters.trained * (4 + 8)


@every_part
@pytest.mark.parametrize("config", [LLAMA, GPT2], ids=["llama", "gpt2"])
def test_merged_is_unmerged_and_a_share_lies_between(name: str, config: Any) -> None:
    part = part_of(name)
    if config is GPT2 and not part.takes_conv1d:
        with pytest.raises(NotApplicableError, match=rf"^{name} fits no matrix .*c_attn: its weights are transposed"):
            part.start(model_of(GPT2), 0)
        return
    ends = {"train_end_token": False} if "lora" in name or name == "dora" else {}
    part = part_of(name, **ends)
    base, model = model_of(config), shaken(part.start(model_of(config), 0)).eval()
    unmerged = logits(model)
    merged = part.finish(copy.deepcopy(model))
    assert isinstance(part, AdapterPart)
    assert not torch.allclose(unmerged, logits(base), atol=1e-2)
    torch.testing.assert_close(logits(merged), unmerged, rtol=0, atol=2e-4)
    for factor, expected in ((0.0, logits(base)), (1.0, unmerged)):
        with part.scaled(model, factor):
            torch.testing.assert_close(logits(model), expected, rtol=0, atol=2e-4)
    halfway = model_of(config)
    for place, other in zip(halfway.parameters(), merged.parameters(), strict=True):
        place.data = (place.data + other.data) / 2
    if name not in ("lora", "rslora"):  # half of both lengths and directions
        with part.scaled(model, 0.5):
            torch.testing.assert_close(logits(model), logits(halfway), rtol=0, atol=2e-4)
    assert torch.equal(logits(model), unmerged)


def adapted_layers(part: Any, config: Any) -> set[str]:
    started = part.start(model_of(config), 0)
    kind, layers = started.base_model.tuner_layer_cls, started.get_base_model().named_modules()
    return {name.partition("layers.0.")[2] for name, module in layers if isinstance(module, kind) and ".0." in name}


@every_part
def test_matrices_can_be_chosen(name: str) -> None:
    attention, mlp = ({f"self_attn.{of}_proj" for of in "qkvo"}, {f"mlp.{of}_proj" for of in ("gate", "up", "down")})
    if name == "ia3":
        attention, mlp = {"self_attn.k_proj", "self_attn.v_proj"}, {"mlp.down_proj"}
    for targets, expected in (("attention", attention), ("mlp", mlp), ("all", attention | mlp)):
        assert adapted_layers(part_of(name, targets=targets), LLAMA) == expected
    with pytest.raises(NotApplicableError, match="targets: attention, but this architecture has no such matrices"):
        part_of(name, targets="attention").start(model_of(MAMBA), 0)


def test_experts_are_part_of_the_mlp() -> None:
    assert "mlp.experts" in adapted_layers(part_of("lora", targets="mlp"), MIXTRAL)
    assert adapted_layers(part_of("lora", targets="attention"), MIXTRAL) == {f"self_attn.{of}_proj" for of in "qkvo"}
    with pytest.raises(NotApplicableError, match=r"^oft fits no matrix .*experts have no form of it"):
        part_of("oft", targets="mlp").start(model_of(MIXTRAL), 0)
    assert "mlp.experts.gate_up_proj" in part_of("dora").reach(part_of("dora").start(model_of(MIXTRAL), 0)).left_out


def test_a_matrix_that_is_too_small_is_left_alone() -> None:
    """By hand: 16 x 24 entries are enough for 9 x (16 + 24), 8 x 16 for 5 x (8 + 16), and 16 x 16 for 8 x 32."""
    expected = {"self_attn.q_proj", "self_attn.o_proj", *(f"mlp.{of}_proj" for of in ("gate", "up", "down"))}
    assert adapted_layers(part_of("shira", rank=8), LLAMA) == expected
    with pytest.raises(NotApplicableError, match=r"q_proj: rank 10 is more than all of its entries, rank 8 at most$"):
        part_of("shira", rank=10).start(model_of(LLAMA), 0)
    assert adapted_layers(part_of("miss", rank=24), LLAMA) == {"mlp.down_proj"}
    with pytest.raises(NotApplicableError, match=r"q_proj: rank 32 is more than its 16 inputs$"):
        part_of("miss", rank=32).start(model_of(LLAMA), 0)


def test_shira_draws_its_entries_by_the_seed() -> None:
    def places(seed: int) -> torch.Tensor:
        started = part_of("shira").start(model_of(LLAMA), seed)
        layer = started.get_base_model().model.layers[0].self_attn.q_proj
        return cast(torch.Tensor, layer.shira_indices["default"])

    assert places(1).shape == (2, 2 * (16 + 16))
    assert torch.equal(places(1), places(1))
    assert not torch.equal(places(1), places(2))


# What (IA)3 scales in peft's own table of architectures, where that has keys, values and the MLP as the paper does.
SCALED = {
    "llama": ("k_proj", "v_proj", "down_proj"), "mistral": ("k_proj", "v_proj", "down_proj"),
    "gpt2": ("c_attn", "mlp.c_proj"), "bloom": ("query_key_value", "mlp.dense_4h_to_h"),
    "falcon": ("query_key_value", "dense_4h_to_h"),
}  # fmt: skip


@pytest.mark.parametrize(("family", "changes"), [of.values for of in FAMILIES if str(of.values[0]) in SCALED])
def test_ia3_scales_what_peft_names(family: str, changes: dict[str, Any]) -> None:
    model = build(family, changes)
    found = set(part_of("ia3").start(model, 0).peft_config["default"].target_modules)
    names = {name for name, _ in build(family, changes).named_modules()}
    assert found == {name for name in names if name.endswith(tuple(f".{of}" for of in SCALED[family]))}


def test_rotated_heads_are_no_picture() -> None:
    """Attention over latents gives a layer four dimensions, which peft takes for a picture."""
    [changes] = [of.values[1] for of in FAMILIES if of.id == "deepseek_v3"]
    model = part_of("oft").start(build("deepseek_v3", cast(dict[str, Any], changes)), 0)
    shaken(model).eval()
    ids = torch.arange(3, 15).reshape(2, 6)
    with torch.no_grad():
        before = model(input_ids=ids).logits
        assert part_of("oft").finish(model)(input_ids=ids).logits == pytest.approx(before, abs=1e-4)


def test_the_end_of_an_answer_may_stand_in_the_configuration_of_the_text() -> None:
    [changes] = [of.values[1] for of in FAMILIES if of.id == "gemma3"]
    started = part_of("lora").start(build("gemma3", cast(dict[str, Any], changes)), 0)
    assert started.peft_config["default"].trainable_token_indices == [2]
