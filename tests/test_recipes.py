"""Recipes measure every part of a suite once, and are what their engines take."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from bench.cli import cli
from bench.runs import shards

RECIPES = Path(__file__).parent.parent / "docs" / "recipes"
TEXT = {"type": "string", "minLength": 1}
# What the API reference of Kubernetes says of an indexed Job (batch/v1, JobSpec), as far as the recipe uses it.
JOB = {
    "type": "object",
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "properties": {
        "apiVersion": {"const": "batch/v1"},
        "kind": {"const": "Job"},
        "metadata": {"type": "object", "required": ["name"]},
        "spec": {
            "type": "object",
            "required": ["completions", "completionMode", "template"],
            "additionalProperties": False,
            "properties": {
                "completions": {"type": "integer", "minimum": 1},
                "parallelism": {"type": "integer", "minimum": 1},
                "completionMode": {"enum": ["Indexed", "NonIndexed"]},
                "backoffLimitPerIndex": {"type": "integer", "minimum": 0},
                "template": {
                    "properties": {
                        "spec": {
                            "required": ["containers", "restartPolicy"],
                            "properties": {
                                "restartPolicy": {"const": "Never"},  # needed by backoffLimitPerIndex
                                "containers": {
                                    "type": "array",
                                    "minItems": 1,
                                    "items": {
                                        "required": ["name", "image"],
                                        "properties": {
                                            "command": {"type": "array", "items": TEXT},
                                            "args": {"type": "array", "items": TEXT},
                                            "resources": {
                                                "properties": {"limits": {"additionalProperties": TEXT}},
                                            },
                                        },
                                    },
                                },
                            },
                        }
                    },
                },
            },
        },
    },
}
# What GitHub's documentation says of the syntax of a workflow, as far as the recipe uses it.
WORKFLOW = {
    "type": "object",
    "required": ["on", "jobs"],
    "properties": {
        "jobs": {
            "additionalProperties": {
                "required": ["runs-on", "steps"],
                "properties": {
                    "timeout-minutes": {"type": "integer", "maximum": 360},
                    "strategy": {"required": ["matrix"]},
                    "steps": {
                        "type": "array",
                        "items": {
                            "oneOf": [{"required": ["uses"]}, {"required": ["run"]}],
                            "additionalProperties": False,
                            "properties": {name: {} for name in ("name", "uses", "run", "with", "env", "if")},
                        },
                    },
                },
            }
        }
    },
}


def commands(script: str, folder: Path, **environment: str) -> list[list[str]]:
    """The commands of adaptbench and hf that a script runs, by programs that only write their arguments down."""
    for program in ("adaptbench", "hf"):
        file = folder / program
        file.write_text('#!/usr/bin/env bash\nprintf "%s\\t" "${0##*/}" "$@" >>"$NOTE"; printf "\\f" >>"$NOTE"\n')
        file.chmod(0o755)
    note = folder / "note"
    note.write_text("")
    variables = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "NOTE": str(note), **environment}
    subprocess.run(["bash", "-ec", script], env=variables, check=True, timeout=20)
    return [line.rstrip("\t").split("\t") for line in note.read_text().split("\f")[:-1]]


def covered(runs: list[list[str]], parts: int) -> bool:
    """Whether these commands are ones that adaptbench takes, and measure each of so many parts once, apart."""
    found, places = [], []
    for program, *arguments in runs:
        assert program == "adaptbench"
        context = cli.make_context("adaptbench", list(arguments), resilient_parsing=False)
        name, command, rest = cli.resolve_command(context, list(arguments))
        assert command is not None
        given = command.make_context(name, list(rest)).params
        found.append(shards.parse(given["shard"]))
        places.append(given["out"])
    return sorted(shard.number for shard in found) == list(range(1, parts + 1)) and len(set(places)) == parts


def test_kubernetes(tmp_path: Path) -> None:
    job = yaml.safe_load((RECIPES / "kubernetes.yaml").read_text())
    jsonschema.validate(job, JOB)
    spec, [container] = job["spec"], job["spec"]["template"]["spec"]["containers"]
    assert spec["parallelism"] <= spec["completions"]
    assert container["command"] == ["bash", "-ec"]
    [script] = container["args"]
    runs = [commands(script, tmp_path, JOB_COMPLETION_INDEX=str(i)) for i in range(spec["completions"])]
    assert covered([command for [command] in runs], spec["completions"])
    volumes = {volume["name"] for volume in spec["template"]["spec"]["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} <= volumes


def test_github_actions(tmp_path: Path) -> None:
    workflow: Any = yaml.load((RECIPES / "github-actions.yaml").read_text(), yaml.BaseLoader)
    workflow["jobs"]["measure"]["timeout-minutes"] = int(workflow["jobs"]["measure"]["timeout-minutes"])
    jsonschema.validate(workflow, WORKFLOW)
    assert workflow["jobs"]["join"]["needs"] == "measure"
    measure = workflow["jobs"]["measure"]
    parts = measure["strategy"]["matrix"]["part"]
    [script] = [step for step in measure["steps"] if "run" in step and "adaptbench run" in step["run"]]
    assert script["env"]["PART"] == "${{ matrix.part }}"
    runs = [commands(script["run"], tmp_path, PART=part) for part in parts]
    assert covered([command for [command] in runs], len(parts))


def test_hf_jobs(tmp_path: Path) -> None:
    submitted = commands((RECIPES / "hf-jobs.sh").read_text(), tmp_path, ORG="us", IMAGE="img")
    jobs = [command[: command.index("img")] for command in submitted]
    assert all(job[:3] == ["hf", "jobs", "run"] for job in jobs)
    scripts = [command[command.index("img") + 1 :] for command in submitted]
    assert all(script[:2] == ["bash", "-ec"] for script in scripts)
    both = [commands(script[2], tmp_path) for script in scripts]
    assert covered([run for run, _ in both], 4)
    for run, pack in both:
        assert pack[1:3] == ["pack", run[-1]]  # the folder that the part was written to
    assert len({pack[-1] for _, pack in both}) == 4
    module = pytest.importorskip("huggingface_hub.cli.jobs")
    known = "".join(file.read_text() for file in Path(module.__file__).parent.glob("*.py"))
    for option in {each for each in jobs[0] if each.startswith("--")}:
        assert f'"{option}"' in known or option.removeprefix("--") in known
