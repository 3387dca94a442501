"""Starts adaptbench with the packages beside this file, whatever `sys.path` holds: `python -m adaptbench`.

`bench`, `methods` and `tasks` are common names, this one is not: the installed command and every cell's process
start here.
"""

from __future__ import annotations

import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    del sys.path[0]  # the folder it is started in: a `click.py` there is not what we import

from importlib import util
from pathlib import Path
from typing import NoReturn

_PIN = "bench.core.own_packages"


def main() -> NoReturn:
    """The command line; where our packages cannot be imported, one line says why."""
    try:
        pin()
        from bench import cli
    except ImportError as error:
        print(f"error: {_in_a_line(error)}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:  # while our packages are imported, the command line cannot heed it yet
        print("error: interrupted", file=sys.stderr)
        sys.exit(130)
    cli.main()


def _in_a_line(error: ImportError) -> str:
    if "bench.core" not in sys.modules:
        return str(error)
    from bench.core.missing_package import missing_package

    return missing_package(error) or str(error)


def pin() -> None:
    """See `bench.core.own_packages.pin`, which is loaded by its path: an `import bench` might find another's."""
    if _PIN not in sys.modules:
        file = Path(__file__).resolve().parent.joinpath(*_PIN.split(".")).with_suffix(".py")
        spec = util.spec_from_file_location(_PIN, file)
        if spec is None or spec.loader is None or not file.is_file():
            raise ImportError(f"{file} is missing; install adaptbench again")
        module = sys.modules[_PIN] = util.module_from_spec(spec)
        spec.loader.exec_module(module)
    sys.modules[_PIN].pin()


if __name__ == "__main__":
    main()
if __name__ == "__mp_main__":  # a cell's process, started by multiprocessing
    pin()
