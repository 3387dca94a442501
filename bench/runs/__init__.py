"""A whole suite: cells, plan, executor, progress.

May import `cell`, `config`, `store` and what those may import.
"""
