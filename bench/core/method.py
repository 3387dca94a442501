"""A method is a weights part × a context part, and what each part is handed.

A part never imports torch at module level and never sees a task's test labels.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict

from bench.core.identity import MethodParts, PartSettings
from bench.core.item import Example, Item, Passage
from bench.core.model_kind import LANGUAGE_MODELS, ModelKind
from bench.core.outside import Connector, not_connected
from bench.core.prompt import Block, Prompt
from bench.core.prompt_search import Asker, FoundPrompt
from bench.core.search import Indexer, Refiner, Search, TunedIndexer, no_refiner, no_tuning
from bench.core.spans import Chunker, Gold, no_chunks
from bench.core.trained_tensors import trained_tensors
from bench.core.values import OptionValue

if TYPE_CHECKING:
    from bench.core.task import Task


@dataclass(frozen=True, slots=True)
class Method:
    """A weights part × a context part."""

    name: str
    weights: WeightsPart
    context: ContextPart


def parts_of(method: Method) -> MethodParts:
    """A method as records describe it."""
    weights, context = (_settings(part) for part in (method.weights, method.context))
    elsewhere = method.weights.learner is GIVEN
    form = method.weights.base_form
    return MethodParts(weights, context, method.context.retrieves, method.context.is_control, elsewhere, form)


def option_values(dumped: Mapping[str, Any]) -> Mapping[str, OptionValue]:
    """Options as pydantic dumps them; several values are a tuple."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in dumped.items()}


def _settings(part: WeightsPart | ContextPart) -> PartSettings:
    return PartSettings(part.name, option_values(part.options.model_dump()))


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a context part found for one item: blocks, best first, and the full ranking of ids."""

    blocks: tuple[Block, ...] = ()
    ranking: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Material:
    """All that a method is handed of a task. Test labels are not in it."""

    task: str
    prompt: Prompt
    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    corpus: tuple[Passage, ...]
    seed: int
    index: Indexer
    gold: Mapping[str, tuple[Gold, ...]] = field(default_factory=dict)  # filled only for controls
    refine: Refiner = no_refiner
    found: FoundPrompt | None = None  # by the context part's own search; None: it has none, or has not searched yet
    chunk: Chunker = no_chunks
    connect: Connector = not_connected
    refusal: str = ""  # what is right to say of a question without an answer; "": the task has none
    tuned_index: TunedIndexer = no_tuning


@dataclass(frozen=True, slots=True)
class Pool:
    """What a context searches for an item: the first blocks of the ranking stand in its prompt."""

    index: Search
    texts: tuple[str, ...]  # as they are indexed
    blocks: tuple[Block, ...]  # what each of them is in a prompt
    shown: int  # blocks of one prompt


@dataclass(frozen=True)
class Context:
    """A context part, built for one task: blocks shared by every item, and blocks for each item."""

    shared: tuple[Block, ...] = ()  # of every prompt; the last is dropped first where they do not all fit
    token_budget: int | None = None  # for the blocks of one item; None: what the model's context leaves
    instruction: str | None = None  # in place of the task's; None: the task's own
    cites: bool = False  # passages have numbers, by which answers cite them

    def worded(self, prompt: Prompt) -> Prompt:
        """The task's prompt with the instruction of this context."""
        return prompt if self.instruction is None else replace(prompt, instruction=self.instruction)

    def find(self, items: Sequence[Item]) -> list[Evidence]:
        """The blocks of each item; none, unless a subclass finds some."""
        return [Evidence()] * len(items)

    def pool(self) -> Pool | None:
        """What is searched; None where `find` does not search."""
        return None

    def first_stage(self, items: Sequence[Item]) -> list[tuple[str, ...]] | None:
        """The rankings of ids before their second stage; None where there is none."""
        return None

    @property
    def counts(self) -> Mapping[str, float]:
        """What a record tells of what is searched, beside the counts of the index, or in place of one of them."""
        return {}


class Options(BaseModel):
    """Options of a part, as a suite may set them. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def left_alone(self, name: str, others: Collection[str]) -> object:
        """The value that option `name` has where nobody sets it, given the values of `others`."""
        return type(self).model_fields[name].get_default(call_default_factory=True)


@dataclass(frozen=True, slots=True)
class LearnerKind:
    """A way of learning, as far as it is known without torch: `bench.adapt` has the learner of this name."""

    name: str
    reads_train: bool  # learns from the training split
    uses_seed: bool  # two seeds can give different weights
    moves_weights: bool  # the weights it answers with can differ from those of the base model
    reads_history: bool = False  # of purchases: where a task says that it stands decides what it answers


FROZEN = LearnerKind("frozen", reads_train=False, uses_seed=False, moves_weights=False)
GRADIENT = LearnerKind("gradient", reads_train=True, uses_seed=True, moves_weights=True)
GIVEN = LearnerKind("given", reads_train=False, uses_seed=False, moves_weights=True)  # trained elsewhere
LINEAR_PROBE = LearnerKind("linear probe", reads_train=True, uses_seed=False, moves_weights=False)
SET_FIT = LearnerKind("set fit", reads_train=True, uses_seed=True, moves_weights=True)
TF_IDF = LearnerKind("tf-idf", reads_train=True, uses_seed=False, moves_weights=False)
NEAREST_ANSWER = LearnerKind("nearest answer", reads_train=True, uses_seed=False, moves_weights=False)
POPULARITY = LearnerKind("popularity", reads_train=True, uses_seed=False, moves_weights=False, reads_history=True)
MATRIX_FACTORISATION = LearnerKind(
    "matrix factorisation", reads_train=True, uses_seed=False, moves_weights=False, reads_history=True
)


@dataclass(frozen=True, slots=True)
class LearningCost:
    """What learning passes through a model in addition to the test items: times each split, trials of options included.

    Known before anything is loaded, so that a run can be planned and divided.
    """

    trained: float = 0.0  # training examples, forward and backward
    judged: float = 0.0  # validation examples, for their loss
    read: float = 0.0  # prompts of both splits
    answered: float = 0.0  # the validation items of a trial, answered as test items are
    bytes_per_weight: int = 4  # held of each weight of the base model


@dataclass(frozen=True, slots=True)
class ContextCost:
    """What a context part adds to a prompt, as far as it is known before anything is drawn or retrieved."""

    characters: float = 0.0  # of all blocks together, in the mean
    most_tokens: int | None = None  # of all blocks together; None: no limit
    shared: bool = False  # the same blocks for every item, computed once


class Part:
    """What every part has: a subclass gives a `name`, and `Options` where it takes any."""

    name: ClassVar[str]
    kinds: ClassVar[frozenset[ModelKind]] = LANGUAGE_MODELS  # of models that it can be used with
    Options: ClassVar[type[Options]] = Options
    options: Any

    def __init__(self, options: Any) -> None:
        self.options = options

    def requires(self, task: Task) -> str | None:
        """Why this part cannot work on `task`, or None."""
        return None


class WeightsPart(Part):
    """What a method does to the weights; nothing, unless a subclass does."""

    learner: ClassVar[LearnerKind] = FROZEN
    # writes into no tensor of the base, in no training either, though it may put others in their place: a cell then
    # reads its checkpoint once for all trainings; else it is read again for each
    shares_base: ClassVar[bool] = False
    merges: bool = True  # what was trained is part of the weights that answer, not beside them
    base_form: ClassVar[str] = ""  # what the base is turned into before anything is learnt, such as "4 bits"

    @property
    def bytes_per_weight(self) -> int:
        """What learning holds in memory for each weight of the model."""
        return 4

    @property
    def virtual_tokens(self) -> int:
        """Tokens of the model's context that stand in front of every prompt and are no part of it."""
        return 0

    def cost(self, examples: int, trials: int) -> LearningCost:
        """What learning from so many examples takes, after so many trials of options (0: there is nothing to try)."""
        return LearningCost(answered=trials)

    def length(self, examples: int) -> int | None:
        """How long it learns from so many examples, in units of which a trial may take fewer (its `trial_share`).

        None: a trial takes all there is.
        """
        return None

    def start(self, model: Any, seed: int) -> Any:
        """The `torch.nn.Module` to learn with, from the base model."""
        return model

    def finish(self, model: Any) -> Any:
        """The `torch.nn.Module` to predict with, from what `start` gave."""
        return model


TRAINED = "trained.safetensors"  # weights that were trained, by their names in the model


class TrainedPart(WeightsPart):
    """A weights part of the learner `gradient`: `start` says what is trained.

    Its options are `methods.options.TrainingOptions`.
    """

    learner = GRADIENT
    kinds = frozenset[ModelKind]({"causal", "seq2seq"})
    full_precision: ClassVar[bool] = False  # trains the base weights: they are held in fp32 while it does
    starts_as_base: ClassVar[bool] = True  # before it is trained it answers as the base does, to the bit
    plain_work: ClassVar[bool] = True  # multiplies the model's matrices and no more: its FLOPs can be worked out
    bytes_of_place: ClassVar[int] = 0  # stored beside each number that is trained

    def requires(self, task: Task) -> str | None:
        if getattr(self.options, "augment", "none") != "none" and not task.picture_field:
            return f"{self.name} with augment needs a task of pictures"
        return None if task.train else f"{self.name} needs a train split"

    def cost(self, examples: int, trials: int) -> LearningCost:
        cost: LearningCost = self.options.cost(examples, trials, bytes_per_weight=self.bytes_per_weight)
        return cost

    def length(self, examples: int) -> int:
        steps: int = self.options.steps(examples)
        return steps

    def keep(self, model: Any, folder: Path, dtype: Any) -> None:
        """Write what was trained of an unfinished `model` into an empty `folder`; `dtype`: of the base that answers."""
        from safetensors.torch import save_file

        trained = {name: tensor.detach() for name, tensor in trained_tensors(model).items()}
        save_file({name: tensor.to("cpu", dtype).contiguous() for name, tensor in trained.items()}, folder / TRAINED)

    def restore(self, model: Any, folder: Path) -> Any:
        """The `torch.nn.Module` to predict with, from a base model and what `keep` wrote."""
        from safetensors.torch import load_file

        kept, places = load_file(folder / TRAINED), {**dict(model.named_parameters()), **dict(model.named_buffers())}
        for name, value in kept.items():
            places[name].data.copy_(value)
        return model

    @property
    def bytes_per_weight(self) -> int:
        # fp32 weights, gradients and AdamW's two moments (Rajbhandari et al. 2020, section 3.1)
        return 16 if self.full_precision else super().bytes_per_weight


class ContextPart(Part):
    """What a method puts in the context; nothing, unless a subclass does."""

    uses_seed: bool = False  # two seeds can give different prompts
    retrieves: bool = False  # builds an index: its predictions depend on the sentence embedder
    tunes_retriever: bool = False  # fine-tunes the sentence embedder first
    sees_gold: bool = False  # is handed the gold passage ids of the test items
    is_control: bool = False  # shows what retrieval can be worth; cannot be served
    searches: bool = False  # looks for its prompt with the model, see `search`
    reflects: ClassVar[bool] = False  # its search has a model write instructions, by default the one that answers
    spends_trials: bool = False  # its search asks as many items as other methods' trials of options do

    def reads_train(self, task: Task) -> bool:
        """Whether what it puts in the context comes from the training split."""
        return False

    def cost(self, task: Task) -> ContextCost:
        """What its blocks add to a prompt; of several numbers of blocks to choose from, the mean."""
        return ContextCost()

    def searched(self, examples: int, judged: int, trials: int) -> int:
        """Items that its search asks at most: of so many training examples, judged on so many items."""
        return 0

    def search(self, material: Material, asker: Asker) -> FoundPrompt:
        """Look for the prompt, with the model: once for a (task, seed), before anything is learnt."""
        return FoundPrompt()

    def build(self, material: Material) -> Context:
        """Draw examples, build indexes: all that is done once for a (task, seed), after the search."""
        return Context()
