"""`python -m bench` is `adaptbench`."""

import sys

if not sys.flags.safe_path:
    del sys.path[0]  # the folder it is started in: a `click.py` there is not what we import

from bench.cli import main

main()
