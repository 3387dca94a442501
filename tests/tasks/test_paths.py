"""A task reads files of its own folder, of a folder of data, or of one that its user allows; nothing else is shown."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tasks
from bench.authoring.init import init
from bench.cli import cli
from bench.core.errors import TaskError, UsageError
from tasks.loader.judgements import read_judgements
from tasks.loader.manifest import read_spec
from tasks.loader.paths import ALLOWED, require_readable, resolve
from tasks.loader.problems import Problems
from tests.pictures import png
from tests.served.scripted import Sent, serving
from tests.tasks.conftest import jsonl

Make = Callable[..., Path]
SECRET = "hunter2-of-another-user"
ROWS = jsonl({"text": SECRET + str(n), "label": "yes"} for n in range(3))


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder beside the task with files that are nobody's business."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "rows.jsonl").write_text(ROWS)
    (folder / "labels.txt").write_text(f"{SECRET}\nyes\nno\n")
    (folder / "note.md").write_text(SECRET)
    (folder / "seen.png").write_bytes(png((1, 2, 3)))
    return folder


@pytest.fixture(autouse=True)
def nothing_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ALLOWED, "")


def refused(folder: Path) -> str:
    """What `check` shows of the task, which it has to refuse."""
    result = CliRunner().invoke(cli, ["check", str(folder)])
    assert result.exit_code == 2
    with pytest.raises(TaskError):
        tasks.load(folder)
    return result.output


@pytest.mark.parametrize("way", ["absolute", "dots", "home", "link", "folder link"])
@pytest.mark.parametrize("key", ["split", "choices_file", "corpus"])
def test_a_file_outside_is_not_read(
    make_task: Make, outside: Path, monkeypatch: pytest.MonkeyPatch, way: str, key: str
) -> None:
    monkeypatch.setenv("HOME", str(outside))
    name = {"split": "rows.jsonl", "choices_file": "labels.txt", "corpus": "rows.jsonl"}[key]
    folder = make_task()
    (folder / "a-link.jsonl").symlink_to(outside / name)
    (folder / "a-folder").symlink_to(outside)
    written = {
        "absolute": str(outside / name), "dots": f"../outside/{name}", "home": f"~/{name}",
        "link": "a-link.jsonl", "folder link": f"a-folder/{name}",
    }[way]  # fmt: skip
    spec: dict[str, Any] = {"splits": {"train": written, "test": "test.jsonl"}} if key == "split" else {key: written}
    shown = refused(make_task(spec))
    assert "outside the task's folder" in shown
    assert "--allow-outside FOLDER" in shown
    assert SECRET not in shown


def test_labels_of_people_and_the_task_itself_are_not_read_outside(make_task: Make, outside: Path) -> None:
    judging = {"criteria": "good?", "labels": "../outside/rows.jsonl"}
    folder = make_task({"kind": "text", "judging": judging})
    spec = read_spec(folder)
    assert spec.judging is not None
    with pytest.raises(TaskError, match="leads to a file outside the task's folder"):
        read_judgements(folder, spec, spec.judging)
    (outside / "secrets.yaml").write_text(f"{SECRET}: 1\n")
    (folder / "task.yaml").unlink()
    (folder / "task.yaml").symlink_to(outside / "secrets.yaml")
    shown = refused(folder)
    assert "task.yaml is a link to a file outside the task's folder" in shown
    assert SECRET not in shown


def test_a_variable_of_data_names_a_folder_and_no_way_out_of_it(
    make_task: Make, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (outside / "inner").mkdir()
    (outside / "inner" / "t.jsonl").write_text(jsonl([{"text": "far", "label": "no"}]))
    monkeypatch.setenv("TOY_DATA", str(outside / "inner"))
    inside, out = (
        {"splits": {"train": "train.jsonl", "test": f"${{TOY_DATA}}/{name}"}} for name in ("t.jsonl", "../rows.jsonl")
    )
    assert tasks.load(make_task(inside)).test[0].fields == {"text": "far"}
    assert '"${TOY_DATA}/../rows.jsonl" leads to a file outside' in refused(make_task(out))
    (outside / "inner" / "t.jsonl").unlink()
    (outside / "inner" / "t.jsonl").symlink_to(outside / "rows.jsonl")
    assert SECRET not in refused(make_task(inside))


@pytest.mark.parametrize(
    "written", ["${HOME}/rows.jsonl", "${A_KEY}", "${A_KEY}/rows.jsonl", "x/${A_KEY}/../../../outside/rows.jsonl"]
)
def test_other_variables_name_no_folder_and_are_not_shown(
    make_task: Make, outside: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    monkeypatch.setenv("HOME", str(outside))
    monkeypatch.setenv("A_KEY", "/sk-12345")
    shown = refused(make_task({"splits": {"train": written, "test": "test.jsonl"}}))
    assert "outside the task's folder" in shown
    assert SECRET not in shown
    assert "sk-12345" not in shown
    assert str(outside) not in shown


def test_links_within_the_task_are_followed(make_task: Make) -> None:
    folder = make_task({"splits": {"train": "same.jsonl", "test": "deep/../test.jsonl"}})
    (folder / "deep").mkdir()
    (folder / "same.jsonl").symlink_to("train.jsonl")
    assert len(tasks.load(folder).train) == 4


def test_what_its_user_allows_is_read(make_task: Make, outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_task(
        {"splits": {"train": str(outside / "rows.jsonl"), "test": "test.jsonl"}, "choices": ["yes", "no"]}
    )
    assert "outside the task's folder" in refused(folder)
    other = folder.parent / "other"
    other.mkdir()
    assert CliRunner().invoke(cli, ["check", str(folder), "--allow-outside", str(other)]).exit_code == 2
    monkeypatch.setenv(ALLOWED, "")
    named = ["--allow-outside", str(other), "--allow-outside", str(outside)]
    assert CliRunner().invoke(cli, ["check", str(folder), *named]).exit_code == 0
    monkeypatch.setenv(ALLOWED, str(outside))
    assert len(tasks.load(folder).train) == 3
    missing = CliRunner().invoke(cli, ["check", str(folder), "--allow-outside", str(outside / "none")])
    assert missing.exit_code == 2


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_a_task_asks_no_address(make_task: Make, ending: str) -> None:
    """Neither as a file, nor by a key of a suite's."""
    with serving(lambda *asked: Sent({})) as server:
        for changes in (
            {"splits": {"train": "train.jsonl", "test": f"{server.url}/t.{ending}"}},
            {"corpus": f"{server.url}/t.{ending}"},
            {"choices_file": f"{server.url}/t.{ending}"},
            {"endpoint": {"base_url": server.url, "model": "m"}},
        ):
            refused(make_task(changes))
    assert server.asked == []


class TestPictures:
    @pytest.mark.parametrize("name", ["../outside/seen.png", "/ABSOLUTE/seen.png", "a-link.png"])
    def test_a_row_leads_nowhere_else(self, make_task: Make, outside: Path, name: str) -> None:
        written = name.replace("/ABSOLUTE", str(outside))
        rows = {split: f"file,label\n{split}.png,yes\n{written},no\n" for split in ("train", "test")}
        spec = {"image": "file", "splits": {"train": "train.csv", "test": "test.csv"}}
        folder = make_task(spec, {f"{split}.csv": text for split, text in rows.items()}, without=("template",))
        for split, shade in (("train", 9), ("test", 8)):
            (folder / f"{split}.png").write_bytes(png((shade, 0, 0)))
        (folder / "a-link.png").symlink_to(outside / "seen.png")
        shown = refused(folder)
        assert f'picture "{written}'[:40] in shown
        assert "leads to a file outside" in shown

    def test_a_pipe_is_no_picture(self, make_task: Make) -> None:
        spec = {"image": "file", "splits": {"train": "t.csv", "test": "t.csv"}}
        folder = make_task(spec, {"t.csv": "file,label\npipe.png,yes\npipe.png,no\n"}, without=("template",))
        os.mkfifo(folder / "pipe.png")
        assert 'picture "pipe.png" is no plain file' in refused(folder)

    def test_init_leaves_out_links_and_makes_a_whole_task(self, outside: Path, tmp_path: Path) -> None:
        for place, label in enumerate(("warm", "cold")):
            (tmp_path / "mine" / label).mkdir(parents=True)
            for number in range(10):
                (tmp_path / "mine" / label / f"{number}.png").write_bytes(png((100 * place, number, 0)))
        (tmp_path / "mine" / "cold" / "other.png").symlink_to(outside / "seen.png")
        said = init(tmp_path / "mine", tmp_path / "task")
        assert "files left out: 1: cold/other.png is a link out of the folder" in said
        assert not (tmp_path / "task" / "pictures" / "cold" / "other.png").exists()
        (tmp_path / "task").rename(tmp_path / "elsewhere")  # it holds all that it needs
        assert len(tasks.load(tmp_path / "elsewhere").train) == 14


class TestFoldersOfDocuments:
    def test_links_out_and_pipes_are_left_out(self, make_task: Make, outside: Path) -> None:
        rows = jsonl([{"text": "fee?", "label": "yes"}])
        folder = make_task({"corpus": "docs"}, {"test.jsonl": rows})
        (folder / "docs").mkdir()
        (folder / "docs" / "own.md").write_text("Two euros.")
        (folder / "docs" / "theirs.md").symlink_to(outside / "note.md")
        (folder / "docs" / "copy.md").symlink_to("own.md")
        os.mkfifo(folder / "docs" / "pipe.txt")
        loaded = tasks.load(folder)
        assert {passage.id: passage.text for passage in loaded.corpus} == {
            "own.md": "Two euros.",
            "copy.md": "Two euros.",
        }
        assert "toy/docs/pipe.txt: left out: no plain file" in loaded.notes
        assert any(
            note.startswith("toy/docs/theirs.md: left out: a link that leads elsewhere") for note in loaded.notes
        )
        assert SECRET not in CliRunner().invoke(cli, ["check", str(folder)]).output


def test_init_reads_no_link_out_of_its_folder(outside: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.jsonl").symlink_to(outside / "rows.jsonl")
    with pytest.raises(UsageError, match=r"train.jsonl.* is a link out of its folder"):
        init(tmp_path / "data", tmp_path / "made")


PARTS = st.sampled_from(
    ["..", ".", "own", "deep", "link-in", "link-out", "loop", "f.txt", "", "~", "${T_DATA}", "${T_OTHER}"]
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A task folder among others, with links of every kind in it."""
    base = tmp_path_factory.mktemp("tree")
    for name in ("task/own/deep", "task/deep", "other/own", "data/own"):
        (base / name).mkdir(parents=True)
    for folder in ("", "task", "task/own", "task/own/deep", "task/deep", "other", "other/own", "data", "data/own"):
        (base / folder / "f.txt").write_text(folder)
    (base / "task" / "link-in").symlink_to("own")
    (base / "task" / "link-out").symlink_to("../other")
    (base / "task" / "own" / "link-out").symlink_to(base)
    (base / "task" / "loop").symlink_to("loop")
    (base / "data" / "link-out").symlink_to("../other")
    return base


@given(parts=st.lists(PARTS, max_size=7), absolute=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
def test_no_path_reaches_a_file_of_another_folder(
    tree: Path, monkeypatch: pytest.MonkeyPatch, parts: list[str], absolute: bool
) -> None:
    """Told by the file that is opened, not by its path: its text is the folder it stands in."""
    monkeypatch.setenv("T_DATA", str(tree / "data"))
    monkeypatch.setenv("T_OTHER", str(tree / "other"))
    monkeypatch.setenv("HOME", str(tree / "other"))
    written = (str(tree / "task") + "/" if absolute else "") + "/".join(parts)
    problems = Problems()
    require_readable(tree / "task", [written], "task.yaml", problems)
    place, _ = resolve(tree / "task", written)
    if not problems and place.is_file():
        root = place.read_text().partition("/")[0]
        assert root == "task" or (root == "data" and written.startswith("${T_DATA}"))
