"""What a phase took: seconds, memory, energy, FLOPs, latency; and on which machine.

May import `training`, `engine`, `model` and `core`.
"""
