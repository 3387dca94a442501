"""Packages that adaptbench needs or can use, and that are not installed."""

from __future__ import annotations

import importlib
import re
from typing import Any

from bench.core.errors import UsageError
from bench.core.own_packages import NAMES

_PACKAGES = {"faiss": "faiss-cpu", "sklearn": "scikit-learn", "yaml": "PyYAML"}  # of modules with another name


def need(module: str, extra: str) -> Any:
    """A module of an optional package.

    Raises:
        UsageError: it is not installed; names the extra that brings it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise UsageError(f'the package {error.name} is missing; pip install "adaptbench[{extra}]"') from None


def missing_package(error: Exception) -> str | None:
    """A line that names the package and the command that installs it; None where the error is another one."""
    module = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if not module or module in NAMES:
        return None
    package = _PACKAGES.get(module, module)
    requirement = _requirements().get(_plain(package))
    if requirement is None:  # what a package of ours needs in its turn
        return f'the Python module "{module}" is missing; `python -m pip check` names the package to install'
    return f'the Python package "{package}" is missing; install it: python -m pip install "{requirement}"'


def _requirements() -> dict[str, str]:
    """What adaptbench asks of each package, such as `rich>=14`, by its plain name."""
    from importlib import metadata  # takes longer than all else at the start

    try:
        found = metadata.requires("adaptbench") or []
    except metadata.PackageNotFoundError:
        return {}
    asked = [one.partition(";")[0].strip() for one in found]
    return {_plain(re.split(r"[^\w.-]", one, maxsplit=1)[0]): one for one in asked}


def _plain(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()
