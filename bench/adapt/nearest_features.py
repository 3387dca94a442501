"""The nearest training examples of pictures, by the cosine of a model's features: a layer of labels without a fit."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from bench.adapt.learner import Adapted, parameters
from bench.adapt.linear_probe import Features, features_of, prepare
from bench.adapt.session import AdaptSession
from bench.core.item import Example
from bench.core.method import Method
from bench.core.training import Losses, Training
from bench.core.weights_dtype import in_dtype
from bench.engine.backend import LocalBackend
from bench.engine.encoder_prompts import EncoderWriter
from bench.engine.prompts import Writer

_LEAST = 1e-9  # nearness of a label that is the opposite of an item, or has no example: its likelihood is not 0


class NearestLayer(torch.nn.Module):
    """Logits of labels [rows, labels]: the logarithm of each label's share of the nearnesses.

    A label is as near as its nearest example; nearness is the cosine, from -1 to 1, moved to lie between 0 and 1.
    """

    def __init__(self, features: Features, labels: int) -> None:
        super().__init__()
        self.labels = labels
        states = torch.nn.functional.normalize(torch.from_numpy(features.states), dim=-1)
        self.examples = torch.nn.Parameter(states, requires_grad=False)
        self.register_buffer("numbers", torch.from_numpy(features.labels))

    def forward(self, states: Tensor) -> Tensor:
        near = (torch.nn.functional.normalize(states, dim=-1) @ self.examples.T + 1) / 2
        of_labels = near.new_full((len(states), self.labels), _LEAST)
        numbers: Tensor = self.get_buffer("numbers")
        of_labels.scatter_reduce_(1, numbers.expand(len(states), -1), near, "amax")
        return (of_labels / of_labels.sum(-1, keepdim=True)).clamp(min=_LEAST).log()


def nearest_layer(backend: LocalBackend, writer: EncoderWriter, train: Sequence[Example]) -> NearestLayer:
    """The layer over examples, by the features that the model of `backend` has of them."""
    return NearestLayer(features_of(backend, writer, train), len(writer.labels))


def adapt_nearest(method: Method, session: AdaptSession, writer: Writer) -> Adapted:
    """Answer with the label of the nearest training example."""
    with session.meter.phase("load"):
        model = in_dtype(session.start(method, session.material.seed), session.base.dtype)
    with session.meter.phase("train"):
        fitting = prepare(session, model, writer, "train")
        layer = NearestLayer(fitting.train, len(session.labels))
    kept = layer.examples.numel()
    tokens = sum(prompt.prompt_tokens for prompt in fitting.train.prompts)
    training = Training(tokens=tokens, loss=Losses(), examples=len(fitting.train.labels))
    total = sum(p.numel() for p in model.parameters())
    size = parameters(total, kept, session)
    return Adapted(fitting.predictor(layer), training, size, release=fitting.release)
