"""The files of a release: one version everywhere, workflows that are whole, and what a wheel has to hold."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from bench import __version__
from bench.core.yaml_file import read_mapping

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def test_the_version_is_the_same_everywhere() -> None:
    heading = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert heading
    cited = read_mapping(ROOT / "CITATION.cff", "CITATION.cff", "a mapping")
    image = re.search(r"adaptbench:(\S+)", (ROOT / "docs" / "recipes" / "kubernetes.yaml").read_text(encoding="utf-8"))
    assert image
    assert {heading[1], cited["version"], image[1]} == {__version__}


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_a_workflow_asks_for_little_and_each_job_for_what_is_there(file: Path) -> None:
    workflow = read_mapping(file, file.name, "a workflow is a mapping")
    assert workflow["permissions"] == {"contents": "read"}
    jobs = workflow["jobs"]
    for name, job in jobs.items():
        assert all({"uses", "run"} & set(step) for step in job["steps"])
        assert {job[key] for key in ("needs",) if key in job} <= jobs.keys() - {name}
        assert {"id-token", "pages"} & set(job.get("permissions", {})) == set() or "environment" in job
        for step in job["steps"]:
            first = step.get("run", "").split(maxsplit=1)
            assert not first or "/" not in first[0] or (ROOT / first[0]).is_file()
    supported = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["classifiers"]
    for job in jobs.values():
        for python in job.get("strategy", {}).get("matrix", {}).get("python", ()):
            assert f"Programming Language :: Python :: {python}" in supported


@pytest.mark.slow
def test_a_wheel_holds_all_that_runs(tmp_path: Path) -> None:
    pytest.importorskip("setuptools", minversion="77")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(tmp_path),
        str(ROOT),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=110)
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    needed = {"adaptbench.py"}
    for package in ("bench", "methods", "tasks"):
        tracked = subprocess.run(["git", "ls-files", package], cwd=ROOT, check=True, capture_output=True, text=True)
        needed |= set(tracked.stdout.splitlines())
    assert needed - held == set()
    assert not any(name.startswith(("tests/", "scripts/", "docs/", "results/")) for name in held)
