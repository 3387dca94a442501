"""The run folder: records and predictions on disk, its archive, and how shards are merged.

May import `core` and `tasks`.
"""
