"""A whole suite: cells, plan, executor, progress.

May import `cell`, `forecast`, `bridges`, `analysis`, `config`, `store` and what those may import.
"""

from pathlib import Path

RESULTS = Path("results/local")  # where runs go that name no folder
