"""The learner `linear probe`: a classifier fitted by scikit-learn on the model's last hidden states.

It stands in the place of the output matrix, one row for each label, so that the engine scores labels as it scores the
first tokens of choices, and everything that measures answers measures these as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from bench.adapt.learner import Adapted, Judgement, Observer, once_for_each_context, parameters
from bench.adapt.session import AdaptSession
from bench.adapt.validation import ValidationItems, items_to_answer, judgement_of
from bench.core.errors import CellError
from bench.core.item import Example, Item
from bench.core.method import Method
from bench.core.phases import PhaseName
from bench.core.training import Judged, Losses, Options, Training
from bench.core.weights_dtype import in_dtype
from bench.engine.backend import LocalBackend
from bench.engine.encoder_prompts import EncoderWriter
from bench.engine.predictor import ModelPredictor
from bench.engine.prompts import Encoded, Writer
from bench.meters import flops
from bench.model.features import FeatureModel
from methods.options import only

CLASSIFIER = "classifier.safetensors"  # a row of weights and a bias for each label, in the order of the labels
_NEVER = -1e4  # bias of a label that no training example has


@dataclass(frozen=True)
class LabelWriter(Writer):
    """Prompts as for other methods; their choices are the rows of a classifier, in the order of the labels."""

    labels: tuple[str, ...] = ()

    def write(self, items: Sequence[Item]) -> list[Encoded]:
        if any(item.choices != self.labels for item in items):
            raise CellError("head needs a choice task whose items all have the same choices")
        rows = tuple((row,) for row in range(len(self.labels)))
        return [replace(prompt, choices=rows) for prompt in super().write(items)]


@dataclass(frozen=True)
class Features:
    """Last hidden states [examples, width] at the end of prompts, and the label of each by its number."""

    states: NDArray[np.float32]
    labels: NDArray[np.int64]
    prompts: tuple[Encoded, ...]
    skipped: int  # examples whose prompt does not fit into the model's context


def features_of(backend: LocalBackend, writer: LabelWriter | EncoderWriter, examples: Sequence[Example]) -> Features:
    """What a classifier is fitted on; `backend` has a model without its output matrix.

    Raises:
        CellError: no example fits into the model's context.
    """
    written = list(zip(writer.write(examples), examples, strict=True))
    fitting = [(prompt, example) for prompt, example in written if prompt.failure is None]
    if not fitting:
        raise CellError("no example of a split fits into the model's context")
    prompts = tuple(prompt for prompt, _ in fitting)
    return Features(
        backend.outputs(prompts).cpu().numpy(),
        np.array([writer.labels.index(example.references[0]) for _, example in fitting]),
        prompts,
        len(written) - len(fitting),
    )


def fit(features: Features, labels: int, c: float) -> torch.nn.Linear:
    """A logistic regression with an L2 penalty as a layer from hidden states to logits of all labels.

    Raises:
        CellError: the examples have fewer than two labels.
    """
    seen = np.unique(features.labels)
    if len(seen) < 2:
        raise CellError("head needs training examples of two labels at least")
    scaler = StandardScaler()
    fitted = LogisticRegression(C=c, max_iter=1000).fit(scaler.fit_transform(features.states), features.labels)
    weight, bias = fitted.coef_, fitted.intercept_
    if len(seen) == 2:  # one row for the second label, against 0 for the first
        weight, bias = np.stack([np.zeros_like(weight[0]), weight[0]]), np.array([0.0, bias[0]])
    weight = weight / scaler.scale_
    bias = bias - weight @ scaler.mean_
    layer = torch.nn.Linear(features.states.shape[1], labels)
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.fill_(_NEVER)
        layer.weight[torch.from_numpy(seen)] = torch.from_numpy(weight).float()
        layer.bias[torch.from_numpy(seen)] = torch.from_numpy(bias).float()
    return layer


def mean_loss(layer: torch.nn.Linear, features: Features) -> float:
    """Mean cross-entropy of the labels, nats."""
    with torch.no_grad():
        logits = layer(torch.from_numpy(features.states))
        return float(torch.nn.functional.cross_entropy(logits, torch.from_numpy(features.labels)))


class Output(torch.nn.Module):
    """Stands in the place of a model's output matrix, and makes `layer` of the last hidden states its logits.

    What the model does to its own logits (a scale, a soft cap) is for its own output matrix: it does not reach these.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.layer: torch.nn.Module = torch.nn.Identity()
        self._model = [model]  # in a list: no child of this module
        self._before = model.get_output_embeddings()
        self._hidden: torch.Tensor | None = None
        model.set_output_embeddings(self)
        self._hook = model.register_forward_hook(self._answer)

    @property
    def weight(self) -> torch.Tensor:
        """The model's own output matrix: some architectures ask for its dtype."""
        weight: torch.Tensor = self._before.weight
        return weight

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        self._hidden = hidden
        return hidden

    def use(self, layer: torch.nn.Module) -> None:
        """Put `layer` [width -> outputs] behind the hidden states."""
        [model] = self._model
        self.layer = layer.to(device=model.device, dtype=model.dtype)

    def release(self) -> None:
        """Put the model's own output matrix back."""
        [model] = self._model
        self._hook.remove()
        model.set_output_embeddings(self._before)

    def _answer(self, model: Any, arguments: Any, output: Any) -> Any:
        assert self._hidden is not None
        output.logits, self._hidden = self.layer(self._hidden), None
        return output


@dataclass(frozen=True)
class Fitting:
    """What classifiers of one task are fitted on, whatever their penalty."""

    session: AdaptSession
    model: Any  # whose logits are those of `output`
    output: Output | FeatureModel
    writer: LabelWriter | EncoderWriter
    train: Features
    validation: Features | None  # None where the task has no validation split

    def fit(self, c: float) -> torch.nn.Linear:
        """The classifier at a strength of the penalty."""
        return fit(self.train, len(self.writer.labels), c)

    def losses(self, layer: torch.nn.Linear) -> Losses:
        """Mean cross-entropy in nats on both splits."""
        validation = mean_loss(layer, self.validation) if self.validation else None
        return Losses.of(mean_loss(layer, self.train), validation)

    @property
    def tokens(self) -> int:
        """Of all prompts that were read."""
        prompts = [*self.train.prompts, *(self.validation.prompts if self.validation else ())]
        return sum(prompt.prompt_tokens for prompt in prompts)

    def judged(self, options: Options, layer: torch.nn.Linear, items: ValidationItems | None, tokens: int) -> Judged:
        """A trial, in which `tokens` were read."""
        loss = self.losses(layer).validation
        if items is None or self.validation is None:
            return Judged(options, loss, tokens=tokens)
        with torch.no_grad():
            rows = layer(torch.from_numpy(self.validation.states)).log_softmax(-1).tolist()
        likelihoods = {prompt.id: row for prompt, row in zip(self.validation.prompts, rows, strict=True)}
        return Judged(options, items.ranked(likelihoods, self.writer.labels), loss=loss, tokens=tokens)

    def predictor(self, layer: torch.nn.Module) -> ModelPredictor:
        """Answers with the classifier in the model; a label's likelihood is not divided by the length of its name."""
        self.output.use(layer)
        plain = replace(self.session, task=replace(self.session.task, normalise="none"))
        return plain.predictor(self.model, self.writer)

    def release(self) -> None:
        """Put the model's own output matrix back: a classifier answers nothing but its task."""
        self.output.release()


def prepare(session: AdaptSession, model: Any, writer: Writer, phase: PhaseName) -> Fitting:
    """Work out the features of both splits with a base model, whose output matrix is taken out of it."""
    output = model if isinstance(model, FeatureModel) else Output(model)
    label_writer = writer if isinstance(writer, EncoderWriter) else _with_labels(writer, session.labels)
    backend = session.backend(model)
    train, validation = (
        features_of(backend, label_writer, split) if split else None
        for split in (session.material.train, session.validation)
    )
    assert train is not None
    shape = flops.shape_of(model)
    if shape is not None:
        prompts = [*train.prompts, *(validation.prompts if validation else ())]
        session.meter.multiplied(phase, flops.scoring(shape, prompts, backend.reading))
    return Fitting(session, model, output, label_writer, train, validation)


def _with_labels(writer: Writer, labels: tuple[str, ...]) -> LabelWriter:
    return LabelWriter(**{field.name: getattr(writer, field.name) for field in fields(writer)}, labels=labels)


class LinearProbe:
    """Fits a classifier on the hidden states of the base model, which stays as it is."""

    def adapt(self, method: Method, session: AdaptSession, writer: Writer, observer: Observer) -> Adapted:
        meter = session.meter
        with meter.phase("load"):
            model = in_dtype(session.start(method, session.material.seed), session.base.dtype)
        with meter.phase("train"):
            fitting = prepare(session, model, writer, "train")
            layer = fitting.fit(only(method.weights.options.c))
        with meter.phase("overfit"):
            loss = fitting.losses(layer)
        training = Training(
            tokens=sum(prompt.prompt_tokens for prompt in fitting.train.prompts),
            loss=loss,
            examples=len(fitting.train.labels),
            examples_too_long=fitting.train.skipped,
        )
        if observer.weights:
            save_file({"weight": layer.weight.detach(), "bias": layer.bias.detach()}, observer.weights / CLASSIFIER)
        predictor = fitting.predictor(layer)
        total, trained = (sum(p.numel() for p in module.parameters()) for module in (model, layer))
        return Adapted(predictor, training, parameters(total, trained, session), release=fitting.release)

    def judgement(self, method: Method, session: AdaptSession) -> Judgement:
        """The validation loss of a classifier, or the score of its answers."""
        items = items_to_answer(method, session)

        def prepared(method: Method) -> Fitting:
            model = in_dtype(session.start(method, session.material.seed), session.base.dtype)
            return prepare(session, model, session.writer(method.context.build(session.material)), "tune")

        fitting_for = once_for_each_context(prepared)
        counted: list[Fitting] = []  # whose tokens an earlier trial has

        def judge(trial: int, trials: int, options: Options, method: Method) -> Judged:
            session.progress("tune", trial, trials)
            fitting = fitting_for(method)
            layer = fitting.fit(only(method.weights.options.c))
            is_new = all(fitting is not other for other in counted)
            counted.append(fitting)
            return fitting.judged(options, layer, items, fitting.tokens if is_new else 0)

        return judgement_of(session, items, judge)
