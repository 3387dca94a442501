"""Help for authors of tasks: `init` and `check`.

May import `analysis`, `tasks`, `metrics` and `core`.
"""
