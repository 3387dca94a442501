"""What a judge is asked, as a choice task: two answers in both orders, or one to be graded."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from bench.core.hashing import canonical, sha256
from tasks.loader.spec import Judging

FIRST, SECOND, TIE = "A", "B", "tie"
NOTHING = "(no answer)"  # what stands for an empty text
_PAIR = "Task:\n{question}\n\nAnswer A:\n{first}\n\nAnswer B:\n{second}\n\nBetter answer (A, B or tie):"
_GRADE = "Task:\n{question}\n\nAnswer:\n{first}\n\nGrade, from %s (worst) to %s (best):"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A question with the answers to be judged: two, or one that is graded."""

    question: str
    answers: tuple[str, ...]

    @property
    def settled(self) -> bool:
        """Whether the two answers are the same, so that nobody need be asked."""
        return len(self.answers) == 2 and self.answers[0].strip() == self.answers[1].strip()

    @property
    def orders(self) -> tuple[Comparison, ...]:
        """The ways in which it is asked: answers in both orders."""
        return (self,) if len(self.answers) == 1 else (self, Comparison(self.question, self.answers[::-1]))

    @property
    def id(self) -> str:
        """The same for the same texts in the same order."""
        return sha256(canonical([self.question, self.answers]))[:24]


def write_task(folder: Path, name: str, judging: Judging, comparisons: Iterable[Comparison]) -> None:
    """A task folder whose test items are the comparisons in all their orders, each once."""
    folder.mkdir(parents=True, exist_ok=True)
    choices = choices_of(judging)
    asked = {order.id: order for comparison in comparisons for order in comparison.orders}
    pairs = judging.form == "pairs"
    content = {
        "name": name,
        "kind": "choice",
        "instruction": judging.criteria,
        "template": _PAIR if pairs else _GRADE % (choices[0], choices[-1]),
        "choices": list(choices),
        "answer": "label",
        "splits": {"test": "test.jsonl"},
    }
    (folder / "task.yaml").write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
    with (folder / "test.jsonl").open("w", encoding="utf-8") as stream:
        for order in asked.values():
            stream.write(json.dumps(_row(order, choices[0]), ensure_ascii=False) + "\n")


def choices_of(judging: Judging) -> Sequence[str]:
    """What the judge chooses from, of grades the worst first."""
    return (FIRST, SECOND, TIE) if judging.form == "pairs" else tuple(judging.grades.values())


def _row(asked: Comparison, unused: str) -> dict[str, str]:
    """A row of the task; a task's items need an answer, which nobody reads here."""
    texts = dict(zip(("first", "second"), (answer.strip() or NOTHING for answer in asked.answers), strict=False))
    return {"id": asked.id, "question": asked.question, **texts, "label": unused}
