"""Damaged and hostile inputs for every reader, many thousand each, from valid ones that are changed.

    python -m scripts.fuzz --reader all --inputs 10000 --seed 0 --out results/fuzz.json

An input follows from the reader, the seed and its number, so that `--only NUMBER` gives it again. A reader may take an
input, or refuse it in short, printable lines by an error of adaptbench's own. Anything else is a defect: another
exception, exit code 70, more than 10 seconds of CPU time, more than a GiB of memory, a process that dies, and a gate
that passes what was damaged.
"""
