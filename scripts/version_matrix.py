"""Which Pythons and which torch adaptbench works with: `python -m scripts.version_matrix OUT.json --python 3.12`.

Each combination gets a virtual environment of its own under `--folder`, with the versions of `constraints.txt` and
the torch that is named. There the default tests run, and mini's suite is measured and compared with the committed run.
Combinations that OUT has already are kept, so that a matrix may be measured one by one. Where pip has no CPU build of
a torch it takes the build for CUDA: about 5 GB of disk for a combination (`--folder` may be emptied afterwards).
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from bench.store.json_files import write_json
from bench.store.run_folder import read_run

ROOT = Path(__file__).parents[1]
_SUITE, _BASELINE = ROOT / ".ci/gate/suite.yaml", ROOT / "baselines/mini.run.zip"
_COUNT = re.compile(r"(\d+) (passed|failed|skipped|error)")
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)
_VERSIONS = (
    "import sys, importlib.metadata as m;"
    "print('%d.%d.%d' % sys.version_info[:3], *(m.version(n) for n in ('torch', 'transformers', 'numpy')))"
)


@click.command()
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--python", "version", required=True, help="such as 3.12: on PATH, or one that pyenv has")
@click.option("--torch", default="2.13.0", show_default=True)
@click.option("--folder", type=click.Path(path_type=Path), default=ROOT / ".venv-matrix", show_default=True)
@click.option("--workers", default=2, show_default=True, help="Processes that run tests.")
@click.option("--tests", multiple=True, default=("tests",), show_default=True, help="Files or folders of tests.")
def main(out: Path, version: str, torch: str, folder: Path, workers: int, tests: tuple[str, ...]) -> None:
    """Measure one combination and put it into OUT."""
    rows: list[dict[str, Any]] = json.loads(out.read_text())["rows"] if out.exists() else []
    environment = folder / f"python{version}-torch{torch}"
    install(interpreter(version), environment, torch)
    python = environment / "bin" / "python"
    found = subprocess.run([python, "-c", _VERSIONS], capture_output=True, text=True, check=True).stdout.split()
    row: dict[str, Any] = dict(zip(("python", "torch", "transformers", "numpy"), found, strict=True))
    row |= {"tests": list(tests), **outcome(python, tests, workers), **difference_of_mini(python, environment / "run")}
    click.echo(json.dumps(row))
    kept = [old for old in rows if (old["python"], old["torch"]) != (row["python"], row["torch"])]
    ordered = sorted([*kept, row], key=lambda each: [int(part) for part in re.findall(r"\d+", each["python"])])
    made = datetime.now(UTC).date().isoformat()
    write_json(out, {"made": made, "platform": platform.platform(), "rows": ordered})


def interpreter(version: str) -> Path:
    """Python of that version.

    Raises:
        click.ClickException: there is none.
    """
    home = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    on_path = shutil.which(f"python{version}")
    candidates = [Path(on_path)] if on_path else []
    candidates += [each / "bin" / "python" for each in sorted(home.glob(f"{version}.*"), reverse=True)]
    asked = "import sys; print('%d.%d' % sys.version_info[:2])"
    for each in candidates:  # a shim of pyenv may be there and answer nothing
        if subprocess.run([each, "-c", asked], capture_output=True, text=True, check=False).stdout.strip() == version:
            return each
    raise click.ClickException(f"Python {version} is neither on PATH nor in {home}")


def install(python: Path, environment: Path, torch: str) -> None:
    """adaptbench from this checkout with the pinned versions, but for torch.

    A constraint that pip's own settings name is left out: it may hold torch to one version.

    Raises:
        subprocess.CalledProcessError: pip refused.
    """
    if (environment / "installed").exists():
        return
    subprocess.run([python, "-m", "venv", "--clear", environment], check=True)
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    constraints = environment / "constraints.txt"
    constraints.write_text(re.sub(r"(?m)^torch==.*$", f"torch=={torch}", pins), encoding="utf-8")
    command: list[str | Path] = [environment / "bin/python", "-m", "pip", "install", "--quiet", "--progress-bar=off"]
    command += ["--ignore-requires-python", "-c", constraints, "-e", ".[dev,offline-embedder]"]
    subprocess.run(command, cwd=ROOT, check=True, env=os.environ | {"PIP_CONSTRAINT": ""})
    (environment / "installed").touch()  # last: a broken-off installation is not used


def outcome(python: Path, tests: tuple[str, ...], workers: int) -> dict[str, Any]:
    """How many tests passed, failed and so on, and the names of those that failed."""
    command: list[str | Path] = [python, "-m", "pytest", "-q", "-n", str(workers), "-p", "no:cacheprovider", *tests]
    environment = os.environ | {"PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)
    said = done.stdout.strip().splitlines()
    counts = {kind: int(count) for count, kind in _COUNT.findall(said[-1] if said else "")}
    if not counts:
        raise click.ClickException(f"pytest did not run: {done.stderr[-2000:] or done.stdout[-2000:]}")
    return counts | {"which_failed": sorted(set(_FAILED.findall(done.stdout)))}


def difference_of_mini(python: Path, run: Path) -> dict[str, float | None]:
    """The largest difference of a score of mini's suite from the committed run's; None where a cell failed."""
    shutil.rmtree(run, ignore_errors=True)
    command: list[str | Path] = [python, "-m", "adaptbench", "run", _SUITE, "--out", run]
    allowed = os.environ | {"ADAPTBENCH_ALLOW_OUTSIDE": str(ROOT / "tasks"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=allowed)
    if done.returncode:
        click.echo(done.stderr[-2000:], err=True)
        return {"largest_difference": None}
    before, now = ({record.name: record.scores for record in read_run(path).records} for path in (_BASELINE, run))
    differences = (
        abs(score.value - now[cell][metric].value)
        for cell, scores in before.items()
        if cell in now
        for metric, score in scores.items()
    )
    return {"largest_difference": max(differences)}


if __name__ == "__main__":
    sys.exit(main())
