"""A retriever whose encoder is fine-tuned: what it learns, what it is handed, what is told of it, what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import methods
import tasks
from bench.cell.setup import material_of
from bench.cell.tuned_encoder import TunedIndexes
from bench.core.errors import CellError, NotApplicableError, UsageError
from bench.core.method import Context
from bench.core.search import Questions
from bench.core.task import Task
from bench.meters.phases import Meter
from bench.report.tables import second_stage
from bench.retrieval.embedders import SentenceEncoder, find_embedder
from bench.training import ranking
from bench.training.contrast import fit
from methods.options import EncoderTuning
from tests.small import cells_of, measure, write_suite

# a question names two words and gets the passage of two others: nothing that an untrained encoder could know
COLOURS, THINGS = {"red": "who", "green": "wrote", "blue": "it"}, ("fish", "tea", "cup")
DOCUMENTS = [f"{COLOURS[colour]} {thing}" for colour, thing in product(COLOURS, THINGS)]


def questions(*forms: str) -> Questions:
    pairs = [(form.format(*words), place) for form in forms for place, words in enumerate(product(COLOURS, THINGS))]
    return Questions(tuple(text for text, _ in pairs), tuple((place,) for _, place in pairs))


TRAIN, VALIDATION = questions("{} {}", "{1} {0}", "{0} {0} {1}"), questions("{0} {1} {1}")
TEST = questions("{1} {1} {0}", "{1} {0} {1}")
SETTINGS = EncoderTuning(learning_rate=(1e-2,), hard_negatives=(0,), epochs=4, batch_size=9)


def tuned(encoder: Path, meter: Meter | None = None, seed: int = 0) -> TunedIndexes:
    found = find_embedder(str(encoder))
    return TunedIndexes(found, None, meter or Meter(torch.device("cpu")), ("t", seed), 3, lambda *_: None)


def first_hits(search: Any, asked: Questions) -> float:
    found = search.search(asked.texts, 1)
    return float(np.mean([ranking[0] in gold for ranking, gold in zip(found, asked.gold, strict=True)]))


def test_it_learns_what_the_encoder_did_not_know_and_is_paid_for_apart(prompted: Path) -> None:
    meter = Meter(torch.device("cpu"))
    made = tuned(prompted, meter)
    before = made_untuned(prompted)
    with meter.phase("index"):
        search = made("dense", DOCUMENTS, TRAIN, VALIDATION, SETTINGS)
        again = made("hybrid", DOCUMENTS, TRAIN, VALIDATION, SETTINGS)
    assert first_hits(before, TEST) < 0.6
    assert first_hits(search, TEST) > 0.8
    assert again.counts["documents"] == 9
    told = made.told
    assert told is not None
    assert (told.pairs, told.tuning, told.training.steps) == (27, None, 12)
    curve = dict(told.training.validation_metric)
    assert told.training.best_validation_metric == max(curve.values()) == curve[told.training.best_step or 0]
    assert list(curve) == [0, 3, 6, 9, 12]
    assert told.digest != find_embedder(str(prompted)).digest  # type: ignore[union-attr]
    phases = meter.phases
    assert phases["retriever"].flops
    assert phases["retriever"].reused_s > 0  # the second index has the encoder of the first
    assert phases["retriever"].wall_s > phases["index"].wall_s > 0
    assert phases["tune"].wall_s > 0  # MRR of the epochs


def made_untuned(encoder: Path) -> Any:
    from bench.retrieval.index import build

    return build("dense", DOCUMENTS, embedder=find_embedder(str(encoder)))


def test_the_same_seed_gives_the_same_weights(prompted: Path) -> None:
    short = SETTINGS.model_copy(update={"epochs": 1.0})
    digests = []
    for seed in (0, 0, 1):
        made = tuned(prompted, seed=seed)
        made("dense", DOCUMENTS, TRAIN, Questions((), ()), short)
        assert made.told is not None
        assert made.told.training.best_step is None
        digests.append(made.told.digest)
    assert digests[0] == digests[1] != digests[2]


def test_options_are_chosen_by_mrr_on_validation(prompted: Path) -> None:
    meter = Meter(torch.device("cpu"))
    made = tuned(prompted, meter)
    open_ = SETTINGS.model_copy(update={"learning_rate": (1e-7, 1e-2), "trial_share": 0.5})
    with meter.phase("index"):
        made("dense", DOCUMENTS, TRAIN, VALIDATION, open_)
    assert made.told is not None
    tuning = made.told.tuning
    assert tuning is not None
    assert (tuning.grid, tuning.items) == ({"learning_rate": (1e-7, 1e-2)}, 9)
    assert tuning.chosen == {"learning_rate": 1e-2, "hard_negatives": 0}
    values = [trial.value or 0 for trial in tuning.trials]
    assert values[1] > values[0]
    assert made.told.training.steps == 12
    assert meter.phases["tune"].flops


def test_an_encoder_that_gets_no_better_is_kept_as_it_was(prompted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = iter([0.5, 0.4, 0.5, 0.3])
    body = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(body.weight, 1.0)
    epochs = ranking.BestEpoch(body, lambda of: next(scores), 2)
    for step in range(1, 6):
        torch.nn.init.constant_(body.weight, float(step))
        epochs.on_step_end(None, type("State", (), {"global_step": step, "max_steps": 5}), None)
    assert epochs.curve == [(0, 0.5), (2, 0.4), (4, 0.5), (5, 0.3)]
    assert epochs.best == (0, 0.5)
    epochs.restore()
    assert body.weight.item() == 1.0


def test_hard_negatives_are_what_the_untrained_encoder_ranks_best(prompted: Path) -> None:
    encoder = find_embedder(str(prompted))
    assert isinstance(encoder, SentenceEncoder)
    train = Questions(("red fish", "green tea"), ((0,), (4,)))
    lesson = SETTINGS.model_copy(update={"epochs": 1.0, "batch_size": 2, "hard_negatives": (1,)})
    seen: dict[str, Any] = {}

    def watched(body: Any, columns: Any, *rest: Any, **more: Any) -> Any:
        seen.update(columns)
        return fit(body, columns, *rest, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.training.ranking.fit", watched)
        made = tuned(prompted)
        made("dense", DOCUMENTS, train, Questions((), ()), lesson)
    assert made.told is not None
    questions, documents = encoder.encode_query(list(train.texts)), encoder.encode_document(DOCUMENTS)
    cosines = questions @ documents.T
    others = [[i for i in range(9) if i != gold] for gold in (0, 4)]
    negatives = [max(own, key=lambda i: cosines[row][i]) for row, own in enumerate(others)]
    assert seen["negative_1"] == [DOCUMENTS[i] for i in negatives]


def test_what_cannot_be_tuned_is_refused_in_a_line(prompted: Path) -> None:
    meter = Meter(torch.device("cpu"))
    without = TunedIndexes(None, None, meter, ("t", 0), 3, lambda *_: None)
    with pytest.raises(NotApplicableError, match=r"^a tuned retriever needs a sentence embedder and none is at hand; "):
        without("dense", DOCUMENTS, TRAIN, VALIDATION, SETTINGS)
    nothing = Questions((), ())
    with pytest.raises(CellError, match=r"needs training questions with gold passages; there is none$"):
        tuned(prompted)("dense", DOCUMENTS, nothing, VALIDATION, SETTINGS)
    with pytest.raises(CellError, match="several values of learning_rate need validation questions with gold"):
        tuned(prompted)("dense", DOCUMENTS, TRAIN, nothing, EncoderTuning())


def write_task(folder: Path, gold: bool = True) -> Path:
    folder.mkdir()
    rows = [{"id": f"p{i}", "text": text} for i, text in enumerate(DOCUMENTS)]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for split, asked in (("train", TRAIN), ("validation", VALIDATION), ("test", TEST)):
        lines = [
            {
                "id": f"{split}{i}",
                "q": text,
                "a": "red",
                **({"gold": [f"p{own[0]}"]} if gold or split == "test" else {}),
            }
            for i, (text, own) in enumerate(zip(asked.texts, asked.gold, strict=True))
        ]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in lines))
    spec = {
        "name": folder.name, "kind": "text", "instruction": "Answer.", "template": "{q}", "answer": "a", "gold": "gold",
        "corpus": "corpus.jsonl", "metrics": ["exact_match"], "max_new_tokens": 2,
        "splits": {s: f"{s}.jsonl" for s in ("train", "validation", "test")},
    }  # fmt: skip
    (folder / "task.yaml").write_text(yaml.safe_dump(spec))
    return folder


class Spied(Task):
    """A task whose test split must not be looked at."""

    @property
    def test(self) -> Any:
        raise AssertionError("the test split was read")


def test_the_test_is_never_read(tmp_path: Path, prompted: Path) -> None:
    task = tasks.load(str(write_task(tmp_path / "find")))
    method = methods.create("rag", {"retriever": "tuned", "top_k": 1, "tuned": SETTINGS.model_dump() | {"epochs": 1}})
    values = {name: getattr(task, name) for name in task.__dataclass_fields__ if name != "test"}
    spied = Spied.__new__(Spied)
    for name, value in values.items():
        object.__setattr__(spied, name, value)
    material = material_of(spied, method, 0, Meter(torch.device("cpu")), lambda *_: None, embedder=str(prompted))
    context = method.context.build(material)
    assert isinstance(context, Context)
    changed = replace(task, test=())
    other = material_of(changed, method, 0, Meter(torch.device("cpu")), lambda *_: None, embedder=str(prompted))
    method.context.build(other)
    assert material.tuned_index.told.digest == other.tuned_index.told.digest  # type: ignore[attr-defined]


def test_it_is_measured_alone_and_joined(tmp_path: Path, tiny_model: Path, prompted: Path) -> None:
    write_task(tmp_path / "find")
    options = {"top_k": 1, "retriever": "tuned", "tuned": {"learning_rate": 1e-2, "epochs": 1, "batch_size": 9}}
    joined = {"lora+rag": {**options, "learning_rate": 1e-3, "max_steps": 1, "batch_size": 4}}
    file = write_suite(
        tmp_path, tiny_model, tasks=["find"], methods=[{"rag": options}, joined], defaults={}, embedder=str(prompted),
        measure={"latency": "off", "training_items": "off", "flop_check": "off"},
    )  # fmt: skip
    _, _, run = measure(file, tmp_path / "run")
    alone, both = run.records
    for record in (alone, both):
        assert record.status == "ok", record.failure
        assert record.retriever is not None
        assert record.phases["retriever"].flops
        assert record.retriever.pairs == 27
        assert record.uses_seed
    assert alone.retriever == replace(both.retriever, training=alone.retriever.training)  # type: ignore[type-var, union-attr]
    assert alone.retrieval["hit@1"] == both.retrieval["hit@1"]
    assert alone.retriever is not None
    hits = alone.retriever.hits["1"]
    assert (hits.both + hits.gained) / 18 == alone.retrieval["hit@1"]
    assert (hits.both + hits.lost) / 18 == alone.retriever.untuned["hit@1"] == first_hits(made_untuned(prompted), TEST)
    found, spent = second_stage.tables(run, alone.model)
    assert [row[2].text for row in found.rows] == ["1", "5", "10"] * 2
    assert [row[2].text for row in spent.rows] == ["27", "27"]


def test_a_task_without_gold_is_not_applicable_and_keys_tell(tmp_path: Path, tiny_model: Path) -> None:
    task = tasks.load(str(write_task(tmp_path / "bare", gold=False)))
    part = methods.create("rag", {"retriever": ["dense", "tuned"]}).context
    assert part.requires(task) == "rag with a tuned retriever needs gold passage ids in the train split"
    assert methods.create("rag", {"retriever": "dense"}).context.requires(task) is None
    write_task(tmp_path / "find")

    def keys(options: dict[str, Any], **changes: Any) -> list[str]:
        file = write_suite(tmp_path, tiny_model, tasks=["find"], methods=[{"rag": options}], defaults={}, **changes)
        return [cell.key for cell in cells_of(file)[1]]

    assert len(keys({"retriever": "dense"}, seeds=[0, 1])) == 1
    assert len(keys({"retriever": "tuned"}, seeds=[0, 1])) == 2
    other = keys({"retriever": "tuned", "tuned": {"epochs": 1}})
    assert keys({"retriever": "tuned"}) != other
    assert keys({"retriever": "tuned", "tuned": {}}) == keys({"retriever": "tuned"})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"retriever": "tunned"}, '(did you mean "tuned"?)'),
        ({"tuned": {"learning_rate": 2}}, "tuned.learning_rate is 2; it must be less than 1"),
        ({"tuned": {"epoch": 2}}, '(did you mean "epochs"?)'),
        ({"tuned": {"batch_size": 1}}, "tuned.batch_size is 1; it must be greater than 1"),
    ],
)
def test_wrong_options_are_one_line(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        methods.create("rag", options)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
