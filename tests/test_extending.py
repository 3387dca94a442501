"""The package of docs/extending.md: installed into a folder of its own, listed, run and held to the contract."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from bench.core.item import Passage
from bench.retrieval.outside import OutsideSearch
from bench.store.run_folder import read_run
from tests.installed import forget, install

ROOT = Path(__file__).parent.parent
_FILE = re.compile(r"^`([\w./-]+)`\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of the page, and the metadata that pip would write of its pyproject.toml."""
    folder = tmp_path_factory.mktemp("site")
    files = dict(_FILE.findall((ROOT / "docs" / "extending.md").read_text(encoding="utf-8")))
    project = tomllib.loads(files["pyproject.toml"])["project"]
    install(folder, project["name"], files, project["entry-points"])
    return folder


def python(site: Path, *arguments: str, cwd: Path) -> str:
    variables = {**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{ROOT}", "COLUMNS": "120"}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_parts_and_task_are_listed(site: Path) -> None:
    listed = python(site, "-m", "adaptbench", "list", "methods", cwd=site)
    assert re.search(r"^norms +causal, seq2seq +Only the norms are trained\.$", listed, re.MULTILINE)
    line = r"^labels +causal, seq2seq, served +All answers of the training split, listed before the item\.$"
    assert re.search(line, listed, re.MULTILINE)
    listed = python(site, "-m", "adaptbench", "list", "tasks", cwd=site)
    assert re.search(r"^acme-routing +choice +Which team a message goes to\.$", listed, re.MULTILINE)


def test_its_retriever_keeps_the_contract(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(site)
    forget()
    search = OutsideSearch("acme-search", [Passage("a", "red fish"), Passage("b", "blue fish"), Passage("c", "tea")])
    queries = ["a blue fish", "tea", "nothing"]
    found = search.search(queries, 2)
    assert found[:2] == [[1, 0], [2, 0]]
    assert found == [search.search([query], 2)[0] for query in queries]  # by the query alone
    assert search.counts["money_per_query"] == pytest.approx(0.0001)
    forget()


def test_its_suite_runs(site: Path) -> None:
    out = python(site, "-m", "adaptbench", "run", "suite.yaml", cwd=site)
    run = read_run(site / "results/local/suite")
    assert [(record.method, record.status) for record in run.records] == [
        ("zero-shot", "ok"),
        ("labels", "ok"),
        ("norms", "ok"),
    ]
    bare, shown, trained = run.records
    assert shown.tokens["prompt_tokens"] > bare.tokens["prompt_tokens"]
    assert trained.parameters
    assert trained.parameters.trained > 0
    assert "labels" in out


@pytest.mark.slow
def test_the_contract_holds_for_its_parts_and_task(site: Path) -> None:
    which = "[norms or [labels or acme"
    files = ("tests/test_contract.py", "tests/tasks/test_task_contract.py")
    out = python(site, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "-k", which, *files, cwd=ROOT)
    counted = re.search(r"(\d+) passed", out)
    assert counted
    assert int(counted[1]) == 5 * 2 * 2 + 2  # contract × kinds of task × parts, and the task's
