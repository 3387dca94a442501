"""A base that is read once: after every kind of part it is, bit by bit, what a fresh one is."""

from __future__ import annotations

import threading
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from bench.adapt.adapt import adapt
from bench.adapt.learner import Observer
from bench.config.search_space import SearchPlan
from bench.core.record import Record
from bench.model.shared_weights import SharedWeights, on_same_weights
from bench.training import trainer
from methods import parts
from methods.given import Given
from tests.gpu.test_loading import InThisProcess
from tests.small import measure, write_suite
from tests.toy import QUICK, choice_task, session_of

LORA = {**QUICK, "rank": 2}
GRID = {"learning_rate": [1e-3, 2e-3, 5e-3], "max_steps": 2, "batch_size": 4, "rank": 2}


@pytest.fixture(scope="module")
def models(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The tiny model with an output matrix of its own, and with one that is the embeddings."""
    tied = tmp_path_factory.mktemp("tied") / "tied"
    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    tied.mkdir()
    for file in tiny_model.iterdir():
        (tied / file.name).write_bytes(file.read_bytes())
    model.config.tie_word_embeddings = True
    model.tie_weights()
    model.save_pretrained(tied)
    return {"untied": tiny_model, "tied": tied}


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is read from disk, as it happens."""
    seen: list[str] = []
    for auto in (AutoModelForCausalLM, AutoModelForSequenceClassification):
        original = auto.from_pretrained

        def watched(*args: Any, original: Any = original, **kwargs: Any) -> Any:
            seen.append(str(args[0]))
            return original(*args, **kwargs)

        monkeypatch.setattr(auto, "from_pretrained", watched)
    return seen


def state(model: Any) -> dict[str, Any]:
    """All that could be left on a model, in values that compare."""
    named = dict(model.named_parameters(remove_duplicate=False))
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return {
        "modules": [(name, type(of), of.training) for name, of in model.named_modules()],
        "hooks": [name for name, of in model.named_modules() if any(getattr(of, hook) for hook in hooks)],
        "patched": [name for name, of in model.named_modules() if "forward" in vars(of)],
        "flags": {name: (p.requires_grad, p.grad, p.dtype, p.device.type) for name, p in named.items()},
        "tied": sorted(sorted(other for other in named if named[other] is p) for p in named.values()),
        "buffers": {name: (buffer.dtype, buffer.tolist()) for name, buffer in model.named_buffers()},
        "config": model.config.to_dict(),
        "peft": sorted(name for name in vars(model) if "peft" in name or "gradient_checkpointing" in name),
    }  # fmt: skip


def assert_same(reused: Any, fresh: Any) -> None:
    assert state(reused) == state(fresh)
    kept = fresh.state_dict()
    assert list(reused.state_dict()) == list(kept)
    for name, tensor in reused.state_dict().items():
        assert torch.equal(tensor.view(torch.uint8), kept[name].view(torch.uint8)), name
    ids = torch.arange(3, 43).reshape(2, 20)
    with torch.no_grad():
        assert torch.equal(reused(input_ids=ids).logits, fresh(input_ids=ids).logits)


@pytest.mark.parametrize(
    ("tied", "method", "options"),
    [
        ("untied", "zero-shot", {}),
        ("tied", "few-shot", {"k": 2}),
        ("tied", "head", {"c": 1.0}),
        ("tied", "lora", {**LORA, "dropout": 0.1}),
        ("untied", "lora+few-shot", {**LORA, "k": 1}),
    ],
)
def test_what_a_part_leaves_is_a_fresh_base(
    models: dict[str, Path], read: list[str], tied: str, method: str, options: dict[str, Any]
) -> None:
    session, made = session_of(choice_task(), method, options, models[tied])
    before, during = session.untouched(), []
    observer = Observer(apart=lambda *_: during.append(session.untouched()))
    predictor = adapt(made, session, observer=observer).predictor
    predictor.predict([])
    assert len(read) == 1
    for reused in (before, *during):  # with a trained adapter on others of its modules, and once that is merged
        assert_same(reused, session.base.load(False))


@pytest.mark.parametrize(("part", "rates"), [("full", [1e-3, 1e-2]), ("last-layers", [1e-3]), ("scratch", [1e-3])])
def test_a_part_that_changes_the_base_reads_its_own(
    models: dict[str, Path], read: list[str], part: str, rates: list[float]
) -> None:
    session, made = session_of(choice_task(), part, {**QUICK, "max_steps": 1, "learning_rate": rates}, models["tied"])
    before = session.untouched()
    adapt(made, session, plan=SearchPlan(2))
    assert len(read) == (2 if len(rates) == 1 else 4)  # the base, two trials of the grid, and what is kept
    assert_same(before, session.base.load(False))
    assert_same(session.untouched(), session.base.load(False))


def test_a_checkpoint_and_an_adapter_of_others_leave_the_base(models: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "adapter"
    folder.mkdir()
    session, made = session_of(choice_task(), "lora", LORA, models["tied"])
    tuned = adapt(made, session, observer=Observer(weights=folder)).predictor.backend
    tuned.model.save_pretrained(tmp_path / "tuned")  # type: ignore[attr-defined]
    for method, path in (("adapter", folder), ("checkpoint", tmp_path / "tuned")):
        session, made = session_of(choice_task(), method, {"path": str(path)}, models["tied"])
        before = session.untouched()
        adapt(made, session)
        assert_same(before, session.base.load(False))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_part_that_shares_the_base_writes_nothing_into_it(models: dict[str, Path], dtype: torch.dtype) -> None:
    """Of all parts that say so, those of other distributions too; each with its defaults."""
    model = AutoModelForCausalLM.from_pretrained(models["tied"], dtype=dtype).eval()
    kept = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    sharing = [of for of in parts().values() if getattr(of, "shares_base", False) and not issubclass(of, Given)]
    assert {of.name for of in sharing} >= {"frozen", "head", "lora"}
    for of in sharing:
        part: Any = of(of.Options())
        started = part.start(on_same_weights(model), 0)
        with torch.no_grad():
            for parameter in started.parameters():
                if parameter.requires_grad and part.learner.name == "gradient":
                    parameter.add_(0.5)
        part.finish(started)
        for name, tensor in model.state_dict().items():
            assert torch.equal(tensor, kept[name]), (of.name, name)


def test_a_use_does_not_reach_another_one(models: dict[str, Path]) -> None:
    weights = SharedWeights()

    def load() -> Any:
        return AutoModelForCausalLM.from_pretrained(models["tied"]).eval()

    spoilt, good = weights.use("key", load), weights.use("key", load)
    assert spoilt.model.embed_tokens.weight.data_ptr() == good.model.embed_tokens.weight.data_ptr()
    spoilt.train().requires_grad_(False)
    spoilt.model.norm.register_forward_hook(lambda module, given, output: output * 2)
    spoilt.config.eos_token_id = 77
    spoilt.model.rotary_emb.inv_freq.mul_(2)
    spoilt.lm_head = torch.nn.Identity()
    spoilt.to(torch.bfloat16)
    assert_same(good, load())
    assert_same(weights.use("key", load), load())


def test_what_cannot_be_copied_is_read_again() -> None:
    weights, made = SharedWeights(), []

    def load() -> Any:
        made.append(torch.nn.Linear(2, 2))
        vars(made[-1])["lock"] = threading.Lock()
        return made[-1]

    assert [weights.use("key", load), weights.use("key", load)] == made


def test_a_released_model_is_gone() -> None:
    weights = SharedWeights()
    made: list[torch.nn.Linear] = [torch.nn.Linear(2, 2)]
    gone, use = weakref.ref(made[0]), weights.use("key", made.pop)
    assert gone() is not None
    weights.release()
    assert gone() is None
    assert use.weight.shape == (2, 2)


class Cell:
    """A cell of LoRA in this process, with three trials, a batch that does not fit, and probes."""

    def __init__(self, folder: Path, model: Path, patch: pytest.MonkeyPatch) -> None:
        self.failed = 0
        original = trainer._train_once

        def short_of_memory(*args: Any) -> Any:
            if args[3].micro_batch > 2 and self.failed < 1:
                self.failed += 1
                raise torch.OutOfMemoryError("CUDA out of memory")
            return original(*args)

        patch.setattr(trainer, "_train_once", short_of_memory)
        patch.setattr("bench.runs.workers.executor", lambda suite, cells_at_once: InThisProcess())
        self.file = write_suite(folder, model, methods=[{"lora": GRID}], probes=["paint"])
        self.folder = folder

    def records(self, name: str) -> list[Record]:
        self.failed = 0
        _, _, run = measure(self.file, self.folder / name)
        return list(run.records)


def bare(record: Record) -> Record:
    """A record without what differs between two runs of the same: clocks, memory and the date."""
    training = record.training and replace(record.training, validation_s=None, step_seconds=None, shape_trial=None)
    none: dict[Any, Any] = {}
    return replace(record, created="", phases=none, latency=none, training=training, over_budget=(), environment=None)  # type: ignore[arg-type]


def test_a_lora_cell_with_trials_a_retry_and_probes_reads_its_checkpoint_once(
    tmp_path: Path, task_folder: Path, tiny_model: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = Cell(tmp_path, tiny_model, monkeypatch)
    [lora] = cell.records("once")
    assert lora.status == "ok", lora
    assert cell.failed == 1
    assert lora.tuning is not None
    assert len(lora.tuning.trials) == 3
    assert lora.weights_changed
    assert lora.divergence
    assert len(read) == 2  # the cell of the base's own probe answers, and this one

    monkeypatch.setattr(SharedWeights, "use", lambda self, key, load: load())
    [often] = cell.records("often")
    assert len(read) > 2 + 2 + 4
    assert bare(often) == bare(lora)


def test_the_new_head_of_an_encoder_is_drawn_once(prompted: Path, read: list[str]) -> None:
    session, made = session_of(choice_task(), "lora", {**GRID, "learning_rate": [1e-3, 2e-3]}, prompted)
    adapt(made, session, plan=SearchPlan(2))
    assert len(read) == 1
