"""A suite: models × tasks × methods × seeds in YAML, checked whole before anything is loaded."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

import methods
from bench.config import assumptions, prices
from bench.config.ranks import refuse_undivided
from bench.config.teacher import TeacherSpec, read_reflector, read_teacher
from bench.core.errors import UsageError, nearest, unknown
from bench.core.explain import explain
from bench.core.measured import SideMeasure
from bench.core.method import Method
from bench.core.model_kind import ModelKind, fits
from bench.core.names import LONGEST_NAME, NAME, NAME_RULE, as_name
from bench.core.quoting import quoted, shown
from bench.core.values import Switch
from bench.core.yaml_file import read_mapping
from bench.model.resolve import ModelSpec, ResolvedModel

BUNDLED = Path(__file__).parent / "suites"
DEFAULT = "quickstart"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EngineSettings(_Strict):
    """How work is batched. Recorded, but no part of a cell's identity: results do not depend on it."""

    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|cuda(:[0-9]{1,3})?)$",
        description="auto, cpu, cuda or cuda:N; auto: CUDA where there is one",
    )
    auto_dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="what `dtype: auto` of a model means; auto: bfloat16 where that is clearly faster",
    )
    batch_tokens: int | None = Field(None, gt=0, description="rows × tokens of one inference batch")
    train_tokens: int | None = Field(None, gt=0, description="rows × tokens of one training micro-batch")
    micro_batch: Literal["auto", "width"] | Annotated[int, Field(gt=0)] = Field(
        "auto", description="rows trained on at once; auto: by a timed trial in long trainings; width: by the model's"
    )
    batch_size: int | None = Field(None, gt=0, description="rows of one inference batch at most")
    threads: int | None = Field(
        None, gt=0, description="CPU threads of a cell; default: all cores, shared by the cells at once"
    )
    ranks: int = Field(
        1, gt=0, le=64, description="processes that share a training, on a GPU each: for models too large for one"
    )
    workers: Literal["auto"] | Annotated[int, Field(gt=0, lt=1000)] | None = Field(
        None,
        description="cells measured at once; default: one on each GPU, one on a CPU; auto: on a CPU several where a "
        "trial shows that to be faster",
    )


_AUTO_FOLDS, _SMALL_VALIDATION = 5, 100
_MOST_VALIDATION, _FEWEST_VALIDATION, _OF_TRAINING = 200, 16, 3


class MeasureSettings(_Strict):
    """What is measured in addition to training and answering."""

    latency: Switch = Field("on", description="seconds for one item at a time")
    training_items: Switch = Field("on", description="loss and score on items that were learnt from")
    flop_check: Switch = Field("on", description="operations of a batch as torch counts them")
    validation_items: Literal["auto"] | Annotated[int, Field(gt=0)] = Field(
        "auto", description="validation items that losses are taken of, at most; auto: a third of the training items"
    )

    @property
    def turned_off(self) -> tuple[SideMeasure, ...]:
        """What is not to be measured."""
        return tuple(name for name in get_args(SideMeasure) if getattr(self, name) == "off")

    def validation_sample(self, train: int, validation: int) -> int | None:
        """How many of `validation` items losses are taken of, for `train` training items; None: all of them.

        A third of the training items keeps the losses of an epoch at a tenth of its training: an item's loss is one
        pass through the model, an item trained on three.
        """
        auto = min(_MOST_VALIDATION, max(_FEWEST_VALIDATION, train // _OF_TRAINING))
        most = auto if self.validation_items == "auto" else self.validation_items
        return most if most < validation else None


def _model(value: object) -> object:
    return {"path": value} if isinstance(value, str) else value


class Suite(_Strict):
    """What `adaptbench run` reads."""

    name: str = Field(pattern=NAME, max_length=LONGEST_NAME, description=NAME_RULE)
    description: str = Field("", description="what it is for")
    models: list[Annotated[ModelSpec, BeforeValidator(_model, json_schema_input_type=str | ModelSpec)]] = Field(
        min_length=1, description="names, folders, GGUF files, Hub ids, or mappings"
    )
    tasks: list[str] = Field(min_length=1, description="names of bundled tasks, or folders with a task.yaml")
    methods: list[str | dict[str, dict[str, Any] | None]] = Field(
        min_length=1, description="names, or mappings of a name to options: `few-shot: {k: 4}`"
    )
    defaults: dict[str, Any] = Field(default_factory=dict, description="options for every method that has them")
    seeds: list[Annotated[int, Field(ge=0)]] = Field(
        default=[0], min_length=1, description="of everything random: draws of examples, trainings"
    )
    limit: int | None = Field(None, gt=0, description="test items of each task at most")
    train_sizes: list[Annotated[int, Field(gt=0)] | Literal["all"]] = Field(
        default=["all"], min_length=1, description="training items to learn and draw from, for learning curves"
    )
    trials: int = Field(
        3, gt=0, description="combinations of options that are tried for a method that leaves some open"
    )
    folds: Literal["auto"] | Annotated[int, Field(gt=1, le=100)] | Literal["off"] = Field(
        "off",
        description="parts of train and validation together, on each of which options are judged once; off: they are "
        "judged on the validation split; auto: 5 where that has fewer than 100 items",
    )
    tuning_budget: float | None = Field(
        None,
        gt=0,
        description="length of all trials of a method that trains, in trainings of it, spent by successive halving; "
        "default: each trial is trial_share of a training",
    )
    probes: list[str] = Field(default=[], description="tasks that measure what a model forgets")
    probe_limit: int | None = Field(200, gt=0, description="items of each probe at most")
    counterfactuals: int = Field(0, ge=0, description="pairs asked at most, of the tasks that name ways to make them")
    checkpoints: int = Field(0, ge=0, description="times during a training that its probes are asked, for curves")
    adapter_scales: list[Annotated[float, Field(gt=0, lt=1)]] = Field(
        default=[], description="shares of a LoRA update at which the probes and the validation items are asked too"
    )
    embedder: str = Field("auto", description="sentence encoder for retrieval: auto, none, a folder or a Hub id")
    engine: EngineSettings = Field(EngineSettings(), description="how work is batched; results do not depend on it")
    measure: MeasureSettings = Field(
        MeasureSettings(), description="what is measured in addition to training and answering"
    )
    prices: dict[str, Any] = Field(default_factory=dict, description="in place of those in bench/config/prices.yaml")
    decide: dict[str, Any] = Field(default_factory=dict, description="what the decision assumes and requires")
    cell_timeout_s: float | None = Field(
        None, gt=0, description="seconds of a cell at most; one that takes longer fails with timeout"
    )
    keep: Literal["none", "winner", "all"] = Field(
        "none", description="trained weights that stay beside their records; winner: those that a verdict chooses"
    )
    failed: Literal["retry", "keep"] = Field("retry", description="failed cells of an earlier run")

    def folds_of(self, validation: int) -> int:
        """Folds that options are judged on, of a task with so many validation items; 0: they are judged on those."""
        if self.folds == "auto":
            return _AUTO_FOLDS if validation < _SMALL_VALIDATION else 0
        return 0 if self.folds == "off" else self.folds


def available() -> dict[str, Path]:
    """Suites that come with adaptbench, by name."""
    return {path.stem: path for path in sorted(BUNDLED.glob("*.yaml"))}


def argument(name: str) -> str:
    """What `adaptbench run` is given for a suite of this name: the name, or the file that is called so."""
    return name if name in available() else f"{name}.yaml"


def find(reference: str) -> Path:
    """The file of a suite given by bundled name or path.

    Raises:
        UsageError: neither exists.
    """
    if reference in available():
        return available()[reference]
    path = Path(reference)
    written = path.with_suffix(f".suite{path.suffix}") if path.name else path  # by `init`; reports do not know
    for file in (path, written):
        if os.path.isfile(file):
            return file
    if path.suffix in {".yaml", ".yml"} or "/" in reference:
        others = [p.name for p in path.parent.glob("*.y*ml")] if os.path.isdir(path.parent) else []
        raise UsageError(f"no suite file {quoted(reference)}{nearest(path.name, others)}")
    raise UsageError(unknown("suite", reference, available()) + "; or give the path of a YAML file")


def load(path: Path, changes: Mapping[str, Any] | None = None) -> Suite:
    """Read and check a suite file, with `changes` over its keys; every problem is named at once.

    Raises:
        UsageError: not YAML, unknown or missing keys, values out of range, unknown methods or options.
    """
    raw = read_mapping(path, str(path), "a suite is a mapping of keys such as models, tasks and methods")
    merged = {"name": as_name(path.stem), **raw}
    for key, value in (changes or {}).items():
        given = merged.get(key, {})
        if not isinstance(value, dict):
            merged[key] = value
        elif isinstance(given, dict):  # what is no mapping is named below
            merged[key] = {**given, **value}
    try:
        suite = Suite.model_validate(merged)
    except ValidationError as error:
        raise UsageError("\n".join(f"{path}: {line}" for line in explain(error, Suite))) from None
    prices.replaced(suite.prices, str(path))
    assumptions.read(suite.decide, str(path))
    labelled = labelled_methods(suite)  # names and options are checked here, before any model loads
    if suite.engine.ranks > 1:
        named = {label: asked.method for label, asked in labelled.items()}
        refuse_undivided(suite.engine.ranks, suite.engine.device, suite.checkpoints, named, str(path))
    return suite


@dataclass(frozen=True)
class Asked:
    """One entry of a suite's methods."""

    method: Method
    tasks: tuple[str, ...] | None  # as the suite names them; None: all
    models: tuple[str, ...] | None = None  # as reports call them; None: all that it is for
    teacher: TeacherSpec | None = None  # whose answers it learns from; None: it learns from labels
    teaches: ResolvedModel | None = None  # the same, once it is found
    reflector: ModelSpec | None = None  # who writes instructions for it; None: the model that answers, where any does
    reflects: ResolvedModel | None = None  # the same, once it is found

    def is_for(self, model: str, kind: ModelKind) -> bool:
        """Whether a model of this name and kind is to be adapted by it."""
        return fits(self.method, kind) and (self.models is None or model in self.models)


def labelled_methods(suite: Suite) -> dict[str, Asked]:
    """The suite's methods by the label that reports show: the entry's own, or the method's name.

    Of a method that occurs twice without a label, the options are named.
    """
    entries = [_entry(each, suite) for each in suite.methods]
    created = [(methods.create(one.name, _with_defaults(suite, one.name, one.options)), one) for one in entries]
    _refuse_unknown_defaults(suite)
    count = Counter(one.named(method.name) for method, one in created if not one.label)
    labelled: dict[str, Asked] = {}
    for method, one in created:
        options = ", ".join(f"{key}={value}" for key, value in one.options.items())
        twice = count[one.named(method.name)] > 1 and one.options
        label = one.label or one.named(f"{method.name} ({options})" if twice else method.name)
        if label in labelled:
            same = "under one label" if one.label else "with the same options"
            raise UsageError(f'method "{label}" stands twice in the suite {same}')
        labelled[label] = Asked(method, one.tasks, one.models, one.teacher, reflector=one.reflector)
    return labelled


@dataclass(frozen=True)
class _Entry:
    """One entry of `methods` as it is written."""

    name: str
    options: dict[str, Any]
    tasks: tuple[str, ...] | None = None
    label: str = ""
    models: tuple[str, ...] | None = None
    teacher: TeacherSpec | None = None
    reflector: ModelSpec | None = None

    def named(self, method: str) -> str:
        """What reports call a method of this name, with whom it learns from and who writes its instruction."""
        taught = f" taught by {self.teacher.called}" if self.teacher else ""
        return f"{method}{taught}{f' reflected by {self.reflector.called}' if self.reflector else ''}"


def _entry(value: str | dict[str, dict[str, Any] | None], suite: Suite) -> _Entry:
    if isinstance(value, str):
        return _Entry(value, {})
    if len(value) != 1:
        raise UsageError(f"one method for each entry of methods; got {', '.join(value) or 'none'} in one")
    ((name, given),) = value.items()
    options = dict(given or {})
    only, label, teacher = options.pop("tasks", None), options.pop("label", ""), options.pop("teacher", None)
    reflector = read_reflector(options.pop("reflector", None), name)
    if not isinstance(label, str) or not label.isprintable() or len(label) > LONGEST_NAME:
        raise UsageError(
            f"label of method {name} must be a text of up to {LONGEST_NAME} characters; got {shown(label)}"
        )
    models = _some_of("model", name, options.pop("models", None), [model.called for model in suite.models])
    tasks = _some_of("task", name, only, suite.tasks)
    return _Entry(name, options, tasks, label, models, read_teacher(teacher, name), reflector)


def _some_of(what: str, method: str, only: object, known: Sequence[str]) -> tuple[str, ...] | None:
    """The tasks or models of the suite that an entry is for; None: all."""
    if only is None:
        return None
    if not isinstance(only, list) or not only:
        raise UsageError(f"{what}s of method {method} must be a list of {what}s of the suite; got {shown(only)}")
    for each in only:
        if each not in known:
            raise UsageError(unknown(f"{what} of method {method}:", str(each), known))
    return tuple(only)


def _with_defaults(suite: Suite, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    taken = set().union(*(methods.option_names(part) for part in methods.classes(name)))
    return {**{k: v for k, v in suite.defaults.items() if k in taken}, **given}


def _refuse_unknown_defaults(suite: Suite) -> None:
    named = (part for entry in suite.methods for part in methods.classes(_entry(entry, suite).name))
    allowed = set().union(*(methods.option_names(part) for part in (*methods.own().values(), *named)))
    for option in suite.defaults:
        if option not in allowed:
            raise UsageError(unknown("option in defaults:", option, allowed))
