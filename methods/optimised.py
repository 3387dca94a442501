"""Context part `optimised`: instruction and few-shot examples, searched for with the model (GEPA: Agrawal et al. 2025,
arXiv:2507.19457; its package `gepa` searches, what stands here is the task).

A candidate is an instruction and some examples; the first is the task's own instruction without any. Each step takes a
candidate that is best on some validation item, asks the model a few training items with it, and changes one of its two
texts in turn: a reflecting model writes a new instruction from the answers and what was right, or items that were
answered wrongly join the examples. A change that is better on these items is judged on all validation items, and the
candidate that is best on them is the prompt.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from pydantic import Field, NonNegativeInt, PositiveInt

from bench.core.errors import CellError
from bench.core.hashing import derive_seed
from bench.core.item import Example
from bench.core.method import Context, ContextCost, ContextPart, Material, Options
from bench.core.prompt_search import Answered, Asker, FoundPrompt, TriedPrompt
from bench.core.task import Task
from methods.few_shot import mean_length, shown, stratified

if TYPE_CHECKING:
    from gepa.core.adapter import EvaluationBatch
    from gepa.core.state import GEPAState

Candidate = dict[str, str]  # INSTRUCTION -> the text, EXAMPLES -> a JSON list of ids
INSTRUCTION, EXAMPLES = "instruction", "examples"
_PERFECT = 1.0  # merit of an item that cannot be answered better


@dataclass(frozen=True, slots=True)
class _Trace:
    """A training item with what the model answered."""

    example: Example
    output: str
    merit: float

    def lesson(self, ask: str, choices: Sequence[str]) -> Mapping[str, str]:
        """What the reflecting model is told of it, with `choices` where they have not been told."""
        right = " or ".join(self.example.references)
        feedback = "Correct." if self.merit >= _PERFECT else f"Not correct. The correct answer is: {right}"
        allowed = {"Possible answers": "; ".join(choices)} if choices else {}
        return {"Inputs": ask, **allowed, "Generated Outputs": self.output, "Feedback": feedback}


@dataclass
class _Search:
    """What gepa asks of the task: a `gepa.core.adapter.GEPAAdapter`."""

    material: Material
    asker: Asker
    most_examples: int
    tried: list[TriedPrompt] = field(default_factory=list)
    best: tuple[float, TriedPrompt] | None = None
    failure: Exception | None = None  # of the reflecting model: gepa itself would go on

    def evaluate(
        self, batch: list[Example], candidate: Candidate, capture_traces: bool = False
    ) -> EvaluationBatch[_Trace, str]:
        from gepa.core.adapter import EvaluationBatch

        answered = self.asker.answer(self._context(candidate), batch)
        if batch[0].id in {example.id for example in self.asker.validation}:
            self._note(candidate, answered)
        told = zip(batch, answered.outputs, answered.merits, strict=True)
        return EvaluationBatch(list(answered.outputs), list(answered.merits), [_Trace(*each) for each in told])

    def make_reflective_dataset(
        self, candidate: Candidate, eval_batch: EvaluationBatch[_Trace, str], components_to_update: list[str]
    ) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        traces = eval_batch.trajectories or []
        if components_to_update == [EXAMPLES]:
            return {EXAMPLES: [{"id": trace.example.id} for trace in traces if trace.merit < _PERFECT]}
        ask, told = self.material.prompt.ask, [trace.example.choices for trace in traces]
        new = [() if choices in told[:i] else choices for i, choices in enumerate(told)]
        return {INSTRUCTION: [trace.lesson(ask(trace.example), of) for trace, of in zip(traces, new, strict=True)]}

    def propose_new_texts(
        self,
        candidate: Candidate,
        reflective_dataset: Mapping[str, Sequence[Mapping[str, Any]]],
        components_to_update: list[str],
    ) -> Candidate:
        """The text that changes; nothing where it would stay as it is."""
        (name,) = components_to_update
        before, lessons = candidate[name], reflective_dataset[name]
        after = self._with_more(before, lessons) if name == EXAMPLES else self._reworded(before, lessons)
        return {} if after in ("", before) else {name: after}

    def _with_more(self, before: str, lessons: Sequence[Mapping[str, Any]]) -> str:
        ids = json.loads(before)
        more = [lesson["id"] for lesson in lessons if lesson["id"] not in ids]
        return json.dumps([*ids, *more][-self.most_examples :])

    def _reworded(self, before: str, lessons: Sequence[Mapping[str, Any]]) -> str:
        from gepa.strategies.instruction_proposal import InstructionProposalSignature as Proposal

        text = Proposal.prompt_renderer({"current_instruction_doc": before, "dataset_with_feedback": lessons})
        assert isinstance(text, str)
        try:
            written = self.asker.reflect(text)
        except Exception as error:
            self.failure = error
            raise
        return Proposal.output_extractor(written.strip())["new_instruction"]

    def _context(self, candidate: Candidate) -> Context:
        found = FoundPrompt(self._instruction(candidate), tuple(_ids(candidate)))
        return Context(shown(found, self.material, Optimised.name), instruction=found.instruction)

    def _instruction(self, candidate: Candidate) -> str | None:
        text = candidate[INSTRUCTION]
        return None if text == self.material.prompt.instruction else text

    def _note(self, candidate: Candidate, answered: Answered) -> None:
        ids, instruction = tuple(_ids(candidate)), self._instruction(candidate)
        one = TriedPrompt(instruction, ids, answered.value, self.asker.answers)
        self.tried.append(one)
        if self.best is None or answered.merit > self.best[0]:
            self.best = answered.merit, one


def _ids(candidate: Candidate) -> list[str]:
    ids: list[str] = json.loads(candidate.get(EXAMPLES, "[]"))
    return ids


class OptimisedOptions(Options):
    max_examples: NonNegativeInt = Field(4, description="few-shot examples; 0: the instruction alone changes")
    minibatch: PositiveInt = Field(3, description="training items that a change is tried on first")
    judged: PositiveInt | None = Field(
        None, description="validation items that a prompt is judged on; null: those of every trial, at most 200"
    )
    max_evaluations: PositiveInt | None = Field(
        None, description="items asked at most; null: as many as the trials of other methods ask"
    )


class Optimised(ContextPart):
    """An instruction and few-shot examples that a search with the model found."""

    name = "optimised"
    Options = OptimisedOptions
    options: OptimisedOptions
    uses_seed = True
    searches = True
    reflects = True

    def __init__(self, options: OptimisedOptions) -> None:
        super().__init__(options)
        self.spends_trials = options.max_evaluations is None

    def requires(self, task: Task) -> str | None:
        if find_spec("gepa") is None:
            return 'optimised needs gepa: python -m pip install "adaptbench[optimised]"'
        if task.kind == "prose":
            return "optimised needs a task that is answered, and prose has no answers"
        if not task.train or not task.validation:
            return "optimised needs a train split to search on and a validation split to choose on"
        return None

    def reads_train(self, task: Task) -> bool:
        return True

    def cost(self, task: Task) -> ContextCost:
        return ContextCost(self.options.max_examples * mean_length(task), shared=True)

    def searched(self, examples: int, judged: int, trials: int) -> int:
        return self.options.max_evaluations or trials * judged

    def search(self, material: Material, asker: Asker) -> FoundPrompt:
        from gepa.api import optimize

        options, every = self.options, asker.validation
        judges = stratified(every, options.judged or len(every), material.task, material.seed)
        most, judged = self.searched(len(material.train), len(every), asker.trials), len(judges)
        if most < judged:
            raise CellError(f"max_evaluations {most} of optimised is less than one prompt takes: {judged} items")
        search = _Search(material, asker, options.max_examples)
        first = {INSTRUCTION: material.prompt.instruction, **({EXAMPLES: "[]"} if options.max_examples else {})}
        step = 2 * min(options.minibatch, len(material.train)) + judged  # items of a step at most

        def ended(state: GEPAState[str, int]) -> bool:
            return search.failure is not None or asker.answers + step > most

        optimize(
            first,
            list(material.train),
            judges,
            adapter=cast(Any, search),
            reflection_minibatch_size=min(options.minibatch, len(material.train)),
            stop_callbacks=cast(Any, ended),
            logger=SimpleNamespace(log=lambda message: None),
            seed=derive_seed("optimised", material.task, material.seed),
        )
        if search.failure is not None:
            raise search.failure
        assert search.best is not None
        best = search.best[1]
        return FoundPrompt(best.instruction, best.examples, tuple(search.tried), judged, f"gepa {version('gepa')}")

    def build(self, material: Material) -> Context:
        blocks = shown(material.found, material, self.name)
        return Context(blocks, instruction=material.found.instruction if material.found else None)


PART = Optimised
