"""The run folder: records and predictions on disk, and how shards are merged.

May import `core` and `tasks`.
"""
