"""Parts and tasks of other distributions: found, joined, and refused in a line that names where they come from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import methods
import tasks
from bench.cli import doctor_checks, listing
from bench.core.errors import UsageError
from bench.runs.cells import Cell
from tests.installed import forget, install
from tests.small import cells_of, write_suite

PART = """
from bench.core.method import {base}, Options

class {name}Options(Options):
    {option}: int = 1

class {name}({base}):
    "{name} of acme."
    name = "{lower}"
    Options = {name}Options
"""
TASK = """
name: {name}
kind: text
description: Two rows.
template: "{{q}}"
answer: a
splits: {{train: rows.jsonl, test: test.jsonl}}
"""


def part(name: str, base: str, option: str = "strength") -> str:
    return PART.format(name=name, lower=name.lower(), base=base, option=option)


def task(package: str, name: str) -> dict[str, str]:
    rows = {"rows.jsonl": '{"q": "one", "a": "1"}\n', "test.jsonl": '{"q": "two", "a": "2"}\n'}
    files = {f"{package}/{name}/{file}": text for file, text in rows.items()}
    return {f"{package}/__init__.py": "", f"{package}/{name}/task.yaml": TASK.format(name=name), **files}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path, for distributions."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    forget()
    yield folder
    forget()


def bring(site: Path, module: str, source: str, **points: str) -> None:
    """A distribution of one module, with entry points for its methods."""
    install(site, module.replace("_", "-"), {f"{module}.py": source}, {methods.GROUP: points})


def line_of(error: UsageError | object) -> str:
    assert isinstance(error, UsageError)
    assert "\n" not in str(error)
    return str(error)


def test_parts_and_tasks_of_another_distribution_are_like_our_own(site: Path) -> None:
    source = part("Push", "WeightsPart") + part("Hint", "ContextPart", "words")
    files = {"acme_parts.py": source, **task("acme_tasks", "acme-sums")}
    points = {
        methods.GROUP: {"push": "acme_parts:Push", "hint": "acme_parts:Hint"},
        tasks.GROUP: {"acme": "acme_tasks"},
    }
    install(site, "acme", files, points)
    assert methods.available()["hint"] == "Hint of acme."
    made = methods.create("hint+push", {"words": 3})
    assert (made.name, made.context.options.words, made.weights.options.strength) == ("push+hint", 3, 1)
    assert methods.create("lora+hint").name == "lora+hint"
    assert (methods.origin(made.weights), methods.origin(methods.create("lora").weights)) == ("acme 1.0", "")
    assert tasks.load("acme-sums").test[0].references == ("2",)
    assert any(line.startswith("acme-sums") for line in listing.lines("tasks", site))
    assert any(line.startswith("push ") for line in listing.lines("methods", site))


def test_the_version_of_a_distribution_is_part_of_the_key(site: Path, task_folder: Path, tiny_model: Path) -> None:
    def key() -> str:
        forget()
        only: list[Cell] = cells_of(write_suite(task_folder.parent, tiny_model, methods=["hint"]))[1]
        return only[0].key

    bring(site, "acme", part("Hint", "ContextPart"), hint="acme:Hint")
    first = key()
    assert key() == first
    (site / "acme-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.1\n")
    assert key() != first


@pytest.mark.parametrize(
    ("source", "points", "reason"),
    [
        ("import no_such_module", {"hint": "acme:Hint"}, "ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise SystemExit('no\\nmore')", {"hint": "acme:Hint"}, "SystemExit: no"),
        ("", {"hint": "acme:Hint"}, "AttributeError: module 'acme' has no attribute 'Hint'"),
        ("Hint = 3", {"hint": "acme:Hint"}, "not a class derived from WeightsPart or ContextPart"),
        ("class Hint: name = 'hint'", {"hint": "acme:Hint"}, "not a class derived from WeightsPart or ContextPart"),
        (
            part("Hint", "ContextPart"),
            {"hnt": "acme:Hint"},
            "the class calls itself 'hint'; both names must be the same",
        ),
        (part("Hint", "ContextPart"), {"Hint!": "acme:Hint"}, "lower-case letters"),
        (part("Lora", "ContextPart"), {"lora": "acme:Lora"}, "adaptbench has a method of this name"),
    ],
)
def test_a_broken_method_is_a_line_and_breaks_nothing_else(
    site: Path, source: str, points: dict[str, str], reason: str
) -> None:
    bring(site, "acme", source, **points)
    (name, value) = next(iter(points.items()))
    line = line_of(next(iter(methods.plugins().values())))
    assert line.startswith(f"acme 1.0: adaptbench.methods {name} = {value}: ")
    assert reason in line
    assert f"cannot be used: {line}" in list(listing.lines("methods", site))
    if name != "lora":
        with pytest.raises(UsageError, match=r"^acme 1\.0: "):
            methods.create(name)
    assert methods.create("lora+rag").weights.options.rank == 16
    assert [(found.state, found.detail) for found in doctor_checks._plugins()] == [("note", line)]


def test_a_name_that_two_distributions_bring_is_refused_with_both(site: Path) -> None:
    for module in ("acme_one", "acme_two"):
        bring(site, module, part("Hint", "ContextPart"), hint=f"{module}:Hint")
    with pytest.raises(UsageError, match=r"is in acme-one 1\.0 and acme-two 1\.0; uninstall") as caught:
        methods.create("hint")
    assert {line_of(error) for error in methods.plugins().values()} == {str(caught.value)}
    assert "hint" not in methods.available()


def test_parts_with_an_option_in_common_cannot_be_joined(site: Path) -> None:
    bring(site, "acme", part("Push", "WeightsPart", "k"), push="acme:Push")
    assert methods.create("push+rag").name == "push+rag"
    with pytest.raises(UsageError, match=r'"push\+few-shot" cannot be joined: push and few-shot both have k$'):
        methods.create("push+few-shot")


@pytest.mark.parametrize(
    ("files", "value", "reason"),
    [
        ({}, "acme_tasks", "ModuleNotFoundError: no package named acme_tasks"),
        ({"acme_tasks.py": ""}, "acme_tasks", "ModuleNotFoundError: no package named acme_tasks"),
        ({"acme_tasks/__init__.py": ""}, "acme_tasks", "no folder with a task.yaml in it"),
        (task("acme_tasks", "support-intents"), "acme_tasks", 'a task "support-intents" is in adaptbench already'),
    ],
)
def test_broken_tasks_are_a_line_and_break_nothing_else(
    site: Path, files: dict[str, str], value: str, reason: str
) -> None:
    install(site, "acme", files, {tasks.GROUP: {"acme": value}})
    line = line_of(next(iter(tasks.plugins().values())))
    assert line.startswith("acme 1.0: adaptbench.tasks acme = acme_tasks: ")
    assert reason in line
    assert f"cannot be used: {line}" in list(listing.lines("tasks", site))
    with pytest.raises(UsageError, match=r"\nacme 1\.0: "):
        tasks.find("acme-sums")
    assert tasks.find("support-intents") == tasks.own()["support-intents"]


def test_a_wrong_task_of_another_distribution_leaves_the_others_listed(site: Path) -> None:
    files = {**task("acme_tasks", "acme-sums"), "acme_tasks/broken/task.yaml": "kind: song\n"}
    install(site, "acme", files, {tasks.GROUP: {"acme": "acme_tasks"}})
    lines = list(listing.lines("tasks", site))
    assert any(line.startswith("acme-sums") for line in lines)
    assert any(line.startswith("cannot be used: ") and "broken" in line for line in lines)


def test_a_file_without_a_part_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stray.py").write_text("raise AssertionError('executed')")
    monkeypatch.setattr(methods, "__file__", str(tmp_path / "__init__.py"))
    methods.own.cache_clear()
    try:
        assert methods.own() == {}
    finally:
        methods.own.cache_clear()
