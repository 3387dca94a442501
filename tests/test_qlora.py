"""LoRA on a base in 4 bits: the published grid, the answers that were trained, and forgetting against that base."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
import torch
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel

import methods
from bench.adapt.learner import Observer
from bench.core.errors import NotApplicableError
from bench.core.method import TrainedPart
from bench.engine.backend import local
from tests.toy import QUICK, adapted, blind, choice_task

# The 16 values of NormalFloat, to their printed digits (Dettmers et al. 2023, appendix E)
NF4 = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
)  # fmt: skip
IDS = torch.tensor([[5, 60, 7, 80, 9]])


def loaded(folder: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(folder).eval()


def part(**options: Any) -> TrainedPart:
    return cast(TrainedPart, methods.create("qlora", {"rank": 2, **options}).weights)


def in_4_bits(weight: torch.Tensor) -> torch.Tensor:
    """A matrix rounded to the grid, in blocks of 64 numbers that are scaled by their largest."""
    blocks = weight.reshape(-1, 64)
    scale = blocks.abs().amax(1, keepdim=True)
    grid = torch.tensor(NF4)
    nearest = (blocks / scale)[..., None].sub(grid).abs().argmin(-1)
    return (grid[nearest] * scale).view_as(weight)


@torch.no_grad()
def test_an_untrained_part_is_the_base_on_the_published_grid(tiny_model: Path) -> None:
    model, base = part().start(loaded(tiny_model), 0).eval(), loaded(tiny_model)
    before = base(IDS).logits
    for name, module in base.named_modules():
        if isinstance(module, torch.nn.Linear) and "layers" in name:
            module.weight.copy_(in_4_bits(module.weight))
    expected, found = base(IDS).logits, model(input_ids=IDS).logits
    # the scales of the blocks are quantised in their turn, to 8 bits
    torch.testing.assert_close(found, expected, rtol=0, atol=0.05 * float((before - expected).abs().max()))


def test_what_is_trained_answers(tiny_model: Path, tmp_path: Path) -> None:
    task, during = choice_task(), list[Any]()
    observer = Observer(lambda predictor, *_: during.extend(predictor.predict(blind(task.test))), weights=tmp_path)
    made = adapted(task, "qlora", {**QUICK, "rank": 2}, tiny_model, observer=observer)
    model = local(made.predictor.backend).model
    assert [p.scores for p in made.predictor.predict(blind(task.test))] == [p.scores for p in during]
    rows_and_columns = 4 * 64 + 2 * (64 + 32) + 3 * (64 + 192)  # q, o; k, v; gate, up, down
    assert made.parameters.trained == 2 * 2 * rows_and_columns + 64  # rank 2, two layers, the row of the EOS token
    assert made.parameters.total == 115_200 + made.parameters.trained
    assert made.parameters.adapted_weights == made.parameters.block_weights
    again = part().restore(loaded(tiny_model), tmp_path)
    with torch.no_grad():
        assert torch.equal(again(input_ids=IDS).logits, model.eval()(input_ids=IDS).logits)


def test_without_its_update_it_is_the_base_in_4_bits_to_the_bit(tiny_model: Path) -> None:
    made: Any = part()
    model = made.start(loaded(tiny_model), 0).eval()
    with torch.no_grad():
        first = model(input_ids=IDS).logits
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1)
        assert not torch.equal(model(input_ids=IDS).logits, first)
        with made.scaled(model, 0.0):
            assert torch.equal(model(input_ids=IDS).logits, first)


def test_some_matrices_have_an_adapter_and_all_have_4_bits(tiny_model: Path) -> None:
    made: Any = part(targets="attention")
    reach = made.reach(made.start(loaded(tiny_model), 0))
    layers = loaded(tiny_model).config.num_hidden_layers
    attention, mlp = 2 * 64 * 64 + 2 * 64 * 32, 3 * 64 * 192
    assert (reach.adapted, reach.all) == (layers * attention, layers * (attention + mlp))
    assert set(reach.left_out) == {"mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"}


def test_layers_of_gpt2_have_no_form_in_4_bits() -> None:
    gpt2 = GPT2LMHeadModel(GPT2Config(vocab_size=50, n_embd=64, n_layer=1, n_head=2, n_positions=32))
    with pytest.raises(
        NotApplicableError, match=r"qlora fits no matrix of this architecture; .*: its weights are transposed"
    ):
        part().start(gpt2, 0)


def test_without_the_package_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("methods.qlora.find_spec", lambda name: None)
    reason = part().requires(choice_task())
    assert reason == 'qlora needs bitsandbytes: python -m pip install "adaptbench[qlora]"'
