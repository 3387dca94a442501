"""What users write: suites, prices, assumptions, search spaces.

May import `core`, `methods`, `model`, `metrics` and `tasks`.
"""
