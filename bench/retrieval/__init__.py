"""Search over documents: embedders, their cache, indexes.

May import `meters`, `model` and `core`.
"""
