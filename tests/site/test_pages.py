"""Every page: its links lead somewhere, its commands are taken by the command line, its files by what reads them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import click
import pytest
import yaml

from bench.cli import cli
from bench.config import suite as suites
from bench.core import yaml_file
from bench.core.phases import PhaseName
from bench.executors import cluster
from bench.gate import policy
from tasks.loader.spec import TaskSpec
from tests.site.pages import PAGES, ROOT, anchors, blocks, commands, commands_of, inline, links, mentions, name_of

EXECUTED = {  # pages whose Python is run, and by what
    "docs/python.md": "tests/test_api.py",
    "docs/extending.md": "tests/test_extending.py",
    "docs/metrics.md": "tests/metrics/test_metric_interface.py",
}
_PLACEHOLDERS = re.compile(r"^[A-Z][A-Z_]*(?:\.\.\.)?$|^…$")
_SUITE = {"models": ["tiny-random"], "tasks": ["support-intents"], "methods": ["zero-shot"]}
_ENDS_BEFORE_ARGUMENTS = {"-h", "--help", "--version"}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for target in links(page):
        if ":" in target:
            continue
        place, _, anchor = target.partition("#")
        file = (page.parent / place).resolve() if place else page
        assert file.exists(), f"{name_of(page)}: {target}"
        assert file.is_relative_to(ROOT), f"{name_of(page)}: {target}"
        assert not anchor or anchor in anchors(file), f"{name_of(page)}: {target}"


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page) or mentions(page)], ids=name_of)
def test_commands_are_taken(page: Path) -> None:
    for words in commands(page):
        takes(words, whole=True)
    for words in mentions(page):
        takes(words, whole=False)


def takes(words: list[str], *, whole: bool) -> None:
    """Check that the command line takes these words: command, options and their values, and, if `whole`, arguments."""
    context, rest = click.Context(cli, info_name="adaptbench"), list(words)
    found: click.Command = cli
    while isinstance(found, click.Group) and rest and rest[0] in found.commands:
        found = found.commands[rest.pop(0)]
        context = click.Context(found, parent=context, info_name=found.name)
    assert found is not cli or _ENDS_BEFORE_ARGUMENTS & set(rest) or not rest, f"no command in {words}"
    values, more, _ = found.make_parser(context).parse_args(args=[word for word in rest if word != "…"])
    assert not more, f"{words}: {more}"
    for parameter in found.params:
        value = values.get(parameter.name or "")
        if value is None or value == () or "UNSET" in repr(value):
            assert not (whole and parameter.required), f"{words}: {parameter.name}"
        elif isinstance(parameter.type, (click.Choice, click.IntRange, click.FloatRange)):
            given = value if isinstance(value, (list, tuple)) else [value]
            for each in given:
                if not _PLACEHOLDERS.match(str(each)) and not str(each).startswith("$"):
                    parameter.type.convert(each, parameter, context)


@pytest.mark.parametrize(
    "words",
    [["rum"], ["run", "--sead", "1"], ["report", "--full"], ["run", "x.yaml", "--limit", "-3"], ["gate", "inid"]],
)
def test_a_command_that_is_none_is_noticed(words: list[str]) -> None:
    with pytest.raises((AssertionError, click.UsageError)):
        takes(words, whole=True)


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "yaml") and name_of(p) not in EXECUTED], ids=name_of)
def test_yaml_is_read_by_what_it_is_for(page: Path, tmp_path: Path) -> None:
    for text in blocks(page, "yaml"):
        content = yaml_file.parse(text)
        if isinstance(content, list):  # steps of a workflow
            content = {"steps": content}
        assert isinstance(content, dict), text
        read(content, text, tmp_path / "file.yaml")


def read(content: dict[str, Any], text: str, file: Path) -> None:
    """Read a file, or a part of one, by the function that reads such files; anything else fails."""
    keys = set(content)
    if "steps" in keys:
        content, keys = {"jobs": {"job": content}}, {"jobs"}
    if "jobs" in keys:
        for job in content["jobs"].values():
            for step in job.get("steps", ()):
                assert {"uses", "run"} & set(step), text
                for line in step.get("run", "").splitlines():
                    for words in commands_of(line):
                        takes(words, whole=True)
    elif keys <= {"slurm", "ray", "other_gpus", "others"}:
        file.write_text(text, encoding="utf-8")
        cluster.read(file, file)
    elif keys <= set(policy.Policy.model_fields):
        file.write_text(text, encoding="utf-8")
        policy.load(file)
    elif keys <= set(suites.Suite.model_fields):
        file.write_text(yaml.safe_dump({**_SUITE, **content}), encoding="utf-8")
        suites.load(file)
    else:
        assert keys <= set(TaskSpec.model_fields), f"{keys - set(TaskSpec.model_fields)} is in no file:\n{text}"
        TaskSpec.model_validate({"name": "t", "kind": "text", "template": "{q}", **content})


def test_the_page_of_costs_names_every_phase() -> None:
    named = {token.content for token in inline(ROOT / "docs" / "costs.md") if token.type == "code_inline"}
    assert set(get_args(PhaseName)) <= named


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=name_of)
def test_python_is_executed_by_a_test(page: Path) -> None:
    test = ROOT / EXECUTED[name_of(page)]
    assert page.name in test.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "json")], ids=name_of)
def test_json_is_json(page: Path) -> None:
    for text in blocks(page, "json"):
        json.loads(text)
