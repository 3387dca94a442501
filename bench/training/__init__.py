"""Training of a loaded model: batches, loss, checkpoints, packed attention.

May import `engine`, `model`, `methods` and `core`.
"""
