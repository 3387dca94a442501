"""Where the cells of a run are measured, when that is not this machine: a cluster's jobs or tasks.

May import `runs` and what that may import.
"""
