"""adaptbench in Python: `bench.run` and `bench.load`, and what is asked of a run, as pandas frames and typed results.

May import every room but `cli`. pandas is imported where a frame is made, torch where something is measured.
"""
