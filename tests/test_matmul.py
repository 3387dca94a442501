"""Products by oneDNN against the same in float64, forward and backward; and where they are used."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.pytorch_utils import Conv1D

from bench.meters import flops
from bench.model import devices, onednn_linear
from bench.model.onednn_linear import OneDnnLinear, QuickConv1D

pytestmark = pytest.mark.skipif(not hasattr(torch.ops.mkldnn, "_linear_pointwise"), reason="torch without oneDNN")
sizes = st.integers(1, 40)


@pytest.fixture(autouse=True)
def no_product_is_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onednn_linear, "_SMALLEST", 0)
    monkeypatch.setattr(onednn_linear, "_SMALLEST_TRAINED", 0)


def made(kind: Any, inputs: int, outputs: int) -> Any:
    return kind(inputs, outputs) if issubclass(kind, torch.nn.Linear) else kind(outputs, inputs)


@pytest.mark.parametrize("kind", [OneDnnLinear, QuickConv1D])
@settings(deadline=None, max_examples=40)
@given(rows=st.lists(sizes, min_size=1, max_size=2), inputs=sizes, outputs=sizes, trained=st.booleans())
def test_a_layer_and_its_gradients_are_those_of_float64(
    kind: type, rows: list[int], inputs: int, outputs: int, trained: bool
) -> None:
    torch.manual_seed(sum(rows) + inputs * outputs)
    layer = made(kind, inputs, outputs).requires_grad_(trained)
    x = torch.randn(*rows, inputs, requires_grad=True)
    slope = torch.randn(*rows, outputs)
    layer(x).backward(slope)

    weight = layer.weight.detach().double() if kind is OneDnnLinear else layer.weight.detach().double().T
    exact, by = x.detach().double().reshape(-1, inputs), slope.double().reshape(-1, outputs)
    out = exact @ weight.T + layer.bias.detach().double()
    torch.testing.assert_close(layer(x).detach().double().reshape(-1, outputs), out, rtol=1e-4, atol=1e-5)
    assert x.grad is not None
    torch.testing.assert_close(x.grad.double().reshape(-1, inputs), by @ weight, rtol=1e-4, atol=1e-4)
    if not trained:
        assert layer.weight.grad is None
        return
    of_weight = by.T @ exact
    found = layer.weight.grad if kind is OneDnnLinear else layer.weight.grad.T
    torch.testing.assert_close(found.double(), of_weight, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(layer.bias.grad.double(), by.sum(0), rtol=1e-4, atol=1e-4)


def test_a_bias_can_be_trained_alone() -> None:
    layer = OneDnnLinear(5, 3)
    layer.weight.requires_grad_(False)
    layer(torch.randn(4, 5)).backward(torch.ones(4, 3))
    assert layer.weight.grad is None
    assert layer.bias.grad is not None
    assert torch.equal(layer.bias.grad, torch.full((3,), 4.0))


def test_another_precision_is_left_to_torch() -> None:
    plain = torch.nn.Linear(16, 8).bfloat16()
    quick = OneDnnLinear(16, 8).bfloat16()
    quick.load_state_dict(plain.state_dict())
    x = torch.randn(3, 16).bfloat16()
    assert torch.equal(quick(x), plain(x))
    with torch.autocast("cpu", torch.bfloat16):
        assert OneDnnLinear(16, 8)(torch.randn(3, 16)).dtype == torch.bfloat16


def network() -> torch.nn.Sequential:
    return torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Sequential(Conv1D(3, 4), torch.nn.LayerNorm(3)))


def test_linear_layers_become_quick_where_that_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(torch.nn.Linear):
        """A layer that computes something else."""

    model = torch.nn.Sequential(network(), Own(3, 3))
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    monkeypatch.setattr(onednn_linear, "onednn_pays", lambda: False)
    assert not any(isinstance(m, OneDnnLinear | QuickConv1D) for m in onednn_linear.use_onednn(model).modules())
    monkeypatch.setattr(onednn_linear, "onednn_pays", lambda: True)
    assert onednn_linear.use_onednn(model) is model
    kinds = [type(module) for module in model.modules() if not list(module.children())]
    assert kinds == [OneDnnLinear, QuickConv1D, torch.nn.LayerNorm, Own]
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("capability", "maker", "expected"),
    [
        ("AVX512", "AuthenticAMD", True),
        ("AVX512", "GenuineIntel", False),  # MKL uses AVX-512 there
        ("AVX2", "AuthenticAMD", False),
        ("AVX512", "", False),  # a system that does not say who made the processor
    ],
)
def test_it_pays_with_avx512_and_another_maker_than_mkl_knows(
    monkeypatch: pytest.MonkeyPatch, capability: str, maker: str, expected: bool
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(devices, "cpu", lambda what: maker)
    devices.onednn_pays.cache_clear()
    try:
        assert devices.onednn_pays() is expected
    finally:
        devices.onednn_pays.cache_clear()


def test_torch_counts_their_operations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flops, "onednn_pays", lambda: True)  # also where MKL serves as well
    layer = OneDnnLinear(24, 10)
    with flops.counted() as found:
        layer(torch.randn(2, 5, 24)).sum().backward()
    assert found[0] == 2 * 2 * 10 * 24 * 10  # forward, and the gradient of the weights; the input has none
