"""Help for authors of tasks: `init` and `check`.

May import `tasks`, `metrics` and `core`.
"""
