"""Whether the passages that an answer was written from entail it, to a model of natural language inference: advisory.

Each passage is a premise, read in overlapping parts where it is longer than the model's input; the answer, with its
question, is the hypothesis, worded as Bohnet et al. 2022 do (Attributed Question Answering, arXiv:2212.08037). The
chance of an answer is the highest over all parts, as in SummaC (Laban et al. 2022, TACL 10, 163-177).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.analysis.passages_used import most_shown, texts_shown
from bench.core.errors import UsageError
from bench.core.item import Example
from bench.core.quoting import quoted
from bench.core.record import Run
from bench.core.task import Task
from bench.engine.predictor import question
from bench.judging.answers import Answers, answers_to
from bench.model.devices import pick_device
from bench.model.load import without_bars
from bench.retrieval.embedders import find_folder, weights_digest
from bench.store.judged import Entailed, EntailedMethod
from bench.store.run_folder import read_predictions

REMEDY = "name the folder or the Hub id of a model of inference, such as cross-encoder/nli-deberta-v3-small"
_LONGEST = 512  # tokens of a pair at most: what models of inference were trained on
_OVERLAP = 4  # a part shares a quarter of its room with the next
_ROWS = 8  # parts at once


def entailed(run: Run, name: str, reference: str, device: str = "auto") -> Entailed:
    """How likely every answer to a task follows from the passages in its prompt, by the model that `reference` names.

    Raises:
        UsageError: no such task, no method of it that shows passages, or no model of inference.
    """
    task, answers = answers_to(run, name)
    shown = [each for each in answers if most_shown(each.record) is not None]
    if not shown:
        raise UsageError(f"task {name}: no method shows passages, so that no answer can follow from them")
    model = load(reference, device)
    rows = []
    for method in dict.fromkeys(each.method for each in shown):
        seeds = [each for each in shown if each.method == method]
        before = model.too_long
        chances = tuple(_chances(run, task, each, model) for each in seeds)
        keys = tuple(each.record.key for each in seeds)
        rows.append(EntailedMethod(*method, keys, chances, model.too_long - before))
    return Entailed(name, reference, model.digest, tuple(rows))


def hypothesis(question: str, answer: str) -> str:
    """What the passages are to entail."""
    return f'The answer to the question "{question}" is "{answer.strip()}".'


def _chances(run: Run, task: Task, answers: Answers, model: InferenceModel) -> tuple[float | None, ...]:
    most, corpus = most_shown(answers.record), {passage.id: passage for passage in task.corpus}
    assert most is not None
    lines = {line["id"]: line for line in read_predictions(run.path, answers.record.key)}

    def chance(item: Example) -> float | None:
        said, premises = answers.texts[item.id], texts_shown(task, corpus, lines[item.id], most)
        refuses = task.refusal is not None and task.refusal.is_said(said)
        if refuses or not said.strip() or not premises:
            return None
        return model.chance(premises, hypothesis(task.prompt.query(question(item)), said))

    return tuple(chance(item) for item in task.test)


@dataclass
class InferenceModel:
    """A sequence classifier with a class for entailment, in fp32."""

    model: Any
    tokenizer: Any
    entailment: int  # the class
    digest: str
    too_long: int = 0  # hypotheses so far that leave no room for a premise

    @property
    def longest(self) -> int:
        """Tokens of a pair at most."""
        limits = (self.tokenizer.model_max_length, getattr(self.model.config, "max_position_embeddings", None))
        return min(limit for limit in (*limits, _LONGEST) if limit)

    def chance(self, premises: Sequence[str], claim: str) -> float:
        """The highest chance that a part of a premise entails the claim; 0 for a claim that is too long to be read."""
        import torch

        room = self.longest - len(self.tokenizer("", claim)["input_ids"])
        if room < _OVERLAP:
            self.too_long += 1
            return 0.0
        parts = self.tokenizer(
            list(premises), [claim] * len(premises), truncation="only_first", max_length=self.longest,
            stride=room // _OVERLAP, return_overflowing_tokens=True,
        )  # fmt: skip
        parts.pop("overflow_to_sample_mapping", None)
        best = 0.0
        for start in range(0, len(parts["input_ids"]), _ROWS):
            batch = {name: column[start : start + _ROWS] for name, column in parts.items()}
            padded = self.tokenizer.pad(batch, return_tensors="pt").to(self.model.device)
            with torch.inference_mode():
                shares = self.model(**padded).logits.float().softmax(dim=-1)
            best = max(best, shares[:, self.entailment].max().item())
        return best


def load(reference: str, device: str = "auto") -> InferenceModel:
    """The model of inference in a folder or of a Hub id; weights are safetensors, remote code is off.

    Raises:
        UsageError: no such model, or none of its classes is entailment.
    """
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

    folder = find_folder(reference, "entailment", REMEDY)
    digest = weights_digest(folder, "entailment:", REMEDY)
    own = {"local_files_only": True, "trust_remote_code": False}
    entailment = _entailment_class(AutoConfig.from_pretrained(folder, **own), folder)
    with without_bars():
        model = AutoModelForSequenceClassification.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, **own
        )
    tokenizer = AutoTokenizer.from_pretrained(folder, **own)
    return InferenceModel(model.eval().to(pick_device(device)), tokenizer, entailment, digest)


def _entailment_class(config: Any, folder: Path) -> int:
    labels = {int(place): str(label) for place, label in (config.id2label or {}).items()}
    heads = [str(name) for name in config.architectures or ()]
    fitting = [place for place, label in labels.items() if label.lower() == "entailment"]
    if len(fitting) != 1 or not any(name.endswith("ForSequenceClassification") for name in heads):
        classes = ", ".join(labels.values()) or "none"
        raise UsageError(
            f"entailment: {quoted(str(folder))} has no class called entailment (its classes: {classes}); {REMEDY}"
        )
    return fitting[0]
