"""What decides a cell's predictions: what its key is hashed from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

from bench.core.counterfactual import Slot
from bench.core.model_kind import ModelKind
from bench.core.training import Options
from bench.core.values import Amount, Count, Strict

_LEFT_OUT = (
    "origins",
    "is_base",
    "train_size",
    "validation_items",
    "probes",
    "counterfactuals",
    "tuning",
    "suite",
    "teacher",
    "reflector",
    "rerankers",
    "history",
)  # of a key, where not set


Nature = Literal["", "toy", "random"]


@dataclass(frozen=True, slots=True)
class ModelIdentity(Strict):
    """The base model."""

    digest: str = ""  # sha256 over weights and tokenizer
    settings: Options = field(default_factory=dict)  # of the suite, such as dtype and chat_template
    nature: Nature = ""  # toy, or random weights, as its card says; no part of a key
    kind: ModelKind = "causal"  # what it can do; a part of the key of every other kind


@dataclass(frozen=True, slots=True)
class TaskIdentity(Strict):
    """The task's data and prompt."""

    digest: str = ""  # sha256 over prompt, rows, corpus and decoding
    limit: Count | None = None  # test items at most; null: all


@dataclass(frozen=True, slots=True)
class Surroundings(Strict):
    """What of the machine decides predictions."""

    device: str = ""  # cpu or cuda
    auto_dtype: str = ""  # what `dtype: auto` means on it
    embedder: str | None = ""  # digest of the sentence embedder; null: there is none; "": not asked for
    chat: Options = field(default_factory=dict)  # what the model's chat template writes; empty: it reads plain text
    in_float32: str = ""  # what else than weights stays so where those have fewer bits; "": they have not
    batches: Options = field(default_factory=dict)  # limits of a batch that the suite sets, on a GPU alone


@dataclass(frozen=True, slots=True)
class ProbeSettings(Strict):
    """How the adapted model is probed; without digests nothing is asked, as its weights are the base's."""

    limit: Count | None = None  # items of each probe at most; null: all
    digests: tuple[str, ...] = ()  # of the probes' data and prompts
    checkpoints: Count = 0  # during training, at which it is probed too
    adapter_scales: tuple[float, ...] = ()  # shares of an adapter's update, at which it is probed too


@dataclass(frozen=True, slots=True)
class CounterfactualSettings(Strict):
    """Which pairs of items are asked that ought to get the same answer."""

    pairs: Count  # for each slot at most
    slots: tuple[Slot, ...]  # ways to change an item


@dataclass(frozen=True, slots=True)
class TuningSettings(Strict):
    """How open options are chosen."""

    trials: Count  # at most
    seed: int  # the one they are chosen on
    folds: Count = 0  # of train and validation together, to judge on; 0: the validation split
    budget: Amount | None = None  # of all trials, in trainings of the method; null: each is `trial_share` of one


@dataclass(frozen=True, slots=True)
class TeacherSettings(Strict):
    """The model whose answers are learnt from, and what it answers."""

    model: ModelIdentity  # that answers
    surroundings: Surroundings  # what of the machine decides its answers
    unlabelled: str = ""  # sha256 over the items that it answers; "": those of the training split, in place of labels


@dataclass(frozen=True, slots=True)
class ReflectorSettings(Strict):
    """The model that writes instructions for a prompt that is searched for."""

    model: ModelIdentity  # that writes
    surroundings: Surroundings  # what of the machine decides what it writes


@dataclass(frozen=True, slots=True)
class Identity(Strict):
    """What the key is hashed from. A setting that a suite does not use is left out, so that new ones keep old keys."""

    stage: Count = 0  # version of what is done with the same settings
    model: ModelIdentity = field(default_factory=ModelIdentity)  # the base model
    task: TaskIdentity = field(default_factory=TaskIdentity)  # the task's data and prompt
    method: Mapping[str, Options] = field(default_factory=dict)  # weights part, context part -> options that count
    seed: int | None = None  # null where nothing random is in it
    surroundings: Surroundings = field(default_factory=Surroundings)  # what of the machine decides predictions
    is_base: bool = False  # the base model's answers to a probe
    train_size: Count | None = None  # training items; null: all
    validation_items: Count | None = None  # of the validation split, that losses are taken of; null: all
    probes: ProbeSettings | None = None  # null where the suite asks none
    counterfactuals: CounterfactualSettings | None = None  # null where the suite asks none
    tuning: TuningSettings | None = None  # null where no option is open
    suite: Options = field(default_factory=dict)  # settings of the suite that are not left alone
    teacher: TeacherSettings | None = None  # null where labels are learnt from
    rerankers: tuple[str, ...] = ()  # digest of each cross-encoder to choose from, "" for none; empty: none is named
    reflector: ReflectorSettings | None = None  # null: the model that answers, or nothing is reflected on
    history: Options = field(default_factory=dict)  # where purchases stand in an item; empty: the method reads none
    origins: Mapping[str, str] = field(default_factory=dict)  # part of another distribution -> its name and version

    def content(self) -> dict[str, object]:
        """What is hashed: all that is set."""
        found: dict[str, object] = asdict(self)
        unused = [name for name in _LEFT_OUT if not found[name]]
        kind = {} if self.model.kind == "causal" else {"kind": self.model.kind}
        found["model"] = {"digest": self.model.digest, **kind, **self.model.settings}
        found["surroundings"] = {
            name: value for name, value in asdict(self.surroundings).items() if value not in ("", {})
        }
        if self.tuning is not None:
            asked = asdict(self.tuning)
            found["tuning"] = {name: value for name, value in asked.items() if value or name in ("trials", "seed")}
        if self.probes is not None:
            asked = asdict(self.probes) if self.probes.digests else {}
            found["probes"] = {name: value for name, value in asked.items() if value or name == "limit"}
        return {name: value for name, value in found.items() if name not in unused}


@dataclass(frozen=True, slots=True)
class PartSettings(Strict):
    """One part of a method, as it was asked for."""

    name: str = ""  # "" where the record does not say
    options: Options = field(default_factory=dict)  # all of them; several values of one: to choose from


@dataclass(frozen=True, slots=True)
class MethodParts(Strict):
    """What a method is made of."""

    weights: PartSettings = field(default_factory=PartSettings)  # what it does to the weights
    context: PartSettings = field(default_factory=PartSettings)  # what it puts in the context
    retrieves: bool = False  # it searches an index for every item
    is_control: bool = False  # it shows what retrieval can be worth and cannot be served
    trained_elsewhere: bool = False  # its weights were brought along: what training them took is unknown
    base_form: str = ""  # what the base is turned into first, and forgetting is measured against; "": it as loaded
