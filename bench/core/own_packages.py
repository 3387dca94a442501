"""Which `bench`, `methods` and `tasks` are imported: those beside this very package, whatever `sys.path` holds.

The names are common ones. A folder with a `tasks.py`, a `PYTHONPATH` or another distribution may hold the same.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import machinery
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]  # the folder that holds our packages: site-packages, or a checkout
NAMES = ("bench", "methods", "tasks")


class ForeignPackageError(ImportError):
    """Another module stands in the place of one of ours. Its text is one line that names it."""


class OwnPackages:
    """Finds our top-level packages in their folder alone; a finder of `sys.meta_path`."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> machinery.ModuleSpec | None:
        if name not in NAMES:
            return None
        check_file(name)
        return machinery.PathFinder.find_spec(name, [str(ROOT)])


def pin() -> None:
    """From now on our packages are imported, and none of the same names.

    Raises:
        ForeignPackageError: another module has one of the names already.
    """
    for name in NAMES:
        taken = sys.modules.get(name)
        file = getattr(taken, "__file__", None)
        if taken and file != str(ROOT / name / "__init__.py"):
            raise ForeignPackageError(f"adaptbench needs the name `{name}`, but {file} was imported first under it")
    if OwnPackages not in sys.meta_path:
        sys.meta_path.insert(0, OwnPackages)


def check_file(name: str) -> None:
    """Raise ForeignPackageError where another distribution has overwritten our package; its code is not run."""
    file = ROOT / name / "__init__.py"
    if not file.is_file() or "adaptbench" not in file.read_text(encoding="utf-8"):
        culprits = ", ".join(_also_in(f"{name}/__init__.py")) or "another package"
        raise ForeignPackageError(
            f"{file} is not adaptbench's: {culprits} has replaced it; install adaptbench in an environment without that"
        )


def _also_in(file: str) -> list[str]:
    """Other distributions that say they installed `file`."""
    from importlib import metadata  # takes longer than all else at the start

    found = (d for d in metadata.distributions() if any(str(path) == file for path in d.files or ()))
    return [name for d in found if (name := d.metadata["Name"]) != "adaptbench"]
