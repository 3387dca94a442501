"""docs/gate.md: its commands run, its policy is one, its workflow calls options that exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from bench.gate.policy import CostCheck, Policy, Quality, Retention, load
from bench.gate.verdict import WORDS
from tests.gate.made import Made
from tests.gate.test_gate_cli import ended

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "gate.md").read_text(encoding="utf-8")
BLOCKS = {kind: re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE) for kind in ("bash", "yaml")}


def commands(text: str) -> list[list[str]]:
    """The adaptbench commands of a text, in words."""
    found = re.findall(r"(?:^|[\s`(]|bin/)adaptbench ([^`\n;|]*)", text)
    return [words for line in found if (words := shlex.split(line, comments=True))]


def run(path: Path) -> Path:
    """What a suite of a prompt and a weak one would have left."""
    made = Made(path)
    made.cell("prompt", [1.0, 0.0] * 100)
    made.cell("weak", [1.0] * 3 + [0.0] * 197)
    return made.done()


def test_adopting_it_takes_the_six_lines_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = BLOCKS["bash"][0].splitlines()
    assert len(lines) == 6
    for place in ("results/local/main", "candidate"):  # what the first line, and CI, measure
        run(tmp_path / place)
    asked = commands("\n".join(lines))
    assert asked[0] == ["run", "my-suite.yaml", "--out", "results/local/main"]
    for words in asked[1:]:
        assert ended(capsys, *words)[0] == 0
    added = next(line for line in lines if line.startswith("git add")).split("#")[0].split()[2:]
    assert all((tmp_path / file).is_file() for file in added)
    assert {file.name for file in (tmp_path / "gate").iterdir()} == {
        "gate.json", "junit.xml", "summary.md", "comment.md",
    }  # fmt: skip


def test_the_policy_is_one(tmp_path: Path) -> None:
    file = tmp_path / "gate.yaml"
    file.write_text(BLOCKS["yaml"][0], encoding="utf-8")
    policy = load(file)
    assert set(yaml.safe_load(BLOCKS["yaml"][0])) == set(Policy.model_fields)  # every key is explained
    assert len(list(policy.entries())) == 7
    for kind in (Quality, Retention, CostCheck):
        assert all(f"`{key}`" in PAGE for key in kind.model_fields)


def test_the_workflow_is_yaml_and_ends_with_the_gate() -> None:
    [steps] = (job["steps"] for job in yaml.safe_load(BLOCKS["yaml"][-1])["jobs"].values())
    asked = [words for step in steps for words in commands(step.get("run", ""))]
    assert [words[0] for words in asked] == ["run", "gate"]


@pytest.mark.parametrize("code", WORDS)
def test_every_exit_code_is_explained(code: int) -> None:
    assert f"| {code} | {WORDS[code]} |" in PAGE


def test_the_page_is_short() -> None:
    assert len(PAGE.splitlines()) <= 220
