"""`python -m bench` is `adaptbench`."""

import sys

if not sys.flags.safe_path:
    del sys.path[0]  # the folder it is started in: a `click.py` there is not what we import

from bench.core.missing_package import missing_package

try:
    from bench.cli import main
except ModuleNotFoundError as error:
    print(f"error: {missing_package(error) or error}", file=sys.stderr)
    sys.exit(2)
main()
