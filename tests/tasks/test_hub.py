"""Data sets on the Hub: read at their commit, class labels by name, one line where they cannot be had."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import tasks
from bench.core.picture import pixels
from tests.pictures import png

Make = Callable[..., Path]
SHA = "0123456789abcdef0123456789abcdef01234567"
HUB = {
    "dataset": "owner/reviews",
    "config": "plain",
    "revision": SHA,
    "splits": {"train": "train", "validation": {"from": "train", "size": 1}, "test": "unseen"},
}


class ClassLabel:
    names = ("neg", "pos")


class FakeSet(list[dict[str, Any]]):
    column_names = ("text", "label")
    features = {"text": object(), "label": ClassLabel()}  # noqa: RUF012 - as `datasets` has it


ROWS = {
    "train": FakeSet([{"text": "a", "label": 0}, {"text": "b", "label": 1}, {"text": "c", "label": 1}]),
    "unseen": FakeSet([{"text": "d", "label": 1}]),
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Replaces `datasets`; what its `load_dataset` was asked for."""
    calls: list[tuple[Any, ...]] = []

    def load_dataset(path: str, name: str | None, *, split: str, revision: str) -> FakeSet:
        calls.append((path, name, split, revision))
        if split not in ROWS:
            raise ValueError(f'Unknown split "{split}".\nShould be one of {list(ROWS)}.')
        return ROWS[split]

    fake = SimpleNamespace(load_dataset=load_dataset, ClassLabel=ClassLabel)
    monkeypatch.setitem(sys.modules, "datasets", fake)
    return calls


class HubImage:
    """As `datasets` has it: decoded into pictures, unless it is told not to."""

    def __init__(self, decode: bool = True) -> None:
        self.decode = decode


class SetOfPictures:
    column_names = ("seen", "label")
    features = {"seen": HubImage(), "label": ClassLabel()}  # noqa: RUF012 - as `datasets` has it

    def cast_column(self, name: str, feature: HubImage) -> list[dict[str, Any]]:
        assert (name, feature.decode) == ("seen", False)
        stored = FakeSet({"seen": {"bytes": png((n, n, 0)), "path": None}, "label": n % 2} for n in range(4))
        stored.column_names = self.column_names
        stored.features = self.features
        return stored


def test_pictures_of_a_hub_data_set_stay_as_they_are_stored(make_task: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = SimpleNamespace(load_dataset=lambda *a, **k: SetOfPictures(), ClassLabel=ClassLabel, Image=HubImage)
    monkeypatch.setitem(sys.modules, "datasets", fake)
    hub = {**HUB, "splits": {"train": "train", "test": {"from": "train", "size": 1}}}
    task = tasks.load(make_task({"hub": hub, "image": "seen"}, without=["splits", "template"]))
    pictures = [example.picture for example in (*task.train, *task.test)]
    assert sorted(pixels(each.read()).getpixel((0, 0))[0] for each in pictures if each) == [0, 1, 2, 3]  # type: ignore[index]


def test_a_hub_data_set_at_its_commit(make_task: Make, asked: list[tuple[Any, ...]]) -> None:
    task = tasks.load(make_task({"hub": HUB}, without=["splits"]))
    assert asked == [("owner/reviews", "plain", "train", SHA), ("owner/reviews", "plain", "unseen", SHA)]
    assert (len(task.train), len(task.validation), len(task.test)) == (2, 1, 1)
    assert (task.test[0].choices, task.test[0].references) == (("neg", "pos"), ("pos",))


def test_a_class_that_is_not_known_is_an_empty_cell(
    asked: list[tuple[Any, ...]], problems: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ROWS, "unseen", FakeSet([{"text": "d", "label": -1}]))
    assert problems({"hub": HUB}, without=["splits"]) == [
        'hub data set owner/reviews at 0123456, split unseen:1: column "label" is empty; fill it in or remove the row'
    ]
    assert asked


@pytest.mark.usefixtures("asked")
def test_a_split_that_does_not_exist_is_one_line(problems: Callable[..., list[str]]) -> None:
    hub = {**HUB, "splits": {"train": "train", "test": "tset"}}
    assert problems({"hub": hub}, without=["splits"]) == [
        "toy/task.yaml: hub data set owner/reviews at 0123456, split tset: cannot be read "
        '(ValueError: Unknown split "tset".); check the network and the names, or point splits at local files'
    ]


def test_without_the_package_the_extra_is_named(
    problems: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    lines = problems({"hub": {**HUB, "splits": {"test": "unseen"}}, "choices": ["neg", "pos"]}, without=["splits"])
    assert lines == [
        "toy/task.yaml: hub data set owner/reviews at 0123456, split unseen: "
        'the package datasets is missing; pip install "adaptbench[hub]"'
    ]


def test_the_real_library_without_a_network_is_one_line(problems: Callable[..., list[str]]) -> None:
    pytest.importorskip("datasets")
    hub = {**HUB, "splits": {"test": "unseen"}}
    (line,) = problems({"hub": hub, "choices": ["neg", "pos"]}, without=["splits"])
    assert line.startswith("toy/task.yaml: hub data set owner/reviews at 0123456, split unseen: cannot be read (")


@pytest.mark.parametrize(
    "name", ["../reviews", "/etc", "https://example.com/x", "owner/name/more", "owner/..", "~/x", ""]
)
def test_a_data_set_is_no_path_and_no_address(problems: Callable[..., list[str]], name: str) -> None:
    [line] = problems({"hub": {**HUB, "dataset": name}}, without=["splits"])
    assert line.startswith("toy/task.yaml: hub.dataset")


def test_a_folder_of_the_same_name_is_not_read(
    problems: Callable[..., list[str]], asked: list[tuple[Any, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "owner" / "reviews").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    lines = problems({"hub": HUB}, without=["splits"])
    assert all("there is a file or folder of that name here" in line for line in lines)
    assert asked == []
