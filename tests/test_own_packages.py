"""Our own `bench`, `methods` and `tasks` are used, whatever stands in the folder, on PYTHONPATH or in site-packages."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from bench.core import own_packages
from bench.core.missing_package import missing_package
from bench.core.own_packages import ForeignPackageError

ROOT = Path(__file__).parent.parent
START = ROOT / "adaptbench.py"
# What a stranger's module does when it is executed: it says so, and leaves a file.
STRANGER = "import pathlib, sys\nprint('STRANGER', __name__)\npathlib.Path(__file__).with_suffix('.ran').touch()\n"


@pytest.fixture
def strange(tmp_path: Path) -> Path:
    """A folder with modules of our names."""
    folder = tmp_path / "strange"
    for name in ("tasks.py", "bench.py", "methods/__init__.py", "methods/lora.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(STRANGER)
    return folder


def python(*arguments: str | Path, cwd: Path, path: Path) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "PYTHONPATH": str(path), "COLUMNS": "120"}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, timeout=110, check=False)


def assert_untouched(folder: Path, done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stderr
    assert "STRANGER" not in done.stdout + done.stderr
    assert not list(folder.rglob("*.ran"))


@pytest.mark.parametrize(("what", "says"), [("tasks", "banking77"), ("methods", "lora")])
def test_the_command_lists_our_own(strange: Path, what: str, says: str) -> None:
    done = python(START, "list", what, cwd=strange, path=strange)
    assert_untouched(strange, done)
    assert says in done.stdout


@pytest.mark.parametrize("module", ["bench", "adaptbench"])
def test_as_a_module_our_own_methods_and_tasks_are_used(strange: Path, module: str) -> None:
    (strange / "bench.py").unlink()  # `python -m bench` would be told to run it
    for library in ("click", "evaluate"):
        (strange / f"{library}.py").write_text(STRANGER)
    done = python("-m", module, "list", "methods", cwd=strange, path=ROOT)
    assert_untouched(strange, done)
    assert "lora" in done.stdout


@pytest.mark.slow  # what a cell's process imports is looked at below
def test_a_run_and_its_report_use_our_own(strange: Path, task_folder: Path, tiny_model: Path) -> None:
    """Also in the processes of cells, which start in the same folder."""
    content = {"models": [str(tiny_model)], "tasks": [str(task_folder)], "methods": ["zero-shot"], "embedder": "none"}
    (strange / "mine.yaml").write_text(yaml.safe_dump(content))
    done = python(START, "run", "mine.yaml", "--limit", "2", cwd=strange, path=strange)
    assert_untouched(strange, done)
    assert "zero-shot" in done.stdout
    run = strange / "results/local/mine"
    assert "STRANGER" not in "".join(log.read_text() for log in run.rglob("log.txt"))
    assert_untouched(strange, python(START, "report", run, cwd=strange, path=strange))


FORKED = """
import sys
sys.path.insert(0, ROOT)
import adaptbench
adaptbench.pin()
from bench.runs import cell_process
cell_process._PRELOADED = ["adaptbench_child", "bench.core.errors", "tasks"]
LOOK = '''
import sys
names = ["bench.core.errors", "tasks", "__main__"]
open("seen.txt", "w").write(" ".join(getattr(sys.modules.get(name), "__file__", None) or "-" for name in names))
'''
context = cell_process._fork_server()
with cell_process._own_main():
    process = context.Process(target=exec, args=(LOOK, {}))
    process.start()
process.join()
"""


def test_the_fork_server_has_our_own_loaded_and_never_the_main_script(strange: Path) -> None:
    (strange / "script.py").write_text(FORKED.replace("ROOT", repr(str(ROOT)), 1))
    done = python("script.py", cwd=strange, path=strange)  # would fork without end, were it run again in the child
    assert_untouched(strange, done)
    seen = (strange / "seen.txt").read_text().split()
    assert seen == [str(ROOT / "bench/core/errors.py"), str(ROOT / "tasks/__init__.py"), str(START)]


def test_a_name_that_is_taken_already_is_one_line(strange: Path) -> None:
    (strange / "sitecustomize.py").write_text("import tasks")
    done = python(START, "list", "tasks", cwd=strange, path=strange)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("error: adaptbench needs the name `tasks`")
    assert str(strange / "tasks.py") in line


def test_a_package_that_replaced_ours_is_named_and_not_run(
    strange: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = strange / "chores-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: chores\nVersion: 1.0\n")
    (info / "RECORD").write_text("methods/__init__.py,,\n")
    monkeypatch.setattr(own_packages, "ROOT", strange)
    monkeypatch.syspath_prepend(strange)
    with pytest.raises(ForeignPackageError, match="is not adaptbench's: chores has replaced it") as caught:
        own_packages.OwnPackages.find_spec("methods")
    assert "\n" not in str(caught.value)
    assert not list(strange.rglob("*.ran"))


# Runs the command line as where a package is not installed.
WITHOUT = """
import sys
sys.path.insert(0, ROOT)
sys.modules[GONE] = None  # importing it says that there is none
import adaptbench
adaptbench.main()
"""


@pytest.mark.parametrize(("module", "package"), [("click", "click"), ("yaml", "PyYAML"), ("rich", "rich")])
def test_a_missing_package_is_one_line_with_the_command_that_installs_it(module: str, package: str) -> None:
    code = WITHOUT.replace("ROOT", repr(str(ROOT))).replace("GONE", repr(module))
    done = python("-c", code, "report", "results/popqa.run.zip", cwd=ROOT, path=ROOT)
    assert done.returncode == 2
    line = f'error: the Python package "{package}" is missing; install it: python -m pip install "{package}>='
    assert done.stderr.startswith(line)
    assert done.stderr.count("\n") == 1


def test_only_what_is_not_installed_is_called_missing() -> None:
    needed_by_rich = missing_package(ModuleNotFoundError("", name="markdown_it"))
    assert needed_by_rich is not None
    assert "pip check" in needed_by_rich
    assert missing_package(ModuleNotFoundError("", name="bench.reports")) is None  # a defect
    assert missing_package(ImportError("", name="rich")) is None
