"""`python -m bench` is `adaptbench`."""

from bench.cli import main

main()
