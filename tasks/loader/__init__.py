"""Reads tasks: task.yaml, rows, splits, checks, digests. May import `bench.core`."""
